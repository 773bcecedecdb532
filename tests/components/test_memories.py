"""What is known of stations outlives a restart of Home Assistant, and goes with the station."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import STORAGE_DIR
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.memory import Memory
from custom_components.headroom.memories import StationMemories
from tests.csms.client import SILENCE

from .raw_station import BOOT, raw_station, until

STATUS = "sensor.left_evse_1_status"


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Files of this test's own."""
    return str(tmp_path)


@pytest.fixture(autouse=True)
def hass_storage() -> dict[str, Any]:
    """Real files, not a mock of them."""
    return {}


def files(hass: HomeAssistant, entry: MockConfigEntry) -> set[str]:
    """The subentries for which there is a file."""
    prefix = f"{DOMAIN}.{entry.entry_id}."
    return {file.name.removeprefix(prefix) for file in Path(hass.config.path(STORAGE_DIR)).glob(f"{prefix}*")}


async def _get_known(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    async with raw_station(entry, "CP1") as station:
        await station.boot()
        await station.status("Occupied")
        await station.transaction("Started", 0, "Charging", trigger="Authorized", energy_wh=0)
        await until(hass, STATUS, "charging")
        assert any(action == "GetBaseReport" for action, _ in station.heard)


async def test_a_restart(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """A known station is accepted at its first boot and nothing of it is read anew; its transaction goes on."""
    await _get_known(hass, init_integration)
    assert await hass.config_entries.async_reload(init_integration.entry_id)
    async with raw_station(init_integration, "CP1") as station:
        answer = await station.call("BootNotification", BOOT)
        assert answer["status"] == "Accepted"
        await station.status("Occupied")
        await station.transaction("Updated", 1, "Charging", current_a=6.0, voltage_v=230.0, power_w=4140.0, energy_wh=900)
        await until(hass, STATUS, "charging")
        await station.hears("SetChargingProfile")
        assert not any(action == "GetBaseReport" for action, _ in station.heard)


async def test_a_station_that_is_removed(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Nothing stays of it."""
    await _get_known(hass, init_integration)
    assert await hass.config_entries.async_reload(init_integration.entry_id)
    assert "station_one" in files(hass, init_integration)
    hass.config_entries.async_remove_subentry(init_integration, "station_one")
    await hass.async_block_till_done()
    assert files(hass, init_integration) == set()


async def test_a_station_that_is_added_again_while_it_is_being_removed(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """It stays connected, and what is known of it is kept as that of the new one."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await until(hass, "binary_sensor.left_online", "on")
        station.answers["SetChargingProfile"] = SILENCE
        removed = init_integration.subentries["station_one"]
        hass.config_entries.async_remove_subentry(init_integration, "station_one")
        while "CP1" not in init_integration.runtime_data.site.leaving:
            await asyncio.sleep(0)
        hass.config_entries.async_add_subentry(init_integration, replace(removed, subentry_id="station_anew"))
        await hass.async_block_till_done()
        assert hass.states.get("binary_sensor.left_online").state == "on"
        assert (await station.call("Heartbeat", {}))["currentTime"]
    assert await hass.config_entries.async_reload(init_integration.entry_id)
    assert files(hass, init_integration) == {"station_anew"}


async def test_a_removal_that_meets_the_stop_keeps_nothing_from_being_written(
    hass: HomeAssistant, init_integration: MockConfigEntry
) -> None:
    """What else is due is written; the station that is on its way out is not."""
    entry_id = init_integration.entry_id
    kept = StationMemories(hass, entry_id)
    await kept.async_load({"GOING": "station_two", "STAYING": "station_three"})
    memories = {"GOING": Memory(), "STAYING": Memory()}
    kept.follow(memories)
    for identity in list(memories):
        kept.async_changed(identity)
    del memories["GOING"]
    await kept.async_save()
    assert files(hass, init_integration) == {"station_three"}


async def test_the_site_is_removed(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Its stations' files go with it."""
    await _get_known(hass, init_integration)
    await hass.config_entries.async_reload(init_integration.entry_id)
    assert files(hass, init_integration) == {"station_one"}
    await hass.config_entries.async_remove(init_integration.entry_id)
    assert files(hass, init_integration) == set()


async def test_what_holds_tokens_is_the_owners_alone(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """A token that was issued or reserved for lets whoever reads it charge."""
    await _get_known(hass, init_integration)
    await hass.config_entries.async_unload(init_integration.entry_id)
    kept = list(Path(hass.config.path(STORAGE_DIR)).glob(f"{DOMAIN}.{init_integration.entry_id}*"))
    assert len(kept) == 2
    assert [file.stat().st_mode & 0o077 for file in kept] == [0, 0]
