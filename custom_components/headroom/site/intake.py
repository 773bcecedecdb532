"""Takes what stations say of their EVSEs into the loop's picture of them, and sessions into the records."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
import logging
import math

from ..csms.events import ChargingLimit, EventsLost, Metered, StatusChanged, TransactionEvent
from ..csms.needs import EvNeeds
from ..csms.values import ChargingState, ConnectorStatus, MeterSample, TransactionPhase
from ..ledger.records import DecisionRecord, LedgerError, SessionRecord
from .clock import Clock
from .config import EvseKey
from .evse import EvseState
from .limits import LimitsOverTime
from .remote_start import take_up
from .session import JUST_NOW, Session, advanced, begun, energy_of, is_newest, is_of_the_past, is_over, record_id
from .stations import Journal
from .steady import steady

_LOGGER = logging.getLogger(__name__)

MOST_PAST = 256
"""Sessions that are over and of which late words may come: so many are remembered."""
SUSPENDED = (ChargingState.SUSPENDED_EV, ChargingState.SUSPENDED_EVSE)


class Intake:
    """The one place where a station's events change an EVSE's state."""

    def __init__(
        self,
        evses: Mapping[EvseKey, EvseState],
        clock: Clock,
        journal: Journal | None,
        *,
        clock_offset_s: Callable[[str], float] = lambda identity: 0.0,
    ) -> None:
        """`evses` is the loop's own mapping, read afresh at every event; `clock_offset_s` returns a station's clock minus ours."""
        self._clock_offset_s = clock_offset_s
        self._evses = evses
        self._clock = clock
        self._journal = journal
        self._past: OrderedDict[tuple[str, str], Session] = OrderedDict()
        """Sessions of which late words came, by station and name in the records."""

    def take(self, identity: str, event: StatusChanged | TransactionEvent | Metered) -> bool:
        """Take in one event; returns whether a turn has to look at it now. Events of EVSEs that the site does not have are let go."""
        evse = None if isinstance(event, StatusChanged) else self._evse_of(identity, event)
        before = None if evse is None else steady(evse, self._clock.monotonic())
        self._take(identity, event)
        return evse is None or before is None or not before.goes_on(steady(evse, self._clock.monotonic()))

    def _take(self, identity: str, event: StatusChanged | TransactionEvent | Metered) -> None:
        match event:
            case StatusChanged():
                self._status(identity, event)
            case TransactionEvent():
                self._transaction(identity, event)
            case Metered():
                if (evse := self._evses.get(EvseKey(identity, event.evse_id))) is not None:
                    self._measure(evse, event.samples)

    def needs(self, identity: str, needs: EvNeeds) -> None:
        """Take in what a car needs; a limit is told at once, changed or not, for the car waits for one (K15.FR.07)."""
        evse = self._evses.get(EvseKey(identity, needs.evse_id))
        if evse is not None and evse.session is not None:
            evse.session = replace(evse.session, needs=needs, needs_from_wh=evse.session_energy_wh or 0.0)
            evse.resend = True

    def lost(self, identity: str, event: EventsLost) -> None:
        """Take note that a station will not deliver some events of a transaction: its record shows it."""
        gaps = ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in event.gaps)
        _LOGGER.warning("Station %s has lost events %s of the transaction %s", identity, gaps, event.transaction_id)
        if self._journal is not None:
            self._journal.record_decision(
                DecisionRecord(
                    at=self._clock.utcnow(),
                    trigger="events_lost",
                    document={
                        "station": identity,
                        "evse_id": event.evse_id,
                        "transaction_id": event.transaction_id,
                        "gaps": [list(gap) for gap in event.gaps],
                    },
                )
            )

    def limit(self, identity: str, event: ChargingLimit, station: dict[str, LimitsOverTime]) -> None:
        """Take in a limit that somebody else set at the station, or that is gone; one of the whole station goes into `station`."""
        evses = [evse for key, evse in self._evses.items() if key.station == identity]
        wide = event.evse_id in (None, 0)
        held = [station] if wide else [evse.external for evse in evses if evse.key.evse_id == event.evse_id]
        if event.cleared and wide:
            held += [evse.external for evse in evses]  # K13: no EVSE named, all of them
        for limits in held:
            limits.pop(event.source, None)
            if not event.cleared and any(limit_a is not None for _, limit_a in event.schedule):
                limits[event.source] = self._over_time(event)

    def _over_time(self, event: ChargingLimit) -> LimitsOverTime:
        now, utcnow = self._clock.monotonic(), self._clock.utcnow()
        course = [((at - utcnow).total_seconds(), math.inf if limit_a is None else limit_a) for at, limit_a in event.schedule]
        return LimitsOverTime(
            starts_at=now,
            periods=tuple((min(0.0, after_s) if number == 0 else after_s, limit_a) for number, (after_s, limit_a) in enumerate(course)),
        )

    def _status(self, identity: str, event: StatusChanged) -> None:
        if (evse := self._evses.get(EvseKey(identity, event.evse_id))) is None:
            return
        if evse.session is not None and event.at is not None and event.at < evse.session.started_at:
            return  # it waited at its station, and is of before
        first = event.connector_id not in evse.connectors_heard
        evse.connectors[event.connector_id] = event.status
        evse.connectors_heard.add(event.connector_id)
        plugged_in = ConnectorStatus.OCCUPIED in evse.connectors.values()
        if evse.session is None and plugged_in and (not evse.heard or (first and event.status is ConnectorStatus.OCCUPIED)):
            # One may run that is told of only later; a connector beside it that is free says nothing of that.
            evse.heard, evse.transaction_unknown = False, math.isinf(evse.heard_at)
        else:
            evse.heard, evse.transaction_unknown = True, False
        if event.status is not ConnectorStatus.AVAILABLE:
            return
        if evse.session is not None and event.connector_id == (evse.session.connector_id or 1):
            # The plug is out; the transaction's end is still to be told, or the station has forgotten it.
            evse.session = replace(evse.session, unplugged_at=self._if_now(identity, event.timestamp))
            evse.end_session()
        if evse.session is None:
            evse.finished, evse.finished_energy_wh = False, None

    def _if_now(self, identity: str, timestamp: datetime | None) -> datetime | None:
        """Return what a station wrote beside what it told as it happened, None where that is not now by its own clock either."""
        if timestamp is None:
            return None
        station_now = self._clock.utcnow() + timedelta(seconds=self._clock_offset_s(identity))
        return timestamp if abs(station_now - timestamp) < JUST_NOW else None

    def _transaction(self, identity: str, event: TransactionEvent) -> None:
        evse = self._evse_of(identity, event)
        if evse is None:
            if event.evse_id is None and (event.phase is TransactionPhase.ENDED or (identity, record_id(event)) in self._past):
                self._keep_past(identity, None, event)
            else:
                _LOGGER.debug("Station %s: a transaction event on an EVSE that the site does not have", identity)
            return
        # What was queued says nothing of what runs now.
        if not event.offline:
            evse.heard, evse.transaction_unknown = True, False
        running, last = evse.session, evse.last_session
        if running is not None and running.record_id == record_id(event):
            self._goes_on(evse, running, event)
        elif (
            event.phase is TransactionPhase.ENDED
            or is_of_the_past(event, running, last, self._clock.utcnow(), clock_offset_s=self._clock_offset_s(identity))
            or (last is not None and last.record_id == record_id(event) and is_over(event, last))
        ):
            self._keep_past(identity, evse, event)
        else:
            self._goes_on(evse, self._begin(evse, event), event)

    def _goes_on(self, evse: EvseState, session: Session, event: TransactionEvent) -> None:
        """Take in an event of the transaction that runs."""
        newest = is_newest(session, event)
        evse.session = advanced(session, event)
        if (first := evse.first_lease) is not None:
            take_up(evse, first, self._clock.monotonic())
        if event.phase is TransactionPhase.ENDED:
            self._measure(evse, event.samples if newest else (), replayed=True)
            self._keep(evse.key.station, evse.key.evse_id, evse.session)
            evse.end_session()
            evse.finished = evse.connector_status is not ConnectorStatus.AVAILABLE
            evse.finished_energy_wh = energy_of(evse.last_session, evse.energy_wh) if evse.finished and evse.last_session else None
            return
        if newest:
            if event.charging_state is not None:
                self._charging_state(evse, event.charging_state, self._clock.monotonic())
            self._measure(evse, event.samples, replayed=event.offline)
        self._keep(evse.key.station, evse.key.evse_id, evse.session)

    def _begin(self, evse: EvseState, event: TransactionEvent) -> Session:
        now = self._clock.monotonic()
        if (replaced := evse.session) is not None:
            # An EVSE has one transaction at a time: this one was over by then, and its end may come late or never.
            self._keep(evse.key.station, evse.key.evse_id, replace(replaced, ended_at=replaced.last_at))
            evse.end_session()
        last = evse.last_session
        if last is not None and last.record_id == record_id(event):
            session = replace(last, queued_at=now, ended_at=None, unplugged_at=None)
        else:
            session = begun(event, now)
        if (
            (word := evse.word) is not None
            and event.phase is not TransactionPhase.STARTED
            and word.needs.transaction_id == event.transaction_id
        ):
            session = replace(session, needs=word.needs, needs_from_wh=word.from_wh)
        evse.session, evse.word = session, None
        found = evse.found_lease
        if found is not None and found.transaction_id in ("", event.transaction_id):
            evse.lease = replace(found, transaction_id=event.transaction_id)
        elif event.phase is not TransactionPhase.STARTED:
            # It began before we knew of it: a lease of an earlier life of ours may still hold.
            evse.inherited_a = evse.rated_a
        evse.found_lease = None
        evse.finished, evse.finished_energy_wh = False, None
        return session

    def _keep_past(self, identity: str, evse: EvseState | None, event: TransactionEvent) -> None:
        """Take a late word of a transaction that is over into the records; what runs now is left as it is."""
        key, last = (identity, record_id(event)), None if evse is None else evse.last_session
        session = self._past.pop(key, None)
        if session is None:
            session = last if last is not None and last.record_id == key[1] else begun(event, self._clock.monotonic())
        session = self._past[key] = advanced(session, event)
        while len(self._past) > MOST_PAST:
            self._past.popitem(last=False)
        if evse is not None and last is not None and last.record_id == session.record_id:
            evse.last_session = session
        self._keep(identity, event.evse_id if evse is None else evse.key.evse_id, session)

    def _charging_state(self, evse: EvseState, state: ChargingState, now: float) -> None:
        if state is not evse.charging_state and ChargingState.CHARGING in (state, evse.charging_state):
            # What the car draws changes with it: worth a look sooner than the next sample.
            evse.sample_at = min(evse.sample_at, now)
        if state is ChargingState.CHARGING and evse.charging_state in SUSPENDED:
            evse.resumed_at, evse.resend = now, evse.resend or evse.dialect.resend_on_resume
        evse.charging_state = state

    def _evse_of(self, identity: str, event: TransactionEvent | Metered) -> EvseState | None:
        if event.evse_id is not None:
            return self._evses.get(EvseKey(identity, event.evse_id))
        of_station = [evse for key, evse in self._evses.items() if key.station == identity]
        for evse in of_station:
            if any(one is not None and one.record_id == record_id(event) for one in (evse.session, evse.last_session)):
                return evse
        return of_station[0] if len(of_station) == 1 else None

    def _measure(self, evse: EvseState, samples: tuple[MeterSample, ...], *, replayed: bool = False) -> None:
        """Take in samples; of replayed ones only the energy, for they tell nothing of now."""
        now = self._clock.monotonic()
        for sample in samples:
            if replayed:
                evse.energy_wh = sample.energy_wh if sample.energy_wh is not None else evse.energy_wh
            else:
                evse.measure(sample, now)
            if evse.session is not None and sample.energy_wh is not None:
                start_wh = evse.session.energy_start_wh
                evse.session = replace(
                    evse.session, energy_start_wh=sample.energy_wh if start_wh is None else start_wh, energy_end_wh=sample.energy_wh
                )

    def _keep(self, identity: str, evse_id: int | None, session: Session) -> None:
        if self._journal is None:
            return
        self._journal.record_session(
            SessionRecord(
                station=identity,
                transaction_id=session.record_id,
                evse_id=evse_id,
                started_at=session.started_at,
                updated_at=self._clock.utcnow(),
                last_seq_no=max(0, session.seq_no),
                ended_at=session.ended_at,
                energy_start_wh=session.energy_start_wh,
                energy_end_wh=session.energy_end_wh,
                energy_wh=energy_of(session, session.energy_end_wh),
                stopped_reason=session.stopped_reason,
                id_token_hash=None if session.id_token is None else _hash(self._journal, session.id_token.value),
            )
        )


def _hash(journal: Journal, id_token: str) -> str | None:
    """Return what is kept in place of a token; where it is not known yet, a later word of the session brings it."""
    try:
        return journal.id_token_hash(id_token)
    except LedgerError:
        return None
