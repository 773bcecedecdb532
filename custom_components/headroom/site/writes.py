"""Each write to an EVSE, and what is known of it while it is on its way, once it is answered, and where no answer comes.

All raise StationError. What was sent and not answered may hold, and is reckoned with until something is confirmed.
"""

from datetime import timedelta
import logging
import math

from ..csms.errors import CallError, CallRejectedError
from ..csms.station import Station
from .clock import Clock
from .evse import EvseState
from .limits import Lease

_LOGGER = logging.getLogger(__name__)


async def install_fallback(evse: EvseState, station: Station, clock: Clock) -> bool:
    """Install the wanted fallback; False where it was told in words that are out of use meanwhile."""
    limit_a = evse.wanted_fallback_a
    if limit_a is None:
        return False
    before_a, doubt_a = evse.limit_a(clock.monotonic()), evse.unanswered_fallback_a
    dialect, one_phase, was_for_one = evse.dialect, evse.wanted_one_phase, evse.fallback_one_phase
    evse.unanswered_fallback_a, evse.told, evse.budget = max(doubt_a, limit_a), True, evse.budget.spend()
    evse.fallback_one_phase = was_for_one if was_for_one is one_phase else None
    try:
        await station.install_fallback(evse.key.evse_id, limit_a, one_phase=one_phase)
    except CallRejectedError, CallError:
        evse.unanswered_fallback_a, evse.fallback_one_phase = doubt_a, was_for_one
        raise
    if evse.dialect != dialect:
        return False
    evse.fallback_a, evse.fallback_current, evse.unanswered_fallback_a = limit_a, True, 0.0
    evse.fallback_one_phase = one_phase
    evse.change(before_a, clock.monotonic())
    return True


async def install_lease(evse: EvseState, station: Station, clock: Clock) -> bool:
    """Install the wanted lease; False where its transaction has ended or the words are out of use meanwhile."""
    order = evse.wanted_lease
    if order is None:
        return False
    now, dialect = clock.monotonic(), evse.dialect
    before_a, doubt_a = max(evse.installed_a(now), evse.inherited_a), evse.unanswered_lease_a
    doubt_until, ends_at = evse.unanswered_until, now + order.length_s if dialect.holds_leases else math.inf
    evse.doubt(order.limit_a, ends_at)
    evse.told, set_back_s, falls_to_a = True, evse.clock_set_back_s, evse.second_period_a
    valid_to = clock.utcnow() + timedelta(seconds=order.length_s)
    evse.in_flight_a, evse.budget = order.limit_a, evse.budget.spend()
    try:
        await station.install_lease(
            evse.key.evse_id,
            order.transaction_id,
            order.limit_a,
            valid_to,
            fallback_a=evse.wanted_fallback_a or 0.0,
            one_phase=order.one_phase,
        )
    except CallRejectedError, CallError:
        evse.unanswered_lease_a, evse.unanswered_until = doubt_a, doubt_until
        raise
    finally:
        evse.in_flight_a = None
    if evse.session is None or evse.session.transaction_id != order.transaction_id or evse.dialect != dialect:
        return False
    set_back_s = evse.clock_set_back_s - set_back_s  # since it was told
    ends_at += set_back_s
    changes = evse.lease is None or evse.lease.limit_a != order.limit_a
    evse.lease = Lease(
        transaction_id=order.transaction_id,
        limit_a=order.limit_a,
        expires_at=ends_at,
        one_phase=order.one_phase,
        falls_to_a=falls_to_a,
    )
    evse.unanswered_lease_a, evse.inherited_a, evse.recalled = 0.0, 0.0, None
    evse.resend, evse.just_proven = set_back_s > 0, evse.just_proven and not changes
    evse.taken_away(dialect.handle)
    wanted = evse.wanted_lease
    told = (order.limit_a, order.transaction_id, order.one_phase)
    if wanted is not None and not evse.resend and (wanted.limit_a, wanted.transaction_id, wanted.one_phase) == told:
        evse.wanted_lease = None
    evse.change(before_a, clock.monotonic(), doubted=doubt_a > 0)
    return True


async def clear_lease(evse: EvseState, station: Station, clock: Clock) -> None:
    """Take the lease away, so that the fallback holds."""
    before_a, evse.told = evse.limit_a(clock.monotonic()), True
    await station.clear_leases(evse.key.evse_id)
    evse.lease, evse.recalled, evse.wanted_clear = None, None, False
    evse.unanswered_lease_a = evse.inherited_a = 0.0
    evse.change(before_a, clock.monotonic())


async def withdraw(evse: EvseState, station: Station, clock: Clock) -> None:
    """Take away what a former dialect left; what the station keeps is reckoned with until it lapses."""
    handle, of_fallback = evse.withdraw[0]
    now = clock.monotonic()
    before_a, evse.told = evse.installed_a(now), True
    try:
        await station.withdraw(evse.key.evse_id, handle, fallback=of_fallback)
    except CallRejectedError as error:
        evse.withdraw = [each for each in evse.withdraw if each != (handle, of_fallback)]
        _LOGGER.debug("Station %s keeps its former %s: %s", evse.key.station, handle, error)
        return
    if of_fallback:
        evse.withdraw = [each for each in evse.withdraw if each != (handle, of_fallback)]
    else:
        evse.taken_away(handle)
    evse.change(before_a, clock.monotonic())
