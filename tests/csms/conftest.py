"""A running central system that admits whom the test says, and keeps every event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.headroom.csms.authorization import AuthorizationStatus, IdToken, IdTokenInfo
from custom_components.headroom.csms.events import Ready, StationEvent
from custom_components.headroom.csms.security.access import Access
from custom_components.headroom.csms.server import CentralSystem
from custom_components.headroom.csms.v201.station import V201Station
from custom_components.headroom.csms.v201.timing import Timing
from custom_components.headroom.csms.values import Admission

from .client import BOOT, Client

PATIENT = Timing(call_timeout_s=30, boot_wait_s=30, report_idle_s=30, inventory_s=30, authorize_s=30)
"""So that a busy machine makes no test fail."""
IMPATIENT = Timing(call_timeout_s=0.4, boot_wait_s=0.3, report_idle_s=0.2, inventory_s=1.0, authorize_s=0.5)
"""For tests in which something never comes."""


@dataclass
class House:
    """The central system and what it told."""

    admissions: dict[str, Admission] = field(default_factory=dict)
    tokens: dict[str, AuthorizationStatus] = field(default_factory=dict)
    asked: list[tuple[str, int | None, IdToken]] = field(default_factory=list)
    events: list[tuple[str, StationEvent]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    listener_error: Exception | None = None
    timing: Timing = PATIENT
    access: Access | None = None
    ahead: timedelta = timedelta()
    """How much later it is for the house than for the machine."""
    system: CentralSystem = field(init=False)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def admit(self, identity: str) -> Admission:
        return self.admissions.get(identity, Admission.ACCEPTED)

    async def authorize(self, identity: str, evse_id: int | None, token: IdToken) -> IdTokenInfo:
        self.asked.append((identity, evse_id, token))
        if self.hold is not None:
            await self.hold.wait()
        return IdTokenInfo(status=self.tokens[token.value])

    def on_event(self, identity: str, event: StationEvent) -> None:
        self.events.append((identity, event))
        asyncio.get_running_loop().call_soon(lambda: self._tasks.append(asyncio.ensure_future(self._notify())))
        if self.listener_error is not None:
            raise self.listener_error

    _tasks: list[Any] = field(default_factory=list)

    async def _notify(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def until(self, kind: type[Any], identity: str = "CP1", times: int = 1) -> Any:
        """Wait for the station's `times`-th event of this kind."""
        async with self.news:
            await self.news.wait_for(lambda: len(self.of(kind, identity)) >= times)
        return self.of(kind, identity)[times - 1]

    def of(self, kind: type[Any], identity: str = "CP1") -> list[Any]:
        return [event for who, event in self.events if who == identity and isinstance(event, kind)]

    def kinds(self, identity: str = "CP1") -> list[str]:
        return [type(event).__name__ for who, event in self.events if who == identity]

    @property
    def port(self) -> int:
        return self.system.port

    def station(self, identity: str = "CP1") -> V201Station:
        found = self.system.stations[identity]
        assert isinstance(found, V201Station)
        return found

    async def boot(self, client: Client, identity: str = "CP1") -> V201Station:
        """Take a station through its boot until it is ready."""
        times = len(self.of(Ready, identity)) + 1
        assert (await client.call("BootNotification", BOOT))["status"] == "Pending"
        await self.until(Ready, identity, times)
        return self.station(identity)

    def build(self, **changes: Any) -> CentralSystem:
        self.system = CentralSystem(
            admit=self.admit,
            authorize=self.authorize,
            on_event=self.on_event,
            now=lambda: datetime.now(UTC) + self.ahead,
            timing=replace(self.timing, **changes),
            access=self.access,
        )
        return self.system


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with running(House()) as house:
        yield house


@pytest.fixture
async def impatient() -> AsyncIterator[House]:
    async with running(House(timing=IMPATIENT)) as house:
        yield house


@asynccontextmanager
async def running(house: House) -> AsyncIterator[House]:
    await house.build().start("127.0.0.1", 0)
    try:
        yield house
    finally:
        await house.system.stop()
