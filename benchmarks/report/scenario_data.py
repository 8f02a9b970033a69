"""What the charts of a scenario are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.analysis.model import Analysis, MeasureDescription, ScenarioAnalysis, VariantAnalysis
from benchmarks.chart import Axis, Floats, Scale
from benchmarks.report.recorded import PhaseCurve, RunCurves

REACH_WORDS = "their 95 % intervals (of fewer than four runs, their range)"

OPEN_LOOPS = frozenset({"paced", "ramp"})
TIMED_LOADS = OPEN_LOOPS | {"burst"}
"""The loads in which tasks have a due time of their own: only there a latency says something."""


@dataclass(frozen=True, slots=True)
class ScenarioData:
    """What charts are made from: the analysis of a scenario, its description in the manifest, and the reduced valid runs of every
    variant that has any."""

    analysis: ScenarioAnalysis
    control: str | None
    shares: Mapping[str, str]
    curves: Mapping[str, Sequence[RunCurves]]

    def loads(self) -> frozenset[str]:
        """The kinds of load that its phases offered."""
        return frozenset(phase.load for runs in self.curves.values() for run in runs for phase in run.phases)

    def phases(self, loads: frozenset[str]) -> list[str]:
        """The names of the phases that offered such a load, in order."""
        names = (p.name for runs in self.curves.values() for run in runs for p in run.phases if p.load in loads)
        return list(dict.fromkeys(names))

    def phase_runs(self, variant: str, phase: str) -> list[PhaseCurve]:
        """That phase of every valid run of the variant in which a task ended."""
        return [p for run in self.curves.get(variant, ()) for p in run.phases if p.name == phase and p.ended]

    def drawn(self) -> list[VariantAnalysis]:
        """The variants with a figure, the best headline first."""
        return [variant for variant in self.analysis.ranked() if variant.has_figures]


def scenario_data(analysis: Analysis, scenario: ScenarioAnalysis, curves: Mapping[str, Sequence[RunCurves]]) -> ScenarioData:
    """The data of a scenario's charts."""
    shares = analysis.manifest["scenarios"][scenario.name]["shares"]
    return ScenarioData(scenario, analysis.control, shares, curves)


def heading(analysis: ScenarioAnalysis, measure: str) -> str:
    """The short heading of a measure; its name where the scenario gives it none."""
    return analysis.summary.get(measure, measure)


def reach_of(found: MeasureDescription, factor: float = 1) -> tuple[Floats | None, Floats | None]:
    """The ends of what is drawn around a mean, times ``factor``; None and None without it."""
    if found.reach is None:
        return None, None
    return np.array([factor * found.reach.low]), np.array([factor * found.reach.high])


def variant_axis(data: ScenarioData) -> Axis:
    """The variants from the top down, the best headline first."""
    return Axis("", Scale.CATEGORY, tuple(variant.name for variant in data.drawn()))
