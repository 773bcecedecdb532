"""The dead-man rule over a running site: what holds without us now, whether the rule holds with it, and what a person has to see to.

It is looked at in every turn, from what is installed and confirmed and what may be: what was sent and not answered counts as much.
"""

from collections.abc import Collection, Iterable, Mapping
import copy
from dataclasses import replace
from functools import lru_cache
import logging
import math
from types import MappingProxyType

from ..engine.deadman import EPSILON_A, LEASE_MAX_S, LEASE_MIN_S, RESPONSE_S, Held, Installed, Violation, violations
from ..engine.model import ALL_PHASES, NONE_A, Circuit, PerPhase, Phase
from ..engine.tree import path
from ..engine.unmanaged import add, highest
from .circuit import CircuitState
from .config import GONE_CIRCUIT_ID, EvseKey
from .evse import EvseState
from .snapshot import DeadManHealth

_LOGGER = logging.getLogger(__name__)

ARRIVAL_S = 60.0
"""In so short a time no second car begins: until then the others have made way for what may flow at a station that is away."""

MAKES_WAY_S = 3.0
"""So long after a car began or left no other one is reckoned with: the leases are being told anew for whichever may come."""
ANSWERED_S = 3.0
"""So long what an order on its way mends is not told broken: it is one order's round trip."""
MAKES_WAY_FOR_RISE_S = LEASE_MIN_S + RESPONSE_S + 10.0
"""So long before a lease may end with which its car rises, the others have made way: theirs cannot be shorter than `LEASE_MIN_S`."""
IDLE = (Held(limit_a=NONE_A, for_s=math.inf),)


def installed(
    evse: EvseState, now: float, told_a: float | None = None, told_s: float = math.inf, *, arrival_s: float = ARRIVAL_S
) -> Installed:
    """Return what an EVSE holds without us, or would once it is told `told_a` for `told_s`."""
    lasting_a = evse.lasting_a
    fallback_a = evse.rated_per_phase(lasting_a)
    begins = may_begin(evse, now, arrival_s)
    if begins and (told_a is None or evse.ready):
        return _idle(evse.circuit_id, fallback_a)
    limits = [(0.0, math.inf)] if begins else evse.held(now)
    held = [Held(limit_a=evse.per_phase(limit_a), for_s=max(0.0, ends_at - now)) for limit_a, ends_at in limits]
    if told_a is not None and (evse.session is not None or not evse.ready):
        held.append(Held(limit_a=evse.per_phase(told_a), for_s=told_s))
    # The car that is there falls back on its own conductors, but for one whose station gives it one phase by its lease alone.
    switches = evse.phase_switch.on_one or evse.phase_switch.pausing
    lapsed_a = None if evse.session is None or switches else evse.per_phase(lasting_a)
    return Installed(circuit_id=evse.circuit_id, fallback_a=fallback_a, held=tuple(held), lapsed_a=lapsed_a)


def lowers_nothing(evse: EvseState, told_a: float) -> bool:
    """Tell whether a lease is at or below its fallback, the one that is wanted included: with its end its car may only rise."""
    if evse.fallback_a is None or evse.lapses:
        return False
    fallback_a = evse.fallback_a if evse.wanted_fallback_a is None else min(evse.fallback_a, evse.wanted_fallback_a)
    return told_a <= fallback_a


def ends_early(evse: EvseState, told_a: float) -> bool:
    """Tell whether its car rises somewhere with the end of a lease that cannot be a long one.

    One that is to be seen to lapse does, and one above its fallback that is for a single phase: the fallback is for three.
    """
    return evse.lapses or (evse.phase_switch.on_one and not lowers_nothing(evse, told_a))


def rises_a(circuits: Mapping[str, Circuit], evses: Iterable[EvseState], now: float) -> dict[str, PerPhase]:
    """Return, for each circuit, how much more its cars may draw on each conductor soon, by leases that end below their fallbacks."""
    rises = dict.fromkeys(circuits, NONE_A)
    for evse in evses:
        if evse.session is None:
            continue
        soon = evse.lapses or evse.phase_switch.on_one or any(ends_at < now + MAKES_WAY_FOR_RISE_S for _, ends_at in evse.held(now))
        if soon and (rise := installed(evse, now).rise()) is not None:
            _, more_a = rise
            for circuit in path(circuits, evse.circuit_id):
                rises[circuit.circuit_id] = add(rises[circuit.circuit_id], more_a)
    return rises


@lru_cache(maxsize=1024)
def _idle(circuit_id: str, fallback_a: PerPhase) -> Installed:
    """Return what an idle EVSE holds: one value for all that are alike, from turn to turn."""
    return Installed(circuit_id=circuit_id, fallback_a=fallback_a, held=IDLE)


def may_begin(evse: EvseState, now: float, arrival_s: float = ARRIVAL_S) -> bool:
    """Tell whether an EVSE that nobody charges at may be the next at which a car begins by its fallback.

    One that was idle when its station went away less than `arrival_s` ago is one of them: cars do not come to all of them at once. Of any
    other that is not heard of, one may have begun long since.
    """
    if evse.session is not None or evse.first_lease is not None:
        return False
    return (evse.ready and evse.heard) or (now - evse.idle_at < arrival_s and evse.fallback_a is not None and not evse.lease)


def arrivals_a(circuits: Mapping[str, Circuit], evses: Iterable[EvseState], now: float, *, awaited: bool = True) -> dict[str, PerPhase]:
    """Return, for each circuit, the most that one more car may put on each of its conductors, at whichever idle EVSE it comes next.

    `awaited`: a higher fallback counts that waits until the leases bear it.
    """
    kinds: dict[tuple[str, tuple[Phase, ...]], float] = {}
    for evse in evses:
        if may_begin(evse, now) and evse.fallback_a is not None:
            kind = (evse.circuit_id, evse.rated_phases)
            begins_a = max(evse.held_fallback_a, evse.awaited_fallback_a) if awaited else evse.held_fallback_a
            kinds[kind] = max(begins_a, kinds.get(kind, 0.0))
    most = dict.fromkeys(circuits, NONE_A)
    for (circuit_id, phases), begins_a in kinds.items():
        l1, l2, l3 = (begins_a if phase in phases else 0.0 for phase in ALL_PHASES)
        for circuit in path(circuits, circuit_id):
            most[circuit.circuit_id] = highest(most[circuit.circuit_id], (l1, l2, l3))
    return most


def unheard_a(circuits: Mapping[str, Circuit], evses: Iterable[EvseState], now: float) -> dict[str, PerPhase]:
    """Return, for each circuit, the most that one car may draw which begins at an EVSE that counts as idle and of which nothing is heard."""
    most = dict.fromkeys(circuits, NONE_A)
    for evse in evses:
        if evse.idle(now) and not (evse.ready and evse.heard):
            begins_a = evse.rated_per_phase(evse.held_fallback_a)
            for circuit in path(circuits, evse.circuit_id):
                most[circuit.circuit_id] = highest(most[circuit.circuit_id], begins_a)
    return most


def broken(
    states: Mapping[str, CircuitState],
    evses: Collection[EvseState],
    now: float,
    told_a: Mapping[str, float] = MappingProxyType({}),
    told_s: Mapping[str, float] = MappingProxyType({}),
    *,
    arriving: bool = True,
) -> list[Violation]:
    """Return where the dead-man rule does not hold, from what is installed, and what is told beside it.

    `arriving`: whichever car comes next.
    """
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    if told_a:
        names = {str(evse.key): evse for evse in evses}
        holding = [installed(evse, now, told_a.get(name), told_s.get(name, math.inf)) for name, evse in names.items()]
    else:
        holding = [installed(evse, now) for evse in evses]
    return violations(circuits, holding, arrivals_a(circuits, evses, now, awaited=False) if arriving else {})


def _answered(evse: EvseState, now: float) -> EvseState:
    """Return an EVSE as it will be once the lease on its way, or the urgent one that was ordered just now, has taken the present one's place."""
    order = evse.wanted_lease if evse.in_flight_a is None else None
    if evse.lease is None or not evse.dialect.holds_leases or (evse.in_flight_a is None and (order is None or not order.urgent)):
        return evse
    limit_a, expires_at = (evse.unanswered_lease_a, evse.unanswered_until) if order is None else (order.limit_a, now + order.length_s)
    then = copy.copy(evse)
    then.lease = replace(evse.lease, limit_a=limit_a, expires_at=expires_at, falls_to_a=evse.second_period_a)
    then.unanswered_lease_a = 0.0
    return then


def worse(
    states: Mapping[str, CircuitState],
    evses: Collection[EvseState],
    now: float,
    told_a: Mapping[str, float],
    told_s: Mapping[str, float],
) -> bool:
    """Tell whether leases of so many amps and seconds would break rule (b) beside those that run, or break it more than it is."""
    then = broken(states, evses, now, told_a, told_s)
    return any(each.excess_s > 0 for each in then) and _lasts_longer(then, broken(states, evses, now))


def bears(states: Mapping[str, CircuitState], evses: Collection[EvseState], fallbacks_a: Mapping[EvseKey, float], now: float) -> bool:
    """Tell whether rule (b) holds with higher fallbacks as it does without: a car rises to its own as a lease below it ends."""
    raised = [copy.copy(evse) for evse in evses]
    for evse in raised:
        evse.fallback_a = fallbacks_a.get(evse.key, evse.fallback_a)
    then = broken(states, raised, now)
    return not any(each.excess_s > 0 for each in then) or not _lasts_longer(then, broken(states, evses, now))


def _lasts_longer(then: Iterable[Violation], before: Iterable[Violation]) -> bool:
    before_s = {(each.circuit_id, each.phase): each.excess_s for each in before}
    return any(each.excess_s > before_s.get((each.circuit_id, each.phase), 0.0) + EPSILON_A for each in then)


def _on_known(found: Iterable[Violation]) -> list[Violation]:
    """Return those of breakers that are known: of a deleted circuit's a repair of its own tells (`circuit_repair.py`)."""
    return [each for each in found if each.circuit_id != GONE_CIRCUIT_ID]


def _unheard(evse: EvseState, age_s: float) -> bool:
    """Tell whether nothing was heard of an EVSE yet in this life of ours, while leases of an earlier one may run."""
    return age_s < LEASE_MAX_S + RESPONSE_S and not evse.heard and evse.session is None and math.isinf(evse.gone_at)


def _as_if_idle(evse: EvseState) -> EvseState:
    """Return an EVSE as it is if nobody charges there."""
    then = copy.copy(evse)
    then.ready = then.heard = True
    return then


def unsure(evses: Iterable[EvseState], age_s: float) -> bool:
    """Tell whether it is still to be heard what an EVSE holds: its fallback, or a lease of an earlier life of ours, which lapses in time."""
    return any(evse.inherited_a > 0 or (evse.fallback_a is None and not evse.foreign) or _unheard(evse, age_s) for evse in evses)


class DeadManWatch:
    """Whether the rule holds, and since when not. Told to the log once when it has not been mended, and once when it holds again."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._charging = set[EvseKey]()
        self._left_at = -math.inf
        self._since: float | None = None
        self._told = False
        self.health = DeadManHealth()

    def look(self, states: Mapping[str, CircuitState], evses: Collection[EvseState], now: float) -> DeadManHealth:
        """Check the rule for this turn."""
        just_begun = any(evse.session is not None and now - evse.session.since < MAKES_WAY_S for evse in evses)
        charging = {evse.key for evse in evses if evse.session is not None}
        self._left_at = now if self._charging - charging else self._left_at
        self._charging = charging
        arriving = not just_begun and now - self._left_at >= MAKES_WAY_S
        found = broken(states, evses, now, arriving=arriving)
        self._began = now if self._began is None else self._began
        known = evses
        if found and any(_unheard(evse, now - self._began) for evse in evses):
            # Cars may charge where nothing is heard yet: the rule is broken only if it is without them, too.
            known = [_as_if_idle(evse) if _unheard(evse, now - self._began) else evse for evse in evses]
            found = broken(states, known, now, arriving=arriving)
        found, everywhere = _on_known(found), found
        self._since = None if not found else now if self._since is None else self._since
        broken_s = 0.0 if self._since is None else now - self._since
        mending = (
            bool(found)
            and broken_s < ANSWERED_S
            and not _on_known(broken(states, [_answered(evse, now) for evse in known], now, arriving=arriving))
        )
        found = [] if mending else found
        holds = False if found else None if everywhere or unsure(evses, now - self._began) else True
        self.health = DeadManHealth(holds=holds, violations=tuple(found), broken_s=broken_s)
        self._tell(states)
        return self.health

    def _tell(self, states: Mapping[str, CircuitState]) -> None:
        if self.health.lasts and not self._told:
            self._told = True
            names = sorted({states[each.circuit_id].circuit.name for each in self.health.violations})
            _LOGGER.warning("If Home Assistant stopped now, more could flow than the fuse carries at: %s", ", ".join(names))
        elif self._told and not self.health.violations:
            self._told = False
            _LOGGER.info("What the stations hold is safe again if Home Assistant stops")
