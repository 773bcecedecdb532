"""Actions on a station's device model, and on the station itself: availability, restarts, messages on demand."""

from collections.abc import Mapping
import re
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
import probatio as vol

from ..csms import inventory
from ..csms.errors import CallRejectedError
from ..csms.values import Inventory
from ..csms.variables import AttributeType, DeviceVariable, VariableKey, VariableResult
from ..diagnostics import as_json
from ..errors import invalid, rejected, translated_errors
from .action import Action, evse_of, station_of
from .guard import check_variables

ATTR_ATTRIBUTE = "attribute"
ATTR_COMPONENT = "component"
ATTR_CONNECTOR = "connector"
ATTR_CRITERIA = "criteria"
ATTR_MESSAGE = "message"
ATTR_OPERATIVE = "operative"
ATTR_VALUES = "values"
ATTR_VARIABLES = "variables"
ATTR_WHEN_IDLE = "when_idle"
ATTR_WRITABLE = "writable"

CRITERIA = ("Active", "Available", "Enabled", "Problem")
MESSAGES = (
    "BootNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "PublishFirmwareStatusNotification",
    "SignChargingStationCertificate",
    "SignCombinedCertificate",
    "SignV2GCertificate",
    "StatusNotification",
    "TransactionEvent",
)
"""OCPP's MessageTriggerEnumType."""


def variable_key(text: str) -> VariableKey:
    """Read "Component.Variable"; raises ServiceValidationError."""
    try:
        return inventory.key_of(text.strip())
    except ValueError:
        raise invalid("not_a_variable", variable=text) from None


def component_key(text: str) -> tuple[str, str | None]:
    """Read a component, or one variable of it."""
    if re.search(r"\.(?![^\[]*\])", text):
        return variable_key(text)
    try:
        inventory.reference(text)
    except ValueError:
        raise invalid("not_a_variable", variable=text) from None
    return text, None


def _value(value: Any) -> str:
    """Write a value as OCPP does."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _told(results: Mapping[VariableKey, VariableResult]) -> ServiceResponse:
    return {ATTR_VARIABLES: {".".join(key): as_json(result) for key, result in results.items()}}


async def _get_variables(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    keys = [variable_key(text) for text in dict.fromkeys(call.data[ATTR_VARIABLES])]
    with translated_errors(identity):
        return _told(await coordinator.station(identity).get_variables(keys, AttributeType(call.data[ATTR_ATTRIBUTE])))


async def _set_variables(call: ServiceCall) -> ServiceResponse:
    """Set variables; where nobody looks at the answer, the first no is an error."""
    coordinator, identity, _ = station_of(call)
    values = {variable_key(text): _value(value) for text, value in call.data[ATTR_VALUES].items()}
    check_variables(values, policy=coordinator.site.authorization.policy)
    with translated_errors(identity):
        results = await coordinator.station(identity).set_variables(values, AttributeType(call.data[ATTR_ATTRIBUTE]))
    if call.return_response:
        return _told(results)
    for result in results.values():
        if not result.taken:
            raise rejected(identity, CallRejectedError("SetVariables", result.status or "–", result.reason))
    return None


async def _get_inventory(call: ServiceCall) -> ServiceResponse:
    """Return what is known of the device model; nothing is asked of the station."""
    coordinator, identity, evse_id = station_of(call)
    wanted: str = call.data.get(ATTR_COMPONENT, "").casefold()

    def fits(key: str, variable: DeviceVariable) -> bool:
        component = key.partition(".")[0]
        of_evse = evse_id is None or re.search(rf"@{evse_id}(?::|$)", component) is not None
        return of_evse and component.casefold().startswith(wanted) and (variable.writable or not call.data[ATTR_WRITABLE])

    memory = coordinator.central_system.memories.get(identity)
    station = (memory.inventory if memory else None) or Inventory()
    device = {key: as_json(variable) for key, variable in station.device.items() if fits(key, variable)}
    return {ATTR_VARIABLES: device, "awaiting_reboot": list(station.awaiting_reboot)}


async def _get_report(call: ServiceCall) -> ServiceResponse:
    """Have the station report anew: some components, or its whole device model."""
    coordinator, identity, _ = station_of(call)
    components = [component_key(text) for text in call.data.get(ATTR_VARIABLES, ())]
    criteria: list[str] = call.data.get(ATTR_CRITERIA, [])
    with translated_errors(identity):
        station = coordinator.station(identity)
        if components or criteria:
            device = await station.get_report(components, criteria)
        else:
            await station.read_inventory()
            device = station.inventory.device
    return {ATTR_VARIABLES: as_json(device)}


async def _reset(call: ServiceCall) -> None:
    coordinator, identity, evse_id = station_of(call)
    with translated_errors(identity):
        await coordinator.station(identity).reset(immediate=not call.data[ATTR_WHEN_IDLE], evse_id=evse_id)


async def _change_availability(call: ServiceCall) -> None:
    coordinator, identity, evse_id = station_of(call)
    with translated_errors(identity):
        await coordinator.station(identity).change_availability(operative=call.data[ATTR_OPERATIVE], evse_id=evse_id)
    coordinator.site.availability_decided(identity, evse_id)


async def _trigger_message(call: ServiceCall) -> None:
    coordinator, identity, evse_id = station_of(call)
    message: str = call.data[ATTR_MESSAGE]
    with translated_errors(identity):
        await coordinator.station(identity).trigger(message, evse_id)


async def _unlock_connector(call: ServiceCall) -> None:
    coordinator, key = evse_of(call)
    with translated_errors(key.station):
        station = coordinator.station(key.station)
        connectors = station.inventory.evse_connectors.get(key.evse_id) or (1,)
        await station.unlock_connector(key.evse_id, call.data.get(ATTR_CONNECTOR, connectors[0]))


ATTRIBUTE: Mapping[vol.Marker, Any] = {
    vol.Optional(ATTR_ATTRIBUTE, default=AttributeType.ACTUAL.value): vol.In([kind.value for kind in AttributeType])
}
TEXTS = vol.All(cv.ensure_list, [cv.string], vol.Length(min=1))
VALUE = vol.Any(bool, int, float, str)

ACTIONS: Mapping[str, Action] = {
    "get_variables": Action(
        handler=_get_variables, fields={vol.Required(ATTR_VARIABLES): TEXTS, **ATTRIBUTE}, response=SupportsResponse.ONLY
    ),
    "set_variables": Action(
        handler=_set_variables,
        fields={vol.Required(ATTR_VALUES): vol.All({cv.string: VALUE}, vol.Length(min=1)), **ATTRIBUTE},
        response=SupportsResponse.OPTIONAL,
    ),
    "get_inventory": Action(
        handler=_get_inventory,
        fields={vol.Optional(ATTR_COMPONENT): cv.string, vol.Optional(ATTR_WRITABLE, default=False): cv.boolean},
        response=SupportsResponse.ONLY,
    ),
    "get_report": Action(
        handler=_get_report,
        fields={vol.Optional(ATTR_VARIABLES): TEXTS, vol.Optional(ATTR_CRITERIA): vol.All(cv.ensure_list, [vol.In(CRITERIA)])},
        response=SupportsResponse.ONLY,
    ),
    "reset": Action(handler=_reset, fields={vol.Optional(ATTR_WHEN_IDLE, default=False): cv.boolean}),
    "change_availability": Action(handler=_change_availability, fields={vol.Required(ATTR_OPERATIVE): cv.boolean}),
    "trigger_message": Action(handler=_trigger_message, fields={vol.Required(ATTR_MESSAGE): vol.In(MESSAGES)}),
    "unlock_connector": Action(
        handler=_unlock_connector, fields={vol.Optional(ATTR_CONNECTOR): vol.All(vol.Coerce(int), vol.Range(min=1, max=1000))}
    ),
}
