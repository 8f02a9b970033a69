"""The reading that is made of messages that are sent and read one by one."""

from benchmarks.run.devices.messages import COLUMNS, Message, read_all
from tasks.reading import MessageTimes
from tests.unit.tasks.test_reading import FIXED_NS


def test_a_reading_goes_from_small_to_large_and_stops_where_the_next_would_take_too_long() -> None:
    asked: list[tuple[str, int]] = []

    def times_of(message: Message) -> MessageTimes:
        asked.append((message.serializer, message.size_bytes))
        each_ns = FIXED_NS + message.size_bytes * (10_000 if message.serializer == "slow" else 10)
        return MessageTimes([message.size_bytes + 50] * 2, [each_ns] * 2, [each_ns, 3 * each_ns])

    messages = [Message(serializer, "text", size, "payload") for size in (10_000, 100, 1_000) for serializer in ("slow", "fast")]
    nothing = [Message(serializer, "nothing", 0, "noop") for serializer in ("slow", "fast")]
    frame = read_all([*messages, *nothing], times_of, longest_s=0.1)
    assert asked == [("fast", 0), ("fast", 100), ("fast", 1_000), ("fast", 10_000), ("slow", 0), ("slow", 100), ("slow", 1_000)]
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 2 * len(asked)
    fast = frame[(frame["serializer"] == "fast") & (frame["size_bytes"] == 1_000)]
    assert fast[["sample", "message_bytes", "send_us", "decode_us"]].values.tolist() == [
        [0, 1050, 30_010, 30_010],
        [1, 1050, 30_010, 90_030],
    ]
