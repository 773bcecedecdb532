"""What happens, as events: a charging session of an EVSE starts and ends; what a station and its vendor tell; what concerns security."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .csms.events import EventsLost, Monitored, StationEvent
from .csms.security.events import SecurityEvent, SecurityEventKind
from .csms.upkeep import DataTransfer
from .entity import HeadroomEntity, Row, Rows, async_follow
from .site.judging import Judgement
from .site.measure import Measure, Stage
from .site.snapshot import EvseSnapshot, SiteSnapshot, StationSnapshot
from .subjects import EvseSubject, SiteSubject, StationSubject, Subject

# Events are pushed; nothing is asked of a station.
PARALLEL_UPDATES = 0

STARTED = "started"
ENDED = "ended"
EVENTS_LOST = "events_lost"
OVERDRAW = "overdraw"
OBEYS = "obeys"
ACCEPTED = "accepted"
REFUSED = "refused"
RECEIVED = "received"
CLEARED = "cleared"
UNRATED = "unrated"
SEVERITIES = (
    "danger",
    "hardware_failure",
    "system_failure",
    "critical",
    "error",
    "alert",
    "warning",
    "notice",
    "informational",
    "debug",
)
"""What a monitor's severity from 0 to 9 is called (Part 2, SetMonitoringDataType)."""


@dataclass(frozen=True, kw_only=True)
class EventRow[SnapshotT](Row[SnapshotT], EventEntityDescription):
    """An event of a subject."""


EVSE: tuple[EventRow[EvseSnapshot], ...] = (
    EventRow(key="session", translation_key="session", event_types=[STARTED, ENDED, EVENTS_LOST]),
    EventRow(
        key="protection",
        translation_key="protection",
        entity_category=EntityCategory.DIAGNOSTIC,
        event_types=[OVERDRAW, OBEYS, *(stage.value for stage in Stage)],
    ),
)

HAPPENINGS = [kind.value for kind in SecurityEventKind]
SITE: tuple[EventRow[SiteSnapshot], ...] = (
    EventRow(key="security", translation_key="security", entity_category=EntityCategory.DIAGNOSTIC, event_types=HAPPENINGS),
)
STATION: tuple[EventRow[StationSnapshot], ...] = (
    EventRow(key="authorization", translation_key="authorization", event_types=[ACCEPTED, REFUSED]),
    EventRow(
        key="monitor",
        translation_key="monitor",
        entity_category=EntityCategory.DIAGNOSTIC,
        event_types=[*SEVERITIES, UNRATED, CLEARED],
    ),
    EventRow(key="security", translation_key="security", entity_category=EntityCategory.DIAGNOSTIC, event_types=HAPPENINGS),
    EventRow(
        key="vendor_message",
        translation_key="vendor_message",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        event_types=[RECEIVED],
    ),
)

ROWS: Rows = {EvseSubject: EVSE, SiteSubject: SITE, StationSubject: STATION}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the events."""
    async_follow(entry, async_add_entities, _entity, ROWS)


def _entity(coordinator: HeadroomCoordinator, subject: Subject[Any], row: EventRow[Any]) -> EventEntity:
    return ENTITIES[row.key](coordinator, subject, row)


class SessionEvent(HeadroomEntity[EvseSnapshot], EventEntity):
    """Tells of sessions that start and end while Home Assistant watches.

    One that runs already when the entity comes up is not told as started, however late its station reports it.
    The driver is told by name where the site knows one; no token is.
    """

    entity_description: EventRow[EvseSnapshot]

    def __init__(self, coordinator: HeadroomCoordinator, subject: Subject[EvseSnapshot], description: EventRow[EvseSnapshot]) -> None:
        """Take note of the session that runs."""
        super().__init__(coordinator, subject, description)
        self._session = self.snapshot
        self._watching_since = dt_util.utcnow()

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_follow_station(self.snapshot.key.station, self._hear))

    @callback
    def _hear(self, event: StationEvent) -> None:
        # Of a transaction that was never told with its EVSE, any of the station may have lost them.
        if isinstance(event, EventsLost) and event.evse_id in (None, self.snapshot.key.evse_id):
            self._tell(EVENTS_LOST, {"lost": sum(last - first + 1 for first, last in event.gaps)})

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        super()._handle_coordinator_update()
        before, now = self._session, self.snapshot
        self._session = now
        if before.transaction_id != now.transaction_id:
            if before.transaction_id is not None:
                self._tell_end(before, now)
            if now.transaction_id is not None and now.session_start is not None and now.session_start >= self._watching_since:
                self._tell(STARTED, {"started_at": now.session_start.isoformat(), "driver": now.driver})

    def _tell_end(self, before: EvseSnapshot, now: EvseSnapshot) -> None:
        energy_wh = before.session_energy_wh
        # The last meter value comes with the end; where the next session runs already, it may be that one's.
        if now.transaction_id is None and energy_wh is not None and now.energy_wh is not None and before.energy_wh is not None:
            energy_wh += now.energy_wh - before.energy_wh
        self._tell(
            ENDED,
            {
                "started_at": before.session_start.isoformat() if before.session_start else None,
                "energy_kwh": None if energy_wh is None else round(energy_wh / 1000, 3),
                "driver": before.driver,
            },
        )

    def _tell(self, event_type: str, attributes: dict[str, str | float | None]) -> None:
        self._trigger_event(event_type, attributes)
        self.async_write_ha_state()


class ProtectionEvent(HeadroomEntity[EvseSnapshot], EventEntity):
    """Tells of a car that draws more than it may, and of what was done about that or to relieve a breaker.

    What was so before it came up is no news.
    """

    entity_description: EventRow[EvseSnapshot]

    def __init__(self, coordinator: HeadroomCoordinator, subject: Subject[EvseSnapshot], description: EventRow[EvseSnapshot]) -> None:
        """Take note of how it is."""
        super().__init__(coordinator, subject, description)
        self._before = self.snapshot

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        super()._handle_coordinator_update()
        before, now = self._before, self.snapshot
        self._before = now
        if now.overdraws != before.overdraws:
            draw_a = max((current for current in now.current_a if current is not None), default=0.0)
            self._tell(OVERDRAW if now.overdraws else OBEYS, {"current": round(draw_a, 1), "limit": now.limit_a})
        if now.measure is not None and (before.measure is None or _is_news(before.measure, now.measure)):
            circuit = self.coordinator.data.circuits.get(now.measure.circuit_id)
            name = None if circuit is None else circuit.circuit.name
            attributes = {"current": round(now.measure.draw_a, 1), "limit": now.measure.limit_a, "circuit": name}
            self._tell(now.measure.stage.value, attributes)

    def _tell(self, event_type: str, attributes: dict[str, str | float | None]) -> None:
        self._trigger_event(event_type, attributes)
        self.async_write_ha_state()


def _is_news(before: Measure, now: Measure) -> bool:
    """Tell whether something else was done, or for another reason, or another car's session was stopped for what it drew."""
    relieves = now.limit_a is None
    return now.stage is not before.stage or relieves is not (before.limit_a is None) or (not relieves and now.at != before.at)


class SecurityEventEntity(HeadroomEntity[Any], EventEntity):
    """Tells what concerns the security of one station; the site's tells of all, also of whoever was turned away."""

    entity_description: EventRow[Any]

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.security.async_follow(self._hear))

    @callback
    def _hear(self, event: SecurityEvent) -> None:
        if isinstance(self.subject, StationSubject) and event.identity != self.subject.identity:
            return
        attributes = {"station": event.identity, "remote": event.remote, "detail": event.detail, "tech_info": event.info}
        self._trigger_event(event.kind.value, {key: value for key, value in attributes.items() if value is not None})
        self.async_write_ha_state()


class AuthorizationEventEntity(HeadroomEntity[StationSnapshot], EventEntity):
    """Tells who may charge at a station and who may not, by the driver's name; no token is told."""

    entity_description: EventRow[StationSnapshot]

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_follow_judgements(self._hear))

    @callback
    def _hear(self, judgement: Judgement) -> None:
        if isinstance(self.subject, StationSubject) and judgement.station == self.subject.identity:
            attributes = {"driver": judgement.driver, "evse_id": judgement.evse_id, "reason": judgement.info.status.value}
            self._trigger_event(ACCEPTED if judgement.accepted else REFUSED, attributes)
            self.async_write_ha_state()


class MonitorEventEntity(HeadroomEntity[StationSnapshot], EventEntity):
    """Tells of each monitor that goes off, by its severity, and of each that is quiet again (N07)."""

    entity_description: EventRow[StationSnapshot]

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_follow_station(self.snapshot.identity, self._hear))

    @callback
    def _hear(self, event: StationEvent) -> None:
        if not isinstance(event, Monitored):
            return
        rated = event.severity is not None and 0 <= event.severity < len(SEVERITIES)
        kind = CLEARED if event.cleared else SEVERITIES[event.severity or 0] if rated else UNRATED
        attributes = {
            "variable": f"{event.component}.{event.variable}",
            "value": event.value,
            "trigger": event.trigger.lower(),
            "monitor_id": event.monitor_id,
            "code": event.code,
            "tech_info": event.text,
        }
        self._trigger_event(kind, {key: value for key, value in attributes.items() if value is not None})
        self.async_write_ha_state()


class VendorMessageEventEntity(HeadroomEntity[StationSnapshot], EventEntity):
    """Tells what a station sends of its vendor's own (P02). While the entity is disabled, the station is told that nobody takes it."""

    entity_description: EventRow[StationSnapshot]

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_take_vendor(self.snapshot.identity, self._hear))

    @callback
    def _hear(self, event: StationEvent) -> None:
        if isinstance(event, DataTransfer):
            self._trigger_event(RECEIVED, {"vendor_id": event.vendor_id, "message_id": event.message_id, "data": event.data})
            self.async_write_ha_state()


ENTITIES: Mapping[str, Callable[[HeadroomCoordinator, Any, Any], EventEntity]] = {
    "authorization": AuthorizationEventEntity,
    "monitor": MonitorEventEntity,
    "protection": ProtectionEvent,
    "security": SecurityEventEntity,
    "session": SessionEvent,
    "vendor_message": VendorMessageEventEntity,
}
