"""``soak``: hours of load on one variant after another, folded into windows."""

import csv
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from benchmarks.checkout import lab_command
from benchmarks.cli.alone import Share, alone
from benchmarks.cli.choices import NORMALISED, LabName, PresetName, entries_of, manifest_of, plan_of
from benchmarks.cli.console import INTERRUPTED, INVALID, UserError, console, say
from benchmarks.cli.run import lab_beside_others
from benchmarks.cli.settings import load_settings
from benchmarks.cli.soak_display import print_soaks, soak_display
from benchmarks.cli.terminal import ENDING
from benchmarks.plan.seeds import seed_of_run
from benchmarks.plan.soak_plan import SIZES, SoakPlan, Step
from benchmarks.plan.suite_plan import Entry, SuitePlan
from benchmarks.results.result_set import ResultSet
from benchmarks.results.soak_folder import MOST_SEGMENTS_BYTES, SOAK, SoakFolder
from benchmarks.run.calibration import CALIBRATIONS
from benchmarks.run.labs.lab import Lab
from benchmarks.run.labs.lock import writing_to
from benchmarks.run.one_run.life_cycle import begin
from benchmarks.run.one_run.runner import Runner
from benchmarks.run.one_run.spec import RunFailedError, RunSpec
from benchmarks.run.soaking.one_soak import Ending, make_soak
from benchmarks.run.soaking.raw_ring import MOST_BYTES
from benchmarks.run.soaking.watching import SoakWatcher
from benchmarks.run.watching import NO_BOARD
from benchmarks.scenarios.soak_load import FACTS, OF_THE_MIX, order_of, sizes_of_the_mix
from benchmarks.soak.summary import FAILED, SoakSummary
from benchmarks.soak.summary import INTERRUPTED as ENDED_BEFORE
from benchmarks.words import duration
from tasks.causes import cause

WINDOW_BYTES = 6_000
"""What a window takes in the journal and in the table, about."""

soak_app = typer.Typer()


@soak_app.command()
def soak(
    variants: Annotated[str, typer.Argument(help="Variants separated by commas, which are soaked one after another.")],
    hours: Annotated[float | None, typer.Option(help="How long each is offered load.")] = None,
    minutes: Annotated[float | None, typer.Option(help="The same in minutes, beside or in the place of the hours.")] = None,
    load: Annotated[Path | None, typer.Option(help="A curve: a CSV file of seconds,rate, again and again.")] = None,
    lab: Annotated[LabName, typer.Option(help="Where to run.")] = LabName.LOCAL,
    size: Annotated[list[str] | None, typer.Option(help="A size, as in share=0.7 or window_s=10. Repeatable.")] = None,
    processes: Annotated[int | None, typer.Option(help="Processes of a worker [BENCHMARK_PROCESSES].")] = None,
    output_dir: Annotated[Path | None, typer.Option(help="Where result sets go [BENCHMARK_OUTPUT_DIR].")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all that is random [BENCHMARK_SEED].")] = None,
    label: Annotated[str | None, typer.Option(help="Name of the result set, after its time.")] = None,
    share_the_machine: Share = False,
) -> None:
    """Offer load for hours, and account for every task of it."""
    duration_s = 3600 * (hours or 0) + 60 * (minutes or 0) if hours or minutes else 24 * 3600.0
    sizes = _sizes_of(size or [])
    try:
        own = {name: value for name, value in sizes.items() if name in SIZES}
        plan = SoakPlan.of(duration_s, own, () if load is None else _steps_of(load))
    except ValueError as error:
        raise UserError(cause(error)) from None
    of_the_mix = {name: value for name, value in sizes.items() if name not in SIZES}
    settings = load_settings(benchmark_processes=processes, benchmark_output_dir=output_dir, benchmark_seed=seed)
    with alone(share_the_machine), lab_beside_others(lab) as running:
        entries = entries_of(variants, running, (NORMALISED,))
        suite = plan_of(settings, lab, PresetName.STANDARD, [], entries, of_the_mix)
        about = manifest_of(suite, [], running)
        about["settings"][SOAK] = asdict(plan)
        results = ResultSet.create(settings.benchmark_output_dir, label or SOAK, about)
        with writing_to(results.path):
            say(f"Writing to {results.path}")
            _say_what_comes(plan, entries)
            _execute(plan, suite, running, results)


def _execute(plan: SoakPlan, suite: SuitePlan, lab: Lab, results: ResultSet) -> None:
    """The soaks one after another. Raises Exit where one could not be made as it was to be."""
    made: list[SoakSummary] = []
    failed: list[str] = []
    try:
        facts = {name: CALIBRATIONS[name](lab) for name in FACTS}
        for name, value in facts.items():
            results.store_fact(name, value)
        with Runner(lab, NO_BOARD) as runner, soak_display(console) as shown:
            for number, entry in enumerate(suite.entries, start=1):
                spec = _spec_of(entry, number, suite, lab.variants()[entry.variant], facts)
                shown.step(f"{entry.name}, {number} of {len(suite.entries)}")
                try:
                    made.append(_one(runner, spec, plan, SoakFolder.create(results.path, entry.name), shown))
                except RunFailedError as error:
                    failed.append(f"{entry.name}: it could not begin: {cause(error)}")
                    continue
                if made[-1].state == ENDED_BEFORE:
                    break
    except BaseException:
        results.finish("interrupted")
        raise
    whole = len(made) + len(failed) == len(suite.entries)
    results.finish("complete" if whole else "interrupted")
    print_soaks(console, made)
    for text in failed:
        say(text)
    say(f"Results: {results.path}")
    say(f"Next: {lab_command('report', results.path)}")
    if not whole:
        raise typer.Exit(INTERRUPTED)
    if failed or any(summary.state == FAILED for summary in made):
        raise typer.Exit(INVALID)


def _one(runner: Runner, spec: RunSpec, plan: SoakPlan, folder: SoakFolder, shown: SoakWatcher) -> SoakSummary:
    with runner.begun(spec) as run:
        context = begin(run)
        run.known.context = context
        return make_soak(run, order_of(plan, context), folder, shown, ended_by_signals)


def _spec_of(entry: Entry, number: int, suite: SuitePlan, framework: str, facts: dict[str, float]) -> RunSpec:
    return RunSpec(
        scenario=OF_THE_MIX,
        sizes={**sizes_of_the_mix(), **suite.sizes},
        facts=facts,
        variant=entry.variant,
        framework=framework,
        run=number,
        repetition=1,
        seed=seed_of_run(suite.seed, SOAK, 1),
        processes=suite.processes,
        concurrency=suite.concurrency,
        track=entry.track,
        warmup_s=suite.warmup_s,
        timeout_s=suite.run_timeout_s,
    )


@contextmanager
def ended_by_signals() -> Iterator[Ending]:
    """While a soak goes on, the first Ctrl-C (or SIGTERM, or SIGHUP unless that is ignored) asks it to end in order; a second one
    ends the command."""
    asked: list[str] = []

    def ask(number: int, _: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt(signal.Signals(number).name)
        asked.append(signal.Signals(number).name)

    before = {n: signal.signal(n, ask) for n in ENDING if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield lambda: asked[0] if asked else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_what_comes(plan: SoakPlan, entries: Sequence[Entry]) -> None:
    """How long it goes on, and what it takes at most."""
    end = time.strftime("%A %H:%M", time.localtime(time.time() + plan.duration_s * len(entries)))
    each = "" if len(entries) == 1 else f" each, {len(entries)} variants one after another"
    disk = plan.duration_s / plan.window_s * WINDOW_BYTES + MOST_SEGMENTS_BYTES
    say(f"{duration(plan.duration_s)} of load{each}: it ends on {end}, and a little later for the capacities.")
    say("Ctrl-C ends it in order, and a shorter soak counts as well.")
    say(
        f"Windows of {plan.window_s:g} s; at most {disk / 1e6:,.0f} MB of disk for a variant, {MOST_SEGMENTS_BYTES / 1e6:,.0f} "
        f"of them for raw records of a few windows, and {MOST_BYTES / 1e6:,.0f} MB of memory for those of the last windows."
    )


def _sizes_of(options: Sequence[str]) -> dict[str, float]:
    """Sizes set as ``name=number``. Raises UserError."""
    known = (*SIZES, *sizes_of_the_mix())
    sizes: dict[str, float] = {}
    for option in options:
        name, _, text = option.partition("=")
        if name not in known:
            raise UserError(f"no size {name!r} of a soak; there are: {', '.join(sorted(known))}")
        try:
            sizes[name] = int(text) if text.isdigit() else float(text)
        except ValueError:
            raise UserError(f"size {name} must be a number, not {text!r}") from None
    return sizes


def _steps_of(file: Path) -> list[Step]:
    """The curve of a file: seconds and tasks a second in each line, ``#`` begins a remark. Raises UserError."""
    steps = []
    with file.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines), start=1):
            if not row or row[0].lstrip().startswith("#"):
                continue
            try:
                seconds, rate = (float(cell) for cell in row)
            except ValueError:
                raise UserError(f"{file}, line {number}: it must be seconds,rate, not {','.join(row)!r}") from None
            steps.append((seconds, rate))
    if not steps:
        raise UserError(f"{file} has no step: each line is seconds,rate")
    return steps
