"""What imports take of a worker's start. Pure arithmetic on the reading of ``benchmarks.run.devices.imports``."""

from dataclasses import dataclass

import pandas as pd

from benchmarks.record.percentiles import US_PER_MS

INTERPRETER_IS_UP = "site"
"""The last module that Python imports by itself before it turns to what it was told to run."""


@dataclass(frozen=True, slots=True)
class ImportTimes:
    """The imports of one start, in ms: until connected those of the command with most, and after that of all."""

    interpreter_ms: float
    own_ms: float
    modules: int
    later_ms: float


def import_times(imports: pd.DataFrame) -> ImportTimes:
    """Split the imports of a start."""
    before, after = imports[~imports["connected"].astype(bool)], imports[imports["connected"].astype(bool)]
    commands = [rows for _, rows in before.groupby("command")]
    slowest = max(commands, key=lambda rows: rows["self_us"].sum(), default=before)
    by_itself = (slowest["module"] == INTERPRETER_IS_UP).to_numpy()
    first = int(by_itself.argmax()) + 1 if by_itself.any() else 0
    own_us = slowest["self_us"].to_numpy()
    return ImportTimes(
        interpreter_ms=float(own_us[:first].sum()) / US_PER_MS,
        own_ms=float(own_us[first:].sum()) / US_PER_MS,
        modules=len(own_us),
        later_ms=float(after["self_us"].sum()) / US_PER_MS,
    )
