"""One run on a real Redis: what is warm before a phase begins, and when it ends."""

from pathlib import Path

import pytest

from benchmarks.plan.wishes import StartWish
from benchmarks.run.contract import PhasePlan
from benchmarks.run.one_run.waiting import QUIET_S
from tasks.loads import NS_PER_S, Burst, Prefilled, only
from tests.e2e.contrived_tasks import COLD, COLD_S
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


def test_the_producer_is_warm_too_where_a_phase_begins_with_its_workers_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk, single = Prefilled(100, many=True), PhasePlan("after", only("noop"), Prefilled(20))
    with contrived_lab(tmp_path, monkeypatch) as lab:
        starts = [
            PhasePlan(name, only("noop"), bulk, start=StartWish("waiting"), is_cold=name == "cold") for name in ("cold", "warm")
        ]
        data = run_phases(lab, COLD, [*starts, single])
    cpu_s = {name: phase.record.produced.cpu_s for name, phase in data.phases.items()}
    assert cpu_s["warm"] + COLD_S / 2 < cpu_s["cold"]
    ended = {name: (phase.account.completed, phase.account.unexpected) for name, phase in data.phases.items()}
    assert {name: ended[name] for name in ("cold", "warm", "after")} == {"cold": (100, 0), "warm": (100, 0), "after": (20, 0)}
