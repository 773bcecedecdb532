"""What one kill did to the site, seen by its physics alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from custom_components.headroom.csms.composite import TX, TX_DEFAULT
from simulator.breaker import NEVER_TRIPS
from simulator.profile_rules import Installed
from simulator.site import SimulatedSite

CIRCUIT = "main"
RESPONSE_S = 5.0
"""A car follows the lapse of a lease within this time (IEC 61851-1 Annex A)."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """One kill, from its moment on; give it each step of the site."""

    site: SimulatedSite
    kind: str
    fuse_a: float
    limit_a: float
    killed_at_s: float = field(init=False)
    before_a: float = field(init=False)
    """What the fullest conductor carried."""
    leases: int = field(init=False)
    heat_before: float = field(init=False)
    """…and how warm its breaker was, in squares of its rating."""
    lapsed_s: float | None = None
    """How long the last lease held that gave a car more than its fallback."""
    highest_a: float = 0.0
    highest_heat: float = field(init=False)
    over_s: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    longest_over_s: float = 0.0
    """The longest time that one conductor was above the fuse's rating."""
    over_after_a: float = 0.0
    """By how much the limit was exceeded once all leases had lapsed and the cars had followed, until Home Assistant came back."""
    trips_before: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin now."""
        self.killed_at_s = self.site.time_s
        self.before_a = max(self.site.current_a[CIRCUIT])
        self.heat_before = self.highest_heat = max(self.site.breakers[CIRCUIT].state.heat)
        self.leases = self._held()
        self.trips_before = self.site.breakers[CIRCUIT].trips

    @property
    def since_s(self) -> float:
        """How long ago it was."""
        return self.site.time_s - self.killed_at_s

    @property
    def over(self) -> bool:
        """Whether all leases have lapsed and the cars have had the time to follow."""
        return self.lapsed_s is not None and self.since_s > self.lapsed_s + RESPONSE_S

    def take(self, dt_s: float, *, down: bool) -> None:
        """Look at the site after a step; `down` while Home Assistant is away."""
        if self.lapsed_s is None and self._held() == 0:
            self.lapsed_s = self.since_s
        current_a = self.site.current_a[CIRCUIT]
        for phase, current in enumerate(current_a):
            self.over_s[phase] = self.over_s[phase] + dt_s if current > self.fuse_a else 0.0
        self.longest_over_s = max(self.longest_over_s, *self.over_s)
        self.highest_a = max(self.highest_a, *current_a)
        self.highest_heat = max(self.highest_heat, *self.site.breakers[CIRCUIT].state.heat)
        if down and self.over:
            self.over_after_a = max(self.over_after_a, max(current_a) - self.limit_a)

    def _held(self) -> int:
        return sum(
            leads_higher(one, station.profiles.installed) for station in self.site.stations.values() for one in station.profiles.installed
        )

    @property
    def endurance_used(self) -> float:
        """The share of the heat that the breaker's warmest pole could still take at the kill which it took: 1 is where it lets go."""
        return max(0.0, (self.highest_heat - self.heat_before) / (NEVER_TRIPS**2 - self.heat_before))

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "kind": self.kind,
            "before_a": round(self.before_a, 1),
            "leases": self.leases,
            "highest_a": round(self.highest_a, 1),
            "longest_over_fuse_s": round(self.longest_over_s, 1),
            "leases_lapsed_after_s": None if self.lapsed_s is None else round(self.lapsed_s, 1),
            "breaker_endurance_used": round(self.endurance_used, 3),
            "over_limit_after_lapse_a": round(max(0.0, self.over_after_a), 2),
            "trips": self.site.breakers[CIRCUIT].trips - self.trips_before,
        }


def leads_higher(one: Installed, beside: Iterable[Installed]) -> bool:
    """Tell whether a profile is a lease that gives its car more than the fallback beside it: the end of another relieves nobody."""
    if one.purpose != TX:
        return False
    unit, most = _most(one)
    fallbacks = [_most(each) for each in beside if each.purpose == TX_DEFAULT and each.evse_id in (0, one.evse_id)]
    return not any(of_unit == unit and most <= fallback for of_unit, fallback in fallbacks)


def _most(one: Installed) -> tuple[str, float]:
    """Return the unit and the most that a profile ever gives."""
    schedule = one.profile["chargingSchedule"][0]
    return schedule["chargingRateUnit"], max(period["limit"] for period in schedule["chargingSchedulePeriod"])
