"""The site's mode and policy."""

from collections.abc import Awaitable, Callable

from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .raw_station import until

ENTITY = "select.home_mode"


async def test_entities(compare_platform: Callable[[Platform], Awaitable[None]]) -> None:
    """All selections of a busy evening."""
    await compare_platform(Platform.SELECT)


async def _choose(hass: HomeAssistant, option: str) -> None:
    await hass.services.async_call("select", "select_option", {ATTR_ENTITY_ID: ENTITY, "option": option}, blocking=True)


@pytest.mark.usefixtures("init_integration")
async def test_without_a_meter_there_is_nothing_to_follow(hass: HomeAssistant) -> None:
    """Dynamic is refused in words; static and off can be chosen."""
    await _choose(hass, "off")
    await until(hass, ENTITY, "off")
    with pytest.raises(ServiceValidationError) as refused:
        await _choose(hass, "dynamic")
    assert refused.value.translation_key == "no_meter"
    assert hass.states.get(ENTITY).state == "off"
    await _choose(hass, "static")
    await until(hass, ENTITY, "static")


@pytest.mark.parametrize(
    "meter_data", [{"type": "entities", "invert": False, "current_l1": "sensor.l1", "current_l2": "sensor.l2", "current_l3": "sensor.l3"}]
)
async def test_with_a_meter(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """A site with a meter goes from dynamic to off and back."""
    for phase in ("l1", "l2", "l3"):
        hass.states.async_set(f"sensor.{phase}", "8", {"unit_of_measurement": "A", "device_class": "current"})
    mock_config_entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(mock_config_entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.get(ENTITY).state == "dynamic"
    await _choose(hass, "off")
    await until(hass, ENTITY, "off")
    await _choose(hass, "dynamic")
    await until(hass, ENTITY, "dynamic")
    assert await hass.config_entries.async_unload(mock_config_entry.entry_id)


@pytest.mark.usefixtures("init_integration")
async def test_the_policy_is_chosen_and_kept(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Most cars ready, until a person wants something else; that outlives a restart."""
    entity = "select.home_sharing_policy"
    assert hass.states.get(entity).state == "most_cars_ready"
    await hass.services.async_call("select", "select_option", {ATTR_ENTITY_ID: entity, "option": "equal_power"}, blocking=True)
    await until(hass, entity, "equal_power")
    assert await hass.config_entries.async_reload(init_integration.entry_id)
    await hass.async_block_till_done()
    await until(hass, entity, "equal_power")


@pytest.mark.parametrize(
    "meter_data", [{"type": "entities", "invert": False, "current_l1": "sensor.l1", "current_l2": "sensor.l2", "current_l3": "sensor.l3"}]
)
async def test_shadow_mode_compares(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """What came of shadow mode has entities from when it is chosen, and is unknown without it."""
    for phase in ("l1", "l2", "l3"):
        hass.states.async_set(f"sensor.{phase}", "80", {"unit_of_measurement": "A", "device_class": "current"})
    mock_config_entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(mock_config_entry.entry_id)
    energy, over = "sensor.home_shadow_mode_energy_with_control", "sensor.home_shadow_mode_time_over_the_limit_without_control"
    assert hass.states.get(energy) is None and hass.states.get(over) is None
    await _choose(hass, "shadow")
    await until(hass, ENTITY, "shadow")
    await until(hass, energy, "0.0")
    assert hass.states.get(over).attributes["unit_of_measurement"] == "s"
    await _choose(hass, "dynamic")
    await until(hass, energy, "unknown")


@pytest.mark.usefixtures("init_integration")
async def test_who_comes_first_is_chosen_and_kept(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Cars at one parking place come before the others, or after them; the others' stay as they are."""
    entity = "select.left_evse_1_priority"
    assert hass.states.get(entity).state == "normal"
    for option in ("high", "low"):
        await hass.services.async_call("select", "select_option", {ATTR_ENTITY_ID: entity, "option": option}, blocking=True)
        await until(hass, entity, option)
        assert init_integration.runtime_data.site.memory().evses["CP1/1"].priority == option
    assert hass.states.get("select.right_evse_1_priority").state == "normal"
