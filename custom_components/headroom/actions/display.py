"""Actions on what a station shows its driver."""

from collections.abc import Mapping
import secrets

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
import probatio as vol

from ..commands import evse_snapshot
from ..csms.upkeep import DisplayMessage
from ..diagnostics import as_json
from ..errors import invalid, translated_errors
from .action import Action, evse_of, moment, station_of

ATTR_COST = "cost"
ATTR_ENDS_AT = "ends_at"
ATTR_ID = "id"
ATTR_LANGUAGE = "language"
ATTR_PRIORITY = "priority"
ATTR_STARTS_AT = "starts_at"
ATTR_STATE = "state"
ATTR_TEXT = "text"

PRIORITIES = ("AlwaysFront", "InFront", "NormalCycle")
STATES = ("Charging", "Faulted", "Idle", "Unavailable")
MOST_ID = 2**31 - 1
ID = vol.All(vol.Coerce(int), vol.Range(min=0, max=MOST_ID))


async def _show_message(call: ServiceCall) -> ServiceResponse:
    """Show a text; returns the id it is known by."""
    coordinator, identity, evse_id = station_of(call)
    starts_at, ends_at = moment(call, ATTR_STARTS_AT), moment(call, ATTR_ENDS_AT)
    now = dt_util.utcnow()
    if ends_at is not None and ends_at <= max(starts_at or now, now):
        raise invalid("message_never_shown")
    message_id: int = call.data.get(ATTR_ID, secrets.randbelow(MOST_ID))
    message = DisplayMessage(
        id=message_id,
        text=call.data[ATTR_TEXT],
        priority=call.data[ATTR_PRIORITY],
        language=call.data.get(ATTR_LANGUAGE),
        state=call.data.get(ATTR_STATE),
        starts_at=starts_at,
        ends_at=ends_at,
        evse_id=evse_id,
    )
    with translated_errors(identity):
        await coordinator.station(identity).display.show(message)
    return {ATTR_ID: message_id}


async def _get_messages(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        messages = await coordinator.station(identity).display.messages(
            priority=call.data.get(ATTR_PRIORITY), state=call.data.get(ATTR_STATE)
        )
    return {"messages": as_json(messages)}


async def _clear_message(call: ServiceCall) -> None:
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        if not await coordinator.station(identity).display.clear(call.data[ATTR_ID]):
            raise invalid("message_unknown", id=str(call.data[ATTR_ID]))


async def _set_cost(call: ServiceCall) -> None:
    """Show what the transaction that runs costs so far."""
    coordinator, key = evse_of(call)
    if (transaction_id := evse_snapshot(coordinator, key).transaction_id) is None:
        raise invalid("not_charging", evse=str(key))
    with translated_errors(key.station):
        await coordinator.station(key.station).display.update_cost(transaction_id, call.data[ATTR_COST])


ACTIONS: Mapping[str, Action] = {
    "show_message": Action(
        handler=_show_message,
        fields={
            vol.Required(ATTR_TEXT): vol.All(cv.string, vol.Length(min=1, max=512)),
            vol.Optional(ATTR_ID): ID,
            vol.Optional(ATTR_PRIORITY, default="NormalCycle"): vol.In(PRIORITIES),
            vol.Optional(ATTR_STATE): vol.In(STATES),
            vol.Optional(ATTR_STARTS_AT): cv.datetime,
            vol.Optional(ATTR_ENDS_AT): cv.datetime,
            vol.Optional(ATTR_LANGUAGE): vol.All(cv.string, vol.Length(max=8)),
        },
        response=SupportsResponse.OPTIONAL,
    ),
    "get_messages": Action(
        handler=_get_messages,
        fields={vol.Optional(ATTR_PRIORITY): vol.In(PRIORITIES), vol.Optional(ATTR_STATE): vol.In(STATES)},
        response=SupportsResponse.ONLY,
    ),
    "clear_message": Action(handler=_clear_message, fields={vol.Required(ATTR_ID): ID}),
    "set_cost": Action(handler=_set_cost, fields={vol.Required(ATTR_COST): vol.All(vol.Coerce(float), vol.Range(min=0, max=1_000_000))}),
}
