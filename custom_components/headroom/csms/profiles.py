"""Our own charging profiles, as OCPP 2.0.1's JSON: the station's ceiling, the fallback and the lease of each EVSE, in a station's dialect.

Their ids are stable, for the same id replaces station-wide (K01.FR.05) and another id of the same purpose and level is rejected
(K01.FR.06): a change overwrites, nothing is ever cleared first. A lease has another id for each handle it may be told by, so that
one that went out of use can be taken away while the new one holds. What a profile is for is told by the id of its schedule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
import math
from typing import Any

from .dialect import Dialect, Handle, LeaseEnd, Unit
from .fields import optional_text, optional_whole, records
from .frames import Payload
from .profile_builder import Period, Schedule, profile as build

STATION_LIMIT, FALLBACK, LEASE, EXTERNAL = (
    "ChargingStationMaxProfile",
    "TxDefaultProfile",
    "TxProfile",
    "ChargingStationExternalConstraints",
)
STATION_LIMIT_ID = 1
FIRST_FALLBACK_ID = 1000
FIRST_LEASE_ID = {Handle.TRANSACTION: 2000, Handle.DEFAULT: 3000, Handle.STATION: 4000}
IDS_EACH = 1000

type Profile = dict[str, Any]


class Role(StrEnum):
    """What a profile of ours is for."""

    STATION_LIMIT = "station_limit"
    FALLBACK = "fallback"
    LEASE = "lease"


@dataclass(frozen=True)
class Placed:
    """A charging profile and the EVSE it is set on: 0 is the station, or each of its EVSEs (TxDefaultProfile).

    What it says never changes, and is read once: every turn of the loop asks whose each profile is.
    """

    evse_id: int
    profile: Payload
    source: str = "CSO"

    @cached_property
    def profile_id(self) -> int | None:
        """Its id, None where it can't be read."""
        return optional_whole(self.profile, "id")

    @cached_property
    def purpose(self) -> str:
        """Its chargingProfilePurpose, "" where it can't be read."""
        return optional_text(self.profile, "chargingProfilePurpose") or ""

    @cached_property
    def stack_level(self) -> int:
        """Its stackLevel."""
        return optional_whole(self.profile, "stackLevel") or 0

    @cached_property
    def ours(self) -> Ours | None:
        """What it is for where it is one that this module writes; None: it is somebody else's."""
        return _ours(self)


@dataclass(frozen=True, slots=True)
class Rate:
    """How amps per phase are told a station: `per_amp` is 1 for "A", else the watts one amp on each phase makes."""

    unit: Unit = "A"
    per_amp: float = 1.0
    phases: int | None = None
    """numberPhases to send; None leaves it out, which means 3 on AC (K01.FR.49)."""
    decimals: int = 1
    phase_to_use: int | None = None
    """The terminal to give it on alone; only with numberPhases 1 (K01.FR.19)."""

    def limit(self, limit_a: float) -> float:
        """Return the limit in the station's unit, rounded down to the decimals it takes (OCPP allows one)."""
        scale = 10.0**self.decimals
        return math.floor(max(0.0, limit_a) * self.per_amp * scale + 1e-6) / scale

    def amps(self, limit: float) -> float:
        """Return what a limit in the station's unit is in amps per phase."""
        return limit / self.per_amp


def rate(unit: Unit, *, phases: int | None, voltage_v: float, direct: bool = False, decimals: int = 1, phases_sent: bool = True) -> Rate:
    """Return how amps are told in a unit.

    `phases` is how many the limit is for; None where nobody knows: then watts are reckoned for one, so that no single phase is ever
    overloaded, whatever the car. numberPhases goes along with watts where it says more than the 3 that its absence means
    (K01.FR.49). `direct`: the EVSE gives direct current, of which a limit has no phases (K01.FR.44).
    """
    if unit == "A":
        return Rate(decimals=decimals)
    if direct:
        return Rate("W", 3 * voltage_v, None, decimals)
    return Rate("W", (phases or 1) * voltage_v, phases if phases_sent and phases != 3 else None, decimals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How limits are told one EVSE (or the station): its dialect, fitted to what it takes; the rate; and its clock."""

    dialect: Dialect
    rate: Rate
    now: datetime
    """By the station's clock, as every time in a profile is."""


def station_limit(limit_a: float, words: Wording) -> Placed:
    """Return the ceiling of the whole station, for EVSE 0 and never Relative (K01.FR.38)."""
    profile = _profile(STATION_LIMIT_ID, STATION_LIMIT_ID, STATION_LIMIT, words.dialect.stack_level, [_period(0, limit_a, words)], words)
    return Placed(0, profile)


def fallback(evse_id: int, limit_a: float, words: Wording) -> Placed:
    """Return what holds on an EVSE where no lease does. Told by the station's maximum, it has the ceiling's own place."""
    return _fallback(evse_id, FIRST_FALLBACK_ID + evse_id, limit_a, words)


def _fallback(evse_id: int, schedule_id: int, limit_a: float, words: Wording) -> Placed:
    where, profile_id, purpose = fallback_place(evse_id, words.dialect.handle)
    return Placed(where, _profile(profile_id, schedule_id, purpose, words.dialect.stack_level, [_period(0, limit_a, words)], words))


def fallback_place(evse_id: int, handle: Handle) -> tuple[int, int, str]:
    """Return where the fallback of an EVSE lies: the EVSE it is set on, its profile's id and purpose."""
    if handle is Handle.STATION:
        return 0, STATION_LIMIT_ID, STATION_LIMIT
    return evse_id, FIRST_FALLBACK_ID + evse_id, FALLBACK


def lease_id(evse_id: int, handle: Handle) -> int:
    """Return the id of the profile that an EVSE's lease is told by."""
    return FIRST_LEASE_ID[handle] + evse_id


def lease(
    evse_id: int, transaction_id: str | None, limit_a: float, valid_to: datetime | None, words: Wording, *, fallback_a: float | None = None
) -> Placed:
    """Return the limit of one transaction until `valid_to`, by the station's clock; None: until the transaction ends.

    A TxProfile names its transaction (K01.FR.03), but for the one that goes with a remote start: None (K05.FR.02). In a dialect
    whose limits last it takes the fallback's own place (Dialect.overwrites). `fallback_a` is what a second period leads to.
    """
    dialect = words.dialect
    if dialect.overwrites:
        return _fallback(evse_id, FIRST_FALLBACK_ID + evse_id, limit_a, words)
    profile_id, purpose = lease_id(evse_id, dialect.handle), str(dialect.handle)
    ends_at = valid_to if dialect.holds_leases else None
    periods = [_period(0, limit_a, words)]
    if ends_at is not None and dialect.lease_end is LeaseEnd.PERIOD and fallback_a is not None:
        # A whole second, rather early than late.
        after_s = math.floor((ends_at - _start(words, several=True)).total_seconds())
        periods += [_period(after_s, fallback_a, words)] if after_s > 0 else []
    profile = _profile(
        profile_id,
        profile_id,
        purpose,
        dialect.lease_level,
        periods,
        words,
        transaction_id=transaction_id if dialect.handle is Handle.TRANSACTION else None,
        valid_to=ends_at,
    )
    return Placed(0 if dialect.handle is Handle.STATION else evse_id, profile)


def _period(start_s: int, limit_a: float, words: Wording) -> Period:
    return Period(start_s=start_s, limit=words.rate.limit(limit_a), phases=words.rate.phases, phase_to_use=words.rate.phase_to_use)


def _start(words: Wording, *, several: bool) -> datetime:
    ago_s = words.dialect.backdate_of_periods_s if several else words.dialect.backdate_s
    return (words.now - timedelta(seconds=ago_s)).replace(microsecond=0)


def _profile(
    profile_id: int,
    schedule_id: int,
    purpose: str,
    stack_level: int,
    periods: Sequence[Period],
    words: Wording,
    *,
    transaction_id: str | None = None,
    valid_to: datetime | None = None,
) -> Profile:
    relative = words.dialect.kind == "Relative" and purpose != STATION_LIMIT
    start = None if relative else _start(words, several=len(periods) > 1)
    schedule = Schedule(schedule_id=schedule_id, periods=periods, unit=words.rate.unit, start=start)
    return build(
        profile_id=profile_id,
        purpose=purpose,
        schedules=[schedule],
        stack_level=stack_level,
        transaction_id=transaction_id,
        valid_to=valid_to,
    )


@dataclass(frozen=True, slots=True)
class Ours:
    """What a profile of ours is for: its role, the EVSE it is about (0: the station), and the handle of a lease."""

    role: Role
    evse_id: int
    handle: Handle | None = None


def ours(placed: Placed) -> Ours | None:
    """Return what a profile is for where it is one that this module writes; None: it is somebody else's."""
    return placed.ours


def _ours(placed: Placed) -> Ours | None:
    profile_id = placed.profile_id
    if profile_id is None or placed.purpose == EXTERNAL:
        return None
    if profile_id == STATION_LIMIT_ID and placed.purpose == STATION_LIMIT:
        schedule_ids = [optional_whole(schedule, "id") or 0 for schedule in records(placed.profile, "chargingSchedule")]
        evse_id = schedule_ids[0] - FIRST_FALLBACK_ID if schedule_ids else 0
        return Ours(Role.FALLBACK, evse_id) if 0 < evse_id < IDS_EACH else Ours(Role.STATION_LIMIT, 0)
    if 0 < (evse_id := profile_id - FIRST_FALLBACK_ID) < IDS_EACH and placed.purpose == FALLBACK:
        return Ours(Role.FALLBACK, evse_id)
    for handle, first in FIRST_LEASE_ID.items():
        if 0 < (evse_id := profile_id - first) < IDS_EACH and placed.purpose == str(handle):
            return Ours(Role.LEASE, evse_id, handle)
    return None
