"""The loop on paper: what it would tell each car, as if it were obeyed, while nothing is sent; and what would have come of it.

The building is the real one. Of each EVSE there is a paper copy that holds what it would be told; its car draws as the real one does,
but never above that. One that got less on paper than it took in truth goes on afterwards as it charged at its best, while it is there.
"""

from collections.abc import Mapping, Sequence
import copy
from dataclasses import dataclass, replace
from datetime import datetime
import math

from ..csms.dialect import Dialect
from ..csms.values import UNKNOWN, MeterSample, TerminalValues
from ..demand_response.limits import ExternalLimits
from ..engine.model import PerPhase
from ..engine.unmanaged import add, subtract, total
from .circuit import CircuitState
from .comparison import Compared, Comparison
from .config import EvseKey, Mode, SiteConfig
from .evse import EvseState
from .lasting import fallbacks
from .limits import Lease
from .needs import Needed
from .orders import remember
from .peak import PeakCeiling
from .planning import Sharing
from .room import path_ids
from .snapshot import MeterHealth
from .turn import Turn, decide

OVER_A = 0.5
"""By more than the noise of two meters."""
OWED_WH = 50.0
"""A car that is behind by less is not behind: two energies are never quite the same."""
_ON_PAPER = (
    *("session", "past", "current_a", "power_w", "measured_at", "drawing_since", "demand", "peak_a", "overdraw_since", "excess_a"),
    *("lease", "fallback_a", "wanted_fallback_a", "previous_a", "left", "changed_at", "roomy_since", "followed", "followed_s", "cut_since"),
    *("swinging", "held_steady"),
)
"""What a paper EVSE has of its own while a session lasts; the rest is the real one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paper:
    """A paper EVSE, the most its car was seen to take in truth, and by how much it is behind the real one."""

    evse: EvseState
    full_a: TerminalValues = UNKNOWN
    owed_wh: float = 0.0


class Shadow:
    """The paper EVSEs, and the comparison so far. It changes nothing of the real ones."""

    def __init__(self, comparison: Comparison | None = None) -> None:
        """Go on with a comparison that was kept over a restart."""
        self.comparison = comparison
        self._papers: Mapping[EvseKey, _Paper] = {}
        self._turned_at: float | None = None

    def turn(
        self,
        circuits: Mapping[str, CircuitState],
        evses: Sequence[EvseState],
        external: ExternalLimits,
        config: SiteConfig,
        sharing: Sharing,
        *,
        now: float,
        utcnow: datetime,
        peak: PeakCeiling | None = None,
    ) -> tuple[Turn, set[EvseKey]]:
        """Return what the loop would tell each car, and for which that is another limit than before."""
        elapsed_s = 0.0 if self._turned_at is None else now - self._turned_at
        self._turned_at = now
        self._papers = {evse.key: _follow(self._papers.get(evse.key), evse, config, elapsed_s, now) for evse in evses}
        papers = [paper.evse for paper in self._papers.values()]
        shares_a = fallbacks(circuits, papers)
        for paper in papers:
            paper.fallback_a = paper.wanted_fallback_a = shares_a[str(paper.key)]
        turn = decide(circuits, papers, external, config, Mode.DYNAMIC, sharing, now, peak)
        changed = {paper.key for paper in papers if _obey(paper, turn, now)}
        remember(papers, turn, elapsed_s, now)
        self._compare(circuits, evses, turn, config, elapsed_s, utcnow)
        return turn, changed

    def _compare(
        self,
        circuits: Mapping[str, CircuitState],
        evses: Sequence[EvseState],
        turn: Turn,
        config: SiteConfig,
        elapsed_s: float,
        utcnow: datetime,
    ) -> None:
        """Put the time since the turn before to what was and to what would have been."""
        before = self.comparison or Comparison(since=utcnow)
        compared = {}
        paths = {circuit_id: path_ids(circuits, circuit_id) for circuit_id in circuits}
        for circuit_id, state in circuits.items():
            earlier = before.circuits.get(circuit_id, Compared())
            compared[circuit_id] = earlier
            if state.reading is None or state.health is not MeterHealth.OK:
                continue
            below = [evse for evse in evses if circuit_id in paths[evse.circuit_id]]
            real_a = total(evse.measured_per_phase() for evse in below)
            paper_a = total(self._papers[evse.key].evse.measured_per_phase() for evse in below)
            was_a = state.reading.current_a
            would_a = add(subtract(was_a, real_a), paper_a)
            limit_a = turn.limits_a[circuit_id]
            compared[circuit_id] = Compared(
                over_limit_s=earlier.over_limit_s + elapsed_s * _over(was_a, limit_a),
                would_over_limit_s=earlier.would_over_limit_s + elapsed_s * _over(would_a, limit_a),
                highest_a=max(earlier.highest_a, *was_a),
                would_highest_a=max(earlier.would_highest_a, *would_a),
            )
        papers = [paper.evse for paper in self._papers.values()]
        self.comparison = Comparison(
            since=before.since,
            energy_wh=before.energy_wh + sum(_power_w(evse, config) for evse in evses) * elapsed_s / 3600,
            would_energy_wh=before.would_energy_wh + sum(_power_w(evse, config) for evse in papers) * elapsed_s / 3600,
            circuits=compared,
        )


def _follow(before: _Paper | None, real: EvseState, config: SiteConfig, elapsed_s: float, now: float) -> _Paper:
    """Return the paper EVSE as of now: the real one, well behaved, its car held to what the paper one was told."""
    paper = copy.copy(real)
    paper.problem, paper.uncontrolled, paper.exceeding, paper.overruled, paper.foreign = None, False, False, False, False
    paper.dialect, paper.unproven, paper.proving, paper.lapses = Dialect(), False, False, False
    paper.unanswered_lease_a = paper.unanswered_fallback_a = paper.inherited_a = 0.0
    paper.first_lease = paper.former = paper.found_lease = paper.recalled = paper.in_flight_a = None
    paper.coming = 0
    if real.session is None or before is None or before.evse.session is None:
        return _begin(paper, now)
    if before.evse.session.transaction_id != real.session.transaction_id:
        return _begin(paper, now)
    for name in _ON_PAPER:
        setattr(paper, name, getattr(before.evse, name))
    full_a = max(before.full_a, real.current_a, key=lambda terminals: max(each or 0.0 for each in terminals))
    owed_wh = before.owed_wh + (_power_w(real, config) - _power_w(paper, config)) * elapsed_s / 3600
    paper.needed = _still_needed(real.needed, owed_wh)
    if real.measured_at > paper.measured_at and real.current_a != UNKNOWN:
        wants_a = full_a if owed_wh > OWED_WH else real.current_a
        paper.measure(MeterSample(current_a=_held_to(wants_a, paper.limit_a(now))), now)
    return _Paper(evse=paper, full_a=full_a, owed_wh=owed_wh)


def _still_needed(needed: Needed, owed_wh: float) -> Needed:
    """Return what the paper car still needs: what the real one does, and what it got less."""
    if needed.need.energy_wh is None:
        return needed
    return replace(needed, need=replace(needed.need, energy_wh=max(0.0, needed.need.energy_wh + owed_wh)))


def _begin(paper: EvseState, now: float) -> _Paper:
    """Return an EVSE without a session, or with one that only just began to be looked at: nothing holds on paper but the fallback."""
    paper.lease, paper.previous_a, paper.left, paper.changed_at, paper.cut_since = None, 0.0, (), now, math.inf
    return _Paper(evse=paper, full_a=paper.current_a)


def _held_to(wants_a: TerminalValues, limit_a: float) -> TerminalValues:
    l1, l2, l3 = (None if each is None else min(each, limit_a) for each in wants_a)
    return (l1, l2, l3)


def _obey(paper: EvseState, turn: Turn, now: float) -> bool:
    """Take over what a car would be told; True where that is another limit than before."""
    told_a = turn.told_a.get(str(paper.key))
    if told_a is None or paper.session is None:
        return False
    before_a = paper.limit_a(now)
    paper.lease = Lease(transaction_id=paper.session.transaction_id, limit_a=told_a, expires_at=now + turn.leases.length_s(paper))
    paper.change(before_a, now)
    return told_a != before_a


def _over(load_a: PerPhase, limit_a: PerPhase) -> bool:
    return any(load > limit + OVER_A for load, limit in zip(load_a, limit_a, strict=True))


def _power_w(evse: EvseState, config: SiteConfig) -> float:
    return 0.0 if evse.session is None else sum(each or 0.0 for each in evse.current_a) * config.voltage_v
