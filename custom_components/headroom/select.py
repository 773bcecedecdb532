"""What the control loop does with the site and what for, who comes first, and the variables of a station that take one of a list."""

from collections.abc import Callable
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
from .site.site import Site
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
class ChoiceRow[SnapshotT](SelectRow[SnapshotT]):
    """A choice that the loop goes by from the next turn on."""

    choose_fn: Callable[[Site, SnapshotT, str], None]


def _choose_mode(site: Site, snapshot: SiteSnapshot, option: str) -> None:
    """Change the mode; dynamic and shadow need a meter to follow."""
    mode = Mode(option)
    if mode.follows and not snapshot.circuits[snapshot.root_id].circuit.metered:
        raise invalid("no_meter")
    site.set_mode(mode)


SITE: tuple[ChoiceRow[SiteSnapshot], ...] = (
    ChoiceRow(
        key="mode",
        translation_key="mode",
        options=[mode.value for mode in Mode],
        value_fn=lambda site: site.mode.value,
        choose_fn=_choose_mode,
    ),
    ChoiceRow(
        key="policy",
        translation_key="policy",
        entity_category=EntityCategory.CONFIG,
        options=[policy.value for policy in Policy],
        value_fn=lambda site: site.policy.value,
        choose_fn=lambda site, _, option: site.set_policy(Policy(option)),
    ),
)

EVSE: tuple[ChoiceRow[EvseSnapshot], ...] = (
    ChoiceRow(
        key="priority",
        translation_key="priority",
        entity_category=EntityCategory.CONFIG,
        options=[priority.value for priority in Priority],
        value_fn=lambda evse: evse.priority.value,
        choose_fn=lambda site, evse, option: site.set_priority(evse.key, Priority(option)),
    ),
)

STATION = tuple(VariableSelectRow(**variables.row(setting) | {"has_fn": setting.selectable}) for setting in variables.SELECTS)

ROWS: Rows = {SiteSubject: SITE, EvseSubject: EVSE, StationSubject: STATION}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the selections."""
    async_follow(entry, async_add_entities, _entity, ROWS)


def _entity(coordinator: HeadroomCoordinator, subject: Subject[Any], row: SelectRow[Any]) -> SelectEntity:
    return (VariableSelect if isinstance(row, VariableSelectRow) else Choice)(coordinator, subject, row)


class Choice(HeadroomEntity[Any], SelectEntity):
    """One of some ways that the site, or an EVSE, is dealt with."""

    entity_description: ChoiceRow[Any]

    @property
    @override
    def current_option(self) -> str:
        """Return the one that holds."""
        option: str = self.row_value
        return option

    @override
    async def async_select_option(self, option: str) -> None:
        """Take another."""
        self.entity_description.choose_fn(self.coordinator.site, self.snapshot, option)


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
