"""The lab's own traffic with Redis, as it is counted beside the sockets."""

import socket
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.redis_traffic import NO_TRAFFIC, Meter, RedisTraffic, metered

REPLIES = {
    b"+OK\r\n": 1,
    b":12\r\n": 1,
    b"$-1\r\n": 1,
    b"#f\r\n": 1,
    b"*2\r\n$4\r\n\r\n+x\r\n:0\r\n": 1,
    b"%1\r\n+a\r\n*0\r\n": 1,
    b"-WRONGTYPE Operation against a key\r\n": 1,
    b"-ERR Unknown subcommand or wrong number of arguments for 'SETINFO'. Try CLIENT HELP.\r\n": 1,
    b"-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n": 0,
    b"-ERR unknown command 'FLY', with args beginning with: \r\n": 0,
    b">2\r\n+invalidate\r\n:1\r\n": 0,
}
"""Replies, and whether Redis counts the command: not one that it does not know, and nothing that it says by itself. Before
version 7 it was a command that did not know its subcommand, and it counted."""

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@given(st.lists(st.sampled_from(list(REPLIES))), st.data())
def test_a_command_counts_once_it_is_answered_however_the_bytes_come(replies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(replies)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=5)) | {0, len(stream)})
    meter, other = Meter(), Meter()
    with socket.socket() as source, socket.socket() as neighbour:
        for begin, end in pairwise(cuts):
            meter.received(source, stream[begin:end])
            meter.received(neighbour, b":1\r\n")
            other.received(source, stream[begin:end])
    pieces = len(cuts) - 1
    assert other.traffic == RedisTraffic(sum(map(REPLIES.__getitem__, replies)), 0, len(stream))
    assert meter.traffic == other.traffic + RedisTraffic(pieces, 0, 4 * pieces)


def test_all_ways_through_a_socket_count_within_the_block_and_none_outside(ends: Ends) -> None:
    ours, theirs = ends
    plain = dict(vars(socket.socket))
    with metered() as meter:
        ours.sendall(b"12345")
        ours.sendall(memoryview(b"67"))
        assert ours.send(b"890") == 3
    assert meter.traffic == RedisTraffic(0, 10, 0)
    assert theirs.recv(100) == b"1234567890"
    theirs.sendall(b"+OK\r\n+PONG\r\n+OK\r\n")
    buffer = bytearray(7)
    with metered() as meter:
        assert ours.recv(5) == b"+OK\r\n"
        assert ours.recv_into(buffer) == 7
    assert ours.recv(100) == b"+OK\r\n"
    assert bytes(buffer) == b"+PONG\r\n"
    assert meter.traffic == RedisTraffic(2, 0, 12)
    assert dict(vars(socket.socket)) == plain


def test_what_other_threads_send_and_receive_is_not_counted(ends: Ends) -> None:
    ours, theirs = ends
    with metered() as meter:

        def speak() -> None:
            theirs.sendall(b"not Redis at all")
            theirs.recv(3)

        other = threading.Thread(target=speak)
        other.start()
        ours.sendall(b"abc")
        other.join()
    assert meter.traffic == RedisTraffic(0, 3, 0)


def test_a_block_that_fails_leaves_the_sockets_as_they_were(ends: Ends) -> None:
    plain = dict(vars(socket.socket))
    with pytest.raises(LookupError), metered():
        raise LookupError
    assert dict(vars(socket.socket)) == plain


TRAFFIC = st.builds(RedisTraffic, *[st.integers(0, 10**15)] * 3)


@given(TRAFFIC, TRAFFIC)
def test_what_is_added_can_be_taken_away(one: RedisTraffic, other: RedisTraffic) -> None:
    assert one + other - other == one
    assert sum([one, other], NO_TRAFFIC) == other + one
