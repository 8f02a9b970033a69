"""On what a result set was made: code, settings, scenarios, versions and host, as one document."""

import os
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.checkout import CHECKOUT
from benchmarks.plan.grid import Factor
from benchmarks.record.better import Direction, all_written
from infrastructure.environment import made


class Described(Protocol):
    """What a manifest must know of a scenario, which meets this without knowing it."""

    @property
    def name(self) -> str:
        """As its files are called."""
        ...

    @property
    def number(self) -> int | None:
        """Its number; None of a study."""
        ...

    @property
    def title(self) -> str:
        """A few words."""
        ...

    @property
    def question(self) -> str:
        """The question that it answers."""
        ...

    @property
    def headline(self) -> str:
        """The measure that decides."""
        ...

    @property
    def summary(self) -> Mapping[str, str]:
        """The measures that a person sees first, each with its heading."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Every measure, in order, and what it means."""
        ...

    @property
    def shares(self) -> Mapping[str, str]:
        """Columns that are shares of the control's value of a measure."""
        ...

    @property
    def better(self) -> Mapping[str, Direction]:
        """Which way measures are better."""
        ...

    @property
    def factors(self) -> Sequence[Factor]:
        """What a study varies; empty of a scenario."""
        ...

    @property
    def variants_compared(self) -> bool:
        """Whether points of a study that differ in their variant alone are compared."""
        ...

    @property
    def expected(self) -> Mapping[str, str]:
        """Measures that are expected to have the value of another."""
        ...


def gather(
    *,
    command_line: Sequence[str],
    seed: int,
    settings: Mapping[str, Any],
    scenarios: Iterable[Described],
    control: str | None,
    versions: Mapping[str, Mapping[str, str]],
    host: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of a new result set, but for what :class:`benchmarks.results.result_set.ResultSet` adds itself.

    ``settings`` is everything chosen for this invocation, as plain data; ``control`` the variant that shares are taken of;
    ``versions`` what ran, as it reported itself: ``{"redis": {"redis_version": ...}, FRAMEWORK: {PACKAGE: VERSION}}``;
    ``host`` what :func:`benchmarks.run.host.host_facts` tells.
    """
    return {
        "queuelab_version": queuelab_version(),
        "git": git_state(CHECKOUT),
        "command_line": list(command_line),
        "seed": seed,
        "settings": dict(settings),
        "scenarios": {scenario.name: describe_scenario(scenario) for scenario in scenarios},
        "control": control,
        "versions": {name: dict(packages) for name, packages in versions.items()},
        "host": dict(host),
    }


def describe_scenario(scenario: Described) -> dict[str, Any]:
    """What a result set must know of a scenario to write its tables without the scenario's code."""
    return {
        "number": scenario.number,
        "title": scenario.title,
        "question": scenario.question,
        "headline": scenario.headline,
        "summary": dict(scenario.summary),
        "columns": dict(scenario.columns),
        "shares": dict(scenario.shares),
        "better": all_written(scenario.better),
        "expected": dict(scenario.expected),
        **(_varied(scenario) if scenario.factors else {}),
    }


def _varied(study: Described) -> dict[str, Any]:
    factors = {factor.name: factor.described() for factor in study.factors}
    return {"factors": factors, "variants_compared": study.variants_compared}


def queuelab_version() -> str:
    """The version of this checkout."""
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of a checkout and whether anything in it differs from that; None where it is not the top of a git checkout."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    commit = _git(folder, "rev-parse", "HEAD")
    if top is None or commit is None or Path(top) != folder.resolve():
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}


def _git(folder: Path, *arguments: str) -> str | None:
    # The folder says which repository it is, and no variable; that it may belong to another user does not matter here.
    command = ["git", "-C", str(folder), "-c", f"safe.directory={folder.resolve()}", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=made(os.environ, {}), check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
