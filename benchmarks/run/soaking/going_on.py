"""A soak while it goes on: takes what was recorded, folds it, samples, starts a worker again that died, stores windows."""

import time
from contextlib import suppress
from dataclasses import asdict, replace

import numpy as np

from benchmarks.plan.soak_plan import SoakPlan
from benchmarks.results.soak_folder import SoakFolder
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.workers import start_worker
from benchmarks.run.soaking.bursts import Bursts
from benchmarks.run.soaking.node_log import NodeLog
from benchmarks.run.soaking.offering import Offering
from benchmarks.run.soaking.raw_ring import RawRing
from benchmarks.run.soaking.sampling import lab_memory_bytes, room_for_events_bytes, room_on_disk_bytes, sample
from benchmarks.run.soaking.timeline import NS_PER_S, Timeline
from benchmarks.run.soaking.watching import SoakStatus, SoakWatcher
from benchmarks.soak.books import Totals
from benchmarks.soak.folding import Fold
from benchmarks.soak.judging import judge
from benchmarks.soak.latency_histogram import LatencyHistogram, merged
from benchmarks.soak.resources import ResourceSample
from benchmarks.soak.summary import MOST_STAND_OUT, RUNNING, SoakEvent, SoakSummary
from benchmarks.soak.task_events import TaskEvents
from benchmarks.soak.unusual import stand_out
from benchmarks.soak.windows import Window
from infrastructure.event_log import events_from_bytes
from tasks.loads import Mix

LEAST_DISK_BYTES = 200_000_000
LEAST_LOG_BYTES = 50_000_000
"""With less room than that a soak ends: what it has is still to be written."""
TICKS_A_WINDOW = 5
TICK_AT_MOST_S = 2.0
SAMPLE_AT_MOST_EVERY_S = 1.0
LOOK_AT_ROOM_EVERY_S = 10.0
RESTART_AFTER_S, RESTART_AFTER_AT_MOST_S = 0.5, 60.0
"""As an orchestrator does: at once, then twice as long after each death that follows soon."""
LONG_LIFE_S = 120.0
QUIET_S = 5.0
"""Longer than any task of the mix takes, and than a retry waits."""
RECENT = 60
"""Windows that a new one is held against, whether it stands out."""
SLOPE_OVER = 2_000
"""Windows, at most."""


class GoingOn:
    """The state of a soak. :meth:`look` is to be called every ``tick_s``."""

    def __init__(
        self,
        run: RunInProgress,
        phase: int,
        plan: SoakPlan,
        rate_per_s: float,
        mix: Mix,
        folder: SoakFolder,
        watcher: SoakWatcher,
        capacity_per_s: float | None,
    ) -> None:
        self._run, self._phase, self._plan, self._folder, self._watcher = run, phase, plan, folder, watcher
        self._rate_per_s, self._capacity_per_s = rate_per_s, capacity_per_s
        self.tick_s = min(TICK_AT_MOST_S, plan.window_s / TICKS_A_WINDOW)
        self._line = Timeline()
        self._fold = Fold(plan.window_s, self._line.began_unix_ns, lag_s=self._lag_s())
        self._logs = [NodeLog(run.producer), NodeLog(run.worker)]
        self._ring = RawRing()
        self._offering = Offering(run, phase, plan, rate_per_s, mix, self._line, self.note)
        self._bursts = Bursts(run.known.workers[-1].slots)
        self._generation, self._deaths, self._events = 1, 0, 0
        self._born_s, self._restart_s, self._restart_after_s = time.monotonic(), 0.0, RESTART_AFTER_S
        self._eventful: set[int] = set()
        """The windows, of those not stored yet, in which something has happened, and those beside them."""
        self._doubled = self._lost = 0
        self._hour_kept = -1
        self._windows = 0
        self._latency: LatencyHistogram = merged(())
        self._last: Window | None = None
        self._memory: list[tuple[float, float]] = []
        self._recent: list[Window] = []
        self._lab_memory_greatest: float | None = None
        self._sampled_s = self._room_looked_at_s = 0.0
        self._offered_until_s: float | None = None
        self._room: str | None = None
        self._came_s = time.monotonic()
        """When the last record came."""
        self._nothing_more_comes = False
        """Whether it is known that what has not ended never will."""

    @property
    def is_over(self) -> bool:
        """Whether no more load will be offered."""
        return self._offering.is_over

    @property
    def failure(self) -> str | None:
        """Why the load ended before its time, if so."""
        return self._offering.failure

    @property
    def elapsed_s(self) -> float:
        """Since it began."""
        return self._line.elapsed_s()

    @property
    def planned_s(self) -> float:
        """How long it is to last."""
        return self._plan.duration_s

    def start(self) -> None:
        """Begin to offer the load."""
        self._offering.start()

    def note(self, kind: str, text: str) -> None:
        """Keep that something happened, and the raw records around it."""
        event = SoakEvent(self._line.now_ns(), kind, text)
        self._events += 1
        window = self._window_now()
        self._eventful |= {window - 1, window, window + 1}
        self._folder.note(event)
        self._watcher.event(event)

    def look(self) -> None:
        """Take in all that is new. Raises NodeError, redis.RedisError and OSError."""
        if gap_ns := self._line.gap_ns():
            self.note("suspended", f"the host was suspended for {gap_ns / NS_PER_S:,.0f} s: a gap, and no latency")
        until_ns = self._line.now_ns()
        self._take()
        self._watch_worker()
        now_s = time.monotonic()
        totals = self._fold.totals()
        self._accuse(totals)
        if now_s - self._sampled_s >= min(SAMPLE_AT_MOST_EVERY_S, self._plan.window_s / TICKS_A_WINDOW):
            self._sampled_s = now_s
            self._sample(totals.outstanding)
        if not self.is_over:
            self._bursts.look(now_s, is_bursting=self._offering.so_far().is_bursting, outstanding=totals.outstanding)
        self._store(self._fold.closed_windows(until_ns), totals)
        self._show(totals)

    def no_room(self) -> str | None:
        """Why it must end, where a disk is running full."""
        return self._room

    def drain(self, at_most_s: float, watcher: SoakWatcher) -> None:
        """Offer nothing more, and wait until all that was sent has ended."""
        self._offering.ask_to_end()
        watcher.step("ending: waiting for the tasks that are under way")
        give_up_s: float | None = None
        while True:
            self.look()
            if self.is_over:
                if self._offered_until_s is None:
                    self._offered_until_s, give_up_s = self.elapsed_s, time.monotonic() + at_most_s
                nothing_left = self._fold.totals(nothing_more_comes=True).lost == 0
                self._nothing_more_comes = nothing_left or self._is_quiet()
                if self._nothing_more_comes or (give_up_s is not None and time.monotonic() > give_up_s):
                    self._take()
                    return
            time.sleep(self.tick_s)

    def break_off(self) -> None:
        """Offer nothing more, at once."""
        self._offering.ask_to_end()
        with suppress(NodeError):
            self._run.producer.cancel_producing()
        if not self.is_over:
            self._offering.wait()

    def finish(self, state: str, failure: str | None) -> SoakSummary:
        """Store what is left to be stored; what it all came to."""
        with suppress(NodeError):
            self._take()
        if rest := self._fold.rest():
            self._remember(rest)
            self._folder.append(rest)
        self._folder.finish()
        summary = self._judged(self._summary(state, failure, self._fold.totals(self._nothing_more_comes)))
        self._folder.store(summary)
        return summary

    def _judged(self, summary: SoakSummary) -> SoakSummary:
        """With what is said of the windows in which load was offered from begin to end."""
        windows = self._folder.windows()[: int(summary.lasted_s / self._plan.window_s)]
        verdicts = tuple(judge(windows, self._plan.judged_after_s))
        return replace(summary, verdicts=verdicts, stand_out=tuple(stand_out(windows)[:MOST_STAND_OUT]))

    def _lag_s(self) -> float:
        """How late records may be: looks are as far apart as ``tick_s``, and one that takes long may come late itself."""
        return max(4.0, min(30.0, 2 * self._plan.window_s))

    def _window_now(self) -> int:
        return (self._line.now_ns() - self._line.began_unix_ns) // round(self._plan.window_s * NS_PER_S)

    def _accuse(self, totals: Totals) -> None:
        """Note tasks that were found lost or doubled, once they are."""
        if totals.doubled > self._doubled:
            self.note("doubled", f"{totals.doubled - self._doubled} tasks, among them {totals.doubled_ranges[-1:]}")
        if totals.lost > self._lost:
            self.note("lost", f"{totals.lost - self._lost} tasks, among them {totals.lost_ranges[-1:]}")
        self._doubled, self._lost = totals.doubled, totals.lost

    def _is_quiet(self) -> bool:
        """Whether nothing has come for a while and nothing waits in the queue: what has not ended then never will, for a worker
        that died took it along."""
        if self._restart_s or time.monotonic() - self._came_s < QUIET_S:
            return False
        depth = self._run.producer.depth(self._run.places.queue)
        return depth.waiting == depth.delayed == 0

    def _take(self) -> None:
        spec = self._run.spec
        for log in self._logs:
            for records in log.new():
                self._came_s = time.monotonic()
                self._ring.add(self._window_now(), records)
                events = events_from_bytes(records)
                taken = TaskEvents.of(events, spec.run, self._phase, self._offering.class_of, self._line.shift_ns)
                self._fold.take(taken)

    def _sample(self, outstanding: int) -> None:
        now_ns, cpu_s = self._line.now_ns(), self._offering.so_far().cpu_s
        self._fold.take_samples([sample(self._run, now_ns, self._generation, outstanding=outstanding, producer_cpu_s=cpu_s)])
        now_s = time.monotonic()
        if now_s - self._room_looked_at_s < min(LOOK_AT_ROOM_EVERY_S, self._plan.window_s):
            return
        self._room_looked_at_s = now_s
        memory, disk = lab_memory_bytes(self._run), self._folder.bytes()
        self._lab_memory_greatest = max(memory, self._lab_memory_greatest or 0.0)
        figures = {"lab_memory_bytes": memory, "lab_disk_bytes": float(disk)}
        self._fold.take_samples([ResourceSample(now_ns, self._generation, figures)])
        if (left := room_on_disk_bytes(self._folder.path)) < LEAST_DISK_BYTES:
            self._room = f"the disk of the results has {left / 1e6:,.0f} MB left; {LEAST_DISK_BYTES / 1e6:,.0f} are to be kept"
        elif (room := room_for_events_bytes(self._run)) < LEAST_LOG_BYTES:
            self._room = f"the nodes' event log has {room / 1e6:,.0f} MB left; {LEAST_LOG_BYTES / 1e6:,.0f} are to be kept"

    def _watch_worker(self) -> None:
        """Start a worker again that has died, as an orchestrator would."""
        now_s = time.monotonic()
        if self._restart_s:
            if now_s >= self._restart_s and self._run.wish is not None:
                self._restart_s = 0.0
                self._generation += 1
                start_worker(self._run, self._run.wish)
                self._born_s = time.monotonic()
                self.note("worker-started", f"the worker was started again, its life number {self._generation}")
            return
        status = self._run.worker.worker()
        if status.state == "running":
            return
        self._deaths += 1
        self.note("worker-died", (status.died or f"the worker is {status.state}").splitlines()[0])
        self._folder.keep_worker_log(self._generation, status.log_tail)
        soon = now_s - self._born_s < LONG_LIFE_S
        self._restart_after_s = min(2 * self._restart_after_s, RESTART_AFTER_AT_MOST_S) if soon else RESTART_AFTER_S
        self._restart_s = now_s + self._restart_after_s

    def _store(self, closed: list[Window], totals: Totals) -> None:
        if not closed:
            return
        self._remember(closed)
        self._folder.append(closed)
        self._folder.store(self._summary(RUNNING, None, totals))
        unusual = {found.index for found in stand_out(self._recent)}
        for window in closed:
            hour = int(window.index * self._plan.window_s // 3600)
            if window.index in self._eventful or window.index in unusual or hour != self._hour_kept:
                self._folder.keep_segment(window.index, self._ring.of(window.index))
                self._hour_kept = hour
        self._eventful = {index for index in self._eventful if index > closed[-1].index}
        self._ring.forget_up_to(closed[-1].index)
        for log in self._logs:
            log.drop()

    def _remember(self, closed: list[Window]) -> None:
        self._windows += len(closed)
        self._last = closed[-1]
        self._latency = merged((self._latency, *(window.latency("end_to_end") for window in closed)))
        for window in closed:
            if (pss := window.gauges.get("worker_pss_bytes")) is not None:
                self._memory.append((window.index * self._plan.window_s / 3600, pss.mean))
        self._memory = self._memory[-SLOPE_OVER:]
        self._recent = [*self._recent, *closed][-RECENT:]

    def _show(self, totals: Totals) -> None:
        last, window_s = self._last, self._plan.window_s
        self._watcher.status(
            SoakStatus(
                elapsed_s=self.elapsed_s,
                remaining_s=max(0.0, self._plan.duration_s - self.elapsed_s),
                windows=self._windows,
                offered_per_s=None if last is None else last.sent / window_s,
                done_per_s=None if last is None else last.ended / window_s,
                last_p99_ms=None if last is None else _ms(last.latency("end_to_end"), 0.99),
                p99_ms=_ms(self._latency, 0.99),
                outstanding=totals.outstanding,
                memory_bytes=self._memory[-1][1] if self._memory else None,
                memory_bytes_per_hour=_slope(self._memory),
                attempted=totals.attempted,
                lost=totals.lost,
                doubled=totals.doubled,
                deaths=self._deaths,
                events=self._events,
            )
        )

    def _summary(self, state: str, failure: str | None, totals: Totals) -> SoakSummary:
        lasted_s = self._offered_until_s or self.elapsed_s
        ended = totals.completed + totals.failed
        return SoakSummary(
            variant=self._run.spec.variant,
            framework=self._run.spec.framework,
            state=state,
            failure=failure,
            began_unix_ns=self._line.began_unix_ns,
            lasted_s=lasted_s,
            planned_s=self._plan.duration_s,
            window_s=self._plan.window_s,
            windows=self._windows,
            slots=self._bursts.slots,
            capacity_per_s=self._capacity_per_s,
            rate_per_s=self._rate_per_s,
            offered_per_s=totals.attempted / lasted_s if lasted_s else None,
            done_per_s=ended / lasted_s if lasted_s else None,
            p50_ms=_ms(self._latency, 0.5),
            p99_ms=_ms(self._latency, 0.99),
            slo_ms=self._plan.slo_ms,
            totals=totals,
            planned_failures=self._offering.so_far().planned_failures,
            worker_deaths=self._deaths,
            suspended_s=self._line.gaps_ns / NS_PER_S,
            bursts=self._bursts.judged,
            bursts_emptied=self._bursts.emptied,
            longest_emptying_s=self._bursts.longest_s,
            lab_memory_greatest_bytes=self._lab_memory_greatest,
            disk_bytes=self._folder.bytes(),
            plan=asdict(self._plan),
        )


def _ms(latency: LatencyHistogram, share: float) -> float | None:
    found = latency.quantile_ns(share)
    return None if found is None else found / 1e6


def _slope(points: list[tuple[float, float]]) -> float | None:
    """Of a straight line through the later three quarters: what is warm."""
    warm = np.array(points[len(points) // 4 :])
    if len(warm) < 8:
        return None
    return float(np.polyfit(warm[:, 0], warm[:, 1], 1)[0])
