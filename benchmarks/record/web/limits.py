"""What an endpoint of a web application bears: flat out, and at the highest rate at which it answers in time. Pure arithmetic."""

from collections.abc import Mapping, Sequence

from benchmarks.arithmetic import ratio
from benchmarks.record.rate_search import capacity_of
from benchmarks.record.run_data import Measures, PhaseData
from benchmarks.record.web.application import web_cpu_s
from benchmarks.record.web.requests import AnsweredStep, answered_per_s, client_busy_percent, web_busy_percent


def limit_columns(endpoint: str) -> Mapping[str, str]:
    """The columns of :func:`limit_measures`."""
    return {
        f"{endpoint}_flat_out_per_s": f"requests to {endpoint} answered a second, sent as fast as they are answered",
        f"{endpoint}_service_level_per_s": f"highest rate tried at which {endpoint} held the service level, 1/s",
        f"{endpoint}_service_level_p99_ms": f"p99 of a request to {endpoint} at that rate",
        f"{endpoint}_web_busy_percent": f"CPU of the application over the requests to {endpoint} flat out, 100 = one core",
        f"{endpoint}_client_busy_percent": "CPU of the client over the same",
        f"{endpoint}_web_cpu_s_per_1000": f"CPU seconds of the application for 1,000 requests to {endpoint}, flat out",
    }


def limit_measures(endpoint: str, flat: PhaseData | None, steps: Sequence[AnsweredStep]) -> Measures:
    """From the phase in which it was sent requests flat out, and the rates that were tried; what there is not is left out."""
    found: dict[str, float | int | None] = {}
    if flat is not None:
        cpu_s = web_cpu_s(flat)
        found |= {
            f"{endpoint}_flat_out_per_s": answered_per_s(flat.tasks),
            f"{endpoint}_web_busy_percent": web_busy_percent(flat),
            f"{endpoint}_client_busy_percent": client_busy_percent(flat),
            f"{endpoint}_web_cpu_s_per_1000": ratio(None if cpu_s is None else 1000 * cpu_s, flat.account.acknowledged),
        }
    best, _ = capacity_of(steps)
    if best is not None:
        found |= {f"{endpoint}_service_level_per_s": best.rate_per_s, f"{endpoint}_service_level_p99_ms": best.p99_ms}
    return found
