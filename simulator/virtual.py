"""An event loop whose clock jumps: a day of charging passes as fast as it can be reckoned, and every run is the same.

When nothing is ready the clock goes to the next timer at once. That suits code which waits for timers, queues and memory transports;
over real sockets, or with threads, time would run away while an answer is on its way.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
import selectors
from typing import Any

START = datetime(2026, 1, 1, tzinfo=UTC)


class NothingLeftError(RuntimeError):
    """Everything waits for something that can never come: there is no timer and nothing is ready."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits. Where nothing is ready, the time it was to wait has passed."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise NothingLeftError("nothing is ready and no timer is set")
            self.now_s += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in simulated time, from 0 s on."""

    def __init__(self) -> None:
        """Start at 0 s."""
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self._jumping.now_s

    def leap(self, seconds: float) -> None:
        """Let time pass in which nobody does anything, as while a machine sleeps: every timer that falls due meanwhile rings once, after it."""
        self._jumping.now_s += max(0.0, seconds)


def run[T](main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in simulated time; raises NothingLeftError where it would wait for ever."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def wall_clock(start: datetime = START) -> Callable[[], datetime]:
    """Return a clock that shows `start` now and goes with the running loop's time."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    return lambda: start + timedelta(seconds=loop.time() - began_s)
