"""How the mock API treats a request: what the parameters ask for, and what follows from seed and id. Pure functions.

============ ======== ===================================================================================================
parameter    default  meaning
============ ======== ===================================================================================================
ms           (set up) mean latency in milliseconds, 0 to 600,000
distribution fixed    ``fixed``: every request takes the mean; ``lognormal``: log-normal with that mean
sigma        0.5      of the log-normal: the standard deviation of the latency's logarithm, 0 to 2
error_rate   0 or 1   share of the ids that fail; 1 where only ``fail`` is given
fail         always   ``always``: these ids fail at every request; ``once``: at their first request only
status       503      status of a failure, 400 to 599
seed         (set up) 0 to 2**64 - 1
id_parts     0        what is drawn follows from so many of the id's last parts (between hyphens); 0: from the whole id
============ ======== ===================================================================================================
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from statistics import NormalDist

_NORMAL = NormalDist()
_UNIT = 1.0 / (1 << 53)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a request asks for; the fields are the parameters of this module's table."""

    ms: float
    seed: int
    distribution: str = "fixed"
    sigma: float = 0.5
    error_rate: float = 0.0
    fail: str = "always"
    status: int = 503
    id_parts: int = 0

    @property
    def depends_on_id(self) -> bool:
        """Whether two requests that ask for this may be treated differently."""
        return self.distribution != "fixed" or self.error_rate > 0


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    parse.__doc__ = f"a number from {low:g} to {high:g}"
    return parse


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    parse.__doc__ = f"a whole number from {low} to {high}"
    return parse


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    parse.__doc__ = f"one of {', '.join(choices)}"
    return parse


PARAMETERS: Mapping[str, Callable[[str], float | int | str]] = {
    "ms": _number(0, 600_000),
    "seed": _integer(0, 2**64 - 1),
    "distribution": _choice("fixed", "lognormal"),
    "sigma": _number(0, 2),
    "error_rate": _number(0, 1),
    "fail": _choice("once", "always"),
    "status": _integer(400, 599),
    "id_parts": _integer(0, 16),
}
assert PARAMETERS.keys() == {f.name for f in fields(Behaviour)}


def parse_value(name: str, text: str) -> float | int | str:
    """One parameter's value. Raises ValueError saying what the parameter takes."""
    parse = PARAMETERS[name]
    try:
        return parse(text)
    except ValueError:
        raise ValueError(f"{name}={text!r} is not {parse.__doc__}") from None


def parse_behaviour(parameters: Mapping[str, str], default_ms: float, default_seed: int) -> Behaviour:
    """What these parameters ask for. Raises ValueError for an unknown parameter or a value that it cannot have."""
    unknown = sorted(parameters.keys() - PARAMETERS.keys())
    if unknown:
        raise ValueError(f"unknown parameter {unknown[0]!r}; there are id, {', '.join(PARAMETERS)}")
    values: dict[str, float | int | str] = {"ms": default_ms, "seed": default_seed}
    if "fail" in parameters:
        values["error_rate"] = 1.0
    values |= {name: parse_value(name, text) for name, text in parameters.items()}
    return Behaviour(**values)  # type: ignore[arg-type]


def uniforms(seed: int, request_id: bytes) -> tuple[float, float]:
    """Two independent uniform numbers in (0, 1), a pure function of seed and id: the halves of a keyed hash."""
    digest = blake2b(request_id, digest_size=16, salt=seed.to_bytes(16, "little")).digest()
    first, second = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
    return ((first >> 11) + 0.5) * _UNIT, ((second >> 11) + 0.5) * _UNIT


def _drawn(behaviour: Behaviour, request_id: bytes) -> tuple[float, float]:
    return uniforms(behaviour.seed, b"-".join(request_id.split(b"-")[-behaviour.id_parts :]))


def latency_ms(behaviour: Behaviour, request_id: bytes) -> float:
    """The latency that this request is to have.

    Log-normal by inversion: ``ms * exp(sigma * z - sigma**2 / 2)`` has the mean ``ms`` for a standard normal ``z`` (Johnson,
    Kotz and Balakrishnan, Continuous Univariate Distributions 1, chapter 14), so that slots divided by latency remains the
    ideal throughput whatever the sigma.
    """
    if behaviour.distribution == "fixed":
        return behaviour.ms
    z = _NORMAL.inv_cdf(_drawn(behaviour, request_id)[0])
    return behaviour.ms * math.exp(behaviour.sigma * z - behaviour.sigma**2 / 2)


def is_failing(behaviour: Behaviour, request_id: bytes) -> bool:
    """Whether this id is among those that fail (``fail`` says how often)."""
    return behaviour.error_rate > 0 and _drawn(behaviour, request_id)[1] < behaviour.error_rate
