"""The mock API's request log keeps what was answered, in little memory and never more than it may."""

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.mock_api.request_log import RequestLog

ANSWERS = st.lists(
    st.tuples(st.text(), st.integers(0, 2**63 - 1), st.sampled_from([200, 503]), st.integers(0, 10_000).map(float)), max_size=30
)


@given(ANSWERS, st.integers(0, 2**63 - 1))
def test_it_gives_back_what_it_was_given_from_a_time_on(answers: list[tuple[str, int, int, float]], since_ns: int) -> None:
    log = RequestLog(capacity=1000)
    for request_id, arrived_ns, status, latency_ms in answers:
        log.append(request_id.encode(errors="surrogatepass"), arrived_ns, status, latency_ms)
    assert list(log.entries(0)) == answers
    assert list(log.entries(since_ns)) == [answer for answer in answers if answer[1] >= since_ns]


def test_when_full_it_keeps_the_first_and_counts_the_rest() -> None:
    log = RequestLog(capacity=2)
    for number in range(5):
        log.append(b"%d" % number, number, 200, 1.0)
    assert [entry[0] for entry in log.entries(0)] == ["0", "1"]
    assert log.dropped == 3
    log.clear()
    assert (len(log), log.dropped) == (0, 0)


def test_a_reader_is_not_disturbed_by_what_happens_meanwhile() -> None:
    log = RequestLog(capacity=10)
    for number in range(4):
        log.append(b"%d" % number, number, 200, 1.0)
    reader = log.entries(0)
    first = next(reader)
    log.append(b"late", 9, 200, 1.0)
    log.clear()
    log.append(b"other", 9, 200, 1.0)
    assert [entry[0] for entry in (first, *reader)] == ["0", "1", "2", "3"]
