"""How large a scenario runs."""

from collections.abc import Collection, Mapping

Sizes = Mapping[str, float | int]
"""Sizes by name."""


def require_positive(scenario: str, sizes: Sizes, names: Collection[str]) -> None:
    """Raises ValueError for one of these sizes that is not above 0, and KeyError for one that is missing."""
    for name in names:
        if not sizes[name] > 0:
            raise ValueError(f"size {name} of {scenario} must be positive, not {sizes[name]}")


def is_seed(name: str) -> bool:
    """Whether a size is the seed of something: any number will do for it."""
    return name == "seed" or name.endswith("_seed")
