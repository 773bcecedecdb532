"""How many stations are read and configured at the same time, so that a burst of them leaves the control loop its time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 8
STRANGERS_AT_ONCE = 2
"""Of stations that nobody approved, beside the others: however slowly they tell what they are, the site's own do not wait for them."""
SECONDS_EACH = 4.0
"""What reading and configuring one station takes, about."""


class Pace:
    """Lets a few stations through at a time, the others in the order in which they came."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """Let `at_once` through at a time."""
        self._turns = asyncio.Semaphore(at_once)
        self._at_once = at_once
        self._inside = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn, and take it."""
        self._inside += 1
        try:
            async with self._turns:
                yield
        finally:
            self._inside -= 1

    @property
    def wait_s(self) -> float:
        """How long one that came now would wait, about; nothing while not all turns are taken."""
        return max(0, self._inside + 1 - self._at_once) / self._at_once * SECONDS_EACH
