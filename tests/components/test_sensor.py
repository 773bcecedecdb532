"""Sensors."""

from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import UTC, datetime

from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.engine.model import Filled, Outlook, Phase, Reason, ReasonCode
from custom_components.headroom.sensors.evse import REASON_ATTRIBUTES
from custom_components.headroom.site.reason_document import reason_document
from custom_components.headroom.site.snapshot import MeterHealth
from tests.conftest import TEXTS

from .conftest import LEFT, busy, show
from .raw_station import raw_station, until


async def test_entities(compare_platform: Callable[[Platform], Awaitable[None]]) -> None:
    """All sensors of a busy evening."""
    await compare_platform(Platform.SENSOR)


async def test_a_lost_meter_shows_no_current(hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]) -> None:
    """What a meter said before it fell silent is not what flows now, and unknown is not zero."""
    entry = await set_up(Platform.SENSOR)
    assert float(hass.states.get("sensor.home_current_l1").state) == 31.25
    site = busy(entry.runtime_data.data)
    lost = replace(site.circuits["main"], meter=MeterHealth.LOST)
    show(entry, replace(site, circuits={**site.circuits, "main": lost}))
    assert hass.states.get("sensor.home_current_l1").state == STATE_UNKNOWN
    assert hass.states.get("sensor.home_grid_power").state == STATE_UNKNOWN
    assert hass.states.get("sensor.home_meter_health").state == "lost"
    assert float(hass.states.get("sensor.home_limit_l1").state) == 38.0


async def test_a_meter_that_was_not_heard_yet_shows_no_current(
    hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]
) -> None:
    """After a restart nobody has measured anything: nought amps would be recorded as if they had flowed."""
    entry = await set_up(Platform.SENSOR)
    site = busy(entry.runtime_data.data)
    unheard = replace(site.circuits["main"], meter=MeterHealth.STALE, meter_source=None, power_w=None, current_a=(0.0, 0.0, 0.0))
    show(entry, replace(site, circuits={**site.circuits, "main": unheard}))
    assert hass.states.get("sensor.home_current_l1").state == STATE_UNKNOWN
    assert float(hass.states.get("sensor.home_limit_l1").state) == 38.0
    without = replace(unheard, meter=MeterHealth.NONE, current_a=(6.0, 6.0, 6.0))
    show(entry, replace(site, circuits={**site.circuits, "main": without}))
    assert float(hass.states.get("sensor.home_current_l1").state) == 6.0, "without a meter: what the cars draw"


async def test_more_reserved_than_there_is_leaves_nothing(
    hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]
) -> None:
    entry = await set_up(Platform.SENSOR)
    site = busy(entry.runtime_data.data)
    reserved = replace(site.circuits["main"], headroom_a=(-69.0, 0.0, 6.0))
    show(entry, replace(site, circuits={**site.circuits, "main": reserved}))
    assert [float(hass.states.get(f"sensor.home_headroom_l{phase}").state) for phase in (1, 2, 3)] == [0.0, 0.0, 6.0]


async def test_the_reason_names_the_circuit_and_the_phase(
    hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]
) -> None:
    """A person can read why the car is slow."""
    await set_up(Platform.SENSOR)
    state = hass.states.get("sensor.left_evse_1_limit_reason")
    assert state.state == "circuit"
    assert state.attributes["text"] == "Garage is full on L2."
    assert state.attributes["circuit"] == "Garage"
    assert state.attributes["phase"] == "L2"


def test_whatever_is_told_of_a_reason_is_shown_and_has_a_word() -> None:
    """Nothing that the site says of a reason is lost, or shown by a bare key."""
    amps = Filled(limit_a=20.0, unmanaged_a=3.0)
    whole = Reason(
        code=ReasonCode.POSTPONED,
        circuit_id="g",
        phase=Phase.L1,
        against=Phase.L2,
        others=1,
        source="EMS",
        filled=amps,
        tier=2,
        tiers=3,
        least_a=6.0,
        rises_to_a=7.0,
        rounded_from_a=7.5,
        next_at=1.0,
        outlook=Outlook(energy_wh=1000.0, departs_at=2.0, ready_at=3.0),
    )
    assert not [field.name for field in fields(whole) if getattr(whole, field.name) == field.default], "the fullest reason there is"
    told: set[str] = set()
    for reason in (whole, replace(whole, filled=replace(amps, watts_per_a=230.0))):
        told |= set(reason_document(reason, {"g": "Garage"}, lambda at: datetime.fromtimestamp(at, UTC)))
    assert {"text", *told} == set(REASON_ATTRIBUTES) == set(TEXTS["entity"]["sensor"]["limit_reason"]["state_attributes"])


async def test_without_the_station_the_limit_stays(hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]) -> None:
    """What is measured is gone with the connection; what is installed there and why is still known."""
    entry = await set_up(Platform.SENSOR)
    site = busy(entry.runtime_data.data)
    show(entry, replace(site, stations={**site.stations, "CP1": replace(site.stations["CP1"], online=False)}))
    for measured in ("status", "power", "lifetime_energy", "session_energy", "vehicle_state_of_charge"):
        assert hass.states.get(f"sensor.left_evse_1_{measured}").state == STATE_UNAVAILABLE, measured
    assert hass.states.get("sensor.left_evse_1_limit").state == "10.5"
    assert hass.states.get("sensor.left_evse_1_limit_reason").state == "circuit"


async def test_only_what_changed_is_written(hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]) -> None:
    """A turn of the loop costs a site of many stations nothing for what stays the same."""
    entry = await set_up(Platform.SENSOR)
    reported = hass.states.get("sensor.left_evse_1_limit").last_reported
    site = busy(entry.runtime_data.data)
    show(entry, replace(site, evses={**site.evses, LEFT: replace(site.evses[LEFT], power_w=7300.0)}))
    assert hass.states.get("sensor.left_evse_1_power").state == "7300.0"
    assert hass.states.get("sensor.left_evse_1_limit").last_reported == reported


async def test_a_session_of_a_real_station(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """What a station says over its socket is what the sensors show, and the state of charge comes with the first that tells it."""
    assert hass.states.get("sensor.left_evse_1_status").state == STATE_UNAVAILABLE
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.status("Available")
        await until(hass, "sensor.left_evse_1_status", "available")
        assert hass.states.get("sensor.left_evse_1_power").state == STATE_UNKNOWN
        assert hass.states.get("sensor.left_evse_1_vehicle_state_of_charge") is None
        await station.hears("SetChargingProfile")
        await station.status("Occupied")
        await until(hass, "sensor.left_evse_1_status", "preparing")
        await station.transaction("Started", 0, "EVConnected", trigger="Authorized", energy_wh=1000)
        await station.transaction("Updated", 1, "Charging", current_a=10.0, voltage_v=230.0, power_w=6900.0, energy_wh=3500, soc_pct=41)
        await until(hass, "sensor.left_evse_1_status", "charging")
        await until(hass, "sensor.left_evse_1_vehicle_state_of_charge", "41.0")
        await until(hass, "sensor.left_evse_1_power", "6900.0")
        assert hass.states.get("sensor.left_evse_1_lifetime_energy").state == "3.5"
        assert hass.states.get("sensor.left_evse_1_session_energy").state == "2.5"
    await until(hass, "sensor.left_evse_1_status", STATE_UNAVAILABLE)
    assert hass.states.get("sensor.left_evse_1_limit").state != STATE_UNAVAILABLE
