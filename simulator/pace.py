"""How far a site's physics may be stepped at once: finely while something moves, coarsely while nothing does."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .site import SimulatedSite

STILL_A = 0.3
"""A car whose draw changes by less in a step stands still."""


@dataclass(slots=True, kw_only=True)
class Pace:
    """Steps for a site. `moments` are the times at which it is known that something happens: a step ends there, and fine ones follow.

    A coarse step is a little shorter than the time after which the loop turns without a reading: so it turns once for each.
    """

    moments: Iterable[float] = ()
    fine_s: float = 1.0
    coarse_s: float = 4.9
    settles_s: float = 10.0
    """So long after something happened the steps stay fine."""
    _times: list[float] = field(default_factory=list)
    _stirred_until_s: float = 0.0
    _draws_a: dict[tuple[str, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put the moments in order."""
        self._times = sorted(set(self.moments))

    def stir(self, now_s: float, for_s: float | None = None) -> None:
        """Something happened that takes a while to settle: as long as it takes to see whether anything moves, or `settles_s`."""
        self._stirred_until_s = max(self._stirred_until_s, now_s + (self.settles_s if for_s is None else for_s))

    def next_s(self, site: SimulatedSite, now_s: float) -> float:
        """Return how long the next step may be at `now_s`."""
        place = bisect_right(self._times, now_s + 1e-6)
        if place and now_s - self._times[place - 1] < self.fine_s:
            self.stir(now_s)
        if self._moves(site):
            self.stir(now_s, self.fine_s)
        longest_s = self.fine_s if now_s < self._stirred_until_s else self.coarse_s
        return longest_s if place == len(self._times) else min(longest_s, self._times[place] - now_s)

    def _moves(self, site: SimulatedSite) -> bool:
        facts: Mapping[str, float] = {circuit_id: each.limit_a for circuit_id, each in site.recorder.circuits.items()}
        moves = any(max(site.current_a[circuit_id]) > limit_a for circuit_id, limit_a in facts.items())
        for identity, station in site.stations.items():
            moves = moves or not station.linked or not station.outbox.online
            for evse_id, evse in station.evses.items():
                key, draw_a = (identity, evse_id), evse.car_state.draw_a
                moves = moves or evse.target_a != evse.pilot_a or abs(draw_a - self._draws_a.get(key, 0.0)) > STILL_A
                moves = moves or evse.authorize_at is not None or evse.car_state.unfollowed_s > 0.0
                moves = moves or (evse.car is not None and 0.0 < evse.car_state.offered_s < evse.car.wake_s + self.fine_s)
                self._draws_a[key] = draw_a
        return moves
