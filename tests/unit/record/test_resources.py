"""What a run cost, from made-up readings."""

from dataclasses import replace

import pytest

from benchmarks.record.resources import (
    TreeMemory,
    cpu_ms_per_task,
    cpu_per_1000,
    cpu_percent,
    phase_cpu_percent,
    phase_memory,
    redis_commands,
    redis_cost,
    redis_network_bytes,
    worker_memory,
)
from benchmarks.record.rules.disturbance import host_marks, steal_share, throttled_s
from benchmarks.record.run_data import measured_phases
from tasks.loads import Prefilled
from tasks.redis_traffic import RedisTraffic
from tests.unit.made_up import S, good_run, phase_data, reading, sample


def test_memory_is_idle_peak_and_after_in_decimal_megabytes() -> None:
    memory = worker_memory(good_run())
    assert memory.after is not None
    assert (memory.idle.pss_mb, memory.peak.pss_mb, memory.after.pss_mb) == (40, 90, 70)
    assert (memory.idle.rss_mb, memory.peak.rss_mb, memory.after.rss_mb) == (80, 180, 140)
    assert (memory.idle.uss_mb, memory.peak.uss_mb, memory.after.uss_mb) == (20, 45, 35)


def test_a_peak_seen_only_at_a_mark_counts() -> None:
    assert worker_memory(replace(good_run(), samples=[])).peak.pss_mb == 70
    assert worker_memory(good_run(idle=sample(memory_mb=500))).peak.pss_mb == 500


def test_memory_of_a_run_without_phases_is_what_is_known() -> None:
    memory = worker_memory(replace(good_run(), phases={}, samples=[]))
    assert (memory.idle.pss_mb, memory.peak.pss_mb, memory.after) == (40, 40, None)


def test_sharers_are_the_most_that_were_seen_and_unknown_where_nobody_looked() -> None:
    assert worker_memory(good_run(idle=sample(sharers=0))).sharers == 2, "those of its marks and samples"
    assert worker_memory(good_run(idle=sample(sharers=7))).sharers == 7
    unknown = replace(good_run(idle=sample(sharers=None)), phases={}, samples=[sample(sharers=None)])
    assert worker_memory(unknown).sharers is None


def test_cpu_is_counted_per_1000_tasks_and_the_worker_over_its_drain() -> None:
    cpu = cpu_per_1000(good_run().phases["capacity"])
    assert cpu.worker_s == pytest.approx(2.0 * 1000 / 200)
    assert cpu.producer_s == pytest.approx(0.5 * 1000 / 200)
    assert cpu.redis_s == pytest.approx(3 * 200 / 10_000 * 1000 / 200)


def test_the_brokers_bill_is_per_task() -> None:
    cost = redis_cost(good_run().phases["capacity"])
    assert cost.commands_per_task == pytest.approx(3)
    assert cost.bytes_per_task == pytest.approx(3 * 150)
    assert cost.memory_bytes_per_queued_task == pytest.approx(500)


def test_what_the_lab_itself_asked_of_redis_between_two_marks_is_not_on_the_bill() -> None:
    phase = good_run().phases["capacity"]
    own = (RedisTraffic(11, 700, 9000), RedisTraffic(11 + 40, 700 + 2500, 9000 + 63_000))
    marks = [
        replace(
            mark,
            redis=replace(
                mark.redis,
                commands=mark.redis.commands + asked.commands,
                input_bytes=mark.redis.input_bytes + asked.input_bytes,
                output_bytes=mark.redis.output_bytes + asked.output_bytes,
                own=asked,
            ),
        )
        for mark, asked in zip((phase.record.before, phase.record.after), own, strict=True)
    ]
    watched = replace(phase, record=replace(phase.record, before=marks[0], after=marks[1]))
    assert redis_cost(watched) == redis_cost(phase)
    assert redis_commands(watched) == redis_commands(phase)
    assert redis_network_bytes(watched) == redis_network_bytes(phase)


def test_nothing_executed_costs_nothing_that_could_be_divided() -> None:
    empty = phase_data(1, "capacity", Prefilled(5), [], 5)
    cpu, cost = cpu_per_1000(empty), redis_cost(empty)
    assert (cpu.worker_s, cpu.producer_s, cpu.redis_s) == (None, None, None)
    assert (cost.commands_per_task, cost.bytes_per_task, cost.memory_bytes_per_queued_task) == (None, None, None)


def test_cpu_percent_is_of_one_core() -> None:
    assert cpu_percent(3.0, 2.0) == 150
    assert cpu_percent(3.0, 0.0) is None
    assert cpu_percent(3.0, None) is None


def test_cpu_of_a_phase_is_over_all_of_it() -> None:
    phase = good_run().phases["capacity"]
    assert phase_cpu_percent(phase) == pytest.approx(100 * 2 / 3)
    assert cpu_ms_per_task(phase) == pytest.approx(2000 / 200)


def test_memory_of_a_phase_is_the_highest_that_was_seen_within_it() -> None:
    data = good_run()
    phase = data.phases["capacity"]
    assert phase_memory(phase, data) == TreeMemory(pss_mb=70, rss_mb=140, uss_mb=35), "all samples are of later"
    later = replace(data, samples=[sample(2 * S, memory_mb=80), sample(4 * S, memory_mb=90)])
    assert phase_memory(phase, later) == TreeMemory(pss_mb=80, rss_mb=160, uss_mb=40)


def test_steal_is_a_share_of_all_cpu_time() -> None:
    begin, end = reading(0).host, reading(10 * S, steal_s=1.0).host
    assert steal_share(begin, end) == pytest.approx(1 / 20)
    assert steal_share(begin, begin) is None


def test_the_warm_up_is_not_measured() -> None:
    data = good_run(data={"warm-up": phase_data(0, "warm-up", Prefilled(5), [], 5)})
    assert [phase.record.name for phase in measured_phases(data)] == ["capacity", "bulk", "paced", "half"]
    assert len(host_marks(data)) == 12


def test_throttling_is_unknown_without_a_control_group() -> None:
    assert throttled_s(good_run()) is None
    assert throttled_s(replace(good_run(), phases={})) is None
