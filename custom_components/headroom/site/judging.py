"""Whether a token may charge somewhere: the site's policy, applied to what stations ask. Default deny."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..csms.authorization import NO_AUTHORIZATION, AuthorizationStatus, IdToken, IdTokenInfo
from ..csms.values import Inventory
from .config import AuthorizationPolicy, EvseKey, KnownToken
from .evse import EvseState
from .reservations import Reservation, Reservations, closed_to
from .tokens import TokenBook

MASTER_PASS_GROUP = "HEADROOM-MASTER-PASS"


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
class Judge:
    """Judges tokens, and changes nothing by that.

    `evses` and `inventory_of` are the loop's own picture, read afresh each time; `now` gives the time in UTC.
    """

    evses: Mapping[EvseKey, EvseState]
    inventory_of: Callable[[str], Inventory]
    now: Callable[[], datetime]
    policy: AuthorizationPolicy = AuthorizationPolicy()
    book: TokenBook = field(default_factory=TokenBook)
    reservations: Reservations = field(default_factory=Reservations)
    _running: OrderedDict[tuple[str, str], IdToken] = field(default_factory=OrderedDict)
    """The token of each accepted transaction, by station and transaction."""

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
            group=None if known is None else group_of(known),
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

    def token_of(self, key: EvseKey) -> IdToken | None:
        """Return the token that an EVSE's transaction runs on; None where it is not known."""
        evse = self.evses.get(key)
        if evse is None or evse.session is None:
            return None
        return evse.session.id_token or self._running.get((key.station, evse.session.transaction_id))


def group_of(known: KnownToken) -> str | None:
    """Return the group that a token is told with."""
    return MASTER_PASS_GROUP if known.master else known.group
