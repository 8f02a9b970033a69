"""Which measures of a run stand though a phase of it is invalid. Pure arithmetic.

A measure is *of* the phases that it is reckoned from and those that set their load: latencies at half of the capacity are of the
phase that offered that rate and of the one that measured the capacity. A phase that is invalid costs the measures that are of it,
and no others. That a scenario names too few phases for a measure cannot put a figure of an invalid phase into a statistic: what
stands is reckoned from a run without that phase, and a measure that comes out otherwise without it is not kept.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from benchmarks.record.flags import Flag, invalid_phases
from benchmarks.record.run_data import Measures, PhaseData, RunData

Phases = tuple[str, ...]
"""Names of phases, or patterns of such names: ``step_*``."""
WHOLE_RUN: Phases = ("*",)
"""Of a measure that is over all phases of a run."""


@dataclass(frozen=True, slots=True)
class Sound:
    """The measures of a run: those that stand, None where one does not; and what those came to that do not."""

    measures: Measures
    spoiled: Measures


def is_of(measured_in: Phases, phases: Iterable[str]) -> bool:
    """Whether a measure of these phases is of one of those."""
    return any(fnmatchcase(phase, pattern) for phase in phases for pattern in measured_in)


def first_match(columns: Iterable[str], measured_in: Mapping[str, Phases]) -> dict[str, Phases]:
    """For each column the phases of the first pattern that it fits; :data:`WHOLE_RUN` where it fits none."""
    return {
        column: next((phases for pattern, phases in measured_in.items() if fnmatchcase(column, pattern)), WHOLE_RUN)
        for column in columns
    }


def without(data: RunData, phases: Collection[str]) -> RunData:
    """A run as if these phases and the samples of their time had not been recorded."""
    left = {name: phase for name, phase in data.phases.items() if name not in phases}
    gone = [phase for name, phase in data.phases.items() if name in phases]
    samples = [s for s in data.samples if _within(left.values(), s.at_ns) or not _within(gone, s.at_ns)]
    return replace(data, phases=left, samples=samples)


def _within(phases: Iterable[PhaseData], at_ns: int) -> bool:
    return any(phase.record.began_ns <= at_ns <= phase.record.drained_ns for phase in phases)


def sound_measures(
    data: RunData, flags: Sequence[Flag], measures: Callable[[RunData], Measures], measured_in: Mapping[str, Phases]
) -> Sound:
    """What stands of ``measures`` of a run with these flags. ``measured_in`` says for each of which phases it is."""
    taken, invalid = measures(data), invalid_phases(flags)
    if not invalid:
        return Sound(taken, {})
    if "" in invalid:
        return Sound(dict.fromkeys(taken), taken)
    left = measures(without(data, invalid))
    spoiled = {name: value for name, value in taken.items() if is_of(measured_in[name], invalid) or left[name] != value}
    return Sound({name: None if name in spoiled else value for name, value in taken.items()}, spoiled)
