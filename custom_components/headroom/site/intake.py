"""Takes what stations say of their EVSEs into the loop's picture of them, and sessions into the records."""

from collections.abc import Mapping
from dataclasses import replace
import logging
import math

from ..csms.events import ChargingLimit, EventsLost, Metered, StatusChanged, TransactionEvent
from ..csms.needs import EvNeeds
from ..csms.values import ChargingState, ConnectorStatus, MeterSample, TransactionPhase
from ..ledger.records import DecisionRecord, SessionRecord
from .clock import Clock
from .config import EvseKey
from .evse import EvseState
from .limits import LimitsOverTime
from .session import Session, energy_of
from .stations import Journal

_LOGGER = logging.getLogger(__name__)


SUSPENDED = (ChargingState.SUSPENDED_EV, ChargingState.SUSPENDED_EVSE)


class Intake:
    """The one place where a station's events change an EVSE's state."""

    def __init__(self, evses: Mapping[EvseKey, EvseState], clock: Clock, journal: Journal | None) -> None:
        """`evses` is the loop's own mapping, read afresh at every event."""
        self._evses = evses
        self._clock = clock
        self._journal = journal

    def take(self, identity: str, event: StatusChanged | TransactionEvent | Metered) -> None:
        """Take in one event. Events of EVSEs that the site does not have are let go."""
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
            evse.session, evse.resend = replace(evse.session, needs=needs), True

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
        evse.heard = True
        evse.connectors[event.connector_id] = event.status
        if event.status is not ConnectorStatus.AVAILABLE:
            return
        if evse.session is not None and event.connector_id == (evse.session.connector_id or 1):
            # The plug is out; the transaction's end is still to be told, or the station has forgotten it.
            evse.end_session()
        if evse.session is None:
            evse.finished, evse.finished_energy_wh = False, None

    def _transaction(self, identity: str, event: TransactionEvent) -> None:
        evse = self._evse_of(identity, event)
        if evse is None:
            _LOGGER.debug("Station %s: a transaction event on an EVSE that the site does not have", identity)
            return
        evse.heard = True
        if event.phase is TransactionPhase.ENDED:
            self._ended(evse, event)
            return
        if evse.session is None or evse.session.transaction_id != event.transaction_id:
            if self._is_over(evse, event):
                return
            self._begin(evse, event)
        session = evse.session
        if session is None:
            return
        evse.session = replace(
            session,
            seq_no=max(session.seq_no, event.seq_no),
            connector_id=event.connector_id or session.connector_id,
            id_token=event.id_token or session.id_token,
        )
        if event.charging_state is not None:
            self._charging_state(evse, event.charging_state, self._clock.monotonic())
        self._measure(evse, event.samples, replayed=event.offline)
        self._keep(evse, evse.session, event)

    def _is_over(self, evse: EvseState, event: TransactionEvent) -> bool:
        """Tell whether this is a late word of a transaction whose plug is out or whose end was told already."""
        last = evse.last_session
        if last is None or last.transaction_id != event.transaction_id or event.charging_state is ChargingState.CHARGING:
            return False
        self._measure(evse, event.samples, replayed=True)
        return True

    def _begin(self, evse: EvseState, event: TransactionEvent) -> None:
        now = self._clock.monotonic()
        if evse.session is not None:
            evse.end_session()
        last = evse.last_session
        if last is not None and last.transaction_id == event.transaction_id:
            evse.session = replace(last, queued_at=now)
        else:
            evse.session = Session(transaction_id=event.transaction_id, started_at=event.at, since=now, queued_at=now)
        found = evse.found_lease
        if found is not None and found.transaction_id in ("", event.transaction_id):
            evse.lease = replace(found, transaction_id=event.transaction_id)
        elif event.phase is not TransactionPhase.STARTED:
            # It began before we knew of it: a lease of an earlier life of ours may still hold.
            evse.inherited_a = evse.rated_a
        evse.found_lease = None
        evse.finished, evse.finished_energy_wh = False, None

    def _charging_state(self, evse: EvseState, state: ChargingState, now: float) -> None:
        if state is not evse.charging_state and ChargingState.CHARGING in (state, evse.charging_state):
            # What the car draws changes with it: worth a look sooner than the next sample.
            evse.sample_at = min(evse.sample_at, now)
        if state is ChargingState.CHARGING and evse.charging_state in SUSPENDED:
            evse.resumed_at, evse.resend = now, evse.resend or evse.dialect.resend_on_resume
        evse.charging_state = state

    def _ended(self, evse: EvseState, event: TransactionEvent) -> None:
        now = self._clock.monotonic()
        session, last = evse.session, evse.last_session
        if session is not None and session.transaction_id != event.transaction_id:
            _LOGGER.debug("EVSE %s: the end of a transaction that is not the one running", evse.key)
            return
        if session is None and last is not None and last.transaction_id == event.transaction_id:
            session = last
        if session is None:
            session = Session(transaction_id=event.transaction_id, started_at=event.at, since=now, queued_at=now)
        self._measure(evse, event.samples, replayed=True)
        self._keep(evse, session, event)
        if evse.session is not None:
            evse.end_session()
            evse.finished = evse.connector_status is not ConnectorStatus.AVAILABLE
            evse.finished_energy_wh = energy_of(session, evse.energy_wh) if evse.finished else None

    def _evse_of(self, identity: str, event: TransactionEvent) -> EvseState | None:
        if event.evse_id is not None:
            return self._evses.get(EvseKey(identity, event.evse_id))
        of_station = [evse for key, evse in self._evses.items() if key.station == identity]
        for evse in of_station:
            if evse.session is not None and evse.session.transaction_id == event.transaction_id:
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
            if evse.session is not None and evse.session.energy_start_wh is None and sample.energy_wh is not None:
                evse.session = replace(evse.session, energy_start_wh=sample.energy_wh)

    def _keep(self, evse: EvseState, session: Session, event: TransactionEvent) -> None:
        if self._journal is None:
            return
        self._journal.record_session(
            SessionRecord(
                station=evse.key.station,
                transaction_id=session.transaction_id,
                evse_id=evse.key.evse_id,
                started_at=session.started_at,
                updated_at=self._clock.utcnow(),
                last_seq_no=max(0, event.seq_no),
                ended_at=event.at if event.phase is TransactionPhase.ENDED else None,
                energy_start_wh=session.energy_start_wh,
                energy_end_wh=evse.energy_wh,
                energy_wh=energy_of(session, evse.energy_wh),
                stopped_reason=event.stopped_reason,
                id_token_hash=None if session.id_token is None else self._journal.id_token_hash(session.id_token.value),
            )
        )
