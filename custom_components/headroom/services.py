"""The actions: what automations and people may ask of the site beyond its entities."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv, service
from homeassistant.util.json import JsonObjectType
import probatio as vol

from .commands import evse_snapshot, invalid, start_charging, stop_charging, translated_errors
from .const import DOMAIN
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .diagnostics import as_json
from .engine.model import LEAST_CURRENT_A
from .entity import CircuitSubject, EvseSubject, SiteSubject, StationSubject, Subject, subjects
from .site.config import EvseKey
from .site.decision import DECISIONS_KEPT

ATTR_COUNT = "count"
ATTR_CURRENT = "current"
ATTR_DURATION = "duration"
ATTR_ID_TOKEN = "id_token"
ATTR_LIMIT = "limit"
ATTR_POWER = "power"
ATTR_SCHEDULE = "schedule"
ATTR_SOURCE = "source"
ATTR_START = "start"
ATTR_UNIT = "unit"

DEFAULT_SOURCE = "automation"

DEVICE = {vol.Required(ATTR_DEVICE_ID): cv.string}
DURATION = vol.All(cv.positive_time_period, vol.Range(min=timedelta(seconds=1)))
AMPS = vol.All(vol.Coerce(float), vol.Range(min=0, max=1000))
KILOWATTS = vol.All(vol.Coerce(float), vol.Range(min=0, max=1000))
PERIOD = vol.Schema({vol.Required(ATTR_START): vol.All(vol.Coerce(float), vol.Range(min=0)), vol.Required(ATTR_LIMIT): AMPS})


def _target(call: ServiceCall) -> tuple[HeadroomCoordinator, Subject[Any]]:
    """Return what the chosen device stands for; raises ServiceValidationError where it is nothing of a running site."""
    entry: HeadroomConfigEntry
    device, entry = service.async_get_device_and_config_entry(call.hass, DOMAIN, call.data[ATTR_DEVICE_ID])
    coordinator = entry.runtime_data
    for subject in subjects(coordinator.data):
        if subject.identifier(entry) in device.identifiers:
            return coordinator, subject
    raise invalid("device_gone", device=device.name_by_user or device.name or device.id)


def _evse(call: ServiceCall) -> tuple[HeadroomCoordinator, EvseKey]:
    """Return the chosen EVSE; a station with a single EVSE stands for it."""
    coordinator, subject = _target(call)
    if isinstance(subject, EvseSubject):
        return coordinator, subject.key
    if isinstance(subject, StationSubject):
        keys = [key for key in coordinator.data.evses if key.station == subject.identity]
        if len(keys) == 1:
            return coordinator, keys[0]
    raise invalid("not_an_evse")


def _circuit(call: ServiceCall) -> tuple[HeadroomCoordinator, str]:
    """Return the chosen circuit; the site stands for its main fuse."""
    coordinator, subject = _target(call)
    if isinstance(subject, SiteSubject):
        return coordinator, coordinator.data.root_id
    if isinstance(subject, CircuitSubject):
        return coordinator, subject.circuit_id
    raise invalid("not_a_circuit")


async def _start_charging(call: ServiceCall) -> None:
    coordinator, key = _evse(call)
    await start_charging(coordinator, key, call.data.get(ATTR_ID_TOKEN))


async def _stop_charging(call: ServiceCall) -> None:
    coordinator, key = _evse(call)
    await stop_charging(coordinator, key)


async def _set_charging_profile(call: ServiceCall) -> None:
    """Hand a schedule to the allocator, as one more ceiling of the EVSE: it never goes straight to the station."""
    coordinator, key = _evse(call)
    periods = [(period[ATTR_START], period[ATTR_LIMIT]) for period in call.data[ATTR_SCHEDULE]]
    duration: timedelta | None = call.data.get(ATTR_DURATION)
    _check_schedule(periods)
    coordinator.site.set_profile(key, periods, duration.total_seconds() if duration else None)


def _check_schedule(periods: Sequence[tuple[float, float]]) -> None:
    starts = [start_s for start_s, _ in periods]
    if starts[0] != 0:
        raise invalid("schedule_start")
    if any(later <= earlier for earlier, later in pairwise(starts)):
        raise invalid("schedule_order")
    if any(0 < limit_a < LEAST_CURRENT_A for _, limit_a in periods):
        raise invalid("limit_undefined", least=f"{LEAST_CURRENT_A:.0f}")


async def _clear_charging_profile(call: ServiceCall) -> None:
    coordinator, key = _evse(call)
    coordinator.site.clear_profile(key)


async def _get_charging_profiles(call: ServiceCall) -> ServiceResponse:
    coordinator, subject = _target(call)
    if isinstance(subject, StationSubject):
        identity, evse_id = subject.identity, None
    else:
        coordinator, (identity, evse_id) = _evse(call)
    with translated_errors(identity):
        profiles = await coordinator.station(identity).get_charging_profiles(evse_id)
    return {"profiles": as_json(profiles)}


async def _get_composite_schedule(call: ServiceCall) -> ServiceResponse:
    coordinator, key = _evse(call)
    evse_snapshot(coordinator, key)
    duration: timedelta = call.data[ATTR_DURATION]
    with translated_errors(key.station):
        schedule = await coordinator.station(key.station).get_composite_schedule(
            key.evse_id, int(duration.total_seconds()), call.data.get(ATTR_UNIT)
        )
    response: JsonObjectType = as_json(schedule)
    return response


async def _set_limit(call: ServiceCall) -> None:
    """Set a limit from outside on a circuit; the same source's earlier limit there is replaced."""
    coordinator, circuit_id = _circuit(call)
    limit_a: float | None = call.data.get(ATTR_CURRENT)
    limit_kw: float | None = call.data.get(ATTR_POWER)
    if (limit_a is None) == (limit_kw is None):
        raise invalid("one_limit")
    duration: timedelta | None = call.data.get(ATTR_DURATION)
    coordinator.site.set_external_limit(
        call.data[ATTR_SOURCE],
        circuit_id,
        limit_a=limit_a,
        limit_w=None if limit_kw is None else limit_kw * 1000,
        duration_s=duration.total_seconds() if duration else None,
    )


async def _clear_limit(call: ServiceCall) -> None:
    coordinator, circuit_id = _circuit(call)
    coordinator.site.clear_external_limit(call.data[ATTR_SOURCE], circuit_id)


async def _get_decisions(call: ServiceCall) -> ServiceResponse:
    """Return the newest decisions of the loop, the oldest of them first."""
    coordinator, _ = _target(call)
    return {"decisions": as_json(coordinator.site.documents(call.data[ATTR_COUNT]))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action: its fields beside the device, what it does, whether it answers."""

    handler: Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]
    fields: dict[vol.Marker, Any]
    response: SupportsResponse = SupportsResponse.NONE


ACTIONS: dict[str, Action] = {
    "start_charging": Action(handler=_start_charging, fields={vol.Optional(ATTR_ID_TOKEN): vol.All(cv.string, vol.Length(min=1, max=36))}),
    "stop_charging": Action(handler=_stop_charging, fields={}),
    "set_charging_profile": Action(
        handler=_set_charging_profile,
        fields={
            vol.Required(ATTR_SCHEDULE): vol.All(cv.ensure_list, vol.Length(min=1), [PERIOD]),
            vol.Optional(ATTR_DURATION): DURATION,
        },
    ),
    "clear_charging_profile": Action(handler=_clear_charging_profile, fields={}),
    "get_charging_profiles": Action(handler=_get_charging_profiles, fields={}, response=SupportsResponse.ONLY),
    "get_composite_schedule": Action(
        handler=_get_composite_schedule,
        fields={vol.Optional(ATTR_DURATION, default=timedelta(hours=1)): DURATION, vol.Optional(ATTR_UNIT): vol.In(("A", "W"))},
        response=SupportsResponse.ONLY,
    ),
    "set_limit": Action(
        handler=_set_limit,
        fields={
            vol.Optional(ATTR_CURRENT): AMPS,
            vol.Optional(ATTR_POWER): KILOWATTS,
            vol.Optional(ATTR_DURATION): DURATION,
            vol.Optional(ATTR_SOURCE, default=DEFAULT_SOURCE): cv.string,
        },
    ),
    "clear_limit": Action(handler=_clear_limit, fields={vol.Optional(ATTR_SOURCE, default=DEFAULT_SOURCE): cv.string}),
    "get_decisions": Action(
        handler=_get_decisions,
        fields={vol.Optional(ATTR_COUNT, default=10): vol.All(vol.Coerce(int), vol.Range(min=1, max=DECISIONS_KEPT))},
        response=SupportsResponse.ONLY,
    ),
}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions; they stay registered while Home Assistant runs."""
    for name, action in ACTIONS.items():
        hass.services.async_register(
            DOMAIN, name, action.handler, schema=vol.Schema(DEVICE | action.fields), supports_response=action.response
        )
