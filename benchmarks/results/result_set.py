"""A result set: the folder of everything that one invocation produced, whole at every moment.

::

    results/20261120T213000Z-quick/
        manifest.json                          on what it was made; state: running, complete or interrupted
        scenario_1_throughput.csv              a row for every run, valid or not
        scenario_1_throughput_stats.json       per variant and measure, over the valid runs
        runs/0001_scenario_1_throughput_VARIANT_01/
            run.json  tasks.parquet  samples.parquet  and a parquet file for each device that read something

Everything is written under a temporary name beside its place and renamed when it is complete and on disk, so that a crash at any
moment leaves only whole runs. The tables are made from the ``run.json`` files and the manifest alone, and can be made again at
any time. The JSON Schemas are in ``benchmarks/results/schemas``.
"""

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from benchmarks.plan.suite_plan import track_of
from benchmarks.record.run_data import RunResult
from benchmarks.results.documents import FORMAT_VERSION, ResultSetError, read_json, to_json, validate
from benchmarks.results.epochs import Difference, conditions
from benchmarks.results.files import LATEST, UNFINISHED, free_name, point_latest, taken_by_disk, to_disk, write_text
from benchmarks.results.stored_run import FIRST_SPEED, StoredRun, result_from, run_document, run_name
from benchmarks.results.tables import csv_text, shares_of_runs, statistics_of, with_machine_speed, with_shares
from benchmarks.shares import Share

FORMAT = "queuelab-result-set"

_LABEL = re.compile(r"[a-z0-9][a-z0-9-]*")
_RUN_FOLDER = re.compile(
    r"(?P<run>\d{4,})_(?P<scenario>(?:scenario_[0-9]+|study)_[a-z0-9_]+)_(?P<variant>[a-z0-9-]+)_(?P<repetition>\d{2,})"
)


class ResultSet:
    """A result set on disk. One process may write to it; any number may read meanwhile."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self._path = path
        self._manifest = manifest
        self._runs: dict[int, StoredRun] = {}

    @classmethod
    def create(cls, root: Path, label: str, manifest: Mapping[str, Any]) -> "ResultSet":
        """A new result set below ``root``, named after the time (UTC) and ``label``, in state *running*; ``root/latest`` points
        to it. ``manifest`` is what :func:`benchmarks.results.manifest.gather` gives. Raises ResultSetError for a label that
        cannot be part of a file name, or a manifest that does not fit its schema."""
        if not _LABEL.fullmatch(label):
            raise ResultSetError(f"label {label!r} cannot be part of a file name: use small letters, digits and -")
        link = root / LATEST
        if link.exists() and not link.is_symlink():
            raise ResultSetError(f"{link} is not a link: move it away, the lab keeps a link to the newest result set there")
        now = datetime.now(UTC)
        text = to_json(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "label": label,
                "state": "running",
                "created_utc": now.isoformat(timespec="seconds"),
                "finished_utc": None,
                **manifest,
            }
        )
        complete = json.loads(text)
        validate(complete, "manifest", "the new manifest")
        root.mkdir(parents=True, exist_ok=True)
        unfinished = root / f"{UNFINISHED}{os.getpid()}"
        shutil.rmtree(unfinished, ignore_errors=True)
        (unfinished / "runs").mkdir(parents=True)
        try:
            write_text(unfinished / "manifest.json", text)
            path = free_name(root, f"{now:%Y%m%dT%H%M%SZ}-{label}")
            unfinished.rename(path)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        point_latest(root, path.name)
        return cls(path, complete)

    @classmethod
    def open(cls, path: Path, *, resume: bool = False) -> "ResultSet":
        """An existing result set, or ``latest``, with all its runs. With ``resume`` it is opened for more of them: what a crash
        left unfinished is removed and its state is *running* again; without, nothing is touched. Raises ResultSetError if it
        is not one, or not whole."""
        path = path.resolve()
        if not path.is_dir():
            raise ResultSetError(f"there is no result set {path}: name a folder below results/, or results/{LATEST}")
        if not (path / "manifest.json").is_file() or not (path / "runs").is_dir():
            raise ResultSetError(f"{path} is not a result set: it must hold manifest.json and a folder runs")
        opened = cls(path, read_json(path / "manifest.json", "manifest"))
        for folder in (path / "runs").iterdir():
            if _RUN_FOLDER.fullmatch(folder.name):
                opened._remember(read_json(folder / "run.json", "run"), folder)
        if resume:
            for leftover in [*path.glob(f"{UNFINISHED}*"), *(path / "runs").glob(f"{UNFINISHED}*")]:
                if leftover.is_dir():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink()
            opened._change_manifest(state="running", finished_utc=None)
        return opened

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._path

    def manifest(self) -> Mapping[str, Any]:
        """On what it was made, and its state."""
        return self._manifest

    def stored_runs(self) -> list[StoredRun]:
        """All stored runs, by number."""
        return [run for _, run in sorted(self._runs.items())]

    def next_run(self) -> int:
        """The first number that no stored run has; from 1."""
        return max(self._runs, default=0) + 1

    def completed(self) -> set[tuple[str, str, int]]:
        """Scenario, variant and repetition of every stored run that did not fail, valid or not: what need not be made again."""
        done = (run.result for run in self._runs.values() if run.result.failure is None)
        return {(result.scenario, result.variant, result.repetition) for result in done}

    def facts(self) -> dict[str, float]:
        """What has been found out for it (:mod:`benchmarks.run.calibration`)."""
        later = self._manifest.get("epochs", [])
        return dict(later[-1]["facts"] if later else self._manifest.get("facts", {}))

    def store_fact(self, name: str, value: float) -> None:
        """Keep what was found out, for the epoch that the set is in."""
        found, later = {**self.facts(), name: value}, self._manifest.get("epochs", [])
        if later:
            self._change_manifest(epochs=[*later[:-1], {**later[-1], "facts": found}])
        else:
            self._change_manifest(facts=found)

    @property
    def epoch(self) -> int:
        """The epoch of the runs that are made now."""
        return len(self._manifest.get("epochs", [])) + 1

    def begin_epoch(self, differences: Sequence[Difference], now: Mapping[str, Any]) -> None:
        """Go on under other conditions, those of a manifest as it would be now."""
        begun = {
            "epoch": self.epoch + 1,
            "since_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "differences": [dataclasses.asdict(difference) for difference in differences],
            "conditions": conditions(now),
            "facts": {},
        }
        self._change_manifest(epochs=[*self._manifest.get("epochs", []), begun])

    def store_run(
        self,
        result: RunResult,
        tasks: pd.DataFrame,
        samples: pd.DataFrame,
        record: Mapping[str, Any] | None = None,
        readings: Mapping[str, pd.DataFrame] | None = None,
        logs: Mapping[str, str] | None = None,
    ) -> Path:
        """Store a run: whole, or not at all. ``record`` is whatever else is to be kept of it: plain data, dataclasses, mappings
        and sequences of these; ``readings`` is what devices read, by device; ``logs`` what processes had printed, by
        name. Returns its folder. Raises ResultSetError for a name that is not allowed, a scenario that the manifest does not
        list, a run that is already stored, or a value that JSON cannot hold, and ResultsDiskError where the disk does not take
        it."""
        if result.scenario not in self._manifest["scenarios"]:
            raise ResultSetError(
                f"{result.scenario} is none of this result set's scenarios: {', '.join(self._manifest['scenarios'])}"
            )
        if result.run in self._runs:
            raise ResultSetError(f"run {result.run} is already stored, in {self._runs[result.run].folder}")
        if (result.scenario, result.variant, result.repetition) in self.completed():
            raise ResultSetError(f"repetition {result.repetition} of {result.scenario} on {result.variant} is already stored")
        text = to_json(run_document(result, record or {}))
        document = json.loads(text)
        validate(document, "run", f"run {result.run}")
        name = run_name(document)
        if not _RUN_FOLDER.fullmatch(name):
            raise ResultSetError(f"variant {result.variant!r} or scenario {result.scenario!r} cannot be part of a folder's name")
        final = self._path / "runs" / name
        unfinished = final.with_name(f"{UNFINISHED}{final.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        with taken_by_disk(self._path):
            self._write_run(unfinished, final, text, {"tasks": tasks, "samples": samples, **(readings or {})}, logs or {})
        self._remember(document, final)
        return final

    def _write_run(
        self, unfinished: Path, final: Path, text: str, frames: Mapping[str, pd.DataFrame], logs: Mapping[str, str]
    ) -> None:
        try:
            unfinished.mkdir()
            for name, log in logs.items():
                (unfinished / f"{name}.log").write_text(log, encoding="utf-8")
            for name, frame in frames.items():
                frame.to_parquet(unfinished / f"{name}.parquet", index=False, compression="zstd")
            for file in unfinished.iterdir():
                to_disk(file)
            write_text(unfinished / "run.json", text)
            unfinished.rename(final)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        to_disk(final.parent)

    def machine_speeds_per_s(self) -> tuple[float, ...]:
        """The machine's speed before the first run and at the marks of every stored run, in order."""
        first = self.facts().get(FIRST_SPEED)
        marks = (speed for run in self.stored_runs() for speed in run.machine_speeds_per_s())
        return (*(() if first is None else (first,)), *marks)

    def rows(self, scenario: str) -> list[RunResult]:
        """The rows of a scenario by run number, with the columns filled in that relate a run to the control's; those of a later
        epoch are of a variant of their own."""
        rows, measures = self._measured(scenario)
        return [
            dataclasses.replace(row, variant=row.group, epoch=1, measures=values)
            for row, values in zip(rows, measures, strict=True)
        ]

    def shares(self, scenario: str) -> dict[str, dict[str, Share]]:
        """The shares of the control that can be taken, by the variant's name in :meth:`rows` and by column."""
        rows = [run.result for run in self.stored_runs() if run.result.scenario == scenario]
        return shares_of_runs(rows, self._manifest["scenarios"][scenario]["shares"], self._manifest["control"])

    def write_rows(self, scenario: str) -> Path:
        """Write the CSV of a scenario anew. Cheap enough to be done after every run."""
        rows, measures = self._measured(scenario)
        described = self._manifest["scenarios"][scenario]
        table = self._path / f"{scenario}.csv"
        with taken_by_disk(self._path):
            write_text(table, csv_text(rows, measures, list(described["columns"]), list(described.get("factors", ()))))
        return table

    def write_tables(self, scenarios: Collection[str] | None = None) -> list[Path]:
        """Write the CSV and the statistics of these scenarios, or of all, anew, from the manifest and the ``run.json`` files
        alone; the same runs always give the same bytes. Takes every bootstrap, so it is for the end of a scenario. Returns the
        files written."""
        written = []
        for name in self._manifest["scenarios"] if scenarios is None else scenarios:
            table, stats = self.write_rows(name), self._path / f"{name}_stats.json"
            document = statistics_of(name, self._manifest, *self._measured(name))
            validate(document, "stats", stats.name)
            with taken_by_disk(self._path):
                write_text(stats, to_json(document))
            written += [table, stats]
        return written

    def _measured(self, scenario: str) -> tuple[list[RunResult], list[Mapping[str, float | int | None]]]:
        """The rows of a scenario by run number, and the measures of each with those filled in that only the whole set can fill:
        shares of the control, and the machine's speed."""
        runs = [run for run in self.stored_runs() if run.result.scenario == scenario]
        rows = [run.result for run in runs]
        measures = with_shares(rows, self._manifest["scenarios"][scenario]["shares"], self._manifest["control"])
        speeds = [run.machine_speeds_per_s() for run in runs]
        return rows, with_machine_speed(measures, speeds, self.machine_speeds_per_s())

    def finish(self, state: Literal["complete", "interrupted"]) -> None:
        """Say how it ended."""
        self._change_manifest(state=state, finished_utc=datetime.now(UTC).isoformat(timespec="seconds"))

    def _change_manifest(self, **changes: Any) -> None:
        changed = self._manifest | changes
        with taken_by_disk(self._path):
            write_text(self._path / "manifest.json", to_json(changed))
        self._manifest = changed

    def _remember(self, document: Mapping[str, Any], folder: Path) -> None:
        """Keep a run as its file has it, so that a set just written and the same set read again give the same tables."""
        if folder.name != run_name(document):
            raise ResultSetError(f"{folder} holds another run, {run_name(document)}: it was renamed or changed")
        result = result_from(document, track_of(self._manifest["settings"]))
        if result.run in self._runs:
            raise ResultSetError(f"{folder} and {self._runs[result.run].folder.name} are both run {result.run}: remove one")
        self._runs[result.run] = StoredRun(result, folder, document["record"])
