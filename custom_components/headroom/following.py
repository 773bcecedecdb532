"""Waiting for how something ends that a station does after it has said yes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from .coordinator import HeadroomCoordinator
from .csms.errors import CallTimeoutError
from .csms.events import StationEvent


class Told(Protocol):
    """An event about a request of ours; one without an id is taken for it."""

    @property
    def request_id(self) -> int | None:
        """The request's id."""


async def async_outcome[ToldT: Told](
    coordinator: HeadroomCoordinator,
    identity: str,
    begin: Callable[[], Awaitable[int]],
    wanted: Callable[[StationEvent], ToldT | None],
    timeout_s: float,
) -> ToldT:
    """Ask a station for something, and return the event that says how it ended; `wanted` picks it out.

    `begin` asks, and returns the request's id. Raises CallTimeoutError where nothing is told in time.
    """
    told: asyncio.Queue[ToldT] = asyncio.Queue()

    def follow(event: StationEvent) -> None:
        if (found := wanted(event)) is not None:
            told.put_nowait(found)

    # A station may tell the end before its answer was looked at.
    unfollow = coordinator.async_follow_station(identity, follow)
    try:
        request_id = await begin()
        async with asyncio.timeout(timeout_s):
            while (event := await told.get()).request_id not in (None, request_id):
                pass
    except TimeoutError as error:
        raise CallTimeoutError(f"{identity} did not tell how it ended") from error
    else:
        return event
    finally:
        unfollow()
