"""Charts as pictures, with matplotlib: SVG, whose colours follow a dark page, and PNG."""

import io
import re
import warnings
from collections.abc import Mapping
from itertools import chain
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from benchmarks.chart import TAIL_TICKS, Axis, Chart, HeatMap, Panel, Scale, Series, Shape
from benchmarks.report.style import SHADE_INK, SHADES, Style
from benchmarks.words import number

PAPER, INK, FAINT, SHADE = "#fefefe", "#1c2024", "#d5d9de", "#f1f3f6"
_DARK = {PAPER: "#16191d", INK: "#e4e7ea", FAINT: "#3d444c", SHADE: "#20252b"}
_DPI = 160
_PANEL_WIDTH, _PANEL_HEIGHT, _ROW_HEIGHT = 5.4, 3.9, 0.34
_PANELS_A_ROW, _LYING_A_ROW = 2, 3
_MARKS_A_LINE = 9
_DOTTED: Any = (0, (1, 1.4))

_SETTINGS: Any = {
    "axes.edgecolor": FAINT,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.axisbelow": True,
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "queuelab",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}


def draw(chart: Chart, of: str, styles: Mapping[str, Style]) -> Mapping[str, bytes]:
    """The chart as files by their ending, ``svg`` and ``png``; ``of`` stands before its title. The same chart always gives the
    same bytes."""
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # A title in a script that the font lacks is drawn as boxes; that is no reason to fail.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure = _figure(chart, styles)
        figure.suptitle(f"{of}: {chart.title}", fontsize=12, fontweight="bold", x=0.01, ha="left")
        FigureCanvasAgg(figure)
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Title": f"{of}: {chart.title}", "Description": chart.caption})
        figure.savefig(png, format="png", dpi=_DPI, metadata={"Software": None})
    return {"svg": _following_dark(svg.getvalue()), "png": png.getvalue()}


def _following_dark(svg: bytes) -> bytes:
    """With colours for a dark page, which every browser understands and every other program leaves aside."""
    rules = "".join(
        f'[style*="fill: {light}"]{{fill:{dark}!important}}[style*="stroke: {light}"]{{stroke:{dark}!important}}'
        for light, dark in _DARK.items()
    )
    style = f"<style>@media screen and (prefers-color-scheme: dark){{{rules}}}</style>".encode()
    return re.sub(rb"(<svg [^>]*>)", lambda found: found[1] + style, svg, count=1)


def _figure(chart: Chart, styles: Mapping[str, Style]) -> Figure:
    if chart.heat_map is not None:
        figure = _heat_map(chart.heat_map)
    elif chart.stacked:
        figure = Figure(figsize=(1.6 * _PANEL_WIDTH, 1.5 * len(chart.panels) + 0.6), layout="constrained")
        rows = figure.subplots(len(chart.panels), sharex=True, squeeze=False)
        for number_, (axes, panel) in enumerate(zip(rows.flat, chart.panels, strict=True)):
            _panel(axes, panel, styles, name_spans=number_ == 0)
            axes.label_outer()
    else:
        figure = _side_by_side(chart, styles)
    return figure


def _side_by_side(chart: Chart, styles: Mapping[str, Style]) -> Figure:
    categories = max(len(panel.y.categories) for panel in chart.panels)
    columns = min(_LYING_A_ROW if categories else _PANELS_A_ROW, len(chart.panels))
    rows = -(-len(chart.panels) // columns)
    height = max(_PANEL_HEIGHT, _ROW_HEIGHT * categories + 1.2) if categories else _PANEL_HEIGHT
    legend = _legend(chart, styles)
    width = _PANEL_WIDTH * max(columns * (0.8 if categories else 1), 1.4)
    figure = Figure(figsize=(width, rows * height + 0.5 + 0.25 * -(-len(legend) // 4)), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, panel in zip(grid.flat, chart.panels, strict=False):
        _panel(axes, panel, styles, name_spans=True)
    for axes in list(grid.flat)[len(chart.panels) :]:
        axes.set_visible(False)
    for row in grid:
        for axes in row[1:]:
            if categories:
                axes.set_yticklabels([])
    if legend:
        figure.legend(handles=legend, loc="outside lower left", ncols=min(len(legend), 4), handlelength=3.2)
    return figure


def _legend(chart: Chart, styles: Mapping[str, Style]) -> list[Line2D]:
    """What the axes do not say: the variants where no axis names them, and the marks that stand for something else."""
    series = list(chain.from_iterable(panel.series for panel in chart.panels))
    labelled = {s.label: s.mark for s in series if s.mark is not None and s.label}
    if labelled:
        return [
            Line2D([], [], color=INK, linestyle="none", marker=mark.matplotlib, mfc="none", mew=1.6, ms=9, label=label)
            for label, mark in labelled.items()
        ]
    if any(panel.y.scale is Scale.CATEGORY for panel in chart.panels):
        return []
    guides = dict.fromkeys(guide.label for panel in chart.panels for guide in panel.guides)
    dotted = [Line2D([], [], color=INK, linestyle=_DOTTED, label=label) for label in guides]
    return dotted + [
        Line2D(
            [],
            [],
            color=styles[name].colour,
            linestyle=styles[name].dash.matplotlib,
            marker=styles[name].mark.matplotlib,
            label=name,
        )
        for name in styles
        if name in set(chart.variants())
    ]


def _panel(axes: Axes, panel: Panel, styles: Mapping[str, Style], *, name_spans: bool) -> None:
    axes.set_title(panel.title, loc="left")
    places = {name: index for index, name in enumerate(panel.y.categories)}
    for series in panel.series:
        _series(axes, series, styles[series.variant], places)
    for guide in panel.guides:
        axes.plot(guide.x, guide.y, color=INK, linestyle=_DOTTED, linewidth=1.3)
    for number_, span in enumerate(panel.spans):
        axes.axvspan(span.begin, span.end, color=SHADE if number_ % 2 == 0 else PAPER, zorder=-2, linewidth=0)
        if name_spans:
            axes.annotate(
                span.label,
                ((span.begin + span.end) / 2, 1.02),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="bottom",
                fontsize=8,
                annotation_clip=False,
            )
    _scale(axes, "x", panel.x)
    if panel.spans:
        axes.set_xlim(panel.spans[0].begin, panel.spans[-1].end)
    if panel.y.scale is Scale.CATEGORY:
        axes.set_yticks(range(len(places)), labels=list(places))
        axes.set_ylim(len(places) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
    else:
        _scale(axes, "y", panel.y)


def _series(axes: Axes, series: Series, style: Style, places: Mapping[str, int]) -> None:
    x = series.x
    y = np.array([places[str(name)] for name in series.y], np.float64) if places else np.asarray(series.y, np.float64)
    mark = series.mark or style.mark
    match series.shape:
        case Shape.LINE:
            known = int(np.isfinite(x + y).sum())
            marks: Any = {"marker": mark.matplotlib, "markersize": 4.5, "markevery": max(1, known // _MARKS_A_LINE)}
            axes.plot(x, y, color=style.colour, linestyle=style.dash.matplotlib, linewidth=1.5, **marks)
            if series.low is not None and series.high is not None:
                axes.fill_between(x, series.low, series.high, color=style.colour, alpha=0.13, linewidth=0)
        case Shape.SOLID:
            axes.plot(x, y, color=style.colour, linewidth=1.4)
        case Shape.JOINED:
            axes.plot(x, y, color=style.colour, linestyle=style.dash.matplotlib, marker=mark.matplotlib, linewidth=1.2)
        case Shape.DOTS:
            axes.plot(x, y, color=style.colour, linestyle="none", marker=".", markersize=5, alpha=0.45, markeredgewidth=0)
        case Shape.BARS:
            axes.barh(y, x, height=0.62, color=style.colour, alpha=0.85)
            _intervals(axes, series, y, INK)
        case Shape.POINTS:
            _intervals(axes, series, y, style.colour)
            size, face = (9, "none") if series.mark else (7, style.colour)
            look: Any = {"marker": mark.matplotlib, "markersize": size, "markeredgewidth": 1.6, "markerfacecolor": face}
            axes.plot(x, y, color=style.colour, linestyle="none", **look)
    ends = x if series.high is None or series.shape is Shape.LINE else np.maximum(x, series.high)
    for word, at_x, at_y in zip(series.words, ends, y, strict=False):
        axes.annotate(word, (at_x, at_y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)


def _intervals(axes: Axes, series: Series, y: np.ndarray[tuple[int], np.dtype[np.float64]], colour: str) -> None:
    if series.low is not None and series.high is not None:
        axes.hlines(y, series.low, series.high, color=colour, linewidth=1.6)


def _scale(axes: Axes, which: str, axis: Axis) -> None:
    ticks = axes.xaxis if which == "x" else axes.yaxis
    set_scale = axes.set_xscale if which == "x" else axes.set_yscale
    ticks.set_label_text(axis.title)
    match axis.scale:
        case Scale.LOG:
            set_scale("log")
            ticks.set_major_locator(LogLocator(subs=(1, 2, 5)) if _decades(axes, which) < 2 else LogLocator())
            ticks.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
            ticks.set_minor_formatter(NullFormatter())
        case Scale.TAIL:
            set_scale("linear")
            ticks.set_major_locator(FixedLocator(list(TAIL_TICKS.values())))
            ticks.set_major_formatter(FuncFormatter(lambda _, index: list(TAIL_TICKS)[index] if index is not None else ""))
            low, high = 0.0, axes.dataLim.x1 if which == "x" else axes.dataLim.y1
            if np.isfinite(high) and high > low:
                (axes.set_xlim if which == "x" else axes.set_ylim)(low, high * 1.02)
        case _:
            ticks.set_major_locator(MaxNLocator(6))
            ticks.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
            if axis.from_zero:
                high = axes.dataLim.x1 if which == "x" else axes.dataLim.y1
                (axes.set_xlim if which == "x" else axes.set_ylim)(0, high * (1.18 if which == "x" else 1.08) or 1)


def _decades(axes: Axes, which: str) -> float:
    low, high = (axes.dataLim.x0, axes.dataLim.x1) if which == "x" else (axes.dataLim.y0, axes.dataLim.y1)
    return float(np.log10(high / low)) if 0 < low < high < np.inf else 0.0


def _heat_map(heat_map: HeatMap) -> Figure:
    rows, columns = len(heat_map.variants), len(heat_map.columns)
    figure = Figure(figsize=(max(6.0, 1.05 * columns + 2.2), 0.42 * rows + 1.6), layout="constrained")
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("shades", SHADES).with_extremes(bad=SHADE)
    axes.pcolormesh(np.ma.masked_invalid(heat_map.shades), cmap=colours, vmin=0, vmax=1, edgecolor=PAPER, linewidth=1.5)
    for row, column in np.ndindex(rows, columns):
        colour = INK if np.isnan(heat_map.shades[row, column]) else SHADE_INK
        axes.text(column + 0.5, row + 0.5, heat_map.words[row][column], ha="center", va="center", color=colour)
    axes.set_xticks(np.arange(columns) + 0.5, labels=[name.replace(", ", ",\n") for name in heat_map.columns])
    axes.set_yticks(np.arange(rows) + 0.5, labels=list(heat_map.variants))
    axes.set_ylim(rows, 0)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure
