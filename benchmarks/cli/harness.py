"""``harness``: the lab measures itself."""

from typing import Annotated

import typer

from benchmarks.cli.alone import Share, alone, say_what_is_up
from benchmarks.cli.console import INVALID, UserError, console
from benchmarks.cli.settings import load_settings

harness_app = typer.Typer()


@harness_app.command()
def harness(
    target: Annotated[
        list[str], typer.Option(help="A variant and the share of a bare worker's rate that it must keep, as a=0.98.")
    ],
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, to see that it works.")] = False,
    share_the_machine: Share = False,
) -> None:
    """Measure the lab itself: recorder, agent, producer, pacing, reading, and a queue with a known answer."""
    from benchmarks.harness.measuring import run

    targets = {}
    for item in target:
        variant, _, share = item.partition("=")
        try:
            targets[variant] = float(share)
        except ValueError:
            raise UserError(f"--target {item!r} must be a variant and a share, as in a=0.98") from None
    with alone(share_the_machine) as flags:
        say_what_is_up()
        met = run(console, targets, load_settings().benchmark_output_dir, quick=quick, flags=flags)
    if not met:
        raise typer.Exit(INVALID)
