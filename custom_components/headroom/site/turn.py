"""One turn of the control loop as plain functions: readings → headroom → requests → allocations → what to tell each car."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
import math

from ..csms.values import UNKNOWN
from ..demand_response.limits import ExternalLimits, LowestLimits
from ..engine.allocate import allocate
from ..engine.circumstances import Limits, with_circumstances
from ..engine.deadman import Installed, fallback_room, lease_room, lease_s, sums, violations
from ..engine.model import LEAST_CURRENT_A, NONE_A, Allocation, Circuit, Headroom, Past, PerPhase, Phase, Reason, ReasonCode, Request
from ..engine.priority import LAST_TIER, prioritise
from ..engine.share import share
from ..engine.stability import Holding, steady
from ..engine.tree import path
from ..engine.unmanaged import Draw, estimate, highest, lowest, subtract, total
from .circuit import CircuitState
from .config import EvseKey, Mode, SiteConfig
from .evse import EvseState
from .evse_facts import Problem
from .planning import Sharing
from .snapshot import MeterHealth
from .standing import SOURCE


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
    sharing: Sharing
    """By which policy and plan it was shared."""
    limits_a: Mapping[str, PerPhase]
    """What each circuit is kept at or below now, limits from outside included."""


def path_ids(states: Mapping[str, CircuitState], circuit_id: str) -> set[str]:
    """Return the ids of a circuit and all above it."""
    return {circuit.circuit_id for circuit in path({each: state.circuit for each, state in states.items()}, circuit_id)}


def controllable(evse: EvseState, mode: Mode) -> bool:
    """Tell whether a lease on this EVSE would be heard and obeyed."""
    return mode is Mode.DYNAMIC and evse.ready and evse.session is not None and evse.problem is None


def led(evse: EvseState, mode: Mode) -> bool:
    """Tell whether an EVSE shares what is left: it can be told a limit, which leads, and its car was not seen above it."""
    return controllable(evse, mode) and not evse.exceeding and not evse.overruled


def doubtful(evse: EvseState) -> bool:
    """Tell whether an EVSE is to be reckoned with what it would draw if it heeds nothing at all."""
    return evse.uncontrolled or evse.problem is Problem.DISOBEDIENT


def lease_most_a(evse: EvseState) -> float:
    """Return the most that a lease may be told, whatever room there is.

    A limit that lasts is its fallback's share at most, for it is one, and so is a lease that nobody has seen to end.
    """
    if evse.unproven:
        return evse.unproven_most_a
    if evse.dialect.holds_leases or evse.wanted_fallback_a is None:
        return math.inf
    return evse.wanted_fallback_a


def read(states: Mapping[str, CircuitState], evses: Sequence[EvseState], config: SiteConfig, now: float) -> None:
    """Judge each meter, and reckon each metered circuit's load besides the cars from a reading that is new.

    An old reading against newer samples would take a car's change for the building's; so it is with a new reading, too, that a car
    counts as exceeding its limit.
    """
    suddenly: set[EvseKey] = set()
    if any(state.arrived_at is not None for state in states.values()) or not any(state.reading for state in states.values()):
        for evse in evses:
            before, evse.exceeding = evse.exceeding, evse.exceeds(now)
            if evse.exceeding and not before:
                suddenly.add(evse.key)
    for circuit_id, state in states.items():
        state.judge(config, now)
        if state.reading is None or state.arrived_at is None or state.health in (MeterHealth.NONE, MeterHealth.LOST):
            continue
        below = [evse for evse in evses if circuit_id in path_ids(states, evse.circuit_id)]
        if any(evse.key in suddenly for evse in below):
            state.unmanaged = None  # what its car drew beyond its limit was put down to the building
        state.unmanaged = estimate(
            state.reading.current_a, state.reading.taken_at, (draw for evse in below if (draw := _draw(evse, now))), state.unmanaged
        )


def _draw(evse: EvseState, now: float) -> Draw | None:
    first = evse.first_lease
    if evse.session is None and evse.ready and evse.heard and (first is None or first.remote_start_id is None):
        # One of before a restart counts as idle, or a building that was not known yet would be put down to it.
        return None
    reserved_a = evse.per_phase(evse.reserved_a(now))
    if evse.session is None or not evse.ready or evse.current_a == UNKNOWN:
        return Draw(low_a=NONE_A, high_a=reserved_a, reserved_a=reserved_a, measured_at=None)
    measured_a = evse.measured_per_phase()
    if not evse.config.rotation_known and evse.draws_unevenly:
        # Which conductors it loads nobody knows: any may be free of it.
        return Draw(low_a=NONE_A, high_a=highest(measured_a, reserved_a), reserved_a=reserved_a, measured_at=evse.measured_at)
    if evse.settled(now) or evse.exceeding:
        return Draw(low_a=measured_a, high_a=measured_a, reserved_a=reserved_a, measured_at=evse.measured_at)
    bound_a = evse.per_phase(evse.limit_a(now))
    return Draw(
        low_a=lowest(measured_a, bound_a), high_a=highest(measured_a, reserved_a), reserved_a=reserved_a, measured_at=evse.measured_at
    )


def limit_a(circuit: Circuit, outside: LowestLimits) -> PerPhase:
    """Return what a circuit is kept at or below on each phase: its own limit, or a lower one from outside."""
    if outside.per_phase is None:
        return circuit.limit_a()
    l1, l2, l3 = (min(limit, outside.per_phase.limit_a) for limit in circuit.limit_a())
    return (l1, l2, l3)


def headrooms(
    states: Mapping[str, CircuitState], evses: Iterable[EvseState], external: ExternalLimits, config: SiteConfig, mode: Mode, now: float
) -> list[Headroom]:
    """Return what is left on each circuit for the cars that obey; what the others may draw is taken off."""
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    reserved = sums(circuits, ((evse.circuit_id, evse.per_phase(evse.reserved_a(now))) for evse in evses if not led(evse, mode)))
    rows = []
    for circuit_id, state in states.items():
        circuit, unmanaged_a = state.circuit, state.unmanaged_a()
        outside = external.lowest(circuit_id, now, config.voltage_v)
        left = (
            min(limit - load, room) for limit, load, room in zip(limit_a(circuit, outside), unmanaged_a, lease_room(circuit), strict=True)
        )
        l1, l2, l3 = subtract((next(left), next(left), next(left)), reserved[circuit_id])
        ceilings = [
            *([] if circuit.limit_w is None else [circuit.limit_w / config.voltage_v]),
            *([] if outside.phase_sum is None else [outside.phase_sum.limit_a]),
        ]
        sum_a = min(ceilings) - sum(unmanaged_a) - sum(reserved[circuit_id]) if ceilings else None
        rows.append(Headroom(circuit_id=circuit_id, parent_id=circuit.parent_id, available_a=(l1, l2, l3), sum_a=sum_a))
    return [*rows, *_station_rows(evses, mode, now)]


def station_row(identity: str) -> str:
    """Return the id of the row of headroom that a limit on a whole station makes."""
    return f"station {identity}"


def _station_rows(evses: Iterable[EvseState], mode: Mode, now: float) -> Iterable[Headroom]:
    """Yield what is left of each limit that somebody else set on a whole station, for its EVSEs together."""
    limited: dict[str, list[EvseState]] = {}
    for evse in evses:
        if evse.station_external_a(now)[0] < math.inf:
            limited.setdefault(evse.key.station, []).append(evse)
    for identity, of_station in limited.items():
        limit_a, _ = of_station[0].station_external_a(now)
        taken = total(evse.per_phase(evse.reserved_a(now)) for evse in of_station if not led(evse, mode))
        left = subtract((limit_a, limit_a, limit_a), taken)
        yield Headroom(circuit_id=station_row(identity), parent_id=of_station[0].circuit_id, available_a=left)


def request(evse: EvseState, config: SiteConfig, now: float) -> Request:
    """Return what an EVSE's session asks for: the lowest of its own ceilings, and the conductors its car loads."""
    # A car that is offered nothing can't show what it would take.
    offered = evse.limit_a(now) >= evse.config.min_a
    ceilings = [
        (0.0 if not evse.allowed else math.inf, ReasonCode.PAUSED),
        (evse.rated_a, ReasonCode.STATION),
        (evse.user_max_a, ReasonCode.USER),
        (math.inf if evse.profile is None else evse.profile.limit_a(now), ReasonCode.USER),
        (evse.standing_a(now), ReasonCode.USER),
        (evse.external_a(now)[0], ReasonCode.EXTERNAL),
        (lease_most_a(evse), ReasonCode.FALLBACK),
        (_needed_a(evse), ReasonCode.CAR),
        (evse.demand.ceiling_a if evse.demand.ceiling_a is not None and offered else math.inf, ReasonCode.CAR),
    ]
    max_a, ceiling = min(ceilings, key=lambda each: each[0])
    idle = ceiling is ReasonCode.CAR and max_a <= LEAST_CURRENT_A and evse.sleeps(now)
    return Request(
        request_id=str(evse.key),
        circuit_id=station_row(evse.key.station) if evse.station_external_a(now)[0] < math.inf else evse.circuit_id,
        phases=evse.grid_phases(),
        max_a=max_a,
        ceiling=ceiling,
        min_a=max(evse.config.min_a, evse.standing_least_a),
        tier=LAST_TIER if idle else 0,
        queue_key=evse.session.queued_at if evse.session is not None else 0.0,
        voltage_v=config.voltage_v,
        pausable=evse.needed.pausable,
        need=evse.needed.need,
        past=_past(evse, idle=idle),
    )


def _past(evse: EvseState, *, idle: bool) -> Past:
    """Return what an EVSE's session has had; one that takes nothing of what it is offered can't be paused, and is not held."""
    arrived_at = 0.0 if evse.session is None else evse.session.since
    return replace(evse.past, arrived_at=arrived_at, limit_a=0.0 if idle else evse.past.limit_a)


def _needed_a(evse: EvseState) -> float:
    """Return the most a car said it can take; infinite where it did not, or said what can't be."""
    needs = None if evse.session is None else evse.session.needs
    if needs is None or needs.most_a is None or not needs.phases or needs.most_a < evse.config.min_a:
        return math.inf
    return needs.most_a


def decide(
    states: Mapping[str, CircuitState],
    evses: Sequence[EvseState],
    external: ExternalLimits,
    config: SiteConfig,
    mode: Mode,
    sharing: Sharing,
    now: float,
) -> Turn:
    """Return what every car should have and is told now. The states are read, not changed."""
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    rows = headrooms(states, evses, external, config, mode, now)
    sessions = {str(evse.key): evse for evse in evses if led(evse, mode)}
    requests = _by_the_rules((request(evse, config, now) for evse in sessions.values()), config, now)
    allocations = share(rows, list(requests.values()), sharing.policy, sharing.planned, now=now)
    unsure = {circuit_id for circuit_id, state in states.items() if state.health is MeterHealth.STALE}
    told = steady(
        list(requests.values()),
        allocations,
        {
            request_id: Holding(
                # What is being sent is not sent again with another number before it is answered.
                limit_a=evse.limit_a(now) if evse.in_flight_a is None else evse.in_flight_a,
                reserved_a=evse.reserved_a(now),
                changed_at=now if evse.in_flight_a is not None else -math.inf if evse.just_proven else evse.changed_at,
                roomy_since=-math.inf if evse.just_proven else evse.roomy_since,
            )
            for request_id, evse in sessions.items()
        },
        rows,
        now=now,
        may_raise={request_id for request_id, evse in sessions.items() if not unsure & path_ids(states, evse.circuit_id)},
    )
    told |= {str(evse.key): _held_a(evse, config, now) for evse in evses if controllable(evse, mode) and not led(evse, mode)}
    # The others' leases are short enough for what one in doubt really draws.
    holding = [installed(evse, now, evse.peak_a if doubtful(evse) else told.get(str(evse.key))) for evse in evses]
    length_s = min(lease_s(circuits, [*holding, *arrival]) for arrival in [[], *([each] for each in _arrivals(evses))])
    limits_a = {
        circuit_id: limit_a(circuit, external.lowest(circuit_id, now, config.voltage_v)) for circuit_id, circuit in circuits.items()
    }
    outside = {
        circuit_id
        for circuit_id, circuit in circuits.items()
        if limits_a[circuit_id] != circuit.limit_a() or external.lowest(circuit_id, now, config.voltage_v).phase_sum is not None
    }
    lost = {circuit_id for circuit_id, state in states.items() if state.health is MeterHealth.LOST}
    limits = {
        circuit_id: Limits(
            limit_a=limits_a[circuit_id], unmanaged_a=state.unmanaged_a(), limit_w=state.circuit.limit_w, voltage_v=config.voltage_v
        )
        for circuit_id, state in states.items()
    }
    allocations = with_circumstances(allocations, list(requests.values()), rows, limits, sharing.planned, now=now)
    return Turn(
        headrooms=rows,
        requests=requests,
        allocations=allocations,
        told_a=told,
        reasons={
            str(evse.key): _reason(evse, mode, allocations.get(str(evse.key)), told.get(str(evse.key)), lost, outside, now)
            for evse in evses
        },
        lease_s=length_s,
        sharing=sharing,
        limits_a=limits_a,
    )


def _by_the_rules(requests: Iterable[Request], config: SiteConfig, now: float) -> dict[str, Request]:
    """Return the requests by their ids, with what the site's rules give them."""
    asked = list(requests)
    powers_w = {each.request_id: each.max_a * len(each.phases) * each.voltage_v for each in asked}
    return {each.request_id: each for each in prioritise(asked, config.rules, powers_w, now=now)}


def _held_a(evse: EvseState, config: SiteConfig, now: float) -> float:
    """Return the limit that a car which exceeds it keeps being told: the one it has, or a lower one that somebody set."""
    return _at_least_or_nothing(min(evse.limit_a(now), request(evse, config, now).max_a), evse.config.min_a)


def _reason(
    evse: EvseState, mode: Mode, allocation: Allocation | None, told_a: float | None, lost: set[str], outside: set[str], now: float
) -> Reason:
    if mode is Mode.OFF:
        return Reason(code=ReasonCode.UNMANAGED)
    if not evse.ready:
        return Reason(code=ReasonCode.OFFLINE)
    if evse.problem is not None:
        return Reason(code=ReasonCode.DISOBEDIENT if evse.problem is Problem.DISOBEDIENT else ReasonCode.FALLBACK)
    if not evse.allowed:
        return Reason(code=ReasonCode.PAUSED)
    if evse.exceeding:
        return Reason(code=ReasonCode.DISOBEDIENT)
    if evse.session is None:
        return Reason(code=ReasonCode.OTHER_SYSTEM if evse.keeps_foreign else ReasonCode.NOT_CHARGING)
    if evse.overruled:
        return Reason(code=ReasonCode.OTHER_SYSTEM)
    if mode is Mode.STATIC:
        return Reason(code=ReasonCode.STATIC)
    if allocation is None or told_a is None:
        return Reason(code=ReasonCode.FALLBACK)
    reason = allocation.reason
    if reason.circuit_id == station_row(evse.key.station):
        _, source = evse.station_external_a(now)
        return Reason(code=ReasonCode.USER) if source == SOURCE else Reason(code=ReasonCode.EXTERNAL, source=source)
    if reason.code is ReasonCode.EXTERNAL:
        return Reason(code=ReasonCode.EXTERNAL, source=evse.external_a(now)[1])
    if reason.code is not ReasonCode.RESTING and reason.circuit_id in lost:
        return Reason(code=ReasonCode.METER_LOST, circuit_id=reason.circuit_id)
    if reason.code in (ReasonCode.CIRCUIT, ReasonCode.WAITING, ReasonCode.POSTPONED) and reason.circuit_id in outside:
        return replace(reason, code=ReasonCode.EXTERNAL)
    if told_a < allocation.limit_a:
        return replace(reason, code=ReasonCode.RAMP, rises_to_a=allocation.limit_a)
    return reason


def installed(evse: EvseState, now: float, told_a: float | None = None) -> Installed:
    """Return what an EVSE holds without us, or would once it is told `told_a`."""
    return Installed(
        circuit_id=evse.circuit_id,
        fallback_a=evse.rated_per_phase(evse.lasting_a),
        lease_a=evse.per_phase(max(told_a or 0.0, evse.installed_a(now)) if evse.session is not None or not evse.ready else evse.first_a),
    )


def dead_man_violations(states: Mapping[str, CircuitState], evses: Iterable[EvseState], now: float) -> int:
    """Return on how many circuits and phases the dead-man rule does not hold, from what is installed."""
    evses = list(evses)
    ends = [lease.expires_at for evse in evses for lease in (evse.lease, evse.former) if lease is not None and not lease.lasts]
    ends += [evse.first_lease.expires_at for evse in evses if evse.first_lease is not None]
    remaining_s = max((ends_at - now for ends_at in ends), default=0.0)
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    return len(violations(circuits, [installed(evse, now) for evse in evses], max(0.0, remaining_s)))


def _arrivals(evses: Iterable[EvseState]) -> list[Installed]:
    """Return what one more car would draw at an idle EVSE of each kind: leases are short enough for whichever comes next."""
    most: dict[tuple[str, tuple[Phase, ...]], EvseState] = {}
    for evse in evses:
        if evse.ready and evse.session is None:
            kind = (evse.circuit_id, evse.rated_phases)
            most[kind] = max(evse, most.get(kind, evse), key=lambda each: each.fallback_a or 0.0)
    return [
        Installed(circuit_id=evse.circuit_id, fallback_a=NONE_A, lease_a=evse.rated_per_phase(evse.fallback_a or 0.0))
        for evse in most.values()
    ]


def fallbacks(states: Mapping[str, CircuitState], evses: Sequence[EvseState]) -> dict[str, float]:
    """Return the fallback to tell each EVSE now: the fixed shares of what is left when the building draws its worst.

    Every EVSE counts on all its conductors, a car or not, and keeps its share whatever a person sets: it is written rarely.
    Raises wait until the others' cuts are confirmed. An EVSE in doubt keeps what it has, and the others give way to its rating.
    """
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    led, doubted = [evse for evse in evses if not doubtful(evse)], [evse for evse in evses if doubtful(evse)]
    taken = sums(circuits, ((evse.circuit_id, evse.rated_per_phase(evse.rated_a)) for evse in doubted))
    rows = [
        Headroom(
            circuit_id=circuit_id,
            parent_id=state.circuit.parent_id,
            available_a=_not_negative(subtract(fallback_room(state.circuit), taken[circuit_id])),
        )
        for circuit_id, state in states.items()
    ]
    requests = [
        Request(
            request_id=str(evse.key),
            circuit_id=evse.circuit_id,
            phases=evse.rated_phases,
            max_a=evse.rated_a,
            min_a=evse.config.min_a,
        )
        for evse in led
    ]
    holdings = {str(evse.key): Holding(limit_a=held_a, reserved_a=held_a) for evse in led for held_a in (evse.lasting_a,)}
    ids = {each.request_id for each in requests}
    shares = steady(requests, allocate(rows, requests), holdings, rows, now=0.0, may_raise=ids)
    shares |= {str(evse.key): evse.fallback_a or 0.0 for evse in doubted}
    return {
        str(evse.key): _at_least_or_nothing(min(shares[str(evse.key)], evse.user_max_a), evse.config.min_a) if evse.allowed else 0.0
        for evse in evses
    }


def _at_least_or_nothing(limit_a: float, min_a: float) -> float:
    return limit_a if limit_a >= min_a else 0.0


def _not_negative(values: PerPhase) -> PerPhase:
    return (max(0.0, values[0]), max(0.0, values[1]), max(0.0, values[2]))
