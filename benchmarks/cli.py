"""The command line. Every recipe of the justfile ends here; options win over environment variables, those over defaults."""

import math
import os
import signal
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated, Any, NoReturn

import redis
import typer
from dotenv import dotenv_values
from rich.console import Console
from rich.text import Text

from benchmarks import hand_tools, separation
from benchmarks.analysis.targets import TargetsError
from benchmarks.analysis_commands import analysis_app
from benchmarks.checkout import CHECKOUT
from benchmarks.docker_commands import docker_app
from benchmarks.labs import Lab, LabError, control_of
from benchmarks.labs.compose import PROMETHEUS_PORT, PROMETHEUS_SERVICE, Compose, ComposeLab
from benchmarks.labs.local import LocalLab
from benchmarks.labs.lock import lab_lock
from benchmarks.monitoring.board import board_of
from benchmarks.monitoring.prometheus import Prometheus
from benchmarks.node_client import NodeClient, NodeError
from benchmarks.plan.suite_plan import Entry, SuitePlan, parse_entries
from benchmarks.profiling import PROFILER, PROFILES, draw_memory, flame_graphs, memray_variables, nothing_beside, profiled
from benchmarks.progress import display
from benchmarks.redis_server import RedisServer
from benchmarks.report_commands import report_app
from benchmarks.results import manifest
from benchmarks.results.documents import ResultSetError
from benchmarks.results.result_set import ResultSet
from benchmarks.run.contract import Scenario
from benchmarks.run.host import host_facts
from benchmarks.scenarios import all_scenarios
from benchmarks.settings import Settings, SettingsError, load_settings
from benchmarks.suite import Suite
from benchmarks.summary import print_summary
from tasks.contract import Track

INTERRUPTED = 130
INVALID = 3
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PLAIN_WIDTH = 120


class LabName(StrEnum):
    """Where to run."""

    LOCAL = "local"
    COMPOSE = "compose"


class PresetName(StrEnum):
    """How large."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"


class TrackName(StrEnum):
    """Which settings the frameworks get."""

    NORMALISED = "normalised"
    TUNED = "tuned"


@dataclass(frozen=True, slots=True)
class PresetDefaults:
    """How often and how long, where the user does not say."""

    runs: int
    max_runs: int
    warmup_s: float


PRESETS = {
    PresetName.QUICK: PresetDefaults(runs=1, max_runs=2, warmup_s=0.5),
    PresetName.STANDARD: PresetDefaults(runs=10, max_runs=20, warmup_s=5),
    PresetName.FULL: PresetDefaults(runs=10, max_runs=30, warmup_s=30),
}

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="queuelab: a benchmark lab for Python task queues.")
app.add_typer(docker_app, name="docker")
app.add_typer(analysis_app)
app.add_typer(report_app)
app.add_typer(hand_tools.redis_app, name="redis")
console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
errors = Console(stderr=True)


class UserError(Exception):
    """Something that the user can put right; the text says what."""


def _lab(name: LabName) -> Lab:
    if name is LabName.COMPOSE:
        return ComposeLab()
    return LocalLab(_node_variables())


def _node_variables() -> dict[str, str]:
    """What ``.env`` sets for nodes, as in containers: the databases of frameworks. The environment has precedence, and the lab's
    own variables are not a user's to set here."""
    own = ("LAB_", "BENCHMARK_", "GRAFANA_")
    known = dotenv_values(CHECKOUT / ".env").items()
    return {name: value for name, value in known if value and not name.startswith(own) and name not in os.environ}


def _scenarios(wanted: str) -> list[Scenario]:
    """Scenarios by number, name, ``scenario7``, a list of these, or ``all``."""
    known = list(all_scenarios().values())
    if wanted == "all":
        return known
    chosen = []
    for word in wanted.split(","):
        bare = word.strip().removeprefix("scenario").strip("_")
        found = [s for s in known if bare == str(s.number) or word.strip() == s.name]
        if not found:
            raise UserError(f"no scenario {word!r}; there are: {', '.join(f'{s.number} ({s.name})' for s in known)}, or all")
        chosen += [s for s in found if s not in chosen]
    return chosen


def _sizes(options: list[str], scenarios: list[Scenario]) -> dict[str, float | int]:
    known = {name for scenario in scenarios for preset in scenario.sizes.values() for name in preset}
    sizes: dict[str, float | int] = {}
    for option in options:
        name, _, text = option.partition("=")
        if name not in known:
            raise UserError(f"no size {name!r}; there are: {', '.join(sorted(known))}")
        try:
            sizes[name] = int(text) if text.isdigit() else float(text)
        except ValueError:
            raise UserError(f"size {name} must be a number, not {text!r}") from None
        if not 0 < sizes[name] < math.inf:
            raise UserError(f"size {name} must be positive, not {text}")
    return sizes


def _require_sense(plan: SuitePlan, scenarios: list[Scenario]) -> None:
    """Find out what cannot be run as asked while nothing has been started for it."""
    if plan.max_runs < plan.runs:
        raise UserError(
            f"{plan.runs} runs of each variant are asked for and at most {plan.max_runs} allowed: "
            "raise --max-runs (BENCHMARK_MAX_RUNS) or lower --runs (BENCHMARK_RUNS)"
        )
    for scenario in scenarios:
        try:
            scenario.check(plan.sizes_of(scenario))
        except ValueError as error:
            raise UserError(str(error)) from None


@app.command()
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
    workers: Annotated[int | None, typer.Option(help="Execution slots of a worker [BENCHMARK_WORKERS].")] = None,
    warmup_seconds: Annotated[float | None, typer.Option(help="Warm-up of a worker [BENCHMARK_WARMUP_SECONDS].")] = None,
    run_timeout_seconds: Annotated[float | None, typer.Option(help="Limit of a run [BENCHMARK_RUN_TIMEOUT_SECONDS].")] = None,
    output_dir: Annotated[Path | None, typer.Option(help="Where result sets go [BENCHMARK_OUTPUT_DIR].")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all that is random [BENCHMARK_SEED].")] = None,
    track: Annotated[TrackName, typer.Option(help="Equal settings, or those its documentation advises.")] = TrackName.NORMALISED,
    label: Annotated[str | None, typer.Option(help="Name of the result set, after its time.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Complete the latest result set, as it was begun.")] = False,
    resume_from: Annotated[Path | None, typer.Option(help="Complete this result set, as it was begun.")] = None,
) -> None:
    """Run scenarios and write a result set."""
    settings = load_settings(
        benchmark_runs=runs,
        benchmark_max_runs=max_runs,
        benchmark_workers=workers,
        benchmark_warmup_seconds=warmup_seconds,
        benchmark_run_timeout_seconds=run_timeout_seconds,
        benchmark_output_dir=output_dir,
        benchmark_seed=seed,
    )
    if resume or resume_from is not None:
        _resume(resume_from or settings.benchmark_output_dir / "latest")
        return
    scenarios = _scenarios(scenario)
    sizes = _sizes(size or [], scenarios)
    with lab_lock(CHECKOUT), _lab(lab) as running:
        entries = _entries(variants or ",".join(running.variants()), running)
        plan = _plan(settings, lab, preset, scenarios, entries, sizes, track.value)
        _require_sense(plan, scenarios)
        results = ResultSet.create(settings.benchmark_output_dir, label or preset.value, _manifest(plan, scenarios, running))
        _execute(plan, scenarios, running, results)


@app.command()
def profile(
    variants: Annotated[str, typer.Argument(help="Variants separated by commas.")],
    memory: Annotated[bool, typer.Option("--memory", help="Of its memory, by memray, rather than of its CPU time.")] = False,
    scenario: Annotated[str, typer.Option(help="Under the load of this scenario.")] = "1",
    phase: Annotated[str | None, typer.Option(help="In this phase of it; without it in its first.")] = None,
    rate: Annotated[int, typer.Option(min=1, max=1000, help="Samples of every process a second; not for memory.")] = 200,
    lab: Annotated[LabName, typer.Option(help="Where to run: local.")] = LabName.LOCAL,
    preset: Annotated[PresetName, typer.Option(help="How large.")] = PresetName.STANDARD,
    size: Annotated[list[str] | None, typer.Option(help="A size of the scenario, as in tasks=5000. Repeatable.")] = None,
    workers: Annotated[int | None, typer.Option(help="Execution slots of a worker [BENCHMARK_WORKERS].")] = None,
    output_dir: Annotated[Path | None, typer.Option(help="Where result sets go [BENCHMARK_OUTPUT_DIR].")] = None,
    track: Annotated[TrackName, typer.Option(help="Equal settings, or those its documentation advises.")] = TrackName.NORMALISED,
) -> None:
    """Draw where a worker spends its CPU time, or its memory, under load: a result set of its own, whose runs count for
    nothing else."""
    if lab is not LabName.LOCAL:
        raise UserError(
            "profiles are made in the local lab only: a container of the lab may not look into other processes (SYS_PTRACE) and "
            "holds no profiler. Leave --lab out"
        )
    settings = load_settings(benchmark_workers=workers, benchmark_output_dir=output_dir)
    chosen = _scenarios(scenario)
    if len(chosen) != 1:
        raise UserError("profiles are made under the load of one scenario at a time")
    sizes = _sizes(size or [], chosen)
    with lab_lock(CHECKOUT), ExitStack() as stack:
        allocations = Path(stack.enter_context(TemporaryDirectory(prefix="queuelab-memray-"))) if memory else None
        running = stack.enter_context(LocalLab(_node_variables() | memray_variables(allocations)))
        entries = _entries(variants, running)
        if any(entry.name != entry.variant for entry in entries):
            raise UserError("profiles bear the variants' own names: enter each as it is called")
        warmup_s = PRESETS[PresetName.QUICK].warmup_s
        plan = replace(_plan(settings, lab, preset, chosen, entries, sizes, track.value), runs=1, max_runs=1, warmup_s=warmup_s)
        _require_sense(plan, chosen)
        about = _manifest(plan, chosen, running)
        profiler = "memray" if memory else "py-spy"
        about["settings"][PROFILER] = profiler
        results = ResultSet.create(settings.benchmark_output_dir, "profile", about)
        devices = nothing_beside if memory else flame_graphs(results.path, running, rate, chosen[0].name)
        watched = profiled(chosen[0], phase, profiler, devices)
        _say(f"Writing to {results.path}")
        try:
            with display(console) as shown:
                Suite(plan, [watched], running, results, shown).execute()
            if allocations is not None:
                draw_memory(results, allocations)
        except BaseException:
            results.finish("interrupted")
            raise
        results.finish("complete")
    _show_profiles(results)


def _show_profiles(results: ResultSet) -> None:
    from benchmarks.report.write import write_report

    for file in (*sorted((results.path / PROFILES).glob("*")), write_report(results.path)[0]):
        _say(str(file))
    if any(stored.result.failure is not None for stored in results.stored_runs()):
        raise typer.Exit(INVALID)


def _entries(variants: str, lab: Lab) -> tuple[Entry, ...]:
    try:
        return parse_entries(variants, lab.variants())
    except ValueError as error:
        raise UserError(str(error)) from None


def _plan(
    settings: Settings,
    lab: LabName,
    preset: PresetName,
    scenarios: list[Scenario],
    entries: tuple[Entry, ...],
    sizes: dict[str, float | int],
    track: Track,
) -> SuitePlan:
    defaults = PRESETS[preset]
    cores = len(os.sched_getaffinity(0))
    slots = settings.benchmark_workers or cores
    runs = settings.benchmark_runs or defaults.runs
    warmup_s = settings.benchmark_warmup_seconds
    return SuitePlan(
        lab=lab.value,
        preset=preset.value,
        scenarios=tuple(s.name for s in scenarios),
        entries=entries,
        sizes=sizes,
        runs=runs,
        max_runs=settings.benchmark_max_runs or runs * defaults.max_runs // defaults.runs,
        processes=min(slots, cores),
        slots=slots,
        track=track,
        warmup_s=defaults.warmup_s if warmup_s is None else warmup_s,
        run_timeout_s=settings.benchmark_run_timeout_seconds,
        seed=settings.benchmark_seed,
    )


def _manifest(plan: SuitePlan, scenarios: list[Scenario], lab: Lab) -> dict[str, Any]:
    """On what a result set is made, with the versions of everything as reported by what runs."""
    variants = lab.variants()
    descriptions = {}
    for framework in sorted({variants[entry.variant] for entry in plan.entries}):
        with NodeClient(lab.producer_url(framework), lab.token) as producer:
            descriptions[framework] = producer.describe()
    server = RedisServer(lab.redis_url)
    try:
        facts = server.facts()
    finally:
        server.close()
    control = control_of(descriptions.values())
    return manifest.gather(
        command_line=sys.argv,
        seed=plan.seed,
        host=host_facts(),
        settings={**asdict(plan), "redis": facts, "frameworks": descriptions},
        scenarios=scenarios,
        control=next((e.name for e in plan.entries if e.variant == control), None),
        versions={"redis": {"redis_version": facts["version"]}, **{f: d["versions"] for f, d in descriptions.items()}},
    )


def _resume(path: Path) -> None:
    """Only once the lock is held and the lab is up is the set touched: it may be the one that another benchmark writes to."""
    with lab_lock(CHECKOUT):
        try:
            made_with = ResultSet.open(path).manifest()["settings"]
            plan = SuitePlan.from_json(made_with)
        except (KeyError, TypeError) as error:
            raise UserError(f"{path} holds no plan that this version can resume ({error})") from None
        if PROFILER in made_with:
            raise UserError(f"{path} holds profiles, which are not gone on with: make them anew with `just profile`")
        with _lab(LabName(plan.lab)) as running:
            missing = sorted({entry.variant for entry in plan.entries} - set(running.variants()))
            if missing:
                raise UserError(f"{path} was begun with variants that this lab does not have: {', '.join(missing)}")
            results = ResultSet.open(path, resume=True)
            _say(f"Resuming {results.path}: {len(results.completed())} runs are there already.")
            _execute(plan, _scenarios(",".join(plan.scenarios)), running, results)


def _execute(plan: SuitePlan, scenarios: list[Scenario], lab: Lab, results: ResultSet) -> None:
    _say(f"Writing to {results.path}")
    try:
        with display(console) as shown, board_of(lab) as board:
            Suite(plan, scenarios, lab, results, shown, board).execute()
    except BaseException:
        results.finish("interrupted")
        kept = f"Not complete: {len(results.completed())} runs are kept. Go on with: just benchmark-resume {results.path}"
        errors.print(Text(kept), soft_wrap=True)
        raise
    results.finish("complete")
    print_summary(console, results, scenarios)
    if not any(stored.result.valid for stored in results.stored_runs()):
        raise typer.Exit(INVALID)


def _compose_is_up() -> bool:
    try:
        return any(service.up for service in Compose().health())
    except LabError:
        return False


@app.command()
def verify_separation(
    lab: Annotated[LabName | None, typer.Option(help="Which lab; without it Compose if it is up, else local.")] = None,
) -> None:
    """Prove from Redis's own keys and clients that every framework keeps to its databases."""
    name = lab or (LabName.COMPOSE if _compose_is_up() else LabName.LOCAL)
    with lab_lock(CHECKOUT), _lab(name) as running:
        findings = separation.examine(running)
    separation.print_findings(console, findings)
    if separation.overlapping(findings) or not all(f.holds for f in findings):
        raise typer.Exit(1)


@app.command()
def worker(
    variant: Annotated[str, typer.Argument(help="A variant, as `just info` lists them.")],
    slots: Annotated[int | None, typer.Option(help="Execution slots.")] = None,
) -> None:
    """Run a worker of a variant in the foreground, against the Redis that its own variables name, until Ctrl-C."""
    hand_tools.run_worker(variant, slots or len(os.sched_getaffinity(0)))


@app.command()
def export_metrics(result: Annotated[Path, typer.Argument(help="A result set.")]) -> None:
    """Take what Prometheus has of a result set's time into it, as Parquet."""
    from benchmarks.monitoring.export import export_metrics as export

    results = ResultSet.open(result)
    url = Compose().published_url(PROMETHEUS_SERVICE, PROMETHEUS_PORT)
    if url is None:
        raise LabError("Prometheus is not up: run `just docker-up-monitoring`")
    with Prometheus(url) as prometheus:
        path, count = export(results, prometheus)
    _say(f"{count} series written to {path}")


@app.command()
def info() -> None:
    """Print what is installed, which scenarios and variants there are, and where results go."""
    hand_tools.print_info(console, load_settings())


@app.command()
def harness(
    target: Annotated[
        list[str], typer.Option(help="A variant and the share of a bare worker's rate that it must keep, as a=0.98.")
    ],
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, to see that it works.")] = False,
) -> None:
    """Measure the lab itself: recorder, agent, producer, pacing, reading, and a queue with a known answer."""
    from benchmarks import harness as own

    targets = {}
    for item in target:
        variant, _, share = item.partition("=")
        try:
            targets[variant] = float(share)
        except ValueError:
            raise UserError(f"--target {item!r} must be a variant and a share, as in a=0.98") from None
    with lab_lock(CHECKOUT):
        met = own.run(console, targets, load_settings().benchmark_output_dir, quick=quick)
    if not met:
        raise typer.Exit(INVALID)


def _say(text: str) -> None:
    """A line that may hold a path: neither broken, for it is to be copied, nor read as markup."""
    console.print(Text(text), soft_wrap=True)


def _complain(text: str) -> None:
    errors.print(Text.assemble(("Error: ", "bold red"), text), soft_wrap=True)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    """End, once: a second Ctrl-C must not cut short what the first one set off."""
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def main() -> None:
    """Run the command line; what goes wrong is one readable message and an exit code, never a traceback for a user's slip."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _stop)
    try:
        app(prog_name="benchmarks")
    except (UserError, SettingsError, LabError, NodeError, ResultSetError, TargetsError, OSError) as error:
        _complain(str(error))
        sys.exit(1)
    except redis.RedisError as error:
        _complain(f"Redis does not answer: {error}")
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            errors.print("Interrupted; nothing that this command started is left running.")
        raise
