"""How long the leases run that go with what each car is told: as plain functions, without changing a state."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
import math

from ..engine.deadman import LOW_LEASE_S, Installed, blind_s, lease_s
from .circuit import CircuitState
from .dead_man import arrivals_a, ends_early, installed, lowers_nothing, worse
from .evse import EvseState
from .holdings import IDLE_AWAY_S
from .lapse import TRIAL_S
from .led import doubtful
from .steadiness import lengths_s, outlasting, shortened


@dataclass(frozen=True, slots=True, kw_only=True)
class Leases:
    """What cars are told and for how long, by EVSE id string."""

    told_a: Mapping[str, float]
    """The limit each controllable session is told now."""
    lease_s: float
    """How long leases run…"""
    longer_s: Mapping[str, float]
    """…but those of these EVSEs."""
    short: Collection[str]
    """These EVSEs' leases end early for the others' to be long."""
    tight: bool
    """Somebody's raise waits for the others' leases to be as short as that."""
    may_lapse: Collection[str]
    """These EVSEs may let a lease lapse whose end is to be seen: the others' have made way for it."""
    blind_s: Mapping[str, float]
    """So long each circuit's breaker bears that nobody measures it."""

    def length_s(self, evse: EvseState) -> float:
        """Return how long a lease of an EVSE runs."""
        return self.longer_s.get(str(evse.key), self.lease_s)


def leased(
    states: Mapping[str, CircuitState],
    evses: Sequence[EvseState],
    sessions: Mapping[str, EvseState],
    wanted_a: Mapping[str, float],
    now: float,
) -> Leases:
    """Return the leases by which the dead-man rule holds with what each car is to be told; a raise for which it can't hold yet waits.

    `sessions` are those whose limits the loop leads; the others of `wanted_a` keep what they have.
    """
    told = dict(wanted_a)
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
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
    return Leases(
        told_a=told,
        lease_s=length_s,
        longer_s=longer_s,
        short=short,
        tight=tight,
        may_lapse=may_lapse,
        blind_s=blind_s(circuits, holding.values()),
    )
