"""Limits as values: what a station holds for a while, what it is to hold, and what somebody allows over time."""

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A limit confirmed by the station for one transaction, until `expires_at` (monotonic)."""

    transaction_id: str
    limit_a: float
    expires_at: float
    """Infinite: it lasts until something takes its place."""
    one_phase: bool = False
    """It is for the first terminal alone."""
    falls_to_a: float = 0.0
    """What a second period of its own lets flow from its end on: the fallback as it was when it was told; 0 where it has none."""

    @property
    def lasts(self) -> bool:
        """Whether it does not end by itself."""
        return math.isinf(self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLease:
    """The lease that went along with a start from afar, whose transaction has not begun. `confirmed`: the station took it."""

    remote_start_id: int | None
    """None: it is of a start before a restart of ours."""
    limit_a: float
    expires_at: float
    falls_to_a: float = 0.0
    """As that of a lease."""
    confirmed: bool = False

    def of(self, transaction_id: str) -> Lease:
        """Return it as the lease of the transaction that began with it."""
        return Lease(transaction_id=transaction_id, limit_a=self.limit_a, expires_at=self.expires_at, falls_to_a=self.falls_to_a)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseOrder:
    """A lease the loop wants installed. `urgent`: it gives less, or for less long, than what is installed, or is to be told again."""

    transaction_id: str
    limit_a: float
    length_s: float
    urgent: bool
    one_phase: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsOverTime:
    """What somebody allows over time: amps from so many seconds after `starts_at` (monotonic); ends at `ends_at`."""

    starts_at: float
    periods: tuple[tuple[float, float], ...]
    ends_at: float = math.inf

    def limit_a(self, now: float) -> float:
        """Return the limit that holds now; infinite where it says nothing."""
        if now >= self.ends_at:
            return math.inf
        started = [limit_a for start_s, limit_a in self.periods if now >= self.starts_at + start_s]
        return started[-1] if started else math.inf

    def next_change(self, now: float) -> float:
        """Return the monotonic time of the next change, infinite where there is none."""
        changes = [self.starts_at + start_s for start_s, _ in self.periods] + [self.ends_at]
        return min((change for change in changes if change > now), default=math.inf)

    def document(self, posix_zero_s: float) -> dict[str, Any]:
        """Return it as JSON-able data with POSIX times. `posix_zero_s` is when the monotonic clock was zero."""
        return {
            "starts_at": self.starts_at + posix_zero_s,
            "periods": [list(period) for period in self.periods],
            "ends_at": None if math.isinf(self.ends_at) else self.ends_at + posix_zero_s,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], posix_zero_s: float) -> LimitsOverTime:
        """Return what `document` gave."""
        ends_at = document["ends_at"]
        return cls(
            starts_at=document["starts_at"] - posix_zero_s,
            periods=tuple((start_s, limit_a) for start_s, limit_a in document["periods"]),
            ends_at=math.inf if ends_at is None else ends_at - posix_zero_s,
        )


def lowest(limits: Mapping[str, LimitsOverTime], now: float) -> tuple[float, str | None]:
    """Return the lowest of several limits now, and whose it is; infinite and None where none says anything."""
    return min(((each.limit_a(now), source) for source, each in limits.items()), default=(math.inf, None))
