"""Actions on who may charge: reservations, and what a station remembers of tokens."""

from collections.abc import Mapping
from datetime import timedelta

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
import probatio as vol

from ..commands import cancel_reservations, reserve
from ..configuration import TOKEN_TYPES
from ..csms import inventory
from ..errors import invalid, translated_errors
from .action import ATTR_DURATION, DURATION, Action, station_of

ATTR_CONNECTOR_TYPE = "connector_type"
ATTR_GROUP = "group"
ATTR_ID_TOKEN = "id_token"
ATTR_ID_TOKEN_TYPE = "id_token_type"
ATTR_RESERVATION_ID = "reservation_id"

TOKEN = vol.All(cv.string, vol.Length(min=1, max=36))
TOKEN_TYPE = vol.All(vol.In(TOKEN_TYPES), TOKEN_TYPES.get)
GROUP = vol.All(cv.string, vol.Length(min=1, max=36))
CONNECTOR_TYPES = {name.lower(): name for name in inventory.CONNECTOR_TYPES}
"""OCPP's ConnectorEnumType by what the actions call it."""


async def _reserve(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, evse_id = station_of(call)
    duration: timedelta = call.data[ATTR_DURATION]
    reservation = await reserve(
        coordinator,
        identity,
        evse_id,
        call.data[ATTR_ID_TOKEN],
        duration,
        kind=call.data.get(ATTR_ID_TOKEN_TYPE),
        group=call.data.get(ATTR_GROUP),
        connector_type=call.data.get(ATTR_CONNECTOR_TYPE),
    )
    return {ATTR_RESERVATION_ID: reservation.reservation_id, "expires_at": reservation.expires_at.isoformat()}


async def _cancel_reservation(call: ServiceCall) -> None:
    coordinator, identity, evse_id = station_of(call)
    await cancel_reservations(coordinator, identity, evse_id, call.data.get(ATTR_RESERVATION_ID))


async def _send_local_list(call: ServiceCall) -> ServiceResponse:
    """Send a station the site's tokens again; the site's keeper does it, so that what it knows of the station's list stays true."""
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        if not coordinator.station(identity).authorization.keeps_list:
            raise invalid("no_local_list", station=identity)
        sent = await coordinator.site.send_local_list(identity)
    return {"status": "Accepted", "version": sent.version, "tokens": sent.tokens}


async def _clear_authorization_cache(call: ServiceCall) -> None:
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        await coordinator.station(identity).authorization.clear_cache()


ACTIONS: Mapping[str, Action] = {
    "reserve": Action(
        handler=_reserve,
        fields={
            vol.Required(ATTR_ID_TOKEN): TOKEN,
            vol.Required(ATTR_DURATION): DURATION,
            vol.Optional(ATTR_ID_TOKEN_TYPE): TOKEN_TYPE,
            vol.Optional(ATTR_GROUP): GROUP,
            vol.Optional(ATTR_CONNECTOR_TYPE): vol.All(vol.In(CONNECTOR_TYPES), CONNECTOR_TYPES.__getitem__),
        },
        response=SupportsResponse.OPTIONAL,
    ),
    "cancel_reservation": Action(
        handler=_cancel_reservation, fields={vol.Optional(ATTR_RESERVATION_ID): vol.All(vol.Coerce(int), vol.Range(min=1))}
    ),
    "send_local_list": Action(handler=_send_local_list, fields={}, response=SupportsResponse.OPTIONAL),
    "clear_authorization_cache": Action(handler=_clear_authorization_cache, fields={}),
}
