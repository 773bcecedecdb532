"""What is to be done next at one station, by what the loop wants and the station is known to hold, and each step that does it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
import logging
from typing import Protocol

from ..csms.correction import Drop, Put, Step as Correction
from ..csms.errors import CallError, CallRejectedError, StationError, StationOfflineError
from ..csms.profiles import LEASE
from ..csms.reconciliation import Installed
from ..csms.station import Station
from .backoff import Backoff, Place
from .clock import Clock
from .evse import EvseState
from .lateness import UNCONFIRMED_S
from .obedience import Obedience
from .others import look, next_correction
from .proof import ask
from .reconcile import adopt, in_force
from .standing import StandingLimits
from .standing_limit import StandingLimit, Storing, stored_copies
from .storing import store, take_away
from .survey import Survey
from .writes import clear_lease, install_fallback, install_lease, withdraw

_LOGGER = logging.getLogger(__name__)

OTHERS = "another's profile"
NO_WRITES = frozenset({"sample", "status", "transaction", "proof", "survey"})
TOLD_S = 20.0
"""A station that was asked for its transactions has told of them by then."""


class Report(Protocol):
    """How an installer tells the loop what came of its orders."""

    def confirmed(self, evse: EvseState, latency_s: float) -> None:
        """Take note that a limit of this EVSE was confirmed."""

    def renewed(self, evse: EvseState, latency_s: float) -> None:
        """Take note that its lease was confirmed again, with the limit that held before."""

    def failed(self, evse: EvseState) -> None:
        """Take note that a limit of this EVSE was not."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call to make. The lowest `urgency` goes first."""

    urgency: int
    name: str
    evse: EvseState | None
    run: Callable[[Station], Awaitable[None]]

    @property
    def place(self) -> Place:
        """What it is known by where it fails."""
        return None if self.evse is None else self.evse.key, self.name


def _urgency(step: Step) -> int:
    return step.urgency


class Steps:
    """What is known of one station's limits, and what follows for it: cuts first, the newest wish wins."""

    def __init__(self, identity: str, clock: Clock, report: Report) -> None:
        self._identity = identity
        self._clock = clock
        self._report = report
        self.obedience = Obedience(identity, clock)
        self._woken = asyncio.Event()
        self._backoff = Backoff()
        self.quiet = False
        """Nothing is to be sent but fallbacks that are wanted all the same."""
        self.station: Station | None = None
        """The open connection, None while the station is away or not ready."""
        self._evses: Sequence[EvseState] = ()
        self.wanted_station_a: float | None = None
        self.station_a: float | None = None
        """The station's ceiling as confirmed."""
        self.station_current = False
        """It was confirmed since the station last booted."""
        self.writes_today = 0
        self.latency_s: float | None = None
        self._samples_on_request = True
        self._not_answered: set[Place] = set()
        """What it left unanswered too often on this connection to be asked once more."""
        self._ceiling_told = False
        """It was told since the station was asked what it holds: the answer may not show that."""
        self.survey = Survey(identity, clock, self._surveyed)
        self.standing = StandingLimits()
        """Limits of persons, some to be stored in the station."""

    def wake(self) -> None:
        """Look again at what is wanted."""
        self._woken.set()

    @property
    def evses(self) -> Sequence[EvseState]:
        """The EVSEs of the site that it writes to."""
        return self._evses

    @evses.setter
    def evses(self, evses: Sequence[EvseState]) -> None:
        self._evses = evses
        self.obedience.lead(evses)

    def next_step(self, now: float) -> Step | None:
        """Return the most urgent step that is not held back for having failed; None where there is none."""
        if self.quiet:
            return self._first((self._fallback_step(evse) for evse in self.evses if evse.fallback_differs), now)
        if self.survey.due(now):
            return Step(0, "survey", None, self._ask_what_it_holds)
        surveyed = self.survey.under_way(now)
        steps = [] if surveyed else [step for step in self._station_steps() if not self._backoff.holds_back(step.place, now)]
        for evse in self._evses:
            step = self._first(self._evse_steps(evse, now), now)
            if step is not None and (not surveyed or step.urgency in (0, 6)):
                steps.append(step)
        return min(steps, key=_urgency, default=None)

    def _first(self, steps: Iterable[Step], now: float) -> Step | None:
        """Return the first step that is not held back for having failed."""
        for step in steps:
            if not self._backoff.holds_back(step.place, now) and step.place not in self._not_answered:
                return step
        return None

    def _station_steps(self) -> list[Step]:
        steps = []
        if self.obedience.station_limit_stale:
            self.obedience.station_limit_stale = self.station_current = False
        wanted_a = self.wanted_station_a
        limit_differs = wanted_a is not None and (not self.station_current or self.station_a not in (None, wanted_a))
        if self.station is not None and (correction := next_correction(self.station, self._evses, wanted_a if limit_differs else None)):
            # Ours may be refused until it is made, and what it makes way for may be a lease.
            urgency = 0 if isinstance(correction, Put) and correction.placed.purpose == LEASE else 1
            steps.append(Step(urgency, OTHERS, None, partial(self._correct, correction)))
        if limit_differs:
            steps.append(Step(2, "station limit", None, self._install_station_limit))
        if cleared := self.standing.cleared(self._identity):
            steps.append(Step(4, "person's limit", None, partial(self._take_away, cleared[0])))
        waiting = [limit for limit in self.standing.at(self._identity) if limit.storing is Storing.WAITING]
        if waiting and all(evse.guarded for evse in self.evses):
            steps.append(Step(4, "person's limit", None, partial(self._store, waiting[0])))
        return steps

    async def _store(self, limit: StandingLimit, station: Station) -> None:
        """Have the station hold a copy of a person's limit; where that can't be, Headroom alone keeps the limit."""
        try:
            self.standing.put(await store(station, limit))
        except StationOfflineError:
            raise
        except (ValueError, StationError) as error:
            self.standing.put(replace(limit, storing=Storing.REFUSED))
            _LOGGER.info("Station %s holds no copy of the limit %d, which is kept here: %s", self._identity, limit.profile_id, error)
        else:
            self.writes_today += 1

    async def _take_away(self, limit: StandingLimit, station: Station) -> None:
        """Have the station forget its copy of a person's limit that is over."""
        try:
            await take_away(station, limit)
        except (CallRejectedError, CallError) as error:
            _LOGGER.info("Station %s keeps its copy of the limit %d, which is over: %s", self._identity, limit.profile_id, error)
        self.standing.remove(limit)
        self.writes_today += 1

    def next_limit(self, now: float) -> Step | None:
        """Return the most urgent lease or fallback alone, whatever else there is to be done."""
        limits = (self._first(self._limit_steps(evse), now) for evse in self.evses)
        return min((step for step in limits if step is not None), key=_urgency, default=None)

    def _limit_steps(self, evse: EvseState) -> Iterator[Step]:
        order = evse.wanted_lease
        if order is not None and order.urgent:
            yield Step(0, "lease", evse, partial(self._install_lease, evse))
        if evse.fallback_differs:
            yield self._fallback_step(evse)
        if order is not None and not order.urgent:
            yield Step(3, "lease", evse, partial(self._install_lease, evse))

    def _fallback_step(self, evse: EvseState) -> Step:
        return Step(1, "fallback", evse, partial(self._install_fallback, evse))

    def _evse_steps(self, evse: EvseState, now: float) -> Iterator[Step]:
        """Yield what is to be done at an EVSE, in turn: the next one where one has failed and waits."""
        if evse.wanted_lease is not None or evse.fallback_differs:
            yield from self._limit_steps(evse)
        else:
            if evse.wanted_clear:
                yield Step(4, "clear", evse, partial(self._clear, evse))
            if evse.withdraw and evse.fallback_current:
                yield Step(4, "withdraw", evse, partial(self._withdraw, evse))
            if self.station is not None and self.obedience.wants_proof(evse, now) and self.station.clock_sure:
                yield Step(5, "proof", evse, partial(self._prove, evse))
        if evse.sample_at <= now and evse.session is not None:
            yield Step(6, "sample", evse, partial(self._sample, evse))
        if evse.status_unknown:
            yield Step(6, "status", evse, partial(self._ask_status, evse))
        if evse.transaction_unknown:
            yield Step(6, "transaction", evse, partial(self._ask_transaction, evse))

    async def _ask_what_it_holds(self, station: Station) -> None:
        self._ceiling_told = False
        for evse in self.evses:
            evse.told = False
        await self.survey.begin(station)

    def _surveyed(self, found: Installed | None) -> None:
        self.wake()
        if found is None:
            return
        now = self._clock.monotonic()
        if found.station_limit is not None and not self._ceiling_told and found.station_limit.as_worded:
            self.station_a, self.station_current = found.station_limit.limit_a, True
            if self.wanted_station_a is not None and in_force(found.station_limit, self.wanted_station_a):
                self.station_a = self.wanted_station_a
        if self.station is not None:
            copies = stored_copies(self.standing.at(self._identity), found.foreign, self._clock.utcnow())
            self.station.recognise({profile_id for one in copies if (profile_id := one.profile_id) is not None})
        for evse in self.evses:
            if not evse.told:
                before_a = max(evse.installed_a(now), evse.inherited_a)
                adopt(evse, found, now, self._clock.utcnow())
                evse.change(before_a, now)
            self._report.confirmed(evse, 0.0)
        self._look()

    def _look(self) -> None:
        """See which EVSEs others may lead."""
        if self.station is None:
            return
        changed = look(self.station, self.evses, self._clock.monotonic())
        self.survey.repeat(keeps=any(evse.keeps_foreign for evse in self.evses))
        for evse in changed:
            if evse.keeps_foreign:
                _LOGGER.warning("EVSE %s: its station keeps another system's profile, which leads: no new car may charge there", evse.key)
            self._report.confirmed(evse, 0.0)

    async def _install_station_limit(self, station: Station) -> None:
        limit_a = self.wanted_station_a
        if limit_a is None:
            return
        self._ceiling_told = True
        told = await station.install_station_limit(limit_a)
        self.station_a, self.station_current = limit_a if told else None, True
        self.writes_today += told

    async def _correct(self, correction: Correction, station: Station) -> None:
        believed = await station.correct(correction)
        if not believed:
            self.survey.want()
        match correction:
            case Put():
                self.writes_today += 1
            case Drop(profile_id) if believed:
                _LOGGER.info("Station %s: the profile %d, which is not the house's, is cleared", self._identity, profile_id)
                self.standing.dropped(self._identity, profile_id)
        self._look()

    async def _install_fallback(self, evse: EvseState, station: Station) -> None:
        if await install_fallback(evse, station, self._clock):
            self._look()

    async def _install_lease(self, evse: EvseState, station: Station) -> None:
        await install_lease(evse, station, self._clock)

    async def _clear(self, evse: EvseState, station: Station) -> None:
        await clear_lease(evse, station, self._clock)

    async def _withdraw(self, evse: EvseState, station: Station) -> None:
        await withdraw(evse, station, self._clock)

    async def _prove(self, evse: EvseState, station: Station) -> None:
        lease, asked_at = evse.lease, self._clock.monotonic()
        schedule = await ask(evse, station, self.obedience.unit, asked_at)
        if lease is not None and evse.lease == lease:
            self.obedience.proof(evse, schedule, asked_at)
            self._report.confirmed(evse, self.latency_s or 0.0)

    async def _sample(self, evse: EvseState, station: Station) -> None:
        evse.sample_at = self._clock.monotonic() + 60.0
        late = (self.latency_s or 0.0) > UNCONFIRMED_S and not self.obedience.known.habits.samples_only_on_request
        if self._samples_on_request and not late:  # a cut would wait for the answer, and the next sample comes by itself
            await station.trigger("MeterValues", evse.key.evse_id)

    async def _ask_transaction(self, evse: EvseState, station: Station) -> None:
        try:
            await station.trigger("TransactionEvent", evse.key.evse_id)
        except (CallRejectedError, CallError) as error:
            _LOGGER.debug("EVSE %s is not told of by its transaction: %s", evse.key, error)
        evse.transaction_unknown, evse.heard_at = False, self._clock.monotonic() + TOLD_S

    async def _ask_status(self, evse: EvseState, station: Station) -> None:
        try:
            await station.trigger("StatusNotification", evse.key.evse_id)
        except (CallRejectedError, CallError) as error:
            _LOGGER.debug("EVSE %s does not tell its status when asked: %s", evse.key, error)
        evse.status_unknown = False
