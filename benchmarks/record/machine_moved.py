"""How far the machine moved in a set, in words."""

from collections.abc import Iterable

from benchmarks.record.flags import MACHINE_SPEED_MOVED
from benchmarks.record.run_data import RunResult
from benchmarks.record.totals import MACHINE_SPEED


def machine_moved(rows: Iterable[RunResult]) -> str | None:
    """One sentence without its full stop; None where no run tells the machine's speed. ``rows`` are those of the whole set, so
    that 1 is its median."""
    made = list(rows)
    speeds = [float(speed) for row in made if (speed := row.measures.get(MACHINE_SPEED)) is not None]
    if not speeds:
        return None
    phases = sum(flag.code == MACHINE_SPEED_MOVED.code for row in made for flag in row.flags)
    invalid = "no phase is" if not phases else "1 phase is" if phases == 1 else f"{phases} phases are"
    return (
        f"the machine's speed lay between {min(speeds):.2f} and {max(speeds):.2f} of the set's median, run by run; "
        f"{invalid} invalid by it"
    )
