"""A site before it runs, told once: what the user said of it, and what really stands there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from custom_components.headroom.engine.model import ALL_PHASES, Circuit, Phase
from custom_components.headroom.site.config import AuthorizationPolicy, SiteConfig
from simulator.building import Load
from simulator.site import CircuitSpec, SiteSpec, Visit

from .place import Place, steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A site. `circuits` form one tree, the main fuse first; `loads` draw behind a circuit's breaker; `visits` are cars besides the places' own."""

    circuits: Sequence[Circuit]
    places: Mapping[str, Place]
    """By the stations' identities."""
    loads: Mapping[str, Load] = field(default_factory=dict)
    visits: Sequence[Visit] = ()
    policy: AuthorizationPolicy = AuthorizationPolicy(free=True)
    zone: tzinfo = UTC
    """By whose clocks people live there."""
    voltage_v: float = 230.0
    tolerance_a: float = 0.0
    """A conductor counts as over its limit from so much above it."""

    def config(self) -> SiteConfig:
        """Return what the user said."""
        return SiteConfig(
            circuits=tuple(self.circuits),
            stations={identity: place.config(identity) for identity, place in self.places.items() if place.approved},
            authorization=self.policy,
            voltage_v=self.voltage_v,
            zone=self.zone,
        )

    def spec(self) -> SiteSpec:
        """Return what is really there."""
        return SiteSpec(
            voltage_v=self.voltage_v,
            circuits=tuple(
                CircuitSpec(
                    circuit_id=circuit.circuit_id,
                    parent_id=circuit.parent_id,
                    fuse_a=circuit.fuse_a,
                    limit_a=max(circuit.limit_a()) + self.tolerance_a,
                    load=self.loads.get(circuit.circuit_id),
                )
                for circuit in self.circuits
            ),
            stations=tuple(place.spec(identity) for identity, place in self.places.items()),
            visits=(*self.visits, *(visit for identity, place in self.places.items() for visit in place.visits(identity))),
        )


def main_fuse(*, fuse_a: float, worst_case_a: float, phases: tuple[Phase, ...] = ALL_PHASES, **more: Any) -> Circuit:
    """Return the circuit at the top of a tree; the building behind it never draws more than `worst_case_a` on a phase. `more` are its other fields."""
    l1, l2, l3 = (worst_case_a if phase in phases else 0.0 for phase in ALL_PHASES)
    return Circuit(
        circuit_id="main",
        name="Main",
        phases=phases,
        fuse_a=fuse_a,
        unmanaged_worst_a=(l1, l2, l3),
        **more,
    )


def numbered(places: Sequence[Place]) -> dict[str, Place]:
    """Return places by the identities of their stations: CP1, CP2 and so on."""
    return {f"CP{number}": place for number, place in enumerate(places, 1)}


QUIET = steps((0.0, 8.0))
"""A building that draws the same for ever."""
