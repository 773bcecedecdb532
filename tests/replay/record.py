"""Makes a capture of a simulated station: `python -m tests.replay.record QUIRK NAME` (the quirks are those of simulator/quirky.py).

A car comes, charges under a fallback and a lease, and leaves; profiles are asked for. What a real station said is better: see docs/development.md.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import sys

from custom_components.headroom.csms.authorization import AuthorizationStatus
from custom_components.headroom.csms.errors import StationError
from custom_components.headroom.csms.events import Disconnected, TransactionEvent
from custom_components.headroom.csms.values import TransactionPhase
from simulator.car import CarSpec
from simulator.evse import token
from simulator.factory import StationSpec
from simulator.live import live_site
from simulator.quirky import KINDS, quirky
from simulator.site import CircuitSpec, SiteSpec, Visit
from tests.csms.conftest import PATIENT, House, running

CAPTURES = Path(__file__).parent / "captures"
CAR = CarSpec(name="car", battery_kwh=100.0, phases=3, max_a=32.0)


async def record(kind: str, name: str) -> None:
    """Let a station of that kind live for a while, and write what was said."""
    spec = quirky(kind, name) if kind in KINDS else StationSpec(identity=name)
    site = SiteSpec(
        circuits=(CircuitSpec(circuit_id="main", fuse_a=100.0),),
        stations=(spec,),
        visits=(Visit(comes_s=4.0, station=name, evse_id=1, car=CAR, token=token("DEMO")),),
    )
    house = House(tokens={"DEMO": AuthorizationStatus.ACCEPTED}, timing=replace(PATIENT, report_idle_s=1.0))
    async with running(house), live_site(site, f"ws://127.0.0.1:{house.port}") as driver:
        living = asyncio.create_task(driver.run())
        started = await house.until(TransactionEvent, name)
        station = house.station(name)
        for command in (
            station.install_fallback(1, 6.0),
            station.install_lease(1, started.transaction_id, 10.0, datetime.now(UTC) + timedelta(seconds=60), fallback_a=6.0),
            station.get_charging_profiles(),
            station.stop_transaction(started.transaction_id),
        ):
            try:
                await command
            except StationError as error:
                print(f"{name}: {error}", file=sys.stderr)
        while not any(event.phase is TransactionPhase.ENDED for event in house.of(TransactionEvent, name)):
            await house.until(TransactionEvent, name, len(house.of(TransactionEvent, name)) + 1)
        lines = house.system.memories[name].frames.lines()
        await house.system.disconnect(name, "recorded")
        await house.until(Disconnected, name)
        living.cancel()
    CAPTURES.mkdir(exist_ok=True)
    rows = ",\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    (CAPTURES / f"{name}.json").write_text(f'{{"frames": [\n{rows}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(record(*sys.argv[1:3]))
