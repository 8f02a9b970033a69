"""Sizes that make sense, and those that do not."""

import re

import pytest

from benchmarks.plan.sizes import require_above, require_least, whole


def test_a_size_that_makes_no_sense_is_named() -> None:
    sizes = {"tasks": 0, "slots": 1}
    require_least("some", sizes, ["slots"], {})
    require_least("some", sizes, sizes.keys(), {"tasks": 0, "slots": 1})
    require_above("some", sizes, {"slots": 0})
    with pytest.raises(ValueError, match=re.escape("size tasks of some must be positive, not 0")):
        require_least("some", sizes, sizes.keys(), {"slots": 0})
    with pytest.raises(ValueError, match=re.escape("size slots of some must be at least 2, not 1")):
        require_least("some", sizes, sizes.keys(), {"tasks": 0, "slots": 2})
    with pytest.raises(ValueError, match=re.escape("size slots of some must be above 1, not 1")):
        require_above("some", sizes, {"slots": 1})
    with pytest.raises(KeyError):
        require_least("some", sizes, ["nonesuch"], {"nonesuch": 0})


def test_a_count_is_at_least_one() -> None:
    assert [whole(size) for size in (0, 0.5, 1, 7.9)] == [1, 1, 1, 7]
