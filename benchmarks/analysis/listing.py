"""What there is below the folder of results, whatever state it is in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record.flags import exclusion
from benchmarks.results.documents import ResultSetError
from benchmarks.results.files import LATEST
from benchmarks.results.result_set import ResultSet
from tasks.causes import cause


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder below the results: a result set, or something else and why it cannot be read as one (``problem``)."""

    path: Path
    latest: bool
    problem: str | None = None
    created_utc: str = ""
    label: str = ""
    lab: str = ""
    state: str = ""
    scenarios: tuple[str, ...] = ()
    """The numbers of scenarios, the names of studies."""
    variants: tuple[str, ...] = ()
    valid_runs: int = 0
    made_runs: int = 0


def list_sets(root: Path) -> tuple[Listed, ...]:
    """Every folder below ``root``, the newest result set first, what is no result set last. Raises ResultSetError if there is no
    such folder."""
    if not root.is_dir():
        raise ResultSetError(f"there are no results yet: {root} does not exist. Make some with: just benchmark-quick")
    latest = (root / LATEST).resolve()
    folders = [path for path in root.iterdir() if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")]
    return tuple(
        sorted(
            (_listed(path, path.resolve() == latest) for path in sorted(folders)),
            key=lambda found: (found.problem is None, found.created_utc, found.path.name),
            reverse=True,
        )
    )


def _listed(path: Path, latest: bool) -> Listed:
    try:
        results = ResultSet.open(path)
    except (ResultSetError, OSError, UnicodeDecodeError) as error:
        return Listed(path, latest, problem=cause(error))
    manifest, runs = results.manifest(), results.stored_runs()
    lab = manifest["settings"].get("lab")
    return Listed(
        path=path,
        latest=latest,
        created_utc=manifest["created_utc"],
        label=manifest["label"],
        lab=lab if isinstance(lab, str) else "",
        state=manifest["state"],
        scenarios=tuple(_short_names(manifest["scenarios"])),
        variants=tuple(_distinct(run.result.variant for run in runs)),
        valid_runs=sum(run.result.keeps(manifest["scenarios"][run.result.scenario]["headline"]) for run in runs),
        made_runs=sum(exclusion(run.result.flags) is None for run in runs),
    )


def _short_names(scenarios: Mapping[str, Any]) -> list[str]:
    numbers = sorted(described["number"] for described in scenarios.values() if described["number"] is not None)
    return [*map(str, numbers), *sorted(name for name, described in scenarios.items() if described["number"] is None)]


def _distinct(names: Iterator[str]) -> list[str]:
    return sorted(set(names))
