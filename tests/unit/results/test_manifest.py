"""On what a result set was made."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.results.manifest import describe_scenario, gather, git_state, queuelab_version
from benchmarks.run.host import host_facts
from benchmarks.scenarios.scenario_1_throughput import SCENARIO
from tests.support import write_files


def git(folder: Path, *arguments: str) -> None:
    author = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env={**os.environ, **author})


def test_the_commit_is_named_and_whether_anything_differs(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert git_state(tmp_path) is None
    write_files(tmp_path, {"a": "1", "sub/b": "1"})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    clean = git_state(tmp_path)
    assert clean is not None
    assert (len(clean["commit"]), clean["dirty"]) == (40, False)
    write_files(tmp_path, {"a": "2"})
    assert git_state(tmp_path) == {"commit": clean["commit"], "dirty": True}
    assert git_state(tmp_path / "sub") is None


def test_there_is_no_commit_outside_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None


def test_the_manifest_is_plain_data_and_says_what_was_asked() -> None:
    manifest = gather(
        command_line=("lab", "run"),
        seed=5,
        settings={"runs": 3},
        scenarios=[SCENARIO],
        control="bare",
        versions={"redis": {"redis_version": "8"}},
        host=host_facts(),
    )
    assert json.loads(json.dumps(manifest)) == manifest
    assert manifest["command_line"] == ["lab", "run"]
    assert manifest["queuelab_version"] == queuelab_version()
    assert manifest["scenarios"] == {SCENARIO.name: describe_scenario(SCENARIO)}
    assert (manifest["seed"], manifest["control"], manifest["settings"]) == (5, "bare", {"runs": 3})


def test_a_described_scenario_suffices_to_write_its_tables() -> None:
    described = describe_scenario(SCENARIO)
    assert list(described["columns"]) == list(SCENARIO.columns)
    assert described["headline"] in described["columns"]
    assert set(described["shares"]) <= set(described["columns"])
