"""Actions beside the typed ones: a vendor's own messages, what a station keeps of a customer, and any request of OCPP by its name."""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
import probatio as vol

from ..commands import token_of
from ..csms.upkeep import Customer
from ..diagnostics import as_json
from ..errors import invalid, translated_errors
from .action import Action, station_of
from .guard import check_request

ATTR_CLEAR = "clear"
ATTR_DATA = "data"
ATTR_ID_TOKEN = "id_token"
ATTR_IDENTIFIER = "identifier"
ATTR_MESSAGE_ID = "message_id"
ATTR_PAYLOAD = "payload"
ATTR_REPORT = "report"
ATTR_REQUEST = "request"
ATTR_VENDOR_ID = "vendor_id"


async def _data_transfer(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        data = await coordinator.station(identity).display.transfer(
            call.data[ATTR_VENDOR_ID], call.data.get(ATTR_MESSAGE_ID), call.data.get(ATTR_DATA)
        )
    return {ATTR_DATA: as_json(data)}


async def _customer_information(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    id_token, identifier = call.data.get(ATTR_ID_TOKEN), call.data.get(ATTR_IDENTIFIER)
    if (id_token is None) == (identifier is None):
        raise invalid("one_customer")
    if id_token is None:
        customer = Customer(identifier=identifier)
    else:
        token, _ = token_of(coordinator, identity, id_token, None)
        customer = Customer(id_token=token.value, id_token_type=token.type)
    with translated_errors(identity):
        told = await coordinator.station(identity).diagnostics.customer_information(
            customer, report=call.data[ATTR_REPORT], clear=call.data[ATTR_CLEAR]
        )
    return {ATTR_DATA: told}


async def _call(call: ServiceCall) -> ServiceResponse:
    """Send a request of a CSMS; one that would go around what is kept account of is refused."""
    coordinator, identity, _ = station_of(call)
    action: str = call.data[ATTR_REQUEST]
    payload: Mapping[str, Any] = call.data[ATTR_PAYLOAD]
    check_request(action, payload, policy=coordinator.site.authorization.policy)
    with translated_errors(identity):
        station = coordinator.station(identity)
        if action not in station.commands:
            raise invalid("request_unknown", request=action)
        response = await station.call(action, payload)
    return {"response": as_json(response)}


ACTIONS: Mapping[str, Action] = {
    "data_transfer": Action(
        handler=_data_transfer,
        fields={
            vol.Required(ATTR_VENDOR_ID): vol.All(cv.string, vol.Length(min=1, max=255)),
            vol.Optional(ATTR_MESSAGE_ID): vol.All(cv.string, vol.Length(max=50)),
            vol.Optional(ATTR_DATA): object,
        },
        response=SupportsResponse.OPTIONAL,
    ),
    "customer_information": Action(
        handler=_customer_information,
        fields={
            vol.Optional(ATTR_ID_TOKEN): vol.All(cv.string, vol.Length(min=1, max=36)),
            vol.Optional(ATTR_IDENTIFIER): vol.All(cv.string, vol.Length(min=1, max=64)),
            vol.Optional(ATTR_REPORT, default=True): cv.boolean,
            vol.Optional(ATTR_CLEAR, default=False): cv.boolean,
        },
        response=SupportsResponse.ONLY,
    ),
    "call": Action(
        handler=_call,
        fields={vol.Required(ATTR_REQUEST): cv.string, vol.Optional(ATTR_PAYLOAD, default=dict): {cv.string: object}},
        response=SupportsResponse.ONLY,
    ),
}
