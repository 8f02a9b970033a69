"""Two result sets against each other: what an upgrade, a setting or another machine changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.analysis.analyse import measures_to_compare, planned_runs, variants_of
from benchmarks.analysis.comparison import Contest, compare_family
from benchmarks.analysis.model import Change, EnvironmentDifference, SetComparison, VariantAnalysis
from benchmarks.record.better import Direction, Nearest, all_parsed
from benchmarks.results.documents import ResultSetError
from benchmarks.results.epochs import differing, shown
from benchmarks.results.result_set import ResultSet
from benchmarks.shares import Share, ratio_of_shares

A, B = "A", "B"
MUST_BE_EQUAL = ("processes", "slots")
"""What each worker must have had alike for its figures to be comparable at all."""


class NotComparableError(ResultSetError):
    """Two result sets that have nothing to compare, or should not be compared. The message says why."""


def compare_sets(path_a: Path, path_b: Path, *, force: bool = False) -> SetComparison:
    """Compare set B with set A, variant by variant, in the measures that a person sees first: the control by its own figures, the
    others by their shares of it where both sets have the control and the measure has a share, else by their own figures.

    Refused where there is nothing in common, always; and where the sizes of a scenario or the processes and slots of a worker
    differ, unless ``force`` is given: then the obstacles are listed with the result. A difference of machine, version or setting
    is no obstacle, for it may be the question; it is listed first. The family of Holm's correction is every comparison made.
    Raises NotComparableError, and ResultSetError for what is no result set.
    """
    if path_a.resolve() == path_b.resolve():
        raise NotComparableError(f"{path_a} is compared with itself: name two result sets")
    a, b = ResultSet.open(path_a), ResultSet.open(path_b)
    left, right = _held(a), _held(b)
    common = [name for name in left if name in right]
    if not common:
        raise NotComparableError(f"no scenario in common: A holds {_words(left)}, B holds {_words(right)}")
    pairs = [(left[s], name) for s in common for name in left[s].variants if name in right[s].variants]
    if not pairs:
        held = [_words({v for s in common for v in side[s].variants}) for side in (left, right)]
        raise NotComparableError(f"no variant in common: A holds runs of {held[0]}, B of {held[1]}")
    obstacles = (*_sizes_differ(a, b, common), *_workers_differ(pairs, right))
    if obstacles and not force:
        raise NotComparableError("not like with like: " + "; ".join(obstacles) + ". With --force they are compared all the same")
    control = _common_control(a, b, pairs)
    changes = _changes(pairs, right, control, _planned(a, b))
    return SetComparison(
        a=a.path,
        b=b.path,
        differences=tuple(_environment_differences(a, b, left, right)),
        obstacles=obstacles,
        control=control,
        control_changes=tuple(change for change in changes if change.variant == control),
        changes=tuple(change for change in changes if change.variant != control),
        left_out=tuple(_left_out(left, right)),
        headings={name: right[name].described["summary"] for name in common},
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """What a result set holds of a scenario."""

    name: str
    described: Mapping[str, Any]
    compared: tuple[str, ...]
    variants: Mapping[str, VariantAnalysis]
    shares: Mapping[str, Mapping[str, Share]]
    """By variant and column."""

    def share_column(self, measure: str) -> str | None:
        """The column that is the share of a measure."""
        return next((column for column, of in self.described["shares"].items() if of == measure), None)


def _held(results: ResultSet) -> dict[str, _Held]:
    held = {}
    for name, described in results.manifest()["scenarios"].items():
        compared = measures_to_compare(described)
        held[name] = _Held(name, described, compared, variants_of(results, name, compared), results.shares(name))
    return held


def _environment_differences(
    a: ResultSet, b: ResultSet, left: Mapping[str, _Held], right: Mapping[str, _Held]
) -> Iterator[EnvironmentDifference]:
    """Host, commit, settings, versions, and how each worker ran, as far as they differ."""
    before, after = a.manifest(), b.manifest()
    for part in ("host", "queuelab_version", "git", "control", "seed", "settings"):
        yield from _differences(part, before.get(part), after.get(part))
    for name, packages in before["versions"].items():
        if name in after["versions"]:
            yield from _differences(f"versions {name}", packages, after["versions"][name])
    workers_a, workers_b = _workers(left), _workers(right)
    for variant in workers_a:
        if variant in workers_b:
            for fact in ("execution", "guarantee", "settings"):
                yield from _differences(f"{variant} {fact}", workers_a[variant].get(fact), workers_b[variant].get(fact))


def _workers(held: Mapping[str, _Held]) -> dict[str, Mapping[str, Any]]:
    """How each variant's worker ran, in the first scenario that has it."""
    workers: dict[str, Mapping[str, Any]] = {}
    for scenario in held.values():
        for variant in scenario.variants.values():
            if variant.worker:
                workers.setdefault(variant.name, variant.worker)
    return workers


def _differences(what: str, a: Any, b: Any) -> Iterator[EnvironmentDifference]:
    return (EnvironmentDifference(*found) for found in differing(what, a, b))


def _sizes_differ(a: ResultSet, b: ResultSet, scenarios: Sequence[str]) -> Iterator[str]:
    sizes = (_sizes(a), _sizes(b))
    for scenario in scenarios:
        left, right = sizes[0].get(scenario, {}), sizes[1].get(scenario, {})
        different = [name for name in dict.fromkeys([*left, *right]) if left.get(name) != right.get(name)]
        if different:
            words = ", ".join(f"{name} {shown(left.get(name))} and {shown(right.get(name))}" for name in different)
            yield f"sizes of {scenario} (A and B): {words}"


def _sizes(results: ResultSet) -> dict[str, Mapping[str, Any]]:
    """Of the first run of each scenario that says."""
    sizes: dict[str, Mapping[str, Any]] = {}
    for run in results.stored_runs():
        found = run.record.get("sizes")
        if isinstance(found, Mapping):
            sizes.setdefault(run.result.scenario, found)
    return sizes


def _workers_differ(pairs: Sequence[tuple[_Held, str]], right: Mapping[str, _Held]) -> Iterator[str]:
    said = set()
    for scenario, name in pairs:
        workers = [side.variants[name].worker for side in (scenario, right[scenario.name])]
        for fact in MUST_BE_EQUAL:
            a, b = (worker.get(fact) for worker in workers)
            if all(workers) and a != b and (name, fact) not in said:
                said.add((name, fact))
                yield f"{fact} of {name}: {shown(a)} and {shown(b)}"


def _common_control(a: ResultSet, b: ResultSet, pairs: Sequence[tuple[_Held, str]]) -> str | None:
    """The variant that shares are taken of in both sets, if both have runs of it."""
    control: str | None = a.manifest()["control"]
    return control if control == b.manifest()["control"] and any(name == control for _, name in pairs) else None


def _changes(
    pairs: Sequence[tuple[_Held, str]], right: Mapping[str, _Held], control: str | None, planned: int | None
) -> tuple[Change, ...]:
    subjects: list[tuple[str, str, _Judged]] = []
    for scenario, name in pairs:
        other = right[scenario.name]
        better = all_parsed(other.described.get("better", {}))
        for measure in (m for m in scenario.compared if m in other.compared):
            shares = None if control in (None, name) else _judged_by_share(scenario, other, name, measure, better.get(measure))
            subjects.append(
                (scenario.name, name, shares or _judged_by_itself(scenario, other, name, measure, better.get(measure)))
            )
    comparisons, _ = compare_family([judged.contest for _, _, judged in subjects], planned)
    return tuple(
        Change(scenario, name, found, judged.share_of, judged.absolute_a, judged.absolute_b)
        for (scenario, name, judged), found in zip(subjects, comparisons, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is held against what, and of a share the measure and its means in the two sets."""

    contest: Contest
    share_of: str | None = None
    absolute_a: float | None = None
    absolute_b: float | None = None


def _judged_by_itself(a: _Held, b: _Held, variant: str, measure: str, better: Direction | None) -> _Judged:
    return _Judged(Contest(measure, B, A, _values(b.variants[variant], measure), _values(a.variants[variant], measure), better))


def _judged_by_share(a: _Held, b: _Held, variant: str, measure: str, better: Direction | None) -> _Judged | None:
    """None where the measure has no share, either set too few rounds with both, or the value itself is what should be near to
    another."""
    column = a.share_column(measure)
    shares = [held.shares.get(variant, {}).get(column or "") for held in (a, b)]
    before, after = shares
    if column is None or before is None or after is None or isinstance(better, Nearest):
        return None
    if not (before.is_paired and after.is_paired):
        return None
    means = [held.variants[variant].measures[measure].mean for held in (a, b)]
    interval = ratio_of_shares(after, before)
    return _Judged(Contest(column, B, A, after.paired_values, before.paired_values, better, interval), measure, *means)


def _values(variant: VariantAnalysis, measure: str) -> tuple[float, ...]:
    return variant.measures[measure].values


def _planned(a: ResultSet, b: ResultSet) -> int | None:
    """The fewer of the two: what comes after it may have been added because of what was seen."""
    planned = [runs for runs in (planned_runs(a.manifest()), planned_runs(b.manifest())) if runs is not None]
    return min(planned, default=None)


def _left_out(left: Mapping[str, _Held], right: Mapping[str, _Held]) -> Iterator[str]:
    for label, side, other in ((A, left, right), (B, right, left)):
        for name, scenario in side.items():
            if name not in other:
                yield f"{name}: only in {label}"
                continue
            missing = [variant for variant in scenario.variants if variant not in other[name].variants]
            if missing:
                yield f"{name}, {', '.join(missing)}: only in {label}"


def _words(names: Mapping[str, Any] | set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
