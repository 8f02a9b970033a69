"""What must be said of the books of a phase (:mod:`benchmarks.record.accounting`)."""

from collections.abc import Iterator, Sequence

from benchmarks.record.flags import (
    LOSSES_COUNTED,
    NEVER_SENT,
    NOTHING_EXECUTED,
    SEND_FAILED,
    TASK_DOUBLED,
    TASK_DOUBLED_AT_STOP,
    TASK_FAILED,
    TASK_LOST,
    TASK_LOST_AT_STOP,
    TIMED_OUT,
    UNEXPECTED_TASK,
    Flag,
)
from benchmarks.record.run_data import PhaseData

IDS_SHOWN = 10


def book_flags(phase: PhaseData) -> Iterator[Flag]:
    """Tasks that were lost, doubled, unexpected, never sent or failed, and a phase that executed nothing or ran out of time."""
    name, account = phase.record.name, phase.account
    stopped, guarantee = phase.record.stopped_midway, phase.record.worker.guarantee
    errors = phase.record.produced.errors
    error = f", mostly with {max(errors, key=lambda e: errors[e])}" if errors else ""
    counted = phase.record.losses_counted
    if counted and (account.lost or account.sends_raised):
        yield LOSSES_COUNTED.flag(
            phase=name,
            lost=account.lost,
            acknowledged=account.acknowledged,
            refused=account.sends_raised,
            attempted=account.attempted,
            error=error,
        )
    if account.lost and not counted:
        kind = TASK_LOST_AT_STOP if stopped else TASK_LOST
        ids = _few(account.lost_ids, account.lost)
        yield kind.flag(phase=name, count=account.lost, acknowledged=account.acknowledged, ids=ids, guarantee=guarantee)
    if account.duplicated:
        kind = TASK_DOUBLED_AT_STOP if stopped or counted else TASK_DOUBLED
        ids = _few(account.duplicated_ids, account.duplicated)
        yield kind.flag(phase=name, count=account.duplicated, ids=ids, guarantee=guarantee)
    if account.unexpected:
        ids = _few(account.unexpected_ids, account.unexpected)
        yield UNEXPECTED_TASK.flag(phase=name, count=account.unexpected, ids=ids)
    if account.never_sent:
        yield NEVER_SENT.flag(phase=name, count=account.never_sent, planned=account.planned)
    if account.sends_raised and not counted:
        yield SEND_FAILED.flag(phase=name, count=account.sends_raised, attempted=account.attempted, error=error)
    if not (phase.tasks.starts.any() or account.ended):
        yield NOTHING_EXECUTED.flag(phase=name, attempted=account.attempted)
    if account.failed and not phase.record.failures_expected:
        yield TASK_FAILED.flag(phase=name, count=account.failed, attempted=account.attempted)
    if phase.record.timed_out:
        still_open = account.attempted - account.ended - account.skipped
        yield TIMED_OUT.flag(phase=name, open=still_open, attempted=account.attempted)


def _few(ids: Sequence[int], total: int) -> str:
    shown = ids[:IDS_SHOWN]
    return ", ".join(map(str, shown)) + (", ..." if total > len(shown) else "")
