"""Makes one run of phases that a test names, in a local lab, as the suite does."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copy

import pytest
from rich.console import Console

from benchmarks.cli.progress import PlainDisplay
from benchmarks.record.run_data import RunContext, RunData, measured_phases
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.one_run.runner import Runner
from benchmarks.run.one_run.spec import RunSpec
from benchmarks.scenarios.defaults import ScenarioDefaults
from tasks.contract import FRAMEWORKS_PATH_VARIABLE
from tasks.loads import Burst, Load, Prefilled, only
from tests.e2e import contrived_tasks

REPEATS = 2
COLD_RATIO = 1.5
COLD_LEAST_S = 0.05


class _Phases(ScenarioDefaults):
    """A scenario that offers these phases and measures nothing."""

    number, name, title, question, headline = 1, "phases", "phases", "", "throughput"

    def __init__(self, plans: Sequence[PhasePlan]) -> None:
        self._plans = plans

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """As they are, whatever they showed."""
        yield from (plan for plan in self._plans)


@contextmanager
def contrived_lab(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalLab]:
    """A local lab with the contrived framework in it."""
    copy(contrived_tasks.__file__, folder / "contrived_tasks.py")
    monkeypatch.setenv(FRAMEWORKS_PATH_VARIABLE, str(folder))
    with LocalLab() as lab:
        yield lab


def repeated(*, is_cold: bool = False) -> list[PhasePlan]:
    """The ways of sending, each with the same phase several times."""
    loads: dict[str, Load] = {"bulk": Prefilled(1000, many=True), "single": Prefilled(500), "open": Burst(500)}
    return [
        PhasePlan(f"{way}_{time}", only("noop"), load, is_cold=is_cold) for time in range(REPEATS) for way, load in loads.items()
    ]


def found_cold(data: RunData) -> list[str]:
    """The ways of which the first phase was cold."""
    cpu_s: dict[str, list[float]] = {}
    for phase in measured_phases(data):
        cpu_s.setdefault(phase.record.name.partition("_")[0], []).append(phase.record.produced.cpu_s)
    return [way for way, each_s in cpu_s.items() if was_cold_at_first(each_s)]


def was_cold_at_first(cpu_s: Sequence[float]) -> bool:
    """Whether the first of phases that are the same took its producer more CPU time than any after it, by more than chance
    does: by half, and by what moves the rate of the shortest phase of a benchmark. A cold path that was seen made the first
    phase 2.3 times as long. CPU time: what others do on the machine makes a phase longer, and hardly dearer."""
    first, most = cpu_s[0], max(cpu_s[1:])
    return first > COLD_RATIO * most and first - most > COLD_LEAST_S


def run_phases(lab: LocalLab, variant: str, plans: Sequence[PhasePlan], *, run: int = 1, processes: int = 1) -> RunData:
    """One run of these phases. A run that fails fails the test."""
    spec = RunSpec(
        scenario=_Phases(plans),
        sizes={},
        facts={},
        variant=variant,
        framework=lab.variants()[variant],
        run=run,
        repetition=run,
        processes=processes,
        seed=run,
        concurrency=1,
        track="normalised",
        warmup_s=0.1,
        timeout_s=180,
    )
    with Runner(lab, PlainDisplay(Console(stderr=True))) as runner:
        recorded = runner.make(spec)
    assert recorded.failure is None, recorded.failure
    assert recorded.data is not None
    return recorded.data
