"""What requests to a web application came to. Pure arithmetic on the task table, in which a send is a request and its
acknowledgement the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.arithmetic import difference, ratio
from benchmarks.record.percentiles import figures, summarise, tail_ms
from benchmarks.record.resources import cpu_percent
from benchmarks.record.rules.rates import missed_rate
from benchmarks.record.run_data import PhaseData
from benchmarks.record.shared import Values
from benchmarks.record.task_table import Ints, TaskTable
from benchmarks.record.web.application import web_cpu_s
from tasks.loads import NS_PER_S, Paced

REQUEST_FIGURES = ("p50", "p95", "p99", "mean")
COMPARED_FIGURES = ("p50", "p99")


def answer_ns(table: TaskTable) -> Ints:
    """From due to the answer, of every request that was accepted: a client that is late does not hide a stall."""
    taken = table.acknowledged
    times_ns: Ints = table.acknowledged_ns[taken] - table.due_ns[taken]
    return times_ns


def answer_to_finish_ns(table: TaskTable) -> Ints:
    """From the answer to the finish of the task, of every request that was accepted and whose task ended; negative where the task
    was faster."""
    both = table.acknowledged & table.ended
    after_ns: Ints = table.finished_ns[both] - table.acknowledged_ns[both]
    return after_ns


def request_measures(table: TaskTable, endpoints: Sequence[str]) -> Values:
    """The times of requests to every endpoint that a phase had; an endpoint's place is the label of its tasks. All others are
    held against the first: ``ENDPOINT_over_FIRST_p50_ms``, ``..._ratio``."""
    first = endpoints[0]
    values: Values = {}
    for label, endpoint in enumerate(endpoints):
        if not len(of_endpoint := table.of_label(label)):
            continue
        values |= figures(endpoint, answer_ns(of_endpoint), REQUEST_FIGURES)
        for figure in COMPARED_FIGURES if endpoint != first else ():
            time_ms, first_ms = values[f"{endpoint}_{figure}_ms"], values.get(f"{first}_{figure}_ms")
            values[f"{endpoint}_over_{first}_{figure}_ms"] = difference(time_ms, first_ms)
            values[f"{endpoint}_over_{first}_{figure}_ratio"] = ratio(time_ms, first_ms)
    return values


def answering_ns(table: TaskTable) -> int | None:
    """From the first send to the last answer, of the requests accepted; None without any."""
    taken = table.acknowledged
    return int(table.acknowledged_ns[taken].max() - table.sent_ns[taken].min()) if taken.any() else None


def answered_per_s(table: TaskTable) -> float | None:
    """Requests accepted over the time from the first send to the last answer; None without any."""
    span_ns = answering_ns(table)
    return int(table.acknowledged.sum()) * NS_PER_S / span_ns if span_ns else None


@dataclass(frozen=True, slots=True)
class AnsweredStep:
    """One rate of the search for the highest at which requests are answered in time."""

    rate_per_s: float
    p99_ms: float | None
    held: bool

    @property
    def offered_per_s(self) -> float:
        """The rate: one that was not offered did not hold, and that is all that is made of it."""
        return self.rate_per_s


def judge_answers(step: PhaseData, limit_ms: float) -> AnsweredStep:
    """What a step of the search has shown."""
    load = step.record.load
    rate_per_s = load.rate_per_s if isinstance(load, Paced) else 0.0
    return AnsweredStep(rate_per_s, summarise(answer_ns(step.tasks)).p99_ms, holds(step, limit_ms))


def holds(step: PhaseData, limit_ms: float) -> bool:
    """Whether a step was offered as planned, every request was accepted, and their p99 (of too few to carry one: the greatest)
    was within the limit."""
    level_ms = tail_ms(answer_ns(step.tasks))
    return level_ms is not None and level_ms <= limit_ms and bool(step.tasks.acknowledged.all()) and not missed_rate(step)


def client_busy_percent(phase: PhaseData) -> float | None:
    """CPU of the process that sends the requests, while it sent them."""
    return cpu_percent(phase.record.produced.cpu_s, _producing_s(phase))


def web_busy_percent(phase: PhaseData) -> float | None:
    """CPU of the application over the same time: what it used before or after the requests is next to nothing."""
    cpu_s = web_cpu_s(phase)
    return None if cpu_s is None else cpu_percent(cpu_s, _producing_s(phase))


def _producing_s(phase: PhaseData) -> float:
    produced = phase.record.produced
    return (produced.ended_ns - produced.began_ns) / NS_PER_S
