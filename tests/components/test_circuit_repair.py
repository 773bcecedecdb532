"""A circuit is deleted that others hang on: told by a repair for each, put right by a choice, in a running Home Assistant."""

from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.configuration import site_config
from custom_components.headroom.const import DOMAIN

from .test_configuration import circuit
from .test_phase_map_repair import turned


@pytest.mark.parametrize(("subentry_id", "name", "named_as"), [("station_one", "Left", "circuit"), ("wallbox", "Wallbox", "parent")])
async def test_what_hung_on_a_deleted_circuit_is_told_and_put_where_it_hangs(
    hass: HomeAssistant, init_integration: MockConfigEntry, subentry_id: str, name: str, named_as: str
) -> None:
    entry = init_integration
    assert await async_setup_component(hass, "repairs", {})
    for added in (circuit("wallbox", "garage"), circuit("anew", "main")):
        hass.config_entries.async_add_subentry(entry, added)
    hass.config_entries.async_remove_subentry(entry, "garage")
    await hass.async_block_till_done()
    await turned(hass, entry)
    assert entry.runtime_data.site.config.stations["CP1"].circuit_id == "gone"
    issue_id = f"circuit_gone_{entry.entry_id}_{subentry_id}"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None and issue.is_fixable and issue.severity is ir.IssueSeverity.ERROR
    assert issue.translation_placeholders == {"name": name}

    manager = repairs_flow_manager(hass)
    assert manager is not None
    form = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "circuit")
    done = await manager.async_configure(form["flow_id"], {"circuit": "anew"})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await turned(hass, entry)
    assert entry.subentries[subentry_id].data[named_as] == "anew"
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


async def test_the_repair_ends_where_its_station_is_removed_meanwhile(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    entry = init_integration
    assert await async_setup_component(hass, "repairs", {})
    hass.config_entries.async_remove_subentry(entry, "garage")
    await hass.async_block_till_done()
    await turned(hass, entry)
    manager = repairs_flow_manager(hass)
    assert manager is not None
    form = await manager.async_init(DOMAIN, context={"issue_id": f"circuit_gone_{entry.entry_id}_station_one"})
    hass.config_entries.async_remove_subentry(entry, "station_one")
    await hass.async_block_till_done()
    result = await manager.async_configure(form["flow_id"], {"circuit": "main"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "gone")
    assert "gone" not in {each.circuit_id for each in site_config(entry).circuits}
