"""The most current a person lets an EVSE give."""

from collections.abc import Awaitable, Callable

from homeassistant.const import ATTR_ENTITY_ID, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .raw_station import until

ENTITY = "number.left_evse_1_maximum_current"


async def test_entities(compare_platform: Callable[[Platform], Awaitable[None]]) -> None:
    """All numbers of a busy evening."""
    await compare_platform(Platform.NUMBER)


async def _set(hass: HomeAssistant, value: float) -> None:
    await hass.services.async_call("number", "set_value", {ATTR_ENTITY_ID: ENTITY, "value": value}, blocking=True)


@pytest.mark.usefixtures("init_integration")
async def test_set(hass: HomeAssistant) -> None:
    """The ceiling starts at the EVSE's rating and is what was set last."""
    assert hass.states.get(ENTITY).state == "32.0"
    await _set(hass, 13)
    await until(hass, ENTITY, "13.0")


@pytest.mark.usefixtures("init_integration")
@pytest.mark.parametrize("value", [5, 33, float("nan")])
async def test_outside_of_what_the_evse_gives(hass: HomeAssistant, value: float) -> None:
    """Less than a car can charge with, and more than the EVSE is rated for, is refused."""
    with pytest.raises(ServiceValidationError):
        await _set(hass, value)
    assert hass.states.get(ENTITY).state == "32.0"


@pytest.mark.usefixtures("init_integration")
async def test_an_energy_that_is_no_number(hass: HomeAssistant) -> None:
    with pytest.raises(ServiceValidationError) as refused:
        await hass.services.async_call(
            "number", "set_value", {ATTR_ENTITY_ID: "number.left_evse_1_energy_needed", "value": float("nan")}, blocking=True
        )
    assert refused.value.translation_key == "not_a_number"
    assert hass.states.get("number.left_evse_1_energy_needed").state == "0.0"


async def test_the_rating_follows_the_configuration(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """A rating that is corrected bounds the number without a reload."""
    subentry = init_integration.subentries["station_one"]
    evses = [{**subentry.data["evses"][0], "max_a": 20.0}]
    hass.config_entries.async_update_subentry(init_integration, subentry, data={**subentry.data, "evses": evses})
    await hass.async_block_till_done()
    await until(hass, ENTITY, "20.0")
    assert hass.states.get(ENTITY).attributes["max"] == 20.0
