"""The quarter-hour's ceiling as headroom: the main fuse's row, and why a car has no more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import fsum

from ..engine.model import Allocation, Filled, Headroom, ReasonCode
from .config import Mode
from .evse import EvseState
from .led import led
from .peak import PeakCeiling

SHORT = frozenset({ReasonCode.CIRCUIT, ReasonCode.WAITING, ReasonCode.POSTPONED})
"""The reasons that say that a place is full."""


def under_peak(
    rows: Sequence[Headroom], root_id: str, peak: PeakCeiling | None, evses: Iterable[EvseState], mode: Mode, now: float
) -> tuple[list[Headroom], float | None]:
    """Return the rows with what the running quarter-hour leaves on the main fuse's, and that in amps.

    None for these amps where another ceiling to the fuse's power is lower. What cars that can't be told a limit may draw is taken off.
    """
    if peak is None:
        return list(rows), None
    left_a = peak.cars_a - fsum(fsum(evse.per_phase(evse.reserved_a(now))) for evse in evses if not led(evse, mode))
    root = next(row for row in rows if row.circuit_id == root_id)
    if root.sum_a is not None and root.sum_a <= left_a:
        return list(rows), None
    return [replace(row, sum_a=left_a) if row is root else row for row in rows], left_a


def told_of_peak(allocations: Mapping[str, Allocation], root_id: str, peak: PeakCeiling, left_a: float) -> dict[str, Allocation]:
    """Return the allocations with the quarter-hour as the reason of those that the main fuse's power stops; `left_a` is what it left."""
    limit_a = peak.site_w / peak.voltage_v
    filled = Filled(
        limit_a=limit_a, unmanaged_a=limit_a - peak.cars_a, reserved_a=max(0.0, peak.cars_a - left_a), watts_per_a=peak.voltage_v
    )
    return {
        name: replace(allocation, reason=replace(allocation.reason, code=ReasonCode.PEAK_DEMAND, filled=filled))
        if allocation.reason.circuit_id == root_id
        and allocation.reason.phase is None
        and allocation.reason.against is None
        and allocation.reason.code in SHORT
        else allocation
        for name, allocation in allocations.items()
    }
