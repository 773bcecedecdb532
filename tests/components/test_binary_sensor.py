"""Binary sensors."""

from collections.abc import Awaitable, Callable

from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, Platform
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .raw_station import raw_station, until


async def test_entities(compare_platform: Callable[[Platform], Awaitable[None]]) -> None:
    """All binary sensors of a busy evening."""
    await compare_platform(Platform.BINARY_SENSOR)


async def test_a_car_comes_to_a_real_station(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Connected, plugged in, charging, faulted, gone."""
    assert hass.states.get("binary_sensor.left_online").state == STATE_OFF
    assert hass.states.get("binary_sensor.left_evse_1_fault").state == STATE_UNAVAILABLE
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await until(hass, "binary_sensor.left_online", STATE_ON)
        await station.status("Available")
        await until(hass, "binary_sensor.left_evse_1_vehicle_connected", STATE_OFF)
        await station.status("Occupied")
        await until(hass, "binary_sensor.left_evse_1_vehicle_connected", STATE_ON)
        await station.transaction("Started", 0, "Charging", trigger="Authorized", current_a=9.5)
        await until(hass, "binary_sensor.left_evse_1_charging", STATE_ON)
        await station.status("Faulted")
        await until(hass, "binary_sensor.left_evse_1_fault", STATE_ON)
    await until(hass, "binary_sensor.left_online", STATE_OFF)
    assert hass.states.get("binary_sensor.left_evse_1_charging").state == STATE_UNAVAILABLE


async def test_of_an_evse_that_told_nothing_nothing_is_known(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """That it has no fault is known once its station has said how it is."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await until(hass, "binary_sensor.left_evse_1_fault", "unknown")
        await station.status("Available")
        await until(hass, "binary_sensor.left_evse_1_fault", "off")
        await station.status("Faulted")
        await until(hass, "binary_sensor.left_evse_1_fault", "on")
