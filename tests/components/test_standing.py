"""Actions for limits that stand, against simulated stations that keep profiles by the standard's rules, over real sockets."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.profile_builder import Period
from custom_components.headroom.persons_profile import Asked, recurring
from custom_components.headroom.site.config import EvseKey
from simulator.car import CarSpec, HighLevel
from simulator.client import Backoff
from simulator.driver import SiteDriver
from simulator.evse import token
from simulator.factory import EvseSpec, StationSpec
from simulator.profile_rules import Abilities
from simulator.site import CircuitSpec, SimulatedSite, SiteSpec, Visit
from simulator.transport import websocket

from .test_services import device

CAR = CarSpec(name="car", battery_kwh=100.0, phases=3, max_a=32.0, high_level=HighLevel(energy_wh=20_000.0))


@pytest.fixture
def meter_data(hass: HomeAssistant) -> dict[str, Any]:
    """A meter that is three sensors, with 8 A on each phase."""
    for phase in (1, 2, 3):
        hass.states.async_set(f"sensor.l{phase}", "8", {"unit_of_measurement": "A", "device_class": "current"})
    return {"type": "entities", "invert": False} | {f"current_l{phase}": f"sensor.l{phase}" for phase in (1, 2, 3)}


class Garage:
    """Both stations of the site at work, in real time."""

    def __init__(self, entry: MockConfigEntry, driver: SiteDriver) -> None:
        self.entry, self.driver = entry, driver

    @property
    def standing(self) -> Any:
        return self.entry.runtime_data.site.standing

    def held(self, station: str) -> list[dict[str, Any]]:
        """The persons' profiles that a station holds."""
        return [dict(one.profile) for one in self.driver.site.stations[station].profiles.installed if one.profile["id"] >= 5000]

    def ready(self, station: str) -> bool:
        state = self.entry.runtime_data.data
        return state.stations[station].ready and all(
            evse.fallback_a is not None for key, evse in state.evses.items() if key.station == station
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that a turn of the loop, or a step of the stations, brings."""
        news = asyncio.Event()
        stop = self.entry.runtime_data.async_add_listener(news.set)
        self.driver.on_step.append(lambda _: news.set())
        try:
            async with asyncio.timeout(15):
                while not condition():
                    news.clear()
                    await news.wait()
        finally:
            self.driver.on_step.pop()
            stop()

    async def charge(self) -> str:
        """Plug a car in at the left station; returns its transaction's id once its limit is in."""
        self.driver.site.plug_in(Visit(comes_s=0.0, station="CP1", evse_id=1, car=CAR, token=token("CARD"), soc=0.3))
        store = self.driver.site.stations["CP1"].profiles
        await self.until(lambda: any(one.purpose == "TxProfile" for one in store.installed))
        await self.until(lambda: self.entry.runtime_data.data.evses[EvseKey("CP1", 1)].transaction_id is not None)
        return str(self.entry.runtime_data.data.evses[EvseKey("CP1", 1)].transaction_id)


@asynccontextmanager
async def stations(entry: MockConfigEntry, left: Abilities = Abilities()) -> AsyncGenerator[Garage]:
    spec = SiteSpec(
        circuits=(CircuitSpec(circuit_id="main", fuse_a=63.0),),
        stations=(
            StationSpec(identity="CP1", evses=(EvseSpec(evse_id=1, rotation="L2L3L1"),), abilities=left),
            StationSpec(identity="CP2", evses=(EvseSpec(evse_id=1, max_a=16.0), EvseSpec(evse_id=2, rotation="L3"))),
        ),
    )
    site = SimulatedSite(spec, datetime.now(UTC))
    backoff = Backoff(first_s=0.05, most_s=0.1, random_s=0.0)
    driver = SiteDriver(site, websocket(f"ws://127.0.0.1:{entry.data['port']}"), backoff=backoff, clock=lambda: datetime.now(UTC))
    running = asyncio.create_task(driver.run())
    found = Garage(entry, driver)
    try:
        await found.until(lambda: running.done() or (found.ready("CP1") and found.ready("CP2")))
        yield found
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    # Every frame was checked against its schema, every profile against the rules of block K.
    assert not driver.violations, [violation.text for violation in driver.violations]


@pytest.fixture
async def garage(init_integration: MockConfigEntry) -> AsyncGenerator[Garage]:
    async with stations(init_integration) as found:
        yield found


async def ask(hass: HomeAssistant, action: str, *devices: str, **fields: Any) -> list[dict[str, Any]]:
    response: Any = await hass.services.async_call(
        DOMAIN, action, {"device_id": list(devices), **fields}, blocking=True, return_response=True
    )
    limits: list[dict[str, Any]] = response["limits"]
    return limits


async def test_at_night_on_all_of_the_site(hass: HomeAssistant, init_integration: MockConfigEntry, garage: Garage) -> None:
    """Each station gets a daily profile of its own, above the house's ceiling, by the house's clocks."""
    site = device(hass, init_integration)
    limits = await ask(hass, "set_recurring_limit", site, limit=6, begins="22:00:00", ends="06:00:00")
    assert [(one["station"], one["evse_id"], one["status"]) for one in limits] == [("CP1", 0, "stored"), ("CP2", 0, "stored")]
    [held] = garage.held("CP1")
    assert held == limits[0]["profile"]
    assert (held["chargingProfilePurpose"], held["chargingProfileKind"], held["recurrencyKind"]) == (
        "ChargingStationMaxProfile",
        "Recurring",
        "Daily",
    )
    assert held["stackLevel"] == limits[0]["stack_level"] == 3
    [schedule] = held["chargingSchedule"]
    begins = dt_util.parse_datetime(schedule["startSchedule"])
    assert begins is not None and dt_util.as_local(begins).hour == 22 and begins <= dt_util.utcnow()
    assert schedule["duration"] == 8 * 3600 and schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 6.0}]
    told: Any = await hass.services.async_call(
        DOMAIN, "get_charging_profiles", {"device_id": device(hass, init_integration, "CP1")}, blocking=True, return_response=True
    )
    assert [one["status"] for one in told["limits"]] == ["stored"]
    cleared = await ask(hass, "clear_charging_profile", site)
    assert len(cleared) == 2 and not garage.held("CP1") and not garage.held("CP2") and not garage.standing.at("CP1")


async def test_on_weekdays_at_two_evses(hass: HomeAssistant, init_integration: MockConfigEntry, garage: Garage) -> None:
    """A profile for each day as far as the station has levels; what it can't hold, Headroom keeps and says so."""
    evses = [device(hass, init_integration, name) for name in ("CP1_1", "CP2_2")]
    limits = await ask(
        hass, "set_recurring_limit", *evses, limit=6, begins="07:00:00", ends="19:00:00", days=["mon", "tue", "wed", "thu", "fri"]
    )
    assert len(limits) == 10
    assert [one["status"] for one in limits if one["station"] == "CP1"] == ["stored"] * 3 + ["kept"] * 2
    assert "stack level" in limits[4]["reason"]
    held = garage.held("CP1")
    assert {one["recurrencyKind"] for one in held} == {"Weekly"} and {one["stackLevel"] for one in held} == {1, 2, 3}
    assert len({one["chargingSchedule"][0]["startSchedule"] for one in held}) == 3
    assert len(garage.standing.at("CP1", 1)) == 5
    [weekend] = await ask(hass, "set_recurring_limit", evses[0], limit=10, begins="00:00:00", ends="00:00:00", days=["sun", "sat"])
    assert weekend["status"] == "kept" and weekend["reason"]
    assert weekend["profile"]["chargingSchedule"][0]["duration"] == 2 * 86_400


async def test_in_watts_on_one_phase_with_a_least_rate(hass: HomeAssistant, init_integration: MockConfigEntry, garage: Garage) -> None:
    ends = dt_util.now() + timedelta(days=1)
    [limit] = await ask(
        hass,
        "add_charging_profile",
        device(hass, init_integration, "CP1"),
        schedule=[{"start": 0, "limit": 3000, "phases": 1}, {"start": {"hours": 1}, "limit": 2500.55, "phases": 1}],
        unit="W",
        minimum_rate=2000,
        duration={"hours": 2},
        valid_until=ends.isoformat(),
        stack_level=2,
    )
    assert (limit["status"], limit["purpose"], limit["stack_level"]) == ("stored", "ChargingStationMaxProfile", 2)
    [held] = garage.held("CP1")
    [schedule] = held["chargingSchedule"]
    assert schedule["chargingRateUnit"] == "W" and schedule["minChargingRate"] == 2000 and schedule["duration"] == 7200
    assert schedule["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 3000.0, "numberPhases": 1},
        {"startPeriod": 3600, "limit": 2500.5, "numberPhases": 1},
    ]
    assert held["chargingProfileKind"] == "Absolute" and "validTo" in held


async def test_for_an_evse_weekly_and_from_the_start_of_each_transaction(
    hass: HomeAssistant, init_integration: MockConfigEntry, garage: Garage
) -> None:
    evse = device(hass, init_integration, "CP1_1")
    weekly = [{"start": 0, "limit": 6}, {"start": {"days": 5}, "limit": 0}]
    [first] = await ask(hass, "add_charging_profile", evse, kind="weekly", schedule=weekly)
    gently = [{"start": "00:00:00", "limit": 0}, {"start": "00:30:00", "limit": 6}]
    [second] = await ask(hass, "add_charging_profile", evse, kind="relative", schedule=gently, duration={"hours": 3}, stack_level=1)
    assert (first["status"], second["status"]) == ("stored", "stored")
    by_id = {one["id"]: one for one in garage.held("CP1")}
    begins = dt_util.parse_datetime(by_id[first["profile_id"]]["chargingSchedule"][0]["startSchedule"])
    assert begins is not None and (dt_util.as_local(begins).weekday(), dt_util.as_local(begins).hour) == (0, 0)
    relative = by_id[second["profile_id"]]
    assert relative["chargingProfileKind"] == "Relative" and "startSchedule" not in relative["chargingSchedule"][0]
    assert relative["chargingProfilePurpose"] == "TxDefaultProfile"
    [cleared] = await ask(hass, "clear_charging_profile", evse, profile_id=first["profile_id"])
    assert cleared["profile_id"] == first["profile_id"] and [one["id"] for one in garage.held("CP1")] == [second["profile_id"]]
    with pytest.raises(ServiceValidationError) as unknown:
        await ask(hass, "clear_charging_profile", evse, profile_id=first["profile_id"])
    assert unknown.value.translation_key == "limit_unknown"


async def test_three_schedules_for_a_car_that_told_what_it_needs(
    hass: HomeAssistant, init_integration: MockConfigEntry, garage: Garage
) -> None:
    left = device(hass, init_integration, "CP1_1")
    fields: dict[str, Any] = {
        "level": "transaction",
        "schedule": [{"start": 0, "limit": 6}],
        "alternatives": [[{"start": 0, "limit": 0}, {"start": 3600, "limit": 6}], [{"start": 0, "limit": 6}, {"start": 7200, "limit": 0}]],
    }
    with pytest.raises(ServiceValidationError) as idle:
        await ask(hass, "add_charging_profile", left, **fields)
    assert idle.value.translation_key == "profile_no_transaction"
    transaction_id = await garage.charge()
    needs = garage.entry.runtime_data.central_system.memories["CP1"].needs
    await garage.until(lambda: 1 in needs)
    [limit] = await ask(hass, "add_charging_profile", left, **fields)
    assert (limit["status"], limit["purpose"]) == ("stored", "TxProfile")
    [held] = garage.held("CP1")
    assert held["transactionId"] == transaction_id and len(held["chargingSchedule"]) == 3
    key = EvseKey("CP1", 1)
    await garage.until(lambda: (garage.entry.runtime_data.data.evses[key].limit_a or 99) <= 6)
    with pytest.raises(ServiceValidationError) as not_so:
        await ask(hass, "add_charging_profile", left, **fields | {"level": "evse"})
    assert not_so.value.translation_key == "profile_alternatives"


async def test_a_group_with_a_station_that_is_away(hass: HomeAssistant, init_integration: MockConfigEntry, garage: Garage) -> None:
    """It waits for the one and holds at the other; once the station is back, it gets it."""
    await garage.driver.fault("offline:CP2")
    await garage.until(lambda: not garage.entry.runtime_data.data.stations["CP2"].online)
    both = [device(hass, init_integration, name) for name in ("CP1", "CP2")]
    limits = await ask(hass, "add_charging_profile", *both, schedule=[{"start": 0, "limit": 8}])
    assert [(one["station"], one["status"]) for one in limits] == [("CP1", "stored"), ("CP2", "waiting")]
    assert not garage.held("CP2")
    await garage.driver.fault("offline:CP2", on=False)
    await garage.until(lambda: bool(garage.held("CP2")))
    await garage.until(lambda: garage.standing.at("CP2")[0].storing == "stored")
    assert garage.held("CP2")[0]["chargingProfilePurpose"] == "ChargingStationMaxProfile"


async def test_what_would_raise_is_refused_with_what_would_do(
    hass: HomeAssistant, init_integration: MockConfigEntry, garage: Garage
) -> None:
    """An EVSE's profile would lead over the fallback. Without a copy, or for the whole station, it does."""
    evse = device(hass, init_integration, "CP1_1")
    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "add_charging_profile", evse, schedule=[{"start": 0, "limit": 10}])
    assert refused.value.translation_key == "profile_raises"
    placeholders = refused.value.translation_placeholders
    assert placeholders is not None
    assert (placeholders["raised"], placeholders["allowed"]) == ("10.0 A × 3", "6.0 A × 3")
    assert "6.0 A" in str(refused.value) and "do not store it" in str(refused.value)
    assert not garage.held("CP1") and not garage.standing.at("CP1")
    [kept] = await ask(hass, "add_charging_profile", evse, schedule=[{"start": 0, "limit": 10}], in_station=False)
    assert kept["status"] == "kept" and not garage.held("CP1")
    [stored] = await ask(hass, "add_charging_profile", evse, level="station", schedule=[{"start": 0, "limit": 10}])
    assert stored["status"] == "stored"
    # One of two refused: it is in the answer, or an error where nobody looks at it.
    group = {"device_id": [device(hass, init_integration, "CP2_2"), device(hass, init_integration, "CP1_1")]}
    group |= {"schedule": [{"start": 0, "limit": 6, "phases": 1}], "stack_level": 9}
    with pytest.raises(ServiceValidationError) as level:
        await hass.services.async_call(DOMAIN, "add_charging_profile", group, blocking=True)
    assert level.value.translation_key == "profile_stack_level"


async def test_what_a_station_cannot_take(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    few = Abilities(rate_units=("A",), periods_per_schedule=2, entries_max=3)
    async with stations(init_integration, few) as garage:
        station, evse = device(hass, init_integration, "CP1"), device(hass, init_integration, "CP1_1")

        async def refused(*devices: str, **fields: Any) -> str:
            with pytest.raises(HomeAssistantError) as error:
                await ask(hass, "add_charging_profile", *devices, **{"schedule": [{"start": 0, "limit": 6}]} | fields)
            assert error.value.translation_key is not None
            return error.value.translation_key

        three = [{"start": start, "limit": limit} for start, limit in ((0, 6), (60, 0), (120, 6))]
        assert await refused(station, schedule=three) == "profile_periods"
        assert await refused(station, unit="W") == "profile_unit"
        assert await refused(station, stack_level=4) == "profile_stack_level"
        assert await refused(station, stack_level=0) == "profile_level_taken"
        assert await refused(evse, schedule=[{"start": 0, "limit": 6, "phases": 1, "phase_to_use": 2}]) == "profile_phases"
        yesterday = (dt_util.now() - timedelta(days=1)).isoformat()
        tomorrow = (dt_util.now() + timedelta(days=1)).isoformat()
        assert await refused(station, valid_until=yesterday) == "profile_over"
        assert await refused(station, valid_from=tomorrow, valid_until=tomorrow) == "profile_never"
        assert await refused(station, kind="relative") == "profile_relative_station"
        assert await refused(evse, kind="relative", starts_at=tomorrow) == "profile_relative_start"
        assert await refused(evse, kind="daily", schedule=[{"start": 0, "limit": 6}, {"start": 86_400, "limit": 0}]) == "schedule_too_long"
        assert await refused(evse, schedule=[{"start": 60, "limit": 6}]) == "schedule_start"
        assert await refused(evse, schedule=[{"start": 0, "limit": 3}]) == "limit_undefined"
        assert await refused(evse, alternatives=[[{"start": 0, "limit": 6}]]) == "profile_alternatives"
        assert not garage.held("CP1") and not garage.standing.at("CP1")
        garage.driver.site.stations["CP1"].faults.rejecting = True
        assert await refused(station) == "station_rejected"
        [kept] = await ask(hass, "set_recurring_limit", station, limit=6, begins="01:00:00", ends="02:00:00")
        assert kept["status"] == "kept" and "rejected" in kept["reason"].lower()
        garage.driver.site.stations["CP1"].faults.rejecting = False
        assert (await ask(hass, "add_charging_profile", station, schedule=[{"start": 0, "limit": 6}]))[0]["status"] == "stored"
        assert await refused(evse) == "profile_full"


@pytest.mark.usefixtures("init_integration")
@pytest.mark.parametrize(
    "fields",
    [
        {"schedule": []},
        {"schedule": [{"start": 0, "limit": -1}]},
        {"schedule": [{"start": 0, "limit": 6, "phases": 4}]},
        {"schedule": [{"start": 0, "limit": 6}], "kind": "monthly"},
        {"schedule": [{"start": 0, "limit": 6}], "alternatives": [[{"start": 0, "limit": 6}]] * 3},
    ],
)
async def test_what_has_no_meaning(hass: HomeAssistant, fields: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        await ask(hass, "add_charging_profile", "any", **fields)


async def test_without_a_meter_only_a_copy_counts(hass: HomeAssistant, init_integration: MockConfigEntry, garage: Garage) -> None:
    mode = hass.states.async_entity_ids("select")[0]
    await hass.services.async_call("select", "select_option", {"entity_id": mode, "option": "static"}, blocking=True)
    with pytest.raises(ServiceValidationError) as alone:
        await ask(
            hass, "add_charging_profile", device(hass, init_integration, "CP1_1"), schedule=[{"start": 0, "limit": 6}], in_station=False
        )
    assert alone.value.translation_key == "profile_not_led"
    assert not garage.standing.at("CP1")


async def test_times_are_those_of_the_house(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """A stretch may be under way when it is set, and days in a row are one where they are whole."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-11-23T03:30:00+00:00")  # a Monday, half past four

    def begins(*days: str, begins: str = "22:00", ends: str = "06:00") -> list[tuple[str, int | None]]:
        asked = recurring(
            6.0,
            begins=time.fromisoformat(begins),
            ends=time.fromisoformat(ends),
            days=days,
            now=dt_util.utcnow(),
        )
        return [(f"{dt_util.as_local(one.starts_at):%a %d %H:%M}", one.duration_s) for one in asked if one.starts_at is not None]

    night = 8 * 3600
    assert begins() == [("Sun 22 22:00", night)]
    assert begins("sun", "mon") == [("Mon 16 22:00", night), ("Sun 22 22:00", night)]
    assert begins("mon", "tue", "sun", begins="00:00", ends="00:00") == [("Sun 22 00:00", 3 * 86_400)]
    assert begins(begins="00:00", ends="00:00") == [("Mon 23 00:00", None)]
    once = Asked(kind="absolute", schedules=[[Period(start_s=0, limit=6)]]).profile(5000, "evse", None, dt_util.utcnow())
    assert once["chargingSchedule"][0]["startSchedule"].startswith("2026-11-23T03:30:00")
    assert "stackLevel" not in once
