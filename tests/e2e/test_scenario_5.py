"""Scenario 5 on a real Redis: what arrives is what was sent, in every serializer, and stale data shows."""

from pathlib import Path

import pytest

from benchmarks.record.run_data import RunResult
from benchmarks.results.stored_run import StoredRun
from benchmarks.run.labs.local import LocalLab
from tests.e2e.scenario_support import require_valid, run_scenario, stored

SIZES = {"tasks": 10, "each": 4, "each_large": 3, "samples": 3, "message_s": 1, "seen": 3, "others": 1}
CONTROL, BY_REFERENCE, BY_VALUE = "floor", "asynctasq-async", "celery-solo"
OTHERS = ("pickle", "msgpack", "yaml")

pytestmark = pytest.mark.e2e


def measure(row: RunResult, name: str) -> float:
    value = row.measures[name]
    assert value is not None, name
    return value


def test_payloads_cost_what_serializers_make_of_them_and_stale_data_shows(local_lab: LocalLab, tmp_path: Path) -> None:
    results = run_scenario(local_lab, tmp_path, 5, (CONTROL, BY_REFERENCE, BY_VALUE), SIZES)
    rows = require_valid(results)
    for name, row in rows.items():
        assert (row.measures["failed"], row.measures["lost"], row.measures["duplicated"]) == (0, 0, 0)
        for kind in ("nested", "text", "bytes"):
            message_bytes = measure(row, f"default_{kind}_100kb_message_bytes")
            assert message_bytes > 20 * measure(row, f"default_{kind}_1kb_message_bytes")
            # It is sent, given out, and named again to be acknowledged.
            assert 2.9 < measure(row, f"default_{kind}_100kb_wire_bytes") / message_bytes < 3.2
            assert measure(row, f"default_{kind}_100kb_enqueue_us") > 0
            assert measure(row, f"default_{kind}_100kb_end_to_end_ms") > 0
        assert 0.8 < measure(row, "default_nested_100kb_memory_bytes") / measure(row, "default_nested_100kb_message_bytes") < 1.5
        assert measure(row, "default_nested_100kb_decode_us") > 3 * measure(row, "default_nested_1kb_decode_us")
        assert row.measures["default_nested_1mb_message_bytes"] is None
        assert (measure(row, "orm_dict_stale_share"), measure(row, "orm_id_stale_share")) == (1, 0)
        assert_traceable(stored(results, name))
    # Bytes go as they are; in base64; in base64 twice.
    growth = {name: measure(row, "default_bytes_100kb_message_bytes") / 100_000 for name, row in rows.items()}
    assert growth == pytest.approx({BY_REFERENCE: 1, CONTROL: 4 / 3, BY_VALUE: 16 / 9}, abs=0.05)

    assert rows[CONTROL].measures["orm_model_stale_share"] is None
    assert measure(rows[BY_REFERENCE], "orm_model_stale_share") == 0
    assert measure(rows[BY_VALUE], "orm_model_stale_share") == 1
    assert measure(rows[BY_REFERENCE], "orm_payload_reduction_share") > 0.8
    assert measure(rows[BY_VALUE], "orm_payload_reduction_share") < 0.5
    assert measure(rows[BY_REFERENCE], "orm_model_decode_us") > 2 * measure(rows[BY_REFERENCE], "orm_dict_decode_us")

    for serializer in OTHERS:
        assert measure(rows[BY_VALUE], f"{serializer}_nested_1kb_wire_bytes") > 2_000
        assert {rows[name].measures[f"{serializer}_nested_1kb_message_bytes"] for name in (CONTROL, BY_REFERENCE)} == {None}
    for phase in stored(results, BY_VALUE).record["phases"]:
        (accepted,) = phase["worker"]["settings"]["accept_content"]
        assert accepted in phase["name"].split("_")


def assert_traceable(run: StoredRun) -> None:
    """What the readings beside the result say is what the row says."""
    messages, seen = run.reading("messages"), run.reading("orders_seen")
    serializer = run.record["phases"][0]["name"].removeprefix("stale_")
    chosen = messages[(messages["serializer"] == serializer) & (messages["kind"] == "nested") & (messages["size_bytes"] == 1_000)]
    assert chosen["decode_us"].median() == pytest.approx(measure(run.result, "default_nested_1kb_decode_us"))
    assert (seen["row_version"] > seen["sent_version"]).all()
    assert len(seen) == measure(run.result, "orm_changed_count") == SIZES["seen"] * seen["way"].nunique()
    stale = seen[seen["seen_version"] != seen["row_version"]]
    assert (stale["seen_version"] == stale["sent_version"]).all()
    assert "id" not in set(stale["way"])
