"""Diagnostics tell a maintainer everything, and a stranger nothing."""

import json
from types import MappingProxyType

from homeassistant.components.diagnostics import REDACTED
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.diagnostics import as_json, async_get_config_entry_diagnostics, async_get_device_diagnostics
from custom_components.headroom.site.config import EvseKey, Mode

from .raw_station import raw_station, until
from .test_services import device as device_id

TOKEN = "04DEADBEEF"


@pytest.fixture
def mock_config_entry(mock_config_entry: MockConfigEntry) -> MockConfigEntry:
    """The shared site, with a driver's token."""
    object.__setattr__(mock_config_entry, "options", {"free_charging": True, "id_tokens": [TOKEN]})
    return mock_config_entry


async def test_no_secret_leaves(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """No token, no address, no serial number; but the model, the firmware and what the car does."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.status("Available")
        await station.hears("SetChargingProfile")
        await station.transaction("Started", 0, "Charging", trigger="Authorized", energy_wh=0)
        await until(hass, "sensor.left_evse_1_status", "charging")
        signed = {
            "FileCtrlr.Where": "https://files.example/fw.bin?sig=SIGNED-SECRET",
            "ConnectedEV.VehicleId": "VEHICLE-SECRET",
            "WifiCtrlr.Passphrase": "WIFI-SECRET",
            "CloudCtrlr.ApiKey": "CLOUD-SECRET",
        }
        await hass.services.async_call(
            DOMAIN, "set_variables", {"device_id": device_id(hass, init_integration, "CP1"), "values": signed}, blocking=True
        )
        await hass.async_block_till_done()
        site = await async_get_config_entry_diagnostics(hass, init_integration)
        registry = dr.async_get(hass)
        identifier = (DOMAIN, f"{init_integration.entry_id}_CP1")
        left = registry.async_get_device_by_identifier(identifier, init_integration.entry_id)
        assert left is not None
        device = await async_get_device_diagnostics(hass, init_integration, left)
    for text in (json.dumps(site), json.dumps(device)):
        for secret in (TOKEN, "04SECRET", "127.0.0.1", "SN-4711", "SIGNED-SECRET", "VEHICLE-SECRET", "WIFI-SECRET", "CLOUD-SECRET"):
            assert secret not in text, secret
        assert "Wallbox 2" in text
        assert "1.2.3" in text
        assert "https://files.example/**REDACTED**" in text
    assert site["snapshot"]["evses"]["CP1/1"]["charging_state"] == "charging"
    assert site["inventories"]["CP1"]["smart_charging"]["rate_units"] == ["A"]
    assert site["inventories"]["CP1"]["variables"] == len(site["snapshot"]["stations"]["CP1"]["inventory"]["device"]) > 0
    assert site["subentries"][0]["title"] == "Garage"
    assert [evse["key"] for evse in device["evses"]] == ["CP1/1"]
    requests = [line["frame"][2] for line in device["frames"] if line["frame"][0] == 2]
    assert {"BootNotification", "SetChargingProfile", "TransactionEvent"} <= set(requests)
    assert {line["direction"] for line in device["frames"]} == {"received", "sent"}


async def test_an_evse_of_a_station_that_never_came(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """A child device has diagnostics too."""
    identifier = (DOMAIN, f"{init_integration.entry_id}_CP2_2")
    child = dr.async_get(hass).async_get_child_device_by_identifier(identifier, init_integration.entry_id)
    assert child is not None
    data = await async_get_device_diagnostics(hass, init_integration, child)
    assert data["snapshot"]["key"] == "CP2/2"
    json.dumps(data)


async def test_a_site_that_does_not_run(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Whoever reports that it can't be set up has how it is set up to show, and no secret of it."""
    entry = init_integration
    data = {"id_token": "04CAFECAFE", "type": "any"}
    hass.config_entries.async_add_subentry(
        entry, ConfigSubentry(data=MappingProxyType(data), subentry_type="id_token", title="04CAFECAFE", unique_id="x")
    )
    await hass.config_entries.async_unload(entry.entry_id)
    site = await async_get_config_entry_diagnostics(hass, entry)
    assert (site["data"]["fuse_a"], site["data"]["host"], site["snapshot"]) == (40.0, REDACTED, None)
    registry = dr.async_get(hass)
    left = registry.async_get_device_by_identifier((DOMAIN, f"{entry.entry_id}_CP1"), entry.entry_id)
    assert left is not None
    device = await async_get_device_diagnostics(hass, entry, left)
    assert device["snapshot"] is None
    for text in (json.dumps(site), json.dumps(device)):
        assert TOKEN not in text and "04CAFECAFE" not in text and "127.0.0.1" not in text


def test_what_json_cannot_say() -> None:
    """Keys, words and infinity have a form in JSON."""
    assert as_json({EvseKey("CP1", 1): Mode.OFF, "most": float("inf"), "tokens": frozenset({"b", "a"})}) == {
        "CP1/1": "off",
        "most": None,
        "tokens": ["a", "b"],
    }
