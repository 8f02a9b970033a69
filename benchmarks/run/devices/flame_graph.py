"""A flame graph of a worker's process tree while a phase goes on, drawn by py-spy."""

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil

from benchmarks.run.contract import Places
from benchmarks.run.environment import lab_environment
from benchmarks.run.labs.lab import LabError

BEGIN_LIMIT_S = 30.0
END_LIMIT_S = 120.0
_POLL_S = 0.02
_SAMPLING = "Sampling process"
_WRITTEN = re.compile(r"Samples: (?P<samples>\d+) Errors: (?P<errors>\d+)")


@dataclass(frozen=True, slots=True)
class FlameGraph:
    """Samples the stacks of all Python processes below the worker's node agent, which is the trunk that they all hang on, and
    writes ``file`` (SVG). Threads that wait are left out. The worker is not stopped for a sample: it is paused by signals of its
    own while a queue is filled. ``variables`` are added to the environment of py-spy. Its reading is one row: ``samples``, and
    how many of them could not be read (``errors``).

    Raises LabError where py-spy may not look into the processes or fails.
    """

    file: Path
    rate_per_s: int
    variables: Mapping[str, str]

    @property
    def name(self) -> str:
        """What its reading is called."""
        return "flame_graph"

    @contextmanager
    def attach(self, places: Places, run: int, phase: int) -> Iterator[Callable[[], pd.DataFrame]]:
        """Sample from now on; what is given ends that, writes the file and reads how many samples it holds."""
        agent = agent_of(places.worker.worker().pids)
        self.file.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=self.file.parent) as folder:
            drawn, log = Path(folder) / self.file.name, Path(folder) / "log"
            with log.open("wb") as output:
                spy = subprocess.Popen(
                    [
                        *(str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(agent)),
                        *("--subprocesses", "--nonblocking", "--function", "--rate", str(self.rate_per_s)),
                        *("--format", "flamegraph", "--output", str(drawn)),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=lab_environment(self.variables),
                    start_new_session=True,
                )
            try:
                _await_sampling(spy, log, agent)
                yield lambda: self._end(spy, log, drawn)
            finally:
                spy.kill()
                spy.wait()

    def _end(self, spy: subprocess.Popen[bytes], log: Path, drawn: Path) -> pd.DataFrame:
        spy.send_signal(signal.SIGINT)
        try:
            spy.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise LabError(f"py-spy has not drawn {self.file.name} within {END_LIMIT_S:.0f} s: lower --rate") from None
        said = log.read_text(errors="replace")
        counted = _WRITTEN.search(said)
        if counted is None or not drawn.exists():
            raise LabError(f"py-spy has drawn no flame graph; it says:\n{said.strip()}")
        drawn.rename(self.file)
        return pd.DataFrame([{name: int(counted[name]) for name in ("samples", "errors")}])


def agent_of(pids: Sequence[int]) -> int:
    """The process that started a worker of these processes."""
    process = psutil.Process(pids[0])
    while process.ppid() in pids:
        process = psutil.Process(process.ppid())
    return process.ppid()


def _await_sampling(spy: subprocess.Popen[bytes], log: Path, agent: int) -> None:
    give_up_at = time.monotonic() + BEGIN_LIMIT_S
    while _SAMPLING not in (said := log.read_text(errors="replace")):
        if spy.poll() is not None:
            raise LabError(
                f"py-spy may not look into process {agent} or cannot read it. Run as root, or allow it to processes of the same "
                f"user (sysctl kernel.yama.ptrace_scope=0). It says:\n{said.strip()}"
            )
        if time.monotonic() > give_up_at:
            raise LabError(f"py-spy is not sampling process {agent} after {BEGIN_LIMIT_S:.0f} s; it says:\n{said.strip()}")
        time.sleep(_POLL_S)
