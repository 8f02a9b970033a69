"""Payloads of tasks: data of several kinds and sizes, and orders that are handed over in several ways."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from benchmarks.plan.sizes import Sizes
from tasks.contract import Variant
from tasks.loads import TaskClass

SIZES: Mapping[int, str] = {100: "100b", 1_000: "1kb", 10_000: "10kb", 100_000: "100kb", 1_000_000: "1mb"}
KINDS: Mapping[str, str] = {"nested": "nested data", "text": "text", "bytes": "bytes"}
WAYS: Mapping[str, str] = {"model": "as the model itself", "dict": "as a dictionary made by hand", "id": "as its id"}
"""How an order is handed over."""
ORDER_LABELS: Mapping[str, int] = {"model": 101, "dict": 102, "id": 103}
CHANGE_LABEL = 104
DATA_SEED = 1
"""Of what payloads and orders hold: the same data in every run, as their bytes are what is compared."""


@dataclass(frozen=True, slots=True)
class Payload:
    """One kind of payload of one size."""

    kind: str
    size_bytes: int

    @property
    def name(self) -> str:
        """As in the names of columns and phases."""
        return f"{self.kind}_{SIZES[self.size_bytes]}"

    @property
    def label(self) -> int:
        """Its number in the event log."""
        return 1 + len(SIZES) * list(KINDS).index(self.kind) + list(SIZES).index(self.size_bytes)

    def task(self) -> TaskClass:
        """A task with it."""
        argument = {"kind": self.kind, "size_bytes": self.size_bytes, "seed": DATA_SEED}
        return TaskClass("payload", argument, self.label)


def steps_bytes(sizes: Sizes) -> list[int]:
    """The sizes of payloads, ascending."""
    steps: list[int] = []
    size = sizes["smallest_bytes"]
    while size <= sizes["largest_bytes"]:
        steps.append(int(size))
        size *= sizes["size_step"]
    return steps


def payloads(sizes: Sizes) -> list[Payload]:
    """Those of every kind and size."""
    return [Payload(kind, size) for kind, size in product(KINDS, steps_bytes(sizes))]


def nested(sizes: Sizes) -> list[Payload]:
    """Those of nested data."""
    return [p for p in payloads(sizes) if p.kind == "nested"]


def default_serializer(variant: Variant) -> str:
    """The first that a variant declares; empty where it declares none."""
    return next(iter(variant.serializers), "")


def ways_of(variant: Variant, serializer: str) -> list[str]:
    """How an order is handed over in a serializer: a model where that can carry one, the others in the default one."""
    by_hand = ["dict", "id"] if serializer == default_serializer(variant) else []
    return [*(["model"] if serializer == variant.model_serializer else []), *by_hand]


def order(way: str, sizes: Sizes) -> dict[str, str | int]:
    """The argument of a task that is handed an order."""
    return {"way": way, "lines": int(sizes["order_lines"]), "seed": DATA_SEED}
