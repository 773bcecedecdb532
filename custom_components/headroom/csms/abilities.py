"""What may be told a station, by what it says of itself and what is known of its kind: strict in what we send."""

from dataclasses import dataclass, replace

from .dialect import Dialect, Handle, LeaseEnd, Unit
from .quirks import Habits
from .values import Inventory

RATE_UNIT = "SmartChargingCtrlr.RateUnit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """Units (K01.FR.26), highest stack level, periods in a schedule, and EVSEs."""

    units: tuple[Unit, ...] = ("A", "W")
    stack_level_most: int = 0
    periods: int = 1
    evses: int = 1


def abilities(inventory: Inventory, habits: Habits) -> Abilities:
    """Return what a station's device model and its known habits allow. One that names no RateUnit may take either."""
    can = inventory.smart_charging
    units: tuple[Unit, ...] = ("A", "W")
    if RATE_UNIT in inventory.variables:
        units = tuple(unit for unit in units if unit in can.rate_units)
    most = can.stack_level_max if habits.stack_level_most is None else min(can.stack_level_max, habits.stack_level_most)
    return Abilities(units=units, stack_level_most=most, periods=can.periods_per_schedule, evses=len(inventory.evse_connectors) or 1)


def fitted(dialect: Dialect, can: Abilities) -> Dialect:
    """Return a dialect as near to this one as the station can take: what its quirks say must not break what it says itself."""
    if dialect.unit is not None and dialect.unit not in can.units:
        dialect = replace(dialect, unit=None)
    if dialect.handle is Handle.STATION and can.evses != 1:
        dialect = replace(dialect, handle=Handle.TRANSACTION)
    if dialect.lease_end is LeaseEnd.PERIOD and (can.periods < 2 or dialect.kind == "Relative"):
        dialect = replace(dialect, lease_end=LeaseEnd.VALID_TO)
    dialect = replace(dialect, stack_level=min(dialect.stack_level, can.stack_level_most))
    if dialect.lease_level > can.stack_level_most:
        dialect = replace(dialect, lease_end=LeaseEnd.NEVER)
    return dialect


def unit_of(dialect: Dialect, can: Abilities) -> Unit:
    """Return the unit a dialect comes to: amps where the station takes them, unless it says otherwise."""
    return dialect.unit or ("A" if "A" in can.units or not can.units else "W")
