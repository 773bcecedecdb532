"""An installer whose station fails at once: nobody else may wait for it."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

from custom_components.headroom.csms.errors import StationOfflineError
from custom_components.headroom.csms.station import Station
from custom_components.headroom.site.config import EvseConfig, EvseKey
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.installer import Installer
from custom_components.headroom.site.limits import Lease

TURNS = 1000


class Now:
    def monotonic(self) -> float:
        return 100.0

    def utcnow(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


class Deaf:
    """Every command to it fails before anything is sent, as at a station between its boot and its acceptance."""

    others = ()
    """It is not known to hold anything."""

    def __init__(self) -> None:
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        async def command(*args: Any, **more: Any) -> None:
            self.asked += 1
            raise StationOfflineError("not ready")

        return command


class Silent:
    def confirmed(self, evse: EvseState, latency_s: float) -> None: ...
    def failed(self, evse: EvseState) -> None: ...


async def test_a_station_that_fails_at_once_keeps_nobody_waiting(monkeypatch: Any) -> None:
    installer, deaf = Installer("CP1", Now(), Silent()), Deaf()
    installer.evses = [EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main")]
    monkeypatch.setattr(installer.obedience, "wants_proof", lambda evse, now: True)
    installer.evses[0].lease = Lease(transaction_id="1", limit_a=10.0, expires_at=160.0)
    installer.station = cast(Station, deaf)
    running = asyncio.create_task(installer.run())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    running.cancel()
    assert 0 < deaf.asked < 3
