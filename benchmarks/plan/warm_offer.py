"""What warms the path that a phase's tasks take: the same way of sending, to the same queues and endpoints; harmless tasks."""

from dataclasses import replace

from tasks.loads import Burst, Chain, Load, Mix, Prefilled, TaskClass, Tasks, classes_of, count_of

ONE_BY_ONE = 50
AT_ONCE = 64
"""As many as a producer has in flight at most."""
CHUNKS = 2


def warm_offer(tasks: Tasks, load: Load, warm: Mix) -> tuple[Tasks, Load]:
    """Tasks and a load of no more than the phase offers: chains where it offers chains, the same lanes and endpoints, many in a
    call, one after the other, or as many in flight as an open loop may have; but of the workloads that warm its worker."""
    return _tasks(tasks, warm), _load(load)


def _tasks(tasks: Tasks, warm: Mix) -> Tasks:
    classes = classes_of(tasks)
    if isinstance(tasks, Chain):
        stages = (_at(warm.classes[place % len(warm.classes)], stage) for place, stage in enumerate(classes))
        return replace(tasks, stages=tuple(stages))
    places = {(c.lane, c.endpoint): c for c in classes}
    return Mix(tuple(_at(body, place) for place in places.values() for body in warm.classes), evenly=True)


def _at(body: TaskClass, place: TaskClass) -> TaskClass:
    return replace(body, lane=place.lane, endpoint=place.endpoint)


def _load(load: Load) -> Load:
    if not isinstance(load, Prefilled):
        return Burst(min(count_of(load), AT_ONCE))
    return replace(load, count=min(load.count, CHUNKS * load.chunk if load.many else ONE_BY_ONE))
