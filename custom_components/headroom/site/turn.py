"""One turn of the control loop as plain functions: readings → headroom → requests → allocations → what to tell each car."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
import math

from ..demand_response.limits import ExternalLimits
from ..engine.circumstances import Limits, with_circumstances
from ..engine.deadman import LEASE_MAX_S, LOW_LEASE_S, Installed, blind_s, lease_s
from ..engine.model import Allocation, Headroom, PerPhase, Reason, Request
from ..engine.share import share
from ..engine.stability import Holding, steady
from .asking import by_the_rules, request
from .circuit import CircuitState
from .config import Mode, SiteConfig
from .dead_man import arrivals_a, ends_early, installed, lowers_nothing, worse
from .evse import EvseState
from .holdings import IDLE_AWAY_S
from .lapse import TRIAL_S
from .lasting import at_least_or_nothing
from .lateness import beside_late
from .led import controllable, doubtful, led
from .peak import PeakCeiling
from .peak_room import told_of_peak, under_peak
from .planning import Sharing
from .reason import reason_of
from .room import comes_to_light, headrooms, held_by, limit_a, path_ids
from .snapshot import MeterHealth
from .steadiness import Steadiness, covered, lengths_s, outlasting, shortened, shortest_s, spares, steadied


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn came to, by EVSE id string."""

    headrooms: Sequence[Headroom]
    requests: Mapping[str, Request]
    allocations: Mapping[str, Allocation]
    told_a: Mapping[str, float]
    """The limit each controllable session is told now."""
    reasons: Mapping[str, Reason]
    """One for every EVSE."""
    lease_s: float
    """How long leases run…"""
    longer_s: Mapping[str, float]
    """…but those of these EVSEs."""
    short: Collection[str]
    """These EVSEs' leases end early for the others' to be long…"""
    steady: Collection[str]
    """…and these are held to what long leases allow."""
    tight: bool
    """Somebody's raise waits for the others' leases to be as short as that."""
    may_lapse: Collection[str]
    """These EVSEs may let a lease lapse whose end is to be seen: the others' have made way for it."""
    sharing: Sharing
    """By which policy and plan it was shared."""
    limits_a: Mapping[str, PerPhase]
    """What each circuit is kept at or below now, limits from outside included."""
    blind_s: Mapping[str, float]
    """So long each circuit's breaker bears that nobody measures it."""

    def length_s(self, evse: EvseState) -> float:
        """Return how long a lease of an EVSE runs."""
        return self.longer_s.get(str(evse.key), self.lease_s)


def decide(
    states: Mapping[str, CircuitState],
    evses: Sequence[EvseState],
    external: ExternalLimits,
    config: SiteConfig,
    mode: Mode,
    sharing: Sharing,
    now: float,
    peak: PeakCeiling | None = None,
) -> Turn:
    """Return what every car should have and is told now. The states are read, not changed."""
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    root_id = config.root.circuit_id

    def shared_rows(least_s: float) -> tuple[list[Headroom], float | None]:
        return under_peak(headrooms(states, evses, external, config, mode, now, least_s), root_id, peak, evses, mode, now)

    def shared(left: Sequence[Headroom], among: Sequence[Request]) -> Mapping[str, Allocation]:
        return share(left, list(among), sharing.policy, sharing.planned, now=now)

    rows, peak_left_a = shared_rows(shortest_s(evses))
    sessions = {str(evse.key): evse for evse in evses if led(evse, mode)}
    requests = by_the_rules((request(evse, config, now) for evse in sessions.values()), config, now)
    steadiness, shares = Steadiness(requests=requests), shared(rows, list(requests.values()))
    if spares(sessions.values()) and (steady_rows := shared_rows(LEASE_MAX_S)[0]) != rows:
        if not covered(circuits, requests, shares, steady_rows, sessions):
            steadiness = steadied(requests, shared(steady_rows, list(requests.values())), sessions)
            shares = steadiness.with_reasons(shared(rows, list(steadiness.requests.values())))
    asked = list(steadiness.requests.values())
    allocations = beside_late(shares, asked, rows, circuits, sessions, shared, now)
    by_evse = {evse.key: evse for evse in evses}
    unsure = {
        circuit_id for circuit_id, state in states.items() if state.health is MeterHealth.STALE or comes_to_light(state, by_evse, now)
    }
    sure = {circuit_id for circuit_id in states if not unsure & path_ids(states, circuit_id)}
    told = steady(
        asked,
        allocations,
        {
            request_id: Holding(
                # What is being sent is not sent again with another number before it is answered.
                limit_a=evse.limit_a(now) if evse.in_flight_a is None else evse.in_flight_a,
                reserved_a=evse.reserved_a(now),
                changed_at=now if evse.in_flight_a is not None else -math.inf if evse.just_proven else evse.changed_at,
                roomy_since=-math.inf if evse.just_proven else evse.roomy_since,
                pace=evse.budget.pace(),
            )
            for request_id, evse in sessions.items()
        },
        rows,
        now=now,
        may_raise={request_id for request_id, evse in sessions.items() if evse.circuit_id in sure and not evse.inherited_a},
    )
    told |= {str(evse.key): _held_a(evse, config, now) for evse in evses if controllable(evse, mode) and not led(evse, mode)}
    by_key = {str(evse.key): evse for evse in evses}
    low = {key for key, evse in by_key.items() if key in told and lowers_nothing(evse, told[key])}
    early = {key for key, evse in by_key.items() if key in told and ends_early(evse, told[key])}

    def holds(key: str, *, ends_soon: bool) -> Installed:
        evse = by_key[key]
        told_a = evse.peak_a if doubtful(evse) else told.get(key)  # what one in doubt really draws
        # The others' leases are short enough before the rule counts what may have begun where a station is away.
        return installed(evse, now, told_a, 0.0 if ends_soon else math.inf, arrival_s=IDLE_AWAY_S)

    holding = {key: holds(key, ends_soon=key in early) for key in by_key}
    arriving_a = arrivals_a(circuits, evses, now)
    above_fallback = {key: sessions[key] for key in told if key in sessions and key not in low | early}
    short = shortened(circuits, holding, arriving_a, above_fallback, early)
    holding |= {key: holds(key, ends_soon=True) for key in short - early}
    length_s = lease_s(circuits, holding.values(), arriving_a=arriving_a)
    longer_s = dict(lengths_s(circuits, holding, arriving_a, short, length_s))
    low_a = {key: by_key[key].per_phase(told[key]) for key in low}
    longer_s |= dict.fromkeys(outlasting(circuits, holding, arriving_a, low_a), LOW_LEASE_S)
    raised = {key: told[key] for key, evse in sessions.items() if told[key] > evse.limit_a(now) and evse.in_flight_a is None}
    # Whoever is told a shorter lease beside them falls back sooner, which may be to more than it has now.
    ends_s = {key: longer_s.get(key, length_s) for key in sessions}
    shorter = {
        key: told[key] for key, evse in sessions.items() if evse.lease is not None and ends_s[key] < evse.lease.expires_at - now < math.inf
    }
    tight = bool(raised) and worse(states, evses, now, shorter | raised, ends_s)
    if tight:
        told |= {key: sessions[key].limit_a(now) for key in raised}  # once the others' leases are short enough for it
        longer_s |= {key: LOW_LEASE_S for key in raised if lowers_nothing(sessions[key], told[key])}
    if shorter:
        # Nobody's lease is made longer before those are shorter that it rests on: their stations may be silent.
        left_s = {key: evse.lease.expires_at - now for key, evse in sessions.items() if evse.lease is not None and key not in low}
        later = {key: told[key] for key, of_lease_s in left_s.items() if of_lease_s < longer_s.get(key, 0.0)}
        if later and worse(states, evses, now, later, longer_s):
            longer_s |= {key: max(length_s, left_s[key]) for key in later}
    may_lapse = {key for key in early if by_key[key].lapses and not worse(states, evses, now, {key: told[key]}, {key: TRIAL_S})}
    lowest = {circuit_id: external.lowest(circuit_id, now, config.voltage_v) for circuit_id in circuits}
    limits_a = {circuit_id: limit_a(circuit, lowest[circuit_id]) for circuit_id, circuit in circuits.items()}
    outside = {circuit_id: whose for circuit_id, circuit in circuits.items() if (whose := held_by(circuit, lowest[circuit_id])) is not None}
    lost = {circuit_id for circuit_id, state in states.items() if state.health is MeterHealth.LOST}
    limits = {
        circuit_id: Limits(
            limit_a=limits_a[circuit_id],
            unmanaged_a=state.unmanaged_a(),
            unmanaged_total_a=state.unmanaged_total_a(),
            limit_w=state.circuit.limit_w,
            voltage_v=config.voltage_v,
        )
        for circuit_id, state in states.items()
    }
    allocations = with_circumstances(allocations, list(requests.values()), rows, limits, sharing.planned, now=now)
    if peak is not None and peak_left_a is not None:
        allocations = told_of_peak(allocations, root_id, peak, peak_left_a)
    return Turn(
        headrooms=rows,
        requests=requests,
        allocations=allocations,
        told_a=told,
        reasons={
            str(evse.key): reason_of(evse, mode, allocations.get(str(evse.key)), told.get(str(evse.key)), lost, outside, now)
            for evse in evses
        },
        lease_s=length_s,
        longer_s=longer_s,
        short=short,
        steady=steadiness.steady,
        tight=tight,
        may_lapse=may_lapse,
        sharing=sharing,
        limits_a=limits_a,
        blind_s=blind_s(circuits, holding.values()),
    )


def _held_a(evse: EvseState, config: SiteConfig, now: float) -> float:
    """Return the limit that a car which exceeds it keeps being told: the one it has, or a lower one that somebody set."""
    return at_least_or_nothing(min(evse.limit_a(now), request(evse, config, now).max_a), evse.config.min_a)
