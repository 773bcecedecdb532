"""A station that is wired otherwise than somebody said: told by a repair, put right by a confirmation, in a running Home Assistant."""

from itertools import permutations

from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.engine.model import ALL_PHASES, Phase
from custom_components.headroom.site.config import EvseKey
from custom_components.headroom.site.wiring import PhaseMap, Wiring

CP1 = EvseKey("CP1", 1)
SHOWN_BY = {"L3L2L1": [(1, 0, 0), (0, 1, 0)], "unknown": [(1, 0, 0)]}
"""What is stored where all, or only the first terminal, was seen: steps of which terminals."""


async def seen(hass: HomeAssistant, entry: MockConfigEntry, moved: list[tuple[int, int, int]]) -> None:
    """Have steps been seen that show the rotation L3, L2, L1, though L2, L3, L1 was said."""
    truth = (Phase.L3, Phase.L2, Phase.L1)
    candidates = list(permutations(ALL_PHASES))
    steps = [
        {
            "moved": [bool(each) for each in which],
            "behind": [0.0 if candidate[which.index(1)] is truth[which.index(1)] else 8.0 for candidate in candidates],
        }
        for which in moved
        for _ in range(3)
    ]
    document = {str(CP1): {"terminals": 3, "conductors": ["L1", "L2", "L3"], "steps": steps}}
    site = entry.runtime_data.site
    site._phase_maps.recall(document)
    await turned(hass, entry)


async def turned(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let the loop turn once."""
    site = entry.runtime_data.site
    turns = site.turns
    site.request_turn("user")
    while site.turns == turns:
        await hass.async_block_till_done(wait_background_tasks=False)
    await hass.async_block_till_done()


def phase_map(entry: MockConfigEntry) -> PhaseMap:
    """What the site shows of the EVSE."""
    shown = entry.runtime_data.data.evses[CP1].phase_map
    assert isinstance(shown, PhaseMap)
    return shown


@pytest.mark.parametrize(("rotation", "found", "state"), [("L3L2L1", "L3, L2, L1", "confirmed"), ("unknown", "L3, ?, ?", "partly_learnt")])
async def test_a_wrong_map_is_told_and_put_right(
    hass: HomeAssistant, init_integration: MockConfigEntry, rotation: str, found: str, state: str
) -> None:
    entry = init_integration
    assert await async_setup_component(hass, "repairs", {})
    await seen(hass, entry, SHOWN_BY[rotation])
    issue_id = f"phase_map_wrong_{entry.entry_id}_CP1"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None and issue.is_fixable and issue.severity is ir.IssueSeverity.WARNING
    assert issue.translation_placeholders == {"station": "Left", "evses": f"- EVSE 1: L2, L3, L1 → **{found}**"}
    entity = hass.states.get("sensor.left_evse_1_grid_phases")
    assert entity is not None and entity.state == "contradicted"
    assert (entity.attributes["said"], entity.attributes["learnt"], entity.attributes["reckoned"]) == ("L2, L3, L1", found, "?, ?, ?")

    manager = repairs_flow_manager(hass)
    assert manager is not None
    form = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "confirm")
    assert entry.subentries["station_one"].data["evses"][0]["rotation"] == "L2L3L1", "nothing is changed before it is confirmed"
    done = await manager.async_configure(form["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await turned(hass, entry)
    assert entry.subentries["station_one"].data["evses"] == [{"evse_id": 1, "phases": 3, "rotation": rotation, "max_a": 32.0}]
    assert phase_map(entry).state is Wiring(state)
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


async def test_the_repair_of_a_station_that_is_gone_ends(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    entry = init_integration
    assert await async_setup_component(hass, "repairs", {})
    await seen(hass, entry, SHOWN_BY["unknown"])
    manager = repairs_flow_manager(hass)
    assert manager is not None
    form = await manager.async_init(DOMAIN, context={"issue_id": f"phase_map_wrong_{entry.entry_id}_CP1"})
    assert hass.config_entries.async_remove_subentry(entry, "station_one")
    await hass.async_block_till_done()
    result = await manager.async_configure(form["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "station_gone")
