"""All that the lab exports of one framework."""

import re
from collections.abc import Callable

from infrastructure.grafana.boards.queries import (
    CHOSEN,
    QUANTILES,
    RATE,
    quantile,
    rate,
)
from infrastructure.grafana.panels import (
    THIRD,
    Dashboard,
    Panel,
    Query,
    Row,
    Variable,
    graph,
    stat,
)

Metric = Callable[..., str]


def _metric_of(framework: str) -> Metric:
    """Selectors for a framework's metrics: of the one named, or of the one that the variable has."""

    def metric(suffix: str, *matchers: str) -> str:
        if framework:
            return f"{framework}_{suffix}{{{', '.join(matchers)}}}"
        return f"{{{', '.join((f'__name__=~"(${{framework}})_{suffix}"', *matchers))}}}"

    return metric


def framework_board(framework: str, title: str) -> Dashboard:
    """All that the lab exports of one framework; with an empty name, of the one that is picked."""
    metric = _metric_of(framework)
    chosen = f'framework="{framework}"' if framework else 'framework=~"$framework"'
    picked = Variable("framework", "Framework", "label_values(lab_node_info, framework)", several=False)
    variants = Variable("variant", "Variant", f'label_values(lab_node_info{{role="worker", {chosen}}}, variant)')
    return Dashboard(
        uid=f"queuelab-{framework or 'framework'}",
        title=title,
        description=f"{title}: tasks, durations, queues, workers and producer, by variant.",
        variables=(variants,) if framework else (picked, variants),
        content=[*_now(metric), *_tasks(metric), *_worker(metric), *_producer(metric, chosen)],
    )


def _now(metric: Metric) -> list[Panel | Row]:
    done = metric("tasks_total", CHOSEN)
    failed = metric("tasks_total", 'outcome="failed"', CHOSEN)
    # Within the minute: a stat of the variant that is measured now, not of those before it.
    return [
        Row("Now"),
        stat(
            "Workers up", "Workers that live, paused ones included.", "short", Query(f"sum({metric('worker_up', CHOSEN)})", "up")
        ),
        stat("Finished", "Executions that end a second.", "ops", Query(f"sum(rate({done}[{RATE}]))", "finished")),
        stat(
            "In flight",
            "Tasks that a process is executing.",
            "short",
            Query(f"sum({metric('tasks_in_flight', CHOSEN)})", "tasks"),
        ),
        stat(
            "Waiting",
            "Tasks that no worker has claimed.",
            "short",
            Query(f"sum({metric('queue_depth', 'state="waiting"', CHOSEN)})", "tasks"),
        ),
        stat(
            "Failed",
            "Share of the executions within five minutes that failed.",
            "percentunit",
            Query(f"sum(increase({failed}[5m])) / clamp_min(sum(increase({done}[5m])), 1)", "failed"),
            thresholds=((0.001, "orange"), (0.01, "red")),
        ),
        stat(
            "Deaths",
            "Workers that ended unasked, over the time shown.",
            "short",
            Query(f"sum(increase({metric('worker_deaths_total', CHOSEN)}[$__range]))", "deaths"),
            thresholds=((0.5, "red"),),
        ),
    ]


def _quantiles(metric: Metric, what: str) -> list[Query]:
    selector = metric(f"{what}_seconds_bucket", CHOSEN)
    return [Query(quantile(share, selector), f"{{{{variant}}}} {name}") for name, share in QUANTILES.items()]


def _tasks(metric: Metric) -> list[Panel | Row]:
    native = metric("task_end_to_end_seconds", CHOSEN)
    service = metric("task_duration_seconds", CHOSEN)
    return [
        Row("Tasks"),
        graph(
            "Executions by outcome",
            "Ended a second.",
            "ops",
            Query(rate(metric("tasks_total", CHOSEN), "variant, outcome"), "{{variant}} {{outcome}}"),
        ),
        graph(
            "Queue by state",
            "Tasks waiting, claimed and not finished, delayed until later.",
            "short",
            Query(f"sum by (variant, state) ({metric('queue_depth', CHOSEN)})", "{{variant}} {{state}}"),
        ),
        graph(
            "End to end",
            "From when a task was due to its end.",
            "s",
            *_quantiles(metric, "task_end_to_end"),
            width=THIRD,
            logarithmic=True,
        ),
        graph(
            "Queue wait",
            "From when a task was due to its first start.",
            "s",
            *_quantiles(metric, "task_queue_wait"),
            width=THIRD,
            logarithmic=True,
        ),
        graph("Service", "Time in a task's body.", "s", *_quantiles(metric, "task_duration"), width=THIRD, logarithmic=True),
        graph(
            "Ended within 100 ms",
            "Share of the tasks, end to end, from the native histogram.",
            "percentunit",
            Query(f"histogram_fraction(0, 0.1, sum by (variant) (rate({native}[{RATE}]))) >= 0", "{{variant}}"),
            width=THIRD,
            maximum=1,
        ),
        graph(
            "Mean end to end and service",
            "From the native histograms.",
            "s",
            Query(f"histogram_avg(sum by (variant) (rate({native}[{RATE}]))) >= 0", "{{variant}} end to end"),
            Query(f"histogram_avg(sum by (variant) (rate({service}[{RATE}]))) >= 0", "{{variant}} service"),
            width=THIRD,
            logarithmic=True,
        ),
        graph(
            "In flight",
            "Tasks that a living process has begun and not ended.",
            "short",
            Query(f"sum by (variant) ({metric('tasks_in_flight', CHOSEN)})", "{{variant}}"),
            width=THIRD,
        ),
    ]


def _worker(metric: Metric) -> list[Panel | Row]:
    def each(suffix: str, legend: str = "{{variant}}") -> Query:
        # Not by node: one that is started anew may come back under another address.
        labels = ", ".join(re.findall(r"{{(\w+)}}", legend))
        return Query(f"max by ({labels}) ({metric(suffix, CHOSEN)})", legend)

    return [
        Row("Worker"),
        graph(
            "Memory",
            "Of the whole process tree, summed; PSS shares out what processes have in common.",
            "bytes",
            each("worker_memory_bytes", "{{variant}} {{kind}}"),
            width=THIRD,
        ),
        graph(
            "Memory of the node's cgroup",
            "With page cache and event log, which lies in memory; and its peak since the node's start.",
            "bytes",
            each("cgroup_memory_bytes"),
            each("cgroup_memory_peak_bytes", "{{variant}} peak"),
            width=THIRD,
        ),
        graph(
            "CPU",
            "Of the whole process tree, and of the node's cgroup, in which the agent is as well; in cores.",
            "short",
            Query(rate(metric("worker_cpu_seconds_total", CHOSEN)), "{{variant}}"),
            Query(rate(metric("cgroup_cpu_seconds_total", CHOSEN)), "{{variant}} cgroup"),
            width=THIRD,
        ),
        graph(
            "Throttling",
            "Share of the time for which the node was kept off the CPU by its limit.",
            "percentunit",
            Query(rate(metric("cgroup_throttled_seconds_total", CHOSEN)), "{{variant}}"),
            width=THIRD,
        ),
        graph(
            "Processes and threads",
            "Of the whole process tree.",
            "short",
            each("worker_processes", "{{variant}} processes"),
            each("worker_threads", "{{variant}} threads"),
            width=THIRD,
        ),
        graph("Open file descriptors", "Of the whole process tree.", "short", each("worker_open_fds"), width=THIRD),
        graph(
            "Event emission",
            "How long it takes to hand the framework's own task events to Redis. Only while a scenario has them on.",
            "s",
            *_quantiles(metric, "event_emission_duration"),
            logarithmic=True,
        ),
        graph(
            "Events handed over",
            "Calls that hand the framework's own task events to Redis, a second; there may be several events in one.",
            "ops",
            Query(rate(metric("event_emission_duration_seconds_count", CHOSEN)), "{{variant}}"),
        ),
        graph(
            "Workers up",
            "1 while the worker lives; nodes that are not measured have none while a benchmark runs.",
            "short",
            each("worker_up"),
            maximum=1,
        ),
        graph(
            "Restarts and deaths",
            "Workers started after the node's first, one for each run; and workers that ended unasked.",
            "short",
            each("worker_restarts_total", "{{variant}} restarts"),
            each("worker_deaths_total", "{{variant}} deaths"),
        ),
    ]


def _producer(metric: Metric, chosen: str) -> list[Panel | Row]:
    late = metric("producer_lateness_seconds_bucket")
    return [
        Row("Producer and agents"),
        graph(
            "Offered and achieved",
            "Tasks that the load wants sent a second, and sends by outcome. A prefilled load has no rate of its own.",
            "ops",
            Query(f"sum({metric('producer_offered_rate')})", "offered"),
            Query(rate(metric("tasks_enqueued_total"), "outcome"), "sent, {{outcome}}"),
            width=THIRD,
        ),
        graph(
            "Lateness",
            "How long after a task was due its enqueue call began.",
            "s",
            *(Query(quantile(q, late, by=""), name) for name, q in QUANTILES.items()),
            width=THIRD,
            logarithmic=True,
        ),
        graph(
            "The lab's own cost",
            "CPU of the agents, as a share of one core; and the part of it that sampling the process tree takes.",
            "percentunit",
            Query(rate(f"lab_agent_cpu_seconds_total{{{chosen}}}", "role, variant"), "{{role}} {{variant}}"),
            Query(rate(f'lab_agent_sampling_cpu_seconds_total{{role="worker", {chosen}}}'), "{{variant}} sampling"),
            width=THIRD,
        ),
    ]
