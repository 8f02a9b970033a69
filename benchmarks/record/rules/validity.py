"""Whether a run counts: all rules that hold for a run of any scenario."""

from benchmarks.record.flags import Flag
from benchmarks.record.rules.books import book_flags
from benchmarks.record.rules.disturbance import disturbance_flags
from benchmarks.record.rules.producer import producer_flags
from benchmarks.record.rules.rates import rate_flags
from benchmarks.record.rules.whereabouts import whereabouts_flags
from benchmarks.record.rules.workers import process_flags, worker_flags
from benchmarks.record.run_data import RunData


def run_flags(data: RunData) -> tuple[Flag, ...]:
    """All that holds for a run of any scenario; :func:`benchmarks.record.flags.is_valid` says whether the run counts."""
    rules = (book_flags, rate_flags, producer_flags)
    of_phases = (flag for phase in data.phases.values() for rule in rules for flag in rule(phase))
    strayed = (flag for phase in data.phases.values() for flag in whereabouts_flags(phase, data.elsewhere))
    return (*worker_flags(data), *of_phases, *strayed, *process_flags(data), *disturbance_flags(data))
