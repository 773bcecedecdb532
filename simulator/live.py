"""A site in real time: its stations speak OCPP over WebSockets, its meter is a Modbus server."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from .client import Backoff
from .dialling import by_profile
from .driver import STEP_S, SiteDriver
from .faults import FaultEvent
from .meter import MeterKind, MeterServer
from .site import SimulatedSite, SiteSpec

LIVE_BACKOFF = Backoff(first_s=0.5, most_s=5.0, random_s=0.5)


@asynccontextmanager
async def live_site(
    spec: SiteSpec,
    csms_url: str,
    *,
    meter_host: str = "127.0.0.1",
    meter_port: int = 0,
    meter_kind: MeterKind = MeterKind.SDM630,
    faults: Iterable[FaultEvent] = (),
    step_s: float = STEP_S,
    backoff: Backoff = LIVE_BACKOFF,
) -> AsyncGenerator[SiteDriver]:
    """Open a site whose meter listens (`driver.meter.port`); `await driver.run()` lets it live.

    Raises RuntimeError where the meter's port is taken and ValueError where there is no such fault. A CSMS that is not there yet is dialled until it is.
    """
    meter = MeterServer(meter_kind)
    await meter.start(meter_host, meter_port)
    try:
        site = SimulatedSite(spec, _utc_now())
        yield SiteDriver(
            site, by_profile(site.stations, csms_url), meter=meter, step_s=step_s, backoff=backoff, faults=faults, clock=_utc_now
        )
    finally:
        await meter.stop()


def _utc_now() -> datetime:
    return datetime.now(UTC)
