"""What stands first in the report: what the comparisons decide, in words, and nothing that they do not."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.analysis.analyse import analyse, describe_measures
from benchmarks.analysis.comparison import compare_pairs
from benchmarks.analysis.model import Analysis
from benchmarks.record.better import Direction, nearest
from benchmarks.report.findings import Mark, Standing, findings, standings, too_small
from tests.golden import unpack

SPREAD = (0.98, 1.02, 1.0, 0.99, 1.01, 1.0)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analyse(unpack("good", tmp_path_factory.mktemp("good")))


def measured(good: Analysis, means: dict[str, dict[str, float]], runs: int = 6, **better: Direction) -> Analysis:
    """The set with nothing but these means by variant and measure, each of so many runs."""
    scenario = good.scenarios[0]
    names = dict.fromkeys(measure for of_variant in means.values() for measure in of_variant)
    values = {m: {v: [of[m] * part for part in SPREAD[:runs]] for v, of in means.items() if m in of} for m in names}
    directions = {**scenario.better, **better}
    comparisons, family = compare_pairs(values, directions)
    variants = {
        name: replace(
            good.scenarios[0].variants[name],
            measures={
                **describe_measures({measure: [] for measure in scenario.columns}),
                **describe_measures({measure: values[measure][name] for measure in of_variant}),
            },
        )
        for name, of_variant in means.items()
    }
    changes: dict[str, Any] = {"variants": variants, "comparisons": comparisons, "family_size": family, "better": directions}
    return replace(good, scenarios=(replace(scenario, compared_measures=tuple(names), **changes),))


def texts(analysis: Analysis) -> list[str]:
    return [finding.text for finding in findings(analysis)]


def test_the_best_is_said_with_how_much_and_at_what_price(good: Analysis) -> None:
    made = measured(good, {"swift": {"drain_per_s": 2000, "p50": 30}, "steady": {"drain_per_s": 1000, "p50": 1}})
    (text,) = texts(made)
    assert text.startswith("swift leads in drain/s with 2 times as much as steady (")
    assert "; its price: p50 ms 30 times as much as steady (" in text


def test_what_costs_nothing_has_no_price(good: Analysis) -> None:
    (text,) = texts(measured(good, {"swift": {"drain_per_s": 2000, "p50": 1}, "steady": {"drain_per_s": 1000, "p50": 1}}))
    assert "price" not in text


def test_of_many_prices_the_dearest_are_named(good: Analysis) -> None:
    dear = {"p50": 2.0, "p99": 90.0, "memory_mb": 5.0}
    made = measured(good, {"swift": {"drain_per_s": 2000, **dear}, "steady": {"drain_per_s": 1000, **dict.fromkeys(dear, 1.0)}})
    (text,) = texts(made)
    assert text.index("p99 ms 90 times") < text.index("PSS MB 5 times")
    assert "p50" not in text


def test_those_that_share_the_lead_are_named(good: Analysis) -> None:
    means = {"swift": 2001, "swift-twin": 2000, "steady": 900}
    (text,) = texts(measured(good, {variant: {"drain_per_s": mean} for variant, mean in means.items()}))
    assert "; swift-twin cannot be told apart from it" in text


@pytest.mark.parametrize("means", [{"swift": 2000.0}, {"swift": 2000.0, "steady": 2001.0}])
def test_what_is_not_decided_is_not_said(good: Analysis, means: dict[str, float]) -> None:
    assert texts(measured(good, {v: {"drain_per_s": d} for v, d in means.items()})) == []


def test_a_variant_stands_at_its_share_of_the_best(good: Analysis) -> None:
    means = {"bare": 9000, "swift": 2000, "swift-twin": 2001, "steady": 500}
    made = measured(good, {variant: {"drain_per_s": mean} for variant, mean in means.items()})
    name = made.scenarios[0].name
    found = {variant: of[name] for variant, of in standings(made).items()}
    assert found["swift-twin"] == Standing(Mark.BEST, 1.0)
    assert found["swift"].mark is Mark.TIED
    assert found["steady"].mark is Mark.WORSE
    assert found["steady"].share == pytest.approx(0.25, rel=0.01)
    assert "bare" not in found, "the control is no choice"


@pytest.mark.parametrize(
    ("direction", "best", "other", "share"),
    [("lower", 10.0, 40.0, 0.25), (nearest(100), 110.0, 140.0, 0.25), (nearest(100), 100.0, 140.0, None)],
)
def test_a_share_of_the_best_is_of_what_is_better(
    good: Analysis, direction: Direction, best: float, other: float, share: float | None
) -> None:
    made = measured(good, {"swift": {"drain_per_s": best}, "steady": {"drain_per_s": other}}, drain_per_s=direction)
    (standing,) = standings(made)["steady"].values()
    assert standing.mark is Mark.WORSE
    assert standing.share == (None if share is None else pytest.approx(share, rel=0.01))


def test_what_was_not_tested_stands_nowhere(good: Analysis) -> None:
    made = measured(good, {"swift": {"drain_per_s": 2000}, "steady": {"drain_per_s": 1000}}, runs=1)
    assert standings(made) == {}


def test_a_set_that_is_too_small_says_how_many_runs_would_do(good: Analysis) -> None:
    single = too_small(measured(good, {"swift": {"drain_per_s": 2000}, "steady": {"drain_per_s": 1000}}, runs=1))
    assert "1 sound of a variant at most" in single
    assert single.endswith("Measure again with --runs 4.")
    assert too_small(good) == ""


def test_one_variant_alone_lacks_no_runs(good: Analysis) -> None:
    assert too_small(measured(good, {"swift": {"drain_per_s": 2000}}, runs=1)) == ""
