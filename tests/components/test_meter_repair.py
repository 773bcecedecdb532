"""A meter that does not see the cars: a repair tells, and has it believed again where a person says that it was put right."""

from typing import Any

from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.site.snapshot import MeterHealth

from .test_meters import entities, measure, until
from .test_phase_map_repair import turned


@pytest.fixture
def meter_data() -> dict[str, Any]:
    return entities("main")


async def test_it_is_believed_again_once_a_person_says_that_it_was_put_right(
    hass: HomeAssistant, init_integration: MockConfigEntry
) -> None:
    entry = init_integration
    assert await async_setup_component(hass, "repairs", {})
    measure(hass, "main", "10")
    await until(entry, lambda site: site.circuits["main"].meter is MeterHealth.OK)
    state = entry.runtime_data.site._circuits["main"]
    state.credibility.direction.unseen = True
    await turned(hass, entry)
    issue_id = f"meter_unseen_{entry.entry_id}_main"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None and issue.is_fixable
    assert issue.translation_placeholders == {"circuit": "Home", "worst_case_a": "20"}

    manager = repairs_flow_manager(hass)
    assert manager is not None
    form = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "confirm")
    done = await manager.async_configure(form["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await turned(hass, entry)
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None
