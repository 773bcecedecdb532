"""Buttons."""

from collections.abc import Awaitable, Callable

from homeassistant.const import ATTR_ENTITY_ID, STATE_UNAVAILABLE, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.csms.errors import CallTimeoutError
from custom_components.headroom.errors import translated_errors

from .raw_station import RawStation, raw_station, until


async def test_entities(compare_platform: Callable[[Platform], Awaitable[None]]) -> None:
    """All buttons of a busy evening."""
    await compare_platform(Platform.BUTTON)


async def _press(hass: HomeAssistant, entity_id: str) -> None:
    await hass.services.async_call("button", "press", {ATTR_ENTITY_ID: entity_id}, blocking=True)


async def _ready(hass: HomeAssistant, station: RawStation) -> None:
    await station.boot()
    await station.status("Available")
    await station.hears("SetChargingProfile")
    await until(hass, "binary_sensor.left_evse_1_vehicle_connected", "off")


async def test_without_the_station(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """There is nothing to press while the station is away."""
    assert hass.states.get("button.left_restart").state == STATE_UNAVAILABLE


async def test_the_station_hears(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Each button is one command, and the station decides what comes of it."""
    async with raw_station(init_integration, "CP1") as station:
        await _ready(hass, station)
        await _press(hass, "button.left_evse_1_unlock_connector")
        assert await station.hears("UnlockConnector") == {"evseId": 1, "connectorId": 1}
        await _press(hass, "button.left_evse_1_start_charging")
        start = await station.hears("RequestStartTransaction")
        assert start["evseId"] == 1
        assert start["idToken"]["type"] == "Central"
        await station.transaction("Started", 0, "Charging", trigger="RemoteStart")
        await until(hass, "sensor.left_evse_1_status", "charging")
        await _press(hass, "button.left_evse_1_stop_charging")
        assert await station.hears("RequestStopTransaction") == {"transactionId": "tx-1"}
        await _press(hass, "button.left_restart")
        assert (await station.hears("Reset"))["type"] == "Immediate"


async def test_starting_needs_no_card(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """Where only known tokens may charge, a start from Home Assistant may, and a card nobody knows may not."""
    mock_config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(mock_config_entry, options={"free_charging": False, "id_tokens": []})
    assert await hass.config_entries.async_setup(mock_config_entry.entry_id)
    await hass.async_block_till_done()
    async with raw_station(mock_config_entry, "CP1") as station:
        await _ready(hass, station)
        unknown = await station.call("Authorize", {"idToken": {"idToken": "04NOBODY", "type": "ISO14443"}})
        assert unknown["idTokenInfo"]["status"] == "Invalid"
        await _press(hass, "button.left_evse_1_start_charging")
        issued = (await station.hears("RequestStartTransaction"))["idToken"]
        known = await station.call("Authorize", {"idToken": issued})
        assert known["idTokenInfo"]["status"] == "Accepted"
    assert await hass.config_entries.async_unload(mock_config_entry.entry_id)


async def test_what_the_station_refuses_is_told(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """The error names the station and its answer."""
    async with raw_station(init_integration, "CP1") as station:
        await _ready(hass, station)
        station.answers["Reset"] = {"status": "Rejected"}
        with pytest.raises(HomeAssistantError) as refused:
            await _press(hass, "button.left_restart")
        assert refused.value.translation_key == "station_rejected"
        assert refused.value.translation_placeholders == {"station": "CP1", "action": "Reset", "status": "Rejected"}


async def test_a_mistake_is_told(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """There is nothing to stop, and what runs cannot be started."""
    async with raw_station(init_integration, "CP1") as station:
        await _ready(hass, station)
        with pytest.raises(ServiceValidationError) as refused:
            await _press(hass, "button.left_evse_1_stop_charging")
        assert refused.value.translation_key == "not_charging"
        await station.transaction("Started", 0, "Charging", trigger="Authorized")
        await until(hass, "sensor.left_evse_1_status", "charging")
        with pytest.raises(ServiceValidationError) as refused:
            await _press(hass, "button.left_evse_1_start_charging")
        assert refused.value.translation_key == "already_charging"


async def test_a_station_that_does_not_answer() -> None:
    """Silence is told apart from a no."""
    with pytest.raises(HomeAssistantError) as failed, translated_errors("CP1"):
        raise CallTimeoutError("Reset")
    assert failed.value.translation_key == "station_timeout"
    assert failed.value.translation_placeholders == {"station": "CP1"}
