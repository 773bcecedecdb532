"""The most current a person lets an EVSE give, the energy a driver needs, and the numbers among the variables of a station."""

from dataclasses import dataclass
from math import isfinite
from typing import Any, override

from homeassistant.components.number import NumberDeviceClass, NumberEntity, NumberEntityDescription, NumberMode
from homeassistant.const import EntityCategory, UnitOfElectricCurrent, UnitOfEnergy, UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import variables
from .commands import set_need
from .const import CONF_MAX_A, CONF_PEAK_GOAL_KW, PEAK_LEAST_KW, PEAK_MOST_KW
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .engine.model import LEAST_CURRENT_A
from .entity import HeadroomEntity, Row, Rows, async_follow
from .errors import invalid
from .peak_settings import async_set_peak
from .site.snapshot import EvseSnapshot, SiteSnapshot, StationSnapshot
from .subjects import EvseSubject, SiteSubject, StationSubject, Subject, evse_settings, subentries_by_subject
from .variables import VariableEntity, VariableRow

# The loop takes a limit; a station takes one call at a time by itself.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class NumberRow[SnapshotT](Row[SnapshotT], NumberEntityDescription):
    """A number of a subject."""


@dataclass(frozen=True, kw_only=True)
class VariableNumberRow(NumberRow[StationSnapshot], VariableRow):
    """A variable of a station that is a number."""


@dataclass(frozen=True, kw_only=True)
class EnergyNumberRow(NumberRow[EvseSnapshot]):
    """An energy that a driver asks for."""

    device_class: NumberDeviceClass | None = NumberDeviceClass.ENERGY
    native_unit_of_measurement: str | None = UnitOfEnergy.KILO_WATT_HOUR
    native_min_value: float | None = 0
    native_max_value: float | None = 150
    native_step: float | None = 0.5
    mode: NumberMode | None = NumberMode.BOX


@dataclass(frozen=True, kw_only=True)
class PeakGoalRow(NumberRow[SiteSnapshot]):
    """What no quarter-hour's average is to exceed."""

    device_class: NumberDeviceClass | None = NumberDeviceClass.POWER
    native_unit_of_measurement: str | None = UnitOfPower.KILO_WATT
    native_min_value: float | None = PEAK_LEAST_KW
    native_max_value: float | None = PEAK_MOST_KW
    native_step: float | None = 0.1
    mode: NumberMode | None = NumberMode.BOX


EVSE: tuple[NumberRow[EvseSnapshot], ...] = (
    NumberRow(
        key="maximum_current",
        translation_key="maximum_current",
        device_class=NumberDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        native_min_value=LEAST_CURRENT_A,
        native_step=1,
        mode=NumberMode.BOX,  # a slider leaves its name no room
        value_fn=lambda evse: evse.user_max_a,
    ),
    EnergyNumberRow(
        key="energy_needed",
        translation_key="energy_needed",
        value_fn=lambda evse: 0.0 if evse.wish is None or evse.wish.energy_wh is None else evse.wish.energy_wh / 1000,
    ),
)

SITE: tuple[NumberRow[SiteSnapshot], ...] = (
    PeakGoalRow(
        key="peak_goal",
        translation_key="peak_goal",
        entity_category=EntityCategory.CONFIG,
        has_fn=lambda site: site.peak is not None and site.peak.limits.goal_w is not None,
        value_fn=lambda site: None if site.peak is None else site.peak.limits.goal_w,
    ),
)

STATION = tuple(VariableNumberRow(**variables.row(setting)) for setting in variables.NUMBERS)

ROWS: Rows = {SiteSubject: SITE, EvseSubject: EVSE, StationSubject: STATION}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the numbers."""
    async_follow(entry, async_add_entities, _entity, ROWS)


def number(value: float) -> float:
    """Return what was set; raises ServiceValidationError for what is no number, which Home Assistant takes for one inside any limits."""
    if not isfinite(value):
        raise invalid("not_a_number")
    return value


def _entity(coordinator: HeadroomCoordinator, subject: Subject[Any], row: NumberRow[Any]) -> NumberEntity:
    match row:
        case VariableNumberRow():
            return VariableNumber(coordinator, subject, row)
        case EnergyNumberRow():
            return EnergyNeededNumber(coordinator, subject, row)
        case PeakGoalRow():
            return PeakGoalNumber(coordinator, subject, row)
    return MaximumCurrentNumber(coordinator, subject, row)


class MaximumCurrentNumber(HeadroomEntity[EvseSnapshot], NumberEntity):
    """The user's ceiling for an EVSE, up to what the EVSE is rated for. To stop charging there is the switch."""

    entity_description: NumberRow[EvseSnapshot]

    @property
    @override
    def native_value(self) -> float:
        """Return the ceiling in amps."""
        return self.snapshot.user_max_a

    @property
    @override
    def native_max_value(self) -> float:
        """Return the EVSE's rating as it is configured now."""
        station, evse_id = self.snapshot.key
        subentry = subentries_by_subject(self.coordinator.config_entry).get(station)
        settings = evse_settings(subentry, evse_id) if subentry else {}
        return float(settings.get(CONF_MAX_A, self.snapshot.user_max_a))

    @override
    def shown(self) -> object:
        return (super().shown(), self.native_max_value)

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Set the ceiling."""
        self.coordinator.site.set_user_max(self.snapshot.key, number(value))


class PeakGoalNumber(HeadroomEntity[SiteSnapshot], NumberEntity):
    """The goal of a quarter-hour's average; it is the one that the site's form shows."""

    entity_description: PeakGoalRow

    @property
    @override
    def native_value(self) -> float | None:
        """Return the goal in kW; None where it was taken away."""
        goal_w: float | None = self.row_value
        return None if goal_w is None else goal_w / 1000

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Store it."""
        async_set_peak(self.hass, self.coordinator.config_entry, **{CONF_PEAK_GOAL_KW: number(value)})


class EnergyNeededNumber(HeadroomEntity[EvseSnapshot], NumberEntity):
    """How much a driver asked for, from when it was said; 0: nothing was said. It is forgotten when its session ends."""

    entity_description: EnergyNumberRow

    @property
    @override
    def native_value(self) -> float:
        """Return the energy in kWh."""
        value: float = self.row_value
        return value

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Take it down, for the session that runs or the next one."""
        if number(value) > 0:
            set_need(self.coordinator, self.snapshot.key, energy_wh=value * 1000)
        else:
            self.coordinator.site.clear_need(self.snapshot.key, energy_only=True)


class VariableNumber(VariableEntity, NumberEntity):
    """A variable within the limits and in the unit that its station says."""

    entity_description: VariableNumberRow

    @property
    @override
    def native_value(self) -> float | None:
        """Return the value; None where it is no number."""
        try:
            value = float(self.row_value or "")
        except ValueError:
            return None
        return value if isfinite(value) else None

    @property
    @override
    def native_min_value(self) -> float:
        """Return the least that the station takes."""
        least = self.setting.characteristics(self.snapshot).min_limit
        return self.setting.least if least is None else least

    @property
    @override
    def native_max_value(self) -> float:
        """Return the most that the station takes."""
        most = self.setting.characteristics(self.snapshot).max_limit
        return self.setting.most if most is None else most

    @property
    @override
    def native_step(self) -> float:
        """Return the step: whole numbers, unless the station says that it takes others."""
        return 0.1 if self.setting.characteristics(self.snapshot).data_type == "decimal" else 1

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the station's unit, else the standard's."""
        unit = self.setting.characteristics(self.snapshot).unit or self.setting.unit
        return None if unit is None else variables.UNITS.get(unit, unit)

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Have the station take it."""
        await self.async_set(f"{number(value):.0f}" if self.native_step == 1 else f"{number(value):.1f}")
