"""Starts from afar that take their first lease along (K05), so that a car begins at what it may draw and not at its fallback.

The lease is what the allocator would tell the car if it had begun, reckoned as installed from the moment it is sent. It becomes the
transaction's lease where the station took it and begins that very transaction; wherever that is not certain it stays a doubt, which is
reserved like any limit that may hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
import math

from ..csms.authorization import IdToken
from ..csms.dialect import Handle
from ..csms.errors import CallError, CallRejectedError
from ..csms.station import Station
from ..csms.validation import PayloadError
from ..demand_response.limits import ExternalLimits
from .circuit import CircuitState
from .clock import Clock
from .config import Mode, SiteConfig
from .dead_man import broken
from .evse import EvseState
from .limits import FirstLease, LeaseOrder
from .peak import PeakCeiling
from .planning import Sharing
from .session import Session
from .turn import decide

MAKE_WAY_S = 3.0
"""So long a start waits for the others to make way; then it goes without a lease, and its fallback holds."""


def takes_first_lease(evse: EvseState, mode: Mode) -> bool:
    """Tell whether a lease can go along with a start on an EVSE at all."""
    idle = evse.ready and evse.session is None and evse.first_lease is None and evse.problem is None and evse.guarded
    return mode is Mode.DYNAMIC and idle and evse.dialect.handle is Handle.TRANSACTION and evse.dialect.holds_leases


def first_lease(
    states: Mapping[str, CircuitState],
    evses: Sequence[EvseState],
    evse: EvseState,
    external: ExternalLimits,
    config: SiteConfig,
    mode: Mode,
    sharing: Sharing,
    clock: Clock,
    peak: PeakCeiling | None = None,
) -> LeaseOrder | None:
    """Return the lease that a transaction would get if it began now; None where it can get none, or none yet.

    That is what is free, or its fallback where the others' current is not seen to be gone; and nothing with which the dead-man rule
    would not hold beside the leases that run.
    """
    if not takes_first_lease(evse, mode):
        return None
    now, utcnow = clock.monotonic(), clock.utcnow()
    session = Session(transaction_id="", record_id="", started_at=utcnow, since=now, queued_at=now, last_at=utcnow)
    begun = replace(evse, session=session, exceeding=False)
    others = [each for each in evses if each is not evse]
    turn = decide(states, [*others, begun], external, config, mode, sharing, now, peak)
    told_a = turn.told_a.get(str(evse.key))
    if told_a is None or any(each.limit_a(now) > turn.told_a.get(str(each.key), math.inf) for each in others):
        return None  # the others have not made way
    for limit_a in (told_a, min(told_a, evse.held_fallback_a)):
        holding = FirstLease(remote_start_id=0, limit_a=limit_a, expires_at=now + turn.leases.lease_s)
        with_it = broken(states, [*others, replace(begun, first_lease=holding)], now, arriving=False)
        if len(with_it) <= len(broken(states, evses, now, arriving=False)):
            return LeaseOrder(transaction_id="", limit_a=limit_a, length_s=turn.leases.lease_s, urgent=False)
    return None


async def start(
    station: Station,
    evse: EvseState,
    id_token: IdToken,
    remote_start_id: int,
    order: LeaseOrder | None,
    clock: Clock,
    on_change: Callable[[], None],
    *,
    group: str | None = None,
) -> None:
    """Ask a station for a transaction, with its first lease where there is one. Raises StationError.

    `on_change` is called when what the EVSE may draw has changed.
    """
    evse_id = evse.key.evse_id
    if order is None:
        await station.start_transaction(evse_id, id_token, remote_start_id, group=group)
        return
    now = clock.monotonic()
    first = FirstLease(
        remote_start_id=remote_start_id, limit_a=order.limit_a, expires_at=now + order.length_s, falls_to_a=evse.second_period_a
    )
    evse.first_lease, evse.told = first, True
    on_change()
    try:
        started = await station.start_transaction(
            evse_id,
            id_token,
            remote_start_id,
            group=group,
            limit_a=order.limit_a,
            valid_to=clock.utcnow() + timedelta(seconds=order.length_s),
            fallback_a=evse.wanted_fallback_a,
        )
    except CallRejectedError, CallError, PayloadError:
        if evse.first_lease == first:
            evse.first_lease = None
        on_change()
        raise
    # After any other error it may hold it all the same.
    if evse.first_lease == first:
        evse.first_lease = replace(first, confirmed=True) if started.with_limit else None
    elif started.with_limit:
        take_up(evse, replace(first, confirmed=True), clock.monotonic())
    on_change()


def take_up(evse: EvseState, first: FirstLease, now: float) -> None:
    """Have the transaction that runs now go on by the lease of its start where that is certain, else reckon with it beside others."""
    evse.first_lease, evse.told = None, True
    session = evse.session
    if session is None or (now >= first.expires_at and not evse.unproven):
        return
    if not first.confirmed or session.remote_start_id != first.remote_start_id:
        evse.doubt(first.limit_a, first.expires_at)
        return
    if evse.lease is not None:
        return  # a newer one has its place
    before_a = evse.limit_a(now)
    evse.lease = first.of(session.transaction_id)
    if evse.unanswered_lease_a <= first.limit_a:
        evse.unanswered_lease_a = 0.0
    evse.change(before_a, now)
