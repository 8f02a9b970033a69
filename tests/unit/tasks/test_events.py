"""The event recorder: every record whole and present, whatever runs the tasks and however it ends."""

import asyncio
import errno
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.event_log import EVENT_DTYPE, events_from_bytes
from tasks.events import (
    EVENTS_DIR_VARIABLE,
    RECORD,
    Kind,
    NullRecorder,
    Outcome,
    Place,
    Recorder,
    recorder_from_environment,
)
from tests.support import child_environment, environment_python, event_files, events_in, open_descriptors, run_script, wait_for


def _close(folder: Path | str) -> None:
    for descriptor in open_descriptors(str(folder)):
        os.close(descriptor)


@pytest.fixture
def recorder(events_dir: Path) -> Iterator[Recorder]:
    yield Recorder(events_dir)
    _close(events_dir)


def _unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


NS = st.integers(-(2**63), 2**63 - 1)
TASK = {"run": _unsigned(32), "phase": _unsigned(8), "sequence": _unsigned(32), "due_ns": NS, "label": _unsigned(16)}
ENQUEUED = st.fixed_dictionaries({**TASK, "before_ns": NS, "after_ns": NS, "acknowledged": st.booleans()})
STARTED = st.fixed_dictionaries({**TASK, "attempt": _unsigned(16)})
FINISHED = st.fixed_dictionaries({**TASK, "attempt": _unsigned(16), "outcome": st.sampled_from(Outcome)})


def test_a_record_has_48_bytes_on_both_sides() -> None:
    assert RECORD.size == EVENT_DTYPE.itemsize == 48


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("enqueued"), ENQUEUED),
            st.tuples(st.just("started"), STARTED),
            st.tuples(st.just("finished"), FINISHED),
        ),
        min_size=1,
        max_size=10,
    )
)
def test_numpy_reads_exactly_what_was_recorded(records: list[tuple[str, dict[str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(folder)
        began_ns = time.monotonic_ns()
        for method, values in records:
            getattr(recorder, method)(**values)
        ended_ns = time.monotonic_ns()
        events = events_in(Path(folder))
        _close(folder)
    assert len(events) == len(records)
    for event, (method, values) in zip(events, records, strict=True):
        for name in ("run", "phase", "sequence", "label"):
            assert event[name] == values[name]
        assert event["process"] == os.getpid()
        if method == "enqueued":
            assert (event["kind"], event["place"], event["attempt"], event["thread"]) == (Kind.ENQUEUED, 0, 0, 0)
            assert event["outcome"] == (Outcome.OK if values["acknowledged"] else Outcome.FAILED)
            assert event[["first_ns", "second_ns", "third_ns"]].item() == (
                values["due_ns"],
                values["before_ns"],
                values["after_ns"],
            )
        else:
            assert (event["attempt"], event["thread"]) == (
                values["attempt"],
                threading.get_native_id() if method == "started" else 0,
            )
            assert began_ns <= event["first_ns"] <= ended_ns
            assert event[["second_ns", "third_ns"]].item() == (values["due_ns"], 0)
        if method == "started":
            assert (event["kind"], event["outcome"], event["place"]) == (Kind.STARTED, Outcome.NONE, Place.MAIN_THREAD)
        if method == "finished":
            assert (event["kind"], event["outcome"], event["place"]) == (Kind.FINISHED, values["outcome"], 0)


@given(_unsigned(8), st.integers(0, 47))
def test_an_unfinished_last_record_is_left_out(whole: int, rest: int) -> None:
    assert len(events_from_bytes(bytes(48 * whole + rest))) == whole


@pytest.mark.parametrize("bad", [{"phase": 256}, {"run": -1}, {"sequence": 2**32}])
def test_a_value_that_does_not_fit_is_an_error_and_leaves_no_record(
    recorder: Recorder, events_dir: Path, bad: dict[str, int]
) -> None:
    with pytest.raises(struct.error):
        recorder.started(**{"run": 1, "phase": 1, "sequence": 0, "due_ns": 0, **bad})
    assert len(events_in(events_dir)) == 0


def test_a_recorder_makes_its_folder_with_its_first_record(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    recorder = Recorder(folder)
    assert not folder.exists()
    recorder.started(1, 1, 0, 0)
    assert len(events_in(folder)) == 1
    _close(folder)


def test_a_file_emptied_by_its_reader_is_written_on_from_its_start(recorder: Recorder, events_dir: Path) -> None:
    recorder.started(1, 1, 0, 0)
    (path,) = events_dir.iterdir()
    os.truncate(path, 0)
    recorder.started(1, 1, 1, 0)
    assert events_in(events_dir)["sequence"].tolist() == [1]


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_folder_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(EVENTS_DIR_VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(EVENTS_DIR_VARIABLE, value)
    recorder = recorder_from_environment()
    assert isinstance(recorder, NullRecorder)
    recorder.enqueued(1, 1, 0, 0, 0, 0, True)
    recorder.started(1, 1, 0, due_ns=0)
    recorder.finished(1, 1, 0, 0, outcome=Outcome.OK)
    assert list(tmp_path.iterdir()) == []


def test_with_a_folder_it_is_recorded_there(monkeypatch: pytest.MonkeyPatch, events_dir: Path) -> None:
    monkeypatch.setenv(EVENTS_DIR_VARIABLE, str(events_dir))
    recorder_from_environment().started(1, 1, 7, 0)
    assert events_in(events_dir)["sequence"].tolist() == [7]
    _close(events_dir)


Write = Callable[[Recorder], None]
WRITES: list[Write] = [
    lambda recorder: recorder.enqueued(1, 1, 1, 0, 0, 0, True),
    lambda recorder: recorder.started(1, 1, 1, 0),
    lambda recorder: recorder.finished(1, 1, 1, 0),
]


class TestFailingWrites:
    """A record that cannot be written is an error of the task, never silence."""

    def test_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match="file"):
            Recorder(tmp_path / "file" / "events").started(1, 1, 0, 0)

    @pytest.mark.parametrize("write", WRITES)
    def test_full_disk(self, recorder: Recorder, events_dir: Path, write: Write) -> None:
        recorder.started(1, 1, 0, 0)
        full = os.open("/dev/full", os.O_WRONLY)
        (descriptor,) = open_descriptors(str(events_dir))
        os.dup2(full, descriptor)
        os.close(full)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            write(recorder)
        os.close(descriptor)

    @pytest.mark.parametrize("write", WRITES)
    def test_closed_descriptor(self, recorder: Recorder, events_dir: Path, write: Write) -> None:
        recorder.started(1, 1, 0, 0)
        _close(events_dir)
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            write(recorder)

    @pytest.mark.parametrize("record", ["enqueued(1, 1, 9, 0, 0, 0, True)", "started(1, 1, 9, 0)", "finished(1, 1, 9, 0)"])
    def test_a_record_cut_short_is_an_error_and_spoils_no_other(self, events_dir: Path, record: str) -> None:
        """The file may grow to 100 bytes: two records and a stump, as when a disk fills up."""
        said = run_script(
            f"""
import resource
from tasks.events import recorder_from_environment
recorder = recorder_from_environment()
recorder.started(1, 1, 0, 0)
recorder.started(1, 1, 1, 0)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
try:
    recorder.{record}
except OSError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
recorder.started(1, 1, 2, 0)
""",
            LAB_EVENTS_DIR=str(events_dir),
        )
        assert str(events_dir) in said
        sequences = [events_from_bytes(path.read_bytes())["sequence"].tolist() for path in events_dir.iterdir()]
        assert sorted(sequences) == [[0, 1], [2]]


def test_threads_lose_and_tear_nothing(recorder: Recorder, events_dir: Path) -> None:
    threads, tasks = 8, 300
    together = threading.Barrier(threads)

    def work(worker: int) -> int:
        together.wait()
        for sequence in range(worker * tasks, (worker + 1) * tasks):
            recorder.started(1, 1, sequence, 0)
            recorder.finished(1, 1, sequence, 0)
        return threading.get_native_id()

    with ThreadPoolExecutor(threads) as pool:
        native_ids = set(pool.map(work, range(threads)))

    events = events_in(events_dir)
    started, finished = (events[events["kind"] == kind] for kind in (Kind.STARTED, Kind.FINISHED))
    assert sorted(started["sequence"]) == sorted(finished["sequence"]) == list(range(threads * tasks))
    assert set(started["place"]) == {0}
    assert set(started["thread"]) == native_ids


def test_after_a_fork_everyone_writes_to_a_file_of_their_own(events_dir: Path) -> None:
    run_script(
        """
import os
from tasks.events import recorder_from_environment
recorder = recorder_from_environment()

def write(first):
    for sequence in range(first, first + 50):
        recorder.started(1, 1, sequence, 0)

write(0)
for child in (1, 2, 3):
    if os.fork() == 0:
        write(100 * child)
        if child == 3:
            if os.fork() == 0:
                write(400)
                os._exit(0)
            os.wait()
        os._exit(0)
write(50)
for child in (1, 2, 3):
    os.wait()
""",
        LAB_EVENTS_DIR=str(events_dir),
    )
    files = list(event_files(events_dir))
    assert all(len(set(events["process"])) == 1 for events in files)
    assert len({events["process"][0] for events in files}) == len(files)
    expected = [range(100), *(range(100 * child, 100 * child + 50) for child in (1, 2, 3, 4))]
    assert sorted(events["sequence"].tolist() for events in files) == [list(sequences) for sequences in expected]


def test_a_child_forked_while_the_parents_file_is_gone_still_records(events_dir: Path) -> None:
    run_script(
        """
import os
from tasks.events import recorder_from_environment
recorder = recorder_from_environment()
recorder.started(1, 1, 0, 0)
os.closerange(3, 256)
if os.fork() == 0:
    recorder.started(1, 1, 1, 0)
    os._exit(0)
os.wait()
""",
        LAB_EVENTS_DIR=str(events_dir),
    )
    assert sorted(events_in(events_dir)["sequence"]) == [0, 1]


@pytest.mark.parametrize("start_method", ["fork", "forkserver", "spawn"])
def test_a_process_pool_loses_nothing(events_dir: Path, start_method: str) -> None:
    run_script(
        """
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from tasks.workloads import execute
if __name__ == "__main__":
    execute(1, 0, 0, 0, "noop", None)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(sys.argv[1])) as pool:
        columns = ([1] * 60, [1] * 60, range(60), [0] * 60, ["noop"] * 60, [None] * 60)
        list(pool.map(execute, *columns))
""",
        start_method,
        LAB_EVENTS_DIR=str(events_dir),
    )
    events = events_in(events_dir)
    (parent,) = set(events["process"][events["phase"] == 0])
    measured = events[events["phase"] == 1]
    assert parent not in measured["process"]
    for kind in (Kind.STARTED, Kind.FINISHED):
        assert sorted(measured["sequence"][measured["kind"] == kind]) == list(range(60))
    assert set(measured["place"][measured["kind"] == Kind.STARTED]) == {Place.MAIN_THREAD}


def test_sigkill_loses_no_record_but_the_one_that_it_cuts(events_dir: Path) -> None:
    script = """
from itertools import count
from tasks.events import recorder_from_environment
recorder = recorder_from_environment()
for sequence in count():
    recorder.started(1, 1, sequence, 0)
    recorder.finished(1, 1, sequence, 0)
"""
    draw = random.Random(20261120)
    workers = [
        subprocess.Popen([sys.executable, "-c", script], env=child_environment(LAB_EVENTS_DIR=str(events_dir))) for _ in range(5)
    ]
    try:
        wait_for(lambda: sum(path.stat().st_size > 0 for path in events_dir.glob("*")) == len(workers), "all to have begun")
    finally:
        for worker in draw.sample(workers, len(workers)):
            time.sleep(draw.uniform(0, 0.01))
            worker.send_signal(signal.SIGKILL)
        for worker in workers:
            worker.wait()

    files = list(event_files(events_dir, killed=True))
    assert len(files) == len(workers)
    for events in files:
        order = np.arange(len(events))
        assert np.array_equal(events["sequence"], order // 2)
        assert np.array_equal(events["kind"], np.where(order % 2 == 0, Kind.STARTED, Kind.FINISHED))


GREENLETS = {
    "gevent": """
from gevent import monkey
monkey.patch_all()
from gevent.pool import Pool
pool = Pool(50)
join = pool.join
""",
    "eventlet": """
import eventlet
eventlet.monkey_patch()
pool = eventlet.GreenPool(50)
join = pool.waitall
""",
}


@pytest.mark.e2e
@pytest.mark.parametrize("library", GREENLETS)
def test_greenlets_lose_nothing_and_are_told_apart(events_dir: Path, library: str) -> None:
    run_script(
        GREENLETS[library]
        + """
from tasks.workloads import execute
execute(1, 0, 0, 0, "noop", None)
for sequence in range(200):
    pool.spawn(execute, 1, 1, sequence, 0, "sleep", 0.001)
join()
""",
        python=environment_python("celery"),
        LAB_EVENTS_DIR=str(events_dir),
        PYTHONWARNINGS="ignore",
    )
    events = events_in(events_dir)
    started, finished = (events[events["kind"] == kind] for kind in (Kind.STARTED, Kind.FINISHED))
    in_pool = started["phase"] == 1
    assert sorted(started["sequence"][in_pool]) == sorted(finished["sequence"][finished["phase"] == 1]) == list(range(200))
    assert set(started["place"][in_pool]) == {Place.MAIN_THREAD | Place.GREENLET}
    assert set(started["place"][~in_pool]) == {Place.MAIN_THREAD}
    assert set(started["thread"]) == set(started["process"])
    # They overlap: some task starts before the one that started ahead of it has finished.
    assert (started["first_ns"][in_pool][1:] < np.sort(finished["first_ns"][finished["phase"] == 1])[:-1]).any()


def test_places_tell_main_thread_thread_and_coroutine_apart(recorder: Recorder, events_dir: Path) -> None:
    def start(sequence: int) -> None:
        recorder.started(1, 1, sequence, 0)

    async def start_in_loop() -> None:
        start(2)
        await asyncio.to_thread(start, 3)

    def run_loop_in_thread() -> None:
        async def inner() -> None:
            start(4)

        asyncio.run(inner())

    start(0)
    for target in (lambda: start(1), run_loop_in_thread):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    asyncio.run(start_in_loop())

    places = dict(events_in(events_dir)[["sequence", "place"]].tolist())
    assert places == {0: Place.MAIN_THREAD, 1: 0, 2: Place.MAIN_THREAD | Place.COROUTINE, 3: 0, 4: Place.COROUTINE}
