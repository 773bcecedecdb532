"""How one station wants to be told its limits. Values only: `quirks.py` says where the search starts, the site's ladder how it goes on.

A lease is a limit that ends by itself and leaves the fallback in force. Which profile is the handle for it differs from station to
station, and so do unit, kind and level; everything else in the house reckons with leases and fallbacks and knows none of this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Literal

from .frames import Payload

type Unit = Literal["A", "W"]
type Kind = Literal["Absolute", "Relative"]

LAG_S = 60
"""So far a station's clock may lag behind what it last showed."""
MOST_BACKDATED_S = 86_400


class Handle(StrEnum):
    """The purpose of the profile that a lease is told by, and with it what the fallback is told by."""

    TRANSACTION = "TxProfile"
    """Lease: a TxProfile. Fallback: the EVSE's TxDefaultProfile."""
    DEFAULT = "TxDefaultProfile"
    """Lease: a TxDefaultProfile one level above the fallback's."""
    STATION = "ChargingStationMaxProfile"
    """Lease: a ChargingStationMaxProfile one level above one that is the fallback. For a station with one EVSE; never Relative (K01.FR.38)."""


class LeaseEnd(StrEnum):
    """What ends a lease."""

    VALID_TO = "validTo"
    PERIOD = "period"
    """A second period of the schedule that holds the fallback's limit, beside validTo. Not with Relative: its zero is the transaction's start."""
    NEVER = "never"
    """Nothing: what is told lasts. The limit takes the fallback's own place and counts as one (a TxProfile lasts as its transaction)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How limits are told a station. The defaults are what the standard leads to."""

    unit: Unit | None = None
    """None: what its RateUnit leads to, amps where it takes them."""
    decimals: int = 1
    """Of a limit, rounded down: 1 as OCPP allows, or 0."""
    kind: Kind = "Absolute"
    """Of lease and fallback; a station maximum is always Absolute."""
    backdate_s: int = 3600 + LAG_S
    """An Absolute schedule that says one thing for good starts so long ago: at a station whose clock goes back by an hour it has begun."""
    phases_sent: bool = True
    """numberPhases goes along where it says more than the 3 that its absence means (K01.FR.49)."""
    handle: Handle = Handle.TRANSACTION
    lease_end: LeaseEnd = LeaseEnd.VALID_TO
    stack_level: int = 0
    """Of the fallback, of the station's ceiling, and of a TxProfile."""
    takes_station_limit: bool = True
    """A ChargingStationMaxProfile is worth sending."""
    resend_on_resume: bool = False
    """It forgets its limit over a suspension: the lease is sent again when it charges again."""

    @property
    def holds_leases(self) -> bool:
        """Whether what it is told ends by itself."""
        return self.lease_end is not LeaseEnd.NEVER

    @property
    def overwrites(self) -> bool:
        """Whether a limit takes the fallback's own place (same profile id and level)."""
        return not self.holds_leases and self.handle is not Handle.TRANSACTION

    @property
    def backdate_of_periods_s(self) -> int:
        """How long ago a schedule of several periods starts: little, for a station that reckons from when it was told ends each so late."""
        return min(self.backdate_s, LAG_S)

    @property
    def tells_station_limit(self) -> bool:
        """Whether the station's ceiling has a place: told by the station's maximum, the fallback takes it."""
        return self.takes_station_limit and self.handle is not Handle.STATION

    @property
    def lease_level(self) -> int:
        """The stack level of a lease: above the fallback's where both have the same purpose."""
        return self.stack_level + (self.handle is not Handle.TRANSACTION and self.holds_leases)

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data, what differs from the defaults only."""
        standard = Dialect()
        return {
            field.name: str(value) if isinstance(value, StrEnum) else value
            for field in fields(self)
            if (value := getattr(self, field.name)) != getattr(standard, field.name)
        }

    @classmethod
    def from_document(cls, document: Payload) -> Dialect:
        """Return what `document` gave. Raises ValueError for a field or value that there is not."""
        known = {field.name for field in fields(cls)}
        if unknown := set(document) - known:
            raise ValueError(f"a dialect has no {', '.join(sorted(unknown))}")
        return cls(**{name: _checked(name, value) for name, value in document.items()})


def _checked(name: str, value: Any) -> Any:
    match name, value:
        case "handle", str():
            return Handle(value)
        case "lease_end", str():
            return LeaseEnd(value)
        case ("unit", None | "A" | "W") | ("kind", "Absolute" | "Relative"):
            return value
        case "phases_sent" | "takes_station_limit" | "resend_on_resume", bool():
            return value
        case "decimals" | "backdate_s" | "stack_level", int() if not isinstance(value, bool) and 0 <= value <= _MOST[name]:
            return value
    raise ValueError(f"a dialect's {name} is not {value!r}")


_MOST: Mapping[str, int] = {"decimals": 1, "backdate_s": MOST_BACKDATED_S, "stack_level": 1000}
