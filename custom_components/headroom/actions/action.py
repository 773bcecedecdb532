"""What an action is, and what the device that it is called for stands for."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv, service
from homeassistant.util import dt as dt_util
import probatio as vol

from ..const import DOMAIN
from ..coordinator import HeadroomConfigEntry, HeadroomCoordinator
from ..errors import invalid
from ..site.config import EvseKey
from ..subjects import CircuitSubject, EvseSubject, SiteSubject, StationSubject, Subject, subjects

ATTR_DURATION = "duration"

DEVICE = {vol.Required(ATTR_DEVICE_ID): cv.string}
DEVICES = {vol.Required(ATTR_DEVICE_ID): vol.All(cv.ensure_list, [cv.string], vol.Length(min=1))}
"""For an action on several at once, in place of DEVICE."""
LONGEST = timedelta(days=366)
DURATION = vol.All(cv.positive_time_period, vol.Range(min=timedelta(seconds=1), max=LONGEST))
AMPS = vol.All(vol.Coerce(float), vol.Range(min=0, max=1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action: its fields beside the device, what it does, whether it answers."""

    handler: Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]
    fields: Mapping[vol.Marker, Any]
    response: SupportsResponse = SupportsResponse.NONE

    @property
    def schema(self) -> vol.Schema:
        """The schema of the call."""
        return vol.Schema(DEVICE | dict(self.fields))


def target(call: ServiceCall) -> tuple[HeadroomCoordinator, Subject[Any]]:
    """Return what the chosen device stands for; raises ServiceValidationError where it is nothing of a running site."""
    return subject_of(call, call.data[ATTR_DEVICE_ID])


def subject_of(call: ServiceCall, device_id: str) -> tuple[HeadroomCoordinator, Subject[Any]]:
    """Return what a device stands for; raises ServiceValidationError where it is nothing of a running site."""
    entry: HeadroomConfigEntry
    device, entry = service.async_get_device_and_config_entry(call.hass, DOMAIN, device_id)
    coordinator = entry.runtime_data
    for subject in subjects(coordinator.data):
        if subject.identifier(entry) in device.identifiers:
            return coordinator, subject
    raise invalid("device_gone", device=device.name_by_user or device.name or device.id)


def evse_of(call: ServiceCall) -> tuple[HeadroomCoordinator, EvseKey]:
    """Return the chosen EVSE; a station with a single EVSE stands for it."""
    coordinator, subject = target(call)
    if isinstance(subject, EvseSubject):
        return coordinator, subject.key
    if isinstance(subject, StationSubject):
        keys = [key for key in coordinator.data.evses if key.station == subject.identity]
        if len(keys) == 1:
            return coordinator, keys[0]
    raise invalid("not_an_evse")


def station_of(call: ServiceCall) -> tuple[HeadroomCoordinator, str, int | None]:
    """Return the chosen station's identity, with the EVSE's id where one of its EVSEs was chosen."""
    coordinator, subject = target(call)
    if isinstance(subject, StationSubject):
        return coordinator, subject.identity, None
    if isinstance(subject, EvseSubject):
        return coordinator, subject.key.station, subject.key.evse_id
    raise invalid("not_a_station")


def circuit_of(call: ServiceCall) -> tuple[HeadroomCoordinator, str]:
    """Return the chosen circuit; the site stands for its main fuse."""
    coordinator, subject = target(call)
    if isinstance(subject, SiteSubject):
        return coordinator, coordinator.data.root_id
    if isinstance(subject, CircuitSubject):
        return coordinator, subject.circuit_id
    raise invalid("not_a_circuit")


def moment(call: ServiceCall, field: str) -> datetime | None:
    """Return a time that was given, in UTC; None where none was."""
    at: datetime | None = call.data.get(field)
    return None if at is None else dt_util.as_utc(at)
