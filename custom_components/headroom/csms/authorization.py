"""Who may charge, in words of no OCPP version: tokens, what they are answered, and what a station goes by while nobody can be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
import re
from typing import Protocol

CARD_TYPES = frozenset({"ISO14443", "ISO15693"})
"""Cards and fobs: their number is a row of bytes that some readers tell backwards."""
NO_AUTHORIZATION = "NoAuthorization"
"""The type of what a station sends where no token was shown: a button, or a plug alone (C02)."""

_SEPARATORS = re.compile(r"[\s:\-]")
_BYTES = re.compile(r"(?:[0-9a-f]{2}){4,10}")


class AuthorizationStatus(StrEnum):
    """Answer to a token (OCPP's AuthorizationStatusEnumType)."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    CONCURRENT_TX = "concurrent_tx"
    """It charges elsewhere already."""
    EXPIRED = "expired"
    INVALID = "invalid"
    NO_CREDIT = "no_credit"
    NOT_ALLOWED_TYPE_EVSE = "not_allowed_type_evse"
    """Not at this EVSE."""
    NOT_AT_THIS_LOCATION = "not_at_this_location"
    NOT_AT_THIS_TIME = "not_at_this_time"
    UNKNOWN = "unknown"


def normalised(value: str) -> str:
    """Return what tokens are compared by: OCPP's are case-insensitive, and a row of bytes is written with and without separators."""
    folded = value.strip().casefold()
    bare = _SEPARATORS.sub("", folded)
    return bare if _BYTES.fullmatch(bare) else folded


def reversed_bytes(key: str) -> str | None:
    """Return a normalised number with its bytes the other way round, None where it is no row of bytes."""
    return "".join(key[at : at + 2] for at in range(len(key) - 2, -1, -2)) if _BYTES.fullmatch(key) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """A token as the station read it. `type` is OCPP's IdTokenEnumType, e.g. ISO14443, Central, NoAuthorization.

    Its value is a secret: whoever knows it can charge. It is in no text made of this.
    """

    value: str = field(repr=False)
    type: str

    @property
    def key(self) -> str:
        """What it is compared by."""
        return normalised(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenInfo:
    """What a token is answered (OCPP's IdTokenInfoType)."""

    status: AuthorizationStatus
    group: str | None = None
    """Tokens of one group may end each other's transactions (C09)."""
    cache_expires_at: datetime | None = None
    """Until when a station may go by this answer without asking (C10)."""
    evse_ids: tuple[int, ...] = ()
    """The only EVSEs of the station it is good for; empty: all."""
    language: str | None = None
    message: str | None = None
    """For the driver, on the station's display."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineAuthorization:
    """What a station is to go by while it is alone, and how it is to ask while it is not."""

    tokens: Mapping[IdToken, IdTokenInfo] = field(default_factory=dict)
    """The local authorization list (block D)."""
    unknown: bool = False
    """Whether a token that it doesn't know may start while it is alone (C15)."""
    required: bool = True
    """Whether a transaction needs a token at all."""
    master_pass_group: str | None = None
    """The group whose tokens may end any transaction (C16)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSent:
    """A local authorization list that a station took whole: its version (D01), and how many tokens are in it."""

    version: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationEnded:
    """A station let a reservation go (ReservationStatusUpdate): its time was over, or, `removed`, the EVSE is out of order."""

    reservation_id: int
    removed: bool


class Authorizing(Protocol):
    """Tokens and reservations at one station. Every command raises StationError where it did not come to pass."""

    async def keep(self, wanted: OfflineAuthorization) -> None:
        """Have the station go by this; nothing is sent where it does already, or has nothing to keep it in."""

    @property
    def keeps_list(self) -> bool:
        """Whether the station has a local authorization list (block D)."""

    async def send_list(self, wanted: OfflineAuthorization) -> ListSent:
        """Send the whole list, whatever the station is thought to hold (D01)."""

    async def clear_cache(self) -> None:
        """Have the station forget the answers it remembers (C11)."""

    async def reserve_now(
        self,
        reservation_id: int,
        id_token: IdToken,
        expires_at: datetime,
        *,
        evse_id: int | None = None,
        connector_type: str | None = None,
        group: str | None = None,
    ) -> None:
        """Reserve an EVSE, or any of the station (None), until `expires_at` (H01); the same id again changes the reservation.

        Raises CallRejectedError with OCPP's own word: "Occupied", "Faulted", "Unavailable" or "Rejected".
        """

    async def cancel_reservation(self, reservation_id: int) -> None:
        """Take a reservation back (H02). Raises CallRejectedError where the station does not know it."""
