"""A log that is taken as it grows gives every record once, whatever is dropped meanwhile, and stays small."""

import os
from pathlib import Path

import pytest

from infrastructure.agent.counting import EventReader
from infrastructure.agent.shedding import bytes_taken, drop_before, records_after
from infrastructure.event_log import events_from_bytes
from tasks.events import RECORD, Kind, Outcome

ENDED = 2**22 + 1
"""No process has this number: it is above the most that Linux gives."""
MOST = 1_000_000


def record(sequence: int) -> bytes:
    return RECORD.pack(Kind.ENQUEUED, Outcome.OK, 0, 1, 0, 0, 1, sequence, 7, 0, 0, 0, 0)


def write(file: Path, first: int, count: int) -> None:
    with file.open("ab") as opened:
        opened.write(b"".join(record(number) for number in range(first, first + count)))


def numbers(records: bytes) -> list[int]:
    return [int(number) for number in events_from_bytes(records)["sequence"]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / f"{os.getpid()}-1.events"


@pytest.mark.parametrize("most", [RECORD.size, 10 * RECORD.size + 5, MOST])
def test_every_record_is_handed_out_once_while_the_log_grows_and_is_dropped(tmp_path: Path, log: Path, most: int) -> None:
    cursors: dict[str, int] = {}
    found: list[int] = []
    for part in range(4):
        write(log, 100 * part, 100)
        write(tmp_path / f"{os.getpid()}-2.events", 1000 + 100 * part, 100)
        while records := (taken := records_after(tmp_path, cursors, most)).records:
            found += numbers(records)
            cursors = dict(taken.cursors)
        drop_before(tmp_path, cursors)
    assert sorted(found) == [*range(400), *range(1000, 1400)]


def test_what_is_dropped_takes_no_space_and_leaves_the_rest(tmp_path: Path, log: Path) -> None:
    write(log, 0, 20_000)
    before = bytes_taken(log)
    drop_before(tmp_path, {log.name: 19_000 * RECORD.size})
    assert bytes_taken(log) < before / 10
    write(log, 20_000, 1)
    assert numbers(records_after(tmp_path, {log.name: 19_000 * RECORD.size}, MOST).records) == list(range(19_000, 20_001))


def test_a_record_that_is_being_written_is_left_for_later(tmp_path: Path, log: Path) -> None:
    log.write_bytes(record(0) + record(1)[:20])
    taken = records_after(tmp_path, {}, MOST)
    assert numbers(taken.records) == [0]
    log.write_bytes(record(0) + record(1))
    assert numbers(records_after(tmp_path, taken.cursors, MOST).records) == [1]


def test_the_file_of_a_process_that_has_ended_goes_once_it_was_taken_whole(tmp_path: Path, log: Path) -> None:
    left = tmp_path / f"{ENDED}-1.events"
    for file in (left, log):
        write(file, 0, 3)
    drop_before(tmp_path, {left.name: RECORD.size, log.name: 3 * RECORD.size})
    assert left.exists()
    drop_before(tmp_path, {left.name: 3 * RECORD.size, log.name: 3 * RECORD.size})
    assert not left.exists()
    assert log.exists(), "its process may write more"


def test_a_file_that_was_emptied_is_read_from_its_start(tmp_path: Path, log: Path) -> None:
    write(log, 0, 5)
    cursors = records_after(tmp_path, {}, MOST).cursors
    log.write_bytes(b"")
    write(log, 7, 2)
    assert numbers(records_after(tmp_path, cursors, MOST).records) == [7, 8]


def test_what_is_dropped_stays_counted(tmp_path: Path, log: Path) -> None:
    reader = EventReader(tmp_path)
    write(log, 0, 500)
    reader.drop_before(reader.records_after({}, MOST).cursors)
    write(log, 500, 10)
    assert reader.counts(1)[1]["enqueued_ok"] == 510
    assert reader.totals().counts["enqueued_ok"] == 510
    assert reader.totals().log_bytes < 500 * RECORD.size
