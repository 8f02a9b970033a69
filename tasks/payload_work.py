"""Payloads of a kind and size, made from a seed, and the body that checks what has arrived. Standard library only.

A size is that of the payload by itself, whatever a serializer makes of it: of text its UTF-8 bytes, of bytes their number, of
nested data its shortest JSON text.
"""

import functools
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from tasks.workloads import TaskId, Workload, no_time

_WORDS = (
    *("order", "parcel", "invoice", "stock", "customer", "street", "delivery", "Tuesday", "payment", "return", "gift", "voucher"),
    *("Größe", "café", "naïve", "Łódź", "piñata", "東京"),
)
"""Some are not ASCII, as in what people write: JSON takes six bytes for each such character."""


def payload(kind: str, size_bytes: int, seed: int) -> Any:
    """Text, nested data or bytes of exactly this size. Raises ValueError for another kind and for a size that is too small."""
    if kind not in _MADE:
        raise ValueError(f"no payload of kind {kind!r}: there are {', '.join(_MADE)}")
    made, missing_bytes = _MADE[kind](size_bytes, random.Random(f"{kind}/{size_bytes}/{seed}"))
    if missing_bytes < 0:
        raise ValueError(f"a payload of {kind} takes more than {size_bytes} bytes")
    return made


def shortest_json(data: Any) -> bytes:
    """The shortest JSON text of nested data, as bytes."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def _bytes(size_bytes: int, draw: random.Random) -> tuple[bytes, int]:
    return draw.randbytes(size_bytes), 0


def _text(size_bytes: int, draw: random.Random) -> tuple[str, int]:
    words: list[str] = []
    left_bytes = size_bytes
    while left_bytes > 0:
        words.append(draw.choice(_WORDS))
        left_bytes -= len(words[-1].encode()) + 1
    text = " ".join(words).encode()[:size_bytes].decode(errors="ignore")
    return text + "." * (size_bytes - len(text.encode())), 0


def _nested(size_bytes: int, draw: random.Random) -> tuple[dict[str, Any], int]:
    """Records as an application's events have them, then small ones, and padding up to the size."""
    data: dict[str, Any] = {"records": [], "note": ""}
    left_bytes = size_bytes - len(shortest_json(data))
    for make in (_record, _small_record):
        while True:
            record = make(draw)
            record_bytes = len(shortest_json(record)) + (1 if data["records"] else 0)
            if record_bytes > left_bytes:
                break
            data["records"].append(record)
            left_bytes -= record_bytes
    data["note"] = "-" * left_bytes
    return data, left_bytes


def _small_record(draw: random.Random) -> dict[str, Any]:
    return {"id": draw.getrandbits(32)}


def _record(draw: random.Random) -> dict[str, Any]:
    return {
        "id": draw.getrandbits(48),
        "price": round(draw.uniform(1, 500), 2),
        "paid": draw.random() < 0.5,
        "coupon": None,
        "tags": draw.sample(_WORDS, 3),
        "address": {"street": f"{draw.choice(_WORDS)} {draw.randrange(1, 200)}", "zip": f"{draw.randrange(10**5):05d}"},
    }


_MADE: Mapping[str, Callable[[int, random.Random], tuple[Any, int]]] = {"text": _text, "nested": _nested, "bytes": _bytes}
KINDS = tuple(_MADE)


def _prepare(order: Mapping[str, Any]) -> dict[str, Any]:
    return {**order, "content": payload(**order)}


_expected = functools.lru_cache(maxsize=64)(payload)


def _check(arrived: Mapping[str, Any], _: TaskId) -> None:
    """Raises ValueError for content that is not, to the last character, what the same seed makes here."""
    kind, size_bytes, seed, content = (arrived[name] for name in ("kind", "size_bytes", "seed", "content"))
    if content != _expected(kind, size_bytes, seed):
        raise ValueError(
            f"{kind} of {size_bytes} bytes did not arrive as it was sent: {type(content).__name__} of length {len(content)}"
        )


PAYLOAD = Workload(_check, prepare=_prepare, longest_s=no_time)
