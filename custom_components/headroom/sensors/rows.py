"""What the rows of sensors are written in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfElectricCurrent, UnitOfEnergy, UnitOfPower, UnitOfTime

from ..entity import Row
from ..site.snapshot import SiteSnapshot

type Attributes = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SensorRow[SnapshotT](Row[SnapshotT], SensorEntityDescription):
    """A sensor of a subject."""

    attributes_fn: Callable[[SiteSnapshot, SnapshotT], Attributes] | None = None


@dataclass(frozen=True, kw_only=True)
class CurrentRow[SnapshotT](SensorRow[SnapshotT]):
    """A current."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.CURRENT
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    native_unit_of_measurement: str | None = UnitOfElectricCurrent.AMPERE
    suggested_display_precision: int | None = 1


@dataclass(frozen=True, kw_only=True)
class PowerRow[SnapshotT](SensorRow[SnapshotT]):
    """A power."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.POWER
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    native_unit_of_measurement: str | None = UnitOfPower.WATT
    suggested_display_precision: int | None = 0


@dataclass(frozen=True, kw_only=True)
class EnergyRow[SnapshotT](SensorRow[SnapshotT]):
    """A register that only counts up, or starts again at 0."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.ENERGY
    state_class: SensorStateClass | None = SensorStateClass.TOTAL_INCREASING
    native_unit_of_measurement: str | None = UnitOfEnergy.WATT_HOUR
    suggested_unit_of_measurement: str | None = UnitOfEnergy.KILO_WATT_HOUR
    suggested_display_precision: int | None = 2


@dataclass(frozen=True, kw_only=True)
class DurationRow[SnapshotT](SensorRow[SnapshotT]):
    """How long something took, for whoever looks for the cause of a trouble."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.DURATION
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    native_unit_of_measurement: str | None = UnitOfTime.SECONDS
    entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC


@dataclass(frozen=True, kw_only=True)
class EnumRow[SnapshotT](SensorRow[SnapshotT]):
    """One of a few words."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.ENUM
