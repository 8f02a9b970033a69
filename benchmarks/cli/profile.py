"""``profile``: flame graphs of a worker under load."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.cli.alone import Share, alone, say_what_is_up
from benchmarks.cli.choices import (
    NORMALISED,
    PRESETS,
    LabName,
    PresetName,
    entries_of,
    manifest_of,
    plan_of,
    require_sense,
    scenarios_of,
    sizes_of,
    tracks_of,
)
from benchmarks.cli.console import INVALID, UserError, console, say
from benchmarks.cli.progress import display
from benchmarks.cli.settings import load_settings
from benchmarks.results.result_set import ResultSet
from benchmarks.run.frameworks import database_variables
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.profiling import PROFILER, PROFILES, draw_memory, flame_graphs, memray_variables, nothing_beside, profiled
from benchmarks.run.suite import Suite

profile_app = typer.Typer()


@profile_app.command()
def profile(
    variants: Annotated[str, typer.Argument(help="Variants separated by commas.")],
    memory: Annotated[bool, typer.Option("--memory", help="Of its memory, by memray, rather than of its CPU time.")] = False,
    scenario: Annotated[str, typer.Option(help="Under the load of this scenario.")] = "1",
    phase: Annotated[str | None, typer.Option(help="In this phase of it; without it in its first.")] = None,
    rate: Annotated[int, typer.Option(min=1, max=1000, help="Samples of every process a second; not for memory.")] = 200,
    lab: Annotated[LabName, typer.Option(help="Where to run: local.")] = LabName.LOCAL,
    preset: Annotated[PresetName, typer.Option(help="How large.")] = PresetName.STANDARD,
    size: Annotated[list[str] | None, typer.Option(help="A size of the scenario, as in tasks=5000. Repeatable.")] = None,
    processes: Annotated[int | None, typer.Option(help="Processes of a worker [BENCHMARK_PROCESSES].")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Tasks at once within each [BENCHMARK_CONCURRENCY].")] = None,
    output_dir: Annotated[Path | None, typer.Option(help="Where result sets go [BENCHMARK_OUTPUT_DIR].")] = None,
    track: Annotated[str, typer.Option(help="normalised: equal settings, or tuned: what documentation advises.")] = NORMALISED,
    share_the_machine: Share = False,
) -> None:
    """Draw where a worker spends its CPU time, or its memory, under load: a result set of its own, whose runs count for
    nothing else."""
    if lab is not LabName.LOCAL:
        raise UserError(
            "profiles are made in the local lab only: a container of the lab may not look into other processes (SYS_PTRACE) and "
            "holds no profiler. Leave --lab out"
        )
    settings = load_settings(benchmark_processes=processes, benchmark_concurrency=concurrency, benchmark_output_dir=output_dir)
    chosen = scenarios_of(scenario)
    if len(chosen) != 1:
        raise UserError("profiles are made under the load of one scenario at a time")
    sizes = sizes_of(size or [], chosen)
    with alone(share_the_machine) as flags, ExitStack() as stack:
        say_what_is_up()
        allocations = Path(stack.enter_context(TemporaryDirectory(prefix="queuelab-memray-"))) if memory else None
        running = stack.enter_context(LocalLab(database_variables() | memray_variables(allocations)))
        entries = entries_of(variants, running, tracks_of(track))
        if any(entry.name != entry.variant for entry in entries):
            raise UserError("profiles bear the variants' own names: enter each as it is called")
        warmup_s = PRESETS[PresetName.QUICK].warmup_s
        plan = replace(plan_of(settings, lab, preset, chosen, entries, sizes), runs=1, max_runs=1, warmup_s=warmup_s)
        require_sense(plan, chosen)
        about = manifest_of(plan, chosen, running)
        profiler = "memray" if memory else "py-spy"
        about["settings"][PROFILER] = profiler
        results = ResultSet.create(settings.benchmark_output_dir, "profile", about)
        devices = nothing_beside if memory else flame_graphs(results.path, running, rate, chosen[0].name)
        watched = profiled(chosen[0], phase, profiler, devices)
        say(f"Writing to {results.path}")
        try:
            with display(console) as shown:
                Suite(plan, [watched], running, results, shown, flags=flags).execute()
            if allocations is not None:
                draw_memory(results, allocations)
        except BaseException:
            results.finish("interrupted")
            raise
        results.finish("complete")
    _show_profiles(results)


def _show_profiles(results: ResultSet) -> None:
    from benchmarks.report.write import write_report

    for file in (*sorted((results.path / PROFILES).glob("*")), write_report(results.path).files[0]):
        say(str(file))
    if any(stored.result.failure is not None for stored in results.stored_runs()):
        raise typer.Exit(INVALID)
