"""Ways in which a task can do its parts, by name: one after another, or several at once. Standard library only.

A way is a function ``way(part, count, at_once)`` that calls ``part(number, sleep)`` for each number from 0 to ``count - 1``, no
more than ``at_once`` at the same time, and returns when all have ended; what a part raises, it raises. ``sleep`` is what waits
there, so that those beside it go on. On an event loop way, part and sleep are coroutine functions. :mod:`tasks.plain_ways` has
those that need nothing but Python; a framework's module offers further ones as :attr:`tasks.contract.Variant.ways`, each as
``module:function``, so that only the task which takes one imports it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Part = Callable[[int, Callable[[float], Any]], Any]
AsyncPart = Callable[[int, Callable[[float], Awaitable[Any]]], Awaitable[Any]]

SEQUENTIAL, THREADS, COROUTINES = "sequential", "threads", "coroutines"
OS_THREADS, GREENLETS = "os-threads", "greenlets"
"""What a framework calls its own ways: threads of the operating system where the standard library's are greenlets, and a pool of
greenlets."""
WAYS = (SEQUENTIAL, THREADS, OS_THREADS, GREENLETS, COROUTINES)
"""The names of all."""
_PLAIN = "tasks.plain_ways"


def ways_of(execution: str, own: Mapping[str, str]) -> Mapping[str, str]:
    """The ways that tasks can take which are executed so (:data:`tasks.contract.Execution`), with those of their variant's
    ``own``."""
    plain = (COROUTINES,) if execution == "coroutine" else (SEQUENTIAL, THREADS)
    return {**{name: f"{_PLAIN}:{name}" for name in plain}, **own}
