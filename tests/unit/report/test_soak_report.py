"""The page of soaks tells what happened when, and draws what was judged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.report.soak_report import course, write_soak_report
from benchmarks.results.soak_folder import SoakFolder
from benchmarks.soak.judging import Finding, Verdict
from benchmarks.soak.summary import SoakEvent, SoakSummary
from benchmarks.soak.unusual import Unusual
from benchmarks.soak.windows import Gauge, Window
from tests.unit.soak.test_summary import SUMMARY, with_totals

S = 1_000_000_000
LEAK = Verdict("worker_pss", "MB", Finding.DRIFTS, "the worker's memory <b> rises", 10, per_hour=60.0)


def window(index: int) -> Window:
    counts = {"sent": 100, "acknowledged": 100, "started": 100, "completed": 99, "failed": 1, "retried": 0, "skipped": 0}
    return Window(index, index * S, (index + 1) * S, **counts, gauges={"worker_pss_bytes": Gauge((50 + index / 60) * 1e6, 51e6)})  # type: ignore[arg-type]


def summary(**values: object) -> SoakSummary:
    plan = {"burst_every_s": 4.0, "burst_s": 1.0, "burst_factor": 3.0, "steps": []}
    return replace(SUMMARY, plan=plan, **values)  # type: ignore[arg-type]


def test_the_course_shows_lives_bursts_and_slopes() -> None:
    events = [SoakEvent(1 + 3 * S, "worker-died", "killed"), SoakEvent(1 + 5 * S, "worker-started", "again")]
    chart = course(summary(verdicts=(LEAK,)), [window(n) for n in range(10)], events)
    panels = {panel.y.title: panel for panel in chart.panels}
    assert {"sent, tasks/s", "done, tasks/s", "PSS, MB"} == set(panels)
    assert [(span.label, round(60 * span.begin), round(60 * span.end)) for span in panels["PSS, MB"].spans] == [
        ("life 1", 0, 3),
        ("down", 3, 5),
        ("life 2", 5, 10),
    ]
    [burst] = panels["sent, tasks/s"].guides
    assert np.nanmax(burst.y) == 300
    assert (60 * burst.x[:2]).tolist() == [4, 5]
    [slope] = panels["PSS, MB"].guides
    assert (slope.y[1] - slope.y[0]) / (slope.x[1] - slope.x[0]) == pytest.approx(1.0), "60 MB an hour is 1 MB a minute"
    assert np.interp(0.1, slope.x, slope.y) == pytest.approx(50 + 5.5 / 60, abs=0.05)


def test_the_page_holds_verdicts_events_and_links_to_raw_records(tmp_path: Path) -> None:
    folder = SoakFolder.create(tmp_path, "v")
    folder.append([window(n) for n in range(10)])
    folder.note(SoakEvent(1 + 3 * S, "worker-died", "killed by <SIGKILL>"))
    folder.keep_segment(4, bytes(48))
    stand_out = (Unusual(4, ("p99 is high",)), Unusual(6, ("PSS is high",)))
    lost = with_totals(lost=1, lost_ranges=((3, 3),))
    folder.store(replace(lost, plan=summary().plan, verdicts=(LEAK,), stand_out=stand_out))
    page = write_soak_report(tmp_path)
    assert page is not None
    text = page.read_text()
    assert "killed by &lt;SIGKILL&gt;" in text
    assert "memory &lt;b&gt; rises" in text
    assert "1 of 1,000 tasks were lost: numbers 3" in text
    [link] = [part.split('"')[0] for part in text.split('href="soak/')[1:]]
    assert (tmp_path / "soak" / link).is_file()
    assert "data:image/svg+xml;base64," in text


def test_a_set_without_soaks_has_none(tmp_path: Path) -> None:
    assert write_soak_report(tmp_path) is None


def test_a_soak_that_has_no_window_yet_has_a_page(tmp_path: Path) -> None:
    SoakFolder.create(tmp_path, "v").store(SUMMARY)
    page = write_soak_report(tmp_path)
    assert page is not None
    assert "Nothing is to be said against it" in page.read_text()
