"""What scenarios share whose tasks call the mock API."""

from collections.abc import Iterator, Sequence

import pandas as pd

from benchmarks.plan.scaling import shape_of_slots
from benchmarks.record.flags import Flag
from benchmarks.record.mock_api_books import (
    CAPACITY_FACT,
    Served,
    balance,
    books_flags,
    limit_flags,
    mock_api_measures,
    phases_with_log,
    served,
)
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.task_table import TaskTable
from benchmarks.scenarios.defaults import ScenarioDefaults
from tasks.contract import Shape


class CallsMockApi(ScenarioDefaults):
    """The base of a scenario whose tasks call the mock API, in phases that have its log read.

    A scenario on it says by :meth:`asked_ms` what its requests asked for, and by :meth:`callers` which of its tasks call.
    """

    facts: Sequence[str] = (CAPACITY_FACT,)

    def asked_ms(self, phase: PhaseData, log: pd.DataFrame, data: RunData) -> pd.Series:
        """The latency that each request of the log asked for; NaN where that is not known."""
        raise NotImplementedError(f"{self.name} must say what its requests asked for")

    def callers(self, tasks: TaskTable) -> TaskTable:
        """Of the tasks of a phase those that call the mock API: all of them."""
        return tasks

    def served(self, phase: PhaseData, log: pd.DataFrame, data: RunData) -> Served:
        """How the mock API served a phase."""
        return served(log, self.asked_ms(phase, log, data), data.context.facts.get(CAPACITY_FACT))

    def mock_api_measures(self, data: RunData) -> Measures:
        """The measures of :data:`~benchmarks.record.mock_api_books.MOCK_API_COLUMNS`."""
        return mock_api_measures([self.served(phase, log, data) for phase, log in phases_with_log(data)])

    def flags(self, data: RunData) -> Sequence[Flag]:
        """What makes a run invalid: requests and tasks that do not match, or a mock API that was the limit."""
        return tuple(flag for phase, log in phases_with_log(data) for flag in self._phase_flags(phase, log, data))

    def _phase_flags(self, phase: PhaseData, log: pd.DataFrame, data: RunData) -> Iterator[Flag]:
        record = phase.record
        yield from books_flags(record.name, balance(log, self.callers(phase.tasks), data.run, record.number))
        yield from limit_flags(record.name, self.served(phase, log, data))


def shape_for_waiting(context: RunContext, slots: int) -> Shape:
    """A worker that is to have so many tasks at once over the suite's processes: where every one of them needs a process of its
    own, size ``processes_per_core`` of them at most."""
    most_processes = int(context.sizes["processes_per_core"]) * context.cores
    return shape_of_slots(context.variant, slots, context.processes, most_processes)
