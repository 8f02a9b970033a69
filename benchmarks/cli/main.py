"""The command line. Every recipe of the justfile ends here; options win over environment variables, those over defaults."""

import signal
import sys
from types import FrameType
from typing import NoReturn

import redis
import typer

from benchmarks.analysis.targets import TargetsError
from benchmarks.cli.analysis import analysis_app
from benchmarks.cli.api import api_app
from benchmarks.cli.console import INTERRUPTED, UserError, complain, errors, print_what_can_be_printed
from benchmarks.cli.docker import docker_app
from benchmarks.cli.documents import documents_app
from benchmarks.cli.hand_tools import hand_app, redis_app
from benchmarks.cli.harness import harness_app
from benchmarks.cli.metrics import metrics_app
from benchmarks.cli.profile import profile_app
from benchmarks.cli.report import report_app
from benchmarks.cli.run import run_app
from benchmarks.cli.separation import separation_app
from benchmarks.cli.settings import SettingsError
from benchmarks.cli.soak import soak_app
from benchmarks.cli.study import study_app
from benchmarks.cli.terminal import ENDING, heed_caller
from benchmarks.results.documents import ResultSetError
from benchmarks.run.labs.lab import LabError
from benchmarks.run.nodes.transport import NodeError
from tasks.causes import cause

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="queuelab: a benchmark lab for Python task queues.")
for commands in (
    run_app,
    soak_app,
    profile_app,
    separation_app,
    hand_app,
    api_app,
    metrics_app,
    harness_app,
    analysis_app,
    report_app,
    documents_app,
):
    app.add_typer(commands)
app.add_typer(study_app, name="study")
app.add_typer(docker_app, name="docker")
app.add_typer(redis_app, name="redis")


def _stop(number: int, _: FrameType | None) -> NoReturn:
    """End, once: a second Ctrl-C must not cut short what the first one set off."""
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def main() -> None:
    """Run the command line; what goes wrong is one readable message and an exit code, never a traceback for a user's slip."""
    print_what_can_be_printed()
    try:
        heed_caller()
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, _stop)
        app(prog_name="benchmarks")
    except (UserError, SettingsError, LabError, NodeError, ResultSetError, TargetsError, OSError) as error:
        complain(cause(error))
        sys.exit(1)
    except redis.RedisError as error:
        complain(f"Redis does not answer: {cause(error)}")
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            errors.print("Interrupted; nothing that this command started is left running.")
        raise
