"""When cuts do not bring an overload down: whether sessions have to be stopped before a breaker lets go, and whose.

The first to go are those that do not obey, then the last tiers, and of equals who draws most. Nobody goes who draws nothing on an
overloaded conductor, nor anybody without whom it is enough.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from .model import Circuit, PerPhase
from .tree import path
from .urgency import Heat, lets_go_in_s

GRACE_S = 3.0
"""A cut is given this long to show…"""
NEEDS_S = 8.0
"""…and a session has to be stopped this long before its breaker lets go: station and car take their time."""
LASTS_S = 60.0
"""A breaker that carries more than its rating for so long is relieved, though it may carry that for good."""
NOTHING_A = 0.5
"""Less than this relieves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What one session draws, of a circuit, and where it stands: the lowest `rank` goes first."""

    key: str
    circuit_id: str
    draw_a: PerPhase
    rank: tuple[float, ...]
    going: bool = False
    """It was told to stop a moment ago: what it draws is about to be gone."""

    @property
    def relieves_a(self) -> tuple[float, ...]:
        """What it draws on each conductor, and on all together."""
        return (*self.draw_a, fsum(self.draw_a))


type Excess = tuple[float, ...]
"""By how much a circuit is above its limit on each conductor; a fourth number is that of all together, wherever it flows."""


def rank(*, obeys: bool, tier: int, draw_a: PerPhase) -> tuple[float, ...]:
    """Return where a session stands: what does not obey goes first, then the last tier, then who draws most."""
    return (float(obeys), -float(tier), -max(draw_a))


def due(circuit: Circuit, heat: Heat, *, large_s: float | None, above_s: float | None) -> bool:
    """Tell whether sessions have to be stopped on a circuit.

    `large_s` is for how long its breaker has carried more than it does for good, `above_s` for how long more than its rating, from the
    first reading that showed it to the newest.
    """
    if above_s is not None and above_s >= LASTS_S:
        return True
    return large_s is not None and large_s >= GRACE_S and lets_go_in_s(heat, circuit) <= NEEDS_S


def whom(circuits: Mapping[str, Circuit], excess_a: Mapping[str, Excess], draws: Iterable[Draw]) -> list[str]:
    """Return whose sessions are to be stopped now so that what is left is inside the limits, or nobody draws any more.

    `excess_a` is by how much each overloaded circuit is above its limit.
    """
    draws = sorted(draws, key=lambda each: (each.rank, each.key))
    left = dict(excess_a)
    for each in draws:
        if each.going:
            left = _relieved(circuits, left, each)
    chosen: list[Draw] = []
    after = left
    for each in draws:
        if not each.going and _helps(circuits, after, each):
            chosen.append(each)
            after = _relieved(circuits, after, each)
    for each in reversed(chosen):
        others = [other for other in chosen if other is not each]
        if not _helps(circuits, _all_relieved(circuits, left, others), each):
            chosen = others
    return [each.key for each in chosen]


def _helps(circuits: Mapping[str, Circuit], excess_a: Mapping[str, Excess], draw: Draw) -> bool:
    """Tell whether a session draws where it is still too much."""
    above = (circuit.circuit_id for circuit in path(circuits, draw.circuit_id) if circuit.circuit_id in excess_a)
    return any(
        excess > 0 and drawn > NOTHING_A
        for circuit_id in above
        for excess, drawn in zip(excess_a[circuit_id], draw.relieves_a, strict=False)
    )


def _relieved(circuits: Mapping[str, Circuit], excess_a: Mapping[str, Excess], draw: Draw) -> dict[str, Excess]:
    above = {circuit.circuit_id for circuit in path(circuits, draw.circuit_id)}
    return {
        circuit_id: tuple(value - drawn for value, drawn in zip(excess, draw.relieves_a, strict=False)) if circuit_id in above else excess
        for circuit_id, excess in excess_a.items()
    }


def _all_relieved(circuits: Mapping[str, Circuit], excess_a: dict[str, Excess], draws: Sequence[Draw]) -> dict[str, Excess]:
    for draw in draws:
        excess_a = _relieved(circuits, excess_a, draw)
    return excess_a
