"""The actions: what automations and people may ask of the site beyond its entities."""

from collections.abc import Mapping

from homeassistant.core import HomeAssistant, callback

from .actions import authorization, charging, device_model, display, firmware, limits, logs, monitoring, needs, security, standing, vendor
from .actions.action import Action
from .const import DOMAIN

TOPICS = (charging, needs, standing, limits, authorization, security, device_model, monitoring, display, firmware, logs, vendor)

ACTIONS: Mapping[str, Action] = {name: action for topic in TOPICS for name, action in topic.ACTIONS.items()}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions; they stay registered while Home Assistant runs."""
    for name, action in ACTIONS.items():
        hass.services.async_register(DOMAIN, name, action.handler, schema=action.schema, supports_response=action.response)
