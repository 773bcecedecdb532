"""What stands at a site and who comes: parking places with their stations, cars, and the building beside them."""

from dataclasses import dataclass, field
from typing import Any

from custom_components.headroom.engine.model import ALL_PHASES, Phase
from custom_components.headroom.site.config import EvseConfig, StationConfig
from simulator.building import StepLoad
from simulator.car import CarSpec
from simulator.electrical import ROTATIONS, PerPhase
from simulator.evse import Token, token
from simulator.factory import EvseSpec, StationSpec
from simulator.profile_rules import Abilities
from simulator.quirks import NO_QUIRKS, Quirks
from simulator.site import Visit

READY_S = 5.0
"""By then every station of a scenario is ready and has its fallback."""
CARS_COME_S = 10.0


def car(name: str = "car", **more: Any) -> CarSpec:
    """A big car that takes all it is offered for hours, unless told otherwise."""
    return CarSpec(**{"name": name, "battery_kwh": 500.0, "max_a": 32.0, **more})


def steps(*levels: tuple[float, PerPhase | float]) -> StepLoad:
    """A building by (from when, amps on each phase)."""
    return StepLoad(tuple((at, level if isinstance(level, tuple) else (level, level, level)) for at, level in levels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A parking place: a station with one EVSE, and the car that comes there (None: none does); `beside` are those of further EVSEs."""

    car: CarSpec | None = field(default_factory=car)
    comes_s: float = CARS_COME_S
    leaves_s: float | None = None
    token: Token | None = field(default_factory=lambda: token("CARD"))
    rotation: str = "L1L2L3"
    rotation_known: bool = True
    conductors: tuple[Phase, ...] = ALL_PHASES
    """Those of the site."""
    max_a: float = 32.0
    circuit_id: str = "main"
    soc: float = 0.2
    approved: bool = True
    """The user has added the station to the site."""
    quirks: Quirks = NO_QUIRKS
    abilities: Abilities = Abilities()
    told: str | None = None
    """The rotation that the user said, where it is not the real one."""
    clock_offset_s: float = 0.0
    """The station's clock minus the true time."""
    boots_on_reconnect: bool = False
    switches_phases: bool = False
    """The user lets it be switched between three phases and one."""
    beside: tuple[CarSpec | None, ...] = ()

    @property
    def evse_ids(self) -> range:
        """Its EVSEs."""
        return range(1, 2 + len(self.beside))

    def config(self, identity: str) -> StationConfig:
        """What the user said of it."""
        grid_phases = tuple(Phase(conductor) for conductor in ROTATIONS[self.told or self.rotation])
        evses = tuple(
            EvseConfig(
                evse_id=evse_id,
                grid_phases=grid_phases,
                rotation_known=self.rotation_known,
                max_a=self.max_a,
                conductors=self.conductors,
                between_legs=len(grid_phases) == 2,
                switches_phases=self.switches_phases,
            )
            for evse_id in self.evse_ids
        )
        return StationConfig(identity=identity, name=identity, circuit_id=self.circuit_id, evses=evses)

    def spec(self, identity: str) -> StationSpec:
        """What really stands there."""
        return StationSpec(
            identity=identity,
            circuit_id=self.circuit_id,
            evses=tuple(EvseSpec(evse_id=evse_id, max_a=self.max_a, rotation=self.rotation) for evse_id in self.evse_ids),
            quirks=self.quirks,
            abilities=self.abilities,
            clock_offset_s=self.clock_offset_s,
            boots_on_reconnect=self.boots_on_reconnect,
        )

    def visits(self, identity: str) -> tuple[Visit, ...]:
        """Who comes."""
        return tuple(
            Visit(comes_s=self.comes_s, leaves_s=self.leaves_s, station=identity, evse_id=evse_id, car=spec, token=self.token, soc=self.soc)
            for evse_id, spec in enumerate((self.car, *self.beside), 1)
            if spec is not None
        )
