"""How a station that was removed is parted with: told to let nothing flow while it can be told, and reckoned with as long as it may."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from .grounds import Grounds

PART_S = 60.0
"""So long a station that was removed is waited for to hold nothing any more: its answers may take half a minute, and its cars have to follow."""


class Parting(Grounds):
    """A site that stations leave."""

    async def part(self, identity: str) -> None:
        """Wait until a station that was removed holds nothing any more and its cars were seen to follow; no longer than that may take.

        What it holds after that, it goes on to hold: it stays reserved until a person says that the station is off (`let_go`).
        """
        if self.mode.silent:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PART_S):
                await self.leaving.wait(identity)

    def let_go(self, leaver: str) -> None:
        """Reckon no more with a station or an EVSE that was removed: it holds nothing, or a person says that it is off."""
        self.config = replace(self.config, stations=self.approved)
        self.leaving.forget(leaver)
        self.configure(self.config)
        self._on_memory()
