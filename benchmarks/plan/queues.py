"""How queues are called."""


def queue_of(variant: str) -> str:
    """The queue that a variant's tasks go to: its own, as variants of one framework may share a database."""
    return f"lab-{variant}"
