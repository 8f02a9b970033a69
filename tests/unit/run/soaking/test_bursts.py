"""A burst counts as made up for only if the queue went empty before the next."""

from benchmarks.run.soaking.bursts import Bursts


def looks(bursts: Bursts, *seen: tuple[float, bool, int]) -> None:
    for at_s, is_bursting, outstanding in seen:
        bursts.look(at_s, is_bursting=is_bursting, outstanding=outstanding)


def test_a_burst_is_made_up_for_when_what_is_left_fits_the_slots() -> None:
    bursts = Bursts(slots=4)
    looks(bursts, (0, False, 2), (10, True, 50), (15, True, 90), (16, False, 80), (18, False, 5), (19, False, 4))
    assert (bursts.judged, bursts.emptied, bursts.longest_s) == (1, 1, 3)


def test_one_that_the_next_comes_over_is_not() -> None:
    bursts = Bursts(slots=4)
    looks(bursts, (10, True, 50), (16, False, 80), (20, True, 60), (25, False, 90), (27, False, 0))
    assert (bursts.judged, bursts.emptied, bursts.longest_s) == (2, 1, 2)


def test_of_the_last_nothing_is_said_before_it_is_known() -> None:
    bursts = Bursts(slots=4)
    looks(bursts, (10, True, 50), (16, False, 80))
    assert bursts.judged == 0
