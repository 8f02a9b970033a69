"""Whole result sets analysed: the golden ones, changed ones, broken ones."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from benchmarks.analysis.analyse import analyse
from benchmarks.analysis.check import failures
from benchmarks.analysis.compare_sets import NotComparableError, compare_sets
from benchmarks.analysis.listing import list_sets
from benchmarks.analysis.model import Analysis, TargetState
from benchmarks.analysis.storing import DOCUMENT, MEASURES, PAIRS, TARGETS, WARNINGS, document_of, store
from benchmarks.cli.analysis_tables import print_analysis, print_check, print_comparison, print_list
from benchmarks.conclusion import Conclusion
from benchmarks.record.flags import UNSUPPORTED, Severity
from benchmarks.results.documents import ResultSetError, validate
from benchmarks.results.result_set import ResultSet
from benchmarks.results.tables import WORKER_COLUMNS
from benchmarks.statistics import mean_interval
from tests.golden import Golden, unpack

NAME = "scenario_1_throughput"


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Golden], Path]:
    """Golden sets that nobody writes to."""
    root = tmp_path_factory.mktemp("golden")
    found: dict[str, Path] = {}

    def unpacked(name: Golden) -> Path:
        if name not in found:
            found[name] = unpack(name, root)
        return found[name]

    return unpacked


@pytest.fixture(scope="session")
def good(golden: Callable[[Golden], Path]) -> Analysis:
    return analyse(golden("good"))


def codes(analysis: Analysis) -> Counter[str]:
    return Counter(warning.code for warning in analysis.all_warnings())


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    file = folder / "manifest.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")
    return folder


def change_runs(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    for file in sorted((folder / "runs").glob("*/run.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        change(document)
        file.write_text(json.dumps(document), encoding="utf-8")
    return folder


def shown_on_terminal(printing: Callable[[Console], None], width: int = 120) -> str:
    console = Console(width=width, record=True, file=Path("/dev/null").open("w", encoding="utf-8"))  # noqa: SIM115
    printing(console)
    return console.export_text()


def test_a_good_set_is_described_by_its_runs(good: Analysis) -> None:
    (scenario,) = good.scenarios
    assert (scenario.name, scenario.headline, scenario.number) == (NAME, "drain_per_s", 1)
    assert list(scenario.variants) == ["bare", "swift", "swift-twin", "steady"]
    assert scenario.ranked()[0].name == "bare"
    for variant in scenario.variants.values():
        assert (variant.valid_runs, variant.made_runs) == (8, 8)
        assert variant.worker["slots"] == 2
        measured = variant.measures["drain_per_s"]
        assert measured.values == tuple(run.measures["drain_per_s"] for run in variant.runs)
        assert measured.interval == mean_interval(measured.values)
        assert (measured.p95, measured.p99) == (None, None)


def test_shares_of_the_control_are_filled_in_and_not_compared(good: Analysis) -> None:
    (scenario,) = good.scenarios
    assert scenario.variants["bare"].measures["drain_share_of_control"].mean == pytest.approx(1)
    assert "drain_share_of_control" in scenario.summary
    assert "drain_share_of_control" not in scenario.compared_measures
    assert scenario.family_size == len(scenario.comparisons) == 6 * len(scenario.compared_measures)


def test_differences_that_are_there_are_shown_and_others_are_not(good: Analysis) -> None:
    (scenario,) = good.scenarios
    apart, alike = (scenario.comparison("drain_per_s", "swift", other) for other in ("steady", "swift-twin"))
    assert apart is not None
    assert alike is not None
    assert (apart.shown, apart.better) == (True, "swift")
    assert (alike.shown, alike.better) == (False, None)
    assert scenario.comparison("drain_per_s", "swift-twin", "swift") is alike


def test_what_was_built_into_the_good_set_is_warned_of(good: Analysis) -> None:
    (drift,) = [w for w in good.all_warnings() if w.code == "drift"]
    assert (drift.variant, drift.measure, drift.run) == ("swift-twin", "memory_mb", None)
    outlier = next(w for w in good.all_warnings() if w.code == "outlier" and w.measure == "drain_per_s")
    assert (outlier.variant, outlier.repetition) == ("steady", 5)
    assert outlier.run is not None
    needed = next(w for w in good.all_warnings() if w.code == "too-few-runs")
    assert (needed.variant, "more would narrow it to ±5 %" in needed.text) == ("steady", True)
    assert "cv-high" in codes(good)
    assert all(w.advice and w.text for w in good.all_warnings())


def test_invalid_runs_are_named_and_stay_out(golden: Callable[[Golden], Path]) -> None:
    analysis = analyse(golden("invalid"))
    (scenario,) = analysis.scenarios
    assert codes(analysis) >= Counter(
        {"task-lost": 6, "run-failed": 1, "no-valid-run": 1, "variant-not-run": 1, "set-incomplete": 1}
    )
    assert (scenario.variants["leaky"].valid_runs, scenario.variants["leaky"].made_runs) == (0, 3)
    assert scenario.variants["leaky"].measures["drain_per_s"].n == 0
    assert scenario.variants["swift"].measures["drain_per_s"].n == 2
    assert not any(c.shown for c in scenario.comparisons)
    assert [v.name for v in scenario.ranked()][-1] == "leaky"
    assert "absent" not in scenario.variants
    assert len(analysis.invalid_runs()) == 4


def test_a_single_run_has_figures_and_no_claims(golden: Callable[[Golden], Path]) -> None:
    analysis = analyse(golden("single"))
    (scenario,) = analysis.scenarios
    (variant,) = scenario.variants.values()
    measured = variant.measures["drain_per_s"]
    assert (measured.n, measured.interval, measured.cv) == (1, None, None)
    assert measured.mean == variant.runs[0].measures["drain_per_s"]
    assert scenario.comparisons == ()
    assert codes(analysis) >= Counter({"too-few-runs": 1, "no-control": 1})


def test_a_check_fails_for_each_reason(golden: Callable[[Golden], Path], good: Analysis) -> None:
    (missed,) = failures(good)
    assert missed.startswith("missed: enqueue to start, p95, steady: ")
    answer = Conclusion("Is it fast?", "No.", decided=True, missed=("> 100 tasks/s, some: 90, missed",))
    (scenario,) = good.scenarios
    answered = replace(good, scenarios=(replace(scenario, conclusions=(answer,)),))
    assert failures(answered) == (missed, "missed: > 100 tasks/s, some: 90, missed")
    reasons = failures(analyse(golden("invalid")))
    assert [reason.split(":")[0] for reason in reasons] == ["invalid"] * 4
    assert "leaky #1: task-lost" in reasons[1]
    assert failures(analyse(golden("single"))) == ()


def test_a_check_of_nothing_fails(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(golden("single"), tmp_path / "set")
    for run in (folder / "runs").iterdir():
        shutil.rmtree(run)
    empty = analyse(folder)
    assert codes(empty) == Counter({"nothing-run": 1})
    assert failures(empty) == ("nothing measured: the result set holds no valid run",)
    assert all(t.state is TargetState.NOT_MEASURED for t in empty.targets)
    assert "not one run" in shown_on_terminal(lambda console: print_analysis(console, empty))
    store(empty)


def test_the_same_set_always_gives_the_same_files(golden: Callable[[Golden], Path], tmp_path: Path, good: Analysis) -> None:
    folder = shutil.copytree(golden("good"), tmp_path / golden("good").name)
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    written = {file.name: file.read_bytes() for file in store(analyse(folder))}
    assert set(written) == {DOCUMENT, PAIRS, MEASURES, WARNINGS, TARGETS}
    assert {file.name: file.read_bytes() for file in store(analyse(folder))} == written
    # What was there is as it was, and nothing else is left.
    after = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    assert {str(path) for path in after.keys() - before.keys()} == set(written)
    validate(json.loads(written[DOCUMENT]), "analysis", DOCUMENT)
    assert json.loads(written[DOCUMENT]) == json.loads(json.dumps(document_of(good)))


def test_terminal_json_and_csv_have_the_same_warnings_and_figures(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(golden("invalid"), tmp_path / "set")
    analysis = analyse(folder)
    store(analysis)
    expected = [(w.code, w.variant or "", w.text) for w in analysis.all_warnings()]
    with (folder / WARNINGS).open(encoding="utf-8", newline="") as file:
        assert [(row["code"], row["variant"], row["text"]) for row in csv.DictReader(file)] == expected
    document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    assert [(w["code"], w["variant"] or "", w["text"]) for w in document["warnings"]] == expected
    terminal = shown_on_terminal(lambda console: print_analysis(console, analysis), width=80)
    for warning in analysis.all_warnings():
        assert f"{warning.subject}: {warning.text}" in terminal
        assert warning.advice in terminal
    with (folder / PAIRS).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == [c.verdict for s in analysis.scenarios for c in s.comparisons]
    with (folder / TARGETS).open(encoding="utf-8", newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == [t.state.value for t in analysis.targets]
    with (folder / MEASURES).open(encoding="utf-8", newline="") as file:
        found = {(row["variant"], row["measure"]): row["mean"] for row in csv.DictReader(file)}
    assert float(found["swift", "p99"]) == analysis.scenarios[0].variants["swift"].measures["p99"].mean
    assert found["leaky", "p99"] == ""


def test_text_from_a_hostile_set_is_text(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    def title(document: dict[str, Any]) -> None:
        document["scenarios"][NAME] |= {"title": "[red]a[/blue]", "question": "\x1b[2J?"}

    analysis = analyse(change_manifest(shutil.copytree(golden("good"), tmp_path / "set"), title))
    terminal = shown_on_terminal(lambda console: print_analysis(console, analysis))
    assert "1. [red]a[/blue]" in terminal
    assert "\\x1b[2J?" in terminal
    assert "\x1b[2J" not in terminal


def test_an_older_set_without_directions_names_no_better_one(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    def older(document: dict[str, Any]) -> None:
        del document["scenarios"][NAME]["better"]

    analysis = analyse(change_manifest(shutil.copytree(golden("good"), tmp_path / "set"), older))
    assert any(c.shown for c in analysis.scenarios[0].comparisons)
    assert all(c.better is None for c in analysis.scenarios[0].comparisons)


def nearest_to_swift(golden: Callable[[Golden], Path], folder: Path) -> Path:
    """The good set, with a headline that is the better the nearer to what swift has."""
    mean = analyse(golden("good")).scenarios[0].variants["swift"].measures["drain_per_s"].mean

    def nearest(document: dict[str, Any]) -> None:
        document["scenarios"][NAME]["better"]["drain_per_s"] = f"nearest({mean})"

    return change_manifest(shutil.copytree(golden("good"), folder), nearest)


def test_where_the_nearest_is_best_it_stands_first_and_is_stored_as_it_was(
    golden: Callable[[Golden], Path], tmp_path: Path
) -> None:
    analysis = analyse(nearest_to_swift(golden, tmp_path / "set"))
    (scenario,) = analysis.scenarios
    assert scenario.ranked()[0].name == "swift"
    pair = scenario.comparison("drain_per_s", "swift", "steady")
    assert pair is not None
    assert (pair.shown, pair.better) == (True, "swift")
    store(analysis)
    document = json.loads((analysis.path / DOCUMENT).read_text(encoding="utf-8"))
    assert document["scenarios"][0]["better"]["drain_per_s"] == analysis.manifest["scenarios"][NAME]["better"]["drain_per_s"]
    assert document["scenarios"][0]["ranking"][0] == "swift"


def test_two_sets_are_compared_by_which_is_nearer(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    before = nearest_to_swift(golden, tmp_path / "before")

    def slower(document: dict[str, Any]) -> None:
        document["measures"]["drain_per_s"] *= 0.8

    found = compare_sets(before, change_runs(shutil.copytree(before, tmp_path / "after"), slower))
    changes = (*found.changes, *found.control_changes)
    verdicts = {c.variant: c.comparison.verdict for c in changes if c.comparison.measure == "drain_per_s"}
    assert "lower than A, worse: farther from" in verdicts["swift"]
    assert "lower than A, better: nearer to" in verdicts["bare"]


def test_a_direction_that_there_is_not_is_refused(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    def unknown(document: dict[str, Any]) -> None:
        document["scenarios"][NAME]["better"]["drain_per_s"] = "nearest(red)"

    with pytest.raises(ResultSetError, match="better"):
        analyse(change_manifest(shutil.copytree(golden("good"), tmp_path / "set"), unknown))


def test_runs_made_differently_are_warned_of(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    def upgraded(document: dict[str, Any]) -> None:
        if document["variant"] == "swift" and document["repetition"] > 3:
            document["record"]["worker"]["versions"] = {"swift": "2.0"}

    analysis = analyse(change_runs(shutil.copytree(golden("good"), tmp_path / "set"), upgraded))
    (found,) = [w for w in analysis.all_warnings() if w.code == "settings-differ"]
    assert (found.variant, found.text) == ("swift", "its runs were not made alike: versions changed from run 2 to run 14")


def test_what_a_variant_cannot_do_is_said_and_is_no_fault(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(golden("good"), folder)
    unable = UNSUPPORTED.flag(reason="it lacks chains")

    def exclude(document: dict[str, Any]) -> None:
        if document["variant"] == "swift":
            document |= {"valid": False, "flags": [unable.as_data()], "measures": {}}

    analysis = analyse(change_runs(folder, exclude))
    swift = analysis.scenarios[0].variants["swift"]
    assert (swift.excluded, swift.made_runs, swift.valid_runs) == (unable, 0, 0)
    assert not analysis.invalid_runs()
    assert {w.code for w in analysis.all_warnings() if w.variant == "swift"} == {"unsupported"}
    assert not [reason for reason in failures(analysis) if "swift" in reason]
    assert "unsupported" in shown_on_terminal(lambda console: print_analysis(console, analysis))


def test_a_run_that_is_invalid_without_saying_why_is_named(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    def silent(document: dict[str, Any]) -> None:
        document["valid"] = False

    analysis = analyse(change_runs(shutil.copytree(golden("single"), tmp_path / "set"), silent))
    assert codes(analysis)["run-invalid"] == 1
    assert next(w for w in analysis.all_warnings() if w.code == "run-invalid").severity is Severity.INVALID
    assert "does not say why" in failures(analysis)[0]


def test_a_set_with_a_broken_run_is_refused_by_its_file(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(golden("single"), tmp_path / "set")
    (run,) = (folder / "runs").iterdir()
    (run / "run.json").write_text('{"format', encoding="utf-8")
    with pytest.raises(ResultSetError, match=r"run\.json is damaged"):
        analyse(folder)


def test_an_upgrade_shows_what_changed_after_how_it_was_made(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    before = golden("good")
    after = shutil.copytree(before, tmp_path / "after")

    def faster(document: dict[str, Any]) -> None:
        if document["variant"] == "swift":
            document["measures"]["drain_per_s"] *= 1.2
            document["record"]["worker"]["settings"]["prefetch"] = 4

    def other(document: dict[str, Any]) -> None:
        document["host"]["kernel"] = "Linux 7.0"
        document["versions"]["swift"]["swift"] = "2.0"

    change_manifest(change_runs(after, faster), other)
    found = compare_sets(before, after)
    assert [(d.what, d.a, d.b) for d in found.differences] == [
        ("host kernel", "Linux 6.0", "Linux 7.0"),
        ("versions swift swift", "1.0", "2.0"),
        ("swift settings prefetch", "1", "4"),
    ]
    shown = [(c.variant, c.comparison.measure) for c in found.changes if c.comparison.shown]
    assert shown == [("swift", "drain_share_of_control")]
    change = next(c.comparison for c in found.changes if c.comparison.shown)
    assert change.ratio == pytest.approx(1.2)
    assert change.verdict == "B is 20 % higher than A, better (large effect)"
    assert (found.obstacles, found.left_out) == ((), ())
    terminal = shown_on_terminal(lambda console: print_comparison(console, found))
    assert terminal.index("Linux 7.0") < terminal.index("drain/s")


def slowed(golden: Callable[[Golden], Path], folder: Path, factors: dict[str, float]) -> Path:
    """The good set, on a machine and with variants that drain so many times as fast."""

    def slower(document: dict[str, Any]) -> None:
        document["measures"]["drain_per_s"] *= factors.get(document["variant"], factors["machine"])

    return change_runs(shutil.copytree(golden("good"), folder), slower)


def test_where_the_machine_became_slower_that_is_said_first_and_no_variant_is_blamed(
    golden: Callable[[Golden], Path], tmp_path: Path
) -> None:
    found = compare_sets(golden("good"), slowed(golden, tmp_path / "after", {"machine": 0.7}))
    control = next(c for c in found.control_changes if c.comparison.measure == "drain_per_s")
    assert (found.control, control.comparison.shown) == ("bare", True)
    assert control.comparison.ratio == pytest.approx(0.7)
    drains = [c for c in found.changes if c.share_of == "drain_per_s"]
    assert {c.variant for c in drains} == {"swift", "swift-twin", "steady"}
    for change in drains:
        assert not change.comparison.shown
        assert change.comparison.ratio == pytest.approx(1)
        assert (change.absolute_b or 0) / (change.absolute_a or 1) == pytest.approx(0.7)
    text = shown_on_terminal(lambda console: print_comparison(console, found))
    assert text.index("The control, bare, moved:") < text.index("30 % lower than A") < text.index("share of bare")
    assert f"({drains[0].absolute_b:,.0f})" in text
    assert "a difference there may be the machine's" in text


def test_with_too_few_rounds_that_have_both_a_variant_is_judged_by_its_own_figures_and_that_is_said(
    golden: Callable[[Golden], Path], tmp_path: Path
) -> None:
    def no_control_after_the_third(document: dict[str, Any]) -> None:
        if document["variant"] == "bare" and document["repetition"] > 3:
            document["measures"].pop("drain_per_s")

    after = change_runs(shutil.copytree(golden("good"), tmp_path / "after"), no_control_after_the_third)
    found = compare_sets(golden("good"), after)
    assert found.control == "bare"
    drains = [c for c in found.changes if c.comparison.measure == "drain_per_s"]
    assert {c.variant for c in drains} == {"swift", "swift-twin", "steady"}
    assert {c.share_of for c in drains} == {None}
    assert "fewer than 4 rounds with both" in shown_on_terminal(lambda console: print_comparison(console, found), width=200)


def test_a_variant_that_became_slower_on_the_same_machine_is_found_by_its_share(
    golden: Callable[[Golden], Path], tmp_path: Path
) -> None:
    found = compare_sets(golden("good"), slowed(golden, tmp_path / "after", {"machine": 1, "swift": 0.7}))
    assert not any(c.comparison.shown for c in found.control_changes)
    assert [(c.variant, c.share_of) for c in found.changes if c.comparison.shown] == [("swift", "drain_per_s")]
    assert "That the control, bare, moved is not shown" in shown_on_terminal(lambda console: print_comparison(console, found))


def test_without_a_control_in_common_figures_are_judged_as_they_are_and_that_is_said(
    golden: Callable[[Golden], Path], tmp_path: Path
) -> None:
    def alone(document: dict[str, Any]) -> None:
        document["control"] = None

    after = change_manifest(slowed(golden, tmp_path / "after", {"machine": 0.7}), alone)
    found = compare_sets(golden("good"), after)
    assert (found.control, found.control_changes) == (None, ())
    drains = [c for c in found.changes if c.comparison.measure == "drain_per_s"]
    assert {c.variant for c in drains if c.comparison.shown} >= {"bare", "swift"}
    assert "no control in common" in shown_on_terminal(lambda console: print_comparison(console, found))


def test_a_set_against_its_copy_shows_nothing(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    found = compare_sets(golden("good"), shutil.copytree(golden("good"), tmp_path / "copy"))
    assert found.differences == ()
    assert not any(c.comparison.shown for c in found.changes)
    assert "Made alike" in shown_on_terminal(lambda console: print_comparison(console, found))


def test_what_is_not_like_with_like_is_refused_unless_forced(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    def larger(document: dict[str, Any]) -> None:
        document["record"]["sizes"]["tasks"] = 5000
        document["record"]["worker"]["slots"] = 8

    other = change_runs(shutil.copytree(golden("good"), tmp_path / "other"), larger)
    with pytest.raises(NotComparableError, match=r"tasks 120 and 5000; slots of bare: 2 and 8; .*--force"):
        compare_sets(golden("good"), other)
    forced = compare_sets(golden("good"), other, force=True)
    assert len(forced.obstacles) == 5
    assert forced.changes
    assert "Not like with like" in shown_on_terminal(lambda console: print_comparison(console, forced))


def test_what_has_nothing_in_common_is_refused_even_if_forced(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    with pytest.raises(NotComparableError, match="compared with itself"):
        compare_sets(golden("good"), golden("good"), force=True)
    other = shutil.copytree(golden("single"), tmp_path / "other")
    (run,) = (other / "runs").iterdir()

    def renamed(document: dict[str, Any]) -> None:
        document["variant"] = "another"

    change_runs(other, renamed)
    run.rename(run.with_name(run.name.replace("swift", "another")))
    with pytest.raises(
        NotComparableError, match="no variant in common: A holds runs of bare, steady, swift, swift-twin, B of another"
    ):
        compare_sets(golden("good"), other, force=True)

    def moved(document: dict[str, Any]) -> None:
        document["scenarios"] = {"scenario_9_other": document["scenarios"][NAME]}

    shutil.rmtree(other / "runs")
    (other / "runs").mkdir()
    change_manifest(other, moved)
    with pytest.raises(NotComparableError, match="no scenario in common"):
        compare_sets(golden("good"), other, force=True)


def test_what_only_one_set_holds_is_said(golden: Callable[[Golden], Path]) -> None:
    found = compare_sets(golden("good"), golden("single"))
    assert {c.variant for c in found.changes} == {"swift"}
    assert found.left_out == (f"{NAME}, bare, swift-twin, steady: only in A",)


def test_the_list_shows_sets_and_what_is_none(golden: Callable[[Golden], Path], tmp_path: Path) -> None:
    for name in ("good", "invalid"):
        shutil.copytree(golden(name), tmp_path / golden(name).name)
    (tmp_path / "latest").symlink_to(golden("good").name)
    (tmp_path / "holiday [red]pictures\x1b[2J").mkdir()
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    truncated = shutil.copytree(golden("single"), tmp_path / "truncated")
    (truncated / "manifest.json").write_text('{"format": "queuelab-res', encoding="utf-8")
    binary = shutil.copytree(golden("single"), tmp_path / "binary")
    (binary / "manifest.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / ".unfinished-1").mkdir()

    listed = list_sets(tmp_path)
    sets = [found for found in listed if found.problem is None]
    assert [(s.label, s.latest, s.state, s.valid_runs, s.made_runs) for s in sets] == [
        ("invalid", False, "interrupted", 5, 9),
        ("good", True, "complete", 32, 32),
    ]
    assert sets[1].scenarios == ("1",)
    assert sets[1].variants == ("bare", "steady", "swift", "swift-twin")
    problems = {found.path.name: found.problem or "" for found in listed[2:]}
    assert set(problems) == {"holiday [red]pictures\x1b[2J", "truncated", "binary"}
    assert "is damaged" in problems["truncated"]
    assert "is not a result set" in problems["holiday [red]pictures\x1b[2J"]
    terminal = shown_on_terminal(lambda console: print_list(console, listed), width=200)
    assert "holiday [red]pictures\\x1b[2J" in terminal
    assert "\x1b[2J" not in terminal


def test_an_empty_or_missing_folder_is_said(tmp_path: Path) -> None:
    assert "no result sets yet" in shown_on_terminal(lambda console: print_list(console, list_sets(tmp_path)))
    with pytest.raises(ResultSetError, match="there are no results yet"):
        list_sets(tmp_path / "nowhere")


def test_a_check_in_words(good: Analysis) -> None:
    assert "Check passed" in shown_on_terminal(lambda console: print_check(console, ()))
    assert "Check failed (1)" in shown_on_terminal(lambda console: print_check(console, failures(good)))


def test_what_was_written_long_ago_reads_as_it_did(golden: Callable[[Golden], Path]) -> None:
    """The tables that the lab wrote when the set was made come out of the runs again, but for the shares, which were reckoned
    against another run of the control then, and columns that have come since."""
    folder = golden("good")
    then = pd.read_csv(folder / f"{NAME}.csv", dtype=str)
    results = ResultSet.open(folder)
    results.write_tables()
    now = pd.read_csv(folder / f"{NAME}.csv", dtype=str)
    shares = list(results.manifest()["scenarios"][NAME]["shares"])
    assert set(now.columns) - set(then.columns) == {"invalid_phases", *WORKER_COLUMNS}
    pd.testing.assert_frame_equal(now[then.columns].drop(columns=shares), then.drop(columns=shares))
