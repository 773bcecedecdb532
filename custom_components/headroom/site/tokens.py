"""The tokens that the site knows: those a person entered, those it issued itself, and strangers that were held to a reader lately.

A token is looked up by a keyed digest, so that how long it takes tells nobody how near a guess was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import hashlib
import secrets
from typing import Any

from ..csms.authorization import CARD_TYPES, IdToken, normalised, reversed_bytes
from .config import EvseKey, KnownToken

ISSUED_FOR = timedelta(minutes=15)
"""How long a token that was issued for a start from afar waits for its transaction."""
REMEMBERED_FOR = timedelta(minutes=10)
"""How long a stranger can be learnt after it was held to a reader."""
MOST_STRANGERS = 20
MOST_SPELLINGS = 1000
CARD_LENGTHS = (8, 14, 20)
"""Of the number of a card in hexadecimal digits: 4, 7 or 10 bytes (ISO/IEC 14443-3)."""
HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A token nobody knows, as it was held to a reader."""

    token: IdToken
    station: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token that may charge once, at one EVSE."""

    token: IdToken
    at: EvseKey
    until: datetime


def presumed_type(value: str) -> str:
    """Return the type of a token that a person typed without one: what looks like a card's number is a card's."""
    key = normalised(value)
    return "ISO14443" if len(key) in CARD_LENGTHS and HEXADECIMAL.issuperset(key) else "Central"


@dataclass(slots=True)
class TokenBook:
    """Looks tokens up. `issued` are those that a person at the controls decided on, by their digest and EVSE."""

    issued: dict[tuple[bytes, EvseKey], Issued] = field(default_factory=dict)
    strangers: dict[bytes, Stranger] = field(default_factory=dict)
    spellings: dict[tuple[str, str], IdToken] = field(default_factory=dict)
    """How a station's reader tells a token that is written otherwise, by station and the token's own key."""
    _known: dict[bytes, list[KnownToken]] = field(default_factory=dict)
    _salt: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def learn(self, tokens: Iterable[KnownToken]) -> None:
        """Take over the tokens that a person entered. Where one is entered twice, the first counts.

        One that was held to a reader before is what that reader said it is.
        """
        self._known = {}
        for token in tokens:
            self._known.setdefault(self._digest(normalised(token.value)), []).append(token)
        keys = {normalised(token.value) for tokens in self._known.values() for token in tokens}
        self.spellings = {place: token for place, token in self.spellings.items() if place[1] in keys}
        for digest, stranger in tuple(self.strangers.items()):
            if (known := self.find(stranger.token)) is not None:
                self.spelt(stranger.station, known, stranger.token)
                del self.strangers[digest]

    def find(self, token: IdToken) -> KnownToken | None:
        """Return the token that this is, however it was spelt; some readers tell a card's bytes backwards."""
        keys = [token.key]
        if token.type in CARD_TYPES and (backwards := reversed_bytes(token.key)) is not None:
            keys.append(backwards)
        return next(
            (
                known
                for key in keys
                for known in self._known.get(self._digest(key), ())
                if known.type is None or known.type == token.type or {known.type, token.type} <= CARD_TYPES
            ),
            None,
        )

    def same(self, one: IdToken, other: IdToken) -> bool:
        """Tell whether two readings are of one token."""
        if self._digest(one.key) == self._digest(other.key):
            return True
        return (known := self.find(one)) is not None and known is self.find(other)

    def issue(self, token: IdToken, at: EvseKey, now: datetime) -> None:
        """Let a token charge for the next transaction of an EVSE."""
        self.issued[self._digest(token.key), at] = Issued(token=token, at=at, until=now + ISSUED_FOR)

    def issued_at(self, token: IdToken, station: str, now: datetime) -> frozenset[int]:
        """Return the EVSEs of a station at which a token was issued and still waits for its transaction."""
        digest = self._digest(token.key)
        return frozenset(
            at.evse_id for (issued, at), row in self.issued.items() if issued == digest and at.station == station and now < row.until
        )

    def use(self, token: IdToken, at: EvseKey) -> None:
        """Its transaction has begun: an issued token is good for no other."""
        self.issued.pop((self._digest(token.key), at), None)

    def met(self, stranger: Stranger) -> None:
        """Remember a token that nobody knows, for whoever wants to enter it."""
        digest = self._digest(stranger.token.key)
        self.strangers.pop(digest, None)
        self.strangers[digest] = stranger
        while len(self.strangers) > MOST_STRANGERS:
            del self.strangers[next(iter(self.strangers))]

    def spelt(self, station: str, known: KnownToken, token: IdToken) -> bool:
        """Remember how a station tells a token; True where that is news."""
        place = (station, normalised(known.value))
        if self.spelling(station, known) == token or len(self.spellings) >= MOST_SPELLINGS:
            return False
        self.spellings[place] = token
        return True

    def spelling(self, station: str, known: KnownToken) -> IdToken:
        """Return a token as a station tells it, as far as that is known."""
        found = self.spellings.get((station, normalised(known.value)))
        return found or IdToken(value=known.value, type=known.type or presumed_type(known.value))

    def forget_old(self, now: datetime) -> None:
        """Let go of what waited long enough."""
        self.issued = {place: row for place, row in self.issued.items() if now < row.until}
        self.strangers = {digest: one for digest, one in self.strangers.items() if now < one.at + REMEMBERED_FOR}

    def document(self) -> dict[str, Any]:
        """Return what outlives a restart, as JSON-able data."""
        return {
            "issued": [
                {**written(row.token), "station": row.at.station, "evse_id": row.at.evse_id, "until": row.until.isoformat()}
                for row in self.issued.values()
            ],
            "spellings": [{"station": place[0], "key": place[1], **written(token)} for place, token in self.spellings.items()],
        }

    def recall(self, document: Mapping[str, Any]) -> None:
        """Take over what `document` gave."""
        for row in document.get("issued", ()):
            if "station" not in row:
                continue  # from before it was bound to its EVSE; it would have ended within minutes
            token, at = read(row), EvseKey(row["station"], row["evse_id"])
            self.issued[self._digest(token.key), at] = Issued(token=token, at=at, until=datetime.fromisoformat(row["until"]))
        self.spellings |= {(row["station"], row["key"]): read(row) for row in document.get("spellings", ())}

    def _digest(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode(errors="surrogatepass"), key=self._salt, digest_size=16).digest()


def written(token: IdToken) -> dict[str, str]:
    """Return a token as JSON-able data."""
    return {"value": token.value, "type": token.type}


def read(row: Mapping[str, Any]) -> IdToken:
    """Return what `written` gave."""
    return IdToken(value=row["value"], type=row["type"])
