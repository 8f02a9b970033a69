"""``study``: run studies, each by a command of its own with the options that it declares."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks.cli.alone import Share, alone
from benchmarks.cli.choices import LabName, PresetName, described_variants, manifest_of, plan_of, require_sense
from benchmarks.cli.console import UserError, say
from benchmarks.cli.run import execute, lab_beside_others
from benchmarks.cli.settings import Settings, load_settings
from benchmarks.plan.grid import Factor
from benchmarks.results.result_set import ResultSet
from benchmarks.run.contract import Scenario
from benchmarks.run.labs.lab import Lab
from benchmarks.run.labs.lock import writing_to
from benchmarks.studies import all_studies, short_name
from benchmarks.studies.expectation import expected, require_fits
from benchmarks.studies.study import Grid, Levels, Place, Study, option_of
from tasks.causes import cause
from tasks.contract import Variant

ALL = "all"
study_app = typer.Typer(no_args_is_help=True, help="Run a study, or all of them.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What every study can be asked for."""

    settings: Settings
    lab: LabName
    preset: PresetName
    variants: tuple[str, ...]
    """As named by the user; empty where the studies choose."""
    label: str | None
    share_the_machine: bool


def asked(
    lab: Annotated[LabName, typer.Option(help="Where to run.")] = LabName.LOCAL,
    preset: Annotated[PresetName, typer.Option(help="How large.")] = PresetName.STANDARD,
    variants: Annotated[str | None, typer.Option(help="Variants separated by commas, in the place of the study's own.")] = None,
    runs: Annotated[int | None, typer.Option(help="Valid runs of each point, at least [BENCHMARK_RUNS].")] = None,
    max_runs: Annotated[int | None, typer.Option(help="Runs of each point, at most [BENCHMARK_MAX_RUNS].")] = None,
    warmup_seconds: Annotated[float | None, typer.Option(help="Warm-up of a worker [BENCHMARK_WARMUP_SECONDS].")] = None,
    run_timeout_seconds: Annotated[float | None, typer.Option(help="Limit of a run [BENCHMARK_RUN_TIMEOUT_SECONDS].")] = None,
    output_dir: Annotated[Path | None, typer.Option(help="Where result sets go [BENCHMARK_OUTPUT_DIR].")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the order and of all that is drawn [BENCHMARK_SEED].")] = None,
    label: Annotated[str | None, typer.Option(help="Name of the result set, after its time.")] = None,
    share_the_machine: Share = False,
) -> Asked:
    """The options of every study."""
    settings = load_settings(
        benchmark_runs=runs,
        benchmark_max_runs=max_runs,
        benchmark_warmup_seconds=warmup_seconds,
        benchmark_run_timeout_seconds=run_timeout_seconds,
        benchmark_output_dir=output_dir,
        benchmark_seed=seed,
    )
    named = tuple(dict.fromkeys(word.strip() for word in variants.split(","))) if variants else ()
    return Asked(settings, lab, preset, named, label, share_the_machine)


COMMON = inspect.signature(asked, eval_str=True).parameters


def command_of(study: Study) -> Callable[..., None]:
    """The command of one study: the options of all, its sizes, and its factors."""

    def command(**given: Any) -> None:
        sizes = {name: value for name in study.options if (value := given[name]) is not None}
        levels = {f.name: _levels(f, text) for f in study.factors if (text := given[f.name]) is not None}
        _measure([study], asked(**{name: given[name] for name in COMMON}), sizes, levels)

    own = [*map(_size_option, [study] * len(study.options), study.options), *map(_factor_option, study.factors)]
    return _with_signature(command, own, study.question)


def _size_option(study: Study, name: str) -> inspect.Parameter:
    kind = int if all(isinstance(sizes[name], int) for sizes in study.sizes.values()) else float
    defaults = dict.fromkeys(f"{sizes[name]:g}" for sizes in study.sizes.values())
    words = f"{study.options[name]} [{', '.join(defaults)}{' by preset' if len(defaults) > 1 else ''}]."
    return _parameter(name, Annotated[kind | None, typer.Option(option_of(name), help=words)])


def _factor_option(factor: Factor) -> inspect.Parameter:
    known = f": {', '.join(factor.known)}" if factor.known else ""
    words = f"{factor.words}{f', {factor.unit}' if factor.unit else ''}{known}. Several are separated by commas."
    return _parameter(factor.name, Annotated[str | None, typer.Option(option_of(factor.name), help=words)])


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _with_signature(command: Callable[..., None], own: Sequence[inspect.Parameter], words: str) -> Callable[..., None]:
    """What the command line reads of a function: parameters that are not known before the study is."""
    common = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in COMMON.values()]
    signature = inspect.Signature([*own, *common], return_annotation=None)
    vars(command)["__signature__"] = signature
    command.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    command.__doc__ = words
    return command


def _levels(factor: Factor, text: str) -> tuple[Any, ...]:
    try:
        return factor.levels(text)
    except ValueError as error:
        raise UserError(f"{option_of(factor.name)}: {cause(error)}") from None


def _all(**given: Any) -> None:
    _measure(list(all_studies().values()), asked(**given), {}, {})


def _measure(studies: Sequence[Study], asked_for: Asked, sizes: Mapping[str, float | int], levels: Levels) -> None:
    """Refuse what makes no sense, say what is expected, and run it."""
    settings = with_limits(asked_for.settings, studies, asked_for.preset)
    scenarios: list[Scenario] = list(studies)
    plan = plan_of(settings, asked_for.lab, asked_for.preset, scenarios, (), dict(sizes))
    require_sense(plan, scenarios)
    with alone(asked_for.share_the_machine) as flags, lab_beside_others(asked_for.lab) as lab:
        variants = _chosen(lab, asked_for.variants)
        try:
            grids = [_grid(study, variants, asked_for, plan.sizes_of(study), levels) for study in studies]
            for grid in grids:
                require_fits(grid, plan.run_timeout_s, psutil.virtual_memory().available)
        except ValueError as error:
            raise UserError(cause(error)) from None
        for left_out in (reason for grid in grids for reason in grid.left_out if levels or sizes):
            say(f"Left out: {left_out}")
        say(f"{', '.join(study.name for study in studies)}: {expected(grids, plan.runs, plan.warmup_s)}.")
        entries = tuple(entry for grid in grids for entry in grid.entries)
        plan = plan_of(settings, asked_for.lab, asked_for.preset, scenarios, entries, dict(sizes))
        label = asked_for.label or f"{'-'.join(study.name.replace('_', '-') for study in studies[:1])}-{asked_for.preset}"
        results = ResultSet.create(settings.benchmark_output_dir, label, manifest_of(plan, scenarios, lab))
        with writing_to(results.path):
            execute(plan, scenarios, lab, results, flags)


def with_limits(settings: Settings, studies: Sequence[Study], preset: PresetName) -> Settings:
    """As many runs, and runs as long, as the studies want where the user does not say. With the preset quick none is made again:
    it decides nothing, and is to be short on any machine."""
    name = "benchmark_run_timeout_seconds"
    limits = () if name in settings.model_fields_set else (study.run_timeout_s.get(preset, 0.0) for study in studies)
    wanted = settings.benchmark_runs or max(study.runs[preset] for study in studies)
    timeout_s = max(settings.benchmark_run_timeout_seconds, *limits, 0.0)
    at_most = settings.benchmark_max_runs or (wanted if preset is PresetName.QUICK else None)
    return settings.model_copy(update={"benchmark_runs": wanted, "benchmark_max_runs": at_most, name: timeout_s})


def _chosen(lab: Lab, named: Sequence[str]) -> tuple[tuple[Variant, bool], ...]:
    """The variants of the lab, or those that are named; and whether they were."""
    known = lab.variants()
    if unknown := [name for name in named if name not in known]:
        raise UserError(f"no variant {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    found = described_variants(lab, named or known)
    return tuple((variant, bool(named)) for variant in found)


def _grid(study: Study, variants: Sequence[tuple[Variant, bool]], asked_for: Asked, sizes: Any, levels: Levels) -> Grid:
    cores = len(os.sched_getaffinity(0))
    entering = [variant for variant, is_named in variants if is_named or study.enters(variant)]
    return study.grid([Place(variant, cores, sizes, asked_for.preset) for variant in entering], levels)


for _study in all_studies().values():
    study_app.command(short_name(_study))(command_of(_study))
study_app.command(ALL)(_with_signature(_all, (), "Every study, one after another, into one result set."))
