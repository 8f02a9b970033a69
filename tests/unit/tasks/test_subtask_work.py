"""The parts of a task: what they make, how long they take, in which ways they are done."""

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import tasks.subtask_work
from infrastructure.event_log import Events, events_from_bytes
from tasks.events import Kind, Recorder
from tasks.plain_ways import coroutines, sequential, threads
from tasks.subtask_work import ONE_SUBTASK, SUBTASKS, data_object, expected_checksum, row_count
from tasks.ways import ways_of

TASK = (1, 2, 3, 1)


def order(**changes: Any) -> dict[str, Any]:
    made = {"subtasks": 4, "at_once": 2, "size_bytes": 50_000, "time_s": 0.02, "way": ways_of("thread", {})["threads"]}
    return dict(SUBTASKS.prepare({**made, **changes}))


def read_folder(folder: Path) -> Events:
    return events_from_bytes(b"".join(file.read_bytes() for file in folder.iterdir()))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tasks.subtask_work, "recorder", Recorder(tmp_path))
    return tmp_path


@pytest.mark.parametrize("size_bytes", [1, 100_000, 20_000_000])
def test_an_object_has_its_size_in_rows_of_its_own(size_bytes: int) -> None:
    rows = data_object(size_bytes, 3)
    own = sum(sys.getsizeof(row) for row in rows[:1000]) / len(rows[:1000]) * len(rows) + 8 * len(rows)
    assert own == pytest.approx(max(size_bytes, 1032), rel=0.01)
    assert len(rows) == row_count(size_bytes)
    assert len({id(row) for row in rows}) == len(rows)


def test_parts_differ_and_so_do_their_checksums() -> None:
    assert data_object(50_000, 0) != data_object(50_000, 1)
    assert len({expected_checksum(50_000, number) for number in range(20)}) == 20


@pytest.mark.parametrize("name", ["sequential", "threads"])
def test_every_part_is_done_once_and_recorded_with_its_time(name: str, log: Path) -> None:
    SUBTASKS.blocking(order(way=ways_of("main-thread", {})[name]), TASK)
    records = read_folder(log)
    assert set(records["kind"]) == {Kind.SUBTASK}
    assert sorted(records["label"]) == [0, 1, 2, 3]
    assert {(row["run"], row["phase"], row["sequence"]) for row in records} == {TASK[:3]}
    assert (records["second_ns"] - records["first_ns"]).min() >= 20_000_000


def test_on_a_loop_the_parts_go_on_beside_each_other(log: Path) -> None:
    asyncio.run(SUBTASKS.coroutine(order(way=ways_of("coroutine", {})["coroutines"], at_once=4), TASK))  # type: ignore[misc, arg-type]
    records = read_folder(log)
    assert sorted(records["label"]) == [0, 1, 2, 3]
    assert records["first_ns"].max() < records["second_ns"].min()


def test_a_part_that_is_a_task_of_its_own_is_the_one_of_its_number(log: Path) -> None:
    for sequence in (4, 1):
        ONE_SUBTASK.blocking(order(), (1, 2, sequence, 1))
    asyncio.run(ONE_SUBTASK.coroutine(order(), (1, 2, 7, 1)))  # type: ignore[misc, arg-type]
    assert sorted(read_folder(log)["label"]) == [0, 1, 3]


@pytest.mark.parametrize("name", ["sequential", "threads"])
def test_data_that_is_not_what_was_expected_fails_the_task(name: str, log: Path) -> None:
    wrong = order(way=ways_of("main-thread", {})[name])
    wrong["checksums"][2] ^= 1
    with pytest.raises(ValueError, match="the data of part 2 has the checksum"):
        SUBTASKS.blocking(wrong, TASK)


def test_a_part_takes_its_time_though_its_sleeps_end_early() -> None:
    ended_early = order(subtasks=1, way=ways_of("thread", {})["sequential"])
    began_s = time.monotonic()
    for wait_s in tasks.subtask_work._steps(ended_early, 0, TASK):
        time.sleep(wait_s / 2)
    assert time.monotonic() - began_s >= ended_early["time_s"]


@pytest.mark.parametrize("way", [sequential, threads])
@pytest.mark.parametrize("at_once", [1, 3])
def test_a_way_does_all_parts_and_no_more_at_once_than_it_may(way: Any, at_once: int) -> None:
    lock, now, most, done = threading.Lock(), [0], [0], []

    def part(number: int, sleep: Any) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        sleep(0.005)
        with lock:
            now[0] -= 1
            done.append(number)

    way(part, 7, at_once)
    assert sorted(done) == list(range(7))
    assert most[0] <= (1 if way is sequential else at_once)


def test_coroutines_are_no_more_at_once_than_they_may_be() -> None:
    now, most, done = [0], [0], []

    async def part(number: int, sleep: Any) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await sleep(0.001)
        now[0] -= 1
        done.append(number)

    asyncio.run(coroutines(part, 9, 3))
    assert sorted(done) == list(range(9))
    assert most[0] == 3


def test_the_ways_are_those_of_python_and_a_variants_own() -> None:
    assert [*ways_of("thread", {})] == ["sequential", "threads"]
    assert [*ways_of("coroutine", {})] == ["coroutines"]
    own = ways_of("greenlet", {"greenlets": "some.module:pool"})
    assert own["greenlets"] == "some.module:pool"
    assert set(own) == {"sequential", "threads", "greenlets"}


def test_the_time_limit_of_a_task_is_above_what_it_takes_one_after_another() -> None:
    sent = order(subtasks=10, time_s=0.5, size_bytes=20_000_000, at_once=4)
    assert SUBTASKS.longest_s(sent) > 10 * 0.5
    assert 0.5 < ONE_SUBTASK.longest_s(sent) < SUBTASKS.longest_s(sent)
