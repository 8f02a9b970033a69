"""What makes an epoch of its own, and that nothing of two epochs is averaged together."""

import csv
import io
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results.epochs import both_uncommitted, differences, moved_facts
from benchmarks.results.result_set import ResultSet
from tests.unit.results.test_result_set import NAME, gathered, row, store


def full() -> dict[str, Any]:
    variants = [{"name": "fast", "slots_per_process": 1}]
    redis = {"version": "8.0.2", "settings": {"appendonly": "no"}}
    frameworks = {"some": {"variants": variants, "databases": [{"url": "redis://127.0.0.1:38803/1"}]}}
    return gathered(settings={"runs": 3, "redis": redis, "frameworks": frameworks, "images": {"worker": "sha256:1"}})


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("git", "commit"), "b" * 40, f"git commit: {'a' * 40} → {'b' * 40}"),
        (("git", "dirty"), True, "git dirty: False → True"),
        (("git",), None, "git: {'commit': '" + "a" * 40 + "', 'dirty': False} → –"),
        (("queuelab_version",), "0.2.0", "queuelab version: 0.1.0 → 0.2.0"),
        (("host", "kernel"), "Linux 7", "host kernel: Linux → Linux 7"),
        (("host", "cpu_model"), "Other", "host cpu model: – → Other"),
        (("host", "limits", "cgroup", "cpu_cores"), 0.6, "host limits cgroup cpu cores: – → 0.6"),
        (("versions", "redis", "redis_version"), "7.0", "versions redis redis version: 8.0.2 → 7.0"),
        (("settings", "redis", "settings", "appendonly"), "yes", "redis settings appendonly: no → yes"),
        (("settings", "images", "worker"), "sha256:2", "images worker: sha256:1 → sha256:2"),
        (("settings", "frameworks", "some", "variants"), [], "variants some: [{'name': 'fast', 'slots_per_process': 1}] → []"),
    ],
)
def test_what_differs_is_named_with_what_it_was_and_is(path: tuple[str, ...], value: object, said: str) -> None:
    now = deepcopy(full())
    place = now
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert [str(found) for found in differences(full(), now)] == [said]
    assert differences(now, now) == []


def test_what_passes_is_no_difference() -> None:
    now = deepcopy(full())
    now["host"] |= {"boot_id": "other", "frequency_mhz": 1.0}
    now["command_line"] = ["lab", "run", "--resume"]
    now["settings"]["frameworks"]["some"]["databases"][0]["url"] = "redis://127.0.0.1:40000/1"
    assert differences(full(), now) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [(100.0, []), (87.0, []), (115.0, []), (86.0, ["hash per ms: 100 → 86"]), (116.0, ["hash per ms: 100 → 116"])],
)
def test_a_machine_whose_calibration_has_moved_is_another(now: float, said: list[str]) -> None:
    was = {"hash_per_ms": 100.0, "not_found_out_again": 1.0}
    assert [str(found) for found in moved_facts(was, {"hash_per_ms": now})] == said


def test_two_uncommitted_states_cannot_be_told_apart() -> None:
    dirty = {**full(), "git": {"commit": "a" * 40, "dirty": True}}
    assert both_uncommitted(dirty, dirty)
    assert not both_uncommitted(full(), dirty)
    assert not both_uncommitted({**full(), "git": None}, dirty)


def test_rows_of_two_epochs_stand_apart_and_each_has_a_control_of_its_own(tmp_path: Path) -> None:
    results = ResultSet.create(tmp_path, "quick", gathered())
    results.store_fact("hash_per_ms", 10.0)
    now = gathered(git={"commit": "b" * 40, "dirty": False})
    for number in (1, 3):
        drained = {"drain_per_s": 100.0 * number}
        store(results, replace(row(number, "bare", number), epoch=results.epoch, measures=drained))
        store(results, replace(row(number + 1, "fast", number), epoch=results.epoch, measures={"drain_per_s": 50.0}))
        if number == 1:
            results.begin_epoch(differences(results.manifest(), now), now)
            assert results.facts() == {}, "what was found out of another machine does not hold"
            results.store_fact("hash_per_ms", 20.0)
    again = ResultSet.open(results.path)
    assert (again.epoch, again.facts(), again.manifest()["facts"]) == (2, {"hash_per_ms": 20.0}, {"hash_per_ms": 10.0})
    assert differences(again.manifest(), now) == []
    assert {r.variant: r.measures["drain_share_of_control"] for r in again.rows(NAME)} == pytest.approx(
        {"bare": 1, "fast": 0.5, "bare-epoch-2": 1, "fast-epoch-2": 50 / 300}
    )
    again.write_tables()
    table = list(csv.DictReader(io.StringIO((again.path / f"{NAME}.csv").read_text(encoding="utf-8"))))
    assert [(line["variant"], line["epoch"]) for line in table] == [("bare", "1"), ("fast", "1"), ("bare", "2"), ("fast", "2")]
