"""Offering a load of a run, and the web application that some loads go through."""

from collections.abc import Callable

from benchmarks.record.run_data import Produced
from benchmarks.run.nodes import steps
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.spec import RunFailedError
from benchmarks.run.one_run.waiting import ended, require_time, require_time_and_worker
from tasks.loads import Load, Prefilled, Tasks, goes_through_web
from tasks.producing import ProduceOrder

STOP_GRACE_S = 20.0


def produce(
    run: RunInProgress,
    phase: int,
    tasks: Tasks,
    load: Load,
    first_sequence: int = 0,
    besides: Callable[[], None] = steps.nothing,
) -> Produced:
    """Offer a load to its end, calling ``besides`` at every look. Raises RunFailedError when meanwhile the worker died or the
    run's time was over, and NodeError when the producer failed."""
    spec = run.spec
    order = ProduceOrder(
        spec.run,
        phase,
        spec.variant,
        run.places.queue,
        tasks,
        load,
        first_sequence=first_sequence,
        web_url=_web_for(run, tasks),
        serializer="" if run.wish is None else run.wish.serializer,
    )

    def meanwhile() -> None:
        besides()
        doing = f"offering {run.known.names[phase]} ({load})"
        if run.worker_is_up:
            require_time_and_worker(run, doing)
        else:
            require_time(run, doing)
        if not isinstance(load, Prefilled):
            run.observer.progress(ended(run, phase))

    return steps.produce(run.producer, order, meanwhile)


def _web_for(run: RunInProgress, tasks: Tasks) -> str:
    """The URL of the run's web application where tasks are posted to it, which is started when it is first needed."""
    if not goes_through_web(tasks):
        return ""
    if not run.web_url:
        run.web_url = run.producer.start_web(run.spec.variant, run.places.queue).url
    return run.web_url


def end_web(run: RunInProgress) -> None:
    """End the web application, if the run has one. Raises RunFailedError when it has died."""
    if not run.web_url:
        return
    status = run.producer.web()
    if status.died is not None:
        raise RunFailedError(f"the web application died: {status.died}")
    run.producer.stop_web(STOP_GRACE_S)
    run.web_url = ""
