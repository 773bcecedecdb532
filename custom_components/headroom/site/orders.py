"""From what a turn decided to what the installers are to make true."""

from collections.abc import Iterable, Mapping, Sequence
import math

from .circuit import CircuitState
from .config import EvseKey, Mode
from .evse import EvseState, LeaseOrder
from .installer import Installer
from .turn import Turn, controllable, fallbacks

RENEW_SHARE = 0.3
"""A lease is renewed when this share of it is left…"""
RENEW_LATENCIES = 3.0
"""…or so many acknowledgement times…"""
RENEW_MIN_S = 5.0
"""…but not later than this."""
ROTATE_S = 1800.0
"""Where not all cars fit, one that had its turn for so long goes to the end of the queue."""
SAMPLE_EVERY_S = 1.0
"""A car is asked what it draws at most this often."""


def renew_s(lease_s: float, latency_s: float | None) -> float:
    """Return how long before its end a lease is renewed."""
    return max(RENEW_MIN_S, RENEW_LATENCIES * (latency_s or 0.0), RENEW_SHARE * lease_s)


def order_lease(evse: EvseState, turn: Turn, mode: Mode, latency_s: float | None, now: float) -> None:
    """Write down which lease is wanted on an EVSE, or that none is."""
    told_a, session, lease = turn.told_a.get(str(evse.key)), evse.session, evse.lease
    if mode is Mode.DYNAMIC and evse.ready and session is not None and evse.problem is not None:
        # It does not obey: it is told the least until it does.
        told_a = min(evse.config.min_a, evse.limit_a(now)) if evse.allowed else 0.0
    if told_a is None or session is None:
        evse.wanted_lease = None
        evse.wanted_clear = mode is Mode.STATIC and lease is not None and evse.ready
        return
    evse.wanted_clear = False
    remaining_s = lease.expires_at - now if lease is not None and lease.transaction_id == session.transaction_id else -math.inf
    too_long = remaining_s > turn.lease_s + RENEW_MIN_S
    if lease is not None and lease.limit_a == told_a and remaining_s > renew_s(turn.lease_s, latency_s) and not too_long:
        evse.wanted_lease = None
        return
    evse.wanted_lease = LeaseOrder(
        transaction_id=session.transaction_id,
        limit_a=told_a,
        length_s=turn.lease_s,
        cut=told_a < evse.limit_a(now) or too_long,
    )


def order_lasting(circuits: Mapping[str, CircuitState], evses: Sequence[EvseState], installers: Iterable[Installer], mode: Mode) -> None:
    """Write down which fallbacks and station ceilings are wanted; none where nothing is to be sent."""
    told = {} if mode is Mode.OFF else fallbacks(circuits, evses)
    for evse in evses:
        evse.wanted_fallback_a = told.get(str(evse.key))
    for installer in installers:
        if mode is Mode.OFF or not installer.evses:
            installer.wanted_station_a = None
            continue
        circuit = circuits[installer.evses[0].circuit_id].circuit
        installer.wanted_station_a = min(max(circuit.limit_a()), sum(evse.rated_a for evse in installer.evses))


def rotate(evses: Iterable[EvseState], turn: Turn, now: float) -> None:
    """Where a car waits, send the one that has charged longest to the end of the queue once its turn is over."""
    if not any(allocation.limit_a == 0 and turn.requests[key].max_a > 0 for key, allocation in turn.allocations.items()):
        return
    served = [
        (evse.session.since, evse)
        for evse in evses
        if evse.session is not None and turn.told_a.get(str(evse.key), 0.0) > 0 and now - evse.session.since > ROTATE_S
    ]
    if served:
        min(served, key=lambda each: (each[0], each[1].key))[1].requeue(now)


def sample_doubtful(circuits: Mapping[str, CircuitState], evses: Iterable[EvseState], mode: Mode, now: float) -> None:
    """Ask the cars that could explain what the meter saw, rather than wait for their next sample."""
    doubts = [state.unmanaged.doubtful_since for state in circuits.values() if state.unmanaged is not None]
    since = max((doubt for doubt in doubts if doubt is not None), default=None)
    if since is None:
        return
    for evse in evses:
        if controllable(evse, mode) and evse.measured_at <= since and now - evse.asked_at >= SAMPLE_EVERY_S:
            evse.asked_at = evse.sample_at = now


def limits_wanted(evses: Iterable[EvseState]) -> dict[EvseKey, tuple[float | None, float | None]]:
    """Return each EVSE's wanted lease and fallback: what a person would call the state of the decision."""
    return {
        evse.key: (
            evse.wanted_lease.limit_a if evse.wanted_lease is not None else evse.lease.limit_a if evse.lease is not None else None,
            evse.wanted_fallback_a,
        )
        for evse in evses
    }
