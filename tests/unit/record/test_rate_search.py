"""What a rate showed, and which is tried next."""

from dataclasses import replace

import pytest

from benchmarks.record.rate_search import Search, Step, Verdict, judge
from benchmarks.record.run_data import PhaseData
from tasks.loads import Paced
from tests.unit.made_up import MS, S, executed, overloaded, paced_phase, phase_data, sent, soon, worker

LIMIT_MS = 103.0


def creeping(i: int) -> int:
    """Never above the limit, but the queue is longer at the end than before."""
    return 2 * MS + (95 * MS if i > 650 else 0)


@pytest.mark.parametrize(
    ("phase", "verdict"),
    [
        (paced_phase(1, "step_1", 1000, soon), Verdict.HELD),
        (paced_phase(1, "step_1", 1000, overloaded), Verdict.LATE),
        (paced_phase(1, "step_1", 1000, creeping), Verdict.GROWING),
        (paced_phase(1, "step_1", 1000, soon, sends=1.03), Verdict.NOT_OFFERED),
        (paced_phase(1, "step_1", 1000, overloaded, sends=1.03), Verdict.NOT_OFFERED),
        (phase_data(1, "step_1", Paced(10, 1), [sent(i, i * S // 10) for i in range(10)], 10), Verdict.LATE),
    ],
)
def test_a_step_is_judged_by_what_it_showed(phase: PhaseData, verdict: Verdict) -> None:
    assert judge(phase, LIMIT_MS).verdict is verdict


def test_a_queue_grows_by_the_difference_of_two_quarters() -> None:
    """Overloaded by a fifth: a task in hand more every 5 ms, so 100 more between the middles of the two quarters. Allowed are
    5 % of 500 tasks, twice the root of 500, and 2 slots: 71.7."""
    step = judge(paced_phase(1, "step_1", 1000, lambda i: i * MS // 4), 1000)
    assert step.growth == pytest.approx(100, rel=0.05)
    assert judge(paced_phase(1, "step_1", 1000, lambda i: i * MS * 3 // 20), 1000).verdict is Verdict.HELD
    assert step.verdict is Verdict.GROWING


def test_one_task_that_never_ends_is_no_held_rate() -> None:
    good = paced_phase(1, "step_1", 100, soon)
    rows = [row for i in range(100) for row in executed(i, i * S // 100)[: 2 if i == 99 else 3]]
    assert judge(good, LIMIT_MS).verdict is Verdict.HELD
    assert judge(phase_data(1, "step_1", good.record.load, rows, 100), LIMIT_MS).verdict is Verdict.LATE


def test_slots_allow_for_noise() -> None:
    """Two quarters differ by up to a worker's slots without that being growth."""
    phase = paced_phase(1, "step_1", 20, lambda i: (2 if i < 15 else 95) * MS)
    crowded = replace(phase, record=replace(phase.record, worker=worker(slots=50)))
    assert judge(crowded, LIMIT_MS).verdict is Verdict.HELD


def step_at(rate_per_s: float) -> Step:
    return Step(rate_per_s, rate_per_s, 1, paced_phase(1, "step_1", 10, soon), 3, 0, Verdict.HELD)


def test_bisection_halves_what_is_left() -> None:
    search = Search(0, 1600)
    for verdict in (Verdict.HELD, Verdict.LATE, Verdict.GROWING, Verdict.HELD):
        search = search.after(replace(step_at(search.next_per_s), verdict=verdict))
    assert (search.low_per_s, search.high_per_s) == (900, 1000)


def test_bisection_goes_on_below_what_could_be_offered() -> None:
    search = Search(400, 1600)
    missed = replace(step_at(1000), offered_per_s=700, verdict=Verdict.NOT_OFFERED)
    assert search.after(missed) == Search(400, 700)
    assert search.after(replace(missed, offered_per_s=300)) == Search(400, 400)
