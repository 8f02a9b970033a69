"""What queueing theory says of one server: the answers that the lab's own measurements are checked against."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def lindley_waits_s(arrivals_s: Floats, services_s: Floats) -> Floats:
    """The wait of every customer of a first-come-first-served single server, ``W[n+1] = max(0, W[n] + S[n] - A[n+1])`` with the
    gaps A between arrivals (Lindley, "The theory of queues with a single server", 1952). ``arrivals_s`` ascend."""
    waits = np.zeros(len(arrivals_s))
    for n in range(1, len(arrivals_s)):
        waits[n] = max(0.0, waits[n - 1] + services_s[n - 1] - (arrivals_s[n] - arrivals_s[n - 1]))
    return waits


def pollaczek_khinchine_mean_wait_s(rate_per_s: float, services_s: Floats) -> float:
    """The mean wait in an M/G/1 queue, ``λ E[S²] / (2 (1 - λ E[S]))`` (Pollaczek 1930, Khinchine 1932). Raises ValueError for a
    queue that has no steady state."""
    load = rate_per_s * float(services_s.mean())
    if load >= 1:
        raise ValueError(f"at {rate_per_s}/s the server is loaded to {load:.2f}: the queue grows for ever")
    return rate_per_s * float(np.square(services_s).mean()) / (2 * (1 - load))


def dispatch_s(arrivals_s: Floats, starts_s: Floats, ends_s: Floats) -> Floats:
    """How long each customer waited beyond what Lindley's recursion explains: from when it was there and the server free to
    when it was served. ``starts_s`` ascend, as on a first-come-first-served server; negative values would mean that two
    customers were served at once, or one before it came."""
    free_s = np.concatenate([arrivals_s[:1], ends_s[:-1]])
    waited: Floats = starts_s - np.maximum(arrivals_s, free_s)
    return waited


def batch_mean_interval(values: Floats, batches: int = 20) -> tuple[float, float]:
    """The mean of a correlated series and half the width of its 95 % interval, from the means of ``batches`` stretches of it
    (Law, "Simulation Modeling and Analysis", chapter 9.5.3)."""
    from scipy import stats

    means = np.array([part.mean() for part in np.array_split(values, batches)])
    half = float(stats.t.ppf(0.975, batches - 1)) * float(means.std(ddof=1)) / batches**0.5
    return float(values.mean()), half
