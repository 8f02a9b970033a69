"""What must be said of a run before its figures are believed: named flags, each with what it means and what to do.

A flag of severity *invalid* takes what is of its phase out of every statistic, or the whole run where it is of no phase; so does
*excluded*, though nothing is wrong with the run; a *warning* leaves it in and says why to doubt it; a *note* only explains.

Here are the flags that any run can have. The rule that raises one stands beside what it looks at; a flag that only one scenario
or device can raise is declared in its file, and listed there.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class Severity(enum.StrEnum):
    """What a flag does to a run."""

    INVALID = "invalid"
    EXCLUDED = "excluded"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag raised: its code, what it does to the run, what was seen, and what to do about it. All of it is stored, so that a
    set can be read by a version of the lab that does not know the code."""

    code: str
    """As it stands in files: ``task-lost``."""
    severity: Severity
    detail: str
    advice: str
    phase: str = ""
    """The phase of which it is said; empty: of the whole run."""

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    def as_data(self) -> dict[str, str]:
        """As plain data, for JSON."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "phase": self.phase,
            "detail": self.detail,
            "advice": self.advice,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> "Flag":
        """The inverse of :meth:`as_data`; a set of before flags had phases has none. Raises ValueError for a severity that does
        not exist."""
        return cls(data["code"], Severity(data["severity"]), data["detail"], data["advice"], data.get("phase", ""))


@dataclass(frozen=True, slots=True)
class FlagKind:
    """A flag as it is declared. ``code`` is small letters and hyphens, and no other flag's; ``explanation`` is a template for
    :meth:`flag`."""

    code: str
    severity: Severity
    explanation: str
    advice: str

    def flag(self, *, phase: str = "", **values: Any) -> Flag:
        """A flag with its explanation filled in, of one phase or, without, of the whole run. Raises KeyError for a value that the
        explanation lacks."""
        if phase:
            values["phase"] = phase
        return Flag(self.code, self.severity, self.explanation.format(**values), self.advice, phase)

    def among(self, flags: Iterable[Flag]) -> bool:
        """Whether one of these flags is of this kind."""
        return any(flag.code == self.code for flag in flags)


def invalid_phases(flags: Iterable[Flag]) -> frozenset[str]:
    """The phases that may enter no statistic by these flags; an empty name among them stands for the whole run."""
    return frozenset(flag.phase for flag in flags if flag.severity in (Severity.INVALID, Severity.EXCLUDED))


def is_valid(flags: Iterable[Flag]) -> bool:
    """Whether nothing of a run with these flags is invalid."""
    return not invalid_phases(flags)


def exclusion(flags: Iterable[Flag]) -> Flag | None:
    """Why a run with these flags is in no statistic though nothing is wrong with it; None where there is no such flag."""
    return next((flag for flag in flags if flag.severity is Severity.EXCLUDED), None)


TASK_LOST = FlagKind(
    "task-lost",
    Severity.INVALID,
    "{phase}: {count} of {acknowledged} acknowledged tasks never ended (sequences {ids})",
    "Look at the worker's log and at what the queue still holds; a time limit that is too short looks the same.",
)

TASK_DOUBLED = FlagKind(
    "task-doubled",
    Severity.INVALID,
    "{phase}: {count} tasks were executed more often than their retries explain (sequences {ids})",
    "Check acknowledgement and visibility timeout: a task must not be given out again while it runs.",
)

TASK_LOST_AT_STOP = FlagKind(
    "task-lost-at-stop",
    Severity.WARNING,
    "{phase}: {count} of {acknowledged} acknowledged tasks never ended after the worker was stopped with tasks in hand "
    "(sequences {ids}); it promises {guarantee}",
    "This is what the framework makes of a stop, and is reported as such: see where it keeps tasks that it was given.",
)

TASK_DOUBLED_AT_STOP = FlagKind(
    "task-doubled-at-stop",
    Severity.WARNING,
    "{phase}: {count} tasks ended more often than their retries explain after the worker was stopped with tasks in hand "
    "(sequences {ids}); it promises {guarantee}",
    "This is what the framework makes of a stop, and is reported as such: tasks should bear being executed again.",
)

UNEXPECTED_TASK = FlagKind(
    "unexpected-task",
    Severity.INVALID,
    "{phase}: {count} tasks were executed that were never sent (sequences {ids})",
    "Purge the queues before the run, and see that no other producer uses this Redis.",
)

NEVER_SENT = FlagKind(
    "never-sent",
    Severity.INVALID,
    "{phase}: {count} of {planned} planned tasks were never sent",
    "Look at the producer's log: it ended early, or its event log is not whole.",
)

SEND_FAILED = FlagKind(
    "send-failed",
    Severity.INVALID,
    "{phase}: {count} of {attempted} sends raised{error}",
    "Look at the broker's log and limits (maxmemory, maxclients); lower the rate or the sends in flight.",
)

LOSSES_COUNTED = FlagKind(
    "losses-counted",
    Severity.NOTE,
    "{phase}: {lost} of {acknowledged} acknowledged tasks never ended, and {refused} of {attempted} sends were not "
    "answered{error}",
    "Nothing is to be done: how many there are is what the phase asks.",
)

NOTHING_EXECUTED = FlagKind(
    "nothing-executed",
    Severity.INVALID,
    "{phase}: not one of {attempted} tasks was executed",
    "See in the worker's log whether it connected, to the right database, and listens to the right queue.",
)

OFFERED_RATE_MISSED = FlagKind(
    "offered-rate-missed",
    Severity.INVALID,
    "{phase}: {offered:.1f} tasks/s were offered where {planned:.1f} were planned, {shortfall:.1%} short",
    "Lower the rate, or give the producer a core of its own: latency counts only at the rate that was promised.",
)

PRODUCER_BOUND = FlagKind(
    "producer-bound",
    Severity.NOTE,
    "{phase}: the producer is the bottleneck: {share:.0%} of the mean {wait:.3g} ms from due to start passed there, "
    "{late:.3g} ms before it came to send and {send:.3g} ms in the enqueue call",
    "Read these latencies as the client's as much as the worker's (ack_to_start is without it); an asynchronous client, or more "
    "producers, would take less.",
)

WORKER_DIED = FlagKind(
    "worker-died",
    Severity.INVALID,
    "the worker died: {reason}",
    "Look at its log; see if memory or a limit ran out.",
)

TIME_NAMESPACE_DIFFERS = FlagKind(
    "time-namespace-differs",
    Severity.INVALID,
    "the nodes do not share one monotonic clock",
    "Run all nodes on one host in its time namespace: times taken in two namespaces cannot be subtracted.",
)

TOO_FEW_PROCESSES = FlagKind(
    "too-few-processes",
    Severity.INVALID,
    "{working} processes worked on the backlog where {promised} were promised",
    "See that every process of the worker started, and that the backlog is large enough to reach them all.",
)

TOO_MANY_PROCESSES = FlagKind(
    "too-many-processes",
    Severity.INVALID,
    "{phase}: {working} processes worked at once where the worker has {most}",
    "See what else executes tasks of this queue: a worker of before, or one beside the lab.",
)

TIMED_OUT = FlagKind(
    "timed-out",
    Severity.INVALID,
    "{phase}: not drained within the time limit, {open} of {attempted} tasks still open",
    "Raise the time limit or lower the size; if the worker hangs, its log tells where.",
)

RUN_FAILED = FlagKind(
    "run-failed",
    Severity.INVALID,
    "the run could not be made: {reason}",
    "Mend the cause and resume the result set.",
)

SCENARIO_FAILED = FlagKind(
    "scenario-failed",
    Severity.INVALID,
    "what was recorded could not be reckoned: {reason}",
    "A mistake in the scenario's measures or flags: the raw data of the run are kept; mend it and resume the result set.",
)

REPEATED = FlagKind(
    "repeated",
    Severity.NOTE,
    "made in the place of run {run}, which failed: {reason}",
    "Nothing is to be done; the failed run's row says more.",
)

UNSUPPORTED = FlagKind(
    "unsupported",
    Severity.EXCLUDED,
    "{reason}",
    "Nothing is to be done: the variant cannot do what the scenario measures.",
)

TASK_FAILED = FlagKind(
    "task-failed",
    Severity.WARNING,
    "{phase}: {count} of {attempted} tasks ended by raising",
    "Unless the scenario injects failures, see in the worker's log what was raised.",
)

MACHINE_SPEED_MOVED = FlagKind(
    "machine-speed-moved",
    Severity.INVALID,
    "{phase}: at its marks the machine went at {low:.2f} to {high:.2f} of the {of}'s median speed",
    "Use a machine that nobody else uses, with a fixed clock frequency; the run is repeated as far as its budget goes.",
)

FOREIGN_CPU = FlagKind(
    "foreign-cpu",
    Severity.WARNING,
    "{phase}: {cores:.2f} cores went to what is not the lab's own, most to {takers}",
    "Stop other programs on this machine, or wait until they are done.",
)

FOREIGN_CPU_HIGH = FlagKind(
    "foreign-cpu-high",
    Severity.INVALID,
    "{phase}: {cores:.2f} cores went to what is not the lab's own, most to {takers}",
    "Stop other programs on this machine; the run is repeated as far as its budget goes.",
)

CPU_STEAL = FlagKind(
    "cpu-steal",
    Severity.WARNING,
    "{phase}: the hypervisor withheld {cores:.2f} cores",
    "Use a dedicated machine or instance type, or a quieter hour.",
)

CPU_STEAL_HIGH = FlagKind(
    "cpu-steal-high",
    Severity.INVALID,
    "{phase}: the hypervisor withheld {cores:.2f} cores",
    "Use a dedicated machine or instance type, or a quieter hour; the run is repeated as far as its budget goes.",
)

CPU_LIMITED = FlagKind(
    "cpu-limited",
    Severity.INVALID,
    "{phase}: the limit of {cores:.2f} cores on the lab's control group {group} held it back in {held} of {periods} periods, "
    "for {seconds:.2f} s",
    "Run the lab where its CPU is not limited, or choose fewer workers and lower rates, which the limit has room for.",
)

SWAPPING = FlagKind(
    "swapping",
    Severity.WARNING,
    "{pages} pages were swapped",
    "Free memory or turn swap off, and run again.",
)

THROTTLED = FlagKind(
    "throttled",
    Severity.WARNING,
    "the worker's CPU limit held it back for {seconds:.2f} s",
    "Raise the container's CPU limit, or read the figures as those of the limit.",
)

MACHINE_SHARED = FlagKind(
    "machine-shared",
    Severity.WARNING,
    "made with --share-the-machine: {others}",
    "Compare it with nothing that was measured alone; leave --share-the-machine out for figures that count.",
)

CV_HIGH = FlagKind(
    "cv-high",
    Severity.WARNING,
    "{measure}: coefficient of variation {cv:.2f} over {n} runs, above {limit}",
    "Look for outliers and drift, quiet the machine, and make more runs.",
)

TOO_FEW_RUNS = FlagKind(
    "too-few-runs",
    Severity.WARNING,
    "{measure}: {n} valid runs{more}",
    "Make more runs before you compare.",
)

PARTLY_UNSUPPORTED = FlagKind(
    "partly-unsupported",
    Severity.NOTE,
    "{columns} not measured: {reason}",
    "Nothing is to be done: the variant cannot do that part of what the scenario measures.",
)

FOREIGN_CONNECTION = FlagKind(
    "foreign-connection",
    Severity.INVALID,
    "a worker or producer was connected to {addresses}, which is no server of the lab",
    "Find out what it has to do there: tasks may have gone there. What its worker was started with is in run.json.",
)

MESSAGES_ELSEWHERE = FlagKind(
    "messages-elsewhere",
    Severity.INVALID,
    "{phase}: {seen} messages reached the lab's Redis where {acknowledged} were acknowledged; {whereto}",
    "Find out where they went, or came from: see what its worker and producer were started with, which is in run.json, and "
    "whether its module names every command that puts a message into a queue.",
)

GENERAL_FLAGS = (
    TASK_LOST,
    TASK_DOUBLED,
    TASK_LOST_AT_STOP,
    TASK_DOUBLED_AT_STOP,
    UNEXPECTED_TASK,
    NEVER_SENT,
    SEND_FAILED,
    LOSSES_COUNTED,
    NOTHING_EXECUTED,
    OFFERED_RATE_MISSED,
    PRODUCER_BOUND,
    WORKER_DIED,
    TIME_NAMESPACE_DIFFERS,
    FOREIGN_CONNECTION,
    MESSAGES_ELSEWHERE,
    TOO_FEW_PROCESSES,
    TOO_MANY_PROCESSES,
    TIMED_OUT,
    RUN_FAILED,
    SCENARIO_FAILED,
    REPEATED,
    UNSUPPORTED,
    TASK_FAILED,
    MACHINE_SPEED_MOVED,
    FOREIGN_CPU,
    FOREIGN_CPU_HIGH,
    CPU_STEAL,
    CPU_STEAL_HIGH,
    CPU_LIMITED,
    SWAPPING,
    THROTTLED,
    MACHINE_SHARED,
    CV_HIGH,
    TOO_FEW_RUNS,
    PARTLY_UNSUPPORTED,
)
"""Those that any run can have."""
