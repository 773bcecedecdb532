"""How a meter that has to be asked is asked: at a steady pace, with patience when it is silent."""

import math

from .reading import MeterError, OnHealth, OnReading, Reading

BACKOFF_FIRST_S = 1.0
BACKOFF_LAST_S = 30.0


class Telling:
    """Hands on readings, and tells once that the meter broke and once that it is heard again."""

    def __init__(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Nothing is broken yet."""
        self._on_reading = on_reading
        self._on_health = on_health
        self._broken = False

    def heard(self, result: Reading | MeterError) -> None:
        """Hand it on, or tell of it if it is news."""
        if isinstance(result, Reading):
            if self._broken:
                self._broken = False
                self._on_health(None)
            self._on_reading(result)
        elif not self._broken:
            self._broken = True
            self._on_health(result)


def next_due(due: float, now: float, interval_s: float) -> float:
    """Return the next beat after `due` that is not over yet at `now`: beats missed are left out, the pace stays."""
    missed = max(0, math.ceil((now - due) / interval_s) - 1)
    return due + (1 + missed) * interval_s


def longer(delay_s: float) -> float:
    """Return how long to wait after one more failure, in seconds: 1, 2, 4 … 30, for ever."""
    return min(2 * delay_s, BACKOFF_LAST_S) or BACKOFF_FIRST_S
