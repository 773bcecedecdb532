"""From what the forms stored of a meter to the meter itself, wherever it is: at the site's connection, or at a circuit's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypedDict

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_DEVICE, CONF_HOST, CONF_MODEL, CONF_PASSWORD, CONF_PORT, CONF_TOKEN, CONF_TYPE, CONF_URL, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .circuit_tree import circuit_phases, wired_phases
from .const import (
    CONF_BAUD_RATE,
    CONF_CIRCUIT,
    CONF_CURRENT,
    CONF_CURRENT_UNIT,
    CONF_ENERGY_UNIT,
    CONF_EXPORT_ENERGY,
    CONF_EXPORTED,
    CONF_EXPORTED_TOTAL,
    CONF_FRAMING,
    CONF_FUSE_A,
    CONF_IMPORT_ENERGY,
    CONF_INVERT,
    CONF_METER,
    CONF_MOST_A,
    CONF_ONLY_CHANGES,
    CONF_PARITY,
    CONF_PHASE_ORDER,
    CONF_PHASES,
    CONF_POWER,
    CONF_POWER_TOTAL,
    CONF_POWER_UNIT,
    CONF_STOP_BITS,
    CONF_UNIT_ID,
    CONF_VOLTAGE_V,
    MAIN_CIRCUIT_ID,
    METER_MODBUS,
    METER_NONE,
    METER_REST,
    METER_SERIAL,
    SUBENTRY_CIRCUIT,
    SUBENTRY_RESOURCE,
)
from .engine.model import ALL_PHASES, Phase
from .metering.entity import EntityMeter, EntityMeterConfig
from .metering.line import Line, SerialLine, TcpLine
from .metering.maps import METERS
from .metering.modbus import ModbusMeter, ModbusMeterConfig
from .metering.reading import Meter
from .metering.reorder import ReorderedMeter
from .metering.rest import RestMeter, RestMeterConfig
from .metering.steady import SteadyMeter

CEILING_BY_FUSE = 10.0
"""No fuse lets so many times its rating through for as long as a meter takes to measure it."""
type Conductors = Literal[1, 2, 3]
COUNTS: Mapping[int, Conductors] = {1: 1, 2: 2, 3: 3}
"""How many conductors a connection may have."""
PHASES_IN_ORDER = "L1L2L3"
_PARITIES: Mapping[str, Literal["N", "E", "O"]] = {"n": "N", "e": "E", "o": "O"}
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


def settings_by_measured(entry: ConfigEntry) -> dict[str, MeterSettings]:
    """Return what makes the meter of each circuit, PV system and battery that has one, by its id."""
    return {measured: MeterSettings(stored=data[CONF_METER], place=place) for measured, data, place in _measured(entry) if has_meter(data)}


def _measured(entry: ConfigEntry) -> Iterator[tuple[str, Mapping[str, Any], MeterPlace]]:
    site = entry.data
    yield MAIN_CIRCUIT_ID, site, MeterPlace.of(site, site[CONF_FUSE_A])
    for subentry in entry.get_subentries_of_type(SUBENTRY_CIRCUIT):
        phases = len(circuit_phases(entry, subentry.subentry_id))
        yield subentry.subentry_id, subentry.data, MeterPlace.of(site, subentry.data[CONF_FUSE_A], phases=phases)
    for subentry in entry.get_subentries_of_type(SUBENTRY_RESOURCE):
        phases = len(wired_phases(subentry.data, circuit_phases(entry, subentry.data[CONF_CIRCUIT])))
        place = MeterPlace.of(site, subentry.data[CONF_MOST_A], phases=phases)
        yield subentry.subentry_id, subentry.data, place


def tells_one_power(data: Mapping[str, Any]) -> bool:
    """Tell whether a meter says one power of all phases together, and nothing of each."""
    meter = data.get(CONF_METER, NO_METER)
    if (layout := METERS.get(meter.get(CONF_MODEL, ""))) is not None:
        return not layout.models and not layout.current.addresses
    return CONF_POWER_TOTAL in meter and not any(key.startswith((CONF_CURRENT, CONF_POWER)) and key[-1:].isdigit() for key in meter)


def meter_of(hass: HomeAssistant, settings: MeterSettings) -> Meter:
    """Return the meter; raises MeterError where what is stored makes none."""
    meter: Meter = SteadyMeter(_source(hass, settings), settings.place.fuse_a)
    order = settings.stored.get(CONF_PHASE_ORDER, PHASES_IN_ORDER)
    if order == PHASES_IN_ORDER or settings.place.phases != len(ALL_PHASES):
        return meter
    return ReorderedMeter(meter, [Phase[order[at : at + 2]] for at in range(0, len(order), 2)])


def line_of(meter: Mapping[str, Any]) -> Line:
    """Return what a Modbus meter hangs on."""
    if meter[CONF_TYPE] == METER_SERIAL:
        return SerialLine(
            device=meter[CONF_DEVICE],
            baud_rate=int(meter[CONF_BAUD_RATE]),
            parity=_PARITIES[meter[CONF_PARITY]],
            stop_bits=2 if meter[CONF_STOP_BITS] == "2" else 1,
        )
    framing = meter.get(CONF_FRAMING, "tcp")
    return TcpLine(host=meter[CONF_HOST], port=meter[CONF_PORT], framing="rtu" if framing == "rtu" else "tcp")


def ceiling_a(place: MeterPlace) -> float:
    """Return the current above which a reading of a meter there can't be."""
    return CEILING_BY_FUSE * place.fuse_a


def _source(hass: HomeAssistant, settings: MeterSettings) -> Meter:
    meter, place = settings.stored, settings.place
    if meter[CONF_TYPE] in (METER_MODBUS, METER_SERIAL):
        return ModbusMeter(
            ModbusMeterConfig(
                line=line_of(meter),
                device_id=meter[CONF_UNIT_ID],
                model=meter[CONF_MODEL],
                invert=meter[CONF_INVERT],
                phases=place.phases,
                voltage_v=place.voltage_v,
                ceiling_a=ceiling_a(place),
            )
        )
    numbers: _Numbers = {
        "currents": _of_phases(meter, CONF_CURRENT),
        "powers": _of_phases(meter, CONF_POWER),
        "exported_powers": _of_phases(meter, CONF_EXPORTED),
        "total_power": meter.get(CONF_POWER_TOTAL),
        "exported_total": meter.get(CONF_EXPORTED_TOTAL),
        "import_wh": meter.get(CONF_IMPORT_ENERGY),
        "export_wh": meter.get(CONF_EXPORT_ENERGY),
        "export_positive": meter[CONF_INVERT],
        "phases": place.phases,
        "voltage_v": place.voltage_v,
        "ceiling_a": ceiling_a(place),
    }
    if meter[CONF_TYPE] == METER_REST:
        config = RestMeterConfig(
            url=meter[CONF_URL],
            current_unit="mA" if meter[CONF_CURRENT_UNIT] == "mA" else "A",
            power_unit="kW" if meter[CONF_POWER_UNIT] == "kW" else "W",
            energy_unit="Wh" if meter[CONF_ENERGY_UNIT] == "Wh" else "kWh",
            username=meter.get(CONF_USERNAME),
            password=meter.get(CONF_PASSWORD),
            token=meter.get(CONF_TOKEN),
            **numbers,
        )
        return RestMeter(async_get_clientsession(hass), config)
    return EntityMeter(hass, EntityMeterConfig(only_changes=bool(meter.get(CONF_ONLY_CHANGES, False)), **numbers))


class _Numbers(TypedDict):
    currents: tuple[str, ...]
    powers: tuple[str, ...]
    exported_powers: tuple[str, ...]
    total_power: str | None
    exported_total: str | None
    import_wh: str | None
    export_wh: str | None
    export_positive: bool
    phases: Conductors
    voltage_v: float
    ceiling_a: float


def _of_phases(meter: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the names that are given per phase, in the order of the phases."""
    return tuple(meter[f"{key}{number}"] for number in (1, 2, 3) if f"{key}{number}" in meter)
