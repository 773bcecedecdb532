"""Whether a lease ends at a station, by its own composite schedule that reaches past the end."""

from collections.abc import Sequence
import logging
import math

from ..csms.composite import NOMINAL_VOLTAGE_V, CompositeSchedule
from ..csms.errors import StationError, StationOfflineError
from ..csms.prediction import limit_at
from ..csms.station import Station
from .evse import EvseState
from .holdings import PROOF_A

_LOGGER = logging.getLogger(__name__)

AFTER_S = 5.0
"""A composite schedule is looked at so long after the end of the lease in it."""
REACH_S = 10
"""So much longer than the lease is the schedule that is asked for."""
NEAR = 0.25
SAME = 0.02


def worth_asking(evse: EvseState, now: float) -> bool:
    """Tell whether a composite schedule would show the end of the lease that an EVSE holds now."""
    lease, fallback_a = evse.lease, evse.fallback_a
    return (
        lease is not None
        and not lease.lasts
        and now < lease.expires_at
        and fallback_a is not None
        and evse.fallback_current
        and abs(lease.limit_a - fallback_a) >= PROOF_A
    )


async def ask(evse: EvseState, station: Station, unit: str, asked_at: float) -> CompositeSchedule | None:
    """Ask for a schedule that reaches past the lease (K08); None where the station gives none. Raises StationOfflineError."""
    if (lease := evse.lease) is None:
        return None
    try:
        return await station.get_composite_schedule(evse.key.evse_id, math.ceil(lease.expires_at - asked_at) + REACH_S, unit)
    except StationOfflineError:
        raise
    except StationError as error:
        _LOGGER.debug("Station %s gives no composite schedule: %s", evse.key.station, error)
        return None


def ends(evse: EvseState, schedule: CompositeSchedule, asked_at: float) -> bool | None:
    """Tell whether a schedule asked for at `asked_at` has the lease end in the fallback; None where it shows neither."""
    lease, fallback_a = evse.lease, evse.fallback_a
    if lease is None or lease.lasts or fallback_a is None:
        return None
    ends_s = lease.expires_at - asked_at
    during, after = limit_at(schedule, ends_s / 2), limit_at(schedule, ends_s + AFTER_S)
    if during is None or after is None or schedule.duration_s < ends_s + AFTER_S:
        return None
    if lease.limit_a <= 0:
        return after > 0 if during <= 0 else None
    if not _is(during, lease.limit_a, schedule.unit):
        return None  # something else leads
    middle = during * (1 + fallback_a / lease.limit_a) / 2
    if fallback_a < lease.limit_a:
        return after <= middle
    if _nearer(during, fallback_a, lease.limit_a, schedule.unit):
        return None  # it shows the fallback all along
    return after >= middle or after < during * (1 - SAME)  # in watts, a fallback is for whatever car comes


def _is(limit: float, limit_a: float, unit: str) -> bool:
    return any(abs(each - limit_a) <= NEAR * limit_a for each in phase_counts(limit, unit))


def _nearer(limit: float, one_a: float, other_a: float, unit: str) -> bool:
    counts = phase_counts(limit, unit)
    return min(abs(each - one_a) for each in counts) < min(abs(each - other_a) for each in counts)


def phase_counts(limit: float, unit: str) -> Sequence[float]:
    """Return the amps a limit may mean: one in watts, by the phases it may be for."""
    return (limit,) if unit == "A" else tuple(limit / (NOMINAL_VOLTAGE_V * phases) for phases in (1, 2, 3))
