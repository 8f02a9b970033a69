"""Monitoring on a real Docker engine, while a benchmark runs: what is exported, whether it says the same as the result set, and
whether every panel of every dashboard has something to show.

Grafana's own server is not needed. Where ``LAB_GRAFANA_CHECK`` names a folder with Grafana's published types, the dashboards'
shape is held against them as well (it needs npm).
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from benchmarks.checkout import CHECKOUT
from benchmarks.cli.console import INVALID
from benchmarks.monitoring.export import FILE
from benchmarks.monitoring.prometheus import Prometheus
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import StoredRun
from benchmarks.run.labs.compose import Compose
from benchmarks.run.labs.compose_services import AGENT_PORT
from benchmarks.run.labs.local import free_port
from infrastructure.agent.counting import BUCKETS_S

pytestmark = [pytest.mark.compose, pytest.mark.timeout(900)]

DASHBOARDS = sorted((CHECKOUT / "infrastructure/grafana/dashboards").glob("*.json"))
VARIANTS = ("floor", "celery-threads", "asynctasq-async")
PUBLISHED = ("REDIS_PORT", "MOCK_API_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
RATE_PER_S, PACED_S = 100, 30
SCRAPE_S = 5.0
STEP_S = 5.0
BUCKET_ERROR = max(b / a for a, b in pairwise(BUCKETS_S) if b <= 100)
RATE_WINDOW = "20s"
GRAFANA_CHECK = os.environ.get("LAB_GRAFANA_CHECK", "")
ANNOTATION_OF_PROMETHEUS = ("expr", "useValueForTime", "titleFormat", "textFormat", "tagKeys", "step")
"""Fields that Grafana's Prometheus data source reads from an annotation; the published types hold only those of all sources."""


@dataclass(frozen=True)
class Measured:
    """A benchmark that ran, and the Prometheus that watched it. After it, until ``until_s``, events were streamed, which some
    panels show and no other scenario turns on."""

    compose: Compose
    prometheus: Prometheus
    results: ResultSet
    began_s: float
    ended_s: float
    until_s: float

    def run_of(self, variant: str) -> StoredRun:
        """Its one run."""
        (run,) = [run for run in self.results.stored_runs() if run.result.variant == variant]
        return run


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )


def benchmark(scenario: int, sizes: Mapping[str, float], folder: Path) -> None:
    """Make one run of each variant; on a busy machine none of them may be valid."""
    done = lab(
        *("run", "--lab", "compose", "--scenario", str(scenario), "--preset", "quick", "--variants", ",".join(VARIANTS)),
        *("--runs", "1", "--max-runs", "1", "--processes", "2", "--output-dir", str(folder)),
        *(text for name, size in sizes.items() for text in ("--size", f"{name}={size}")),
    )
    assert done.returncode in (0, INVALID), done.stdout + done.stderr


def promtool(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["docker", "compose", "exec", "-T", "prometheus", "promtool", *arguments],
        cwd=CHECKOUT, capture_output=True, text=True, check=False, input=stdin,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPOSE_PROJECT_NAME", f"queuelab-test-{secrets.token_hex(4)}")
        patch.setenv("LAB_TOKEN", secrets.token_hex(16))
        patch.setenv("LAB_REDIS_PASSWORD", secrets.token_hex(16))
        for name in PUBLISHED:
            patch.setenv(name, str(free_port()))
        compose = Compose()
        services = compose.services()
        others = [name for name, s in services.items() if s.role == "worker" and s.variant not in VARIANTS]
        patch.setenv("LAB_WITHOUT", ",".join(["grafana", *others]))
        try:
            compose.up(without=compose.left_out())
            with Prometheus(f"http://127.0.0.1:{os.environ['PROMETHEUS_PORT']}") as prometheus:
                began_s = time.time()
                sizes = {"paced_s": PACED_S, "half_s": 15, "rate_per_s": RATE_PER_S, "tasks": 500}
                benchmark(1, sizes, folder / "throughput")
                time.sleep(2 * SCRAPE_S)
                ended_s = time.time()
                benchmark(10, {"paced_s": PACED_S / 2}, folder / "events")
                time.sleep(2 * SCRAPE_S)
                results = ResultSet.open(folder / "throughput" / "latest")
                yield Measured(compose, prometheus, results, began_s, ended_s, time.time())
        finally:
            compose.down(volumes=True)


def wall_s(monotonic_ns: float) -> float:
    """A time of the event log in seconds since 1970."""
    return time.time() + (monotonic_ns - time.monotonic_ns()) / 1e9


def name_of(measured: Measured, variant: str) -> str:
    return measured.run_of(variant).result.framework


# ---- what is exported


def test_prometheus_takes_its_configuration_and_the_rules_pass_their_tests(measured: Measured) -> None:
    promtool("check", "config", "/etc/prometheus/prometheus.yml")
    promtool("test", "rules", "/etc/prometheus/tests/rules.yml")


def test_promtool_finds_nothing_on_any_node(measured: Measured) -> None:
    services = measured.compose.services()
    addresses = [measured.compose.published_url(name, AGENT_PORT) for name, service in services.items() if service.role]
    up = [address for address in addresses if address]
    assert len(up) == len(VARIANTS) + len({s.framework for s in services.values() if s.role})
    for address in up:
        text = httpx.get(f"{address}/metrics").text
        assert text.count("# HELP ") > 10
        assert promtool("check", "metrics", stdin=text) == ""


def test_durations_are_there_as_classic_and_as_native_histograms(measured: Measured) -> None:
    for variant in VARIANTS:
        name = f"{name_of(measured, variant)}_task_end_to_end_seconds"
        labels = f'{{variant="{variant}"}}'
        counts = [f"histogram_count({name}{labels})", f"{name}_count{labels}", f'{name}_bucket{{variant="{variant}", le="+Inf"}}']
        values = [list(measured.prometheus.value(f"sum({count})", measured.ended_s).values()) for count in counts]
        assert values[0] == values[1] == values[2]
        assert values[0][0] > 0


def test_every_service_is_well_and_was_scraped(measured: Measured) -> None:
    report = lab("docker", "health")
    assert report.returncode == 0, report.stdout + report.stderr
    scraped = re.findall(r"(\S+)\s*│ running, healthy │ \d+ s ago", report.stdout)
    expected = {name for name, service in measured.compose.services().items() if service.has_metrics}
    assert set(scraped) == expected - set(measured.compose.left_out())


def test_a_service_that_is_down_is_reported(measured: Measured) -> None:
    subprocess.run(["docker", "compose", "pause", "mock-api"], cwd=CHECKOUT, check=True, capture_output=True)
    try:
        deadline_s = time.monotonic() + 60
        while (report := lab("docker", "health")).returncode == 0 and time.monotonic() < deadline_s:
            time.sleep(1)
        assert report.returncode == 1
        assert "not well: mock-api" in report.stderr
    finally:
        subprocess.run(["docker", "compose", "unpause", "mock-api"], cwd=CHECKOUT, check=True, capture_output=True)


def test_what_the_runner_did_was_seen(measured: Measured) -> None:
    window = f"{round(measured.ended_s - measured.began_s)}s"

    def seen(expression: str, label: str) -> set[str]:
        return {dict(labels)[label] for labels in measured.prometheus.value(expression, measured.ended_s)}

    assert seen(f"count by (variant) (last_over_time(lab_run_info[{window}]))", "variant") == set(VARIANTS)
    phases = seen(f"count by (phase) (last_over_time(lab_phase_start_time_seconds[{window}]))", "phase")
    assert {"capacity", "bulk", "paced", "half"} - phases <= {"capacity", "bulk"}, "a short phase may pass between two scrapes"
    planned = measured.prometheus.value(f"max(max_over_time(lab_suite_runs[{window}]))", measured.ended_s)
    assert list(planned.values()) == [len(VARIANTS)]
    assert measured.prometheus.value("lab_run_info", measured.ended_s) == {}, "nothing runs any more"
    recorded = f"count by (variant, framework, scenario, run) (last_over_time(variant:lab_tasks:rate1m[{window}]))"
    assert seen(recorded, "variant") == set(VARIANTS)
    assert seen(recorded, "run") == {"1", "2", "3"}


def test_no_alert_fired_over_a_good_run(measured: Measured) -> None:
    fired = measured.prometheus.series('ALERTS{alertstate="firing"}', measured.began_s, measured.ended_s, STEP_S)
    # The disk is the machine's own business.
    assert [one.labels for one in fired if one.labels["alertname"] != "LabDiskNearlyFull"] == []


# ---- the same truth twice


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_prometheus_counts_the_tasks_of_the_result_set(measured: Measured, variant: str) -> None:
    tasks = measured.run_of(variant).tasks()
    counter = f'sum by (outcome) ({name_of(measured, variant)}_tasks_total{{variant="{variant}"}})'
    counted = {dict(labels)["outcome"]: value for labels, value in measured.prometheus.value(counter, measured.ended_s).items()}
    assert counted == {
        "ok": tasks.finishes_ok.sum(), "failed": tasks.finishes_failed.sum(), "retried": tasks.finishes_retried.sum(),
    }  # fmt: skip


def paced_window(measured: Measured, variant: str) -> tuple[float, pd.DataFrame]:
    """A moment near the end of the paced phase, and the tasks that ended within the window before it."""
    run = measured.run_of(variant)
    tasks = run.tasks()
    (paced,) = [record["number"] for record in run.record["phases"] if record["name"] == "paced"]
    tasks = tasks[tasks.phase == paced]
    end_ns = float(tasks.finished_ns.max()) - SCRAPE_S / 2 * 1e9
    begin_ns = end_ns - float(RATE_WINDOW[:-1]) * 1e9
    return wall_s(end_ns), tasks[(tasks.finished_ns > begin_ns) & (tasks.finished_ns <= end_ns)]


def test_rates_agree(measured: Measured, variant: str) -> None:
    at_s, tasks = paced_window(measured, variant)
    name = name_of(measured, variant)
    (rate,) = measured.prometheus.value(f'sum(rate({name}_tasks_total{{variant="{variant}"}}[{RATE_WINDOW}]))', at_s).values()
    assert rate == pytest.approx(len(tasks) / float(RATE_WINDOW[:-1]), rel=0.05)
    (offered,) = measured.prometheus.value(f"sum({name}_producer_offered_rate)", at_s).values()
    assert offered == RATE_PER_S


@pytest.mark.parametrize(
    ("metric", "begin", "end"),
    [
        ("task_end_to_end_seconds", "due_ns", "finished_ns"),
        ("task_queue_wait_seconds", "due_ns", "started_ns"),
        ("task_duration_seconds", "started_ns", "finished_ns"),
    ],
)
def test_quantiles_agree_within_the_error_of_a_bucket(
    measured: Measured, variant: str, metric: str, begin: str, end: str
) -> None:
    at_s, tasks = paced_window(measured, variant)
    recorded_s = (tasks[end] - tasks[begin]).to_numpy() / 1e9
    selector = f'{name_of(measured, variant)}_{metric}{{variant="{variant}"}}'
    classic = selector.replace(metric, f"{metric}_bucket")
    for share in (0.5, 0.95, 0.99):
        # A scrape's edge may lie within a hundredth of the window beside that of the tasks chosen.
        low, high = np.quantile(recorded_s, [share - 0.01, min(1.0, share + 0.01)])
        for expression in (
            f"histogram_quantile({share}, sum by (le) (rate({classic}[{RATE_WINDOW}])))",
            f"histogram_quantile({share}, sum(rate({selector}[{RATE_WINDOW}])))",
        ):
            (seen_s,) = measured.prometheus.value(expression, at_s).values()
            if high < BUCKETS_S[0]:
                assert seen_s <= BUCKETS_S[0]
            else:
                assert low / BUCKET_ERROR <= seen_s <= high * BUCKET_ERROR


def test_the_highest_memory_agrees(measured: Measured, variant: str) -> None:
    run = measured.run_of(variant)
    samples = run.samples()
    began_s, ended_s = wall_s(float(samples.at_ns.min())), wall_s(float(samples.at_ns.max()))
    selector = f'{name_of(measured, variant)}_worker_memory_bytes{{variant="{variant}", kind="pss"}}'
    (peak,) = measured.prometheus.value(f"max(max_over_time({selector}[{round(ended_s - began_s)}s]))", ended_s).values()
    assert 0.9 * samples.pss_bytes.max() <= peak <= 1.02 * samples.pss_bytes.max()


def test_what_prometheus_has_can_be_kept_in_the_result_set(measured: Measured) -> None:
    done = lab("export-metrics", str(measured.results.path))
    assert done.returncode == 0, done.stdout + done.stderr
    kept = pd.read_parquet(measured.results.path / FILE)
    # A margin is kept as well, in which the next benchmark may have begun.
    own = kept[kept.time <= pd.Timestamp(measured.ended_s, unit="s", tz="UTC")]
    for variant in VARIANTS:
        mine = own[(own.variant == variant) & (own.metric == f"{name_of(measured, variant)}_tasks_total")]
        ended = mine[mine.labels.str.contains('"outcome": "ok"')]
        assert ended.value.max() == measured.run_of(variant).tasks().finishes_ok.sum()
    assert {"lab_run_info", "node_cpu_seconds_total", "redis_commands_processed_total"} <= set(kept.metric)
    assert {"workers", "producers", "redis", "host", "mock-api"} <= set(kept.job)


# ---- dashboards


def filled(expression: str, values: dict[str, str]) -> str:
    """An expression as Grafana sends it."""
    for name, value in {"__rate_interval": "20s", "__range": "300s", **values}.items():
        expression = expression.replace(f"${{{name}}}", value).replace(f"${name}", value)
    assert "$" not in expression, expression
    return expression


def choices(measured: Measured, board: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Values for the variables: all at once, but each of one that takes only one."""
    found: list[dict[str, str]] = [{}]
    for variable in board["templating"]["list"]:
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert match
        extended = []
        for chosen in found:
            rows = measured.prometheus.series(
                f"count by ({match[2]}) ({filled(match[1], chosen)})", measured.began_s, measured.until_s, STEP_S
            )
            values = sorted({row.labels[match[2]] for row in rows if row.labels.get(match[2])})
            assert values, variable["name"]
            several = ["|".join(values)] if variable["multi"] else values
            extended += [{**chosen, variable["name"]: value} for value in several]
        found = extended
    yield from found


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_had_something_to_show(measured: Measured, path: Path) -> None:
    board = json.loads(path.read_text())
    empty = []
    for values in choices(measured, board):
        for panel in (panel for panel in board["panels"] if panel["type"] != "row"):
            for target in panel["targets"]:
                expression = filled(target["expr"], values)
                rows = measured.prometheus.series(expression, measured.began_s, measured.until_s, STEP_S)
                points = [value for row in rows for _, value in row.points if value == value]
                labels = {name for row in rows for name in row.labels}
                told = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                if not points or not told <= labels:
                    empty.append((panel["title"], target["refId"], expression, sorted(told - labels)))
    assert empty == []


def test_phases_are_annotated(measured: Measured) -> None:
    (annotation,) = json.loads(DASHBOARDS[0].read_text())["annotations"]["list"]
    rows = measured.prometheus.series(annotation["expr"], measured.began_s, measured.ended_s, STEP_S)
    times_s = {value / 1000 for row in rows for _, value in row.points}
    assert len(times_s) >= 2 * len(VARIANTS)
    assert all(measured.began_s <= at_s <= measured.ended_s for at_s in times_s)
    texts = annotation["titleFormat"] + annotation["textFormat"]
    assert set(re.findall(r"\{\{(\w+)\}\}", texts)) | set(annotation["tagKeys"].split(",")) <= set(rows[0].labels)


@pytest.mark.skipif(not GRAFANA_CHECK, reason="LAB_GRAFANA_CHECK names no folder with Grafana's types")
def test_dashboards_have_the_shape_that_grafana_publishes(tmp_path: Path) -> None:
    for name in ("package.json", "tsconfig.json", "types.ts", "validate.mjs"):
        shutil.copy(Path(GRAFANA_CHECK) / name, tmp_path / name)
    (tmp_path / "dashboards").mkdir()
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        for annotation in board["annotations"]["list"]:
            for name in ANNOTATION_OF_PROMETHEUS:
                del annotation[name]
        (tmp_path / "dashboards" / path.name).write_text(json.dumps(board))
    schema = ["--path", "types.ts", "--type", "StrictDashboard", "--tsconfig", "tsconfig.json", "--no-type-check"]
    files = [f"dashboards/{path.name}" for path in DASHBOARDS]
    for command in (
        ["npm", "install", "--silent"],
        ["npx", "ts-json-schema-generator", *schema, "-o", "schema.json"],
        ["node", "validate.mjs", *files],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
