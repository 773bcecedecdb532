"""What the tests of the site's forms share: how a person gets from one to the next, and what one shows."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN

SITE = {"name": "Home", "phases": "3", "fuse_a": 40.0, "margin_a": 2.0, "worst_case_a": 20.0, "advanced": {"voltage_v": 231}}


async def start(hass: HomeAssistant) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})


async def answer(hass: HomeAssistant, result: ConfigFlowResult, **answers: Any) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_configure(result["flow_id"], answers)


async def choose(hass: HomeAssistant, result: ConfigFlowResult, step: str) -> ConfigFlowResult:
    assert result["type"] is FlowResultType.MENU
    return await answer(hass, result, next_step_id=step)


async def to_meter(hass: HomeAssistant, kind: str, **site: Any) -> ConfigFlowResult:
    return await choose(hass, await answer(hass, await start(hass), **SITE | site), kind)


def listen(port: int, **more: Any) -> dict[str, Any]:
    return {"port": port, "advanced": {"host": "127.0.0.1"}} | more


def shown(result: ConfigFlowResult, key: str) -> Any:
    """What a form shows in a field before anyone has typed, also in its section."""
    assert result["data_schema"] is not None
    schema = result["data_schema"].schema
    both = {**schema, **(schema["advanced"].schema.schema if "advanced" in schema else {})}
    marker = next(marker for marker in both if marker == key)
    return marker.description["suggested_value"] if marker.description else marker.default()


async def change(hass: HomeAssistant, entry: MockConfigEntry, what: str) -> ConfigFlowResult:
    return await choose(hass, await entry.start_reconfigure_flow(hass), what)


def sdm630(port: int, **changes: Any) -> dict[str, Any]:
    return {"model": "eastron_sdm630", "host": "127.0.0.1", "port": port, "unit_id": 1, "advanced": {"invert": False}} | changes


def measured(hass: HomeAssistant) -> dict[str, str]:
    for phase, current in ((1, "3"), (2, "4.5"), (3, "6")):
        hass.states.async_set(f"sensor.current_{phase}", current, {"device_class": "current", "unit_of_measurement": "A"})
        hass.states.async_set(f"sensor.power_{phase}", "-690", {"device_class": "power", "unit_of_measurement": "W"})
    return {f"current_l{phase}": f"sensor.current_{phase}" for phase in (1, 2, 3)}
