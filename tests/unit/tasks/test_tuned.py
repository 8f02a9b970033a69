"""The worker of every variant on the track ``tuned`` is the one that its documentation gives, page by page."""

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from benchmarks.run.frameworks import ask_framework
from tasks.contract import Variant, framework_names

PROCESSES = 2
CPUS = os.cpu_count() or 1
DEFAULT_THREADS = min(32, (getattr(os, "process_cpu_count", os.cpu_count)() or 1) + 4)
CELERY = "https://docs.celeryq.dev/en/stable/userguide"
ASYNCTASQ = "https://github.com/adamrefaey/asynctasq/blob/main/docs"


@dataclass(frozen=True)
class Documented:
    """What documentation says of a worker: tasks at once within a process, what it prefetches (a setting and its value), and the
    arguments that say so to the worker, on these pages."""

    concurrency: int
    prefetching: tuple[str, Any]
    arguments: tuple[str, ...]
    pages: tuple[str, ...]


MULTIPLIER = "worker_prefetch_multiplier"
TUNED = {
    "floor": Documented(1, ("claim", "BLMOVE"), ("--concurrency 1",), ("docs/methodology.md",)),
    "celery-prefork": Documented(
        1, (MULTIPLIER, 64), (f"--concurrency={PROCESSES}",), (f"{CELERY}/optimizing.html", f"{CELERY}/workers.html")
    ),
    "celery-solo": Documented(
        1, (MULTIPLIER, 64), ("--concurrency=1",), (f"{CELERY}/optimizing.html", f"{CELERY}/concurrency/index.html")
    ),
    "celery-threads": Documented(
        CPUS, (MULTIPLIER, 64), (f"--concurrency={CPUS}",), (f"{CELERY}/optimizing.html", f"{CELERY}/workers.html")
    ),
    **{
        f"celery-{library}": Documented(
            1000,
            (MULTIPLIER, 4),
            ("--concurrency=1000", "--prefetch-multiplier=4"),
            (f"{CELERY}/optimizing.html", f"{CELERY}/concurrency/{library}.html"),
        )
        for library in ("gevent", "eventlet")
    },
    "asynctasq-async": Documented(10, ("concurrency", 10), ("--concurrency 10",), (f"{ASYNCTASQ}/running-workers.md",)),
    "asynctasq-thread": Documented(
        min(10, DEFAULT_THREADS), ("concurrency", 10), ("--concurrency 10",), (f"{ASYNCTASQ}/running-workers.md",)
    ),
    "asynctasq-process": Documented(
        1,
        ("concurrency", PROCESSES),
        (f"--concurrency {PROCESSES}", f"--pool-size {PROCESSES}", "--tasks-per-child 1000"),
        (f"{ASYNCTASQ}/best-practices.md", f"{ASYNCTASQ}/configuration.md"),
    ),
}


@cache
def described() -> dict[str, tuple[str, Variant]]:
    """Every variant with its framework."""
    descriptions = [ask_framework(name, {"op": "describe"}) for name in framework_names()]
    return {v["name"]: (d["name"], Variant(**v)) for d in descriptions for v in d["variants"]}


def plan_of(variant: str, **asked: object) -> dict[str, Any]:
    """The plan of a worker for which the suite asked as it does on the track ``tuned``."""
    framework, known = described()[variant]
    request = {"variant": variant, "processes": PROCESSES, "concurrency": known.concurrency("tuned", asked=7), "queues": ["a"]}
    return ask_framework(framework, {"op": "plan", "request": {**request, "track": "tuned", **asked}})


def test_every_variant_is_in_the_table() -> None:
    assert set(TUNED) == set(described())


@pytest.mark.parametrize("variant", TUNED)
def test_a_tuned_worker_is_the_one_that_its_documentation_gives(variant: str) -> None:
    documented, plan = TUNED[variant], plan_of(variant)
    setting, value = documented.prefetching
    assert plan["shape"] == {"processes": PROCESSES, "concurrency": documented.concurrency}
    assert plan["settings"][setting] == value
    assert tuple(plan["settings"]["documentation"]) == documented.pages
    for command in plan["commands"]:
        assert [a for a in documented.arguments if f" {a} " not in f"{' '.join(command['arguments'])} "] == []


@pytest.mark.parametrize("variant", [name for name in TUNED if name.startswith("celery-")])
def test_where_tasks_are_long_none_is_fetched_beyond_one_for_each_at_work(variant: str) -> None:
    plan = plan_of(variant, long_tasks=True)
    assert plan["settings"][MULTIPLIER] == 1
    assert all(prefetching(command) == ["--prefetch-multiplier=1"] for command in plan["commands"])
    assert plan["settings"] == {**plan_of(variant)["settings"], MULTIPLIER: 1, "options": plan["settings"]["options"]}


@pytest.mark.parametrize("variant", TUNED)
def test_only_advice_depends_on_how_long_tasks_are(variant: str) -> None:
    assert plan_of(variant, long_tasks=True, track="normalised") == plan_of(variant, track="normalised")
    if not variant.startswith("celery-"):
        assert plan_of(variant, long_tasks=True) == plan_of(variant)


@pytest.mark.parametrize("long_tasks", [False, True])
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_urgent_lanes_have_nothing_fetched_ahead_of_need(pool: str, long_tasks: bool) -> None:
    plan = plan_of(f"celery-{pool}", queues=["a", "b"], lanes_by_priority=True, long_tasks=long_tasks)
    assert (plan["settings"][MULTIPLIER], plan["settings"]["worker_disable_prefetch"]) == (1, True)
    assert all(prefetching(c) == ["--prefetch-multiplier=1", "--disable-prefetch"] for c in plan["commands"])


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_urgent_lanes_of_greenlets_keep_the_default(library: str) -> None:
    plan = plan_of(f"celery-{library}", queues=["a", "b"], lanes_by_priority=True)
    assert plan["settings"][MULTIPLIER] == 4
    assert all(prefetching(command) == ["--prefetch-multiplier=4"] for command in plan["commands"])


def prefetching(command: dict[str, Any]) -> list[str]:
    """The arguments of a worker's command that say what it may fetch ahead."""
    return [argument for argument in command["arguments"] if "prefetch" in argument]
