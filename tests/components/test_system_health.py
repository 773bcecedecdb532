"""The system information page."""

from dataclasses import replace

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.site.snapshot import MeterHealth, ResourceSnapshot

from .raw_station import raw_station, until


async def test_the_state_of_the_site(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """How many stations are there, how many are online, how old the newest decision is."""
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    assert (await get_system_health_info(hass, DOMAIN))["stations_online"] == "0/2"
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await until(hass, "binary_sensor.left_online", "on")
        info = await get_system_health_info(hass, DOMAIN)
    assert info["sites"] == 1
    assert info["stations_online"] == "1/2"
    assert info["stations_pending"] == 0
    assert info["meters_silent"] == "0/0"
    assert info["reaction"] == "-", "no reading has made a cut necessary"
    assert info["look_ahead"] == "HiGHS available"
    assert float(info["oldest_turn"].removesuffix(" s")) < 60


@pytest.mark.parametrize(("health", "told"), [(MeterHealth.LOST, "1/1"), (MeterHealth.STALE, "0/1"), (MeterHealth.OK, "0/1")])
async def test_the_meter_of_a_roof_counts_too(
    hass: HomeAssistant, init_integration: MockConfigEntry, health: MeterHealth, told: str
) -> None:
    """Only where it is lost: many an inverter is read seldom."""
    assert await async_setup_component(hass, "system_health", {})
    coordinator = init_integration.runtime_data
    roof = ResourceSnapshot(resource_id="pv", name="Roof", meter=health)
    coordinator.async_set_updated_data(replace(coordinator.data, resources={"pv": roof}))
    assert (await get_system_health_info(hass, DOMAIN))["meters_silent"] == told


async def test_no_site(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Nothing runs, and nothing is made up."""
    assert await async_setup_component(hass, "system_health", {})
    await hass.config_entries.async_unload(init_integration.entry_id)
    info = await get_system_health_info(hass, DOMAIN)
    assert info["sites"] == 0
    assert info["oldest_turn"] == "-"
