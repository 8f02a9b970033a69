"""The machine to oneself, or said not to be: what every command does that measures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from benchmarks.cli.console import say
from benchmarks.cli.terminal import hangup_is_ignored, tell_terminal, where_to_follow
from benchmarks.record.flags import Flag
from benchmarks.run.labs.lock import machine_lock, nodes_up

Share = Annotated[
    bool,
    typer.Option("--share-the-machine", help="Measure although another lab may run on this machine; every row then says so."),
]


@contextmanager
def alone(share: bool) -> Iterator[tuple[Flag, ...]]:
    """Hold the machine, see :func:`benchmarks.run.labs.lock.machine_lock`, and say what else is known to be on it."""
    with machine_lock(share=share) as flags:
        for flag in flags:
            say(str(flag))
        _say_where_to_follow()
        yield flags


def _say_where_to_follow() -> None:
    if not hangup_is_ignored():
        return
    follow = where_to_follow()
    text = "This goes on when its terminal closes" + (f". Follow it with: {follow}" if follow else "")
    say(text)
    if follow:
        tell_terminal(f"lab: {text}")


def say_what_is_up() -> None:
    """For a lab that starts its own nodes: others that are up take memory and are scraped, though nothing is measured on them."""
    if nodes := nodes_up():
        say(f"{len(nodes)} nodes of another lab are up on this machine; `just docker-down` ends those of containers.")
