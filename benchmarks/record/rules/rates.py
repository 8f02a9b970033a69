"""What rate an open loop can have, and whether it was offered as it was planned."""

from collections.abc import Iterator

from benchmarks.record.flags import OFFERED_RATE_MISSED, Flag
from benchmarks.record.run_data import PhaseData
from tasks.loads import Paced, Ramp

OFFERED_RATE_SHORTFALL = 0.02


def missed_rate(phase: PhaseData) -> tuple[float, float] | None:
    """The planned and the offered rate of an open loop, 1/s, if the producer could not offer what was planned."""
    if isinstance(phase.record.load, Paced | Ramp):
        planned, offered = phase.tasks.planned_rate_per_s(), phase.tasks.offered_rate_per_s()
        if planned and offered and offered < planned * (1 - OFFERED_RATE_SHORTFALL):
            return planned, offered
    return None


def limits_per_s(phase: PhaseData) -> tuple[float | None, float | None]:
    """What the worker drains and what one producer enqueues a second, by a prefilled phase. An open loop can have no more
    than the lower of the two."""
    return phase.tasks.drain_rate_per_s(), phase.tasks.enqueue_rate_per_s()


def rate_flags(phase: PhaseData) -> Iterator[Flag]:
    """A rate that was promised and missed."""
    if (missed := missed_rate(phase)) is not None and not phase.record.rate_may_be_missed:
        planned, offered = missed
        shortfall = 1 - offered / planned
        yield OFFERED_RATE_MISSED.flag(phase=phase.record.name, offered=offered, planned=planned, shortfall=shortfall)
