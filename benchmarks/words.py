"""Figures in words, one way everywhere in pictures and reports."""

from benchmarks.statistics import Interval

MISSING = "–"


def number(value: float | None) -> str:
    """Three significant digits at least, with separators for thousands; a dash for None."""
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.3g}"


def titled(number: int | None, title: str) -> str:
    """The heading of a scenario, with its number; a study has none."""
    return title if number is None else f"{number}. {title}"


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{number(100 * share)} %"


def plus_minus(interval: Interval | None) -> str:
    """Half the width of an interval; empty without one."""
    return "" if interval is None else f"±{number((interval.high - interval.low) / 2)}"


def from_to(interval: Interval | None) -> str:
    """An interval by its ends; empty without one."""
    return "" if interval is None else f"{number(interval.low)} to {number(interval.high)}"


def p_value(p: float | None) -> str:
    """A p-value, as small as is worth saying."""
    if p is None:
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def worker(processes: int | None, concurrency: int | None) -> str:
    """A worker's processes, and the tasks at once within each."""
    return MISSING if processes is None or concurrency is None else f"{processes}×{concurrency}"


def duration(seconds: float) -> str:
    """Hours and minutes, minutes and seconds, or seconds."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
