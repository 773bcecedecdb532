"""The two clocks the loop goes by, injected so that a year can pass in a minute."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol


class Clock(Protocol):
    """Monotonic time for everything the loop reckons; the wall clock only for what people and stations are told."""

    def monotonic(self) -> float:
        """Return seconds that never jump, the same ones the event loop's timers go by."""

    def utcnow(self) -> datetime:
        """Return the time of day, aware, in UTC."""


class LoopClock:
    """The running event loop's time and the computer's wall clock."""

    def monotonic(self) -> float:
        """Return the running loop's time."""
        return asyncio.get_running_loop().time()

    def utcnow(self) -> datetime:
        """Return the wall clock."""
        return datetime.now(UTC)


def wall_clock(clock: Clock, zone: tzinfo) -> Callable[[float], datetime]:
    """Return what tells the time of day in a zone at a moment of the clock's monotonic time, as the wall clock stands now."""
    now, utcnow = clock.monotonic(), clock.utcnow()
    return lambda at: (utcnow + timedelta(seconds=at - now)).astimezone(zone)
