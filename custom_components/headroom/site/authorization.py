"""Who may charge where: the site's policy, applied to what stations ask; and what it needs to remember for that.

Default deny. A transaction that was accepted stays accepted, whatever changes: none ends because of us.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from ..csms.values import Inventory, TransactionPhase
from .config import AuthorizationPolicy, EvseKey, KnownToken
from .evse import EvseState
from .reservations import Reservation, Reservations, closed_to
from .taking_up import taking_up
from .tokens import REMEMBERED_FOR, Stranger, TokenBook, read, written

MASTER_PASS_GROUP = "HEADROOM-MASTER-PASS"
ISSUED_TYPE = "Central"
"""The type of a token that the site makes up for a start."""
MOST_RUNNING = 1000
"""Transactions that are remembered as accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a token is answered, whose it is, and what the answer is about."""

    at: datetime
    station: str
    evse_id: int | None
    info: IdTokenInfo
    token: IdToken = field(repr=False)
    known: KnownToken | None = None
    transaction_id: str | None = None
    """The transaction that it was told with."""
    settled: bool = False
    """Whether it changes nothing: the transaction was accepted before, or has ended."""

    @property
    def accepted(self) -> bool:
        """Whether the token may charge."""
        return self.info.status is AuthorizationStatus.ACCEPTED

    @property
    def driver(self) -> str | None:
        """Whose token it is, as far as the site knows."""
        return (self.known.name or None) if self.known is not None else None

    def refused(self, status: AuthorizationStatus) -> Judgement:
        """Return the same with a no."""
        return replace(self, info=IdTokenInfo(status=status))


@dataclass(slots=True)
class Authorization:
    """Judges tokens. `evses` and `inventory_of` are the loop's own picture, read afresh each time; `now` gives the time in UTC."""

    evses: Mapping[EvseKey, EvseState]
    inventory_of: Callable[[str], Inventory]
    now: Callable[[], datetime]
    policy: AuthorizationPolicy = AuthorizationPolicy()
    version: int = 0
    """Counts up whenever stations may have something else to go by while they are alone."""
    book: TokenBook = field(default_factory=TokenBook)
    reservations: Reservations = field(default_factory=Reservations)
    _running: OrderedDict[tuple[str, str], IdToken] = field(default_factory=OrderedDict)
    """The token of each accepted transaction, by station and transaction."""
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

    # What a station asks

    def judge(self, station: str, evse_id: int | None, token: IdToken) -> Judgement:
        """Answer a token by the policy. `evse_id` None: nobody knows yet at which EVSE it is meant to charge."""
        now, known = self.now(), self.book.find(token)
        status = self._status(station, evse_id, token, known)
        issued_at = self.book.issued_at(token, station, now)
        issued = bool(issued_at) if evse_id is None else evse_id in issued_at
        only = issued_at if issued and status is not AuthorizationStatus.ACCEPTED else frozenset()
        evse = None if evse_id is None else self.evses.get(EvseKey(station, evse_id))
        session = None if evse is None else evse.session
        judgement = Judgement(
            at=now,
            station=station,
            evse_id=evse_id,
            info=self._info(station, token, known, only),
            token=token,
            known=known,
            transaction_id=None if session is None else session.transaction_id,
        )
        running = None if session is None else self._running.get((station, session.transaction_id))
        if running is not None and self.book.same(running, token):
            return replace(judgement, settled=True)
        if not issued and status is not AuthorizationStatus.ACCEPTED:
            return judgement.refused(status)
        if evse is not None and session is None:
            return replace(judgement, settled=True)  # it ended a transaction: nothing is left to be refused
        hindrance = None if running is not None else self._hindrance(station, evse_id, token, None if issued else known)
        return judgement if hindrance is None else judgement.refused(hindrance)

    def _info(self, station: str, token: IdToken, known: KnownToken | None, only: frozenset[int]) -> IdTokenInfo:
        """Return a yes. `only`: the EVSEs that it was issued for, where it is good for nothing else at the station."""
        closed = self._closed(station, token, known)
        ids = tuple(key.evse_id for key in self.evses if key.station == station)
        good = only or frozenset(evse_id for evse_id in ids if known is None or self._good_at(known, station, evse_id))
        allowed = tuple(evse_id for evse_id in ids if evse_id in good and evse_id not in closed)
        return IdTokenInfo(
            status=AuthorizationStatus.ACCEPTED,
            group=None if known is None else _group(known),
            cache_expires_at=None if known is None else known.valid_until,
            evse_ids=allowed if len(allowed) < len(ids) else (),
        )

    def _status(self, station: str, evse_id: int | None, token: IdToken, known: KnownToken | None) -> AuthorizationStatus:
        """Return what the policy says of a token at a place."""
        if token.type == NO_AUTHORIZATION:
            return AuthorizationStatus.ACCEPTED if self.policy.without_token else AuthorizationStatus.INVALID
        if known is not None and known.blocked:
            return AuthorizationStatus.BLOCKED
        if self.policy.free:
            return AuthorizationStatus.ACCEPTED
        if known is None:
            return AuthorizationStatus.INVALID
        if known.valid_until is not None and self.now() >= known.valid_until:
            return AuthorizationStatus.EXPIRED
        if not self._good_at(known, station, None):
            return AuthorizationStatus.NOT_AT_THIS_LOCATION
        if not self._good_at(known, station, evse_id):
            return AuthorizationStatus.NOT_ALLOWED_TYPE_EVSE
        return AuthorizationStatus.ACCEPTED

    def _hindrance(self, station: str, evse_id: int | None, token: IdToken, known: KnownToken | None) -> AuthorizationStatus | None:
        """Return why a token that is good may not begin a transaction there now; None where it may."""
        if known is not None and known.master and not self.policy.free:
            # A station that knows the master pass lets it end transactions and begin none (C16); any other would begin one.
            knows = "AuthCtrlr.MasterPassGroupId" in {**self.inventory_of(station).device, **self.inventory_of(station).variables}
            return None if knows and evse_id is None else AuthorizationStatus.INVALID
        if known is not None and not known.concurrent and not self.policy.free and self._charges_elsewhere(station, evse_id, token):
            return AuthorizationStatus.CONCURRENT_TX
        return self._reserved(station, evse_id, token, known)

    def _charges_elsewhere(self, station: str, evse_id: int | None, token: IdToken) -> bool:
        """Tell whether a token's car charges at another place.

        At the station itself it may be shown to end that transaction. One at a station that is away may be over long since.
        """
        return any(
            evse.ready and (charging := self.token_of(key)) is not None and self.book.same(charging, token)
            for key, evse in self.evses.items()
            if key != (station, evse_id) and (evse_id is not None or key.station != station)
        )

    def _reserved(self, station: str, evse_id: int | None, token: IdToken, known: KnownToken | None) -> AuthorizationStatus | None:
        closed = self._closed(station, token, known)
        places = [key.evse_id for key in self.evses if key.station == station and evse_id in (None, key.evse_id)]
        return AuthorizationStatus.NOT_AT_THIS_TIME if places and closed.issuperset(places) else None

    def _closed(self, station: str, token: IdToken, known: KnownToken | None) -> frozenset[int]:
        if not (reservations := self._reservations_at(station)):
            return frozenset()
        free = {key.evse_id: evse.session is None for key, evse in self.evses.items() if key.station == station}
        return closed_to(reservations, free, token, None if known is None else known.group, self.book.same)

    def _reservations_at(self, station: str) -> list[Reservation]:
        now = self.now()
        return [reservation for reservation in self.reservations.at(station) if now < reservation.expires_at]

    def _good_at(self, known: KnownToken, station: str, evse_id: int | None) -> bool:
        """Tell whether a token is good for an EVSE, or for any of a station."""
        if not known.stations and not known.evses:
            return True
        if station in known.stations:
            return True
        return any(key.station == station and evse_id in (None, key.evse_id) for key in known.evses)

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

    def token_of(self, key: EvseKey) -> IdToken | None:
        """Return the token that an EVSE's transaction runs on; None where it is not known."""
        evse = self.evses.get(key)
        if evse is None or evse.session is None:
            return None
        return evse.session.id_token or self._running.get((key.station, evse.session.transaction_id))

    def driver_key(self, token: IdToken) -> str | None:
        """Return what a token is called however a reader spells it; None for one that was made for a single start."""
        known = self.book.find(token)
        if known is not None:
            return normalised(known.value)
        return None if token.type == ISSUED_TYPE else token.key

    def driver(self, key: EvseKey) -> str | None:
        """Return who charges at an EVSE, as far as the site knows."""
        token = self.token_of(key)
        known = None if token is None else self.book.find(token)
        return None if known is None else known.name or None

    def keeps_phases(self, key: EvseKey) -> bool:
        """Tell whether the car at an EVSE is never to be switched between three phases and one, by the token it charges on."""
        token = self.token_of(key)
        known = None if token is None else self.book.find(token)
        return known is not None and known.keeps_phases

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
                    status=status, group=_group(known), cache_expires_at=known.valid_until, evse_ids=self._good_evses(known, station)
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


def _group(known: KnownToken) -> str | None:
    return MASTER_PASS_GROUP if known.master else known.group


def _over(known: KnownToken, now: datetime) -> bool:
    return known.valid_until is not None and now >= known.valid_until
