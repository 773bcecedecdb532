"""OCPP's MeterValueType read as MeterSample (2.0.1 Part 2, 2.31 and 3.x: MeterValueType, SampledValueType).

What a value does not say is not guessed: a current that may be of one phase or the sum of three stays unknown, and so does one that the
power denies.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
import math
from typing import NamedTuple

from .composite import is_phase_voltage
from .fields import optional_moment, optional_number, optional_record, optional_text, optional_whole, records
from .frames import Payload
from .values import DRAWS_W, UNKNOWN, MeterSample, TerminalValues

DEFAULT_MEASURAND = "Energy.Active.Import.Register"
LOCATIONS = ("Outlet", "Inlet", "Body", "Cable", "Upstream", "EV")
"""Best first: what leaves the station is what a fuse carries."""
PREFIXES = {"k": 1000.0, "m": 0.001, "": 1.0}
BASE_UNITS = {"wh", "w", "a", "v", "percent", "va", "var", "vah", "varh"}
TERMINALS = {"L1": 0, "L2": 1, "L3": 2, "L1-N": 0, "L2-N": 1, "L3-N": 2}
AGREES = 0.15
"""How far a power may be from current times voltage (power factor, rounding) to be taken for the same thing."""

NOTHING_A = 0.6
"""Where no terminal carries this much, no DRAWS_W flow: three of 277 V would carry 499 W."""


class _Key(NamedTuple):
    measurand: str
    terminal: int | None


def samples(meter_values: Iterable[Payload], *, evse_phases: int | None = None, phases_used: int | None = None) -> tuple[MeterSample, ...]:
    """Return a sample for each MeterValueType.

    `evse_phases` is how many phases the EVSE has, `phases_used` what the station says the car uses (numberOfPhasesUsed).
    """
    return tuple(_sample(value, 1 if evse_phases == 1 else phases_used) for value in meter_values)


def _sample(meter_value: Payload, phases: int | None) -> MeterSample:
    values = _values(records(meter_value, "sampledValue"))
    voltage_v = _voltage(values, phases)
    power_w = _whole_of("Power.Active.Import", values)
    return MeterSample(
        at=_at(meter_value),
        current_a=_current(values, voltage_v, power_w, phases),
        voltage_v=voltage_v,
        power_w=power_w,
        energy_wh=_whole_of("Energy.Active.Import.Register", values),
        soc_pct=values.get(_Key("SoC", None)),
    )


def _at(meter_value: Payload) -> datetime | None:
    return optional_moment(meter_value, "timestamp")


def _values(sampled: Sequence[Payload]) -> Mapping[_Key, float]:
    found: dict[_Key, float] = {}
    for item in sorted(sampled, key=_location_rank):
        phase = optional_text(item, "phase")
        if phase is not None and phase not in TERMINALS:
            continue  # N, or between two phases
        if (value := _value(item)) is not None:
            measurand = optional_text(item, "measurand") or DEFAULT_MEASURAND
            found.setdefault(_Key(measurand, None if phase is None else TERMINALS[phase]), value)
    return found


def _location_rank(item: Payload) -> int:
    location = optional_text(item, "location") or LOCATIONS[0]
    return LOCATIONS.index(location) if location in LOCATIONS else len(LOCATIONS)


def _value(item: Payload) -> float | None:
    value = optional_number(item, "value")
    if value is None:
        return None
    unit_of_measure = optional_record(item, "unitOfMeasure")
    exponent = optional_whole(unit_of_measure, "multiplier") or 0
    if abs(exponent) > 12:
        return None
    unit = (optional_text(unit_of_measure, "unit") or "").lower()
    prefix = unit[0] if unit not in BASE_UNITS and unit[1:] in BASE_UNITS else ""
    value *= PREFIXES.get(prefix, 1.0) * 10.0**exponent
    return value if math.isfinite(value) else None


def _terminals(measurand: str, values: Mapping[_Key, float]) -> TerminalValues:
    return (values.get(_Key(measurand, 0)), values.get(_Key(measurand, 1)), values.get(_Key(measurand, 2)))


def _whole_of(measurand: str, values: Mapping[_Key, float]) -> float | None:
    if (total := values.get(_Key(measurand, None))) is not None:
        return total
    parts = [part for part in _terminals(measurand, values) if part is not None]
    return sum(parts) if parts else None


def _voltage(values: Mapping[_Key, float], phases: int | None) -> TerminalValues:
    per_phase = _terminals("Voltage", values)
    mean = values.get(_Key("Voltage", None))
    if per_phase != UNKNOWN or mean is None:
        return per_phase
    return (mean, None, None) if phases == 1 else (mean, mean, mean)


def _current(values: Mapping[_Key, float], voltage_v: TerminalValues, power_w: float | None, phases: int | None) -> TerminalValues:
    per_phase, total = _terminals("Current.Import", values), values.get(_Key("Current.Import", None))
    if _denied(per_phase, power_w):
        per_phase = UNKNOWN
    if _denied([total], power_w):
        total = None
    powers = _terminals("Power.Active.Import", values)
    voltages = [voltage if voltage is not None and is_phase_voltage(voltage) else None for voltage in voltage_v]
    least_a = -NOTHING_A if _draws(power_w) else -math.inf
    l1, l2, l3 = (
        power / voltage if current is None and power is not None and voltage and power / voltage >= least_a else current
        for current, power, voltage in zip(per_phase, powers, voltages, strict=True)
    )
    if (l1, l2, l3) != UNKNOWN:
        return (l1, l2, l3)
    voltage = voltages[0]
    if phases == 1:
        if total is None and power_w is not None and voltage:
            total = power_w / voltage
        return (total, None, None)
    if total == 0:
        return (0.0, 0.0, 0.0)
    if phases == 3 and total is None and power_w is not None and voltage:
        total = power_w / voltage / 3
        return (total, total, total)
    if total is not None and power_w and voltage and abs(power_w / (3 * voltage * total) - 1) <= AGREES:
        return (total, total, total)  # the current of each phase, not their sum: the power says so
    return UNKNOWN


def _draws(power_w: float | None) -> bool:
    return power_w is not None and power_w > DRAWS_W


def _denied(told_a: Iterable[float | None], power_w: float | None) -> bool:
    """Tell whether a car draws by its power while by its currents it draws nothing, or feeds in."""
    currents = [current for current in told_a if current is not None]
    return bool(currents) and _draws(power_w) and (max(currents) < NOTHING_A or min(currents) < -NOTHING_A)
