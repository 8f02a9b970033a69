"""The command line as a user starts it, and proof that nothing of it is left."""

import csv
import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.results.result_set import ResultSet
from infrastructure.janitor import processes_of_lab
from tests.support import CHECKOUT, environment_python, wait_for

SCENARIO = "scenario_1_throughput"
SMALL = ("--scenario", "1", "--preset", "quick", "--size", "paced_s=0.5", "--size", "half_s=0.5", "--warmup-seconds", "0")
"""The least that a run of the scenario can be; tests add the number of tasks and of runs."""
REFUSED = "another lab runs on this machine"
REFUSED_FOR_S = 180.0
LIMIT_S = 240.0


def sizes(tasks: int, runs: int = 1) -> tuple[str, ...]:
    """Options for so many tasks in the capacity phase, and exactly so many runs of each variant."""
    return "--size", f"tasks={tasks}", "--runs", str(runs), "--max-runs", str(runs)


@dataclass(frozen=True, slots=True)
class StartedLab:
    """The lab that a command has started, as its janitor has it."""

    lab_id: str
    folder: Path

    def processes(self) -> set[int]:
        """What is alive of it."""
        return processes_of_lab(self.lab_id, self.folder)

    def temporary_files(self) -> set[Path]:
        """What its processes have open in shared memory and in folders for what is temporary: semaphores, logs, events. Not what
        is the checkout's, which may lie in such a folder itself."""
        found = set()
        for process in self.processes():
            with suppress(OSError):
                mapped = Path(f"/proc/{process}/maps").read_text().splitlines()
                found |= {Path(line[line.index("/") :]) for line in mapped if "/" in line}
            with suppress(OSError):
                found |= {descriptor.readlink() for descriptor in Path(f"/proc/{process}/fd").iterdir()}
        temporary = (Path("/dev/shm"), Path(tempfile.gettempdir()))
        return {p for p in found if any(p.is_relative_to(t) for t in temporary) and not p.is_relative_to(CHECKOUT)}

    def left(self) -> list[str]:
        """What is still there of it."""
        return [f"process {p}" for p in self.processes()] + [str(p) for p in (self.folder,) if p.exists()]


@dataclass
class Command:
    """A command line that runs."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    labs: list[StartedLab] = field(default_factory=list)

    def output(self) -> str:
        """What it has printed so far."""
        return self.out.read_text()

    def errors(self) -> str:
        """What it has complained of so far."""
        return self.err.read_text()

    def look(self) -> None:
        """Remember the lab that it has started, if it has."""
        with suppress(OSError, ValueError):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            for child in children:
                arguments = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                if "infrastructure.janitor" in arguments:
                    lab_id, folder = arguments[arguments.index("infrastructure.janitor") + 1 :][:2]
                    lab = StartedLab(lab_id, Path(folder))
                    if lab not in self.labs:
                        self.labs.append(lab)

    def until_printed(self, text: str) -> None:
        """Wait until it has printed this."""
        give_up_at = time.monotonic() + LIMIT_S
        while text not in self.output():
            self.look()
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.output()}{self.errors()}"
            assert time.monotonic() < give_up_at, f"{text!r} was not printed: {self.output()}{self.errors()}"
            time.sleep(0.02)

    def watch(self, seconds: float) -> None:
        """Let it run for so long, or until it ends."""
        end_at = time.monotonic() + seconds
        while time.monotonic() < end_at and self.process.poll() is None:
            self.look()
            time.sleep(0.02)

    def end(self) -> "Ended":
        """Wait for its end. Nothing of its lab is left then."""
        self.watch(LIMIT_S)
        assert self.process.poll() is not None, f"it does not end: {self.output()}{self.errors()}"
        assert [lab.left() for lab in self.labs if lab.left()] == []
        return Ended(self.process.returncode, self.output(), self.errors(), tuple(self.labs))


@dataclass(frozen=True)
class Ended:
    """A command line that has ended: its exit code, what it printed, and the labs that it had started."""

    code: int
    output: str
    errors: str
    labs: tuple[StartedLab, ...]

    @cached_property
    def results(self) -> ResultSet:
        """The result set that it wrote."""
        line = next(line for line in self.output.splitlines() if line.startswith("Writing to "))
        return ResultSet.open(Path(line.removeprefix("Writing to ")))

    def documents(self) -> dict[str, dict[str, Any]]:
        """The ``run.json`` of every run, by the name of its variant; there must be one run of each."""
        found = [json.loads(path.read_text()) for path in sorted(self.results.path.glob("runs/*/run.json"))]
        by_name = {document["variant"]: document for document in found}
        assert len(by_name) == len(found)
        return by_name

    def rows(self) -> list[dict[str, str]]:
        """The rows of the scenario's CSV."""
        with (self.results.path / f"{SCENARIO}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def row(self, variant: str) -> dict[str, str]:
        """The one row of a variant."""
        [found] = [row for row in self.rows() if row["variant"] == variant]
        return found


class LabCli:
    """Starts ``python -E -m benchmarks``, as recipes do, by the lab's own interpreter; result sets go to a folder of the test."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.results = folder / "results"
        self._folder = folder
        self._environment = dict(environment)
        self._started: list[Command] = []
        self.wrapper: tuple[str, ...] = ()
        """A command to start it by."""

    def start(self, *arguments: str, **environment: str) -> Command:
        """Start it and go on. It is refused where another of the same tests runs, see :meth:`run`."""
        number = len(self._started)
        out, err = self._folder / f"{number}.out", self._folder / f"{number}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [*self.wrapper, str(environment_python("lab")), "-E", "-m", "benchmarks", *arguments],
                cwd=CHECKOUT,
                env={**self._environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
            )
        command = Command(process, out, err)
        self._started.append(command)
        return command

    def run(self, *arguments: str, **environment: str) -> Ended:
        """Run it to its end, once no other of these tests does."""
        give_up_at = time.monotonic() + REFUSED_FOR_S
        while True:
            ended = self.start(*arguments, **environment).end()
            if REFUSED not in ended.errors:
                return ended
            assert time.monotonic() < give_up_at, ended.errors
            time.sleep(2)

    def begin(self, *arguments: str, until: str = "") -> Command:
        """Start it, once no other of these tests runs, and go on when its lab is there and it has printed ``until``."""
        give_up_at = time.monotonic() + REFUSED_FOR_S
        while True:
            command = self.start(*arguments)
            while command.process.poll() is None and not command.labs:
                command.look()
                time.sleep(0.01)
            if REFUSED not in command.errors():
                command.until_printed(until)
                return command
            assert time.monotonic() < give_up_at, command.errors()
            time.sleep(2)

    def close(self) -> None:
        """End what still runs."""
        for command in self._started:
            if command.process.poll() is None:
                command.process.kill()
                command.process.wait()
            for lab in command.labs:
                wait_for(lambda lab=lab: not lab.left(), "the lab to end")  # type: ignore[misc]
