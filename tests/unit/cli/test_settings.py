"""Where a setting comes from, and what is said of a bad one."""

import os
from pathlib import Path

import pytest

from benchmarks.cli.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty .env in place of the checkout's, and no variable of the shell."""
    for name in [name for name in os.environ if name.upper().startswith("BENCHMARK_")]:
        monkeypatch.delenv(name)
    path = tmp_path / ".env"
    monkeypatch.setitem(Settings.model_config, "env_file", path)
    return path


def test_without_anything_set_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings.benchmark_runs is None
    assert (settings.benchmark_processes, settings.benchmark_concurrency) == (None, 1)
    assert settings.benchmark_output_dir.name == "results"


def test_an_option_goes_before_the_environment_before_dotenv_before_the_default(
    monkeypatch: pytest.MonkeyPatch, dotenv: Path
) -> None:
    dotenv.write_text("BENCHMARK_RUNS=3\nBENCHMARK_PROCESSES=3\nBENCHMARK_SEED=3\n")
    monkeypatch.setenv("BENCHMARK_RUNS", "2")
    monkeypatch.setenv("BENCHMARK_PROCESSES", "2")
    settings = load_settings(benchmark_runs=1, benchmark_processes=None)
    assert (settings.benchmark_runs, settings.benchmark_processes, settings.benchmark_seed) == (1, 2, 3)
    assert settings.benchmark_max_runs is None


def test_every_variable_of_a_benchmark_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BENCHMARK_WARMUP_SECONDS", "2.5")
    monkeypatch.setenv("BENCHMARK_OUTPUT_DIR", str(tmp_path))
    settings = load_settings()
    assert (settings.benchmark_warmup_seconds, settings.benchmark_output_dir) == (2.5, tmp_path)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_RUNS", "")
    assert load_settings().benchmark_runs is None


def test_other_variables_in_dotenv_are_left_alone(dotenv: Path) -> None:
    dotenv.write_text("LAB_TOKEN=secret\nGRAFANA_PORT=3000\nBENCHMARK_RUNS=4\n")
    assert load_settings().benchmark_runs == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BENCHMARK_RUNS", "many"),
        ("BENCHMARK_RUNS", "0"),
        ("BENCHMARK_RUNS", "2.5"),
        ("BENCHMARK_PROCESSES", "-1"),
        ("BENCHMARK_WARMUP_SECONDS", "-0.1"),
        ("BENCHMARK_WARMUP_SECONDS", "nan"),
        ("BENCHMARK_RUN_TIMEOUT_SECONDS", "0"),
        ("BENCHMARK_SEED", "x"),
    ],
)
@pytest.mark.parametrize("source", ["environment", "dotenv", "option"])
def test_a_bad_value_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, dotenv: Path, name: str, value: str, source: str
) -> None:
    options = {}
    match source:
        case "environment":
            monkeypatch.setenv(name, value)
        case "dotenv":
            dotenv.write_text(f"{name}={value}\n")
        case "option":
            options[name.lower()] = value
    with pytest.raises(SettingsError, match=rf"^{name}='{value}': "):
        load_settings(**options)


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_RUNS", "few")
    monkeypatch.setenv("BENCHMARK_PROCESSES", "none")
    with pytest.raises(SettingsError, match=r"BENCHMARK_RUNS='few': .*; BENCHMARK_PROCESSES='none': "):
        load_settings()


@pytest.mark.parametrize("place", ["environment", "dotenv"])
def test_a_setting_that_there_is_not_is_not_ignored(monkeypatch: pytest.MonkeyPatch, dotenv: Path, place: str) -> None:
    if place == "environment":
        monkeypatch.setenv("BENCHMARK_WORKERS", "8")
    else:
        dotenv.write_text("BENCHMARK_WORKERS=8\n")
    with pytest.raises(SettingsError, match=r"no setting BENCHMARK_WORKERS; there are: BENCHMARK_CONCURRENCY, .*BENCHMARK_RUNS"):
        load_settings()
