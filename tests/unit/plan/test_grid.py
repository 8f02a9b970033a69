"""What a study varies: levels as they are typed, points, names, and the pairs that are compared."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.grid import Factor, name_of, pairs_of, points_of
from benchmarks.plan.order import order_of_round
from benchmarks.plan.suite_plan import Entry

KIND = Factor("kind", "text", "what it is", known=("hot", "cold"), compared=False)
COUNT = Factor("count", "integer", "how many", "tasks")
SHARE = Factor("share", "number", "how much of it")
MEDIUM = Factor("medium", "text", "in what")


@pytest.mark.parametrize(
    ("factor", "text", "levels"),
    [
        (KIND, "cold, hot", ("cold", "hot")),
        (COUNT, "1,4,1", (1, 4)),
        (SHARE, "0.5", (0.5,)),
    ],
)
def test_levels_are_typed_as_their_factor_says_each_once(factor: Factor, text: str, levels: tuple[object, ...]) -> None:
    assert factor.levels(text) == levels
    assert [type(level) for level in factor.levels(text)] == [type(level) for level in levels]


@pytest.mark.parametrize(
    ("factor", "text", "said"),
    [
        (KIND, "warm", "kind 'warm' is none of: hot, cold"),
        (COUNT, "1.5", "count must be a whole number, not '1.5'"),
        (COUNT, "0", "count 0 makes no sense, it must be a number above 0: 1 works"),
        (SHARE, "inf", "above 0"),
        (SHARE, "nan", "above 0"),
        (SHARE, "", "share must be a number"),
    ],
)
def test_a_level_that_makes_no_sense_is_refused_with_what_works(factor: Factor, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        factor.levels(text)


def test_points_are_every_combination_and_have_every_factor_in_order() -> None:
    points = list(points_of((KIND, COUNT), {"count": (1, 2), "kind": ("hot", "cold"), "unused": (9,)}))
    assert [tuple(point.items()) for point in points] == [
        (("kind", kind), ("count", count)) for kind, count in product(("hot", "cold"), (1, 2))
    ]


def test_a_level_of_another_kind_is_a_mistake_of_the_study() -> None:
    with pytest.raises(TypeError, match="count is integer"):
        list(points_of((COUNT,), {"count": ("many",)}))


def test_a_name_says_variant_and_levels_in_small_letters_digits_and_hyphens() -> None:
    assert name_of("some-fast", {"kind": "Very hot!", "share": 0.5}) == "some-fast-very-hot-0-5"


def entries(*points: tuple[str, str, int]) -> list[Entry]:
    return [Entry(name_of(v, {"kind": k, "count": c}), v, study="study_x", point={"kind": k, "count": c}) for v, k, c in points]


FACTORS = {factor.name: factor.described() for factor in (KIND, COUNT)}


def test_what_is_compared_differs_in_one_thing_and_numbers_only_with_their_neighbours() -> None:
    grid = entries(*product(("a", "b"), ("hot", "cold"), (1, 2, 8)))
    pairs = {frozenset(pair) for pair in pairs_of(grid, FACTORS, variants_compared=True)}
    assert frozenset(("a-hot-1", "a-hot-2")) in pairs
    assert frozenset(("a-hot-2", "a-hot-8")) in pairs
    assert frozenset(("a-hot-1", "b-hot-1")) in pairs
    assert frozenset(("a-hot-1", "a-hot-8")) not in pairs, "2 lies between"
    assert frozenset(("a-hot-1", "a-cold-1")) not in pairs, "kind sets the stage"
    assert frozenset(("a-hot-1", "b-hot-2")) not in pairs, "they differ in two"
    assert len(pairs) == 2 * 2 * 2 + 2 * 3


def test_variants_need_not_be_compared_and_every_two_levels_of_text_are() -> None:
    factors = {"medium": MEDIUM.described()}
    grid = [Entry(f"{v}-{m}", v, point={"medium": m}) for v, m in product("ab", ("x", "y", "z"))]
    pairs = pairs_of(grid, factors, variants_compared=False)
    assert sorted(pairs) == sorted((f"{v}-{m}", f"{v}-{n}") for v in "ab" for m, n in (("x", "y"), ("x", "z"), ("y", "z")))


@given(st.sets(st.integers(1, 50), min_size=1, max_size=12))
def test_along_a_number_there_is_a_step_less_than_levels(counts: set[int]) -> None:
    pairs = pairs_of(entries(*(("a", "hot", count) for count in counts)), FACTORS, variants_compared=True)
    assert len(pairs) == len(counts) - 1


def test_points_are_run_interleaved_in_an_order_of_the_seed() -> None:
    grid = entries(*product(("a", "b"), ("hot", "cold"), (1, 2, 8)))
    rounds = [[entry.name for entry in order_of_round(grid, 5, "study_x", repetition)] for repetition in (1, 2)]
    assert sorted(rounds[0]) == sorted(rounds[1]) == sorted(entry.name for entry in grid)
    assert rounds[0] != rounds[1] != [entry.name for entry in grid]
    assert rounds[0] == [entry.name for entry in order_of_round(grid, 5, "study_x", 1)]
