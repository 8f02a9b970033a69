# mypy: disable-error-code="import-not-found, import-untyped"
"""Ways of gevent's in which a task in its pool can do several things at once (:mod:`tasks.ways`). Imported only there."""

import time

from gevent.monkey import get_original
from gevent.pool import Pool
from gevent.threadpool import ThreadPool

from tasks.ways import Part

_sleep_of_threads = get_original("time", "sleep")


def greenlets(part: Part, count: int, at_once: int) -> None:
    """``gevent.pool.Pool``."""
    pool = Pool(at_once)
    for done in [pool.spawn(part, number, time.sleep) for number in range(count)]:
        done.get()


def os_threads(part: Part, count: int, at_once: int) -> None:
    """``gevent.threadpool.ThreadPool``: threads of the operating system, which end with the task."""
    pool = ThreadPool(at_once)
    try:
        for done in [pool.spawn(part, number, _sleep_of_threads) for number in range(count)]:
            done.get()
    finally:
        pool.kill()
