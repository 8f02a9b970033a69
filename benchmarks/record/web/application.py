"""The web application itself: how it starts, with the framework and without, and what it takes while it serves. Pure arithmetic
on the readings of ``benchmarks.run.devices.web``."""

from collections.abc import Mapping

import pandas as pd

from benchmarks.arithmetic import difference, median
from benchmarks.record.resources import BYTES_PER_MB
from benchmarks.record.run_data import Measures, PhaseData, RunData

WEB_SAMPLES, WEB_STARTS = "web_samples", "web_starts"
"""What the readings of the application's process tree, and of its starts, are called."""
BARE, WHOLE = "bare", "whole"
"""Kinds of starts: of the application without the framework, and with it."""

APPLICATION_COLUMNS: Mapping[str, str] = {
    "start_count": "starts of the whole application, and as many without the framework",
    "startup_ms": "median time from the start of the application's process to its first answer",
    "startup_import_ms": "median time that the import of the framework's module took of that",
    "startup_lifespan_ms": "median time that the framework's part of the lifespan took of that; none where it has none",
    "startup_added_ms": "startup_ms less startup_bare_ms",
    "startup_bare_ms": "median time to the first answer of the same application without the framework",
    "startup_cpu_ms": "median CPU time of the application at its first answer: what the start costs on any machine, busy or not",
    "startup_bare_cpu_ms": "the same without the framework",
    "web_memory_bare_mb": "PSS of the bare application at its first answer, median, MB of 10^6 bytes",
    "web_memory_bare_uss_mb": "USS of the same",
    "web_memory_ready_mb": "PSS of the whole application at its first answer, median",
    "web_memory_ready_uss_mb": "USS of the same",
    "web_memory_peak_mb": "highest PSS of the application over all samples",
    "web_memory_peak_uss_mb": "highest USS of the same",
    "web_threads_peak": "most threads of the application over all samples",
}


def application_measures(data: RunData) -> Measures:
    """The measures of :data:`APPLICATION_COLUMNS`, from all phases in which the application was started or sampled."""
    starts = next((s for phase in data.phases.values() if (s := _reading(phase, WEB_STARTS)) is not None), None)
    samples = [s for phase in data.phases.values() if (s := _reading(phase, WEB_SAMPLES)) is not None]
    return {**({} if starts is None else _start_measures(starts)), **(_peaks(samples) if samples else {})}


def web_cpu_s(phase: PhaseData) -> float | None:
    """CPU seconds of the application from the first sample of the phase to the last."""
    samples = _reading(phase, WEB_SAMPLES)
    return None if samples is None else float(samples["cpu_s"].iloc[-1] - samples["cpu_s"].iloc[0])


def _reading(phase: PhaseData, name: str) -> pd.DataFrame | None:
    """None where there is none, or nothing in it."""
    reading = phase.readings.get(name)
    return None if reading is None or reading.empty else reading


def _start_measures(starts: pd.DataFrame) -> Measures:
    whole, bare = starts[starts["kind"] == WHOLE], starts[starts["kind"] == BARE]
    startup_ms, bare_ms = median(whole["ready_ms"]), median(bare["ready_ms"])
    return {
        "start_count": len(whole),
        "startup_ms": startup_ms,
        "startup_import_ms": median(whole["import_ms"]),
        "startup_lifespan_ms": median(whole["lifespan_ms"]),
        "startup_added_ms": difference(startup_ms, bare_ms),
        "startup_bare_ms": bare_ms,
        "startup_cpu_ms": median(whole["cpu_ms"]),
        "startup_bare_cpu_ms": median(bare["cpu_ms"]),
        "web_memory_bare_mb": median(bare["pss_mb"]),
        "web_memory_bare_uss_mb": median(bare["uss_mb"]),
        "web_memory_ready_mb": median(whole["pss_mb"]),
        "web_memory_ready_uss_mb": median(whole["uss_mb"]),
    }


def _peaks(samples: list[pd.DataFrame]) -> Measures:
    return {
        "web_memory_peak_mb": max(int(s["pss_bytes"].max()) for s in samples) / BYTES_PER_MB,
        "web_memory_peak_uss_mb": max(int(s["uss_bytes"].max()) for s in samples) / BYTES_PER_MB,
        "web_threads_peak": max(int(s["threads"].max()) for s in samples),
    }
