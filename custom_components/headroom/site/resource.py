"""A PV system or a home battery, as its user describes it. Values and plain functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..engine.model import ALL_PHASES, NONE_A, Circuit, PerPhase, Phase
from ..engine.tree import path
from ..engine.unmanaged import add, highest
from ..metering.reading import Reading
from ..metering.reorder import placed


class ResourceKind(StrEnum):
    """What it is."""

    PV = "pv"
    BATTERY = "battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A PV system or a home battery on a circuit, with a meter of its own: what flows to it is positive.

    `most_a` is what it draws or gives at most on each of its `phases`. `counted`: what it gives may be used by cars. `gives_way`: what
    it draws may be used by them as well.
    """

    resource_id: str
    name: str
    kind: ResourceKind
    circuit_id: str
    phases: tuple[Phase, ...] = ALL_PHASES
    most_a: float
    even: bool = False
    """Its meter tells one power of all phases: an inverter spreads it evenly."""
    counted: bool = True
    gives_way: bool = False

    @property
    def most_drawn_a(self) -> PerPhase:
        """What it may draw: a PV system nothing."""
        return self.on_phases(self.most_a) if self.kind is ResourceKind.BATTERY else NONE_A

    def on_phases(self, current_a: float) -> PerPhase:
        """Return a current on each of its phases."""
        l1, l2, l3 = (current_a if phase in self.phases else 0.0 for phase in ALL_PHASES)
        return (l1, l2, l3)

    def flows_a(self, reading: Reading, voltage_v: float) -> PerPhase:
        """Return a reading of its meter as currents on the grid's conductors."""
        if self.even and reading.power_w is not None:
            return self.on_phases(reading.power_w / voltage_v / len(self.phases))
        return placed(reading.current_a, self.phases)


def worst_with(resources: Iterable[Resource], circuits: Mapping[str, Circuit]) -> dict[str, PerPhase]:
    """Return each circuit's worst case with its batteries in it: as it was said, and never below what those on it and below it may draw."""
    drawn = dict.fromkeys(circuits, NONE_A)
    for resource in resources:
        for circuit in path(circuits, resource.circuit_id):
            drawn[circuit.circuit_id] = add(drawn[circuit.circuit_id], resource.most_drawn_a)
    return {circuit_id: highest(circuit.unmanaged_worst_a, drawn[circuit_id]) for circuit_id, circuit in circuits.items()}
