"""A station is removed: told to let nothing flow while it is there; else a repair asks whether it is off, in a running Home Assistant."""

from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN

from .raw_station import raw_station, until
from .subentry_flows import answer, change
from .test_phase_map_repair import turned


async def test_a_station_that_is_there_is_told_before_it_is_let_go(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    entry = init_integration
    async with raw_station(entry, "CP1") as station:
        await station.boot()
        await until(hass, "binary_sensor.left_online", "on")
        hass.config_entries.async_remove_subentry(entry, "station_one")
        await hass.async_block_till_done()
        profiles = [payload["chargingProfile"] for action, payload in station.heard if action == "SetChargingProfile"]
        fallbacks = [profile for profile in profiles if profile["chargingProfilePurpose"] == "TxDefaultProfile"]
        assert fallbacks[-1]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 0.0
    assert "CP1" not in entry.runtime_data.central_system.stations
    await turned(hass, entry)
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"station_removed_{entry.entry_id}_CP1") is None


async def test_what_is_reserved_for_one_that_is_away_is_let_go_once_a_person_says_that_it_is_off(
    hass: HomeAssistant, init_integration: MockConfigEntry
) -> None:
    entry = init_integration
    assert await async_setup_component(hass, "repairs", {})
    hass.config_entries.async_remove_subentry(entry, "station_one")
    await hass.async_block_till_done()
    await turned(hass, entry)
    issue_id = f"station_removed_{entry.entry_id}_CP1"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None and issue.is_fixable
    assert issue.translation_placeholders == {"station": "Left", "identity": "CP1", "circuit": "Garage", "current": "32"}

    assert await hass.config_entries.async_reload(entry.entry_id)
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None, "it is known after a restart as well"

    manager = repairs_flow_manager(hass)
    assert manager is not None
    form = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    late = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "confirm")
    done = await manager.async_configure(form["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await turned(hass, entry)
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None
    assert "CP1" not in entry.runtime_data.site.config.stations
    result = await manager.async_configure(late["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "gone")
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


async def test_a_person_is_asked_about_an_evse_that_is_left_out_of_its_stations_settings(
    hass: HomeAssistant, init_integration: MockConfigEntry
) -> None:
    entry = init_integration
    assert await async_setup_component(hass, "repairs", {})
    form = await change(hass, entry, "station_two", "station")
    form = await answer(hass, form, name="Right", circuit="main", evse_count=1)
    done = await answer(hass, form, phases="3", rotation="unknown", max_a=16)
    assert done["reason"] == "reconfigure_successful"
    await turned(hass, entry)
    issue_id = f"evse_removed_{entry.entry_id}_CP2/2"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None and issue.is_fixable
    assert issue.translation_placeholders == {
        "station": "Right",
        "identity": "CP2",
        "evse_id": "2",
        "circuit": "Home",
        "current": "32",
    }
    manager = repairs_flow_manager(hass)
    assert manager is not None
    asked = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    assert (await manager.async_configure(asked["flow_id"], {}))["type"] is FlowResultType.CREATE_ENTRY
    await turned(hass, entry)
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None
    assert [evse.evse_id for evse in entry.runtime_data.site.config.stations["CP2"].evses] == [1]
