"""Makes the golden result sets anew: ``python -m tests.golden.make``. Commit them only if the format was meant to change."""

import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.plan.suite_plan import Entry, SuitePlan
from benchmarks.record.flags import RUN_FAILED, is_valid
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import PhaseData, RunData, RunResult
from benchmarks.record.task_table import TaskTable, tasks_frame
from benchmarks.results.manifest import describe_scenario
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import samples_frame
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from infrastructure.readings import TreeSample
from tasks.loads import Load, Paced, Prefilled
from tests.golden import FOLDER
from tests.unit.made_up import MS, Row, S, context, executed, phase_data, reading, sample, sent, worker

CONTROL = "bare"
CREATED = "2026-01-02T03:04:05+00:00"
FINISHED = "2026-01-02T03:34:05+00:00"
NAME = "20260102T030405Z"
CAPACITY, BULK, PACED_COUNT, HALF = 120, 30, 60, 60


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a made-up variant behaves; the medians of what is drawn for it."""

    framework: str
    service_ms: float
    wait_ms: float
    memory_mb: float
    growth_mb: float = 0
    """By which each run needs more memory than the one before."""
    outlier: int = 0
    """The repetition that takes twice as long."""
    loses: int = 0
    """Tasks that are sent and never executed, in each run."""


BEHAVIOURS = {
    CONTROL: Behaviour("bare", service_ms=0.1, wait_ms=0.5, memory_mb=20),
    "swift": Behaviour("swift", service_ms=0.3, wait_ms=2, memory_mb=50),
    "swift-twin": Behaviour("swift", service_ms=0.3, wait_ms=2, memory_mb=50, growth_mb=2),
    "steady": Behaviour("steady", service_ms=0.9, wait_ms=40, memory_mb=80, outlier=5),
    "leaky": Behaviour("leaky", service_ms=0.5, wait_ms=3, memory_mb=60, loses=2),
    "absent": Behaviour("absent", service_ms=1, wait_ms=1, memory_mb=60),
}


def drained(random: np.random.Generator, behaviour: Behaviour, phase: int, count: int, slower: float) -> Iterator[Row]:
    """Sent 0.02 ms apart, then worked off by two processes from one second on."""
    begin_ns = phase * 10 * S
    free_ns = [begin_ns + S, begin_ns + S]
    for i in range(count):
        due_ns = begin_ns + i * MS // 50
        if i < behaviour.loses:
            yield sent(i, due_ns, phase=phase)
            continue
        service_ns = int(behaviour.service_ms * slower * MS * random.lognormal(0, 0.2))
        begun_ns = free_ns[i % 2]
        free_ns[i % 2] += service_ns
        yield from executed(i, due_ns, wait_ns=begun_ns - due_ns, service_ns=service_ns, phase=phase, process=100 + i % 2)


def offered(random: np.random.Generator, behaviour: Behaviour, phase: int, count: int, rate_per_s: float) -> Iterator[Row]:
    """Sent on a schedule; each waits and runs a little."""
    for i in range(count):
        wait_ns = int(behaviour.wait_ms * MS * random.lognormal(0, 0.5))
        yield from executed(
            i, phase * 10 * S + round(i * S / rate_per_s), wait_ns=wait_ns, service_ns=MS // 20, phase=phase, process=100 + i % 2
        )


def made_up_run(variant: str, repetition: int) -> RunData:
    """The same for the same variant and repetition, always."""
    behaviour = BEHAVIOURS[variant]
    random = np.random.default_rng([ord(letter) for letter in variant] + [repetition])
    slower = float(random.lognormal(0, 0.03)) * (2 if repetition == behaviour.outlier else 1)
    memory_mb = float(behaviour.memory_mb * random.lognormal(0, 0.01) + behaviour.growth_mb * repetition)
    cpu_s = 0.002 * CAPACITY * behaviour.service_ms * slower

    def phase(number: int, name: str, load: Load, rows: Iterator[Row], planned: int) -> PhaseData:
        begin_ns = number * 10 * S
        return phase_data(
            number,
            name,
            load,
            rows,
            planned,
            began_ns=begin_ns,
            resumed_ns=begin_ns + S if isinstance(load, Prefilled) else begin_ns,
            drained_ns=begin_ns + 3 * S,
            before=reading(begin_ns, memory_mb=memory_mb),
            filled=reading(begin_ns + S, memory_mb=memory_mb, redis_memory=1_000_000 + 500 * planned, commands=planned),
            after=reading(begin_ns + 3 * S, memory_mb=memory_mb * 1.1, worker_cpu_s=1 + cpu_s, commands=3 * planned),
        )

    half_per_s = 300.0
    phases = {
        "capacity": phase(1, "capacity", Prefilled(CAPACITY), drained(random, behaviour, 1, CAPACITY, slower), CAPACITY),
        "bulk": phase(2, "bulk", Prefilled(BULK, many=True), drained(random, behaviour, 2, BULK, slower), BULK),
        "paced": phase(3, "paced", Paced(100, PACED_COUNT / 100), offered(random, behaviour, 3, PACED_COUNT, 100), PACED_COUNT),
        "half": phase(4, "half", Paced(half_per_s, HALF / half_per_s), offered(random, behaviour, 4, HALF, half_per_s), HALF),
    }
    return RunData(
        scenario=SCENARIO.name,
        variant=variant,
        run=repetition,
        context=context(),
        worker=worker(variant=variant, framework=behaviour.framework, versions={behaviour.framework: "1.0"}),
        phases=phases,
        samples=samples(memory_mb),
    )


def samples(memory_mb: float) -> list[TreeSample]:
    """Twice a second over all phases: memory that rises by a fifth while a queue is drained."""
    return [
        sample(at_ns, memory_mb=memory_mb * (1.2 if at_ns % (10 * S) in range(S, 3 * S) else 1.0), cpu_s=1 + at_ns / (50 * S))
        for at_ns in range(10 * S, 44 * S, S // 2)
    ]


def manifest(entered: list[str], runs: int, control: str | None) -> dict[str, Any]:
    plan = SuitePlan(
        lab="local",
        preset="quick",
        scenarios=(SCENARIO.name,),
        entries=tuple(Entry(name, name) for name in entered),
        sizes={},
        runs=runs,
        max_runs=runs,
        processes=2,
        concurrency=1,
        warmup_s=1,
        run_timeout_s=600,
        seed=1,
    )
    frameworks = sorted({BEHAVIOURS[name].framework for name in entered})
    return {
        "queuelab_version": "0.1.0",
        "git": {"commit": "0" * 40, "dirty": False},
        "command_line": ["lab", "run"],
        "seed": 1,
        "settings": {**asdict(plan), "redis": {"version": "8.0.2"}, "frameworks": {name: {} for name in frameworks}},
        "scenarios": {SCENARIO.name: describe_scenario(SCENARIO)},
        "control": control,
        "versions": {"redis": {"redis_version": "8.0.2"}, **{name: {name: "1.0"} for name in frameworks}},
        "host": {
            "cpu_model": "Made-up Processor",
            "logical_cores": 2,
            "memory_bytes": 8_000_000_000,
            "kernel": "Linux 6.0",
            "limits": {
                "open_files": 1024,
                "processes": None,
                "cgroup": dict.fromkeys(("version", "memory_bytes", "cpu_cores", "pids")),
            },
        },
    }


def store(results: ResultSet, variant: str, repetition: int, failure: str | None = None) -> None:
    run = results.next_run()
    row = RunResult(SCENARIO.name, BEHAVIOURS[variant].framework, variant, run, repetition, valid=False)
    sizes = {"tasks": CAPACITY, "rate_per_s": 100}
    if failure is not None:
        row = replace(row, failure=failure, flags=(RUN_FAILED.flag(reason=failure),))
        nothing: dict[str, Any] = {"phase_names": {}, "worker": None, "phases": [], "accounts": {}}
        results.store_run(row, tasks_frame({}), samples_frame([]), {"executed_variant": variant, "sizes": sizes, **nothing})
        return
    data = made_up_run(variant, repetition)
    flags = (*run_flags(data), *SCENARIO.flags(data))
    row = replace(row, valid=is_valid(flags), flags=flags, measures=SCENARIO.measures(data))
    results.store_run(row, tasks_frame(tables(data)), samples_frame(data.samples), record_of(data, sizes))


def tables(data: RunData) -> dict[int, TaskTable]:
    return {phase.record.number: phase.tasks for phase in data.phases.values()}


def record_of(data: RunData, sizes: Mapping[str, int]) -> dict[str, Any]:
    """As ``benchmarks.run.suite.record_of`` keeps it."""
    return {
        "executed_variant": data.variant,
        "sizes": sizes,
        "phase_names": {str(phase.record.number): name for name, phase in data.phases.items()},
        "worker": data.worker,
        "phases": [phase.record for phase in data.phases.values()],
        "accounts": {name: phase.account for name, phase in data.phases.items()},
    }


def good(root: Path) -> ResultSet:
    variants = [CONTROL, "swift", "swift-twin", "steady"]
    results = ResultSet.create(root, "good", manifest(variants, 8, CONTROL))
    for repetition in range(1, 9):
        for variant in variants:
            store(results, variant, repetition)
    results.finish("complete")
    return results


def invalid(root: Path) -> ResultSet:
    results = ResultSet.create(root, "invalid", manifest([CONTROL, "swift", "leaky", "absent"], 3, CONTROL))
    for repetition in range(1, 4):
        for variant in (CONTROL, "swift", "leaky"):
            failure = "the worker did not answer within 10 s" if (variant, repetition) == ("swift", 2) else None
            store(results, variant, repetition, failure)
    results.finish("interrupted")
    return results


def single(root: Path) -> ResultSet:
    results = ResultSet.create(root, "single", manifest(["swift"], 1, None))
    store(results, "swift", 1)
    results.finish("complete")
    return results


def pack(name: str, make: Callable[[Path], ResultSet]) -> Path:
    """Write the archive; the same code always gives the same files."""
    with tempfile.TemporaryDirectory() as temporary:
        results = make(Path(temporary))
        results.write_tables()
        file = results.path / "manifest.json"
        document = json.loads(file.read_text(encoding="utf-8")) | {"created_utc": CREATED, "finished_utc": FINISHED}
        file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        folder = Path(temporary) / f"{NAME}-{name}"
        shutil.move(results.path, folder)
        archive = FOLDER / f"{name}.tar.xz"
        with tarfile.open(archive, "w:xz", preset=9) as tar:
            tar.add(folder, folder.name, filter=_anonymous)
        return archive


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    for name, make in {"good": good, "invalid": invalid, "single": single}.items():
        written = pack(name, make)
        print(f"{written}: {written.stat().st_size / 1000:.0f} kB")
