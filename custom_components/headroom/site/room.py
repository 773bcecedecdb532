"""What is left for charging: each circuit's load besides the cars, and the rows of headroom that the allocator shares."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import math

from ..csms.values import UNKNOWN
from ..demand_response.limits import ExternalLimits, LowestLimits
from ..engine.deadman import LEASE_MIN_S, lease_room, sums
from ..engine.model import NONE_A, Circuit, Headroom, Imbalance, PerPhase
from ..engine.tree import path
from ..engine.unmanaged import SAME_A, Draw, add, estimate, highest, lowest, subtract, total
from ..engine.urgency import Urgency
from ..metering.agreement import Shown
from .circuit import CircuitState
from .config import EvseKey, Mode, SiteConfig
from .dead_man import arrivals_a, rises_a, unheard_a
from .evse import EvseState
from .evse_facts import UNSEEN_S
from .led import led
from .snapshot import MeterHealth
from .spread import as_measured, certain, flowing, reckoned
from .strain import SLOW_S
from .voltage import of_cars

BORNE_A = 0.3
"""What cars that obey draw above their limits, all on a conductor together, is made way for from here on; below it is the meters' rounding."""


def path_ids(states: Mapping[str, CircuitState], circuit_id: str) -> set[str]:
    """Return the ids of a circuit and all above it."""
    return {circuit.circuit_id for circuit in path(_circuits(states), circuit_id)}


def read(states: Mapping[str, CircuitState], evses: Sequence[EvseState], config: SiteConfig, now: float) -> None:
    """Judge each meter, and reckon each metered circuit's load besides the cars from a reading that is new.

    An old reading against newer samples would take a car's change for the building's; so it is with a new reading, too, that a car
    counts as exceeding its limit, where there is a meter that is believed.
    """
    suddenly: set[EvseKey] = set()
    if any(state.arrived_at is not None for state in states.values()) or not any(state.believed for state in states.values()):
        for evse in evses:
            before, evse.exceeding = evse.exceeding, evse.exceeds(now)
            if evse.exceeding and not before:
                suddenly.add(evse.key)
    below: Mapping[str, Sequence[EvseState]] = {}
    if any(state.arrived_at is not None or state.reckon_anew for state in states.values()):
        below = _below(states, evses)
        _hold_against_parts(states, below, config, now)
    for circuit_id, state in states.items():
        state.judge(config, now)
        new = state.arrived_at is not None or state.reckon_anew
        if state.reading is None or not new or state.health in (MeterHealth.NONE, MeterHealth.LOST):
            continue
        rests = state.renewal.rests
        if state.reckon_anew or (not any(rests) and any(evse.key in suddenly for evse in below[circuit_id])):
            state.unmanaged = None  # what its car drew beyond its limit, or elsewhere, was put down to the building
        if state.reckon_anew:
            state.forget_worst()
            state.credibility.forget_short()
        state.reckon_anew = False
        draws = {evse.key: draw for evse in below[circuit_id] if (draw := _draw(evse, now))}
        state.unseen_a = {key: max(draw.high_a) for key, draw in draws.items() if draw.measured_at is None}
        if state.reading.spread:
            state.unmanaged = reckoned(state.reading, draws.values(), state.unmanaged, state.circuit, config.voltage_v, rests)
            fed_in_a = None if state.credibility.feeds_in else state.given_a
            state.certain = certain(state.reading, draws.values(), fed_in_a, config.voltage_v)
            state.reading = flowing(state.reading, [*draws.values()], state.unmanaged)
            continue
        state.certain = None
        reading, limit_a = state.reading, state.circuit.limit_a()
        seen = estimate(reading.current_a, reading.taken_at, draws.values(), state.unmanaged, limit_a, rests)
        state.unmanaged = state.credibility.believed(seen, state.unmanaged, state.given_a)
    _hold_voltages(states, evses, config)
    may_draw = sums(_circuits(states), ((evse.circuit_id, evse.per_phase(evse.reserved_a(now))) for evse in evses))
    # Where a car is on its way from one limit to another, what the meter sees may be its doing, and the next step's as well.
    slow = [
        evse.circuit_id
        for evse in evses
        if evse.session is not None and (evse.exceeding or evse.follows_s > SLOW_S or not evse.settled(now))
    ]
    above_slow = {circuit_id for each in set(slow) for circuit_id in path_ids(states, each)}
    for circuit_id, state in states.items():
        cars_a, waits = may_draw[circuit_id], circuit_id not in above_slow
        state.strain.take(state.circuit, state.believed, state.unmanaged_a(), cars_a, state.least_a, waits=waits, now=now)


def learn_worst(states: Mapping[str, CircuitState], evses: Iterable[EvseState], now: float, posix_s: float) -> bool:
    """Take over what buildings are seen to draw above their worst case; returns whether one of these is another one now."""
    unmeasured = sums(
        _circuits(states),
        (
            (evse.circuit_id, evse.per_phase(max(0.0, evse.rated_a - evse.reserved_a(now))))
            for evse in evses
            if not evse.ready or evse.somewhere
        ),
    )
    learnt = [state.learn_worst(unmeasured[circuit_id], now, posix_s) for circuit_id, state in states.items()]
    return any(learnt)


def comes_to_light(state: CircuitState, evses: Mapping[EvseKey, EvseState], now: float) -> bool:
    """Tell whether more of the building may come to light: what hid in what was reserved for cars that nobody had measured.

    That is so after a start until what all draw is known, for as long as that may take; where less is reserved for such a car than
    when the building was reckoned last, until the next reading; and where a value that is kept left a doubt, until the next one.
    """
    if state.unmanaged is None:
        return False
    if any(state.renewal.rests) and state.unmanaged.doubtful_since is not None:
        return True
    hides_since = state.unmanaged.hides_since
    return (hides_since is not None and now - hides_since < UNSEEN_S) or any(
        key not in evses or max(evses[key].per_phase(evses[key].reserved_a(now))) < most_a - SAME_A
        for key, most_a in state.unseen_a.items()
    )


def _below(states: Mapping[str, CircuitState], evses: Iterable[EvseState]) -> dict[str, list[EvseState]]:
    """Return the EVSEs on each circuit and below it."""
    circuits, below = _circuits(states), {circuit_id: list[EvseState]() for circuit_id in states}
    paths = {circuit_id: path(circuits, circuit_id) for circuit_id in circuits}
    for evse in evses:
        for circuit in paths[evse.circuit_id]:
            below[circuit.circuit_id].append(evse)
    return below


def _hold_against_parts(
    states: Mapping[str, CircuitState], below: Mapping[str, Sequence[EvseState]], config: SiteConfig, now: float
) -> None:
    """Hold each new reading against what its parts show: the cars on no other meter below, and the meters next below."""
    circuits = _circuits(states)
    # The meters on each circuit's way up, its own first.
    meters = {each: [circuit.circuit_id for circuit in path(circuits, each) if circuit.metered] for each in circuits}
    parts: dict[str, list[str]] = {}
    for circuit_id, way in meters.items():
        if circuits[circuit_id].metered and len(way) > 1:
            parts.setdefault(way[1], []).append(circuit_id)
    for circuit_id, state in states.items():
        if state.reading is not None and state.arrived_at is not None:
            state.renewal.compare(below[circuit_id], state.reading.taken_at)
            if any(state.renewal.rests):
                continue  # what it told before says nothing of cars that have changed since
            cars = [evse for evse in below[circuit_id] if meters[evse.circuit_id][:1] == [circuit_id]]
            shown = [
                Shown(key=part, current_a=reading.current_a, taken_at=reading.taken_at, feeds_in=states[part].may_feed_in)
                for part in parts.get(circuit_id, ())
                if (reading := states[part].believed) is not None and not reading.spread
            ]
            told = as_measured(state.reading, config.voltage_v) if state.reading.spread else state.reading
            state.credibility.take(told, below[circuit_id], cars, shown, state.given_a, state.resources_a, config.voltage_v, now)


def _hold_voltages(states: Mapping[str, CircuitState], evses: Iterable[EvseState], config: SiteConfig) -> None:
    cars_v, circuits = of_cars(evses, config.voltage_v), _circuits(states)
    metered_v = {
        circuit_id: metered_v
        for circuit_id, state in states.items()
        if state.believed is not None and (metered_v := state.voltage.metered_v) is not None
    }
    for circuit_id, state in states.items():
        above_v = [metered_v[each.circuit_id] for each in path(circuits, circuit_id) if each.circuit_id in metered_v]
        state.voltage.hold(state.believed, above_v, cars_v, config.voltage_v)


def _circuits(states: Mapping[str, CircuitState]) -> dict[str, Circuit]:
    return {circuit_id: state.circuit for circuit_id, state in states.items()}


def _draw(evse: EvseState, now: float) -> Draw | None:
    first = evse.first_lease
    if evse.idle(now) and (first is None or first.remote_start_id is None):
        # One of before a restart counts as idle, or a building that was not known yet would be put down to it.
        return None
    reserved_a = evse.per_phase(max(evse.reserved_a(now), evse.installed_a(now) + evse.excess_a))
    if evse.session is None or not evse.ready or evse.current_a == UNKNOWN:
        return Draw(low_a=NONE_A, high_a=reserved_a, reserved_a=reserved_a, measured_at=None)
    measured_a = evse.measured_per_phase()
    if evse.somewhere:
        # Which conductors it loads nobody knows: any may be free of it.
        return Draw(low_a=NONE_A, high_a=highest(measured_a, reserved_a), reserved_a=reserved_a, measured_at=evse.measured_at)
    if evse.settled(now) or evse.exceeding:
        return Draw(low_a=measured_a, high_a=measured_a, reserved_a=reserved_a, measured_at=evse.measured_at)
    return Draw(
        low_a=evse.least_per_phase(now), high_a=highest(measured_a, reserved_a), reserved_a=reserved_a, measured_at=evse.measured_at
    )


def limit_a(circuit: Circuit, outside: LowestLimits) -> PerPhase:
    """Return what a circuit is kept at or below on each phase: its own limit, or a lower one from outside."""
    if outside.per_phase is None:
        return circuit.limit_a()
    l1, l2, l3 = (min(limit, outside.per_phase.limit_a) for limit in circuit.limit_a())
    return (l1, l2, l3)


def held_by(circuit: Circuit, outside: LowestLimits) -> str | None:
    """Return who outside holds a circuit lower than it is; None where nobody does."""
    if outside.per_phase is not None and limit_a(circuit, outside) != circuit.limit_a():
        return str(outside.per_phase)
    return None if outside.phase_sum is None else str(outside.phase_sum)


def headrooms(
    states: Mapping[str, CircuitState],
    evses: Sequence[EvseState],
    external: ExternalLimits,
    config: SiteConfig,
    mode: Mode,
    now: float,
    least_s: float = LEASE_MIN_S,
) -> list[Headroom]:
    """Return what is left on each circuit for the cars that obey, as far as leases of `least_s` allow; what the others may draw is taken off."""
    circuits = _circuits(states)
    arriving_a, rising_a = arrivals_a(circuits, evses, now), rises_a(circuits, evses, now)
    obeying, others = list[EvseState](), list[EvseState]()
    for evse in evses:
        (obeying if led(evse, mode) else others).append(evse)
    reserved = sums(circuits, ((evse.circuit_id, evse.per_phase(evse.reserved_a(now))) for evse in others))
    if unseen := [circuit_id for circuit_id, state in states.items() if state.health is not MeterHealth.OK]:  # a meter would show it
        begin_a, recalled_a = (
            unheard_a(circuits, evses, now),
            sums(circuits, ((evse.circuit_id, _recalled_a(evse, now)) for evse in others)),
        )
        for circuit_id in unseen:
            reserved[circuit_id] = total((reserved[circuit_id], begin_a[circuit_id], recalled_a[circuit_id]))
    for circuit_id, excess_a in sums(circuits, ((evse.circuit_id, evse.per_phase(evse.excess_a)) for evse in obeying)).items():
        if max(excess_a) > BORNE_A:
            reserved[circuit_id] = add(reserved[circuit_id], excess_a)
    uneven = any(circuit.imbalance_a is not None for circuit in circuits.values())
    drawn = sums(circuits, ((evse.circuit_id, _drawn_a(evse, now)) for evse in others)) if uneven else dict.fromkeys(circuits, NONE_A)
    rows = []
    for circuit_id, state in states.items():
        circuit, unmanaged_a = state.circuit, state.unmanaged_a()
        voltage_v = state.voltage_v(config)
        outside = external.lowest(circuit_id, now, voltage_v)
        left_a = subtract(limit_a(circuit, outside), unmanaged_a)
        if state.strain.urgency is Urgency.PASSING and outside.per_phase is None:
            left_a = highest(left_a, state.strain.cars_a)  # as it is, until that is seen to last
        leasable_a = subtract(lease_room(circuit, arriving_a[circuit_id], max(least_s, state.may_be_blind_s)), rising_a[circuit_id])
        l1, l2, l3 = subtract(lowest(left_a, leasable_a), reserved[circuit_id])
        ceilings = [
            *([] if circuit.limit_w is None else [circuit.limit_w / voltage_v]),
            *([] if outside.phase_sum is None else [outside.phase_sum.limit_a]),
        ]
        sum_a = min(ceilings) - state.unmanaged_total_a() - sum(reserved[circuit_id]) if ceilings else None
        rows.append(
            Headroom(
                circuit_id=circuit_id,
                parent_id=circuit.parent_id,
                available_a=(l1, l2, l3),
                sum_a=sum_a,
                wiring=circuit.wiring,
                imbalance=_imbalance(state, drawn[circuit_id]),
            )
        )
    return [*rows, *station_rows(evses, lambda evse: NONE_A if led(evse, mode) else evse.per_phase(evse.reserved_a(now)), now)]


def _imbalance(state: CircuitState, drawn_a: PerPhase) -> Imbalance | None:
    """Return how far cars may take a circuit's conductors apart, and how far they are by what is drawn besides those that are led.

    A building that nobody measures is taken for even: what the cars themselves do stays inside the limit then.
    """
    building_a = NONE_A if state.unmanaged is None else state.unmanaged.load_a
    return state.circuit.imbalance(add(building_a, drawn_a))


def _drawn_a(evse: EvseState, now: float) -> PerPhase:
    """Return what a car that is not led draws as far as anybody knows: as measured, or all that it may."""
    measured = evse.ready and evse.session is not None and evse.current_a != UNKNOWN
    return evse.measured_per_phase() if measured else evse.per_phase(evse.reserved_a(now))


def _recalled_a(evse: EvseState, now: float) -> PerPhase:
    """Return by how much more than is reserved for it a lease of before a restart may let a car draw."""
    if evse.recalled is None or evse.idle(now):
        return NONE_A
    return evse.per_phase(max(0.0, evse.recalled.limit_a - evse.reserved_a(now)))


def station_row(identity: str) -> str:
    """Return the id of the row of headroom that a limit on a whole station makes."""
    return f"station {identity}"


def station_rows(evses: Iterable[EvseState], taken_a: Callable[[EvseState], PerPhase], now: float) -> Iterable[Headroom]:
    """Yield what is left of each limit that somebody else set on a whole station, for its EVSEs together, beside what is taken by one of them."""
    limited: dict[str, list[EvseState]] = {}
    for evse in evses:
        if evse.station_external_a(now)[0] < math.inf:
            limited.setdefault(evse.key.station, []).append(evse)
    for identity, of_station in limited.items():
        limit_a, _ = of_station[0].station_external_a(now)
        left = subtract((limit_a, limit_a, limit_a), total(taken_a(evse) for evse in of_station))
        yield Headroom(circuit_id=station_row(identity), parent_id=of_station[0].circuit_id, available_a=left)
