"""What a load manager must survive, with Home Assistant, stations, cars and a meter at work over real sockets, in real time.

Each test breaks one thing of a running site. Whatever happens, no breaker trips, no conductor is over its limit for longer than cars and
stations take to follow, and nothing is sent against OCPP; `site` sees to that at the end of each.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.engine.model import ReasonCode
from custom_components.headroom.site.config import EvseKey
from custom_components.headroom.site.snapshot import EvseSnapshot, SiteSnapshot
from simulator.building import StepLoad
from simulator.car import CarSpec
from simulator.client import Backoff
from simulator.driver import SiteDriver
from simulator.electrical import PerPhase
from simulator.evse import token
from simulator.factory import EvseSpec, StationSpec
from simulator.meter import MeterServer, MeterValues
from simulator.site import CircuitSpec, SimulatedSite, SiteSpec, Visit
from simulator.transport import websocket

LIMIT_A = 38.0
WORST_A = 20.0
LEFT, RIGHT_1, RIGHT_2 = EvseKey("CP1", 1), EvseKey("CP2", 1), EvseKey("CP2", 2)
CALM_A, BUSY_A = 2.0, 18.0
FALLBACK_A = 6.0
"""What the worst case leaves each: a car that comes has it at once."""
WITHIN_S = 30.0
OVER_LIMIT_S = 5.0
"""A reading each second, a turn, the stations' answers, and a car that follows within a tenth of a second, on a machine with other work."""

DISOBEDIENT_S = 15.0
"""A car that draws more than it may is given seven seconds to come down, before others make room for it."""


class Building(StepLoad):
    """A building that draws what a test says, the same on all phases."""

    now_a = CALM_A

    def current_a(self, at_s: float) -> PerPhase:
        return (self.now_a, self.now_a, self.now_a)


class World:
    """The site as it is, and what Home Assistant knows of it."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, driver: SiteDriver, building: Building) -> None:
        self.hass, self.entry, self.driver, self.building = hass, entry, driver, building
        self.over_limit_s = OVER_LIMIT_S

    @property
    def shown(self) -> SiteSnapshot:
        snapshot: SiteSnapshot = self.entry.runtime_data.data
        return snapshot

    def evse(self, key: EvseKey) -> EvseSnapshot:
        return self.shown.evses[key]

    def draw_a(self, key: EvseKey) -> float:
        return self.driver.site.stations[key.station].evses[key.evse_id].car_state.draw_a

    @property
    def highest_a(self) -> float:
        """What the fullest conductor of the main fuse carries."""
        return max(self.driver.site.current_a["main"])

    def repairs(self) -> set[str]:
        """The translation keys of what a person has to see to."""
        return {
            issue.translation_key or ""
            for (domain, _), issue in ir.async_get(self.hass).issues.items()
            if domain == DOMAIN and issue.active
        }

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for something that a step of the world brings."""
        news = asyncio.Event()

        def stepped(_: SimulatedSite) -> None:
            news.set()

        self.driver.on_step.append(stepped)
        try:
            async with asyncio.timeout(WITHIN_S):
                while not condition():
                    news.clear()
                    await news.wait()
        except TimeoutError:
            raise AssertionError(f"not seen: {what}; {self.driver.site.current_a['main']} A, {self.repairs()}") from None
        finally:
            self.driver.on_step.remove(stepped)

    async def steps(self, seconds: float) -> None:
        """Let so much of the world's time pass."""
        ends_s = self.driver.site.time_s + seconds
        await self.until(lambda: self.driver.site.time_s >= ends_s, f"{seconds} s")

    async def charge(self, *keys: EvseKey, **car: Any) -> None:
        """Plug cars in, and see them charge as fast as they may."""
        for key in keys:
            phases = 1 if key == RIGHT_2 else 3
            spec = CarSpec(
                **({"name": str(key), "battery_kwh": 100.0, "phases": phases, "max_a": 32.0, "wake_s": 0.0, "response_s": 0.1} | car)
            )
            self.driver.site.plug_in(Visit(comes_s=0.0, station=key.station, evse_id=key.evse_id, car=spec, token=token("CARD"), soc=0.3))
        await self.until(lambda: all(self.draw_a(key) > 5.0 for key in keys) and self.highest_a > 0.85 * LIMIT_A, "full")


@pytest.fixture
async def meter() -> AsyncGenerator[MeterServer]:
    """The site's meter, a real Modbus server."""
    server = MeterServer()
    server.values = MeterValues(current_a=(CALM_A, CALM_A, CALM_A), power_w=(CALM_A * 230,) * 3)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def meter_data(meter: MeterServer) -> dict[str, Any]:
    return {"type": "modbus", "model": "eastron_sdm630", "host": "127.0.0.1", "port": meter.port, "unit_id": 1, "invert": False}


@pytest.fixture
async def site(hass: HomeAssistant, meter: MeterServer, init_integration: MockConfigEntry) -> AsyncGenerator[World]:
    building = Building()
    spec = SiteSpec(
        circuits=(
            CircuitSpec(circuit_id="main", fuse_a=40.0, limit_a=LIMIT_A, load=building),
            CircuitSpec(circuit_id="garage", parent_id="main", fuse_a=32.0, limit_a=31.0),
        ),
        stations=(
            StationSpec(identity="CP1", circuit_id="garage", evses=(EvseSpec(evse_id=1, rotation="L2L3L1"),)),
            StationSpec(identity="CP2", evses=(EvseSpec(evse_id=1, max_a=16.0), EvseSpec(evse_id=2, rotation="L3"))),
        ),
    )
    backoff = Backoff(first_s=0.05, most_s=0.1, random_s=0.0)
    connect = websocket(f"ws://127.0.0.1:{init_integration.data['port']}")
    driver = SiteDriver(SimulatedSite(spec, datetime.now(UTC)), connect, meter=meter, backoff=backoff, clock=lambda: datetime.now(UTC))
    world = World(hass, init_integration, driver, building)
    running = asyncio.create_task(driver.run())
    try:
        await world.until(
            lambda: running.done() or all(evse.fallback_a is not None for evse in world.shown.evses.values()), "fallbacks confirmed"
        )
        yield world
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert driver.site.recorder.trips == 0
    assert driver.site.recorder.max_overload_s <= world.over_limit_s
    assert not driver.violations, [violation.text for violation in driver.violations]


def impatient(world: World) -> None:
    """Have a meter count as lost after two seconds rather than half a minute."""
    control = world.entry.runtime_data.site
    control.configure(replace(control.config, meter_stale_after_s=1.5, meter_lost_after_s=2.0))


async def test_1_a_meter_that_falls_silent_counts_as_the_worst_case(site: World) -> None:
    await site.charge(LEFT, RIGHT_1)
    impatient(site)
    await site.driver.fault("meter-silent")
    await site.until(lambda: site.draw_a(LEFT) + site.draw_a(RIGHT_1) <= LIMIT_A - WORST_A, "room for the worst case")
    await site.until(lambda: "meter_lost" in site.repairs(), "a repair")
    site.building.now_a = WORST_A  # which nobody sees
    await site.steps(1.0)
    assert site.highest_a <= LIMIT_A
    site.building.now_a = CALM_A
    await site.driver.fault("meter-silent", on=False)
    await site.until(lambda: "meter_lost" not in site.repairs(), "the repair gone")
    await site.until(lambda: site.highest_a > 0.85 * LIMIT_A, "the room used again")


async def test_2_a_reading_that_can_not_be_moves_nothing(site: World) -> None:
    await site.charge(LEFT, RIGHT_1)
    await site.steps(4.0)
    before = [site.evse(key).limit_a for key in (LEFT, RIGHT_1)]
    nonsense = MeterValues(current_a=(30_000.0, 0.0, 5.0), power_w=(6.9e6, 0.0, 1150.0))
    meter = site.driver.meter
    assert meter is not None

    def lie(_: SimulatedSite) -> None:
        meter.values = nonsense

    site.driver.on_step.append(lie)
    await site.until(lambda: site.shown.circuits["main"].meter_error, "it is not believed")
    assert [site.evse(key).limit_a for key in (LEFT, RIGHT_1)] == before
    site.driver.on_step.remove(lie)
    await site.until(lambda: not site.shown.circuits["main"].meter_error, "believed again")


async def test_4_what_a_station_holds_stays_reserved_for_it_while_it_is_away(site: World) -> None:
    await site.charge(LEFT, RIGHT_1)
    await site.driver.fault("offline:CP1")
    await site.until(lambda: site.evse(LEFT).reason is not None and site.evse(LEFT).reason.code is ReasonCode.OFFLINE, "it is away")
    assert site.draw_a(LEFT) > 5.0, "its car charges on"
    site.building.now_a = BUSY_A
    await site.until(lambda: site.highest_a <= LIMIT_A, "the others give way")
    await site.steps(2.0)
    assert site.highest_a <= LIMIT_A and site.draw_a(LEFT) > 5.0
    await site.driver.fault("offline:CP1", on=False)
    await site.until(lambda: site.evse(LEFT).reason is not None and site.evse(LEFT).reason.code is not ReasonCode.OFFLINE, "it is back")


async def test_5_and_24_a_restart_takes_up_sessions_and_limits_as_they_are(hass: HomeAssistant, site: World) -> None:
    await site.charge(LEFT, RIGHT_1)
    transactions = {key: site.evse(key).transaction_id for key in (LEFT, RIGHT_1)}
    confirmed = {key: site.evse(key).limit_a for key in (LEFT, RIGHT_1)}
    assert await hass.config_entries.async_unload(site.entry.entry_id)
    highest: dict[EvseKey, float] = dict.fromkeys(confirmed, 0.0)

    def watch(world: SimulatedSite) -> None:
        for key, before_a in highest.items():
            highest[key] = max(before_a, world.stations[key.station].evses[key.evse_id].pilot_a)

    site.driver.on_step.append(watch)
    await site.driver.fault("meter-silent")  # what flows now is not known
    assert await hass.config_entries.async_setup(site.entry.entry_id)
    await site.until(lambda: {key: site.evse(key).transaction_id for key in transactions} == transactions, "the same sessions")
    await site.until(lambda: all(site.shown.stations[key.station].ready for key in transactions), "ready")
    await site.steps(1.5)
    for key, limit_a in confirmed.items():
        assert limit_a is not None and highest[key] <= limit_a
    await site.driver.fault("meter-silent", on=False)
    await site.until(lambda: site.highest_a > 0.85 * LIMIT_A, "led again")


async def test_7_one_that_says_yes_and_charges_on_has_its_draw_reserved(site: World) -> None:
    site.over_limit_s = DISOBEDIENT_S
    await site.charge(LEFT, RIGHT_1)
    await site.driver.fault("ignoring:CP1")
    site.building.now_a = BUSY_A
    await site.until(lambda: "station_disobedient" in site.repairs(), "a repair")
    await site.until(lambda: site.highest_a <= LIMIT_A, "the others give way")


async def test_11_current_of_a_slow_station_is_handed_on_once_it_is_gone(site: World) -> None:
    await site.charge(LEFT)
    slow = site.driver.site.stations["CP1"].faults
    slow.answer_after_s, slow.apply_after_s = 0.5, 2.0
    highest_a = 0.0

    def watch(world: SimulatedSite) -> None:
        nonlocal highest_a
        if world.stations["CP2"].evses[1].pilot_a > FALLBACK_A:  # it was handed something
            highest_a = max(highest_a, site.highest_a)

    site.driver.on_step.append(watch)
    await site.charge(RIGHT_1)
    await site.until(lambda: site.draw_a(RIGHT_1) > 10.0, "a fair share")
    assert 0.0 < highest_a <= LIMIT_A


async def test_12_of_commands_that_race_the_newest_wins(site: World) -> None:
    await site.charge(LEFT, RIGHT_1, RIGHT_2)
    for load_a in (10.0, 4.0, 14.0, 3.0, BUSY_A):
        site.building.now_a = load_a
        await site.steps(0.7)  # shorter than a reading, its turn and the answers may take
    await site.until(lambda: site.highest_a <= LIMIT_A, "the last one obeyed")
    await site.steps(1.5)
    assert site.highest_a <= LIMIT_A
    for station in site.driver.site.stations.values():
        for evse_id, evse in station.evses.items():
            assert site.evse(EvseKey(station.spec.identity, evse_id)).limit_a == pytest.approx(evse.pilot_a)


async def test_17_a_car_that_takes_more_than_it_may_costs_the_others_and_not_the_fuse(site: World) -> None:
    await site.charge(LEFT, RIGHT_1)
    before_a = site.draw_a(RIGHT_1)
    car = site.driver.site.stations["CP1"].evses[1].car
    assert car is not None
    site.driver.site.stations["CP1"].evses[1].car = replace(
        car, draw_fraction=1.5
    )  # more than is free, however far the limits have risen by now
    await site.until(lambda: site.highest_a > LIMIT_A, "it takes more")
    await site.until(lambda: site.highest_a <= LIMIT_A, "room made for it")
    assert site.draw_a(RIGHT_1) < before_a


async def test_23_one_that_loses_its_line_again_and_again_costs_nobody_else_theirs(site: World) -> None:
    await site.charge(LEFT, RIGHT_1)
    for _ in range(3):
        connections = site.driver.clients["CP1"].connections
        await site.driver.fault("drop:CP1")
        await site.until(
            lambda before=connections: site.driver.clients["CP1"].connections > before and site.shown.stations["CP1"].ready, "back"
        )
    assert site.driver.clients["CP2"].connections == 1
    await site.until(lambda: site.highest_a > 0.85 * LIMIT_A, "led as before")
