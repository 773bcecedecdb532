"""From what the forms stored of a meter to the meter itself, wherever it is: at the site's connection, or at a circuit's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_MODEL, CONF_PORT, CONF_TYPE
from homeassistant.core import HomeAssistant

from .const import (
    CONF_CURRENT,
    CONF_EXPORT_ENERGY,
    CONF_FUSE_A,
    CONF_IMPORT_ENERGY,
    CONF_INVERT,
    CONF_METER,
    CONF_MOST_A,
    CONF_PHASES,
    CONF_POWER,
    CONF_POWER_TOTAL,
    CONF_UNIT_ID,
    CONF_VOLTAGE_V,
    CONF_WIRED_TO,
    MAIN_CIRCUIT_ID,
    METER_NONE,
    SUBENTRY_CIRCUIT,
    SUBENTRY_RESOURCE,
)
from .engine.model import ALL_PHASES, Phase
from .metering.entity import EntityMeter, EntityMeterConfig
from .metering.line import TcpLine
from .metering.modbus import ModbusMeter, ModbusMeterConfig
from .metering.reading import Meter

CEILING_BY_FUSE = 10.0
"""No fuse lets so many times its rating through for as long as a meter takes to measure it."""
WIRINGS: Mapping[str, tuple[Phase, ...]] = {"L1L2L3": ALL_PHASES} | {phase.name: (phase,) for phase in ALL_PHASES}
"""The grid's conductors that something hangs on, by what the forms call them."""
type Conductors = Literal[1, 2, 3]
COUNTS: Mapping[int, Conductors] = {1: 1, 2: 2, 3: 3}
"""How many conductors a connection may have."""
NO_METER: Mapping[str, Any] = MappingProxyType({CONF_TYPE: METER_NONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPlace:
    """Where a meter is: how many phases it measures there, at which voltage to neutral, and behind a fuse of which rating."""

    phases: Conductors
    voltage_v: float
    fuse_a: float

    @classmethod
    def of(cls, site: Mapping[str, Any], fuse_a: float, *, phases: int | None = None) -> MeterPlace:
        """Return the place behind a fuse of the site that a config entry's data describe; `phases` where it has less than the site."""
        conductors = COUNTS[phases or site[CONF_PHASES]]
        return cls(phases=conductors, voltage_v=float(site[CONF_VOLTAGE_V]), fuse_a=float(fuse_a))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSettings:
    """What a meter is made of; two that are equal make the same meter."""

    stored: Mapping[str, Any]
    place: MeterPlace


def has_meter(data: Mapping[str, Any]) -> bool:
    """Tell whether a config entry's or a circuit's data name a meter."""
    return bool(data.get(CONF_METER, NO_METER)[CONF_TYPE] != METER_NONE)


def resource_phases(data: Mapping[str, Any], site: Mapping[str, Any]) -> tuple[Phase, ...]:
    """Return the grid's conductors that a PV system or battery hangs on."""
    conductors = ALL_PHASES[: site[CONF_PHASES]]
    wired = tuple(phase for phase in WIRINGS[data.get(CONF_WIRED_TO, "L1L2L3")] if phase in conductors)
    return wired if wired and len(conductors) > 1 else conductors


def settings_by_measured(entry: ConfigEntry) -> dict[str, MeterSettings]:
    """Return what makes the meter of each circuit, PV system and battery that has one, by its id."""
    return {measured: MeterSettings(stored=data[CONF_METER], place=place) for measured, data, place in _measured(entry) if has_meter(data)}


def _measured(entry: ConfigEntry) -> Iterator[tuple[str, Mapping[str, Any], MeterPlace]]:
    site = entry.data
    yield MAIN_CIRCUIT_ID, site, MeterPlace.of(site, site[CONF_FUSE_A])
    for subentry in entry.get_subentries_of_type(SUBENTRY_CIRCUIT):
        yield subentry.subentry_id, subentry.data, MeterPlace.of(site, subentry.data[CONF_FUSE_A])
    for subentry in entry.get_subentries_of_type(SUBENTRY_RESOURCE):
        place = MeterPlace.of(site, subentry.data[CONF_MOST_A], phases=len(resource_phases(subentry.data, site)))
        yield subentry.subentry_id, subentry.data, place


def tells_one_power(data: Mapping[str, Any]) -> bool:
    """Tell whether a meter says one power of all phases together, and nothing of each."""
    meter = data.get(CONF_METER, NO_METER)
    return CONF_POWER_TOTAL in meter and not any(key.startswith((CONF_CURRENT, CONF_POWER)) and key[-1:].isdigit() for key in meter)


def meter_of(hass: HomeAssistant, settings: MeterSettings) -> Meter:
    """Return the meter; raises MeterError where what is stored makes none."""
    meter, place = settings.stored, settings.place
    ceiling_a = CEILING_BY_FUSE * place.fuse_a
    if meter[CONF_TYPE] == "modbus":
        return ModbusMeter(
            ModbusMeterConfig(
                line=TcpLine(host=meter[CONF_HOST], port=meter[CONF_PORT]),
                device_id=meter[CONF_UNIT_ID],
                model=meter[CONF_MODEL],
                invert=meter[CONF_INVERT],
                phases=place.phases,
                voltage_v=place.voltage_v,
                ceiling_a=ceiling_a,
            )
        )
    return EntityMeter(
        hass,
        EntityMeterConfig(
            currents=_entities(meter, CONF_CURRENT),
            powers=_entities(meter, CONF_POWER),
            total_power=meter.get(CONF_POWER_TOTAL),
            import_wh=meter.get(CONF_IMPORT_ENERGY),
            export_wh=meter.get(CONF_EXPORT_ENERGY),
            export_positive=meter[CONF_INVERT],
            phases=place.phases,
            voltage_v=place.voltage_v,
            ceiling_a=ceiling_a,
        ),
    )


def _entities(meter: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the entities that are given per phase, in the order of the phases."""
    return tuple(meter[f"{key}{number}"] for number in (1, 2, 3) if f"{key}{number}" in meter)
