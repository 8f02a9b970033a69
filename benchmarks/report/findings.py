"""What a result set decides, said first: a sentence for each decision, and how every variant stands in every question.

Words for what the comparisons say (:mod:`benchmarks.report.decision`); nothing is tested here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.analysis.model import Analysis, ScenarioAnalysis
from benchmarks.record.better import Direction, Nearest, place
from benchmarks.record.enough import FEWEST_RUNS
from benchmarks.report.decision import Answer, answers, margin
from benchmarks.report.scenario_data import heading
from benchmarks.statistics import runs_needed

PRICES_NAMED = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """A decision about a scenario's headline, in one sentence."""

    scenario: ScenarioAnalysis
    text: str


class Mark(StrEnum):
    """How a variant stands in a question."""

    BEST = "best"
    TIED = "tied"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Standing:
    """A variant in a scenario's headline. ``share`` is how near it comes to the best (1); None where that says nothing."""

    mark: Mark
    share: float | None


def findings(analysis: Analysis) -> Iterator[Finding]:
    """A sentence for each scenario whose headline shows a difference, and what studies have decided."""
    for scenario in analysis.scenarios:
        yield from (Finding(scenario, f"{found.question} {found.text}") for found in scenario.conclusions if found.decided)
        found = {answer.measure: answer for answer in answers(scenario, analysis.control)}
        headline = found.get(scenario.headline)
        if headline is not None and headline.pair is not None:
            yield Finding(scenario, _sentence(scenario, headline))


def _sentence(scenario: ScenarioAnalysis, answer: Answer) -> str:
    """The best by how much, or those that share the lead; then what the best pays for it."""
    assert answer.pair is not None
    other = answer.pair.b if answer.pair.a == answer.variant else answer.pair.a
    what = heading(scenario, answer.measure)
    if answer.tied:
        lead = f"{answer.variant} leads in {what} with {answer.margin}; {_listed(answer.tied)} cannot be told apart from it"
    else:
        lead = f"{answer.variant} leads in {what} with {answer.margin}"
    prices = [f"{heading(scenario, measure)} {words}" for measure, words in _prices(scenario, answer, other)]
    return f"{lead}; its price: {', '.join(prices)}." if prices else f"{lead}."


def _prices(scenario: ScenarioAnalysis, answer: Answer, other: str) -> list[tuple[str, str]]:
    """The summary's measures in which the best is shown to be worse than the one that it was held against, the dearest first."""
    found = []
    for measure in scenario.compared_measures:
        pair, direction = scenario.comparison(measure, answer.variant, other), scenario.better.get(measure)
        if pair is None or direction is None or isinstance(direction, Nearest) or pair.better != other or not pair.ratio:
            continue
        found.append((max(pair.ratio, 1 / pair.ratio), measure, margin(pair, answer.variant, direction)))
    return [(measure, words) for _, measure, words in sorted(found, reverse=True)[:PRICES_NAMED] if words]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def standings(analysis: Analysis) -> dict[str, dict[str, Standing]]:
    """For each variant but the control, by scenario, how it stands in the headline; nothing where that was not decided."""
    table: dict[str, dict[str, Standing]] = {}
    for scenario in analysis.scenarios:
        answer = next((a for a in answers(scenario, analysis.control) if a.measure == scenario.headline), None)
        if answer is None or not answer.tested:
            continue
        for name in scenario.variants:
            if name != analysis.control and (standing := _standing(scenario, answer, name)) is not None:
                table.setdefault(name, {})[scenario.name] = standing
    return dict(sorted(table.items()))


def _standing(scenario: ScenarioAnalysis, answer: Answer, name: str) -> Standing | None:
    if name == answer.variant:
        return Standing(Mark.BEST, 1.0)
    pair, mean = scenario.comparison(answer.measure, answer.variant, name), scenario.variants[name].measures[answer.measure].mean
    if pair is None or pair.holm_p is None or mean is None or answer.best.mean is None:
        return None
    mark = Mark.WORSE if pair.better == answer.variant else Mark.TIED
    return Standing(mark, _share(answer.better, answer.best.mean, mean))


def _share(direction: Direction, best: float, mean: float) -> float | None:
    """How near a mean comes to the best, from 0 to 1. None where the best is at the very value that is best: no other is a share
    of that."""
    if isinstance(direction, Nearest):
        best, mean = place(direction, best), place(direction, mean)
        if not best:
            return None
    of, over = (mean, best) if direction == "higher" else (best, mean)
    return of / over if over > 0 and of >= 0 else None


def _tested(scenario: ScenarioAnalysis, control: str | None) -> bool:
    """Whether there were runs enough to tell any two apart."""
    if scenario.factors:
        return any(min(pair.n_a, pair.n_b) >= FEWEST_RUNS for pair in scenario.comparisons)
    return any(answer.tested for answer in answers(scenario, control))


def too_small(analysis: Analysis) -> str:
    """One sentence where the set decides nothing for want of runs, with how many would do; empty where it decides something, or
    where runs are not what it lacks."""
    described: Mapping[str, list[tuple[float, ...]]] = {
        s.name: [v.measures[s.headline].values for name, v in s.variants.items() if name != analysis.control]
        for s in analysis.scenarios
    }
    groups = [values for of_scenario in described.values() if len(of_scenario) > 1 for values in of_scenario if values]
    if not groups or any(_tested(scenario, analysis.control) for scenario in analysis.scenarios):
        return ""
    most = max(map(len, groups))
    narrow = max((len(values) + (runs_needed(values) or 0) for values in groups), default=0)
    enough = f"it takes {FEWEST_RUNS} of each variant to tell two apart"
    if narrow > FEWEST_RUNS:
        enough += f", and by the spread seen here about {narrow} to know every headline figure to ±5 %"
    wanted = max(FEWEST_RUNS, narrow)
    return f"Too few runs to decide anything: {most} sound of a variant at most; {enough}. Measure again with --runs {wanted}."
