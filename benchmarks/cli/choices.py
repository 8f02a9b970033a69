"""What a user may choose for a benchmark, and what it comes to: where, how large, which scenarios, sizes and variants."""

import math
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from benchmarks.cli.console import UserError
from benchmarks.cli.settings import Settings, load_settings
from benchmarks.plan.suite_plan import Entry, SuitePlan, on_tracks, parse_entries
from benchmarks.results.files import LATEST
from benchmarks.results.manifest import gather
from benchmarks.run.contract import Scenario
from benchmarks.run.frameworks import database_variables
from benchmarks.run.host import host_facts
from benchmarks.run.labs.compose_lab import ComposeLab
from benchmarks.run.labs.lab import Lab, control_of
from benchmarks.run.labs.local import LocalLab
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.redis_server import RedisServer
from benchmarks.scenarios import all_scenarios
from benchmarks.studies import all_studies, short_name
from tasks.causes import cause
from tasks.contract import Track, Variant

NORMALISED: Track = "normalised"
Result = Annotated[Path | None, typer.Argument(help="A result set's folder; without one the latest.", metavar="[RESULT]")]


class LabName(StrEnum):
    """Where to run."""

    LOCAL = "local"
    COMPOSE = "compose"


class PresetName(StrEnum):
    """How large."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class PresetDefaults:
    """How often and how long, where the user does not say."""

    runs: int
    max_runs: int
    warmup_s: float


PRESETS = {
    PresetName.QUICK: PresetDefaults(runs=1, max_runs=3, warmup_s=0.5),
    PresetName.STANDARD: PresetDefaults(runs=10, max_runs=20, warmup_s=5),
    PresetName.FULL: PresetDefaults(runs=10, max_runs=30, warmup_s=30),
}


def lab_of(name: LabName) -> Lab:
    """The lab, not yet up."""
    if name is LabName.COMPOSE:
        return ComposeLab()
    return LocalLab(database_variables())


def scenarios_of(wanted: str) -> list[Scenario]:
    """Scenarios by number, name, ``scenario7``, a list of these, or ``all``."""
    known = list(all_scenarios().values())
    if wanted == "all":
        return known
    chosen = []
    for word in wanted.split(","):
        bare = word.strip().removeprefix("scenario").strip("_")
        found = [s for s in known if bare == str(s.number) or word.strip() == s.name]
        if study := next((s for s in all_studies().values() if word.strip() in (s.name, short_name(s))), None):
            raise UserError(f"{word.strip()} is a study: run it with `just study {short_name(study)}`")
        if not found:
            raise UserError(f"no scenario {word!r}; there are: {', '.join(f'{s.number} ({s.name})' for s in known)}, or all")
        chosen += [s for s in found if s not in chosen]
    return chosen


def named_in(plan: SuitePlan) -> list[Scenario]:
    """The scenarios and studies of a plan. Raises UserError for one that this version does not have."""
    known: dict[str, Scenario] = {**all_scenarios(), **all_studies()}
    if missing := [name for name in plan.scenarios if name not in known]:
        raise UserError(f"this version has no {', '.join(missing)}")
    return [known[name] for name in plan.scenarios]


def sizes_of(options: list[str], scenarios: list[Scenario]) -> dict[str, float | int]:
    """Sizes set as ``name=number``. Raises UserError for one that no scenario has, or that is no number of at least 0
    (which of them may be 0, their scenarios say)."""
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
        if not 0 <= sizes[name] < math.inf:
            raise UserError(f"size {name} must be a finite number of at least 0, not {text}")
    return sizes


def tracks_of(text: str) -> tuple[Track, ...]:
    """Tracks separated by commas, each once. Raises BadParameter for what is none."""
    known: tuple[Track, ...] = get_args(Track)
    words = [word.strip() for word in text.split(",")]
    if unknown := [word for word in words if word not in known]:
        names = ", ".join(map(repr, known))
        raise typer.BadParameter(f"{unknown[0]!r} is none of {names}; several are separated by commas", param_hint="--track")
    return tuple(track for track in known if track in words)


def entries_of(variants: str, lab: Lab, tracks: Sequence[Track]) -> tuple[Entry, ...]:
    """The variants that are entered, on every track. Raises UserError for one that the lab does not have."""
    try:
        entries = parse_entries(variants, lab.variants())
        control = control_of(_descriptions(lab, entries).values()) if len(tracks) > 1 else None
        return on_tracks(entries, tracks, control)
    except ValueError as error:
        raise UserError(cause(error)) from None


def described_variants(lab: Lab, names: Iterable[str]) -> list[Variant]:
    """What the frameworks say of these variants, in this order."""
    known = lab.variants()
    found = _descriptions(lab, [Entry(name, name) for name in names])
    described = {v["name"]: Variant(**v) for framework in found.values() for v in framework["variants"]}
    return [described[name] for name in names if name in known]


def _descriptions(lab: Lab, entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """What each framework that is entered says of itself."""
    variants = lab.variants()
    descriptions = {}
    for framework in sorted({variants[entry.variant] for entry in entries}):
        with NodeClient(lab.producer_url(framework), lab.token) as producer:
            descriptions[framework] = producer.describe()
    return descriptions


def plan_of(
    settings: Settings,
    lab: LabName,
    preset: PresetName,
    scenarios: list[Scenario],
    entries: tuple[Entry, ...],
    sizes: dict[str, float | int],
) -> SuitePlan:
    """What was asked for, with the preset's defaults for what was not said."""
    defaults = PRESETS[preset]
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
        processes=settings.benchmark_processes or len(os.sched_getaffinity(0)),
        concurrency=settings.benchmark_concurrency,
        warmup_s=defaults.warmup_s if warmup_s is None else warmup_s,
        run_timeout_s=settings.benchmark_run_timeout_seconds,
        seed=settings.benchmark_seed,
    )


def require_sense(plan: SuitePlan, scenarios: list[Scenario]) -> None:
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
            raise UserError(cause(error)) from None


def manifest_of(plan: SuitePlan, scenarios: list[Scenario], lab: Lab) -> dict[str, Any]:
    """On what a result set is made, with the versions of everything as reported by what runs."""
    descriptions = _descriptions(lab, plan.entries)
    server = RedisServer(lab.redis_url)
    try:
        facts = server.facts()
    finally:
        server.close()
    control = control_of(descriptions.values())
    return gather(
        command_line=sys.argv,
        seed=plan.seed,
        host=host_facts(lab.cpu_quotas()),
        settings={**asdict(plan), "redis": facts, "frameworks": descriptions, "images": dict(lab.images())},
        scenarios=scenarios,
        control=next((e.name for e in plan.entries if e.variant == control), None),
        versions={"redis": {"redis_version": facts["version"]}, **{f: d["versions"] for f, d in descriptions.items()}},
    )


def chosen_result(result: Path | None) -> Path:
    """The result set that a command is for: the one named, or the latest."""
    return result or load_settings().benchmark_output_dir / LATEST
