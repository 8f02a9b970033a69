"""A run as a result set keeps it: its row, its raw data, and what else was kept of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.record.flags import Flag
from benchmarks.record.machine import pieces_per_s
from benchmarks.record.run_data import RunResult
from benchmarks.results.documents import FORMAT_VERSION, ResultSetError
from benchmarks.results.files import read_parquet
from infrastructure.readings import TreeSample
from tasks.contract import Track

FIRST_SPEED = "machine_speed_per_s"
"""The fact of a set that is the machine's speed before its first run."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as stored: its row, its folder with the raw data, and what else was kept of it."""

    result: RunResult
    folder: Path
    record: Mapping[str, Any]

    def tasks(self) -> pd.DataFrame:
        """One row per task: the columns of :class:`benchmarks.record.task_table.TaskTable` after ``phase``."""
        return read_parquet(self.folder / "tasks.parquet")

    def reading(self, device: str) -> pd.DataFrame:
        """What a device read, with the phase's number as first column."""
        return read_parquet(self.folder / f"{device}.parquet")

    def machine_speeds_per_s(self) -> tuple[float, ...]:
        """The machine's speed at the marks of the run's phases, in order; none in a set of a version that did not take it."""
        hosts = [phase[mark]["host"] for phase in self.record.get("phases", ()) for mark in ("before", "filled", "after")]
        taken = {speed["at_ns"]: speed for host in hosts if (speed := host.get("speed"))}
        return tuple(pieces_per_s(speed["alone_s"], speed["together_s"]) for speed in taken.values())

    def samples(self) -> pd.DataFrame:
        """One row per sample of the worker's tree: the fields of :class:`infrastructure.readings.TreeSample`."""
        return read_parquet(self.folder / "samples.parquet")


def samples_frame(samples: Sequence[TreeSample]) -> pd.DataFrame:
    """Samples as a frame, for Parquet."""
    names = [field.name for field in fields(TreeSample)]
    return pd.DataFrame([[getattr(sample, name) for name in names] for sample in samples], columns=names)


def run_document(result: RunResult, record: Mapping[str, Any]) -> dict[str, Any]:
    """A run's ``run.json``. Raises ResultSetError for a measure that is no finite number."""
    both = (*result.measures.items(), *result.spoiled.items())
    bad = [name for name, value in both if value is not None and not math.isfinite(value)]
    if bad:
        raise ResultSetError(
            f"run {result.run}: {', '.join(bad)} is not a number; a measure that could not be taken must be None"
        )
    return {
        "format_version": FORMAT_VERSION,
        "scenario": result.scenario,
        "framework": result.framework,
        "variant": result.variant,
        "run": result.run,
        "repetition": result.repetition,
        "valid": result.valid,
        "flags": [flag.as_data() for flag in result.flags],
        "failure": result.failure,
        "track": result.track,
        "processes": result.processes,
        "concurrency": result.concurrency,
        **({"factors": dict(result.point)} if result.point else {}),
        "epoch": result.epoch,
        "measures": dict(result.measures),
        "spoiled": dict(result.spoiled),
        "record": dict(record),
    }


def run_name(document: Mapping[str, Any]) -> str:
    """The name of a run's folder."""
    return f"{document['run']:04d}_{document['scenario']}_{document['variant']}_{document['repetition']:02d}"


def result_from(document: Mapping[str, Any], track: Track) -> RunResult:
    """The row in a run's ``run.json``; ``track`` is that of runs made before they said it themselves, whose worker says how large
    it was."""
    worker = document["record"].get("worker") or {}
    processes, slots = worker.get("processes"), worker.get("slots")
    return RunResult(
        scenario=document["scenario"],
        framework=document["framework"],
        variant=document["variant"],
        run=document["run"],
        repetition=document["repetition"],
        valid=document["valid"],
        flags=tuple(Flag.from_data(flag) for flag in document["flags"]),
        measures=document["measures"],
        failure=document["failure"],
        spoiled=document.get("spoiled", {}),
        track=document.get("track", track),
        processes=document.get("processes", processes),
        concurrency=document.get("concurrency", slots // processes if slots and processes else None),
        point=document.get("factors", {}),
        executed=document["record"].get("executed_variant") or "",
        # Sets older than this have but one.
        epoch=document.get("epoch", 1),
    )
