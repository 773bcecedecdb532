"""How often the loop turns where very many stations speak up."""

import asyncio

from custom_components.headroom.csms.events import Metered
from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.metering.reading import Reading
from custom_components.headroom.site.config import EvseConfig, SiteConfig, StationConfig
from custom_components.headroom.site.site import Site
from simulator.virtual import run


def site_of(stations: int) -> Site:
    main = Circuit(circuit_id="main", name="Main", fuse_a=32.0, unmanaged_worst_a=(20.0, 20.0, 20.0), metered=True)
    names = [f"S{number}" for number in range(stations)]
    config = SiteConfig(
        circuits=(main,),
        stations={name: StationConfig(identity=name, name=name, circuit_id="main", evses=(EvseConfig(evse_id=1),)) for name in names},
    )
    return Site(config, station=lambda identity: None)


async def turns_in_ten_seconds(stations: int) -> int:
    """How often a site turns whose stations send a hundred messages a second, one by one, for ten seconds."""
    site = site_of(stations)
    site.start()
    for number in range(1000):
        site.handle(f"S{number % stations}", Metered(evse_id=1, samples=()))
        await asyncio.sleep(0.01)
    await site.stop()
    return site.turns


def test_a_small_site_turns_for_each_message_and_a_large_one_for_many_at_once() -> None:
    assert run(turns_in_ten_seconds(10)) >= 1000
    assert 20 <= run(turns_in_ten_seconds(500)) <= 50


def test_a_large_site_follows_each_reading_of_a_meter_within_half_a_second() -> None:
    async def story() -> None:
        site = site_of(500)
        site.start()
        loop = asyncio.get_running_loop()
        for _ in range(20):
            site.handle("S1", Metered(evse_id=1, samples=()))
            await asyncio.sleep(0.02)
            before, began_s = site.turns, loop.time()
            site.update_reading("main", Reading(current_a=(10.0, 10.0, 10.0), taken_at=began_s, source="test"))
            while site.turns == before:
                await asyncio.sleep(0.01)
            assert loop.time() - began_s < 0.5
            await asyncio.sleep(0.7)
        await site.stop()

    run(story())


def test_a_large_overload_is_not_kept_waiting_by_the_pause_of_a_large_site() -> None:
    async def story() -> None:
        site = site_of(500)
        site.start()
        loop = asyncio.get_running_loop()
        waits_s = {10.0: 0.0, 40.0: 0.0}
        for _ in range(10):
            for current_a in (10.0, 40.0):
                site.handle("S1", Metered(evse_id=1, samples=()))
                await asyncio.sleep(0.02)
                before, began_s = site.turns, loop.time()
                site.update_reading("main", Reading(current_a=(current_a,) * 3, taken_at=began_s, source="test"))
                while site.turns == before:
                    await asyncio.sleep(0.001)
                waits_s[current_a] = max(waits_s[current_a], loop.time() - began_s)
                await asyncio.sleep(0.7)
        await site.stop()
        assert waits_s[40.0] <= 0.01 < 0.1 < waits_s[10.0], waits_s

    run(story())
