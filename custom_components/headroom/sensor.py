"""Sensors: what flows, what is left, what each car gets and why."""

from datetime import date, datetime
from decimal import Decimal
from typing import override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .entity import HeadroomEntity, Rows, async_follow
from .sensors.circuit import CIRCUIT, RESOURCE
from .sensors.evse import EVSE, REASON_ATTRIBUTES
from .sensors.rows import Attributes, EnumRow, SensorRow
from .sensors.site_wide import SITE
from .sensors.station import STATION
from .site.snapshot import SiteSnapshot, StationSnapshot
from .subjects import CircuitSubject, EvseSubject, ResourceSubject, SiteSubject, StationSubject

# Values are pushed; nothing is asked of a station.
PARALLEL_UPDATES = 0

SECURITY_PROFILES = ("no_authentication", "password", "password_over_tls", "certificate")
"""By OCPP's number of the profile."""

ROWS: Rows = {SiteSubject: SITE, CircuitSubject: CIRCUIT, ResourceSubject: RESOURCE, StationSubject: STATION, EvseSubject: EVSE}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the sensors."""
    site, station = _security(entry.runtime_data)
    rows: Rows = {**ROWS, SiteSubject: (*SITE, site), StationSubject: (*STATION, station)}
    async_follow(entry, async_add_entities, HeadroomSensor, rows)


def _security(coordinator: HeadroomCoordinator) -> tuple[SensorRow[SiteSnapshot], SensorRow[StationSnapshot]]:
    """Return the rows about the site's and a station's security, which is beside the loop and in no snapshot of it."""
    certificate = SensorRow[SiteSnapshot](
        key="certificate_expires",
        translation_key="certificate_expires",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        has_fn=lambda site: coordinator.security.expires_at is not None,
        value_fn=lambda site: coordinator.security.expires_at,
    )
    profile = EnumRow[StationSnapshot](
        key="security_profile",
        translation_key="security_profile",
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(SECURITY_PROFILES),
        value_fn=lambda station: _profile(coordinator, station.identity),
    )
    return certificate, profile


def _profile(coordinator: HeadroomCoordinator, identity: str) -> str | None:
    """Return the profile that a station is connected on, or else has to come on."""
    live, kept = coordinator.central_system.profile(identity), coordinator.security.access.security(identity)
    if live is not None:
        return SECURITY_PROFILES[live]
    return None if kept is None else SECURITY_PROFILES[kept.profile]


class HeadroomSensor[SnapshotT](HeadroomEntity[SnapshotT], SensorEntity):
    """A sensor."""

    row: SensorRow[SnapshotT]
    entity_description: SensorRow[SnapshotT]
    # They follow every turn of the loop: the state tells the story, the recorder need not keep the prose.
    _unrecorded_attributes = frozenset(REASON_ATTRIBUTES)

    @property
    @override
    def native_value(self) -> StateType | date | datetime | Decimal:
        """Return the row's value."""
        value: StateType = self.row_value
        return value

    @property
    @override
    def extra_state_attributes(self) -> Attributes | None:
        """Return what explains the value."""
        fn = self.row.attributes_fn
        return fn(self.coordinator.data, self.snapshot) if fn else None

    @override
    def shown(self) -> object:
        return (super().shown(), self.extra_state_attributes)
