"""What a station reports to hold, taken into the loop's picture of its EVSEs: what is there as wanted is not written again."""

from datetime import datetime
import math

from ..csms.reconciliation import Held, Installed
from .evse import EvseState
from .limits import Lease

NEAR_A = 0.1
"""A limit told in whole watts or amps comes back a little lower."""


def in_force(held: Held, limit_a: float) -> bool:
    """Tell whether a station holds a limit just as it would be sent now."""
    return held.as_worded and held.limit_a is not None and abs(held.limit_a - limit_a) <= NEAR_A


def adopt(evse: EvseState, found: Installed, now: float, utcnow: datetime) -> None:
    """Take over what its station holds for an EVSE."""
    evse_id, dialect = evse.key.evse_id, evse.dialect
    fallback = found.fallbacks.get(evse_id)
    evse.unanswered_fallback_a = 0.0
    evse.fallback_a = None if fallback is None else fallback.limit_a
    evse.fallback_current = fallback is not None and fallback.as_worded
    evse.fallback_one_phase = fallback is not None and fallback.one_phase
    if fallback is not None and evse.wanted_fallback_a is not None and in_force(fallback, evse.wanted_fallback_a):
        evse.fallback_a = evse.wanted_fallback_a
    leases = [held for held in found.leases if held.evse_id == evse_id]
    present = next((held for held in leases if held.handle is dialect.handle), None)
    if dialect.overwrites and evse.session is not None:
        present = fallback  # the limit lies where the fallback did
    evse.recalled = None
    evse.former, evse.withdraw = None, [each for each in evse.withdraw if each[1]]
    for held in leases:
        if held.handle is not None and held is not present:
            evse.former = _higher(evse.former, _lease(held, evse, now, utcnow))
            evse.leave(held.handle, fallback=False)
    evse.lease = evse.found_lease = None
    if present is None:
        return
    lease = _lease(present, evse, now, utcnow)
    if evse.session is None:
        evse.found_lease = lease
    elif present.transaction_id in (None, evse.session.transaction_id):
        evse.lease, evse.resend = lease, not present.as_worded
        evse.unanswered_lease_a = evse.inherited_a = 0.0


def _lease(held: Held, evse: EvseState, now: float, utcnow: datetime) -> Lease:
    transaction_id = held.transaction_id or ("" if evse.session is None else evse.session.transaction_id)
    ends_at = math.inf if held.valid_to is None else now + (held.valid_to - utcnow).total_seconds()
    limit_a = evse.rated_a if held.limit_a is None else min(held.limit_a, evse.rated_a)
    falls_to_a, wanted_a = min(held.falls_to_a, evse.rated_a), evse.wanted_fallback_a
    if wanted_a is not None and abs(falls_to_a - wanted_a) <= NEAR_A:
        falls_to_a = wanted_a
    return Lease(transaction_id=transaction_id, limit_a=limit_a, expires_at=ends_at, one_phase=held.one_phase, falls_to_a=falls_to_a)


def _higher(one: Lease | None, other: Lease) -> Lease:
    if one is None:
        return other
    return Lease(
        transaction_id=other.transaction_id,
        limit_a=max(one.limit_a, other.limit_a),
        expires_at=max(one.expires_at, other.expires_at),
        falls_to_a=max(one.falls_to_a, other.falls_to_a),
    )
