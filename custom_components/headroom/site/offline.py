"""Keeps what stations go by while they are alone in step with the site's policy: their lists, caches and settings."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import logging

from ..csms.authorization import ListSent, OfflineAuthorization
from ..csms.errors import StationError, StationOfflineError
from ..csms.station import Station
from ..csms.validation import PayloadError

_LOGGER = logging.getLogger(__name__)

RETRY_S = 30.0
RETRY_MOST_S = 1800.0
"""A station that takes no list is tried again after 30 s, then after twice as long each time up to this."""


@dataclass(slots=True)
class _Kept:
    """One station: its open connection, and whether it may hold something else than it should."""

    station: Station | None = None
    told: OfflineAuthorization | None = None
    version: int = -1
    """Of the wish that `told` fulfils."""
    failing: bool = False
    asked: list[asyncio.Future[ListSent]] = field(default_factory=list)
    """Who waits for its whole list to be sent again."""
    task: asyncio.Task[None] | None = None
    woken: asyncio.Event | None = None


class Keeper:
    """One task for each station that has something to be told; one station's failure is that station's alone."""

    def __init__(
        self,
        wanted: Callable[[str], OfflineAuthorization],
        guarded: Callable[[str], Awaitable[object]],
        on_health: Callable[[str, bool], None] = lambda identity, outdated: None,
    ) -> None:
        """`wanted` gives what a station is to go by; `guarded` waits until its limits are installed, which go first.

        `on_health` is told when a station could not be told and goes by something else, and when it was told after all.
        """
        self._wanted = wanted
        self._guarded = guarded
        self._on_health = on_health
        self._stations: dict[str, _Kept] = {}
        self._version = 0

    def connected(self, identity: str, station: Station) -> None:
        """A station is ready for commands: nobody knows what it holds."""
        kept = self._stations.setdefault(identity, _Kept())
        kept.station, kept.told, kept.version = station, None, -1
        self._wake(identity, kept)

    def disconnected(self, identity: str) -> None:
        """A station is gone."""
        if (kept := self._stations.get(identity)) is not None:
            kept.station = None
            if kept.task is not None:
                kept.task.cancel()
            _refuse(kept, StationOfflineError(f"{identity} went away"))

    def changed(self, version: int) -> None:
        """Tell every station where `version`, the number of the wish, is another than last time."""
        if version == self._version:
            return
        self._version = version
        for identity, kept in self._stations.items():
            if kept.station is not None:
                self._wake(identity, kept)

    async def send_again(self, identity: str) -> ListSent:
        """Send a station its whole list, whatever it is thought to hold, as soon as it may be told. Raises StationError."""
        kept = self._stations.get(identity)
        if kept is None or kept.station is None:
            raise StationOfflineError(f"{identity} is not ready")
        sent: asyncio.Future[ListSent] = asyncio.get_running_loop().create_future()
        kept.asked.append(sent)
        self._wake(identity, kept)
        return await sent

    async def stop(self) -> None:
        """Stop telling; stations keep what they hold."""
        for identity, kept in self._stations.items():
            _refuse(kept, StationOfflineError(f"{identity} is not led any more"))
        tasks = [kept.task for kept in self._stations.values() if kept.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._stations.clear()

    def _wake(self, identity: str, kept: _Kept) -> None:
        if kept.task is not None and not kept.task.done() and not kept.task.cancelling():
            if kept.woken is not None:
                kept.woken.set()
            return
        kept.task = asyncio.get_running_loop().create_task(self._keep(identity, kept), name=f"headroom tokens of {identity}")

    async def _keep(self, identity: str, kept: _Kept) -> None:
        kept.woken = asyncio.Event()
        retry_s = RETRY_S
        await self._guarded(identity)
        while kept.station is not None and (kept.asked or kept.version != self._version):
            kept.woken.clear()
            version, wanted = self._version, self._wanted(identity)
            if kept.asked:
                await _send_whole(kept, kept.station, wanted)
            try:
                if kept.told != wanted:
                    await kept.station.authorization.keep(wanted)
            except StationOfflineError:
                return  # it will be ready again
            except (StationError, PayloadError, ValueError) as error:
                if not kept.failing:
                    _LOGGER.warning("Station %s could not be told who may charge while it is alone: %s", identity, error)
                    kept.failing = True
                    self._on_health(identity, True)
                await self._pause(kept.woken, retry_s)
                retry_s = min(2 * retry_s, RETRY_MOST_S)
                continue
            if kept.failing:
                _LOGGER.info("Station %s goes by the site's tokens again", identity)
                kept.failing = False
                self._on_health(identity, False)
            kept.told, kept.version, retry_s = wanted, version, RETRY_S

    async def _pause(self, woken: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return


async def _send_whole(kept: _Kept, station: Station, wanted: OfflineAuthorization) -> None:
    """Send the list to those who wait for it; where it fails it is they who are told, and what the station holds is looked at anew."""
    asked = tuple(kept.asked)
    try:
        sent = await station.authorization.send_list(wanted)
    except (StationError, PayloadError, ValueError) as error:
        kept.told, kept.version = None, -1
        _refuse(kept, error)
        return
    for waiting in asked:
        kept.asked.remove(waiting)
        if not waiting.done():
            waiting.set_result(sent)


def _refuse(kept: _Kept, error: Exception) -> None:
    for waiting in kept.asked:
        if not waiting.done():
            waiting.set_exception(error)
    kept.asked.clear()
