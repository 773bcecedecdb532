"""One turn of the control loop as plain functions: readings → headroom → requests → allocations → what to tell each car."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
import math

from ..demand_response.limits import ExternalLimits
from ..engine.circumstances import Limits, with_circumstances
from ..engine.deadman import LEASE_MAX_S
from ..engine.model import Allocation, Headroom, PerPhase, Reason, Request
from ..engine.share import share
from ..engine.stability import Holding, steady
from .asking import by_the_rules, request
from .circuit import CircuitState
from .config import GONE_CIRCUIT_ID, Mode, SiteConfig
from .evse import EvseState
from .fixed import fixed_shares
from .lasting import at_least_or_nothing
from .lateness import beside_late
from .leasing import Leases, leased
from .led import controllable, led
from .peak import PeakCeiling
from .peak_room import told_of_peak, under_peak
from .planning import Sharing
from .reason import reason_of
from .room import comes_to_light, headrooms, held_by, limit_a, path_ids
from .snapshot import MeterHealth
from .steadiness import Steadiness, covered, shortest_s, spares, steadied


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn came to, by EVSE id string."""

    headrooms: Sequence[Headroom]
    requests: Mapping[str, Request]
    allocations: Mapping[str, Allocation]
    """In static mode the fixed share of every EVSE."""
    reasons: Mapping[str, Reason]
    """One for every EVSE."""
    leases: Leases
    steady: Collection[str]
    """These EVSEs are held to what long leases allow."""
    sharing: Sharing
    """By which policy and plan it was shared."""
    limits_a: Mapping[str, PerPhase]
    """What each circuit is kept at or below now, limits from outside included."""

    @property
    def told_a(self) -> Mapping[str, float]:
        """The limit each controllable session is told now."""
        return self.leases.told_a


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
    sure = _sure(states, evses, now)
    told = steady(
        asked,
        allocations,
        {request_id: _holding(evse, now) for request_id, evse in sessions.items()},
        rows,
        now=now,
        may_raise={request_id for request_id, evse in sessions.items() if evse.circuit_id in sure and not evse.inherited_a},
    )
    told |= {str(evse.key): _held_a(evse, config, now) for evse in evses if controllable(evse, mode) and not led(evse, mode)}
    leases = leased(states, evses, sessions, told, now)
    lowest = {circuit_id: external.lowest(circuit_id, now, state.voltage_v(config)) for circuit_id, state in states.items()}
    limits_a = {circuit_id: limit_a(circuit, lowest[circuit_id]) for circuit_id, circuit in circuits.items()}
    outside = {circuit_id: whose for circuit_id, circuit in circuits.items() if (whose := held_by(circuit, lowest[circuit_id])) is not None}
    lost = {circuit_id for circuit_id, state in states.items() if state.health is MeterHealth.LOST}
    gone = {circuit_id for circuit_id in circuits if GONE_CIRCUIT_ID in path_ids(states, circuit_id)}
    limits = {
        circuit_id: Limits(
            limit_a=limits_a[circuit_id],
            unmanaged_a=state.unmanaged_a(),
            unmanaged_total_a=state.unmanaged_total_a(),
            limit_w=state.circuit.limit_w,
            voltage_v=state.voltage_v(config),
        )
        for circuit_id, state in states.items()
    }
    if mode is Mode.STATIC:
        allocations = fixed_shares(states, evses, lowest, config, now)
    else:
        allocations = with_circumstances(allocations, list(requests.values()), rows, limits, sharing.planned, now=now)
    if peak is not None and peak_left_a is not None:
        allocations = told_of_peak(allocations, root_id, peak, peak_left_a)
    return Turn(
        headrooms=rows,
        requests=requests,
        allocations=allocations,
        reasons={
            str(evse.key): reason_of(evse, mode, allocations.get(str(evse.key)), leases.told_a.get(str(evse.key)), lost, outside, gone, now)
            for evse in evses
        },
        leases=leases,
        steady=steadiness.steady,
        sharing=sharing,
        limits_a=limits_a,
    )


def _sure(states: Mapping[str, CircuitState], evses: Sequence[EvseState], now: float) -> set[str]:
    """Return the circuits on which limits may rise: what flows there, and on all above, is known of now."""
    by_evse = {evse.key: evse for evse in evses}
    unsure = {
        circuit_id for circuit_id, state in states.items() if state.health is MeterHealth.STALE or comes_to_light(state, by_evse, now)
    }
    return {circuit_id for circuit_id in states if not unsure & path_ids(states, circuit_id)}


def _holding(evse: EvseState, now: float) -> Holding:
    return Holding(
        # What is being sent is not sent again with another number before it is answered.
        limit_a=evse.limit_a(now) if evse.in_flight_a is None else evse.in_flight_a,
        reserved_a=evse.reserved_a(now),
        changed_at=now if evse.in_flight_a is not None else -math.inf if evse.just_proven else evse.changed_at,
        roomy_since=-math.inf if evse.just_proven else evse.roomy_since,
        pace=evse.budget.pace(),
    )


def _held_a(evse: EvseState, config: SiteConfig, now: float) -> float:
    """Return the limit that a car which exceeds it keeps being told: the one it has, or a lower one that somebody set."""
    return at_least_or_nothing(min(evse.limit_a(now), request(evse, config, now).max_a), evse.config.min_a)
