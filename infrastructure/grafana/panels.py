"""Parts of a dashboard in Grafana's JSON model: queries, panels, variables, and their arrangement."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "prometheus"}
TAG = "queuelab"
GRID = 24
SCHEMA_VERSION = 41

HALF, THIRD, QUARTER, SIXTH = 12, 8, 6, 4


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and what its series are called; ``instant`` asks for the newest value only."""

    expr: str
    legend: str
    instant: bool = False

    def as_json(self, ref: str, table: bool) -> Json:
        """The panel's target."""
        target: Json = {"refId": ref, "datasource": DATASOURCE, "expr": self.expr, "legendFormat": self.legend}
        if self.instant:
            target |= {"instant": True, "range": False}
        return target | ({"format": "table"} if table else {})


_LEAST_SCALE = {"percentunit": 0.1, "short": 1, "ops": 1, "Bps": 1000}
"""What an axis reaches at least, by unit: without it, a line that stays at 0 gets a scale that means nothing."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: ``width`` in 24ths of the page, ``height`` in rows of Grafana's grid. ``thresholds`` are values with the colour
    that begins there."""

    kind: Literal["timeseries", "stat", "bargauge", "table"]
    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    width: int = HALF
    height: int = 8
    minimum: float | None = 0
    maximum: float | None = None
    decimals: int | None = None
    stacked: bool = False
    logarithmic: bool = False
    thresholds: tuple[tuple[float, str], ...] = ()
    show_name: bool = False
    hidden_columns: tuple[str, ...] = ()

    def as_json(self, number: int, x: int, y: int) -> Json:
        """The panel at its place."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "datasource": DATASOURCE,
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": _OPTIONS[self.kind] | ({"textMode": "name"} if self.show_name else {}),
            "targets": [q.as_json(chr(ord("A") + i), self.kind == "table") for i, q in enumerate(self.queries)],
            **({"transformations": _columns(self.hidden_columns)} if self.kind == "table" else {}),
        }

    def _defaults(self) -> Json:
        steps: list[Json] = [{"value": None, "color": "green"}]
        steps += [{"value": value, "color": colour} for value, colour in self.thresholds]
        defaults: Json = {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}}
        if self.minimum is not None and not self.logarithmic:
            defaults["min"] = self.minimum
        if self.maximum is not None:
            defaults["max"] = self.maximum
        if self.decimals is not None:
            defaults["decimals"] = self.decimals
        match self.kind:
            case "timeseries":
                defaults |= {"color": {"mode": "palette-classic"}, "custom": self._line()}
            case "bargauge":
                defaults["color"] = {"mode": "palette-classic"}
            case "stat":
                defaults["color"] = {"mode": "thresholds"}
                defaults["noValue"] = "–"
        return defaults

    def _line(self) -> Json:
        line: Json = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if self.stacked else 0, "showPoints": "auto"}
        if self.stacked:
            line["stacking"] = {"mode": "normal", "group": "A"}
        if self.unit in _LEAST_SCALE and not self.logarithmic:
            line["axisSoftMax"] = _LEAST_SCALE[self.unit]
        if self.logarithmic:
            line["scaleDistribution"] = {"type": "log", "log": 10}
        return line


_REDUCE: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[str, Json] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": _REDUCE,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "orientation": "auto",
    },
    "bargauge": {
        "reduceOptions": _REDUCE,
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "color",
        "namePlacement": "top",
        "sizing": "manual",
        "minVizHeight": 10,
        "maxVizHeight": 16,
        "text": {"titleSize": 12, "valueSize": 14},
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
}


def _columns(hidden: Iterable[str]) -> list[Json]:
    return [{"id": "organize", "options": {"excludeByName": dict.fromkeys(("Time", "__name__", *hidden), True)}}]


def graph(title: str, description: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """Lines over time."""
    return Panel("timeseries", title, description, unit, queries, **more)


def stat(title: str, description: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """The value now, large: not the last one of a series that has ended."""
    now = tuple(replace(query, instant=True) for query in queries)
    return Panel("stat", title, description, unit, now, **{"width": SIXTH, "height": 4, **more})


def bars(title: str, description: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """A bar for each series' newest value."""
    return Panel("bargauge", title, description, unit, queries, **{"width": THIRD, **more})


def table(title: str, description: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """A row for each series."""
    return Panel("table", title, description, unit, queries, **{"width": GRID, **more})


@dataclass(frozen=True, slots=True)
class Row:
    """A heading over the panels that follow."""

    title: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A drop-down of a label's values, which panels use as ``$name``."""

    name: str
    title: str
    query: str
    several: bool = True

    def as_json(self) -> Json:
        """The variable; all values are chosen at first, or the first one where only one can be."""
        everything = {"current": {"text": ["All"], "value": ["$__all"]}} if self.several else {}
        return {
            "name": self.name,
            "label": self.title,
            "type": "query",
            "datasource": DATASOURCE,
            "query": {"query": self.query, "refId": f"variable-{self.name}"},
            "refresh": 2,
            "sort": 1,
            "multi": self.several,
            "includeAll": self.several,
            "hide": 0,
            "options": [],
            "regex": "",
            "skipUrlSync": False,
            **everything,
        }


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard: its file's name is its uid."""

    uid: str
    title: str
    description: str
    content: Sequence[Panel | Row]
    variables: tuple[Variable, ...] = ()
    since: str = "now-15m"
    refresh: str = "5s"
    tags: tuple[str, ...] = field(default=(TAG,))

    def as_json(self) -> Json:
        """The file's content."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": list(self.tags),
            "timezone": "browser",
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": self.refresh,
            "time": {"from": self.since, "to": "now"},
            "links": [_LINKS],
            "annotations": {"list": [_PHASES]},
            "templating": {"list": [variable.as_json() for variable in self.variables]},
            "panels": arrange(self.content),
        }


_LINKS: Json = {
    "type": "dashboards",
    "title": "Dashboards",
    "tags": [TAG],
    "asDropdown": False,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "The lab's other dashboards, for the same time",
    "url": "",
}
_PHASES: Json = {
    "name": "Phases",
    "datasource": DATASOURCE,
    "enable": True,
    "iconColor": "light-blue",
    "expr": "lab_phase_start_time_seconds * 1000",
    "useValueForTime": "on",
    "titleFormat": "{{phase}}",
    "textFormat": "{{variant}}, run {{run}} of {{scenario}}",
    "tagKeys": "scenario,variant,phase",
    "step": "5s",
}


def arrange(content: Iterable[Panel | Row]) -> list[Json]:
    """Panels from left to right and top to bottom, each line as high as its highest."""
    placed: list[Json] = []
    x = y = height = 0
    for number, item in enumerate(content, start=1):
        width = GRID if isinstance(item, Row) else item.width
        if x + width > GRID:
            x, y, height = 0, y + height, 0
        if isinstance(item, Row):
            place = {"x": 0, "y": y, "w": GRID, "h": 1}
            placed.append({"id": number, "type": "row", "title": item.title, "collapsed": False, "gridPos": place, "panels": []})
            height = 1
        else:
            placed.append(item.as_json(number, x, y))
            height = max(height, item.height)
        x += width
    return placed
