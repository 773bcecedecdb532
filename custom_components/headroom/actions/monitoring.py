"""Actions on what a station watches in its device model."""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
import probatio as vol

from ..csms.upkeep import Monitor
from ..diagnostics import as_json
from ..errors import translated_errors
from .action import Action, station_of
from .device_model import ATTR_VARIABLES, TEXTS, component_key, variable_key

ATTR_BASE = "base"
ATTR_IDS = "ids"
ATTR_KINDS = "kinds"
ATTR_MONITORS = "monitors"
ATTR_SEVERITY = "severity"

BASES = ("All", "FactoryDefault", "HardWiredOnly")
KINDS = ("ThresholdMonitoring", "DeltaMonitoring", "PeriodicMonitoring")
TYPES = ("UpperThreshold", "LowerThreshold", "Delta", "Periodic", "PeriodicClockAligned")
GONE = ("Accepted", "NotFound")
"""The answers after which a station does not have a monitor any more."""
SEVERITY = vol.All(vol.Coerce(int), vol.Range(min=0, max=9))
WHOLE = vol.All(vol.Coerce(int), vol.Range(min=0, max=2**31 - 1))

MONITOR = vol.Schema(
    {
        vol.Required("variable"): cv.string,
        vol.Required("type"): vol.In(TYPES),
        vol.Required("value"): vol.Coerce(float),
        vol.Required(ATTR_SEVERITY): SEVERITY,
        vol.Optional("in_transaction", default=False): cv.boolean,
        vol.Optional("id"): WHOLE,
    }
)


def _monitor(item: Mapping[str, Any]) -> Monitor:
    component, variable = variable_key(item["variable"])
    return Monitor(
        component=component,
        variable=variable,
        type=item["type"],
        value=item["value"],
        severity=item[ATTR_SEVERITY],
        in_transaction=item["in_transaction"],
        id=item.get("id"),
    )


async def _set_monitors(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    monitors = [_monitor(item) for item in call.data[ATTR_MONITORS]]
    with translated_errors(identity):
        results = await coordinator.station(identity).diagnostics.set_monitors(monitors)
    return {ATTR_MONITORS: as_json(results)}


async def _get_monitors(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    variables = [component_key(text) for text in call.data.get(ATTR_VARIABLES, ())]
    with translated_errors(identity):
        monitors = await coordinator.station(identity).diagnostics.get_monitors(call.data.get(ATTR_KINDS, ()), variables)
    return {ATTR_MONITORS: as_json(monitors)}


async def _clear_monitors(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        results = await coordinator.station(identity).diagnostics.clear_monitors(call.data[ATTR_IDS])
    gone = {monitor_id for monitor_id, result in results.items() if result.status in GONE}
    if coordinator.concerns.unwatched(identity, gone):
        coordinator.async_update_listeners()
    return {ATTR_MONITORS: as_json(list(results.values()))}


async def _set_monitoring_base(call: ServiceCall) -> None:
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        await coordinator.station(identity).diagnostics.set_monitoring_base(call.data[ATTR_BASE])


async def _set_monitoring_level(call: ServiceCall) -> None:
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        await coordinator.station(identity).diagnostics.set_monitoring_level(call.data[ATTR_SEVERITY])


ACTIONS: Mapping[str, Action] = {
    "set_monitors": Action(
        handler=_set_monitors,
        fields={vol.Required(ATTR_MONITORS): vol.All(cv.ensure_list, [MONITOR], vol.Length(min=1))},
        response=SupportsResponse.ONLY,
    ),
    "get_monitors": Action(
        handler=_get_monitors,
        fields={vol.Optional(ATTR_VARIABLES): TEXTS, vol.Optional(ATTR_KINDS): vol.All(cv.ensure_list, [vol.In(KINDS)])},
        response=SupportsResponse.ONLY,
    ),
    "clear_monitors": Action(
        handler=_clear_monitors,
        fields={vol.Required(ATTR_IDS): vol.All(cv.ensure_list, [WHOLE], vol.Length(min=1))},
        response=SupportsResponse.ONLY,
    ),
    "set_monitoring_base": Action(handler=_set_monitoring_base, fields={vol.Required(ATTR_BASE): vol.In(BASES)}),
    "set_monitoring_level": Action(handler=_set_monitoring_level, fields={vol.Required(ATTR_SEVERITY): SEVERITY}),
}
