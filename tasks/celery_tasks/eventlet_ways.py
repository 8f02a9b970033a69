# mypy: disable-error-code="import-not-found"
"""Ways of eventlet's in which a task in its pool can do several things at once (:mod:`tasks.ways`). Imported only there."""

import time

from eventlet import GreenPool, tpool
from eventlet.patcher import original

from tasks.ways import Part

_sleep_of_threads = original("time").sleep


def greenlets(part: Part, count: int, at_once: int) -> None:
    """``eventlet.GreenPool``."""
    pool = GreenPool(at_once)
    for done in [pool.spawn(part, number, time.sleep) for number in range(count)]:
        done.wait()


def os_threads(part: Part, count: int, at_once: int) -> None:
    """``eventlet.tpool``: threads of the operating system, which the process keeps. There are as many as are at once in the first
    task that asks for them."""
    tpool.set_num_threads(at_once)
    pool = GreenPool(at_once)
    for done in [pool.spawn(tpool.execute, part, number, _sleep_of_threads) for number in range(count)]:
        done.wait()
