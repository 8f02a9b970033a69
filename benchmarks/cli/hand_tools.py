"""Tools for the hand: a worker in the foreground, a look at Redis, what is installed."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Annotated, Any

import redis
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.cli.console import console
from benchmarks.cli.settings import Settings, load_settings
from benchmarks.plan.queues import queue_of
from benchmarks.run.frameworks import ask_framework, framework_environment
from benchmarks.run.labs.compose import Compose
from benchmarks.run.labs.lab import LabError
from benchmarks.scenarios import all_scenarios
from benchmarks.studies import all_studies, short_name
from tasks.causes import cause
from tasks.contract import REDIS_URL_VARIABLE, WorkerRequest, framework_names, without_credentials

hand_app = typer.Typer()
redis_app = typer.Typer(no_args_is_help=True, help="Look at the lab's Redis, or empty it.")


def default_redis_url() -> str:
    """Where the Compose lab publishes Redis, with its password. Raises LabError when this checkout has none yet."""
    return f"redis://:{Compose().redis_password()}@127.0.0.1:{load_settings().redis_port}"


Url = Annotated[str, typer.Option(help="The Redis server.", default_factory=default_redis_url, show_default=False)]


@contextmanager
def _client(url: str) -> Iterator[redis.Redis]:
    shown = without_credentials(url)
    try:
        client = redis.Redis.from_url(url, decode_responses=True)
    except ValueError as error:
        raise LabError(f"{shown!r} is not a Redis URL such as redis://:PASSWORD@127.0.0.1:6379: {cause(error)}") from None
    try:
        client.ping()
        yield client
    except redis.AuthenticationError as error:
        raise LabError(
            f"Redis at {shown} wants another password ({cause(error)}): name it by --url redis://:PASSWORD@HOST:PORT"
        ) from None
    except redis.ConnectionError as error:
        raise LabError(f"no Redis at {shown} ({cause(error)}): bring the lab up with `just docker-up`") from None
    finally:
        client.close()


@redis_app.command()
def reset(url: Url) -> None:
    """Delete everything in all databases."""
    with _client(url) as client:
        client.flushall()
    typer.echo(f"All databases of {without_credentials(url)} are empty.")


@redis_app.command("info")
def redis_info(url: Url) -> None:
    """Version, memory, clients, traffic and keys by database."""
    with _client(url) as client:
        info: dict[str, Any] = client.info()
    names = ("redis_version", "uptime_in_seconds", "connected_clients", "used_memory_human", "maxmemory_policy")
    more = ("total_commands_processed", "instantaneous_ops_per_sec", "total_net_input_bytes", "total_net_output_bytes")
    table = Table("what", "value", title=without_credentials(url), title_justify="left")
    for name in (*names, *more):
        table.add_row(name, str(info[name]))
    for name in sorted(n for n in info if re.fullmatch(r"db\d+", n)):
        table.add_row(name, f"{info[name]['keys']} keys")
    Console().print(table)


@redis_app.command()
def monitor(url: Url) -> None:
    """Print every command that Redis executes, until Ctrl-C. This slows Redis down: never during a benchmark."""
    with _client(url) as client, client.monitor() as monitoring:  # type: ignore[no-untyped-call]
        for command in monitoring.listen():
            typer.echo(f"{command['time']} [{command['db']} {command['client_address']}] {command['command']}")


def _terminate(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.terminate()


def _where_redis_is(own_variables: Iterable[str]) -> dict[str, str]:
    """The Redis of the Compose lab, for a worker of which no variable names another."""
    if any(os.environ.get(name) for name in (REDIS_URL_VARIABLE, *own_variables)):
        return {}
    with suppress(LabError):  # a checkout whose lab was never up has no password, and no such Redis
        return {REDIS_URL_VARIABLE: default_redis_url()}
    return {}


def run_worker(variant: str, processes: int, concurrency: int) -> None:
    """Start a variant's worker processes here, pass signals on, and wait for them."""
    descriptions = {name: ask_framework(name, {"op": "describe"}) for name in framework_names()}
    framework = next((n for n, d in descriptions.items() if variant in (v["name"] for v in d["variants"])), None)
    if framework is None:
        known = sorted(v["name"] for d in descriptions.values() for v in d["variants"])
        raise LabError(f"no variant {variant!r}: there are {', '.join(known)}")
    request = WorkerRequest(variant, processes, concurrency, (queue_of(variant),))
    variables = _where_redis_is([database["variable"] for database in descriptions[framework]["databases"]])
    plan = ask_framework(framework, {"op": "plan", "request": asdict(request)}, variables)
    described = ask_framework(framework, {"op": "describe"}, variables)["databases"]
    databases = ", ".join(f"{d['purpose']} {d['url']}" for d in described)
    shape = plan["shape"]
    typer.echo(f"{variant}: {shape['processes']} processes, {shape['concurrency']} tasks at once in each, {databases}")
    with tempfile.TemporaryDirectory(prefix="queuelab-") as empty:
        workers = [
            subprocess.Popen(command["arguments"], cwd=empty, env=framework_environment({**variables, **command["environment"]}))
            for command in plan["commands"]
        ]
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the workers as well
        signal.signal(signal.SIGTERM, lambda *_: _terminate(workers))
        codes = [worker.wait() for worker in workers]
    sys.exit(max(abs(code) for code in codes))


def print_info(console: Console, settings: Settings) -> None:
    """What is installed, what there is to run, and where results go."""
    scenarios = Table("number", "name", "question", title="Scenarios", title_justify="left")
    for scenario in all_scenarios().values():
        scenarios.add_row(str(scenario.number), scenario.name, scenario.question)
    studies = Table("name", "varies", "question", title="Studies", title_justify="left")
    for study in all_studies().values():
        studies.add_row(short_name(study), ", ".join(("variant", *(factor.name for factor in study.factors))), study.question)
    frameworks = Table("framework", "version", "variant", "tasks run in", title="Variants", title_justify="left")
    for name in framework_names():
        description = ask_framework(name, {"op": "describe"})
        version = ", ".join(f"{p} {v}" for p, v in list(description["versions"].items())[:3])
        for variant in description["variants"]:
            frameworks.add_row(name, version, variant["name"], variant["description"])
    console.print(scenarios, studies, frameworks)
    console.print(f"Results go to {settings.benchmark_output_dir}")


@hand_app.command()
def worker(
    variant: Annotated[str, typer.Argument(help="A variant, as `just info` lists them.")],
    processes: Annotated[int | None, typer.Option(min=1, help="Its processes; the number of cores if not given.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Tasks at once within each.")] = 1,
) -> None:
    """Run a worker of a variant in the foreground, until Ctrl-C: against the Redis that its own variables name, else
    that of the Compose lab."""
    run_worker(variant, processes or len(os.sched_getaffinity(0)), concurrency)


@hand_app.command()
def info() -> None:
    """Print what is installed, which scenarios and variants there are, and where results go."""
    print_info(console, load_settings())
