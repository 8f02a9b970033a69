"""Killing a part of a run in the middle of its load, and starting it again."""

import time

from benchmarks.plan.wishes import KillWish, StartWish
from benchmarks.run.nodes import clock
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.spec import RunFailedError
from benchmarks.run.one_run.waiting import require_time_and_worker
from benchmarks.run.one_run.workers import begin_samples, kill_worker, start_watched

LOOK_S = 0.02


class Kill:
    """The one kill of a phase. Whoever offers and waits calls :meth:`if_due` now and then, from the thread that it waits in: so
    nobody looks at what has just been killed. A kill that has had its time is made by :meth:`wait` at the latest."""

    def __init__(self, run: RunInProgress, wish: KillWish) -> None:
        self._run = run
        self._wish = wish
        self._due_s = time.monotonic() + wish.after_s
        self.killed_ns: int | None = None

    def if_due(self) -> None:
        """Kill and start again, once, if it is time to. Raises RunFailedError where there is nothing to kill."""
        if self.killed_ns is None and time.monotonic() >= self._due_s:
            self.killed_ns = clock.now_ns()
            if self._wish.what == "web":
                self._restart_web()
            else:
                self._restart_worker()

    def wait(self) -> None:
        """Wait until it is made."""
        while self.killed_ns is None:
            require_time_and_worker(self._run, f"waiting to kill the {self._wish.what}")
            time.sleep(LOOK_S)
            self.if_due()

    def _restart_web(self) -> None:
        run = self._run
        if not run.web_url:
            raise RunFailedError("there is no web application to kill: the tasks of the phase are posted to none")
        run.producer.kill_web()
        run.web_url = run.producer.start_web(run.spec.variant, run.places.queue).url

    def _restart_worker(self) -> None:
        run = self._run
        if run.wish is None:
            raise RunFailedError("there is no worker to kill")
        kill_worker(run)
        start_watched(run, run.wish, StartWish("waiting"))
        begin_samples(run)
