"""Which orders' payments are to fail."""

from benchmarks.plan.seeds import seed_of
from tasks.order_work import failure_of

SEEDS_TRIED = 1_000


def failures_seed(run_seed: int, orders: int, once_share: float, always_share: float) -> int:
    """The first of the run's seeds with which each kind of failure that has a share is among the first half of the orders: a run
    of few orders has both, and does not wait for retries long after the last order. Where none of a thousand has, the first."""
    wanted = {kind for kind, share in {"once": once_share, "always": always_share}.items() if share > 0}
    seeds = [seed_of(run_seed, f"failures/{number}") for number in range(SEEDS_TRIED)]

    def has_them(seed: int) -> bool:
        return wanted <= {failure_of(unit, once_share, always_share, seed) for unit in range(orders // 2)}

    return next(filter(has_them, seeds), seeds[0])
