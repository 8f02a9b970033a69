"""``api`` and ``job-monitor``: the application of jobs by hand, and the framework's own monitor beside it."""

import os
import time
from typing import Annotated

import typer

from benchmarks.cli.console import say
from benchmarks.run.environment import lab_environment
from benchmarks.run.job_api import (
    ADDRESS,
    JobApi,
    JobApiWish,
    chosen_place,
    folder_of,
    monitor_command,
    port_to_listen_on,
    running_places,
)
from benchmarks.run.labs.local import LocalLab
from tasks.background_jobs import Way

LOOK_EVERY_S = 0.25
LONGEST_JOB_S = 3600.0

api_app = typer.Typer()

Framework = Annotated[str, typer.Argument(help="Whose worker runs the jobs of the queue.")]


def _lines(api: JobApi, wish: JobApiWish) -> list[str]:
    kinds = ("fastapi", wish.framework)
    return [
        f"Background tasks are of the kind `{wish.background}`; the worker of {wish.framework} runs {wish.slots} jobs at once.",
        f"A job takes {wish.duration_s:g} s. Try:",
        "",
        *(f"  curl -X POST {api.url}/{kind}/job" for kind in kinds),
        *(f"  curl {api.url}/{kind}/status/JOB_ID" for kind in kinds),
        *(f"  curl {api.url}/{kind}/jobs" for kind in kinds),
        *(f"  curl -X DELETE {api.url}/{kind}/jobs" for kind in kinds),
        *(f"  curl {api.url}{path}" for path in ("/", "/metrics", "/health")),
        "",
        "Ctrl-C ends all of it.",
    ]


@api_app.command()
def api(
    framework: Framework,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the loopback address; 0: any.")] = 8000,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Jobs at once in the worker.")] = 4,
    background: Annotated[Way, typer.Option(help="How background tasks are written.")] = Way.THREAD,
    duration: Annotated[float, typer.Option(min=0.0, max=LONGEST_JOB_S, help="Of a job, in seconds.")] = 30.0,
) -> None:
    """Run a web application with background tasks beside a worker for the same jobs, until Ctrl-C."""
    wish = JobApiWish(framework, port_to_listen_on(port), concurrency, background, duration)
    with LocalLab() as lab:
        job_api = JobApi(lab, wish)
        job_api.start()
        for line in _lines(job_api, wish):
            say(line)
        while True:
            job_api.require_alive()
            time.sleep(LOOK_EVERY_S)


@api_app.command("job-monitor")
def job_monitor(
    framework: Framework,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the loopback address; 0: any.")] = 5555,
    api_port: Annotated[int | None, typer.Option(help="Of the `just api` that is meant, where several run.")] = None,
) -> None:
    """Run the framework's own monitor beside `just api`, until Ctrl-C or the end of that."""
    place = chosen_place(running_places(framework), api_port)
    port = port_to_listen_on(port)
    command, variables = monitor_command(place, port)
    say(f"The monitor of `just api` on port {place.port}: http://{ADDRESS}:{port}. Ctrl-C ends it.")
    os.chdir(folder_of(place))
    os.execve(command[0], command, lab_environment(variables))
