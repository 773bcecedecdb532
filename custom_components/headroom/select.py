"""What the control loop does with the site and what for, who comes first, and the variables of a station that take one of a list."""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import variables
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .engine.priority import Priority
from .engine.share import Policy
from .entity import HeadroomEntity, Row, Rows, async_follow
from .errors import invalid
from .site.config import Mode
from .site.snapshot import EvseSnapshot, SiteSnapshot, StationSnapshot
from .subjects import EvseSubject, SiteSubject, StationSubject, Subject
from .variables import VariableEntity, VariableRow

# The loop takes the mode; a station takes one call at a time by itself.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SelectRow[SnapshotT](Row[SnapshotT], SelectEntityDescription):
    """A selection of a subject."""


@dataclass(frozen=True, kw_only=True)
class VariableSelectRow(SelectRow[StationSnapshot], VariableRow):
    """A variable of a station that takes one of a list."""


@dataclass(frozen=True, kw_only=True)
class PolicySelectRow(SelectRow[SiteSnapshot]):
    """What the site is shared for."""


@dataclass(frozen=True, kw_only=True)
class PrioritySelectRow(SelectRow[EvseSnapshot]):
    """Where an EVSE's cars stand among the others."""


SITE: tuple[SelectRow[SiteSnapshot], ...] = (
    SelectRow(key="mode", translation_key="mode", options=[mode.value for mode in Mode], value_fn=lambda site: site.mode),
    PolicySelectRow(
        key="policy",
        translation_key="policy",
        entity_category=EntityCategory.CONFIG,
        options=[policy.value for policy in Policy],
        value_fn=lambda site: site.policy,
    ),
)

EVSE: tuple[SelectRow[EvseSnapshot], ...] = (
    PrioritySelectRow(
        key="priority",
        translation_key="priority",
        entity_category=EntityCategory.CONFIG,
        options=[priority.value for priority in Priority],
        value_fn=lambda evse: evse.priority,
    ),
)

STATION = tuple(VariableSelectRow(**variables.row(setting) | {"has_fn": setting.selectable}) for setting in variables.SELECTS)

ROWS: Rows = {SiteSubject: SITE, EvseSubject: EVSE, StationSubject: STATION}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the selections."""
    async_follow(entry, async_add_entities, _entity, ROWS)


def _entity(coordinator: HeadroomCoordinator, subject: Subject[Any], row: SelectRow[Any]) -> SelectEntity:
    match row:
        case VariableSelectRow():
            return VariableSelect(coordinator, subject, row)
        case PolicySelectRow():
            return PolicySelect(coordinator, subject, row)
        case PrioritySelectRow():
            return PrioritySelect(coordinator, subject, row)
        case _:
            return ModeSelect(coordinator, subject, row)


class ModeSelect(HeadroomEntity[SiteSnapshot], SelectEntity):
    """Dynamic, static, shadow or off."""

    entity_description: SelectRow[SiteSnapshot]

    @property
    @override
    def current_option(self) -> str:
        """Return the mode."""
        return self.snapshot.mode.value

    @override
    async def async_select_option(self, option: str) -> None:
        """Change the mode; dynamic and shadow need a meter to follow."""
        mode = Mode(option)
        if mode.follows and not self.snapshot.circuits[self.snapshot.root_id].circuit.metered:
            raise invalid("no_meter")
        self.coordinator.site.set_mode(mode)


class PolicySelect(HeadroomEntity[SiteSnapshot], SelectEntity):
    """What the site is shared for, where there is not enough for all."""

    entity_description: PolicySelectRow

    @property
    @override
    def current_option(self) -> str:
        """Return the policy."""
        return self.snapshot.policy.value

    @override
    async def async_select_option(self, option: str) -> None:
        """Share by another policy from the next turn on."""
        self.coordinator.site.set_policy(Policy(option))


class PrioritySelect(HeadroomEntity[EvseSnapshot], SelectEntity):
    """Before the others, like them or after them: for all cars here, but those whose card says otherwise."""

    entity_description: PrioritySelectRow

    @property
    @override
    def current_option(self) -> str:
        """Return the priority."""
        return self.snapshot.priority.value

    @override
    async def async_select_option(self, option: str) -> None:
        """Put its cars there from the next turn on."""
        self.coordinator.site.set_priority(self.snapshot.key, Priority(option))


class VariableSelect(VariableEntity, SelectEntity):
    """A variable that is one of the values its station lists, in the station's words."""

    entity_description: VariableSelectRow

    @property
    @override
    def options(self) -> list[str]:
        """Return what the station lists."""
        return list(self.setting.characteristics(self.snapshot).values)

    @property
    @override
    def current_option(self) -> str | None:
        """Return the value; None where it is none of the list."""
        return self.row_value if self.row_value in self.options else None

    @override
    async def async_select_option(self, option: str) -> None:
        """Have the station take it."""
        await self.async_set(option)
