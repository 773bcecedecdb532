"""A site with one station at work in simulated time, before a central system of the tests' own."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from simulator.car import CarSpec
from simulator.client import Backoff
from simulator.driver import SiteDriver
from simulator.evse import Evse, token
from simulator.factory import EvseSpec, StationSpec
from simulator.site import CircuitSpec, SimulatedSite, SiteSpec, Visit
from simulator.station import StationModel
from simulator.timestamps import written
from simulator.virtual import START, run

from .csms import TinyCsms

CAR = CarSpec(name="car", battery_kwh=100.0, phases=3, max_a=32.0)
SPEC = SiteSpec(
    circuits=(CircuitSpec(circuit_id="main", fuse_a=100.0),),
    stations=(StationSpec(identity="CP1", evses=(EvseSpec(evse_id=1), EvseSpec(evse_id=2, rotation="L2L3L1"))),),
    visits=(Visit(comes_s=5.0, station="CP1", evse_id=1, car=CAR, token=token("DEMO")),),
)


class Run:
    """A running site with one station."""

    def __init__(self, driver: SiteDriver, csms: TinyCsms) -> None:
        self.driver, self.csms = driver, csms
        self.site: SimulatedSite = driver.site

    @property
    def station(self) -> StationModel:
        return self.site.stations["CP1"]

    @property
    def evse(self) -> Evse:
        return self.station.evses[1]

    async def call(self, action: str, **payload: Any) -> Any:
        return await self.csms.call("CP1", action, payload)

    def heard(self, action: str) -> list[dict[str, Any]]:
        """What the station sent of a kind."""
        return [payload for one, payload in self.csms.heard if one == action]

    async def hear(self, action: str, count: int = 1) -> dict[str, Any]:
        """Wait for the message of that number of a kind."""
        await self.csms.until(lambda: self.csms.count(action) >= count)
        return self.heard(action)[count - 1]

    async def charging(self) -> str:
        """Wait until the car charges; returns the transaction's id."""
        await self.csms.until(lambda: any(e["transactionInfo"].get("chargingState") == "Charging" for e in self.csms.events()))
        transaction_id = self.csms.events("Started")[0]["transactionInfo"]["transactionId"]
        assert isinstance(transaction_id, str)
        return transaction_id

    def limit(self, profile_id: int, purpose: str, limit: float, **more: Any) -> dict[str, Any]:
        schedule = {
            "id": profile_id,
            "startSchedule": written(START),
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        }
        return {
            "id": profile_id,
            "stackLevel": 0,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Absolute",
            "chargingSchedule": [schedule],
        } | more

    async def install(self, evse_id: int, profile: dict[str, Any]) -> str:
        answer = await self.call("SetChargingProfile", evseId=evse_id, chargingProfile=profile)
        return str(answer["status"])


@asynccontextmanager
async def running(csms: TinyCsms, spec: SiteSpec = SPEC) -> AsyncGenerator[Run]:
    backoff = Backoff(first_s=1.0, most_s=4.0, random_s=0.0)
    driver = SiteDriver(SimulatedSite(spec, START), csms.connect, backoff=backoff)
    task = asyncio.ensure_future(driver.run())
    try:
        yield Run(driver, csms)
        assert not task.done() or task.result() is None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert driver.violations == []


def simulate(test: Callable[[Run], Awaitable[None]], csms: Callable[[], TinyCsms] = TinyCsms, spec: SiteSpec = SPEC) -> None:
    async def main() -> None:
        async with running(csms(), spec) as one:
            await test(one)

    run(main())


def site_of(station: StationSpec, *visits: Visit) -> SiteSpec:
    """A site with this station only."""
    return SiteSpec(circuits=SPEC.circuits, stations=(station,), visits=visits)
