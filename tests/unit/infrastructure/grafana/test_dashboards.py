"""What must hold of Grafana's dashboards, and of what Prometheus is told to record, whatever is on them."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.monitoring.dashboards import dashboard_addresses
from benchmarks.run.labs.compose_services import AGENT_PORT
from infrastructure.agent.cgroup import NetworkReading
from infrastructure.agent.metrics import families
from infrastructure.grafana.__main__ import CHECKOUT, FOLDER, files, titles
from infrastructure.grafana.panels import GRID, Panel, Row, arrange, graph
from tasks.contract import framework_names
from tests.unit.infrastructure.agent.test_metrics import AGENT, IN_CONTAINER, PRODUCER, STATE, WORKER, scrape

FILES = sorted(FOLDER.glob("*.json"))
PROVISIONING = CHECKOUT / "infrastructure/grafana/provisioning"
PROMETHEUS = CHECKOUT / "infrastructure/prometheus"
OTHERS = re.compile(r"(node|redis|mock_api|prometheus|process|scrape)_\w+|up|ALERTS")
"""Metrics of the other exporters, which the tests in containers ask a live Prometheus for."""
TITLES = {"Lab", "Comparison", "Any framework", "System", "Redis", "Soak"}


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(request.param.read_text())
    return content


def shown(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def recorded() -> set[str]:
    rules = yaml.safe_load((PROMETHEUS / "rules/recording.yml").read_text())
    return {rule["record"] for group in rules["groups"] for rule in group["rules"]}


def exported(folder: Path) -> set[str]:
    """Names of the series that a node can have, with ``tiny`` for the framework's."""
    container = replace(WORKER, sample=IN_CONTAINER)
    agent = replace(AGENT, network=NetworkReading(1, 2))
    scrapes = (scrape(folder, container, STATE, agent), scrape(folder, PRODUCER, None, agent))
    found = [family for one in scrapes for family in families(one)]
    return {sample.name for family in found for sample in family.samples} | {family.name for family in found}


def metrics_in(expression: str) -> Iterator[str]:
    """Names of the metrics that an expression selects, with ``tiny`` for a framework's name."""
    for name in re.findall(r'__name__=~?"([^"]+)"', expression):
        yield re.sub(r"^(\.\+|\(\$\{framework\}\))_", "tiny_", name)
    own = "|".join(titles())
    bare = re.sub(r"\{[^{}]*\}|\[[^\]]*\]", "", re.sub(r'"[^"]*"', "", expression))
    bare = re.sub(r"\b(by|on|ignoring|group_left) \([^)]*\)", "", bare)
    for name in re.findall(r"\b[a-zA-Z_:][\w:]*\b(?! *\()", bare):
        if name not in ("and", "or"):
            yield re.sub(rf"^({own})_", "tiny_", name)


def test_the_files_are_those_that_the_code_writes() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    assert found == files(), "run `just dashboards`"


def test_there_is_a_dashboard_for_each_thing_to_watch() -> None:
    addresses = dashboard_addresses("http://127.0.0.1:3000")
    assert {title for title, _ in addresses} == TITLES | set(titles().values())
    assert all(address.startswith("http://127.0.0.1:3000/d/queuelab-") for _, address in addresses)
    assert len(titles()) >= 2
    assert set(titles()) <= set(framework_names())


def test_a_dashboard_is_found_by_its_uid_and_linked_to_the_others(board: dict[str, Any]) -> None:
    assert (FOLDER / f"{board['uid']}.json").exists()
    assert len(board["uid"]) <= 40
    (link,) = board["links"]
    assert (link["type"], link["keepTime"]) == ("dashboards", True)
    assert set(link["tags"]) <= set(board["tags"])


def test_phases_are_annotated_without_grafanas_api(board: dict[str, Any]) -> None:
    (phases,) = board["annotations"]["list"]
    assert phases["enable"]
    assert phases["expr"] == "lab_phase_start_time_seconds * 1000"
    assert phases["useValueForTime"] == "on"


def test_every_panel_says_what_it_shows(board: dict[str, Any]) -> None:
    for panel in shown(board):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["legendFormat"] or panel["type"] == "table"


def test_panels_do_not_cover_each_other(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= GRID
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_variable_is_used_and_every_used_one_is_there(board: dict[str, Any]) -> None:
    variables = [variable["name"] for variable in board["templating"]["list"]]
    queries = [variable["query"]["query"] for variable in board["templating"]["list"]]
    texts = [target["expr"] for panel in shown(board) for target in panel["targets"]]
    used = {name for text in texts + queries for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")}
    assert used == set(variables)


def test_the_only_data_source_is_the_one_provisioned(board: dict[str, Any]) -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yml").read_text())["datasources"]
    places = [*board["templating"]["list"], *board["annotations"]["list"], *shown(board)]
    places += [target for panel in shown(board) for target in panel["targets"]]
    assert {(p["datasource"]["type"], p["datasource"]["uid"]) for p in places} == {(source["type"], source["uid"])}


def test_every_metric_asked_for_is_exported_or_recorded(board: dict[str, Any], tmp_path: Path) -> None:
    known = exported(tmp_path) | recorded()
    for panel in shown(board):
        for target in panel["targets"]:
            names = set(metrics_in(target["expr"]))
            assert names, target["expr"]
            unknown = {name for name in names if name not in known and not OTHERS.fullmatch(name)}
            assert not unknown, (panel["title"], unknown)


def test_every_metric_that_a_rule_asks_for_is_exported_or_recorded(tmp_path: Path) -> None:
    known = exported(tmp_path) | recorded()
    for path in sorted((PROMETHEUS / "rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                names = set(metrics_in(rule["expr"])) - {"up"}
                assert not {name for name in names if name not in known and not OTHERS.fullmatch(name)}, rule["expr"]


def test_every_alert_says_what_is_wrong_and_what_to_do_and_is_tested() -> None:
    alerts = [
        rule for group in yaml.safe_load((PROMETHEUS / "rules/alerts.yml").read_text())["groups"] for rule in group["rules"]
    ]
    tests = yaml.safe_load((PROMETHEUS / "tests/rules.yml").read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", ())]
    for alert in alerts:
        assert alert["for"]
        assert set(alert["annotations"]) == {"summary", "action"}
        mine = [case for case in cases if case["alertname"] == alert["alert"]]
        assert any(case.get("exp_alerts") for case in mine), "never seen to fire"
        assert not all(case.get("exp_alerts") for case in mine), "never seen to keep silent"


def test_services_marked_as_scraped_are_those_that_prometheus_looks_for() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    jobs = {sd["names"][0]: sd["port"] for job in config["scrape_configs"] for sd in job.get("dns_sd_configs", ())}
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    marked = {name for name, service in services.items() if service.get("labels", {}).get("queuelab.metrics") == "true"}
    assert marked == (jobs.keys() & services.keys()) | {"prometheus"}
    assert {port for name, port in jobs.items() if name not in services} == {AGENT_PORT}


def test_grafana_is_told_where_everything_lies() -> None:
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/lab.yml").read_text())["providers"]
    folder = provider["options"]["path"]
    assert f"./infrastructure/grafana/dashboards:{folder}:ro" in services["grafana"]["volumes"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (FOLDER / Path(home).relative_to(folder)).exists()


def test_anybody_may_look_and_only_from_here() -> None:
    grafana = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]["grafana"]
    assert grafana["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert "GF_SECURITY_ADMIN_PASSWORD" not in grafana["environment"]
    assert all(port.startswith("127.0.0.1:") for port in grafana["ports"])


def test_panels_flow_from_left_to_right_below_their_heading() -> None:
    def panel(width: int, height: int) -> Panel:
        return graph("t", "d.", "s", width=width, height=height)

    placed = arrange([Row("a"), panel(12, 8), panel(12, 4), panel(16, 8), panel(12, 8), Row("b"), panel(24, 5)])
    places = [tuple(item["gridPos"].values()) for item in placed]
    assert places == [
        (0, 0, 24, 1), (0, 1, 12, 8), (12, 1, 12, 4), (0, 9, 16, 8), (0, 17, 12, 8), (0, 25, 24, 1), (0, 26, 24, 5),
    ]  # fmt: skip
