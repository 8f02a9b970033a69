"""Where the tasks of ``tasks.model_work`` write down what they saw: apart from it, for who reads it needs none of its
libraries."""


def orders_seen_key(run: int, phase: int) -> str:
    """The Redis list, in the application's database, that holds one JSON object for each task of a phase that looked at its
    order: its sequence, the way in which it was handed the order, and the order's version when it was sent, as the task saw it,
    and in the database at that moment."""
    return f"orders-seen-{run}-{phase}"
