"""In which words one station is told its limits, and how the next are found where these came to nothing (`ladder.py`).

Whatever was told in the words before may hold beside what is told now, until it is withdrawn or lapses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import logging

from ..csms.abilities import Abilities, abilities, fitted, unit_of
from ..csms.dialect import Dialect, Handle
from ..csms.learnt import Attempt, Learnt, Outcome
from ..csms.quirks import Known, known_of
from ..csms.station import Station
from .clock import Clock
from .config import EvseKey
from .evse import EvseState
from .evse_facts import Problem
from .ladder import described, fallback_words, next_dialect
from .lapse import Lapse
from .snapshot import Obeying
from .unheeded import Attention

_LOGGER = logging.getLogger(__name__)

RESENDS, RESENDS_WHERE_IT_WORKED = 1, 3
"""How often a limit that is ignored is sent again before another dialect is tried."""
PATIENCE_S = 35.0
"""How long a station that nobody has seen follow may take for it (some take 30 s)."""
PATIENCE_LEAST_S = 10.0
PATIENCE_LATENCIES = 2.0
PROOFS = 2
"""So often a station is asked for a schedule that shows whether its leases end; of one that shows nothing then a lapse has to be seen."""


@dataclass(slots=True)
class Trial:
    """How it stands with an EVSE in doubt."""

    since: float | None = None
    """When a limit was confirmed in the present words; None while none was."""
    resends: int = 0
    resumed: bool = False
    """The doubt began soon after a suspension."""
    refused: str | None = None
    """The first step that was refused."""
    stuck: bool = False
    """Nothing more is tried: its station obeys elsewhere, or nothing is left."""


class Words:
    """How one station is told its limits. `evses` are those of the site."""

    def __init__(self, identity: str, clock: Clock) -> None:
        """Know nothing yet."""
        self._identity = identity
        self._clock = clock
        self._station: Station | None = None
        self.learnt = Learnt()
        self.known = Known()
        self._can = Abilities()
        self._start = Dialect()
        self._trials: dict[EvseKey, Trial] = {}
        self._attention: dict[EvseKey, Attention] = {}
        self._lapses: dict[EvseKey, Lapse] = {}
        self._proofs_left = PROOFS
        self.evses: Sequence[EvseState] = ()
        self._shown: Obeying | None = None
        self.station_limit_stale = False
        """The ceiling of the station has to be told anew."""

    @property
    def dialect(self) -> Dialect:
        """How it is told its limits now."""
        return self.learnt.dialect or self._start

    @property
    def unit(self) -> str:
        """The unit it is told limits in."""
        return unit_of(self.dialect, self._can)

    @property
    def patience_s(self) -> float:
        """How long it is given to follow a limit before it counts as ignored."""
        slow_s = self.learnt.follows.slow_s
        return PATIENCE_S if slow_s is None else max(PATIENCE_LEAST_S, PATIENCE_LATENCIES * slow_s)

    def lead(self, evses: Sequence[EvseState]) -> None:
        """Take over which EVSEs are the site's: one that is new is told its limits as the others are."""
        self.evses = evses
        if self._station is not None:
            self._apply()

    def _trial(self, evse: EvseState) -> Trial:
        if (trial := self._trials.get(evse.key)) is None:
            trial = self._trials[evse.key] = Trial()
        return trial

    def _attend(self, evse: EvseState) -> Attention:
        if (attention := self._attention.get(evse.key)) is None:
            attention = self._attention[evse.key] = Attention(heeded=evse.key.evse_id in self.learnt.heeded_by)
        return attention

    def _lapse(self, evse: EvseState) -> Lapse:
        if (lapse := self._lapses.get(evse.key)) is None:
            lapse = self._lapses[evse.key] = Lapse()
        return lapse

    def _may_climb(self, evse: EvseState) -> bool:
        return not self.learnt.exhausted and not self._trial(evse).stuck

    def _searches(self, evse: EvseState) -> bool:
        return evse.problem not in (None, Problem.UNANSWERED) and self._may_climb(evse)

    def meet(self, station: Station, *, booted: bool) -> None:
        """Take up a station that is ready: as it was left, or from the start where its firmware is new; a boot lets all be tried again."""
        self._station, self.learnt = station, station.learnt
        self._proofs_left = PROOFS
        info = station.info
        self.known = known_of(info)
        self._can = abilities(station.inventory, self.known.habits)
        self._start = fitted(self.known.dialect, self._can)
        if self.learnt.meet((info.vendor, info.model, info.firmware_version or "")):
            _LOGGER.info("Station %s has another firmware: what was learnt of it is learnt anew", self._identity)
        elif booted and self.learnt.exhausted:
            self.learnt.begin_again()
            self.learnt.dialect = None
        if self.learnt.dialect is not None:
            self.learnt.dialect = fitted(self.learnt.dialect, self._can)
        if booted and self.learnt.starts_refused:
            self.learnt.booted()
            station.learnt_changed()
        for evse in self.evses:
            if booted:
                self._trials.pop(evse.key, None)
                self._attention.pop(evse.key, None)
                self._lapses.pop(evse.key, None)
                self.learnt.heeded_by.discard(evse.key.evse_id)
            if evse.problem in (Problem.REJECTS, Problem.UNANSWERED):
                evse.problem = None
            evse.dialect = self.dialect
        self._apply()

    def _apply(self) -> None:
        self._shown = None
        slow_s = self.learnt.follows.slow_s
        ignored = any(one.outcome is Outcome.IGNORED for one in self.learnt.attempts)
        for evse in self.evses:
            evse.dialect = self.dialect
            self._apply_proof(evse)
            evse.follows_s, evse.answers_s = slow_s or 0.0, self.learnt.acknowledges.slow_s or 0.0
            stuck = evse.problem is Problem.DISOBEDIENT and self._trial(evse).stuck
            evse.uncontrolled = stuck or (self.learnt.exhausted and ignored)
            if evse.uncontrolled and evse.problem is None:
                evse.problem = Problem.DISOBEDIENT
                self._trial(evse).stuck = True

    def _apply_proof(self, evse: EvseState) -> None:
        lapse = self._lapse(evse)
        evse.unproven = self.dialect.holds_leases and not self.learnt.lease_ends
        evse.proving = evse.unproven and self._may_climb(evse) and (self._proofs_left > 0 or lapse.trials_left > 0)
        evse.lapses = evse.proving and self._proofs_left <= 0 and evse.problem is None and lapse.would_show(evse)

    def _keep(self) -> None:
        self._apply()
        if self._station is not None:
            self._station.learnt_changed()

    def refused_station_limit(self) -> None:
        """Take note that it holds no ceiling of the whole station: none is sent any more, for its EVSEs' limits hold."""
        if self.dialect.takes_station_limit:
            self.learnt.dialect = replace(self.dialect, takes_station_limit=False)
            self._start = replace(self._start, takes_station_limit=False)
            _LOGGER.info("Station %s takes no ceiling of its own: its EVSEs' limits hold", self._identity)
            self._keep()

    def _climb(self, evse: EvseState, outcome: Outcome, detail: str) -> bool:
        self.learnt.note(Attempt(dialect=self.dialect, outcome=outcome, at=self._clock.utcnow(), detail=detail))
        if self._elsewhere(evse, outcome):
            # Another EVSE of the station obeys what is told in these words: they are not what is wrong.
            self._trial(evse).stuck = True
            _LOGGER.warning("EVSE %s does not obey, though its station does elsewhere (%s)", evse.key, detail)
            self._keep()
            return False
        following = next_dialect(self._start, self._can, self.learnt.attempts)
        if following is None:
            self._give_up(detail)
            return False
        words, next_words = described(self.dialect, self._can), described(following, self._can)
        _LOGGER.info("Station %s: %s came to nothing (%s); trying %s", self._identity, words, detail, next_words)
        self._speak(following, outlasts=outcome is Outcome.OUTLASTED)
        self._trial(evse).resends = RESENDS + 1
        return True

    def _elsewhere(self, evse: EvseState, outcome: Outcome) -> bool:
        """Tell whether another EVSE of the station does what this one does not."""
        if outcome is Outcome.UNHEEDED:
            return any(each.heeded for key, each in self._attention.items() if key != evse.key)
        return outcome is not Outcome.OUTLASTED and bool(self.learnt.obeyed_by - {evse.key.evse_id})

    def _give_up(self, detail: str) -> None:
        self.learnt.exhausted = True
        _LOGGER.warning("Station %s obeys nothing that could be tried (%s): what it draws stays reserved", self._identity, detail)
        self._speak(self._start, outlasts=False)

    def _speak(self, dialect: Dialect, *, outlasts: bool) -> None:
        """Change the dialect. What was told in the one before may hold beside what is told now, until it is withdrawn or lapses."""
        before, self.learnt.dialect = self.dialect, None if dialect == self._start else dialect
        self.learnt.obeyed_by, self.learnt.heeded_by = set(), set()
        self._attention.clear()
        if (before.lease_end, before.handle) != (dialect.lease_end, dialect.handle):
            self.learnt.lease_ends, self._proofs_left = None, PROOFS
        elsewhere = Handle.STATION in (before.handle, dialect.handle) and before.handle is not dialect.handle
        for evse in self.evses:
            evse.supersede(outlasts=outlasts or not before.holds_leases, dialect=dialect)
            self._trial(evse).since = None
            if fallback_words(before, self._can) != fallback_words(dialect, self._can) or before.overwrites:
                evse.fallback_current = False
            if elsewhere and before.handle is Handle.STATION and not dialect.tells_station_limit:
                evse.leave(Handle.STATION, fallback=True)
        self.station_limit_stale = self.station_limit_stale or elsewhere
        self._keep()

    def shown(self) -> Obeying:
        """Return what people are shown of it, with the why."""
        if self._shown is not None:
            return self._shown
        self._shown = Obeying(
            dialect=described(self.dialect, self._can),
            why=self.known.why,
            attempts=tuple(
                f"{one.at:%Y-%m-%d %H:%M} {described(one.dialect, self._can)}: {one.outcome} {one.detail}".strip()
                for one in self.learnt.attempts
            ),
            searching=any(self._searches(evse) for evse in self.evses),
            exhausted=self.learnt.exhausted,
            lease_ends=self.learnt.lease_ends,
            acknowledges_s=self.learnt.acknowledges.slow_s,
            follows_s=self.learnt.follows.slow_s,
        )
        return self._shown
