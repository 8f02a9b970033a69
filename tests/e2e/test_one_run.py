"""One run on a real Redis: what is warm before a phase begins, and when it ends."""

from pathlib import Path

import pytest

from benchmarks.run.contract import PhasePlan
from benchmarks.run.one_run.waiting import QUIET_S
from tasks.loads import NS_PER_S, Burst, only
from tests.e2e.contrived_tasks import COLD
from tests.e2e.one_run_support import contrived_lab, found_cold, repeated, run_phases

pytestmark = pytest.mark.e2e

LONG_S = QUIET_S + 2


def test_a_phase_waits_for_what_a_worker_has_in_hand_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contrived_lab(tmp_path, monkeypatch) as lab:
        early = run_phases(lab, "contrived-early", [PhasePlan("long", only("sleep", LONG_S), Burst(1))])
        lost = run_phases(lab, "contrived-abandoning", [PhasePlan("lost", only("sleep", 1.0), Burst(3))], run=2)
    (long,) = (phase for name, phase in early.phases.items() if name == "long")
    assert (long.account.completed, long.account.lost, long.record.timed_out) == (1, 0, False)
    assert long.tasks.finished_ns[0] - long.tasks.started_ns[0] > LONG_S * NS_PER_S * 0.99, "the task was in hand for so long"
    assert (lost.phases["lost"].account.completed, lost.phases["lost"].record.timed_out) == (0, False)
    assert lost.phases["lost"].account.cut_off == 3, "tasks that a living worker has lost end the phase"


def test_a_path_that_is_cold_at_first_is_warm_before_a_phase_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contrived_lab(tmp_path, monkeypatch) as lab:
        cold = run_phases(lab, COLD, repeated(is_cold=True))
    with contrived_lab(tmp_path, monkeypatch) as lab:
        warm = run_phases(lab, COLD, repeated())
    assert found_cold(cold) == ["bulk"], "without the warm-up it is found"
    assert found_cold(warm) == []
