"""Made-up events, phases and runs for tests of what is computed from them."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from benchmarks.record.accounting import account
from benchmarks.record.machine import CpuTaken, SpeedReading
from benchmarks.record.run_data import (
    HostReading,
    PhaseData,
    PhaseRecord,
    Produced,
    Reading,
    RedisReading,
    RunContext,
    RunData,
    WorkerRecord,
)
from benchmarks.record.task_table import TaskTable, build_task_tables
from infrastructure.event_log import EVENT_DTYPE, Events
from infrastructure.readings import TreeSample
from tasks.contract import Variant
from tasks.events import Kind, Outcome
from tasks.loads import Load, Paced, Prefilled, only

MS = 1_000_000
S = 1_000_000_000
RUN = 7
Row = tuple[int, ...]
_TAIL = re.compile(r"(^|_)p(95|99)(_|$)")


def missing(measures: Mapping[str, object]) -> list[str]:
    """The measures without a value, but for percentiles of a tail, which the few tasks of a made-up phase do not carry."""
    return [name for name, value in measures.items() if value is None and not _TAIL.search(name)]


def sent(
    sequence: int,
    due_ns: int = 0,
    *,
    ok: bool = True,
    phase: int = 1,
    run: int = RUN,
    late_ns: int = 1,
    send_ns: int = 10,
    label: int = 0,
) -> Row:
    outcome = Outcome.OK if ok else Outcome.FAILED
    before_ns = due_ns + late_ns
    return (Kind.ENQUEUED, outcome, 0, phase, 0, label, run, sequence, 50, 0, due_ns, before_ns, before_ns + send_ns)


def started(
    sequence: int, at_ns: int, *, attempt: int = 1, phase: int = 1, run: int = RUN, process: int = 100, thread: int = 100
) -> Row:
    return (Kind.STARTED, 0, 1, phase, attempt, 0, run, sequence, process, thread, at_ns, 0, 0)


def finished(
    sequence: int, at_ns: int, outcome: int = Outcome.OK, *, attempt: int = 1, phase: int = 1, run: int = RUN, process: int = 100
) -> Row:
    return (Kind.FINISHED, outcome, 0, phase, attempt, 0, run, sequence, process, process, at_ns, 0, 0)


def events(rows: Iterable[Row]) -> Events:
    return np.array([tuple(row) for row in rows], EVENT_DTYPE)


def executed(
    sequence: int,
    due_ns: int,
    *,
    wait_ns: int = 2 * MS,
    service_ns: int = MS,
    phase: int = 1,
    process: int = 100,
    label: int = 0,
) -> list[Row]:
    """A task that went as it should."""
    begun_ns = due_ns + wait_ns
    return [
        sent(sequence, due_ns, phase=phase, label=label),
        started(sequence, begun_ns, phase=phase, process=process, thread=process),
        finished(sequence, begun_ns + service_ns, phase=phase, process=process),
    ]


def table_of(rows: Iterable[Row], phase: int = 1) -> TaskTable:
    return build_task_tables(events(rows), RUN)[phase]


def sample(
    at_ns: int = 0, *, memory_mb: float = 50, cpu_s: float = 1.0, throttled_s: float | None = None, sharers: int | None = 2
) -> TreeSample:
    memory = int(memory_mb * 1_000_000)
    return TreeSample(at_ns, 2 * memory, memory, memory // 2, cpu_s, 3, 5, 20, 0, 0, None, None, None, throttled_s, sharers)


def reading(
    at_ns: int,
    *,
    memory_mb: float = 50,
    worker_cpu_s: float = 1.0,
    commands: int = 0,
    redis_memory: int = 1_000_000,
    steal_s: float = 0.0,
    load: float = 1.0,
    swapped: int = 0,
    throttled_s: float | None = None,
    cores: int = 2,
) -> Reading:
    return Reading(
        redis=RedisReading(at_ns, commands, commands * 100, commands * 50, commands / 10_000, redis_memory),
        host=HostReading(
            at_ns,
            1000 + cores * at_ns / S,
            steal_s,
            load,
            swapped,
            2600.0,
            speed=SpeedReading(at_ns, (0.004,) * cores, (0.004,) * cores),
            taken=CpuTaken(elapsed_s=1.0, busy_s=1.01, own_s=1.0, takers={}),
        ),
        worker=sample(at_ns, memory_mb=memory_mb, cpu_s=worker_cpu_s, throttled_s=throttled_s),
    )


def phase_data(number: int, name: str, load: Load, rows: Iterable[Row], planned: int, **changes: object) -> PhaseData:
    table = build_task_tables(events(rows), RUN).get(number, TaskTable.empty())
    produced = Produced(planned, planned, 0, {}, 0, S, cpu_s=0.5)
    record = PhaseRecord(
        number=number,
        name=name,
        worker=worker(),
        tasks=only("noop"),
        load=load,
        planned=planned,
        produced=produced,
        began_ns=0,
        resumed_ns=S,
        drained_ns=3 * S,
        timed_out=False,
        before=reading(number * 10 * S),
        filled=reading(number * 10 * S + S, redis_memory=1_000_000 + planned * 500, commands=planned),
        after=reading(number * 10 * S + 3 * S, memory_mb=70, worker_cpu_s=3.0, commands=3 * planned),
    )
    return PhaseData(replace(record, **changes), table, account(table, planned))  # type: ignore[arg-type]


def worker(**changes: object) -> WorkerRecord:
    record = WorkerRecord(
        number=1,
        variant="some-variant",
        framework="some",
        processes=2,
        concurrency=1,
        slots=2,
        working_processes=2,
        execution="main-thread",
        guarantee="at-least-once",
        settings={"prefetch": 1},
        versions={"some": "1.0"},
        died=None,
        same_time_namespace=True,
        idle=sample(memory_mb=40),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def context(sizes: Mapping[str, float | int] | None = None, **changes: object) -> RunContext:
    """Of a run of ``some-variant`` on two cores."""
    variant = Variant("some-variant", "main-thread", "made up")
    made = RunContext(sizes or {}, variant, processes=2, concurrency=1, cores=2, seed=1)
    return replace(made, **changes)  # type: ignore[arg-type]


def prefilled_rows(count: int, *, phase: int = 1, resumed_ns: int = S, each_ns: int = MS) -> list[Row]:
    """Tasks sent 0.1 ms apart and, from ``resumed_ns`` on, ended one after another by two processes in turn."""
    rows: list[Row] = []
    for i in range(count):
        due_ns, begun_ns = i * MS // 10, resumed_ns + i * each_ns
        rows += executed(i, due_ns, wait_ns=begun_ns - due_ns, service_ns=each_ns, phase=phase, process=100 + i % 2)
    return rows


def paced_rows(count: int, rate_per_s: float, *, phase: int) -> list[Row]:
    rows: list[Row] = []
    for i in range(count):
        rows += executed(i, round(i * S / rate_per_s), phase=phase, process=100 + i % 2)
    return rows


def paced_phase(number: int, name: str, rate_per_s: float, wait_ns: Callable[[int], int], *, sends: float = 1.0) -> PhaseData:
    """A second of tasks at a rate, each of which waits as told and runs for 1 ms; ``sends`` stretches the times of the sends. Any
    but that called ``low`` may miss its rate."""
    count = int(rate_per_s)
    rows: list[Row] = []
    for i in range(count):
        due_ns = round(i * S / rate_per_s)
        task = executed(i, due_ns, wait_ns=wait_ns(i), phase=number, process=100 + i % 2)
        late_ns = round(due_ns * (sends - 1)) + 1
        rows += [sent(i, due_ns, phase=number, late_ns=late_ns), *task[1:]]
    load = Paced(rate_per_s, 1, "poisson", number)
    return phase_data(number, name, load, rows, count, rate_may_be_missed=name != "low")


def soon(_: int) -> int:
    return 2 * MS


def overloaded(i: int) -> int:
    """Each waits 1 ms longer than the one before."""
    return i * MS


def good_run(*, data: Mapping[str, PhaseData] | None = None, **worker_changes: object) -> RunData:
    """A throughput run in which all went well: 200 tasks drained in 0.2 s, 50 in bulk, 30 at 100/s, 60 at 500/s."""
    phases = {
        "capacity": phase_data(1, "capacity", Prefilled(200), prefilled_rows(200), 200),
        "bulk": phase_data(2, "bulk", Prefilled(50, many=True), prefilled_rows(50, phase=2), 50),
        "paced": phase_data(3, "paced", Paced(100, 0.3), paced_rows(30, 100, phase=3), 30),
        "half": phase_data(4, "half", Paced(500, 0.12, "poisson", 1), paced_rows(60, 500, phase=4), 60),
    }
    own = worker(**worker_changes)
    phases = {name: replace(p, record=replace(p.record, worker=own)) for name, p in (phases | dict(data or {})).items()}
    return RunData(
        scenario="scenario_1_throughput",
        variant="some-variant",
        run=RUN,
        context=context(),
        worker=own,
        phases=phases,
        samples=[sample(5 * S, memory_mb=60), sample(6 * S, memory_mb=90), sample(7 * S, memory_mb=65)],
    )
