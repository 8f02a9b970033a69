"""Charts for the page, with plotly: data and layout as JSON, without colours of the page, which its theme adds."""

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.chart import TAIL_TICKS, Axis, Chart, Floats, HeatMap, Panel, Scale, Series, Shape
from benchmarks.report.style import SHADE_INK, SHADES, Style
from benchmarks.words import number

_ROW_HEIGHT, _PANEL_HEIGHT, _STACKED_HEIGHT = 34, 420, 140
_ROOM_FOR_WORDS = 1.2
_MARKS_A_LINE = 9
_GUIDE = "#8a94a0"
"""Seen on a dark page and on a light one."""
_FEW_DECADES = 3
_CONFIG = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
_TOOL_BAR = 30
"""Its height: a title stands below it."""
_MARGIN = {"l": 8, "r": 16, "t": _TOOL_BAR + 32, "b": 8}
_LEGEND_BELOW = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.22, "yanchor": "top", "font": {"size": 11}}
_NAMED = (Shape.LINE, Shape.JOINED)
"""The shapes that have no name beside them."""


def figures(chart: Chart, styles: Mapping[str, Style], frameworks: Mapping[str, str]) -> list[str]:
    """The chart as JSON documents ``{figure: {data, layout}, config}`` for plotly.js: one for each panel, or one for all that
    share an axis. Every trace names in ``meta`` the framework that it belongs to, for the page's filter; that of a heat map names
    those of its rows."""
    if chart.heat_map is not None:
        return [_json(_heat_map(chart.heat_map, frameworks))]
    if chart.stacked:
        return [_json(_stacked(chart.panels, styles, frameworks))]
    return [_json(_single(panel, styles, frameworks)) for panel in chart.panels]


def _json(figure: go.Figure) -> str:
    margin = _MARGIN if figure.layout.title.text else _MARGIN | {"t": _TOOL_BAR}
    figure.update_layout(margin=margin, hovermode="closest", template=None)
    whole = figure.to_json()
    assert whole is not None
    return f'{{"figure":{whole},"config":{json.dumps(_CONFIG)}}}'


def _single(panel: Panel, styles: Mapping[str, Style], frameworks: Mapping[str, str]) -> go.Figure:
    figure = go.Figure()
    for series in panel.series:
        for trace in _traces(series, styles[series.variant], frameworks[series.variant]):
            figure.add_trace(trace)
    for guide in panel.guides:
        line = {"color": _GUIDE, "dash": "dot", "width": 2}
        figure.add_trace(
            go.Scatter(x=_numbers(guide.x), y=_numbers(guide.y), mode="lines", line=line, name=_text(guide.label), meta={})
        )
    figure.update_xaxes(**_axis(panel.x, _along([series.x for series in panel.series])))
    figure.update_yaxes(**_axis(panel.y, _along([series.y for series in panel.series])))
    rows = len(panel.y.categories)
    if any(series.words for series in panel.series) and panel.x.from_zero:
        ends = [float(np.max(series.x if series.high is None else np.maximum(series.x, series.high))) for series in panel.series]
        figure.update_xaxes(range=[0, _ROOM_FOR_WORDS * max(ends)])
    place = {"x": 0, "xref": "container", "y": 1, "yref": "container", "yanchor": "top", "pad": {"l": 8, "t": _TOOL_BAR}}
    figure.update_layout(title={"text": _text(panel.title), "font": {"size": 14}, **place})
    named = any(series.shape in _NAMED for series in panel.series)
    figure.update_layout(showlegend=named, legend=_LEGEND_BELOW if named else None)
    figure.update_layout(height=max(200, rows * _ROW_HEIGHT + 130) if rows else _PANEL_HEIGHT)
    return figure


def _stacked(panels: Sequence[Panel], styles: Mapping[str, Style], frameworks: Mapping[str, str]) -> go.Figure:
    figure = make_subplots(len(panels), 1, shared_xaxes=True, vertical_spacing=0.04)
    for row, panel in enumerate(panels, 1):
        for series in panel.series:
            for trace in _traces(series, styles[series.variant], frameworks[series.variant]):
                figure.add_trace(trace, row, 1)
        figure.update_yaxes(row=row, col=1, **_axis(panel.y, _along([series.y for series in panel.series])))
    figure.update_xaxes(row=len(panels), col=1, **_axis(panels[-1].x, _along([series.x for series in panels[-1].series])))
    for place, span in enumerate(panels[0].spans):
        figure.add_shape(
            type="rect",
            layer="below",
            line_width=0,
            fillcolor="#8a94a0",
            opacity=0.16 if place % 2 == 0 else 0.05,
            x0=span.begin,
            x1=span.end,
            y0=0,
            y1=1,
            xref="x",
            yref="paper",
        )
        middle = (span.begin + span.end) / 2
        figure.add_annotation(text=_text(span.label), x=middle, y=1, xref="x", yref="paper", yanchor="bottom", showarrow=False)
    figure.update_layout(height=len(panels) * _STACKED_HEIGHT + 60, showlegend=False)
    return figure


def _traces(series: Series, style: Style, framework: str) -> list[go.Scatter | go.Bar]:
    name, meta = _text(series.variant), {"framework": framework}
    label = f", {_text(series.label)}" if series.label else ""
    common: dict[str, Any] = {"name": f"{name}{label}", "meta": meta, "showlegend": series.shape in _NAMED}
    x = _numbers(series.x)
    y: Any = _numbers(series.y) if isinstance(series.y, np.ndarray) else [_text(str(value)) for value in series.y]
    mark = (series.mark or style.mark).plotly
    line = {"color": style.colour, "dash": style.dash.plotly, "width": 2}
    match series.shape:
        case Shape.LINE:
            known = np.isfinite(series.x) & np.isfinite(np.asarray(series.y, np.float64))
            marker = {"symbol": mark, "size": 7, "color": style.colour, "maxdisplayed": _MARKS_A_LINE}
            whole: dict[str, Any] = {"x": x[known], "y": y[known], "mode": "lines+markers", "line": line, "marker": marker}
            drawn: list[go.Scatter | go.Bar] = [go.Scatter(**whole, **common)]
            if series.low is not None and series.high is not None:
                drawn.insert(0, _band(series.x, series.low, series.high, style, meta))
            return drawn
        case Shape.SOLID:
            return [go.Scatter(x=x, y=y, mode="lines", line={"color": style.colour, "width": 2}, **common)]
        case Shape.JOINED:
            marker = {"symbol": mark, "size": 9, "color": style.colour}
            return [go.Scatter(x=x, y=y, mode="lines+markers", line=line, marker=marker, **common)]
        case Shape.DOTS:
            marker = {"size": 5, "color": style.colour, "opacity": 0.45}
            return [go.Scatter(x=x, y=y, mode="markers", marker=marker, **common)]
        case Shape.BARS:
            ends = _numbers(series.x if series.high is None else np.maximum(series.x, series.high))
            words = [f" {_text(word)}" for word in series.words]
            return [
                go.Bar(x=x, y=y, orientation="h", marker={"color": style.colour}, error_x=_error(series, None), **common),
                go.Scatter(
                    x=ends,
                    y=y,
                    mode="text",
                    text=words,
                    textposition="middle right",
                    cliponaxis=False,
                    hoverinfo="skip",
                    **common,
                ),
            ]
        case Shape.POINTS:
            marker = {"symbol": mark, "size": 11, "color": style.colour, "line": {"width": 2, "color": style.colour}}
            text = {"text": [_text(w) for w in series.words], "textposition": "middle right"} if series.words else {}
            mode = "markers+text" if series.words else "markers"
            error = _error(series, style.colour)
            return [go.Scatter(x=x, y=y, mode=mode, marker=marker, error_x=error, **text, **common)]


def _band(x: Floats, low: Floats, high: Floats, style: Style, meta: Mapping[str, str]) -> go.Scatter:
    """Down one side and back on the other."""
    known = np.isfinite(low) & np.isfinite(high)
    return go.Scatter(
        x=_numbers(np.concatenate([x[known], x[known][::-1]])),
        y=_numbers(np.concatenate([high[known], low[known][::-1]])),
        fill="toself",
        fillcolor=style.colour,
        opacity=0.16,
        mode="none",
        hoverinfo="skip",
        showlegend=False,
        meta=dict(meta),
    )


def _error(series: Series, colour: str | None) -> dict[str, Any]:
    if series.low is None or series.high is None:
        return {"visible": False}
    error = {
        "type": "data",
        "array": _numbers(series.high - series.x),
        "arrayminus": _numbers(series.x - series.low),
        "thickness": 2,
        "width": 4,
    }
    return error if colour is None else error | {"color": colour}


def _axis(axis: Axis, values: Floats) -> dict[str, Any]:
    described: dict[str, Any] = {"title": {"text": _text(axis.title), "standoff": 8}, "automargin": True}
    match axis.scale:
        case Scale.LOG:
            return described | {"type": "log", **_log_ticks(values)}
        case Scale.TAIL:
            ticks = {"tickvals": list(TAIL_TICKS.values()), "ticktext": list(TAIL_TICKS), "tickangle": 0}
            return described | {"type": "linear", "tickmode": "array", "rangemode": "tozero", "minallowed": 0, **ticks}
        case Scale.CATEGORY:
            names = [_text(name) for name in axis.categories]
            return described | {"type": "category", "categoryorder": "array", "categoryarray": names, "autorange": "reversed"}
        case Scale.LINEAR:
            numbers = {"exponentformat": "none", "separatethousands": True}
            return described | {"type": "linear", "rangemode": "tozero" if axis.from_zero else "normal", **numbers}


def _log_ticks(values: Floats) -> dict[str, Any]:
    """Decades, or 1-2-5 where there are few of them."""
    known = values[np.isfinite(values) & (values > 0)]
    if not len(known):
        return {}
    first, last = int(np.floor(np.log10(known.min()))), int(np.ceil(np.log10(known.max())))
    steps = (1, 2, 5) if last - first <= _FEW_DECADES else (1,)
    ticks = [step * 10.0**decade for decade in range(first, last + 1) for step in steps]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": [number(tick) for tick in ticks]}


def _heat_map(heat_map: HeatMap, frameworks: Mapping[str, str]) -> go.Figure:
    figure = go.Figure(
        go.Heatmap(
            x=[_text(name) for name in heat_map.columns],
            y=[_text(name) for name in heat_map.variants],
            # A list, so that the page can leave rows out.
            z=[[None if np.isnan(shade) else round(float(shade), 3) for shade in row] for row in heat_map.shades],
            text=[[_text(word) for word in row] for row in heat_map.words],
            texttemplate="%{text}",
            hovertemplate="%{y}<br>%{x}: %{text}<extra></extra>",
            colorscale=[list(step) for step in zip((0, 0.5, 1), SHADES, strict=True)],
            textfont={"color": SHADE_INK},
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            showscale=False,
            meta={"frameworks": [frameworks[name] for name in heat_map.variants]},
        )
    )
    figure.update_xaxes(side="top", automargin=True, showgrid=False)
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    figure.update_layout(height=len(heat_map.variants) * _ROW_HEIGHT + 120)
    return figure


def _along(parts: Sequence[Floats | Sequence[str]]) -> Floats:
    """All the numbers along an axis; none along one of categories."""
    numbers = [part for part in parts if isinstance(part, np.ndarray)]
    return np.concatenate(numbers) if numbers else np.zeros(0)


def _numbers(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Seven digits are enough for a screen, and halve the page."""
    return np.asarray(values, np.float32)


def _text(text: str) -> str:
    """Plotly reads a little markup in what it shows."""
    return html.escape(text, quote=False)
