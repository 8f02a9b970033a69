"""What must be said of a run before its figures are believed: named flags, each with what it means and what to do.

A flag of severity *invalid* takes the run out of every statistic; so does *excluded*, though nothing is wrong with the run; a
*warning* leaves it in and says why to doubt it; a *note* only explains.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.model import PhaseData, RunData
from benchmarks.resources import host_cores, host_marks, measured_phases, steal_share, throttled_s
from benchmarks.statistics import coefficient_of_variation, runs_needed
from tasks.loads import Burst, Paced, Prefilled, Ramp, goes_through_web

OFFERED_RATE_SHORTFALL = 0.02
STEAL_SHARE = 0.05
COEFFICIENT_OF_VARIATION = 0.15
FEWEST_RUNS = 4
"""With three runs a side the two-sided Mann-Whitney test cannot fall below p = 0.1, whatever the data; with four, 0.029."""
OTHER_LAB_PROCESSES = 5
"""Producer, Redis, mock API, node agent and runner: what may rightly keep a core busy besides the worker's own tree."""


class Severity(enum.StrEnum):
    """What a flag does to a run."""

    INVALID = "invalid"
    EXCLUDED = "excluded"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class _Meaning:
    severity: Severity
    explanation: str
    advice: str


class FlagCode(enum.Enum):
    """Every flag there is. The explanation is a template for :meth:`flag`."""

    TASK_LOST = _Meaning(
        Severity.INVALID,
        "{phase}: {count} of {acknowledged} acknowledged tasks never ended (sequences {ids})",
        "Look at the worker's log and at what the queue still holds; a time limit that is too short looks the same.",
    )
    TASK_DOUBLED = _Meaning(
        Severity.INVALID,
        "{phase}: {count} tasks were executed more often than their retries explain (sequences {ids})",
        "Check acknowledgement and visibility timeout: a task must not be given out again while it runs.",
    )
    TASK_LOST_AT_STOP = _Meaning(
        Severity.WARNING,
        "{phase}: {count} of {acknowledged} acknowledged tasks never ended after the worker was stopped with tasks in hand "
        "(sequences {ids}); it promises {guarantee}",
        "This is what the framework makes of a stop, and is reported as such: see where it keeps tasks that it was given.",
    )
    TASK_DOUBLED_AT_STOP = _Meaning(
        Severity.WARNING,
        "{phase}: {count} tasks ended more often than their retries explain after the worker was stopped with tasks in hand "
        "(sequences {ids}); it promises {guarantee}",
        "This is what the framework makes of a stop, and is reported as such: tasks should bear being executed again.",
    )
    UNEXPECTED_TASK = _Meaning(
        Severity.INVALID,
        "{phase}: {count} tasks were executed that were never sent (sequences {ids})",
        "Purge the queues before the run, and see that no other producer uses this Redis.",
    )
    NEVER_SENT = _Meaning(
        Severity.INVALID,
        "{phase}: {count} of {planned} planned tasks were never sent",
        "Look at the producer's log: it ended early, or its event log is not whole.",
    )
    SEND_FAILED = _Meaning(
        Severity.INVALID,
        "{phase}: {count} of {attempted} sends raised{error}",
        "Look at the broker's log and limits (maxmemory, maxclients); lower the rate or the sends in flight.",
    )
    CPU_TASK_OFF = _Meaning(
        Severity.WARNING,
        "{phase}: the CPU-bound task took {median:.1f} ms alone where it was calibrated to {wanted:.0f} ms",
        "The machine's speed has changed since the calibration (clock frequency, other programs): quiet it and begin a new set.",
    )
    HEAVY_TASKS_OVERLAP = _Meaning(
        Severity.WARNING,
        "{phase}: {share:.0%} of the heavy tasks were due before the one before them had ended",
        "What light tasks suffer here is also for want of free slots: quiet the machine, or raise size heavy_each.",
    )
    CAPACITY_NOT_FOUND = _Meaning(
        Severity.WARNING,
        "{count} rates from {least:.1f} to {most:.1f} tasks/s were tried, and none was held: {verdicts}",
        "See in the steps' tasks what was late; a longer step is less at the mercy of one stall.",
    )
    CAPACITY_AT_LEAST = _Meaning(
        Severity.NOTE,
        "{capacity:.1f} tasks/s were held and more was not shown: {reason}",
        "Read the capacity as at least that much; more producers would reach higher rates.",
    )
    NOTHING_EXECUTED = _Meaning(
        Severity.INVALID,
        "{phase}: not one of {attempted} tasks was executed",
        "See in the worker's log whether it connected, to the right database, and listens to the right queue.",
    )
    OFFERED_RATE_MISSED = _Meaning(
        Severity.INVALID,
        "{phase}: {offered:.1f} tasks/s were offered where {planned:.1f} were planned, {shortfall:.1%} short",
        "Lower the rate, or give the producer a core of its own: latency counts only at the rate that was promised.",
    )
    WORKER_DIED = _Meaning(
        Severity.INVALID,
        "the worker died: {reason}",
        "Look at its log; see if memory or a limit ran out.",
    )
    TIME_NAMESPACE_DIFFERS = _Meaning(
        Severity.INVALID,
        "the nodes do not share one monotonic clock",
        "Run all nodes on one host in its time namespace: times taken in two namespaces cannot be subtracted.",
    )
    TOO_FEW_PROCESSES = _Meaning(
        Severity.INVALID,
        "{working} processes worked on the backlog where {promised} were promised",
        "See that every process of the worker started, and that the backlog is large enough to reach them all.",
    )
    TIMED_OUT = _Meaning(
        Severity.INVALID,
        "{phase}: not drained within the time limit, {open} of {attempted} tasks still open",
        "Raise the time limit or lower the size; if the worker hangs, its log tells where.",
    )
    RUN_FAILED = _Meaning(
        Severity.INVALID,
        "the run could not be made: {reason}",
        "Mend the cause and resume the result set.",
    )
    STOP_NOT_GRACEFUL = _Meaning(
        Severity.WARNING,
        "{phase}: asked to end with tasks in hand, the worker was not gone after {seconds:.1f} s and was killed",
        "See in its log what it waits for; an orchestrator would kill it as well.",
    )
    PAGE_CACHE_WARM = _Meaning(
        Severity.NOTE,
        "the page cache could not be made cold: not all of {starts} starts fetched anything from storage",
        "Nothing is to be done where the files lie in memory or on storage that is cached elsewhere.",
    )
    UNSUPPORTED = _Meaning(
        Severity.EXCLUDED,
        "{reason}",
        "Nothing is to be done: the variant cannot do what the scenario measures.",
    )
    TASK_MISROUTED = _Meaning(
        Severity.INVALID,
        "{phase}: {count} of {sent} tasks of a queue that the worker does not listen to were started or gone at the end",
        "See which queues the worker was started with, and that no other worker uses this Redis.",
    )
    NOT_OVERLOADED = _Meaning(
        Severity.WARNING,
        "{phase}: only {backlog} tasks waited when the last was sent, for {slots} slots: priorities had nothing to decide",
        "Raise overload_ratio or overload_s: the worker does more in an open loop than its drain has shown.",
    )
    MOCK_API_LIMIT = _Meaning(
        Severity.INVALID,
        "{phase}: the mock API was the limit: {reason}",
        "Give the mock API a core of its own, or have fewer slots: these are the figures of the service, not of the worker.",
    )
    REQUESTS_UNBALANCED = _Meaning(
        Severity.INVALID,
        "{phase}: of {completed} tasks that say they were answered, {missing} are not in the mock API's log; it answered "
        "{unclaimed} requests that no such task made, and {repeated} more than once",
        "See that nothing else calls this mock API, and that each task's process sends the id of its own task.",
    )
    NO_EVENTS = _Meaning(
        Severity.INVALID,
        "{phase}: events were on, and the worker has handed none over",
        "See in the worker's settings and log whether its events were turned on.",
    )
    EVENT_LOST = _Meaning(
        Severity.WARNING,
        "{phase}: {lost} of {owed} events owed to {subscribers} subscribers did not arrive; connections broken: {broken}",
        "See in the worker's log whether it could publish them; Redis cuts off who exceeds its client-output-buffer-limit.",
    )
    EVENT_UNKNOWN = _Meaning(
        Severity.WARNING,
        "{phase}: {count} events that arrived tell of tasks that were not run in it",
        "See that nothing else publishes to this Redis; a task whose start was not recorded looks the same.",
    )
    SLOW_SUBSCRIBER_BEHIND = _Meaning(
        Severity.NOTE,
        "{phase}: {missing} of {owed} events had not reached the slow subscriber when it was ended; connections broken: {broken}",
        "With no connection broken they lay in Redis's buffer for it; raise settle_s or lower slow_delay_ms to see them arrive.",
    )
    BOOKS_UNBALANCED = _Meaning(
        Severity.INVALID,
        "{phase}: the shop's books do not balance, and no task explains it: {what}",
        "A step was done twice, or said to be done and was not: look for what else uses this Redis and mock API, then in the "
        "worker's log.",
    )
    CHAIN_OUT_OF_ORDER = _Meaning(
        Severity.INVALID,
        "{phase}: {count} stages started though the one before them had not ended well",
        "The framework's chain does not hold: see how its module links the stages.",
    )
    RETRY_GIVEN_OUT_TWICE = _Meaning(
        Severity.WARNING,
        "{phase}: {count} tasks were given out twice after the wait for their retry, and {charges} payments were made twice",
        "Two processes of the worker moved a task that was due at the same time: make what a task does safe to repeat, or have "
        "one process.",
    )
    PIPELINE_OVERLOADED = _Meaning(
        Severity.WARNING,
        "{phase}: {rate:.1f} orders/s were offered where prefilled ones were done at {capacity:.1f}/s",
        "Lower orders_per_s or give the worker more slots: these latencies are those of a queue that grows.",
    )
    FAILURES_NOT_AS_INJECTED = _Meaning(
        Severity.WARNING,
        "{phase}: {seen} attempts raised where {due} were to",
        "See in the worker's log what else was raised; a time limit of the client is the usual cause.",
    )
    PROFILED = _Meaning(
        Severity.EXCLUDED,
        "{profiler} watched the worker",
        "Nothing is to be done: a profiler slows down what it watches, so the run is in no comparison.",
    )
    TASK_FAILED = _Meaning(
        Severity.WARNING,
        "{phase}: {count} of {attempted} tasks ended by raising",
        "Unless the scenario injects failures, see in the worker's log what was raised.",
    )
    CPU_STEAL = _Meaning(
        Severity.WARNING,
        "the hypervisor withheld {share:.1%} of the CPU time",
        "Use a dedicated machine or instance type, or a quieter hour.",
    )
    SWAPPING = _Meaning(Severity.WARNING, "{pages} pages were swapped", "Free memory or turn swap off, and run again.")
    HOST_LOAD_HIGH = _Meaning(
        Severity.WARNING,
        "the load was never below {load:.1f} on {cores} cores, more than the lab's own {own} processes explain",
        "Stop other programs on this machine, or wait until they are done, and run again.",
    )
    THROTTLED = _Meaning(
        Severity.WARNING,
        "the worker's CPU limit held it back for {seconds:.2f} s",
        "Raise the container's CPU limit, or read the figures as those of the limit.",
    )
    CV_HIGH = _Meaning(
        Severity.WARNING,
        "{measure}: coefficient of variation {cv:.2f} over {n} runs, above {limit}",
        "Look for outliers and drift, quiet the machine, and make more runs.",
    )
    TOO_FEW_RUNS = _Meaning(
        Severity.WARNING,
        "{measure}: {n} valid runs{more}",
        "Make more runs before you compare.",
    )
    WEB_CLIENT_LIMIT = _Meaning(
        Severity.WARNING,
        "{phase}: the client that sends the requests used {client:.0f} % of a core, and the application only {web:.0f} %",
        "Read requests/s of this endpoint as what the client can send; the application may bear more.",
    )
    SERVICE_LEVEL_NOT_HELD = _Meaning(
        Severity.NOTE,
        "{endpoint}: at none of {rates} requests/s did the p99 of a request stay within {limit:g} ms",
        "Raise limit_ms, or read the p99 at the lowest of these rates; on few cores client, application and worker compete.",
    )
    PAYLOAD_DAMAGED = _Meaning(
        Severity.INVALID,
        "{phase}: {count} of {attempted} tasks did not find what they were sent",
        "See in the worker's log what arrived: a serializer must give back what it was given.",
    )
    ORDER_UNCHANGED = _Meaning(
        Severity.INVALID,
        "{phase}: only {changed} of {planned} tasks found that their order had been changed since they were sent",
        "See in the worker's log whether the change failed, and in its database whether it was made.",
    )
    PAYLOADS_LEFT_OUT = _Meaning(
        Severity.NOTE,
        "not measured, as one of them alone takes too long: {payloads}",
        "Raise message_s and phase_s to have them measured all the same.",
    )
    PARTLY_UNSUPPORTED = _Meaning(
        Severity.NOTE,
        "{columns} not measured: {reason}",
        "Nothing is to be done: the variant cannot do that part of what the scenario measures.",
    )
    PACED_RATE_CAPPED = _Meaning(
        Severity.NOTE,
        "{phase}: {rate:.1f} tasks/s, below half of the capacity ({half:.1f}), for the producer enqueues {enqueue:.1f}/s at best",
        "Read these latencies as those of a lower utilisation; more producers would reach the rate.",
    )

    @property
    def code(self) -> str:
        """As it stands in files: ``task-lost``."""
        return self.name.lower().replace("_", "-")

    @property
    def severity(self) -> Severity:
        """What it does to a run."""
        meaning: _Meaning = self.value
        return meaning.severity

    @property
    def advice(self) -> str:
        """What to do about it."""
        meaning: _Meaning = self.value
        return meaning.advice

    def flag(self, **values: Any) -> "Flag":
        """A flag with its explanation filled in. Raises KeyError for a value that the explanation lacks."""
        return Flag(self, self.value.explanation.format(**values))


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag raised: which, and what was seen."""

    code: FlagCode
    detail: str

    def __str__(self) -> str:
        return f"{self.code.code}: {self.detail}"

    def as_data(self) -> dict[str, str]:
        """As plain data, for JSON."""
        code = self.code
        return {"code": code.code, "severity": code.severity.value, "detail": self.detail, "advice": code.advice}

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> "Flag":
        """The inverse of :meth:`as_data`. Raises ValueError for a code that does not exist."""
        code = _BY_CODE.get(data["code"])
        if code is None:
            raise ValueError(f"unknown flag {data['code']!r}; there are {', '.join(_BY_CODE)}")
        return cls(code, data["detail"])


_BY_CODE = {code.code: code for code in FlagCode}


def is_valid(flags: Iterable[Flag]) -> bool:
    """Whether a run with these flags may enter a statistic."""
    return all(flag.code.severity not in (Severity.INVALID, Severity.EXCLUDED) for flag in flags)


def exclusion(flags: Iterable[Flag]) -> Flag | None:
    """Why a run with these flags is in no statistic though nothing is wrong with it; None where there is no such flag."""
    return next((flag for flag in flags if flag.code.severity is Severity.EXCLUDED), None)


def run_flags(data: RunData) -> tuple[Flag, ...]:
    """All that holds for a run of any scenario. The run is invalid if one of them is (:func:`is_valid`)."""
    flags: list[Flag] = []
    if data.worker.died is not None:
        flags.append(FlagCode.WORKER_DIED.flag(reason=data.worker.died))
    if not data.worker.same_time_namespace:
        flags.append(FlagCode.TIME_NAMESPACE_DIFFERS.flag())
    for phase in data.phases.values():
        flags.extend(_phase_flags(phase))
    flags.extend(_process_flags(data))
    flags.extend(_disturbance_flags(data))
    return tuple(flags)


def group_flags(measure: str, values: Sequence[float], fewest_runs: int = FEWEST_RUNS) -> tuple[Flag, ...]:
    """What must be said of the valid runs of one variant, from their values of one measure: too much spread, too few runs."""
    flags: list[Flag] = []
    n, cv = len(values), coefficient_of_variation(values)
    if cv is not None and cv > COEFFICIENT_OF_VARIATION:
        flags.append(FlagCode.CV_HIGH.flag(measure=measure, cv=cv, n=n, limit=COEFFICIENT_OF_VARIATION))
    needed = runs_needed(values)
    if n < fewest_runs:
        flags.append(FlagCode.TOO_FEW_RUNS.flag(measure=measure, n=n, more=f", fewer than {fewest_runs}"))
    elif needed:
        flags.append(FlagCode.TOO_FEW_RUNS.flag(measure=measure, n=n, more=f"; about {needed} more would narrow it to ±5 %"))
    return tuple(flags)


def _phase_flags(phase: PhaseData) -> Iterator[Flag]:
    name, account = phase.record.name, phase.account
    stopped, guarantee = phase.record.stopped_midway, phase.record.worker.guarantee
    if account.lost:
        code = FlagCode.TASK_LOST_AT_STOP if stopped else FlagCode.TASK_LOST
        ids = _few(account.lost_ids, account.lost)
        yield code.flag(phase=name, count=account.lost, acknowledged=account.acknowledged, ids=ids, guarantee=guarantee)
    if account.duplicated:
        code = FlagCode.TASK_DOUBLED_AT_STOP if stopped else FlagCode.TASK_DOUBLED
        ids = _few(account.duplicated_ids, account.duplicated)
        yield code.flag(phase=name, count=account.duplicated, ids=ids, guarantee=guarantee)
    if account.unexpected:
        ids = _few(account.unexpected_ids, account.unexpected)
        yield FlagCode.UNEXPECTED_TASK.flag(phase=name, count=account.unexpected, ids=ids)
    if account.never_sent:
        yield FlagCode.NEVER_SENT.flag(phase=name, count=account.never_sent, planned=account.planned)
    if account.sends_raised:
        errors = phase.record.produced.errors
        error = f", mostly with {max(errors, key=lambda e: errors[e])}" if errors else ""
        yield FlagCode.SEND_FAILED.flag(phase=name, count=account.sends_raised, attempted=account.attempted, error=error)
    if account.planned and not (phase.tasks.starts.any() or account.ended):
        yield FlagCode.NOTHING_EXECUTED.flag(phase=name, attempted=account.attempted)
    if account.failed and not phase.record.failures_expected:
        yield FlagCode.TASK_FAILED.flag(phase=name, count=account.failed, attempted=account.attempted)
    if phase.record.timed_out:
        still_open = account.attempted - account.ended - account.skipped
        yield FlagCode.TIMED_OUT.flag(phase=name, open=still_open, attempted=account.attempted)
    if (missed := missed_rate(phase)) is not None and not phase.record.rate_may_be_missed:
        planned, offered = missed
        shortfall = 1 - offered / planned
        yield FlagCode.OFFERED_RATE_MISSED.flag(phase=name, offered=offered, planned=planned, shortfall=shortfall)


def missed_rate(phase: PhaseData) -> tuple[float, float] | None:
    """The planned and the offered rate of an open loop, 1/s, if the producer could not offer what was planned."""
    if isinstance(phase.record.load, Paced | Ramp):
        planned, offered = phase.tasks.planned_rate_per_s(), phase.tasks.offered_rate_per_s()
        if planned and offered and offered < planned * (1 - OFFERED_RATE_SHORTFALL):
            return planned, offered
    return None


def _few(ids: Sequence[int], total: int) -> str:
    shown = ids[:10]
    return ", ".join(map(str, shown)) + (", ..." if total > len(shown) else "")


def _process_flags(data: RunData) -> Iterator[Flag]:
    """Only a backlog reaches every process, hence only loads that make one count."""
    backlogs: dict[int, list[PhaseData]] = {}
    for phase in measured_phases(data):
        if isinstance(phase.record.load, Prefilled | Burst) and not goes_through_web(phase.record.tasks):
            backlogs.setdefault(phase.record.worker.number, []).append(phase)
    for phases in backlogs.values():
        working, promised = max(p.tasks.working_processes() for p in phases), phases[0].record.worker.working_processes
        if working < min(promised, max(p.account.planned for p in phases)):
            yield FlagCode.TOO_FEW_PROCESSES.flag(working=working, promised=promised)


def _disturbance_flags(data: RunData) -> Iterator[Flag]:
    marks = host_marks(data)
    if not marks:
        return
    steal = steal_share(marks[0], marks[-1])
    if steal is not None and steal > STEAL_SHARE:
        yield FlagCode.CPU_STEAL.flag(share=steal)
    swapped = marks[-1].swapped_pages - marks[0].swapped_pages
    if swapped > 0:
        yield FlagCode.SWAPPING.flag(pages=swapped)
    load, cores = min(mark.load_1min for mark in marks), host_cores(marks[0], marks[-1])
    own = data.worker.idle.processes + OTHER_LAB_PROCESSES
    if cores is not None and load > max(cores, own):
        yield FlagCode.HOST_LOAD_HIGH.flag(load=load, cores=cores, own=own)
    throttled = throttled_s(data)
    if throttled is not None and throttled > 0:
        yield FlagCode.THROTTLED.flag(seconds=throttled)
