"""What a driver says of the car that charges, and what the loop makes of it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.headroom.actions.needs import departure_of
from custom_components.headroom.configuration import site_config
from custom_components.headroom.const import DOMAIN
from custom_components.headroom.diagnostics import async_get_config_entry_diagnostics

from .raw_station import RawStation, raw_station, until

ENERGY = "number.left_evse_1_energy_needed"
DEPARTURE = "datetime.left_evse_1_departure"
STILL_NEEDED = "sensor.left_evse_1_energy_still_needed"
PLANNED = "sensor.left_evse_1_planned_departure"


async def test_entities(compare_platform: Callable[[Platform], Awaitable[None]]) -> None:
    """All moments of a busy evening."""
    await compare_platform(Platform.DATETIME)


@pytest.fixture
async def left(hass: HomeAssistant, init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, idle."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.status("Available")
        await station.hears("SetChargingProfile")
        await until(hass, "sensor.left_evse_1_status", "available")
        yield station


def evse(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    """Return the id of the left EVSE's device."""
    registry = dr.async_get(hass)
    found = registry.async_get_child_device_by_identifier((DOMAIN, f"{entry.entry_id}_CP1_1"), entry.entry_id)
    assert found is not None
    return found.id


async def say(hass: HomeAssistant, entry: MockConfigEntry, **fields: Any) -> None:
    await hass.services.async_call(DOMAIN, "set_need", {"device_id": evse(hass, entry), **fields}, blocking=True)


async def set_energy(hass: HomeAssistant, value: float) -> None:
    await hass.services.async_call("number", "set_value", {ATTR_ENTITY_ID: ENERGY, "value": value}, blocking=True)


async def set_departure(hass: HomeAssistant, at: datetime) -> None:
    await hass.services.async_call("datetime", "set_value", {ATTR_ENTITY_ID: DEPARTURE, "datetime": at}, blocking=True)


def soon(hours: float) -> datetime:
    """A whole second to come."""
    return (dt_util.utcnow() + timedelta(hours=hours)).replace(microsecond=0)


async def test_a_need_holds_for_one_session(hass: HomeAssistant, left: RawStation) -> None:
    """Said before the car comes, it is planned with while the car charges, and forgotten when it leaves."""
    assert hass.states.get(ENERGY).state == "0.0"
    assert hass.states.get(DEPARTURE).state == "unknown"
    leaves = soon(8)
    await set_energy(hass, 20)
    await set_departure(hass, leaves)
    await until(hass, ENERGY, "20.0")
    await until(hass, DEPARTURE, leaves.isoformat())
    await left.status("Occupied")
    await left.transaction("Started", 0, "Charging", trigger="Authorized", energy_wh=1000)
    await left.transaction("Updated", 1, "Charging", current_a=6.0, voltage_v=230.0, power_w=4140.0, energy_wh=6500)
    await until(hass, STILL_NEEDED, "14.5")
    assert hass.states.get(STILL_NEEDED).attributes["source"] == "driver"
    await until(hass, PLANNED, leaves.isoformat())
    assert hass.states.get(PLANNED).attributes["source"] == "driver"
    assert hass.states.get(ENERGY).state == "20.0", "what was said stays as it was said"
    await left.transaction("Ended", 2, "Idle", trigger="EVDeparted", energy_wh=7000)
    await left.status("Available")
    await until(hass, ENERGY, "0.0")
    assert hass.states.get(DEPARTURE).state == "unknown"
    assert hass.states.get(PLANNED).state == "unknown"
    assert hass.states.get(PLANNED).attributes["source"] == "unknown"


@pytest.mark.usefixtures("left")
async def test_no_energy_means_that_nothing_was_said(hass: HomeAssistant) -> None:
    """The number at 0 takes back the energy and leaves the departure."""
    leaves = soon(2)
    await set_departure(hass, leaves)
    await set_energy(hass, 7.5)
    await until(hass, STILL_NEEDED, "7.5")
    await set_energy(hass, 0)
    await until(hass, STILL_NEEDED, "unknown")
    assert hass.states.get(DEPARTURE).state == leaves.isoformat()


@pytest.mark.usefixtures("init_integration")
async def test_a_departure_in_the_past_is_refused(hass: HomeAssistant) -> None:
    """It would be no plan."""
    with pytest.raises(ServiceValidationError) as refused:
        await set_departure(hass, soon(-1))
    assert refused.value.translation_key == "departure_passed"
    assert hass.states.get(DEPARTURE).state == "unknown"


@pytest.mark.usefixtures("left")
async def test_the_action_says_all_at_once(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """What is left out stays as it was said."""
    leaves = soon(5)
    await say(hass, init_integration, energy_kwh=12, state_of_charge=40, departure=leaves.isoformat())
    await until(hass, ENERGY, "12.0")
    await until(hass, DEPARTURE, leaves.isoformat())
    await say(hass, init_integration, pausable=False)
    await say(hass, init_integration, energy_kwh=13)
    await until(hass, ENERGY, "13.0")
    assert hass.states.get(DEPARTURE).state == leaves.isoformat()
    wish = next(wish for key, one in init_integration.runtime_data.data.evses.items() if (wish := one.wish) and key.station == "CP1")
    assert (wish.energy_wh, wish.state_of_charge, wish.pausable) == (13_000, 0.4, False)
    await hass.services.async_call(DOMAIN, "clear_need", {"device_id": evse(hass, init_integration)}, blocking=True)
    await until(hass, DEPARTURE, "unknown")
    assert hass.states.get(ENERGY).state == "0.0"


async def test_the_action_is_told_what_is_wrong(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Nothing said, a departure that has passed, what no car can need."""
    with pytest.raises(ServiceValidationError) as refused:
        await say(hass, init_integration)
    assert refused.value.translation_key == "need_empty"
    with pytest.raises(ServiceValidationError) as refused:
        await say(hass, init_integration, departure=soon(-1).isoformat(), energy_kwh=3)
    assert refused.value.translation_key == "departure_passed"
    for wrong in ({"energy_kwh": -1}, {"state_of_charge": 101}, {"departure": "at seven"}):
        with pytest.raises(vol.Invalid):
            await say(hass, init_integration, **wrong)
    assert hass.states.get(ENERGY).state == "0.0", "nothing of what was refused is kept"


@pytest.mark.parametrize(
    ("now", "said", "meant"),
    [
        ("2026-11-23T18:00:00+01:00", "07:00:00", "2026-11-24T07:00:00+01:00"),
        ("2026-11-23T06:00:00+01:00", "07:00:00", "2026-11-23T07:00:00+01:00"),
        ("2026-11-23T07:00:00+01:00", "07:00:00", "2026-11-24T07:00:00+01:00"),
        ("2026-10-24T18:00:00+02:00", "07:00:00", "2026-10-25T07:00:00+01:00"),
        ("2026-11-23T18:00:00+01:00", "2026-11-25 07:00:00", "2026-11-25T07:00:00+01:00"),
    ],
)
async def test_a_time_of_day_is_the_next_one(hass: HomeAssistant, freezer: FrozenDateTimeFactory, now: str, said: str, meant: str) -> None:
    """By the clock on the wall, in the night when that is changed too."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to(datetime.fromisoformat(now).astimezone(UTC))
    parsed = dt_util.parse_datetime(said) or dt_util.parse_time(said)
    assert departure_of(parsed) == datetime.fromisoformat(meant)


@pytest.mark.usefixtures("left")
async def test_a_need_is_in_the_diagnostics(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """For whoever asks why a car waits."""
    leaves = soon(3)
    await say(hass, init_integration, departure=leaves.isoformat())
    await until(hass, PLANNED, leaves.isoformat())
    told = json.dumps(await async_get_config_entry_diagnostics(hass, init_integration))
    assert f'"departs_at": "{leaves.isoformat()}"' in told
    assert '"departure_source": "driver"' in told


async def test_people_come_and_go_by_home_assistants_clock(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """A working day is one there where the site is."""
    await hass.config.async_set_time_zone("Pacific/Auckland")
    assert str(site_config(mock_config_entry).zone) == "Pacific/Auckland"


async def test_a_need_outlives_a_reload(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """It is kept with the site."""
    leaves = soon(3)
    await set_energy(hass, 30)
    await set_departure(hass, leaves)
    await hass.config_entries.async_reload(init_integration.entry_id)
    await hass.async_block_till_done()
    await until(hass, ENERGY, "30.0")
    await until(hass, DEPARTURE, leaves.isoformat())
