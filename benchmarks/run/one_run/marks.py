"""What is read at the marks of a phase. The machine's speed is taken only while no task runs."""

from dataclasses import replace

from benchmarks.record.machine import SpeedReading
from benchmarks.record.run_data import HostReading, Reading
from benchmarks.run.machine.speed import read_speed
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.own_traffic import read_redis
from infrastructure.readings import TreeSample


def before(run: RunInProgress, *, is_still: bool, worker: TreeSample | None = None) -> Reading:
    """Before the load. ``is_still``: whether the worker is paused or there is none; ``worker``: its sample, where it has none."""
    speed = _speed(run, is_still)
    return _reading(run, replace(run.machine.begin(), speed=speed), worker)


def midway(run: RunInProgress, *, is_still: bool, worker: TreeSample | None = None) -> Reading:
    """When the producer has finished; unless the worker stands still, tasks may be running, and no speed is taken."""
    host = run.machine.mark()
    return _reading(run, replace(host, speed=read_speed()) if is_still else host, worker)


def after(run: RunInProgress, *, drained: bool) -> Reading:
    """When all has ended, or the run gave up on it: then tasks may be running still."""
    reading = _reading(run, run.machine.mark())
    return replace(reading, host=replace(reading.host, speed=_speed(run, is_still=False))) if drained else reading


def _speed(run: RunInProgress, is_still: bool) -> SpeedReading:
    """With the worker paused: some keep themselves busy for a while after their last task, or all the time."""
    if is_still:
        return read_speed()
    run.worker.pause_worker()
    try:
        return read_speed()
    finally:
        run.worker.resume_worker()


def _reading(run: RunInProgress, host: HostReading, worker: TreeSample | None = None) -> Reading:
    redis = read_redis(lambda: run.redis.read(run.puts), (run.worker, run.producer))
    return Reading(redis=redis, host=host, worker=worker or run.worker.take_sample())
