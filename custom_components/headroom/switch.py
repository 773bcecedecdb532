"""Switches: whether an EVSE may charge at all, whether it is in service, and the variables of a station that are on or off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import variables
from .const import CONF_PEAK_FOLLOWS_MONTH
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .csms.values import ConnectorStatus
from .entity import HeadroomEntity, Row, Rows, async_follow
from .errors import translated_errors
from .peak_settings import async_set_peak
from .site.snapshot import EvseSnapshot, SiteSnapshot, StationSnapshot
from .subjects import EvseSubject, SiteSubject, StationSubject, Subject
from .variables import VariableEntity, VariableRow

# The loop takes a permission; a station takes one call at a time by itself.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SwitchRow[SnapshotT](Row[SnapshotT], SwitchEntityDescription):
    """A switch of a subject."""


@dataclass(frozen=True, kw_only=True)
class VariableSwitchRow(SwitchRow[StationSnapshot], VariableRow):
    """A variable of a station that is on or off."""


EVSE: tuple[SwitchRow[EvseSnapshot], ...] = (
    SwitchRow(key="allow_charging", translation_key="allow_charging", value_fn=lambda evse: evse.allowed),
    SwitchRow(
        key="never_pause",
        translation_key="never_pause",
        entity_category=EntityCategory.CONFIG,
        value_fn=lambda evse: evse.never_pause,
    ),
    SwitchRow(
        key="in_service",
        translation_key="in_service",
        entity_category=EntityCategory.CONFIG,
        live=True,
        value_fn=lambda evse: None if evse.connector_status is None else evse.connector_status is not ConnectorStatus.UNAVAILABLE,
    ),
)

SITE: tuple[SwitchRow[SiteSnapshot], ...] = (
    SwitchRow(
        key="follow_month_peak",
        translation_key="follow_month_peak",
        entity_category=EntityCategory.CONFIG,
        has_fn=lambda site: site.peak is not None and site.peak.goal_w is not None,
        value_fn=lambda site: site.peak is not None and site.peak.limits.follows_month,
    ),
)

STATION = tuple(VariableSwitchRow(**variables.row(setting)) for setting in variables.SWITCHES)

ROWS: Rows = {SiteSubject: SITE, EvseSubject: EVSE, StationSubject: STATION}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the switches."""
    async_follow(entry, async_add_entities, _entity, ROWS)


def _entity(coordinator: HeadroomCoordinator, subject: Subject[Any], row: SwitchRow[Any]) -> SwitchEntity:
    if isinstance(row, VariableSwitchRow):
        return VariableSwitch(coordinator, subject, row)
    if isinstance(subject, SiteSubject):
        return FollowMonthSwitch(coordinator, subject, row)
    return EVSE_SWITCHES[row.key](coordinator, subject, row)


class AllowChargingSwitch(HeadroomEntity[EvseSnapshot], SwitchEntity):
    """Off: the EVSE is held at 0 A until it is switched on again. Its transaction goes on."""

    entity_description: SwitchRow[EvseSnapshot]

    @property
    @override
    def is_on(self) -> bool:
        """Say whether the EVSE may charge."""
        return self.snapshot.allowed

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Let it charge."""
        self.coordinator.site.set_allowed(self.snapshot.key, True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Hold it at 0 A."""
        self.coordinator.site.set_allowed(self.snapshot.key, False)


class NeverPauseSwitch(HeadroomEntity[EvseSnapshot], SwitchEntity):
    """On: a car that charges here is paused only where a fuse leaves no other way, for cars that do not wake again."""

    entity_description: SwitchRow[EvseSnapshot]

    @property
    @override
    def is_on(self) -> bool:
        """Say whether its cars are spared pauses."""
        return self.snapshot.never_pause

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Spare them."""
        self.coordinator.site.set_never_pause(self.snapshot.key, True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Let them be paused when it is others' turn."""
        self.coordinator.site.set_never_pause(self.snapshot.key, False)


class InServiceSwitch(HeadroomEntity[EvseSnapshot], SwitchEntity):
    """Off: the EVSE serves nobody (G03). While a car charges a station waits for it to end, and the switch stays on until then."""

    entity_description: SwitchRow[EvseSnapshot]

    @property
    @override
    def is_on(self) -> bool | None:
        """Say whether the EVSE serves, by what it says of its connector."""
        value: bool | None = self.row_value
        return value

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Put it in service."""
        await self._async_change(operative=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Take it out of service."""
        await self._async_change(operative=False)

    async def _async_change(self, *, operative: bool) -> None:
        identity, evse_id = self.snapshot.key
        with translated_errors(identity):
            await self.coordinator.station(identity).change_availability(operative=operative, evse_id=evse_id)
        self.coordinator.site.availability_decided(identity, evse_id)


class FollowMonthSwitch(HeadroomEntity[SiteSnapshot], SwitchEntity):
    """On: the peak goal rises to the month's highest quarter-hour, which is paid for already."""

    entity_description: SwitchRow[SiteSnapshot]

    @property
    @override
    def is_on(self) -> bool:
        """Say whether it does."""
        return bool(self.row_value)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Follow the month."""
        async_set_peak(self.hass, self.coordinator.config_entry, **{CONF_PEAK_FOLLOWS_MONTH: True})

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Keep to the goal that was set."""
        async_set_peak(self.hass, self.coordinator.config_entry, **{CONF_PEAK_FOLLOWS_MONTH: False})


EVSE_SWITCHES: Mapping[str, Callable[[HeadroomCoordinator, Any, Any], SwitchEntity]] = {
    "allow_charging": AllowChargingSwitch,
    "never_pause": NeverPauseSwitch,
    "in_service": InServiceSwitch,
}


class VariableSwitch(VariableEntity, SwitchEntity):
    """A variable that is true or false."""

    entity_description: VariableSwitchRow

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the value, in whatever case it is written; None where it is neither."""
        return {"true": True, "false": False}.get((self.row_value or "").strip().lower())

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Have the station switch it on."""
        await self.async_set("true")

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Have the station switch it off."""
        await self.async_set("false")
