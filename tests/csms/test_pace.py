"""A burst of stations is read and configured a few at a time, and all of them get ready."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from custom_components.headroom.csms.events import Ready
from custom_components.headroom.csms.pace import AT_ONCE
from custom_components.headroom.csms.security.access import Access
from custom_components.headroom.csms.security.throttle import Limits
from custom_components.headroom.csms.v201.timing import Timing
from custom_components.headroom.csms.values import Admission

from .client import BOOT, station
from .conftest import House, running

STATIONS = 200
PATIENT = Timing(call_timeout_s=120, boot_wait_s=120, report_idle_s=120, inventory_s=240)


async def test_two_hundred_stations_boot_at_once() -> None:
    reading = most = 0
    many = Access(
        monotonic=asyncio.get_running_loop().time,
        sleep=asyncio.sleep,
        limits=Limits(connections=2 * STATIONS, strangers_per_address=2 * STATIONS),
    )

    async def one(house: House, identity: str) -> None:
        async with station(house.port, identity) as client:
            report = client.answers["GetBaseReport"]

            def begin(payload: Mapping[str, Any]) -> Any:
                nonlocal reading, most
                reading += 1
                most = max(most, reading)
                assert callable(report)
                return report(payload)

            def end(payload: Mapping[str, Any]) -> Any:
                nonlocal reading
                if payload["requestedMessage"] == "BootNotification":
                    reading -= 1
                return client._trigger(payload)

            client.answers |= {"GetBaseReport": begin, "TriggerMessage": end}
            await house.boot(client, identity)

    async with running(House(timing=PATIENT, access=many)) as house:
        identities = [f"S{number}" for number in range(STATIONS)]
        await asyncio.gather(*(one(house, identity) for identity in identities))
        assert all(len(house.of(Ready, identity)) == 1 for identity in identities)
    assert 1 < most <= AT_ONCE


async def test_strangers_that_never_finish_hold_no_station_of_the_site_up() -> None:
    strangers = {f"N{number}": Admission.PENDING for number in range(AT_ONCE)}
    slow = Timing(call_timeout_s=600, boot_wait_s=600, report_idle_s=600, inventory_s=600)
    async with running(House(timing=slow, admissions=strangers)) as house, AsyncExitStack() as stack:
        for identity in strangers:
            stranger = await stack.enter_async_context(station(house.port, identity))
            stranger.answers["GetBaseReport"] = {"status": "Accepted"}  # and nothing comes of it
            assert (await stranger.call("BootNotification", BOOT))["status"] == "Pending"
        await stranger.call("BootNotification", BOOT)  # what follows the first has begun everywhere
        async with station(house.port, "CP1") as client, asyncio.timeout(30):
            await house.boot(client)
