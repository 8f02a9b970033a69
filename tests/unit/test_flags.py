"""Which runs are valid, and what is said of the others."""

import string
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.flags import FEWEST_RUNS, Flag, FlagCode, Severity, group_flags, is_valid, run_flags
from benchmarks.model import Produced, RunData
from tasks.loads import Burst, Paced, Prefilled
from tests.unit.made_up import S, executed, finished, good_run, paced_rows, phase_data, prefilled_rows, reading, sent, started


def codes(data: RunData) -> list[FlagCode]:
    return [flag.code for flag in run_flags(data)]


def with_marks(**last: Any) -> RunData:
    """A good run whose last mark reads differently; all other marks are as usual."""
    data = good_run()
    half = data.phases["half"]
    record = replace(half.record, after=reading(half.record.after.host.at_ns, **last))
    return good_run(data={"half": replace(half, record=record)})


def text_of(data: RunData, code: FlagCode) -> str:
    return next(flag.detail for flag in run_flags(data) if flag.code is code)


def test_a_good_run_raises_nothing_and_is_valid() -> None:
    assert run_flags(good_run()) == ()
    assert is_valid(())


def test_a_lost_task_invalidates_and_is_named() -> None:
    rows = [row for row in prefilled_rows(200) if row[7] != 17 or row[0] == 1]
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200)})
    assert codes(data) == [FlagCode.TASK_LOST]
    assert "capacity: 1 of 200" in text_of(data, FlagCode.TASK_LOST)
    assert "17" in text_of(data, FlagCode.TASK_LOST)
    assert not is_valid(run_flags(data))


def test_a_doubled_task_invalidates() -> None:
    rows = [*prefilled_rows(200), started(9, 5 * S), finished(9, 6 * S)]
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200)})
    assert codes(data) == [FlagCode.TASK_DOUBLED]
    assert not is_valid(run_flags(data))


def test_a_task_that_was_never_sent_invalidates() -> None:
    rows = [*prefilled_rows(200), started(777, 5 * S), finished(777, 6 * S)]
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200)})
    assert codes(data) == [FlagCode.UNEXPECTED_TASK]


def test_many_numbers_are_cut_in_the_text() -> None:
    data = good_run(data={"bulk": phase_data(2, "bulk", Prefilled(50), [sent(i, phase=2) for i in range(50)], 50)})
    assert text_of(data, FlagCode.TASK_LOST).endswith("8, 9, ...)")


def test_a_phase_that_executed_nothing_invalidates() -> None:
    data = good_run(
        data={"paced": phase_data(3, "paced", Paced(100, 0.3), [r for r in paced_rows(30, 100, phase=3) if r[0] == 1], 30)}
    )
    assert FlagCode.NOTHING_EXECUTED in codes(data)
    assert not is_valid(run_flags(data))


def test_tasks_that_were_not_sent_invalidate() -> None:
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(210), prefilled_rows(200), 210)})
    assert codes(data) == [FlagCode.NEVER_SENT]


def test_a_send_that_raised_invalidates_and_says_with_what() -> None:
    rows = [*prefilled_rows(199), sent(199, 1, ok=False)]
    produced = Produced(200, 199, 1, {"OSError: gone": 1}, 0, S, 0.5)
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200, produced=produced)})
    assert codes(data) == [FlagCode.SEND_FAILED]
    assert "OSError: gone" in text_of(data, FlagCode.SEND_FAILED)


@pytest.mark.parametrize(("achieved_per_s", "missed"), [(100, False), (98.5, False), (97, True), (120, False)])
def test_a_rate_missed_by_over_two_percent_invalidates(achieved_per_s: float, missed: bool) -> None:
    count = 200
    rows = []
    for i in range(count):
        due_ns = i * S // 100
        send, begin, end = executed(i, due_ns, phase=3)
        sent_ns = round(i * S / achieved_per_s)
        rows += [(*send[:11], sent_ns, sent_ns + 10), begin, end]
    data = good_run(data={"paced": phase_data(3, "paced", Paced(100, 2.0), rows, count)})
    assert (FlagCode.OFFERED_RATE_MISSED in codes(data)) is missed


def test_a_worker_that_died_or_lives_by_another_clock_invalidates() -> None:
    assert codes(good_run(died="signal 9")) == [FlagCode.WORKER_DIED]
    assert "signal 9" in text_of(good_run(died="signal 9"), FlagCode.WORKER_DIED)
    assert codes(good_run(same_time_namespace=False)) == [FlagCode.TIME_NAMESPACE_DIFFERS]


def test_fewer_processes_than_promised_invalidate_judged_on_a_backlog_alone() -> None:
    assert codes(good_run(working_processes=2)) == []
    assert codes(good_run(working_processes=3)) == [FlagCode.TOO_FEW_PROCESSES]
    data = good_run(working_processes=3)
    only_paced = replace(data, phases={"paced": data.phases["paced"]})
    assert codes(only_paced) == []
    burst = phase_data(1, "capacity", Burst(200), prefilled_rows(200), 200)
    data = good_run(data={"capacity": burst}, working_processes=3)
    assert codes(replace(data, phases={"capacity": data.phases["capacity"]})) == [FlagCode.TOO_FEW_PROCESSES]


def test_a_phase_that_timed_out_invalidates() -> None:
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), prefilled_rows(200), 200, timed_out=True)})
    assert codes(data) == [FlagCode.TIMED_OUT]


def test_failed_tasks_only_warn() -> None:
    rows = [(*row[:1], 2, *row[2:]) if row[0] == 3 and row[7] == 5 else row for row in prefilled_rows(200)]
    data = good_run(data={"capacity": phase_data(1, "capacity", Prefilled(200), rows, 200)})
    assert codes(data) == [FlagCode.TASK_FAILED]
    assert is_valid(run_flags(data))


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ({"steal_s": 5.0}, FlagCode.CPU_STEAL),
        ({"swapped": 3}, FlagCode.SWAPPING),
    ],
)
def test_disturbance_warns_and_leaves_the_run_valid(last: dict[str, Any], code: FlagCode) -> None:
    data = with_marks(**last)
    assert codes(data) == [code]
    assert is_valid(run_flags(data))


def test_a_little_steal_is_not_worth_a_warning() -> None:
    assert codes(with_marks(steal_s=1.0)) == []


def _loaded(load: float, cores: int) -> RunData:
    phases = {}
    for name, phase in good_run().phases.items():
        r = phase.record
        marks = {m: reading(getattr(r, m).host.at_ns, load=load, cores=cores) for m in ("before", "filled", "after")}
        phases[name] = replace(phase, record=replace(r, **marks))  # type: ignore[arg-type]
    return good_run(data=phases)


@pytest.mark.parametrize(("load", "cores", "high"), [(8.5, 2, True), (7.5, 2, False), (8.5, 9, False), (9.5, 9, True)])
def test_load_warns_only_beyond_the_cores_and_what_the_lab_itself_explains(load: float, cores: int, high: bool) -> None:
    assert codes(_loaded(load, cores)) == ([FlagCode.HOST_LOAD_HIGH] if high else [])


def test_one_mark_of_high_load_is_the_lab_itself() -> None:
    assert codes(with_marks(load=50.0)) == []


def test_throttling_warns() -> None:
    data = good_run()
    capacity, half = data.phases["capacity"], data.phases["half"]
    first = replace(capacity, record=replace(capacity.record, before=reading(10 * S, throttled_s=1.0)))
    last = replace(half, record=replace(half.record, after=reading(43 * S, throttled_s=1.5)))
    data = good_run(data={"capacity": first, "half": last})
    assert codes(data) == [FlagCode.THROTTLED]
    assert "0.50 s" in text_of(data, FlagCode.THROTTLED)


def test_a_run_without_phases_is_judged_by_its_worker_alone() -> None:
    assert codes(replace(good_run(died="exit 1"), phases={})) == [FlagCode.WORKER_DIED]


def test_steady_values_raise_no_group_flag() -> None:
    assert group_flags("drain_per_s", [100.0, 101.0, 99.0, 100.5]) == ()


def test_spread_and_few_runs_are_said_of_a_group() -> None:
    wild = group_flags("drain_per_s", [100.0, 150.0, 60.0, 130.0])
    assert [flag.code for flag in wild] == [FlagCode.CV_HIGH, FlagCode.TOO_FEW_RUNS]
    assert "more would narrow it" in wild[1].detail
    assert [flag.code for flag in group_flags("p50", [1.0] * (FEWEST_RUNS - 1))] == [FlagCode.TOO_FEW_RUNS]
    assert [flag.code for flag in group_flags("p50", [])] == [FlagCode.TOO_FEW_RUNS]


@pytest.mark.parametrize("code", list(FlagCode))
def test_every_flag_can_be_raised_stored_and_read_again(code: FlagCode) -> None:
    names = {field for _, field, _, _ in string.Formatter().parse(code.value.explanation) if field}
    flag = code.flag(**dict.fromkeys(names, 1))
    assert code.advice
    assert Flag.from_data(flag.as_data()) == flag
    assert flag.as_data()["severity"] in list(Severity)
    assert str(flag).startswith(f"{code.code}: ")


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(ValueError, match="no-such-flag"):
        Flag.from_data({"code": "no-such-flag", "detail": ""})


def test_codes_are_unique_words() -> None:
    assert FlagCode.TASK_LOST.code == "task-lost"
    assert len({code.code for code in FlagCode}) == len(FlagCode)
