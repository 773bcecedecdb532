"""What the tests of the forms for parts of a site share: how a person gets from one to the next, and what one shows."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry


async def start(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> SubentryFlowResult:
    return await hass.config_entries.subentries.async_init((entry.entry_id, kind), context={"source": SOURCE_USER})


async def answer(hass: HomeAssistant, result: SubentryFlowResult, **answers: Any) -> SubentryFlowResult:
    return await hass.config_entries.subentries.async_configure(result["flow_id"], answers)


async def choose(hass: HomeAssistant, result: SubentryFlowResult, step: str) -> SubentryFlowResult:
    assert result["type"] is FlowResultType.MENU
    return await answer(hass, result, next_step_id=step)


async def change(hass: HomeAssistant, entry: MockConfigEntry, subentry_id: str, what: str) -> SubentryFlowResult:
    """Choose what to change of a part."""
    return await choose(hass, await entry.start_subentry_reconfigure_flow(hass, subentry_id), what)


def offered(result: SubentryFlowResult, key: str) -> list[str]:
    assert result["data_schema"] is not None
    return [option["value"] for option in result["data_schema"].schema[key].config["options"]]


def default(result: SubentryFlowResult, key: str) -> Any:
    """What a form shows in a field before anyone has typed, also in its section."""
    assert result["data_schema"] is not None
    schema = result["data_schema"].schema
    both = {**schema, **(schema["advanced"].schema.schema if "advanced" in schema else {})}
    marker = next(marker for marker in both if marker == key)
    return marker.description["suggested_value"] if marker.description else marker.default()
