"""Makes one run of phases that a test names, in a local lab, as the suite does."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copy

import pytest
from rich.console import Console

from benchmarks.cli.progress import PlainDisplay
from benchmarks.record.run_data import RunContext, RunData
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.one_run.runner import Runner
from benchmarks.run.one_run.spec import RunSpec
from benchmarks.scenarios.defaults import ScenarioDefaults
from tasks.contract import FRAMEWORKS_PATH_VARIABLE
from tests.e2e import contrived_tasks


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
        timeout_s=60,
    )
    with Runner(lab, PlainDisplay(Console(stderr=True))) as runner:
        recorded = runner.make(spec)
    assert recorded.failure is None, recorded.failure
    assert recorded.data is not None
    return recorded.data
