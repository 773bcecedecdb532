"""A circuit was seen to draw more than its worst case: a repair tells, and forgets it where a person says so, in a running Home Assistant."""

from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN

from .test_phase_map_repair import turned


async def test_what_was_seen_is_forgotten_once_a_person_says_that_it_cannot_come_again(
    hass: HomeAssistant, init_integration: MockConfigEntry
) -> None:
    entry = init_integration
    assert await async_setup_component(hass, "repairs", {})
    state = entry.runtime_data.site._circuits["main"]
    state.worst.seen_a, state.worst.seen_at = (0.0, 27.0, 21.0), 2e9
    state.configure(entry.runtime_data.site.config.root, 0.0)
    await turned(hass, entry)
    assert max(entry.runtime_data.site.snapshot.circuits["main"].circuit.unmanaged_worst_a) == 27.0
    issue_id = f"worst_case_exceeded_{entry.entry_id}_main"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None and issue.is_fixable
    assert issue.translation_placeholders == {"circuit": "Home", "seen_a": "27", "said_a": "20"}

    assert await hass.config_entries.async_reload(entry.entry_id)
    await turned(hass, entry)
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None, "it is known after a restart as well"

    manager = repairs_flow_manager(hass)
    assert manager is not None
    form = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "confirm")
    done = await manager.async_configure(form["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await turned(hass, entry)
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None
    assert max(entry.runtime_data.site.snapshot.circuits["main"].circuit.unmanaged_worst_a) == 20.0
