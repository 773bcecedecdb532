"""The switch that lets an EVSE charge."""

from collections.abc import Awaitable, Callable

from homeassistant.const import ATTR_ENTITY_ID, SERVICE_TURN_OFF, SERVICE_TURN_ON, STATE_OFF, STATE_ON, Platform
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .raw_station import until

ENTITY = "switch.left_evse_1_allow_charging"


async def test_entities(compare_platform: Callable[[Platform], Awaitable[None]]) -> None:
    """All switches of a busy evening."""
    await compare_platform(Platform.SWITCH)


@pytest.mark.usefixtures("init_integration")
async def test_off_and_on(hass: HomeAssistant) -> None:
    """Charging can be forbidden and allowed again, the station connected or not; the loop says that this is why."""
    assert hass.states.get(ENTITY).state == STATE_ON
    await hass.services.async_call("switch", SERVICE_TURN_OFF, {ATTR_ENTITY_ID: ENTITY}, blocking=True)
    await until(hass, ENTITY, STATE_OFF)
    assert hass.states.get("switch.right_evse_1_allow_charging").state == STATE_ON
    await hass.services.async_call("switch", SERVICE_TURN_ON, {ATTR_ENTITY_ID: ENTITY}, blocking=True)
    await until(hass, ENTITY, STATE_ON)


@pytest.mark.usefixtures("init_integration")
async def test_never_pause(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Whether cars are spared pauses is the person's word, and kept."""
    never = "switch.left_evse_1_never_pause"
    assert hass.states.get(never).state == STATE_OFF
    for service, state in ((SERVICE_TURN_ON, STATE_ON), (SERVICE_TURN_OFF, STATE_OFF)):
        await hass.services.async_call("switch", service, {ATTR_ENTITY_ID: never}, blocking=True)
        await until(hass, never, state)
        assert init_integration.runtime_data.site.memory().evses["CP1/1"].never_pause is (state == STATE_ON)
    assert hass.states.get("switch.right_evse_1_never_pause").state == STATE_OFF
