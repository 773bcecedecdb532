"""What really happened at a site, told by its physics and not by anybody's messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .building import Step
from .electrical import NONE_A, PerPhase

SATISFIED_WITHIN_A = 0.5
"""A car that is offered this much less than it would take counts as satisfied."""


REACTS_S = 8.0
"""So long a site may take to react: a car follows within 5 s, the meter and its station before that."""


@dataclass(slots=True)
class CircuitFacts:
    """One circuit. `limit_a` is what it should stay at or below (its fuse, unless told otherwise)."""

    fuse_a: float
    limit_a: float
    overload_as: float = 0.0
    """∫ max(0, current − fuse) dt, summed over the phases, in ampere seconds."""
    late_overload_as: float = 0.0
    """What of it came once its conductor had been above `limit_a` for longer than `REACTS_S`."""
    max_overload_s: float = 0.0
    """The longest time without a break that one conductor was above `limit_a`."""
    highest_a: PerPhase = NONE_A
    trips: int = 0
    over_s: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """For how long each conductor has been above its limit now."""

    def add(self, current_a: PerPhase, dt_s: float) -> None:
        """Count a time at a current."""
        for phase, current in enumerate(current_a):
            over_as = max(0.0, current - self.fuse_a) * dt_s
            self.overload_as += over_as
            self.over_s[phase] = self.over_s[phase] + dt_s if current > self.limit_a + 1e-9 else 0.0
            self.late_overload_as += over_as if self.over_s[phase] > REACTS_S else 0.0
            self.max_overload_s = max(self.max_overload_s, self.over_s[phase])
        l1, l2, l3 = (max(pair) for pair in zip(self.highest_a, current_a, strict=True))
        self.highest_a = (l1, l2, l3)


@dataclass(slots=True, kw_only=True)
class Session:
    """A car's stay at an EVSE."""

    station: str
    evse_id: int
    car: str
    came_s: float
    left_s: float | None = None
    energy_wh: float = 0.0
    unsatisfied_s: float = 0.0
    """How long it wanted more than it was offered."""


@dataclass(slots=True)
class Recorder:
    """Facts of a run, added step by step.

    `capacity_used_pct` is a mean over the time in which at least one car is unsatisfied: its EVSE's pilot is more than 0.5 A below
    what car and EVSE could take at that moment. (A full car, or one that sleeps for good, is satisfied.) At each such moment the
    value is the highest of current / fuse rating over the main fuse's conductors that feed an unsatisfied car: 100 % means that who
    waits does so because a fuse is full.
    """

    circuits: dict[str, CircuitFacts] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    building_steps: list[Step] = field(default_factory=list)
    elapsed_s: float = 0.0
    evse_s: float = 0.0
    energy_wh: float = 0.0
    profile_writes: int = 0
    short_s: float = 0.0
    """How long at least one car was unsatisfied."""
    short_share_s: float = 0.0
    """∫ (worst conductor's current / fuse) dt over that time."""

    def add_time(self, dt_s: float, evses: int) -> None:
        """Count a step."""
        self.elapsed_s += dt_s
        self.evse_s += evses * dt_s

    def add_shortage(self, phases: frozenset[int], current_a: PerPhase, fuse_a: float, dt_s: float) -> None:
        """Count a step in which unsatisfied cars hang on `phases` of the main fuse."""
        if phases:
            self.short_s += dt_s
            self.short_share_s += max(current_a[phase] for phase in phases) / fuse_a * dt_s

    @property
    def capacity_used_pct(self) -> float | None:
        """The mean described above; None where no car was ever unsatisfied."""
        return 100.0 * self.short_share_s / self.short_s if self.short_s else None

    @property
    def profile_writes_per_evse_hour(self) -> float:
        """Charging profiles the stations accepted, per EVSE and hour."""
        return self.profile_writes / (self.evse_s / 3600.0) if self.evse_s else 0.0

    @property
    def trips(self) -> int:
        """How often a breaker let go."""
        return sum(facts.trips for facts in self.circuits.values())

    @property
    def overload_as(self) -> float:
        """Ampere seconds above the fuses, over all circuits and phases."""
        return sum(facts.overload_as for facts in self.circuits.values())

    @property
    def late_overload_as(self) -> float:
        """What of them came later than a site may take to react."""
        return sum(facts.late_overload_as for facts in self.circuits.values())

    @property
    def max_overload_s(self) -> float:
        """The longest time a conductor of any circuit was above its limit."""
        return max((facts.max_overload_s for facts in self.circuits.values()), default=0.0)

    def summary(self) -> Mapping[str, Any]:
        """Return the figures, ready for JSON."""
        used = self.capacity_used_pct
        return {
            "elapsed_s": round(self.elapsed_s, 3),
            "overload_as": round(self.overload_as, 3),
            "late_overload_as": round(self.late_overload_as, 3),
            "max_overload_s": round(self.max_overload_s, 3),
            "trips": self.trips,
            "energy_kwh": round(self.energy_wh / 1000, 3),
            "capacity_used_pct": None if used is None else round(used, 2),
            "short_s": round(self.short_s, 3),
            "profile_writes_per_evse_hour": round(self.profile_writes_per_evse_hour, 2),
            "building_steps": len(self.building_steps),
            "circuits": {
                circuit_id: {
                    "fuse_a": facts.fuse_a,
                    "limit_a": facts.limit_a,
                    "overload_as": round(facts.overload_as, 3),
                    "max_overload_s": round(facts.max_overload_s, 3),
                    "highest_a": [round(current, 2) for current in facts.highest_a],
                    "trips": facts.trips,
                }
                for circuit_id, facts in self.circuits.items()
            },
            "sessions": [
                {
                    "station": session.station,
                    "evse_id": session.evse_id,
                    "car": session.car,
                    "came_s": round(session.came_s, 3),
                    "left_s": None if session.left_s is None else round(session.left_s, 3),
                    "energy_kwh": round(session.energy_wh / 1000, 3),
                    "unsatisfied_s": round(session.unsatisfied_s, 3),
                }
                for session in self.sessions
            ],
        }
