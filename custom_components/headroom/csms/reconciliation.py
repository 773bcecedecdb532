"""What a station holds, read from its own report (K09), and set beside what it should hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import math

from .composite import NOMINAL_VOLTAGE_V
from .dialect import Handle
from .fields import optional_moment, optional_number, optional_seconds, optional_text, optional_whole, records
from .frames import Payload
from .profiles import Ours, Placed, Role, Wording, fallback, lease, ours, station_limit

SLACK_S = 1.5
"""So far a time that a station reports may be from the one it was told: some keep whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One of our profiles as the station reports it."""

    evse_id: int
    """The EVSE it is about; 0: the station."""
    limit_a: float | None
    """The limit as told, in amps per phase; None where it can't be read."""
    as_worded: bool
    """It is word for word what would be sent now for this limit in the present dialect."""
    placed: Placed
    one_phase: bool = False
    """It is for the EVSE's first terminal alone."""
    handle: Handle | None = None
    """What a lease was told by."""
    transaction_id: str | None = None
    """Only a TxProfile names its transaction."""
    valid_to: datetime | None = None
    """By our clock, as validTo or a second period says; None: it lasts."""
    falls_to_a: float = 0.0
    """What a second period of a lease leads to; infinite where that can't be read, 0 where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What a station holds. In a dialect whose limits overwrite the fallback (Dialect.overwrites) there are fallbacks only."""

    station_limit: Held | None = None
    fallbacks: Mapping[int, Held] = field(default_factory=dict)
    leases: tuple[Held, ...] = ()
    """One for each EVSE, or more: one told by a handle that is no longer in use may still be there."""
    foreign: tuple[Placed, ...] = ()
    """What is neither ours nor an external constraint."""
    external: tuple[Placed, ...] = ()
    """ChargingStationExternalConstraints, and whatever the station says is not from a central system."""

    def lease(self, evse_id: int, handle: Handle) -> Held | None:
        """Return the lease of an EVSE that is told by a handle, None where there is none."""
        return next((held for held in self.leases if (held.evse_id, held.handle) == (evse_id, handle)), None)

    @property
    def placed(self) -> Sequence[Placed]:
        """Everything there is but external constraints."""
        held = [*([self.station_limit] if self.station_limit else ()), *self.fallbacks.values(), *self.leases]
        return [*(one.placed for one in held), *self.foreign]


def installed(
    reported: Sequence[Placed],
    words: Mapping[int, Wording],
    leases: Mapping[int, Wording],
    one_phase: Mapping[int, Wording],
    *,
    clock_offset_s: float = 0.0,
) -> Installed:
    """Return what reported profiles are, set beside how they would be worded now.

    `words` are those of the station (0) and of each EVSE's fallback, `leases` those of each EVSE's lease, `one_phase` those of either
    where it is for the first terminal alone.
    """
    ceiling: Held | None = None
    fallbacks: dict[int, Held] = {}
    ends: list[Held] = []
    foreign: list[Placed] = []
    external: list[Placed] = []
    for placed in reported:
        what = ours(placed)
        if placed.purpose == "ChargingStationExternalConstraints" or placed.source != "CSO":
            external.append(placed)
        elif what is None or what.evse_id not in words:
            foreign.append(placed)
        else:
            alone = what.role is not Role.STATION_LIMIT and _for_one_phase(placed.profile)
            told_by = one_phase if alone else leases if what.role is Role.LEASE else words
            held = replace(_held(placed, what, told_by[what.evse_id], clock_offset_s), one_phase=alone)
            match what.role:
                case Role.STATION_LIMIT:
                    ceiling = held
                case Role.FALLBACK:
                    fallbacks[what.evse_id] = held
                case Role.LEASE:
                    ends.append(held)
    return Installed(station_limit=ceiling, fallbacks=fallbacks, leases=tuple(ends), foreign=tuple(foreign), external=tuple(external))


def _held(placed: Placed, what: Ours, words: Wording, clock_offset_s: float) -> Held:
    told = _limits(placed.profile)
    readable = _unit(placed.profile) == words.rate.unit
    limit_a = words.rate.amps(told[0]) if told and readable else _nominal_a(placed.profile, words)
    valid_to, transaction_id = _ends_at(placed.profile), optional_text(placed.profile, "transactionId")
    return Held(
        evse_id=what.evse_id,
        limit_a=limit_a,
        as_worded=limit_a is not None and same(_again(what, limit_a, placed, words), placed, words.now),
        placed=placed,
        handle=what.handle,
        transaction_id=transaction_id,
        valid_to=None if valid_to is None else valid_to - timedelta(seconds=clock_offset_s),
        falls_to_a=0.0 if len(told) < 2 else words.rate.amps(told[1]) if readable else math.inf,
    )


def _for_one_phase(profile: Payload) -> bool:
    schedules = records(profile, "chargingSchedule")
    periods = records(schedules[0], "chargingSchedulePeriod") if schedules else []
    return bool(periods) and optional_whole(periods[0], "phaseToUse") == 1


def _ends_at(profile: Payload) -> datetime | None:
    """Return when a lease ends: a station that keeps no validTo may keep the second period that says the same."""
    if (valid_to := optional_moment(profile, "validTo")) is not None:
        return valid_to
    schedules = records(profile, "chargingSchedule")
    start = optional_moment(schedules[0], "startSchedule") if len(schedules) == 1 else None
    periods = records(schedules[0], "chargingSchedulePeriod") if start is not None else []
    after_s = optional_number(periods[1], "startPeriod") if len(periods) > 1 else None
    return None if start is None or after_s is None else start + timedelta(seconds=after_s)


def _again(what: Ours, limit_a: float, placed: Placed, words: Wording) -> Placed:
    match what.role:
        case Role.STATION_LIMIT:
            return station_limit(limit_a, words)
        case Role.FALLBACK:
            return fallback(what.evse_id, limit_a, words)
        case Role.LEASE:
            told = _limits(placed.profile)
            return lease(
                what.evse_id,
                optional_text(placed.profile, "transactionId"),
                limit_a,
                optional_moment(placed.profile, "validTo"),
                words,
                fallback_a=words.rate.amps(told[1]) if len(told) > 1 else None,
            )


def _unit(profile: Payload) -> str | None:
    schedules = records(profile, "chargingSchedule")
    return optional_text(schedules[0], "chargingRateUnit") if schedules else None


def _limits(profile: Payload) -> Sequence[float]:
    schedules = records(profile, "chargingSchedule")
    periods = records(schedules[0], "chargingSchedulePeriod") if len(schedules) == 1 else []
    return [limit for period in periods if (limit := optional_number(period, "limit")) is not None]


def _nominal_a(profile: Payload, words: Wording) -> float | None:
    """The limit of a profile told in the other unit than now: reckoned for the phases it names, at the nominal voltage."""
    if not (told := _limits(profile)):
        return None
    if _unit(profile) == "A":
        return told[0]
    period = records(records(profile, "chargingSchedule")[0], "chargingSchedulePeriod")[0]
    return told[0] / (NOMINAL_VOLTAGE_V * (optional_whole(period, "numberPhases") or 1))


def same(wanted: Placed, placed: Placed, now: datetime) -> bool:
    """Tell whether a profile says what another does, from `now` (the station's) on: when it was told, and rounded times, do not count."""
    one, other = wanted.profile, placed.profile
    return (
        wanted.evse_id == placed.evse_id
        and all(one.get(key) == other.get(key) for key in ("transactionId", "recurrencyKind"))
        and all(optional_whole(one, key) == optional_whole(other, key) for key in ("id", "stackLevel"))
        and all(optional_text(one, key) == optional_text(other, key) for key in ("chargingProfilePurpose", "chargingProfileKind"))
        and _near(optional_moment(one, "validTo"), optional_moment(other, "validTo"))
        and _begun(optional_moment(one, "validFrom"), now) == _begun(optional_moment(other, "validFrom"), now)
        and _same_schedules(one, other, now)
    )


def _near(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs((one - other).total_seconds()) <= SLACK_S


def _begun(at: datetime | None, now: datetime) -> datetime | None:
    return None if at is None or at <= now else at


def _same_schedules(one: Payload, other: Payload, now: datetime) -> bool:
    mine, theirs = records(one, "chargingSchedule"), records(other, "chargingSchedule")
    return len(mine) == len(theirs) and all(_same_schedule(*pair, now) for pair in zip(mine, theirs, strict=True))


def _same_schedule(one: Payload, other: Payload, now: datetime) -> bool:
    if any(optional_text(one, key) != optional_text(other, key) for key in ("chargingRateUnit",)):
        return False
    if any(optional_number(one, key) != optional_number(other, key) for key in ("id", "duration", "minChargingRate")):
        return False
    start, begun = optional_moment(one, "startSchedule"), optional_moment(other, "startSchedule")
    if (start is None) != (begun is None):
        return False
    mine, theirs = records(one, "chargingSchedulePeriod"), records(other, "chargingSchedulePeriod")
    if len(mine) != len(theirs) or any(_words_of(a) != _words_of(b) for a, b in zip(mine, theirs, strict=True)):
        return False
    if len(mine) == 1 and "duration" not in one and one.get("recurrencyKind") is None:
        return begun is None or begun <= now  # it lasts: since when does not matter
    return all(_near(_moment_of(start, a, now), _moment_of(begun, b, now)) for a, b in zip(mine, theirs, strict=True))


def _words_of(period: Payload) -> tuple[float | None, int, int | None]:
    return (optional_number(period, "limit"), optional_whole(period, "numberPhases") or 3, optional_whole(period, "phaseToUse"))


def _moment_of(start: datetime | None, period: Payload, now: datetime) -> datetime | None:
    """When a period begins, as far as it lies ahead; without a start its second counts."""
    after = timedelta(seconds=optional_seconds(period, "startPeriod") or 0)
    return now + after if start is None else max(now, start + after)
