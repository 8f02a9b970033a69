"""From a run in progress to what it brings back."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import pandas as pd

from benchmarks.record.accounting import account
from benchmarks.record.run_data import PhaseData, RunData
from benchmarks.record.task_table import TaskTable, build_task_tables
from benchmarks.run.contract import Look
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.one_run.in_progress import RunInProgress
from benchmarks.run.one_run.spec import RecordedRun, in_words
from infrastructure.event_log import Events


def look_at(run: RunInProgress, number: int) -> Look:
    """What looks at a phase that is over."""

    def look() -> PhaseData:
        return next(phase for phase in _phases(run, _events(run)).values() if phase.record.number == number)

    return look


def collect(run: RunInProgress, failure: str | None) -> RecordedRun:
    """All that was recorded of the run, and can still be had: what a node does not hand out is named in the failure."""
    spec, known = run.spec, run.known
    events, lost = _events_left(run)
    samples, data, died = tuple(known.samples), None, None
    try:
        died = run.worker.worker().died
    except NodeError as error:
        lost.append(in_words(error))
    if lost:
        failure = "\n".join((*([failure] if failure else []), "not all that was recorded could be read:", *lost))
    if known.workers and known.context is not None:
        data = RunData(
            scenario=spec.scenario.name,
            variant=spec.variant,
            run=spec.run,
            context=known.context,
            worker=replace(known.workers[0], died=died),
            phases=_phases(run, events),
            samples=samples,
            producer_environment=known.producer_environment,
            elsewhere=tuple(sorted(known.elsewhere)),
        )
    return RecordedRun(
        spec=spec,
        data=data,
        failure=failure,
        phase_names=known.names,
        tables=build_task_tables(events, spec.run),
        samples=samples,
        readings=_by_device(known.readings),
        logs={} if failure is None and died is None else _logs(run),
    )


def _logs(run: RunInProgress) -> dict[str, str]:
    """What the processes of the nodes that still answer have printed."""
    found: dict[str, str] = {}
    for node in (run.worker, run.producer):
        with suppress(NodeError):
            found |= {f"{node.name}-{name}": log for name, log in node.logs().items() if log}
    return found


def _events(run: RunInProgress) -> list[Events]:
    return [run.producer.events(), run.worker.events()]


def _events_left(run: RunInProgress) -> tuple[list[Events], list[str]]:
    """The events of the nodes that hand theirs out; and in words why others did not."""
    events: list[Events] = []
    lost: list[str] = []
    for node in (run.producer, run.worker):
        try:
            events.append(node.events())
        except (NodeError, ValueError) as error:
            lost.append(in_words(error))
    return events, lost


def _phases(run: RunInProgress, events: list[Events]) -> dict[str, PhaseData]:
    """What the event log says of the phases so far."""
    tables = build_task_tables(events, run.spec.run)
    return {
        record.name: PhaseData(
            record=record,
            tasks=(table := tables.get(record.number, TaskTable.empty())),
            account=account(table, record.planned),
            readings=run.known.readings.get(record.number, {}),
        )
        for record in run.known.records
    }


def _by_device(readings: Mapping[int, Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    frames: dict[str, list[pd.DataFrame]] = {}
    for phase, of_phase in sorted(readings.items()):
        for device, frame in of_phase.items():
            numbered = frame.copy(deep=False)
            numbered.insert(0, "phase", phase)
            frames.setdefault(device, []).append(numbered)
    return {device: pd.concat(parts, ignore_index=True) for device, parts in frames.items()}
