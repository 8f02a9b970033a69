"""Payloads: of exactly their size, the same from the same seed, and checked to the last character."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.payload_work import KINDS, PAYLOAD, payload, shortest_json

TASK_ID = (1, 1, 0, 1)


def size_of(made: object) -> int:
    if isinstance(made, bytes):
        return len(made)
    return len(made.encode()) if isinstance(made, str) else len(shortest_json(made))


@given(kind=st.sampled_from(KINDS), size_bytes=st.integers(100, 5_000), seed=st.integers(0, 5))
def test_a_payload_has_exactly_its_size_and_is_the_same_again(kind: str, size_bytes: int, seed: int) -> None:
    made = payload(kind, size_bytes, seed)
    assert size_of(made) == size_bytes
    assert made == payload(kind, size_bytes, seed)
    assert made != payload(kind, size_bytes, seed + 1)


def test_kinds_are_what_they_are_called() -> None:
    text, nested, raw = (payload(kind, 1_000, 1) for kind in ("text", "nested", "bytes"))
    assert not text.isascii()
    assert {type(value) for record in nested["records"] for value in record.values()} >= {
        int,
        float,
        bool,
        type(None),
        list,
        dict,
    }
    assert isinstance(raw, bytes)
    with pytest.raises(UnicodeDecodeError):
        raw.decode()


def test_what_arrives_as_it_was_sent_passes() -> None:
    for kind in KINDS:
        order = {"kind": kind, "size_bytes": 1_000, "seed": 3}
        argument = PAYLOAD.prepare(order)
        PAYLOAD.blocking(argument if kind == "bytes" else json.loads(json.dumps(argument)), TASK_ID)


@pytest.mark.parametrize("kind", KINDS)
def test_what_arrives_otherwise_fails(kind: str) -> None:
    argument = PAYLOAD.prepare({"kind": kind, "size_bytes": 1_000, "seed": 3})
    content = argument["content"]
    damaged = {**content, "note": "?"} if isinstance(content, dict) else content[:-1]
    with pytest.raises(ValueError, match=f"{kind} of 1000 bytes did not arrive as it was sent"):
        PAYLOAD.blocking({**argument, "content": damaged}, TASK_ID)


def test_what_cannot_be_made_is_named() -> None:
    with pytest.raises(ValueError, match="no payload of kind 'sound': there are"):
        payload("sound", 1_000, 1)
    with pytest.raises(ValueError, match="a payload of nested takes more than 10 bytes"):
        payload("nested", 10, 1)
