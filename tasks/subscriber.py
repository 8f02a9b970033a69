"""Subscribers to a framework's task events: ``python -m tasks.subscriber NAME --run R --phase P --count N --delay-s S``.

Runs in the framework's own environment. Each subscriber is a process of its own, forked once the framework is imported, and
records every receipt in the event log of its node (``LAB_EVENTS_DIR``), the first record telling that it is subscribed. With a
delay it is a slow one: it sleeps so long over each event. The program ends when it is told to, or when a subscriber has ended,
which none does by itself.
"""

import argparse
import os
import sys
import time
import traceback

from tasks.contract import load_framework
from tasks.events import Streamed
from tasks.streaming import EventSource, Received, identity_key
from tasks.workloads import recorder

monotonic_ns = time.monotonic_ns


def receiver(run: int, phase: int, number: int, delay_s: float) -> Received:
    """What records the receipts of one subscriber. The wall clock of an event is told in the monotonic clock of this host, by the
    distance between the two now."""
    offset_ns = time.time_ns() - monotonic_ns()

    def received(what: Streamed, name: str, occurred_s: float) -> None:
        now_ns = monotonic_ns()
        if what is Streamed.NOTHING:
            recorder.received(run, phase, number, what, now_ns)
            return
        recorder.received(run, phase, number, what, now_ns, round(occurred_s * 1e9) - offset_ns, identity_key(name))
        if delay_s:
            time.sleep(delay_s)

    return received


def _fork(source: EventSource, received: Received) -> int:
    child = os.fork()
    if child == 0:
        try:
            source.event_stream(received)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(1)
    return child


def main() -> int:
    """The exit code, always one of failure: subscribers are ended, and do not end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("framework")
    parser.add_argument("--run", type=int, required=True)
    parser.add_argument("--phase", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--delay-s", type=float, required=True)
    options = parser.parse_args()
    framework = load_framework(options.framework)
    if not isinstance(framework, EventSource):
        print(f"{options.framework} has no event_stream: its variants should say that they lack events", file=sys.stderr)
        return 2
    for number in range(options.count):
        _fork(framework, receiver(options.run, options.phase, number, options.delay_s))
    child, status = os.wait()
    print(f"subscriber process {child} ended, with code {os.waitstatus_to_exitcode(status)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
