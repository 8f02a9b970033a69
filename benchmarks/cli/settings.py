"""Settings: command-line options over environment variables over ``.env`` over defaults."""

import os
from pathlib import Path
from typing import Any, Literal, Self, cast

from dotenv import dotenv_values
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from benchmarks.checkout import CHECKOUT

PREFIX = "BENCHMARK_"
Preset = Literal["quick", "standard", "full"]


class SettingsError(Exception):
    """A setting is wrong; the text names it, its value, and what it may be."""


class Settings(BaseSettings):
    """What a user can set for a benchmark by environment, with its default. None: the preset or the machine decides."""

    model_config = SettingsConfigDict(env_file=CHECKOUT / ".env", extra="ignore", env_ignore_empty=True)

    benchmark_runs: int | None = Field(None, ge=1, le=10_000, description="runs of each variant, at least")
    benchmark_max_runs: int | None = Field(None, ge=1, le=100_000, description="runs of each variant, at most")
    benchmark_processes: int | None = Field(None, ge=1, le=1_000, description="processes of a worker")
    benchmark_concurrency: int = Field(1, ge=1, le=10_000, description="tasks at once within each process")
    benchmark_warmup_seconds: float | None = Field(None, ge=0, le=3600, description="how long a worker is warmed, at least")
    benchmark_run_timeout_seconds: float = Field(600, gt=0, description="what one run may cost before it is given up")
    benchmark_output_dir: Path = Field(CHECKOUT / "results", description="where result sets are written")
    redis_port: int = Field(6379, ge=1, le=65_535, description="where the Compose lab publishes Redis on the loopback address")
    prometheus_port: int = Field(9090, ge=1, le=65_535, description="where it publishes Prometheus")
    grafana_port: int = Field(3000, ge=1, le=65_535, description="where it publishes Grafana")
    benchmark_seed: int = Field(20261120, ge=0, description="seed of all that is random in the runs and of their order")

    @model_validator(mode="after")
    def _budget_covers_the_runs(self) -> Self:
        if self.benchmark_runs and self.benchmark_max_runs and self.benchmark_max_runs < self.benchmark_runs:
            raise ValueError(f"BENCHMARK_MAX_RUNS={self.benchmark_max_runs} is below BENCHMARK_RUNS={self.benchmark_runs}")
        return self


def load_settings(**options: Any) -> Settings:
    """Settings with command-line options (those that are not None) on top. Raises SettingsError."""
    _require_known()
    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems = [
            f"{str(e['loc'][0]).upper()}={e['input']!r}: {e['msg']}" if e["loc"] else str(e["ctx"]["error"])
            for e in error.errors()
        ]
        raise SettingsError("; ".join(problems)) from None
    # A folder that the caller names is relative to the caller's; one of .env to the checkout, where that lies.
    by_caller = "benchmark_output_dir" in given or os.environ.get("BENCHMARK_OUTPUT_DIR")
    folder = (Path.cwd() if by_caller else CHECKOUT) / settings.benchmark_output_dir
    return settings.model_copy(update={"benchmark_output_dir": folder})


def _require_known() -> None:
    """A variable of a benchmark that there is not must not be ignored in silence: it is misspelt, or of another version."""
    known = {name.upper() for name in Settings.model_fields if name.upper().startswith(PREFIX)}
    given = {*os.environ, *dotenv_values(cast(Path, Settings.model_config["env_file"]))}
    if unknown := sorted(name for name in given if name.startswith(PREFIX) and name not in known):
        raise SettingsError(f"there is no setting {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
