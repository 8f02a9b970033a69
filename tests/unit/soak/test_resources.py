"""Samples become a mean and a greatest, or a rise that a restart does not break."""

import pytest

from benchmarks.soak.folding import Fold
from benchmarks.soak.resources import Resources, ResourceSample
from benchmarks.soak.windows import Gauge

S = 1_000_000_000


def cpu(at: int, value: float, generation: int = 0) -> ResourceSample:
    return ResourceSample(at, generation, {"worker_cpu_s": value})


def test_of_a_gauge_the_mean_and_the_greatest_of_a_window_are_kept() -> None:
    resources = Resources()
    read = [(3, 30.0), (1, 10.0), (2, 11.0), (9, 99.0)]
    resources.take(ResourceSample(at, 0, {"worker_pss_bytes": value}) for at, value in read)
    found = resources.before(5)
    assert found.gauges == {"worker_pss_bytes": Gauge(17.0, 30.0)}
    assert resources.before(5).gauges == {}
    assert resources.before(10).gauges["worker_pss_bytes"].mean == 99.0


def test_a_counter_rises_from_window_to_window_without_a_gap() -> None:
    resources = Resources()
    resources.take([cpu(1, 5.0), cpu(8, 7.0), cpu(12, 8.5), cpu(31, 9.5)])
    assert resources.before(10).counters == {"worker_cpu_s": 2.0}
    assert resources.before(20).counters == {"worker_cpu_s": 1.5}
    assert resources.before(30).counters == {}
    assert resources.before(40).counters == {"worker_cpu_s": 1.0}


def test_a_counter_that_begins_anew_has_risen_by_what_it_shows() -> None:
    resources = Resources()
    resources.take([cpu(1, 50.0), cpu(2, 51.0), cpu(3, 0.25, generation=1), cpu(4, 0.75, generation=1)])
    found = resources.before(10)
    assert (found.counters, found.generation) == ({"worker_cpu_s": 1.75}, 1)


def test_a_sample_of_something_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for worker_luck"):
        ResourceSample(0, 0, {"worker_luck": 1.0})


def test_a_saved_fold_goes_on_with_its_samples_and_counters() -> None:
    fold = Fold(1.0, 0, lag_s=0.0)
    fold.take_samples([cpu(0, 1.0), cpu(S - 1, 2.0), cpu(S, 4.0)])
    [first] = fold.closed_windows(S)
    again = Fold.restore(fold.state())
    again.take_samples([cpu(2 * S - 1, 5.0)])
    [second] = again.closed_windows(2 * S)
    assert (first.counters, second.counters) == ({"worker_cpu_s": 1.0}, {"worker_cpu_s": 3.0})
