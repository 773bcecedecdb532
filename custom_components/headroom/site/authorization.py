"""Who may charge where, as it goes on: what was answered and came of it, what is shown, and what a station goes by while it is alone.

A transaction that was accepted stays accepted, whatever changes: none ends because of us.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
import uuid

from ..csms.authorization import (
    NO_AUTHORIZATION,
    AuthorizationStatus,
    IdToken,
    IdTokenInfo,
    OfflineAuthorization,
    ReservationEnded,
    normalised,
)
from ..csms.events import StationEvent, TransactionEvent
from ..csms.values import TransactionPhase
from ..engine.priority import Priority
from .config import AuthorizationPolicy, EvseKey, KnownToken
from .judging import MASTER_PASS_GROUP, Judge, Judgement, group_of
from .taking_up import taking_up
from .tokens import REMEMBERED_FOR, Stranger, read, written

ISSUED_TYPE = "Central"
"""The type of a token that the site makes up for a start."""
MOST_RUNNING = 1000
"""Transactions that are remembered as accepted."""


@dataclass(slots=True)
class Authorization(Judge):
    """Judges tokens, and remembers what it takes for that."""

    version: int = 0
    """Counts up whenever stations may have something else to go by while they are alone."""
    _asked: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When a token was accepted last that has not begun its transaction yet, by station and key."""
    _turned_at: datetime | None = None

    def configure(self, policy: AuthorizationPolicy) -> None:
        """Take over a changed policy."""
        self.policy = policy
        self.version += 1
        self.book.learn(policy.tokens)

    def issue(self, at: EvseKey, token: IdToken | None = None) -> IdToken:
        """Return a token that may charge once, at one EVSE, the one given or a new one: a person at the controls has decided so."""
        issued = token or IdToken(value=str(uuid.uuid4()), type=ISSUED_TYPE)
        self.book.issue(issued, at, self.now())
        return issued

    # What came of it

    def note(self, judgement: Judgement) -> bool:
        """Remember what was answered; True where a person would call it news: who charges, or who may not."""
        station, token = judgement.station, judgement.token
        if judgement.settled:
            return False
        if judgement.known is None and token.type != NO_AUTHORIZATION and not self.book.issued_at(token, station, judgement.at):
            self.book.met(Stranger(token=token, station=station, at=judgement.at))
        asked_before = self._asked.pop((station, token.key), None)
        if not judgement.accepted:
            return True
        if judgement.known is not None and self.book.spelt(station, judgement.known, token):
            self.version += 1
        if judgement.transaction_id is None:
            self._asked[station, token.key] = judgement.at
            return True
        self._begun(station, judgement.transaction_id, judgement.evse_id, token)
        return asked_before is None

    def _begun(self, station: str, transaction_id: str, evse_id: int | None, token: IdToken) -> None:
        if (station, transaction_id) in self._running:
            return
        self._running[station, transaction_id] = token
        while len(self._running) > MOST_RUNNING:
            self._running.popitem(last=False)
        if evse_id is not None:
            self.book.use(token, EvseKey(station, evse_id))
        known = self.book.find(token)
        for reservation in self._reservations_at(station):
            mine = reservation.is_for(token, None if known is None else known.group, self.book.same)
            if mine and reservation.evse_id in (None, evse_id):
                self.reservations.end(reservation.reservation_id, station)
                break

    def take(self, station: str, event: StationEvent) -> bool:
        """Take in what a station said of reservations and transactions; True where something is to be kept."""
        match event:
            case ReservationEnded(reservation_id=reservation_id):
                return self.reservations.end(reservation_id, station)
            case TransactionEvent(transaction_id=transaction_id, phase=phase, reservation_id=reservation_id):
                ended = phase is TransactionPhase.ENDED and self._running.pop((station, transaction_id), None) is not None
                used = reservation_id is not None and self.reservations.end(reservation_id, station)
                return ended or used
        return False

    def turn(self) -> bool:
        """Let go of what is over; True where something is to be kept."""
        before, now = self._turned_at, self.now()
        self._turned_at = now
        if before is not None and any(_over(token, now) and not _over(token, before) for token in self.policy.tokens):
            self.version += 1
        self.book.forget_old(now)
        self._asked = {place: at for place, at in self._asked.items() if now < at + REMEMBERED_FOR}
        return self.reservations.expire(now)

    # What is shown

    def driver_key(self, token: IdToken) -> str | None:
        """Return what a token is called however a reader spells it; None for one that was made for a single start."""
        known = self.book.find(token)
        if known is not None:
            return normalised(known.value)
        return None if token.type == ISSUED_TYPE else token.key

    def driver(self, key: EvseKey) -> str | None:
        """Return who charges at an EVSE, as far as the site knows."""
        known = self._known_at(key)
        return None if known is None else known.name or None

    def keeps_phases(self, key: EvseKey) -> bool:
        """Tell whether the car at an EVSE is never to be switched between three phases and one, by the token it charges on."""
        known = self._known_at(key)
        return known is not None and known.keeps_phases

    def priority(self, key: EvseKey) -> Priority | None:
        """Return where the car at an EVSE stands among the others by the token it charges on; None where that says nothing."""
        known = self._known_at(key)
        return None if known is None else known.priority

    def _known_at(self, key: EvseKey) -> KnownToken | None:
        """Return the token that an EVSE's session charges on, as a person entered it; None for any other."""
        token = self.token_of(key)
        return None if token is None else self.book.find(token)

    def reserved_until(self, key: EvseKey) -> datetime | None:
        """Return until when an EVSE is kept free for somebody; None where it is not."""
        ends = [reservation.expires_at for reservation in self._reservations_at(key.station) if reservation.evse_id == key.evse_id]
        return max(ends, default=None)

    # What a station goes by while it is alone

    def offline(self, station: str) -> OfflineAuthorization:
        """Return what a station may decide by itself: the same as here, as far as a list can say it."""
        policy, now = self.policy, self.now()
        unknown = policy.free or policy.unknown_offline
        tokens: dict[IdToken, IdTokenInfo] = {}
        keys: set[str] = set()
        for known in policy.tokens:
            token = self.book.spelling(station, known)
            if token.key in keys:
                continue
            keys.add(token.key)
            status = self._status(station, None, token, known)
            if status is AuthorizationStatus.ACCEPTED:
                tokens[token] = IdTokenInfo(
                    status=status, group=group_of(known), cache_expires_at=known.valid_until, evse_ids=self._good_evses(known, station)
                )
            elif unknown:
                tokens[token] = IdTokenInfo(status=status)  # it would pass for an unknown one
        masters = any(known.master and not known.blocked and not _over(known, now) for known in policy.tokens)
        return OfflineAuthorization(
            tokens=tokens,
            unknown=unknown,
            required=not policy.without_token,
            master_pass_group=MASTER_PASS_GROUP if masters else None,
        )

    def _good_evses(self, known: KnownToken, station: str) -> tuple[int, ...]:
        ids = tuple(key.evse_id for key in self.evses if key.station == station)
        good = tuple(evse_id for evse_id in ids if self._good_at(known, station, evse_id))
        return good if len(good) < len(ids) else ()

    # What outlives a restart

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "tokens": self.book.document(),
            "reservations": self.reservations.document(),
            "running": [{"station": place[0], "transaction_id": place[1], **written(token)} for place, token in self._running.items()],
        }

    def recall(self, document: Mapping[str, Any]) -> None:
        """Take over what `document` gave."""
        with taking_up("tokens"):
            self.book.recall(document.get("tokens", {}))
        with taking_up("reservations"):
            self.reservations.recall(document.get("reservations", ()))
        for row in document.get("running", ()):
            with taking_up("who charges"):
                self._running[row["station"], row["transaction_id"]] = read(row)


def _over(known: KnownToken, now: datetime) -> bool:
    return known.valid_until is not None and now >= known.valid_until
