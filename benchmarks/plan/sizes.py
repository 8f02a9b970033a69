"""How large a scenario runs."""

from collections.abc import Collection, Mapping

Sizes = Mapping[str, float | int]
"""Sizes by name."""


def require_least(scenario: str, sizes: Sizes, names: Collection[str], least: Mapping[str, float]) -> None:
    """Raises ValueError for one of these sizes that is below its least, or, where that is not said, not above 0; and KeyError for
    one that is missing."""
    for name in names:
        bound, size = least.get(name), sizes[name]
        if bound is None and not size > 0:
            raise ValueError(f"size {name} of {scenario} must be positive, not {size}")
        if bound is not None and not size >= bound:
            raise ValueError(f"size {name} of {scenario} must be at least {bound}, not {size}")


def require_above(scenario: str, sizes: Sizes, bounds: Mapping[str, int]) -> None:
    """Raises ValueError for one of these sizes that is not above its bound, and KeyError for one that is missing."""
    for name, bound in bounds.items():
        if not sizes[name] > bound:
            raise ValueError(f"size {name} of {scenario} must be above {bound}, not {sizes[name]}")


def whole(size: float) -> int:
    """A size as a count of tasks, at least 1."""
    return max(1, int(size))
