"""The best variant per question: what the comparisons say, and no more."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.analysis.analyse import analyse, describe_measures
from benchmarks.analysis.comparison import compare_pairs
from benchmarks.analysis.model import PairComparison, ScenarioAnalysis
from benchmarks.record.better import nearest
from benchmarks.report.decision import Answer, answers
from benchmarks.statistics import Interval
from tests.golden import unpack


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> ScenarioAnalysis:
    return analyse(unpack("good", tmp_path_factory.mktemp("good"))).scenarios[0]


def answer_of(scenario: ScenarioAnalysis, measure: str, control: str | None = "bare") -> Answer:
    return next(answer for answer in answers(scenario, control) if answer.measure == measure)


def test_every_measure_that_was_compared_and_can_be_better_has_an_answer(good: ScenarioAnalysis) -> None:
    assert [a.measure for a in answers(good, "bare")] == [m for m in good.compared_measures if m in good.better]


def test_the_control_is_no_choice_but_for_want_of_another(good: ScenarioAnalysis) -> None:
    assert all(answer.variant != "bare" for answer in answers(good, "bare"))
    assert answer_of(good, good.headline, None).variant == "bare"
    alone = replace(good, variants={"bare": good.variants["bare"]}, comparisons=())
    answer = answer_of(alone, good.headline)
    assert (answer.variant, answer.sureness, answer.sure) == ("bare", "nothing to compare it with", False)


def test_the_best_is_best_in_the_direction_that_is_better(good: ScenarioAnalysis) -> None:
    for answer in answers(good, "bare"):
        means = [v.measures[answer.measure].mean or 0.0 for name, v in good.variants.items() if name != "bare"]
        assert answer.best.mean == (max if good.better[answer.measure] == "higher" else min)(means)


def test_those_without_a_shown_difference_are_tied(good: ScenarioAnalysis) -> None:
    answer = answer_of(good, good.headline)
    twin = {"swift": "swift-twin", "swift-twin": "swift"}[answer.variant]
    assert answer.tied == (twin,)
    assert not answer.sure
    assert answer.tested
    assert answer.sureness == "no difference shown against 1 of 2"
    assert "steady" in answer.margin


def test_a_single_run_decides_nothing(tmp_path: Path) -> None:
    scenario = analyse(unpack("single", tmp_path)).scenarios[0]
    assert all(not answer.sure for answer in answers(scenario, None))


def valued(good: ScenarioAnalysis, measure: str, to: float, means: dict[str, float]) -> ScenarioAnalysis:
    """The measure is best nearest to ``to``, and the variants have these means, each run within a thousandth of them."""
    spread = (0.999, 1.001, 1.0, 0.9995, 1.0005, 1.0)
    values = {name: [mean * part for part in spread] for name, mean in means.items()}
    comparisons, family = compare_pairs({measure: values}, {measure: nearest(to)})
    variants = {
        name: replace(good.variants[name], measures={**good.variants[name].measures, **describe_measures({measure: found})})
        for name, found in values.items()
    }
    better = {**good.better, measure: nearest(to)}
    return replace(good, variants=variants, better=better, comparisons=comparisons, family_size=family)


def test_the_best_is_nearest_where_the_nearest_is_best(good: ScenarioAnalysis) -> None:
    scenario = valued(good, good.headline, 100, {"swift": 70, "steady": 110, "swift-twin": 160})
    assert [variant.name for variant in scenario.ranked()] == ["steady", "swift", "swift-twin"]
    answer = answer_of(scenario, good.headline)
    assert (answer.variant, answer.tied, answer.sure) == ("steady", (), True)
    assert answer.margin == "10 from 100, swift 30"


def test_those_that_are_as_near_from_the_other_side_are_tied(good: ScenarioAnalysis) -> None:
    answer = answer_of(valued(good, good.headline, 100, {"swift": 90, "steady": 110, "swift-twin": 160}), good.headline)
    assert {answer.variant, *answer.tied} == {"swift", "steady"}
    assert answer.margin == "10 from 100, swift-twin 60"
    assert answer.sureness == "no difference in nearness to 100 shown against 1 of 2"
    assert not answer.sure


def pair(good: ScenarioAnalysis, measure: str, ratio: float, low: float, high: float, *, swapped: bool) -> ScenarioAnalysis:
    """Only swift and steady, with a made-up comparison of the two."""
    some = good.comparison(measure, "swift", "steady")
    assert some is not None
    a, b = ("steady", "swift") if swapped else ("swift", "steady")
    made: PairComparison = replace(some, a=a, b=b, ratio=ratio, interval=Interval(low, high), shown=True, holm_p=0.01)
    return replace(good, variants={n: good.variants[n] for n in ("swift", "steady")}, comparisons=(made,))


@pytest.mark.parametrize(
    ("measure", "ratio", "ends", "swapped", "words"),
    [
        ("drain_per_s", 3, (2, 4), False, "3 times as much as steady (2 to 4)"),
        ("drain_per_s", 0.25, (0.2, 0.5), True, "4 times as much as steady (2 to 5)"),
        ("drain_per_s", 1.25, (1.1, 1.5), False, "25 % more than steady (10 to 50 %)"),
        ("p99", 0.1, (0.05, 0.2), False, "10 times less than steady (5 to 20)"),
        ("p99", 1.25, (1.25, 1.6), True, "20 % less than steady (20 to 37.5 %)"),
    ],
)
def test_a_margin_is_said_so_that_it_can_be_read(
    good: ScenarioAnalysis, measure: str, ratio: float, ends: tuple[float, float], swapped: bool, words: str
) -> None:
    answer = answer_of(pair(good, measure, ratio, *ends, swapped=swapped), measure)
    assert answer.variant == "swift"
    assert answer.margin == words
    assert answer.sureness == f"against every other: p at most 0.010, corrected for {good.family_size} tests"
    assert answer.sure
