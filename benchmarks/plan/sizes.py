"""How large a scenario runs."""

from collections.abc import Collection, Mapping

Sizes = Mapping[str, float | int]
"""Sizes by name."""


def require_positive(scenario: str, sizes: Sizes, names: Collection[str]) -> None:
    """Raises ValueError for one of these sizes that is not above 0, and KeyError for one that is missing."""
    for name in names:
        if not sizes[name] > 0:
            raise ValueError(f"size {name} of {scenario} must be positive, not {sizes[name]}")


def require_at_least(scenario: str, sizes: Sizes, least: Mapping[str, int]) -> None:
    """Raises ValueError for one of these sizes that is below its least, and KeyError for one that is missing."""
    for name, bound in least.items():
        if not sizes[name] >= bound:
            raise ValueError(f"size {name} of {scenario} must be at least {bound}, not {sizes[name]}")


def require_above(scenario: str, sizes: Sizes, bounds: Mapping[str, int]) -> None:
    """Raises ValueError for one of these sizes that is not above its bound, and KeyError for one that is missing."""
    for name, bound in bounds.items():
        if not sizes[name] > bound:
            raise ValueError(f"size {name} of {scenario} must be above {bound}, not {sizes[name]}")


def whole(size: float) -> int:
    """A size as a count of tasks, at least 1."""
    return max(1, int(size))
