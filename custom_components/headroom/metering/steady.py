"""Holds back what one reading alone says and no second one does: a spike.

A rise is believed at once, for it may be an overload, unless it is one that no building makes. A fall frees current for cars, so a
great one (import that turns into export because a sign flipped is the greatest) waits for the next reading to say the same.
"""

import asyncio
from dataclasses import dataclass

from ..engine.model import PerPhase
from .reading import Meter, MeterError, OnHealth, OnReading, Reading

RISE_BY_FUSE = 3.0
"""A breaker carries three times its rating for seconds (IEC 60898-1, figure of the tripping characteristic): one reading is less."""
FALL_BY_FUSE = 1.0
"""Cars that all stop at once drop the site by less than its fuse."""

ANOTHER_AFTER_S = 0.1
"""Sooner it is the same reading, told in pieces, as entities tell theirs."""
CONFIRMED_AFTER_S = 5.0
"""A source that speaks only when something changes has nothing to add to what holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """The last reading that was believed, and one that waits for its confirmation."""

    believed_a: PerPhase | None = None
    waiting_a: PerPhase | None = None
    waiting_since: float = 0.0


def settle(before: Steady, current_a: PerPhase, fuse_a: float, now: float) -> tuple[Steady, bool]:
    """Return what is remembered after this reading, which came at `now` in seconds, and whether it is believed."""
    reference = before.believed_a
    if reference is None or not _leaps(reference, current_a, fuse_a):
        return Steady(believed_a=current_a), True
    if before.waiting_a is None or _leaps(before.waiting_a, current_a, fuse_a):
        return Steady(believed_a=reference, waiting_a=current_a, waiting_since=now), False
    if now - before.waiting_since < ANOTHER_AFTER_S:
        return Steady(believed_a=reference, waiting_a=current_a, waiting_since=before.waiting_since), False
    return Steady(believed_a=current_a), True


def _leaps(before_a: PerPhase, after_a: PerPhase, fuse_a: float) -> bool:
    return any(
        after - before > RISE_BY_FUSE * fuse_a or before - after > FALL_BY_FUSE * fuse_a
        for before, after in zip(before_a, after_a, strict=True)
    )


class SteadyMeter:
    """A meter without its spikes. What is held back is not handed on; the last reading grows old meanwhile."""

    def __init__(self, meter: Meter, fuse_a: float) -> None:
        """`fuse_a` is the rating of the fuse behind which the meter sits."""
        self._meter = meter
        self._fuse_a = fuse_a

    async def probe(self) -> Reading:
        """Take one reading now, as it is; raises MeterError."""
        return await self._meter.probe()

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Hand on the readings that are believed, until cancelled.

        One that nothing follows is believed after CONFIRMED_AFTER_S, unless the meter broke meanwhile: that silence says nothing.
        """
        loop = asyncio.get_running_loop()
        steady = Steady()
        silence: asyncio.TimerHandle | None = None

        def confirm(reading: Reading) -> None:
            nonlocal steady
            steady = Steady(believed_a=reading.current_a)
            on_reading(reading)

        def heard(reading: Reading) -> None:
            nonlocal steady, silence
            if silence is not None:
                silence.cancel()
            steady, believed = settle(steady, reading.current_a, self._fuse_a, loop.time())
            if believed:
                on_reading(reading)
            else:
                silence = loop.call_later(CONFIRMED_AFTER_S, confirm, reading)

        def ailing(error: MeterError | None) -> None:
            nonlocal steady
            if error is not None and silence is not None:
                silence.cancel()
                steady = Steady(believed_a=steady.believed_a)
            on_health(error)

        try:
            await self._meter.run(heard, ailing)
        finally:
            if silence is not None:
                silence.cancel()
