"""Raw records are held by window and within a limit."""

from benchmarks.run.soaking.raw_ring import RawRing


def test_what_came_in_a_window_is_had_until_it_is_let_go() -> None:
    ring = RawRing(100)
    ring.add(3, b"ab")
    ring.add(4, b"cd")
    ring.add(3, b"ef")
    assert ring.of(3) == b"abef"
    ring.forget_up_to(3)
    assert (ring.of(3), ring.of(4)) == (b"", b"cd")


def test_the_oldest_go_beyond_the_limit() -> None:
    ring = RawRing(10)
    for window in range(5):
        ring.add(window, b"xxxx")
    assert [window for window in range(5) if ring.of(window)] == [3, 4]
    ring.forget_up_to(3)
    ring.add(5, b"yyyyyy")
    assert [ring.of(4), ring.of(5)] == [b"xxxx", b"yyyyyy"]
