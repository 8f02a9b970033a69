"""``run``: measure, and complete what was begun."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from benchmarks.analysis.analyse import analyse_set
from benchmarks.analysis.model import Analysis
from benchmarks.analysis.storing import store_documents
from benchmarks.checkout import lab_command
from benchmarks.cli.alone import Share, alone, say_what_is_up
from benchmarks.cli.analysis_tables import print_conclusions
from benchmarks.cli.choices import (
    NORMALISED,
    LabName,
    PresetName,
    entries_of,
    lab_of,
    manifest_of,
    named_in,
    plan_of,
    require_sense,
    scenarios_of,
    sizes_of,
    tracks_of,
)
from benchmarks.cli.console import INVALID, UserError, console, errors, say
from benchmarks.cli.progress import display
from benchmarks.cli.settings import load_settings
from benchmarks.cli.summary import print_end
from benchmarks.monitoring.board import board_of
from benchmarks.plan.suite_plan import SuitePlan
from benchmarks.record.flags import Flag
from benchmarks.results.documents import ResultsDiskError
from benchmarks.results.epochs import both_uncommitted, differences, moved_facts
from benchmarks.results.result_set import ResultSet
from benchmarks.results.soak_folder import SOAK
from benchmarks.run.calibration import found_again
from benchmarks.run.contract import Scenario
from benchmarks.run.labs.lab import Lab
from benchmarks.run.labs.lock import writing_to
from benchmarks.run.open_files import raise_open_files, what_is_missing
from benchmarks.run.profiling import PROFILER
from benchmarks.run.suite import Suite
from tasks.causes import cause

run_app = typer.Typer()


@run_app.command()
def run(
    scenario: Annotated[
        str, typer.Option("--scenario", "--only", help="Scenarios: numbers or names separated by commas, or all.")
    ] = "all",
    lab: Annotated[LabName, typer.Option(help="Where to run.")] = LabName.LOCAL,
    preset: Annotated[PresetName, typer.Option(help="How large.")] = PresetName.STANDARD,
    variants: Annotated[str | None, typer.Option(help="Variants separated by commas; name=variant enters one again.")] = None,
    size: Annotated[list[str] | None, typer.Option(help="A size of the scenario, as in tasks=5000. Repeatable.")] = None,
    runs: Annotated[int | None, typer.Option(help="Valid runs of each variant, at least [BENCHMARK_RUNS].")] = None,
    max_runs: Annotated[int | None, typer.Option(help="Runs of each variant, at most [BENCHMARK_MAX_RUNS].")] = None,
    processes: Annotated[int | None, typer.Option(help="Processes of a worker [BENCHMARK_PROCESSES].")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Tasks at once within each [BENCHMARK_CONCURRENCY].")] = None,
    warmup_seconds: Annotated[float | None, typer.Option(help="Warm-up of a worker [BENCHMARK_WARMUP_SECONDS].")] = None,
    run_timeout_seconds: Annotated[float | None, typer.Option(help="Limit of a run [BENCHMARK_RUN_TIMEOUT_SECONDS].")] = None,
    output_dir: Annotated[Path | None, typer.Option(help="Where result sets go [BENCHMARK_OUTPUT_DIR].")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all that is random in the runs [BENCHMARK_SEED].")] = None,
    track: Annotated[str, typer.Option(help="normalised: equal settings, tuned: as documented; or both.")] = NORMALISED,
    label: Annotated[str | None, typer.Option(help="Name of the result set, after its time.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Complete the latest result set, as it was begun.")] = False,
    resume_from: Annotated[Path | None, typer.Option(help="Complete this result set, as it was begun.")] = None,
    share_the_machine: Share = False,
    accept_differences: Annotated[
        bool, typer.Option("--accept-differences", help="Complete it under other conditions, in groups of their own.")
    ] = False,
) -> None:
    """Run scenarios and write a result set."""
    settings = load_settings(
        benchmark_runs=runs,
        benchmark_max_runs=max_runs,
        benchmark_processes=processes,
        benchmark_concurrency=concurrency,
        benchmark_warmup_seconds=warmup_seconds,
        benchmark_run_timeout_seconds=run_timeout_seconds,
        benchmark_output_dir=output_dir,
        benchmark_seed=seed,
    )
    if resume or resume_from is not None:
        _resume(resume_from or settings.benchmark_output_dir / "latest", share_the_machine, accept_differences)
        return
    scenarios = scenarios_of(scenario)
    sizes, tracks = sizes_of(size or [], scenarios), tracks_of(track)
    with alone(share_the_machine) as flags, lab_beside_others(lab) as running:
        entries = entries_of(variants or ",".join(running.variants()), running, tracks)
        plan = plan_of(settings, lab, preset, scenarios, entries, sizes)
        require_sense(plan, scenarios)
        results = ResultSet.create(settings.benchmark_output_dir, label or preset.value, manifest_of(plan, scenarios, running))
        with writing_to(results.path):
            execute(plan, scenarios, running, results, flags)


def _pictures(results: ResultSet, analysis: Analysis) -> list[Path]:
    """Those that studies have as files of their own."""
    # Only here: matplotlib and plotly take longer to import than most commands run.
    from benchmarks.report.write import write_own_pictures

    return write_own_pictures(results, analysis)


def lab_beside_others(name: LabName) -> Lab:
    """The lab, not yet up; what else is up on this machine is said."""
    if name is LabName.LOCAL:
        say_what_is_up()
        if missing := what_is_missing(raise_open_files()):
            say(missing)
    return lab_of(name)


def _resume(path: Path, share: bool, accept_differences: bool) -> None:
    """Only once the lock is held and the lab is up is the set touched: it may be the one that another benchmark writes to."""
    with alone(share) as flags:
        try:
            made_with = ResultSet.open(path).manifest()["settings"]
            plan = SuitePlan.from_json(made_with)
        except (KeyError, TypeError) as error:
            raise UserError(f"{path} holds no plan that this version can resume ({cause(error)})") from None
        if PROFILER in made_with:
            raise UserError(f"{path} holds profiles, which are not gone on with: make them anew with `just profile`")
        if SOAK in made_with:
            raise UserError(f"{path} holds soaks, which are not gone on with: what they measured is whole as far as it goes")
        with writing_to(path), lab_beside_others(LabName(plan.lab)) as running:
            missing = sorted({entry.variant for entry in plan.entries} - set(running.variants()))
            if missing:
                raise UserError(f"{path} was begun with variants that this lab does not have: {', '.join(missing)}")
            scenarios = named_in(plan)
            begun, now = ResultSet.open(path), manifest_of(plan, scenarios, running)
            before, facts = begun.manifest(), begun.facts()
            changed = [*differences(before, now), *moved_facts(facts, found_again(facts, running))]
            if changed and not accept_differences:
                listed = "\n".join(f"  {difference}" for difference in changed)
                raise UserError(
                    f"{path} was made under other conditions, and figures of both must not be averaged together (was → is):\n"
                    f"{listed}\nGo on as it was begun, or with --accept-differences: what is made then stands apart in all tables"
                )
            if both_uncommitted(before, now):
                say("The checkout held changes that were not committed, then as now: whether they are the same cannot be known.")
            results = ResultSet.open(path, resume=True)
            if changed:
                results.begin_epoch(changed, now)
            say(f"Resuming {results.path}: {len(results.completed())} runs are there already.")
            execute(plan, scenarios, running, results, flags)


def execute(plan: SuitePlan, scenarios: list[Scenario], lab: Lab, results: ResultSet, flags: tuple[Flag, ...]) -> None:
    """Make all runs of a plan, and say how it ended. Raises Exit where no run has a figure."""
    say(f"Writing to {results.path}")
    try:
        with display(console) as shown, board_of(lab) as board:
            Suite(plan, scenarios, lab, results, shown, board, flags).execute()
    except BaseException:
        try:
            results.finish("interrupted")
        except ResultsDiskError as error:
            errors.print(Text(f"Its state could not be written, and says running: {cause(error)}"), soft_wrap=True)
        go_on = lab_command("benchmark-resume", results.path)
        kept = f"Not complete: {len(results.completed())} runs are kept. Go on with: {go_on}"
        errors.print(Text(kept), soft_wrap=True)
        raise
    results.finish("complete")
    if any(scenario.factors for scenario in scenarios):
        analysis = analyse_set(results, ())
        for analysed in analysis.scenarios:
            print_conclusions(console, analysed.conclusions)
        for document in (*store_documents(analysis), *_pictures(results, analysis)):
            say(f"Written: {document}")
        say("")
    print_end(console, results)
    if not any(stored.result.has_figures for stored in results.stored_runs()):
        raise typer.Exit(INVALID)
