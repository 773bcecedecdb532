"""From what a turn decided to what the installers are to make true."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
import math

from ..engine.deadman import LEASE_MAX_S, RESPONSE_S
from ..engine.past import after, shortfalls_wh
from ..engine.plan import watts_per_a
from ..engine.stability import EPSILON_A
from .asking import ceilings_set
from .circuit import CircuitState
from .config import EvseKey, Mode
from .dead_man import bears, lowers_nothing, may_begin
from .evse import EvseState
from .installer import Installer
from .lapse import TRIAL_S
from .lasting import at_least_or_nothing, fallbacks
from .lateness import note
from .led import controllable, doubtful, led
from .limits import LeaseOrder
from .turn import Turn

RENEW_SHARE = 0.2
"""A lease is renewed when this share of it is left…"""
RENEW_LATENCIES = 3.0
"""…or so many acknowledgement times…"""
RENEW_MIN_S = 5.0
"""…but not later than this; and never before its half."""
SAMPLE_EVERY_S = 1.0
"""A car is asked what it draws at most this often."""
PAUSE_LASTS_S = 10.0
"""Once a person's pause has lasted so long it is written into the fallback of a car that charges: a switch that flaps is to wear no flash."""


def pause_lasts_s(evse: EvseState) -> float:
    """Return that time as its station's flash bears it: as long as a raise waits, for a switch that flaps slowly wears it as well."""
    return max(PAUSE_LASTS_S, evse.budget.pace().raise_every_s)


def renew_s(lease_s: float, latency_s: float | None) -> float:
    """Return how long before its end a lease is renewed; one that is to outlast the others before any of theirs could end after it."""
    outlasted_s = LEASE_MAX_S + RESPONSE_S if lease_s > LEASE_MAX_S else 0.0
    share_s = RENEW_SHARE * min(lease_s, LEASE_MAX_S)
    return min(lease_s / 2, outlasted_s + max(RENEW_MIN_S, RENEW_LATENCIES * (latency_s or 0.0), share_s))


def order_lease(evse: EvseState, turn: Turn, mode: Mode, latency_s: float | None, now: float) -> None:
    """Write down which lease is wanted on an EVSE, or that none is."""
    told_a, session, lease = None if mode.silent else turn.told_a.get(str(evse.key)), evse.session, evse.lease
    if mode is Mode.DYNAMIC and evse.ready and session is not None and evse.problem is not None:
        told_a = _in_doubt_a(evse, now)
    if told_a is None or session is None:
        evse.wanted_lease = None
        held = lease is not None or evse.recalled is not None or evse.unanswered_lease_a > 0 or evse.inherited_a > 0
        evse.wanted_clear = mode is Mode.STATIC and evse.ready and held
        return
    evse.wanted_clear = False
    lapses = evse.lapses and str(evse.key) in turn.leases.may_lapse
    if lapses and lease is not None and lease.limit_a <= told_a and lease.expires_at <= now + TRIAL_S:
        evse.wanted_lease = None
        return
    length_s = turn.leases.length_s(evse)
    if lapses:
        length_s = min(length_s, TRIAL_S)
    elif length_s > LEASE_MAX_S and not lowers_nothing(evse, told_a):
        length_s = turn.leases.lease_s  # in doubt it is told more than the turn came to
    remaining_s = lease.expires_at - now if lease is not None and lease.transaction_id == session.transaction_id else -math.inf
    too_long = not lowers_nothing(evse, told_a) and length_s + (0.0 if turn.leases.tight else RENEW_MIN_S) < remaining_s < math.inf
    one_phase = evse.phase_switch.tells_one(now)
    told = lease is not None and (lease.limit_a, lease.one_phase) == (told_a, one_phase)
    # What leads at its end is more than the fallback that is wanted by now.
    outdated = lease is not None and evse.wanted_fallback_a is not None and lease.falls_to_a > evse.wanted_fallback_a
    certain = told and not evse.unanswered_lease_a and not evse.resend and not outdated
    if certain and remaining_s > renew_s(length_s, latency_s) and not too_long:
        evse.wanted_lease = None
        return
    evse.wanted_lease = LeaseOrder(
        transaction_id=session.transaction_id,
        limit_a=told_a,
        length_s=length_s,
        urgent=told_a < evse.limit_a(now) or too_long or evse.resend or outdated,
        one_phase=one_phase,
    )


def _in_doubt_a(evse: EvseState, now: float) -> float:
    """Return what a car that does not obey is told until it does: the least it can charge with, where persons and others allow that.

    It raises nothing: so much holds already, or is reserved for what does not listen.
    """
    if not evse.allowed:
        return 0.0
    most_a = evse.reserved_a(now) if doubtful(evse) else evse.limit_a(now)
    set_a = min(evse.station_external_a(now)[0], *(limit_a for limit_a, _ in ceilings_set(evse, now)))
    return at_least_or_nothing(min(evse.config.min_a, most_a, set_a), evse.config.min_a)


def order_lasting(
    circuits: Mapping[str, CircuitState],
    evses: Sequence[EvseState],
    installers: Iterable[Installer],
    turn: Turn,
    mode: Mode,
    now: float,
) -> None:
    """Write down which fallbacks and station ceilings are wanted.

    Higher fallbacks wait until the leases that run bear them. A fallback has as many phases as the lease above it, so that the lease's
    end switches nothing under current. Where nothing is to be sent there is one thing yet: a fallback for one phase whose session is
    over is put back.
    """
    just_paused = {evse.key for evse in evses if now - evse.paused_at < pause_lasts_s(evse) and _pauses_by_lease(evse, mode)}
    if mode is Mode.STATIC:
        told = {key: share.limit_a for key, share in turn.allocations.items()}
    else:
        told = {} if mode.silent else fallbacks(circuits, evses, just_paused=just_paused)
    waiting = _waiting(circuits, evses, told, now) if mode is Mode.DYNAMIC else {}
    for evse in evses:
        evse.awaited_fallback_a = waiting.get(evse.key, 0.0)
        if evse.key in waiting and evse.fallback_a is not None:
            told[str(evse.key)] = evse.fallback_a
    for evse in evses:
        left = mode.silent and evse.session is None and evse.fallback_one_phase is not False
        evse.wanted_fallback_a = evse.fallback_a if left else told.get(str(evse.key))
        evse.wanted_one_phase = evse.phase_switch.tells_one(now)
    carried_a = {circuit_id: max(state.circuit.limit_a()) for circuit_id, state in circuits.items()}
    for installer in installers:
        installer.quiet = mode.silent
        if mode.silent or not (of_station := installer.evses):
            installer.wanted_station_a = None
            continue
        rated_a = sum([evse.rated_a for evse in of_station])
        # EVSEs on different conductors may each draw what the circuit carries.
        same = len(of_station) == 1 or len({evse.rated_phases for evse in of_station}) == 1
        installer.wanted_station_a = min(carried_a[of_station[0].circuit_id], rated_a) if same else rated_a


def _pauses_by_lease(evse: EvseState, mode: Mode) -> bool:
    """Tell whether its lease was there when a person paused it, and holds its car at nothing."""
    return led(evse, mode) and not evse.lapses and evse.session is not None and evse.session.since <= evse.paused_at


def _waiting(
    circuits: Mapping[str, CircuitState], evses: Sequence[EvseState], told_a: Mapping[str, float], now: float
) -> dict[EvseKey, float]:
    """Return which higher fallbacks wait until the leases that run bear them, and until their stations are there."""
    raised = {evse.key: limit_a for evse in evses if evse.fallback_a is not None and (limit_a := told_a[str(evse.key)]) > evse.fallback_a}
    if not raised:
        return {}
    here = {evse.key: raised[evse.key] for evse in evses if evse.key in raised and evse.ready}
    idle = {evse.key: raised[evse.key] for evse in evses if evse.key in here and may_begin(evse, now)}
    asked = [here] if len(idle) in (0, len(here)) else [here, idle]
    may_rise = next((each for each in asked if each and bears(circuits, evses, each, now)), {})
    return {key: limit_a for key, limit_a in raised.items() if key not in may_rise}


def remember(evses: Iterable[EvseState], turn: Turn, elapsed_s: float, now: float) -> None:
    """Write down what each session has now, and by how much it had less than the others in the time since the turn before.

    What counts is what it was offered: one that leaves that unused is owed nothing for it.
    """
    led: dict[str, EvseState] = {}
    for evse in evses:
        key = str(evse.key)
        note(evse, turn.told_a.get(key), now)
        evse.swinging, evse.held_steady = key in turn.leases.short, key in turn.steady
        if key in turn.requests:
            led[key] = evse
    wanting = {key for key, evse in led.items() if turn.requests[key].max_a >= turn.requests[key].min_a and not evse.sleeps(now)}
    offered_w = {key: led[key].past.limit_a * watts_per_a(turn.requests[key]) for key in wanting}
    shortfalls = shortfalls_wh(offered_w, elapsed_s)
    for key, evse in led.items():
        limit_a = min(turn.told_a[key], evse.limit_a(now))  # what was told only just may come to nothing yet
        refused = key in wanting and turn.allocations[key].limit_a <= 0  # a lease that lapsed is no pause
        past = evse.past
        if evse.session is not None and past.arrived_at != evse.session.since:
            past = replace(past, arrived_at=evse.session.since)
        evse.past = after(past, limit_a, refused=refused, short_wh=shortfalls.get(key, 0.0), now=now)
        roomy = turn.allocations[key].limit_a > evse.limit_a(now) + EPSILON_A
        evse.roomy_since = min(evse.roomy_since, now) if roomy else math.inf


def sample_doubtful(circuits: Mapping[str, CircuitState], evses: Iterable[EvseState], mode: Mode, now: float) -> None:
    """Ask the cars that could explain what the meter saw, rather than wait for their next sample."""
    doubts = [state.unmanaged.doubtful_since for state in circuits.values() if state.unmanaged is not None]
    since = max((doubt for doubt in doubts if doubt is not None), default=None)
    if since is None:
        return
    for evse in evses:
        unknown = evse.measured_at <= since or not evse.settled(now)  # one on its way says little
        if controllable(evse, mode) and unknown and now - evse.asked_at >= SAMPLE_EVERY_S:
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
