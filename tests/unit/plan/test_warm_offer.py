"""A warm-up takes the very path of the phase, with tasks that do no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plan.warm_offer import AT_ONCE, ONE_BY_ONE, warm_offer
from tasks.loads import Burst, Chain, Load, Mix, Paced, Prefilled, Ramp, TaskClass, classes_of, count_of, only
from tasks.producing import ProduceOrder

WARM = Mix((TaskClass("pbkdf2", 1), TaskClass("noop")))
PLACES = st.sampled_from([("", ""), ("high", ""), ("low", "")])
CLASSES = st.lists(st.builds(lambda place: TaskClass("sleep", 9, lane=place[0]), PLACES), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("load", "warm"),
    [
        (Prefilled(5000), Prefilled(ONE_BY_ONE)),
        (Prefilled(5000, many=True, chunk=30), Prefilled(60, many=True, chunk=30)),
        (Prefilled(7, many=True), Prefilled(7, many=True)),
        (Burst(1), Burst(1)),
        (Burst(500), Burst(AT_ONCE)),
        (Paced(100, 5, "poisson", 3), Burst(AT_ONCE)),
        (Ramp(0, 10, 2), Burst(10)),
    ],
)
def test_it_is_sent_in_the_same_way_and_is_no_more_than_the_phase(load: Load, warm: Load) -> None:
    assert warm_offer(only("sleep", 9), load, WARM)[1] == warm
    assert count_of(warm) <= count_of(load)


@given(CLASSES, st.booleans())
def test_it_goes_to_the_same_queues_with_the_workers_own_warm_up_tasks(classes: list[TaskClass], is_chain: bool) -> None:
    tasks = Chain(tuple(classes), 3, 1.0) if is_chain else Mix(tuple(classes))
    warm, _ = warm_offer(tasks, Burst(9), WARM)
    assert {c.lane for c in classes_of(warm)} == {c.lane for c in classes}
    assert {c.workload for c in classes_of(warm)} <= {"pbkdf2", "noop"}
    assert isinstance(warm, Chain) == is_chain
    if isinstance(warm, Chain):
        assert (len(warm.stages), warm.attempts, warm.backoff_s) == (len(classes), 3, 1.0)


@pytest.mark.parametrize("load", [Prefilled(500, many=True), Paced(100, 1)])
def test_what_is_posted_is_posted_to_the_same_endpoint(load: Load) -> None:
    tasks, warm = warm_offer(Mix((TaskClass("sleep", 9, endpoint="/dispatch"),)), load, WARM)
    assert {c.endpoint for c in classes_of(tasks)} == {"/dispatch"}
    ProduceOrder(1, 0, "any", "queue", tasks, warm, web_url="http://localhost:1")
