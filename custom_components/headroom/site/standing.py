"""Limits that a person set and that stand until they lapse or are cleared: charging profiles, kept by the loop and, if wanted, in the station.

One profile is the whole of it: the loop reads from it what the EVSE or the station may give now, by the same engine that reckons what
the station will do, so that it asks for no more than the station gives and hands the rest to others. It can only lower.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
import logging
import math
from typing import Any

from ..csms import composite
from ..csms.composite import Transaction
from ..csms.fields import optional_moment, optional_text
from ..csms.profiles import IDS_EACH
from .config import EvseKey
from .evse import EvseState
from .limits import LimitsOverTime
from .standing_limit import StandingLimit, Storing, least_a, rebased
from .stations import StationState

_LOGGER = logging.getLogger(__name__)

FIRST_ID = 5000
"""Their ids are apart from those of the house's own profiles."""
SOURCE = "person"
LOOK_AHEAD_S = 86_400.0
"""So far ahead the next change is looked for."""
AGAIN_S = 60.0
"""So soon what limits come to is reckoned anew, for the clock on the wall may be set meanwhile."""


@dataclass(slots=True)
class _Course:
    """What the limits on one subject come to, until they may say something else."""

    until: float = -math.inf
    transaction: Transaction | None = None
    phases: int = 0
    voltage_v: float = 0.0
    limits: LimitsOverTime | None = None
    least_a: float = 0.0


@dataclass(slots=True)
class StandingLimits:
    """All of a site's. Whoever changes one has the site's memory kept."""

    _limits: dict[tuple[str, int], StandingLimit] = field(default_factory=dict)
    _courses: dict[EvseKey, _Course] = field(default_factory=dict)
    _changed: bool = True
    _given: dict[str, int] = field(default_factory=dict)
    """The id that a station was given last."""

    def recall(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Take over what was kept over a restart; whether stations still hold their copies is seen once they are asked."""
        for document in documents:
            try:
                limit = StandingLimit.from_document(document)
            except (ValueError, KeyError, TypeError) as error:
                _LOGGER.warning("A limit that was kept can't be read, and holds no more: %r", error)
                continue
            if limit.storing is Storing.STORED:
                limit = replace(limit, storing=Storing.WAITING)
            self._limits[limit.key] = limit

    def documents(self) -> list[dict[str, Any]]:
        """Return them as JSON-able data."""
        return [limit.document() for limit in self._limits.values()]

    def at(self, station: str, evse_id: int | None = None, profile_id: int | None = None) -> Sequence[StandingLimit]:
        """Return those on a station: all, those about an EVSE (0: the station itself), or the one of an id."""
        return [
            limit
            for limit in self._of(station)
            if limit.storing is not Storing.CLEARED and evse_id in (None, limit.evse_id) and profile_id in (None, limit.profile_id)
        ]

    def cleared(self, station: str) -> Sequence[StandingLimit]:
        """Return those of a station that are over and whose copies it may still hold."""
        return [limit for limit in self._of(station) if limit.storing is Storing.CLEARED]

    def _of(self, station: str) -> Sequence[StandingLimit]:
        return [limit for limit in self._limits.values() if limit.station == station]

    def free_id(self, station: str) -> int:
        """Return an id that no standing limit of a station has. Raises ValueError where there is none left."""
        taken, first = {limit.profile_id for limit in self._of(station)}, self._given.get(station, -1) + 1
        for number in range(first, first + IDS_EACH):
            if (profile_id := FIRST_ID + number % IDS_EACH) not in taken:
                self._given[station] = number % IDS_EACH
                return profile_id
        raise ValueError(f"{station} has {IDS_EACH} limits")

    def put(self, limit: StandingLimit) -> None:
        """Keep a limit, in place of the one with its id."""
        self._limits[limit.key] = limit
        self._courses.clear()
        self._changed = True

    def remove(self, limit: StandingLimit) -> None:
        """Forget a limit."""
        self._limits.pop(limit.key, None)
        self._courses.clear()
        self._changed = True

    def dropped(self, station: str, profile_id: int) -> None:
        """Take note that a station's copy was taken away, for it would have allowed more than a new limit of the house's."""
        for limit in self.at(station, profile_id=profile_id):
            self.put(replace(limit, storing=Storing.REFUSED))

    def of_stations(self, stations: Iterable[str]) -> None:
        """Forget those of stations that the site does not have any more."""
        for limit in [limit for limit in self._limits.values() if limit.station not in stations]:
            self.remove(limit)

    def reconnected(self, station: str) -> None:
        """Take note that what a station holds is to be looked at anew: what it refused may be possible now."""
        for limit in self.at(station):
            if limit.storing in (Storing.STORED, Storing.REFUSED):
                self.put(replace(limit, storing=Storing.WAITING))

    def tidy(self, evses: Mapping[EvseKey, EvseState], utcnow: datetime) -> bool:
        """Forget what has lapsed and whose transaction is over, and follow summer time; True where something changed."""
        changed = False
        for limit in list(self._limits.values()):
            ends, transaction_id = optional_moment(limit.profile, "validTo"), optional_text(limit.profile, "transactionId")
            evse = evses.get(EvseKey(limit.station, limit.evse_id))
            over = transaction_id is not None and evse is not None and evse.ready and evse.heard
            if (ends is not None and ends <= utcnow) or (over and transaction_id != _transaction_id(evse)):
                self.remove(limit)
                changed = True
            elif (moved := rebased(limit, utcnow)) is not limit:
                again = Storing.WAITING if moved.storing in (Storing.STORED, Storing.REFUSED) else moved.storing
                self.put(replace(moved, storing=again))
                changed = True
        return changed

    def apply(
        self,
        evses: Mapping[EvseKey, EvseState],
        stations: Mapping[str, StationState],
        *,
        voltage_v: float,
        utcnow: datetime,
        now: float,
    ) -> None:
        """Write down what they come to now, for each EVSE and for stations as a whole."""
        if not self._limits and not self._changed:
            return
        self._changed = False
        about: dict[EvseKey, list[StandingLimit]] = {}
        for limit in self._limits.values():
            if limit.storing is Storing.CLEARED:
                continue
            about.setdefault(EvseKey(limit.station, limit.evse_id), []).append(limit)
        phases: dict[str, int] = {}
        for key, evse in evses.items():
            transaction = None
            if evse.session is not None:
                transaction = Transaction(transaction_id=evse.session.transaction_id, started_at=evse.session.started_at)
            own, whole = about.get(key, []), about.get(EvseKey(key.station, 0), [])
            # Watts are for the phases they name, or all of the EVSE's, whatever the car's: as its station reckons.
            course = self._course(key, own, transaction, len(evse.config.grid_phases), voltage_v, utcnow, now)
            evse.standing, evse.standing_least_a = course.limits, course.least_a
            evse.standing_stored = bool(own) and all(limit.storing is Storing.STORED for limit in own)
            evse.stored_limit = any(limit.storing is Storing.STORED for limit in (*own, *whole))
            phases[key.station] = max(phases.get(key.station, 1), len(evse.config.grid_phases))
        for station, supplied in phases.items():
            key = EvseKey(station, 0)
            course = self._course(key, about.get(key, []), None, supplied, voltage_v, utcnow, now)
            if (state := stations.get(station)) is not None:
                state.external.pop(SOURCE, None)
                if course.limits is not None:
                    state.external[SOURCE] = course.limits

    def _course(
        self,
        key: EvseKey,
        limits: Sequence[StandingLimit],
        transaction: Transaction | None,
        phases: int,
        voltage_v: float,
        utcnow: datetime,
        now: float,
    ) -> _Course:
        known, transaction_id = self._courses.get(key), None if transaction is None else transaction.transaction_id
        by = (transaction, phases, voltage_v)
        if known is not None and now < known.until and (known.transaction, known.phases, known.voltage_v) == by:
            return known
        terms = [limit.terms for limit in limits]
        terms = [one for one in terms if one.transaction_id in (None, transaction_id)]
        said = [limit for one in terms if (limit := composite.said(one, utcnow, transaction, phases=phases, voltage_v=voltage_v))]
        situation = composite.Situation(
            installed=terms, transactions={} if transaction is None else {key.evse_id: transaction}, voltage_v=voltage_v
        )
        ahead = [at for at in composite.change_points(situation, utcnow, LOOK_AHEAD_S) if at > utcnow]
        after_s = min(((at - utcnow).total_seconds() for at in ahead), default=LOOK_AHEAD_S)
        # Until then nothing in it changes, unless the clock on the wall is set.
        course = _Course(until=now + min(after_s, AGAIN_S), transaction=transaction, phases=phases, voltage_v=voltage_v)
        if terms:
            lowest_a = min((limit.limit_a for limit in said), default=math.inf)
            course.limits = LimitsOverTime(starts_at=now, periods=((0.0, lowest_a), (after_s, lowest_a)))
            course.least_a = max((least_a(limit, utcnow, transaction, phases, voltage_v) for limit in limits), default=0.0)
        self._courses[key] = course
        return course


def _transaction_id(evse: EvseState | None) -> str | None:
    return None if evse is None or evse.session is None else evse.session.transaction_id
