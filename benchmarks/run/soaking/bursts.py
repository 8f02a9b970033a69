"""Whether the worker catches up after each burst before the next."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bursts:
    """A burst is over once its last task is sent, and made up for once no more tasks are under way than the worker has slots."""

    slots: int
    judged: int = 0
    """Bursts of which it is known."""
    emptied: int = 0
    longest_s: float | None = None
    _over_since_s: float | None = None
    _was_bursting: bool = False

    def look(self, at_s: float, *, is_bursting: bool, outstanding: int) -> None:
        """Take in how it is at a moment of the soak's load."""
        if is_bursting and not self._was_bursting and self._over_since_s is not None:
            self.judged += 1
            self._over_since_s = None
        if self._was_bursting and not is_bursting:
            self._over_since_s = at_s
        self._was_bursting = is_bursting
        if self._over_since_s is not None and outstanding <= self.slots:
            took_s = at_s - self._over_since_s
            self.judged += 1
            self.emptied += 1
            self.longest_s = max(took_s, self.longest_s or 0.0)
            self._over_since_s = None
