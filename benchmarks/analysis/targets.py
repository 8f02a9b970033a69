"""Expectations as data (``benchmarks/analysis/targets.toml``), held against what was measured."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.analysis.model import ScenarioAnalysis, Target, TargetKind, TargetResult, TargetState, VariantAnalysis
from benchmarks.statistics import Interval, mean_interval, ratio_interval
from benchmarks.words import from_to, number
from tasks.causes import cause

TARGETS = Path(__file__).parent / "targets.toml"


class TargetsError(Exception):
    """A file of targets that cannot be used. The message says what is wrong and where."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, Field(min_length=1)]
    scenario: Annotated[int, Field(ge=1)]
    variant: Annotated[str, Field(min_length=1)]
    measure: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    comparison: Literal["above", "below", "at least", "at most"]
    value: float | int
    source: Annotated[str, Field(min_length=1)]
    kind: Literal["target", "anti-pattern"] = "target"
    relative_to: str | None = None
    slots: Annotated[int, Field(ge=1)] | None = None
    per: Literal["processes", "slots"] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    target: list[_Entry] = []


def read_targets(file: Path = TARGETS) -> tuple[Target, ...]:
    """The targets of a file. Raises TargetsError naming the file and the entry that is wrong."""
    try:
        with file.open("rb") as stream:
            entries = _File.model_validate(tomllib.load(stream)).target
    except OSError as error:
        raise TargetsError(f"targets {file} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise TargetsError(f"targets {file} are not TOML: {cause(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise TargetsError(f"targets {file}, {place}: {first['msg']}") from error
    return tuple(Target(**{**entry.model_dump(), "kind": TargetKind(entry.kind)}) for entry in entries)


def judge(targets: Sequence[Target], scenarios: Sequence[ScenarioAnalysis], control: str | None) -> tuple[TargetResult, ...]:
    """Every target on every variant that it is for; one that cannot be measured here stands once, with the reason."""
    by_number = {scenario.number: scenario for scenario in scenarios if scenario.number is not None}
    return tuple(result for target in targets for result in _judge(target, by_number, control))


def _judge(target: Target, scenarios: Mapping[int, ScenarioAnalysis], control: str | None) -> Iterator[TargetResult]:
    scenario = scenarios.get(target.scenario)
    if scenario is None:
        yield _not_measured(target, None, f"scenario {target.scenario} is not in this result set")
        return
    if target.measure not in scenario.columns:
        yield _not_measured(target, None, f"scenario {target.scenario} has no measure {target.measure}")
        return
    meant = [v for v in scenario.variants.values() if _is_meant(target, v, control)]
    if not meant:
        yield _not_measured(target, None, f"no variant {target.variant} ran")
    for variant in meant:
        yield _result(target, scenario, variant)


def _is_meant(target: Target, variant: VariantAnalysis, control: str | None) -> bool:
    if variant.name == control:
        return target.variant == variant.executed
    return fnmatchcase(variant.executed, target.variant)


def _result(target: Target, scenario: ScenarioAnalysis, variant: VariantAnalysis) -> TargetResult:
    values = variant.measures[target.measure].values
    if not values:
        return _not_measured(target, variant.name, f"no valid run has {target.measure}")
    slots = variant.worker.get("slots")
    if target.slots is not None and slots != target.slots:
        ran = "an unknown number of" if slots is None else str(slots)
        return _not_measured(target, variant.name, f"it is for {target.slots} execution slots; this worker had {ran}")
    if target.relative_to is not None:
        return _relative(target, scenario, variant)
    parts = 1 if target.per is None else variant.worker.get(target.per)
    if not isinstance(parts, int) or parts < 1:
        return _not_measured(target, variant.name, f"it is not known how many {target.per} the worker had")
    each = [value / parts for value in values]
    return _decided(target, variant.name, float(np.mean(each)), mean_interval(each))


def _relative(target: Target, scenario: ScenarioAnalysis, variant: VariantAnalysis) -> TargetResult:
    others = [v for v in scenario.variants.values() if v.executed == target.relative_to]
    reference = next((values for v in others if (values := v.measures[target.measure].values)), None)
    if reference is None:
        return _not_measured(target, variant.name, f"{target.relative_to}, which it is relative to, has no valid run")
    values = variant.measures[target.measure].values
    if not np.mean(reference) > 0:
        return _not_measured(target, variant.name, f"the {target.measure} of {target.relative_to} is not above 0")
    found = ratio_interval(values, reference)
    return _decided(target, variant.name, float(np.mean(values) / np.mean(reference)), found.interval if found else None)


def _decided(target: Target, variant: str, figure: float, interval: Interval | None) -> TargetResult:
    met = _holds(target, figure)
    certain = interval is not None and _holds(target, interval.low) is met and _holds(target, interval.high) is met
    ends = f" ({from_to(interval)})" if interval is not None else ""
    of = f" of {target.relative_to}" if target.relative_to is not None else f" {target.per}" if target.per is not None else ""
    unit = f" times that{of}" if target.relative_to is not None else f" for each of the worker's{of}" if target.per else ""
    doubt = "" if certain else "; too few runs for an interval" if interval is None else "; the interval reaches across"
    return TargetResult(
        target=target,
        variant=variant,
        state=TargetState.MET if met else TargetState.MISSED,
        figure=figure,
        interval=interval,
        certain=certain,
        text=f"{number(figure)}{ends}{unit}, to be {target.comparison} {number(target.value)}{doubt}",
    )


def _holds(target: Target, figure: float) -> bool:
    match target.comparison:
        case "above":
            return figure > target.value
        case "below":
            return figure < target.value
        case "at least":
            return figure >= target.value
        case _:
            return figure <= target.value


def _not_measured(target: Target, variant: str | None, reason: str) -> TargetResult:
    return TargetResult(target, variant, TargetState.NOT_MEASURED, None, None, certain=False, text=reason)
