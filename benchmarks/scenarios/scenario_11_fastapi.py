"""Scenario 11: what it costs a web application to dispatch its tasks, and what waiting for them, or running them itself, does."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.arithmetic import ratio
from benchmarks.plan.order import order_of_alternatives
from benchmarks.plan.seeds import seed_of
from benchmarks.plan.sizes import Sizes, whole
from benchmarks.plan.wishes import WorkerWish
from benchmarks.record.flags import PARTLY_UNSUPPORTED, Flag, FlagKind, Severity
from benchmarks.record.percentiles import FIGURE_WORDS, figures, summarise
from benchmarks.record.rate_search import Search
from benchmarks.record.resources import phase_cpu_percent, worker_memory
from benchmarks.record.run_data import Measures, PhaseData, RunContext, RunData
from benchmarks.record.shared import DRAIN_COLUMNS, LATENCY_COLUMNS, Values, latency_measures, memory_measures
from benchmarks.record.soundness import Phases
from benchmarks.record.web.application import APPLICATION_COLUMNS, application_measures
from benchmarks.record.web.limits import limit_columns, limit_measures
from benchmarks.record.web.requests import (
    COMPARED_FIGURES,
    REQUEST_FIGURES,
    AnsweredStep,
    answer_ns,
    answer_to_finish_ns,
    answered_per_s,
    answering_ns,
    client_busy_percent,
    judge_answers,
    request_measures,
    web_busy_percent,
)
from benchmarks.run.contract import Look, PhasePlan
from benchmarks.run.devices.web import WebSamples, WebStarts
from benchmarks.scenarios.defaults import ScenarioDefaults, directions
from benchmarks.scenarios.searching import steps_tried
from tasks.contract import Variant
from tasks.loads import NS_PER_S, Burst, Mix, Paced, TaskClass

NOTHING, THREADED, DISPATCH, BACKGROUND, WAIT = "nothing", "nothing_threaded", "dispatch", "background", "wait"
ENDPOINTS = (NOTHING, THREADED, DISPATCH, BACKGROUND, WAIT)
"""An endpoint's number is the label of its tasks."""
CALM_WEIGHTS = {NOTHING: 3.0, THREADED: 1.0, DISPATCH: 3.0, BACKGROUND: 1.0}
WAIT_WEIGHTS = {NOTHING: 1.0, WAIT: 1.0}
SEARCHED = (NOTHING, DISPATCH)

FIRST, WARM, CALM, WARM_WAIT, WAITED = "first", "warm", "calm", "warm_wait", "waited"
FLAT_OUT, STEP = "flat_out", "step"
LOWEST_SHARE = 0.2
"""Of the rate that an endpoint answers flat out: where the search for the service level begins."""
WARM_WAITS = 8
"""Few: at a low rate few threads wait, and a result backend may keep a connection for each thread that ever did."""
BUSY_PERCENT = 90
"""A process that uses so much of a core is at its limit."""
SAMPLES = WebSamples()
KEEPS_RESULTS = WorkerWish(results=True)
"""A worker of its own for the tasks that are waited for: what results cost is in nothing else."""

WEB_CLIENT_LIMIT = FlagKind(
    "web-client-limit",
    Severity.WARNING,
    "{phase}: the client that sends the requests used {client:.0f} % of a core, and the application only {web:.0f} %",
    "Read requests/s of this endpoint as what the client can send; the application may bear more.",
)

SERVICE_LEVEL_NOT_HELD = FlagKind(
    "service-level-not-held",
    Severity.NOTE,
    "{endpoint}: at none of {rates} requests/s did the p99 of a request stay within {limit:g} ms",
    "Raise limit_ms, or read the p99 at the lowest of these rates; on few cores client, application and worker compete.",
)

_WORDS = {
    NOTHING: "an async def endpoint that does nothing",
    THREADED: "a def endpoint, which runs in FastAPI's thread pool, that does nothing",
    DISPATCH: "the endpoint that dispatches a task by the framework",
    BACKGROUND: "the endpoint that hands a task to FastAPI's BackgroundTasks",
    WAIT: "the endpoint that dispatches a task and waits for its end by the framework's own results",
}

_COLUMNS: Mapping[str, str] = {
    "task_count": "requests to dispatch, flat out",
    "total_time": "s from the first of these requests to the last answer",
    "throughput": "requests answered over total_time, 1/s, with at most 64 in flight",
    "mean_latency": "mean time from the intended send time of a request to dispatch to the recorded finish of its task, ms, calm",
    "memory_mb": "highest PSS of the worker's whole process tree, before it is to keep results, MB of 10^6 bytes",
    "cpu_percent": "CPU of the worker's tree over the requests to dispatch, flat out, 100 = one core",
    "calm_rate_per_s": "requests sent a second, to all endpoints together, in the calm phase",
    **{
        f"{endpoint}_{figure}_ms": f"{FIGURE_WORDS[figure]} of the time from the intended send time of a request to its answer, "
        f"calm: {_WORDS[endpoint]}"
        for endpoint in ENDPOINTS
        for figure in REQUEST_FIGURES
    },
    **{
        f"{endpoint}_over_nothing_{figure}_{unit}": f"{figure} of {endpoint} {word} that of nothing, of the same phase"
        for endpoint in ENDPOINTS[1:]
        for figure in COMPARED_FIGURES
        for unit, word in {"ms": "less", "ratio": "over"}.items()
    },
    "lateness_p99_ms": "99th percentile of how late the client sent a request, calm; it is part of every time above",
    "answer_to_finish_p50_ms": "median time from the answer to dispatch to the finish of the task; negative where it was faster",
    "finished_before_answer_share": "share of the tasks dispatched, calm, that were finished when their request was answered",
    "background_task_p50_ms": "median time from the intended send time to the finish of a background task, calm",
    "background_task_p99_ms": "99th percentile of the same",
    "first_dispatch_ms": "time to answer the first request of all after the start, to dispatch: whatever connects lazily, does",
    "service_limit_ms": "the service level: the p99 of requests (of under 100 the greatest), from their due time, is within this",
    **{name: words for endpoint in SEARCHED for name, words in limit_columns(endpoint).items()},
    "dispatch_service_level_ratio": "dispatch_service_level_per_s over nothing_service_level_per_s",
    "dispatch_service_level_share_of_control": "dispatch_service_level_per_s over the control's in the same round",
    **APPLICATION_COLUMNS,
}

_SETTING = ("service_limit_ms", "lateness_p99_ms")
"""Nothing about these is the variant's."""
_HIGHER = (
    *("dispatch_service_level_ratio", "dispatch_service_level_share_of_control"),
    *(name for name in _COLUMNS if name.endswith(("_flat_out_per_s", "_service_level_per_s"))),
)
_LOWER = (
    *(n for n in _COLUMNS if n.endswith(("_ms", "_over_nothing_p50_ratio", "_over_nothing_p99_ratio", "_cpu_s_per_1000"))),
    *(name for name in _COLUMNS if name.startswith("web_memory_")),
)


def _sizes(
    calm_s: float, wait_s: float, flat_requests: int, nothing_steps: int, dispatch_steps: int, step_s: float, starts: int
) -> dict[str, float | int]:
    return {
        "rate_per_s": 200,
        "calm_s": calm_s,
        "wait_s": wait_s,
        "flat_requests": flat_requests,
        "nothing_steps": nothing_steps,
        "dispatch_steps": dispatch_steps,
        "step_s": step_s,
        "limit_ms": 50,
        "warm_requests": 64,
        "starts": starts,
    }


class FastApi(ScenarioDefaults):
    """Phases, all of empty tasks posted to one web application: ``first``, one request; ``warm``; ``calm``, a low rate to all
    endpoints in a random order but for the one that waits; then, for the empty endpoint and for dispatch (which of the two is
    first, the run draws), ``..._flat_out`` and the steps of a bisection, ``..._step_N``; last ``warm_wait`` and ``waited``, the
    one that waits (and the empty one), with a worker that keeps results, where the variant has any."""

    number = 11
    name = "scenario_11_fastapi"
    title = "FastAPI"
    question = "What does dispatching a task, waiting for it, or running it in the background cost a request of a FastAPI app?"
    headline = "dispatch_p50_ms"
    sizes: Mapping[str, Sizes] = {
        "quick": _sizes(1.2, 0.6, flat_requests=150, nothing_steps=1, dispatch_steps=2, step_s=0.25, starts=1),
        "standard": _sizes(8, 4, flat_requests=1_500, nothing_steps=4, dispatch_steps=4, step_s=2, starts=5),
        "full": _sizes(30, 15, flat_requests=5_000, nothing_steps=6, dispatch_steps=6, step_s=10, starts=10),
    }
    least: Mapping[str, float] = {"nothing_steps": 0, "dispatch_steps": 0}
    own_columns = _COLUMNS
    own_better = directions(higher=_HIGHER, lower=(name for name in _LOWER if name not in _SETTING))
    summary: Mapping[str, str] = {
        "nothing_p50_ms": "empty p50 ms",
        "dispatch_p50_ms": "dispatch p50 ms",
        "dispatch_p99_ms": "p99 ms",
        "wait_p50_ms": "wait p50 ms",
        "dispatch_service_level_per_s": "req/s",
        "p50": "task p50 ms",
        "startup_added_ms": "start +ms",
    }
    shares: Mapping[str, str] = {"dispatch_service_level_share_of_control": "dispatch_service_level_per_s"}
    own_flags: Sequence[FlagKind] = (WEB_CLIENT_LIMIT, SERVICE_LEVEL_NOT_HELD)

    def unsupported(self, variant: Variant) -> str | None:
        """Variants whose tasks cannot be dispatched from a web application. Only waiting needs results: to lack them is no
        reason."""
        return variant.lacks.get("web")

    def phases(self, context: RunContext) -> Generator[PhasePlan, Look, None]:
        """See the class."""
        sizes, variant = context.sizes, context.variant
        seed = seed_of(context.seed, "endpoints")
        starts = WebStarts(variant.name, whole(sizes["starts"]))
        yield PhasePlan(FIRST, _to({DISPATCH: 1.0}, seed), Burst(1), devices=(starts,), is_cold=True)
        yield PhasePlan(WARM, _to(CALM_WEIGHTS, seed), Burst(whole(sizes["warm_requests"])))
        calm = Paced(sizes["rate_per_s"], sizes["calm_s"], "poisson", seed_of(context.seed, f"arrivals/{CALM}"))
        yield PhasePlan(CALM, _to(CALM_WEIGHTS, seed), calm, devices=(SAMPLES,))
        for endpoint in order_of_alternatives(SEARCHED, context.seed):
            yield from _search(endpoint, context)
        if "results" not in variant.lacks:
            yield PhasePlan(WARM_WAIT, _to({WAIT: 1.0}, seed), Burst(WARM_WAITS), KEEPS_RESULTS)
            load = Paced(sizes["rate_per_s"], sizes["wait_s"], "poisson", seed_of(context.seed, f"arrivals/{WAITED}"))
            yield PhasePlan(WAITED, _to(WAIT_WEIGHTS, seed), load, KEEPS_RESULTS, (SAMPLES,))

    def own_measures(self, data: RunData) -> Measures:
        """The times of requests and of tasks behind them, what the endpoints bear, and what the application takes."""
        values: Values = {
            **memory_measures(worker_memory(_before_waiting(data))),
            "service_limit_ms": data.context.sizes["limit_ms"],
            **application_measures(data),
        }
        if first := data.phases.get(FIRST):
            values["first_dispatch_ms"] = summarise(answer_ns(first.tasks)).max_ms
        if calm := data.phases.get(CALM):
            values |= _calm_measures(calm)
        if waited := data.phases.get(WAITED):
            requests = request_measures(waited.tasks, ENDPOINTS)
            values |= {name: value for name, value in requests.items() if name.startswith(WAIT)}
        if flat := data.phases.get(f"{DISPATCH}_{FLAT_OUT}"):
            values |= _flat_out_measures(flat)
        for endpoint in SEARCHED:
            flat = data.phases.get(f"{endpoint}_{FLAT_OUT}")
            values |= limit_measures(endpoint, flat, _steps(data, endpoint))
        dispatch_per_s, nothing_per_s = (values.get(f"{endpoint}_service_level_per_s") for endpoint in (DISPATCH, NOTHING))
        values["dispatch_service_level_ratio"] = ratio(dispatch_per_s, nothing_per_s)
        return values

    def own_measured_in(self, context: RunContext) -> Mapping[str, Phases]:
        """What an endpoint answers flat out sets the rates that are searched."""
        flat = {endpoint: f"{endpoint}_{FLAT_OUT}" for endpoint in SEARCHED}
        searched = {endpoint: (flat[endpoint], f"{endpoint}_{STEP}_*") for endpoint in SEARCHED}
        loaded = ("flat_out_per_s", "web_busy_percent", "client_busy_percent", "web_cpu_s_per_1000")
        of_first = ("first_dispatch_ms", "start_count", "startup_*", "web_memory_bare_*", "web_memory_ready_*")
        of_calm = ("calm_*", "lateness_*", "answer_to_finish_*", "finished_before_answer_share", "background_task_*")
        return {
            **dict.fromkeys(DRAIN_COLUMNS, (flat[DISPATCH],)),
            **{f"{endpoint}_{name}": (flat[endpoint],) for endpoint in SEARCHED for name in loaded},
            "dispatch_service_level_ratio": tuple(phase for phases in searched.values() for phase in phases),
            **{f"{endpoint}_service_level_*": phases for endpoint, phases in searched.items()},
            **dict.fromkeys(of_first, (FIRST,)),
            f"{WAIT}_*": (WAITED,),
            **dict.fromkeys((*LATENCY_COLUMNS, *of_calm, *(f"{endpoint}_*" for endpoint in CALM_WEIGHTS)), (CALM,)),
        }

    def flags(self, data: RunData) -> Sequence[Flag]:
        """What was not measured and why; where the client was the limit; where the service level was never held."""
        flags: list[Flag] = []
        if (reason := data.context.variant.lacks.get("results")) is not None:
            flags.append(PARTLY_UNSUPPORTED.flag(columns=f"{WAIT}_*", reason=reason))
        for endpoint in SEARCHED:
            if flat := data.phases.get(f"{endpoint}_{FLAT_OUT}"):
                client, web = client_busy_percent(flat), web_busy_percent(flat)
                if client is not None and web is not None and web < BUSY_PERCENT <= client:
                    flags.append(WEB_CLIENT_LIMIT.flag(phase=flat.record.name, client=client, web=web))
            steps = _steps(data, endpoint)
            if steps and not any(step.held for step in steps):
                rates, limit_ms = ", ".join(f"{step.rate_per_s:.0f}" for step in steps), data.context.sizes["limit_ms"]
                flags.append(SERVICE_LEVEL_NOT_HELD.flag(endpoint=endpoint, rates=rates, limit=limit_ms))
        return flags


def _before_waiting(data: RunData) -> RunData:
    """The run without the phases of the worker that keeps results, and its samples."""
    phases = {name: phase for name, phase in data.phases.items() if name not in (WARM_WAIT, WAITED)}
    until_ns = max((phase.record.drained_ns for phase in phases.values()), default=0)
    return replace(data, phases=phases, samples=[sample for sample in data.samples if sample.at_ns <= until_ns])


def _to(weights: Mapping[str, float], seed: int) -> Mix:
    """Empty tasks, posted to endpoints in a random order."""
    classes = (
        TaskClass("noop", label=ENDPOINTS.index(endpoint), weight=weight, endpoint=f"/{endpoint.replace('_', '-')}")
        for endpoint, weight in weights.items()
    )
    return Mix(tuple(classes), seed)


def _search(endpoint: str, context: RunContext) -> Generator[PhasePlan, Look, None]:
    """Find out what the endpoint answers flat out, then bisect for the highest rate at which it holds the service level."""
    sizes, tasks = context.sizes, _to({endpoint: 1.0}, seed=0)
    flat = yield PhasePlan(f"{endpoint}_{FLAT_OUT}", tasks, Burst(whole(sizes["flat_requests"])), devices=(SAMPLES,))
    most_per_s = answered_per_s(flat().tasks)
    if most_per_s is None:
        return
    search, count = Search(LOWEST_SHARE * most_per_s, most_per_s), int(sizes[f"{endpoint}_steps"])
    judged, name = partial(judge_answers, limit_ms=sizes["limit_ms"]), f"{endpoint}_{STEP}"
    step_s, seed = sizes["step_s"], context.seed
    yield from steps_tried(search, judged, name, tasks, steps=count, step_s=step_s, seed=seed, devices=(SAMPLES,))


def _steps(data: RunData, endpoint: str) -> list[AnsweredStep]:
    limit_ms = data.context.sizes["limit_ms"]
    return [judge_answers(phase, limit_ms) for name, phase in data.phases.items() if name.startswith(f"{endpoint}_{STEP}_")]


def _calm_measures(calm: PhaseData) -> Values:
    table = calm.tasks
    dispatched, background = table.of_label(ENDPOINTS.index(DISPATCH)), table.of_label(ENDPOINTS.index(BACKGROUND))
    values: Values = {
        **request_measures(table, ENDPOINTS),
        "calm_rate_per_s": table.offered_rate_per_s(),
        **figures("lateness", table.lateness_ns(), ("p99",)),
        **latency_measures(dispatched.end_to_end_ns()),
        **figures("background_task", background.end_to_end_ns(), ("p50", "p99")),
    }
    if len(after_ns := answer_to_finish_ns(dispatched)):
        values["finished_before_answer_share"] = float(np.mean(after_ns <= 0))
    return values | figures("answer_to_finish", after_ns, ("p50",))


def _flat_out_measures(flat: PhaseData) -> Values:
    values: Values = {"task_count": flat.account.planned}
    if (total_ns := answering_ns(flat.tasks)) is not None:
        values |= {
            "total_time": total_ns / NS_PER_S,
            "throughput": answered_per_s(flat.tasks),
            "cpu_percent": phase_cpu_percent(flat),
        }
    return values


SCENARIO = FastApi()
