"""Which values are better: the order's rules, and how it is written."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.record.better import (
    FARTHEST,
    PATTERN,
    Direction,
    Nearest,
    all_parsed,
    all_written,
    is_better,
    nearest,
    parsed,
    place,
    winner,
    written,
)
from benchmarks.results import documents

NUMBERS = st.floats(-1e12, 1e12)
NEAREST = st.floats(-FARTHEST, FARTHEST, exclude_min=True, exclude_max=True).map(nearest)
DIRECTIONS: st.SearchStrategy[Direction] = st.one_of(st.just("higher"), st.just("lower"), NEAREST)


@given(DIRECTIONS)
def test_what_is_written_is_read_again(direction: Direction) -> None:
    assert parsed(written(direction)) == direction
    assert re.fullmatch(PATTERN, written(direction))


@pytest.mark.parametrize(
    ("to", "text"),
    [(1, "1"), (1.0, "1"), (0.25, "0.25"), (-3, "-3"), (-0.0, "0"), (1e-7, "0.0000001"), (5e14, "500000000000000")],
)
def test_a_number_is_written_as_one_writes_it(to: float, text: str) -> None:
    assert written(nearest(to)) == f"nearest({text})"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Higher",
        "more",
        "nearest",
        "nearest()",
        "nearest(1",
        "nearest(01)",
        "nearest(1e3)",
        "nearest(nan)",
        " lower",
        "lower\n",
    ],
)
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="no way in which a measure is better"):
        parsed(text)


@pytest.mark.parametrize("to", [float("nan"), float("inf"), -float("inf"), FARTHEST])
def test_nothing_is_nearest_to_what_is_no_number_or_too_far(to: float) -> None:
    with pytest.raises(ValueError, match="nearest"):
        Nearest(to)


@given(DIRECTIONS, NUMBERS, NUMBERS)
def test_of_two_values_one_is_better_or_both_are_equally_good(direction: Direction, a: float, b: float) -> None:
    first, second = is_better(direction, a, b), is_better(direction, b, a)
    assert not (first and second)
    assert (not first and not second) is (place(direction, a) == place(direction, b))
    assert winner(direction, a, b) == ("a" if first else "b" if second else None)
    assert not is_better(direction, a, a)


@given(DIRECTIONS, st.lists(NUMBERS, min_size=3, max_size=3))
def test_what_is_better_than_the_better_is_better(direction: Direction, values: list[float]) -> None:
    a, b, c = values
    if is_better(direction, a, b) and is_better(direction, b, c):
        assert is_better(direction, a, c)


@given(DIRECTIONS, st.lists(NUMBERS))
def test_sorted_by_place_the_best_stands_first(direction: Direction, values: list[float]) -> None:
    ranked = sorted(values, key=lambda value: place(direction, value))
    assert not any(is_better(direction, later, earlier) for earlier, later in pairwise(ranked))


@given(st.integers(-1000, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_nearer_is_better_from_either_side(to: int, near: int, far: int) -> None:
    direction = nearest(to)
    assert is_better(direction, to - near, to + far) is (near < far)
    assert is_better(direction, to + near, to - far) is (near < far)
    assert winner(direction, to - near, to + near) is None


@given(NUMBERS, NUMBERS)
def test_nothing_is_better_than_what_is_asked(to: float, value: float) -> None:
    assert not is_better(nearest(to), value, to)


@given(NUMBERS, NUMBERS)
def test_higher_and_lower_are_each_others_opposite(a: float, b: float) -> None:
    assert is_better("higher", a, b) is is_better("lower", b, a) is (a > b)


def test_a_scenarios_measures_are_written_and_read_together() -> None:
    better: dict[str, Direction] = {"rate": "higher", "p99": "lower", "fairness": nearest(1)}
    assert all_written(better) == {"rate": "higher", "p99": "lower", "fairness": "nearest(1)"}
    assert all_parsed(all_written(better)) == better


def test_the_schemas_accept_just_that() -> None:
    folder = Path(documents.__file__).parent / "schemas"
    manifest, analysis = (json.loads((folder / f"{name}.schema.json").read_text()) for name in ("manifest", "analysis"))
    for scenario in (
        manifest["properties"]["scenarios"]["additionalProperties"],
        analysis["properties"]["scenarios"]["items"],
    ):
        assert scenario["properties"]["better"]["additionalProperties"] == {"type": "string", "pattern": f"^({PATTERN})$"}
