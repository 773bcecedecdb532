"""A meter that tells one power of several phases. What cars draw is known by phase, so only the rest may be on any one of them. Plain functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import fsum

from ..engine.last_resort import Excess
from ..engine.model import ALL_PHASES, NONE_A, Circuit, PerPhase
from ..engine.unmanaged import NONE_RESTS, Draw, Resting, Unmanaged, add, estimate, highest, subtract, total
from ..metering.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Certain:
    """What flows whatever the building does on each phase: at least what cars draw on it, and the total on all together."""

    cars_a: PerPhase
    total_a: float

    def least_a(self, circuit: Circuit) -> PerPhase:
        """Return what the cars draw on each conductor, or an even share of the total: the fullest one carries the higher at least."""
        return highest(self.cars_a, _on_its_phases(circuit, self.total_a / len(circuit.phases)))

    def excess_a(self, circuit: Circuit) -> Excess:
        """Return by how much that is more than a circuit's limit, on each conductor and on all together."""
        limit_a = circuit.limit_a()
        return (*subtract(self.cars_a, limit_a), self.total_a - fsum(limit_a))


def as_measured(reading: Reading, voltage_v: float) -> Reading:
    """Return it with all of its power on each phase, signed: what goes up and down by it is what cars and building do together."""
    all_a = reading.power_at(voltage_v) / voltage_v
    return replace(reading, current_a=(all_a, all_a, all_a))


def reckoned(
    reading: Reading, draws: Iterable[Draw], before: Unmanaged | None, circuit: Circuit, voltage_v: float, rests: Resting = NONE_RESTS
) -> Unmanaged:
    """Return the load besides the cars: what they don't explain of the power may be on each phase, and export is credited to none."""
    together = [replace(draw, low_a=_all(draw.low_a), high_a=_all(draw.high_a), reserved_a=_all(draw.reserved_a)) for draw in draws]
    seen = estimate(as_measured(reading, voltage_v).current_a, reading.taken_at, together, before, rests=rests)
    return replace(seen, load_a=_on_its_phases(circuit, max(0.0, seen.load_a[0])))


def flowing(reading: Reading, draws: Sequence[Draw], unmanaged: Unmanaged) -> Reading:
    """Return the reading with what may flow on each conductor: the load besides the cars, and what each of them draws.

    A change that nobody has explained yet is taken for the cars', within what is reserved for them.
    """
    since = unmanaged.doubtful_since
    cars_a = total(
        highest(draw.high_a, draw.reserved_a)
        if since is not None and (draw.measured_at is None or draw.measured_at < since)
        else draw.high_a
        for draw in draws
    )
    return replace(reading, current_a=add(unmanaged.load_a, cars_a))


def certain(reading: Reading, draws: Iterable[Draw], fed_in_a: PerPhase | None, voltage_v: float) -> Certain:
    """Return what is certain to flow; `fed_in_a` is the most that may be fed in, None where nobody knows and cars may draw all of it."""
    cars_a = NONE_A if fed_in_a is None else highest(NONE_A, subtract(total(draw.low_a for draw in draws), fed_in_a))
    return Certain(cars_a=cars_a, total_a=reading.power_at(voltage_v) / voltage_v)


def _all(current_a: PerPhase) -> PerPhase:
    all_a = fsum(current_a)
    return (all_a, all_a, all_a)


def _on_its_phases(circuit: Circuit, current_a: float) -> PerPhase:
    l1, l2, l3 = (current_a if phase in circuit.phases else 0.0 for phase in ALL_PHASES)
    return (l1, l2, l3)
