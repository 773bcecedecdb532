"""The composite schedule (K08): what the charging profiles installed on a station allow together, exact in time.

The standard's merge, in the order of this file. A profile says something for as long as it is valid and its schedule runs. Within a
purpose the highest stack level that says anything leads, and gaps fall through. A TxProfile replaces the TxDefaultProfile. Of what is
left, with external constraints and the station's maximum, the lowest holds; and a station as a whole gives what its EVSEs may
give together, up to its own maximum.

Limits are in amps per phase and phases, the lowest of each; watts are on all phases together. All functions are pure.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
import math

from .fields import optional_moment, optional_number, optional_seconds, optional_text, optional_whole, records
from .frames import Payload

STATION_MAX, TX_DEFAULT, TX, EXTERNAL = (
    "ChargingStationMaxProfile",
    "TxDefaultProfile",
    "TxProfile",
    "ChargingStationExternalConstraints",
)
RECURRENCE: Mapping[str, timedelta] = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}
ALL_PHASES = 3
"""AC without numberPhases (K01.FR.49)."""
NOMINAL_VOLTAGE_V = 230.0


def is_phase_voltage(voltage_v: float) -> bool:
    """Tell whether there are mains with such a voltage between phase and neutral: 100 V to 277 V, a tenth lower or higher.

    What lies above is one between two phases, or a battery's.
    """
    return NOMINAL_VOLTAGE_V / 3 < voltage_v < NOMINAL_VOLTAGE_V * 1.33


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePeriod:
    """From `start_s` after the schedule's start, at most `limit` (A or W) on `phases` conductors."""

    start_s: float
    limit: float
    phases: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeSchedule:
    """What the station says it will do (GetCompositeSchedule). `unit` is "A" or "W"; no periods: it answered without one."""

    evse_id: int
    start: datetime | None
    duration_s: int
    unit: str
    periods: tuple[SchedulePeriod, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """Amps per phase, and on how many phases. Nothing said is no limit."""

    limit_a: float = math.inf
    phases: int = ALL_PHASES

    def rate(self, unit: str, voltage_v: float) -> float:
        """Return it in "A" per phase, or in "W" on all its phases."""
        return self.limit_a if unit == "A" else self.limit_a * self.phases * voltage_v


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction under way: what a TxProfile belongs to, and from when a Relative one counts."""

    transaction_id: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One chargingSchedule. Without `start` it counts from the transaction's start."""

    unit: str
    periods: tuple[SchedulePeriod, ...]
    start: datetime | None = None
    duration_s: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A charging profile as it lies in a station. `evse_id` 0: the station, or each of its EVSEs (TxDefaultProfile).

    Of several schedules (K15) the EV picks one: until it is known which, the highest counts.
    """

    profile_id: int
    evse_id: int
    purpose: str
    schedules: tuple[Schedule, ...]
    stack_level: int = 0
    every: timedelta | None = None
    """How often a Recurring profile starts again."""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction_id: str | None = None
    source: str = "CSO"


@dataclass(frozen=True, slots=True)
class Supply:
    """What an EVSE can give at all: K01.FR.45 has a limit count for no more phases than there are."""

    most_a: float = math.inf
    phases: int = ALL_PHASES


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a composite schedule is reckoned from. `transactions` and `supplies` are by EVSE."""

    installed: Sequence[Installed]
    transactions: Mapping[int, Transaction] = field(default_factory=dict)
    supplies: Mapping[int, Supply] = field(default_factory=lambda: {1: Supply()})
    voltage_v: float = NOMINAL_VOLTAGE_V

    @property
    def station_phases(self) -> int:
        """How many phases the station is supplied with."""
        return max((supply.phases for supply in self.supplies.values()), default=ALL_PHASES)


# What a profile says


def running_for(profile: Installed, schedule: Schedule, at: datetime, transaction: Transaction | None) -> float | None:
    """Return for how many seconds a schedule has been running at a moment (within its cycle); None where it does not run."""
    if (profile.valid_from is not None and at < profile.valid_from) or (profile.valid_to is not None and at >= profile.valid_to):
        return None
    if (begin := _begin(schedule, transaction)) is None or at < begin:
        return None
    elapsed = at - begin
    if profile.every is not None:
        elapsed %= profile.every
    elapsed_s = elapsed.total_seconds()
    return elapsed_s if elapsed_s < schedule.duration_s else None


def said(profile: Installed, at: datetime, transaction: Transaction | None, *, phases: int, voltage_v: float) -> Limit | None:
    """Return what a profile allows at a moment, where there are so many phases; None where it says nothing."""
    found: list[Limit] = []
    for schedule in profile.schedules:
        if (elapsed_s := running_for(profile, schedule, at, transaction)) is None:
            continue
        if (index := bisect_right(schedule.periods, elapsed_s, key=lambda period: period.start_s)) == 0:
            continue
        period = schedule.periods[index - 1]
        used = min(period.phases or ALL_PHASES, phases)
        found.append(Limit(period.limit / (voltage_v * used) if schedule.unit == "W" else period.limit, used))
    return max(found, key=lambda limit: (limit.limit_a, limit.phases), default=None)


def _begin(schedule: Schedule, transaction: Transaction | None) -> datetime | None:
    if schedule.start is not None:
        return schedule.start
    return None if transaction is None else transaction.started_at


# The merge


def least(limits: Iterable[Limit | None]) -> Limit:
    """Return the lowest of limits; no limit where there is none."""
    told = [limit for limit in limits if limit is not None]
    return Limit(min((limit.limit_a for limit in told), default=math.inf), min((limit.phases for limit in told), default=ALL_PHASES))


def leading(stack: Sequence[Installed], at: datetime, transaction: Transaction | None, *, phases: int, voltage_v: float) -> Limit | None:
    """Return what the highest of one purpose's profiles allows that says anything; None where none does.

    At the same level an EVSE's own goes before the station's; of two that still tie, which K01.FR.06 forbids, the lower holds.
    """
    if len(stack) <= 1:  # as it nearly always is
        return said(stack[0], at, transaction, phases=phases, voltage_v=voltage_v) if stack else None
    for _, tied in groupby(sorted(stack, key=_rank, reverse=True), key=_rank):
        told = [said(profile, at, transaction, phases=phases, voltage_v=voltage_v) for profile in tied]
        if any(limit is not None for limit in told):
            return least(told)
    return None


def _rank(profile: Installed) -> tuple[int, int]:
    return profile.stack_level, profile.evse_id


def evse_limit(situation: Situation, evse_id: int, at: datetime) -> Limit:
    """Return what an EVSE may give by its own profiles: TxProfile, else TxDefaultProfile, under external constraints and its rating."""
    supply, transaction = situation.supplies.get(evse_id, Supply()), situation.transactions.get(evse_id)

    def lead(purpose: str, *evse_ids: int) -> Limit | None:
        stack = [profile for profile in situation.installed if profile.purpose == purpose and profile.evse_id in evse_ids]
        if purpose == TX:
            stack = [profile for profile in stack if _belongs(profile, transaction)]
        return leading(stack, at, transaction, phases=supply.phases, voltage_v=situation.voltage_v)

    own = lead(TX, evse_id) or lead(TX_DEFAULT, 0, evse_id)
    return least([own, lead(EXTERNAL, evse_id), Limit(supply.most_a, supply.phases)])


def _belongs(profile: Installed, transaction: Transaction | None) -> bool:
    # One that came with a remote start (K05) names no transaction: it is for the one that follows.
    return transaction is not None and profile.transaction_id in (None, transaction.transaction_id)


def station_limit(situation: Situation, at: datetime) -> Limit:
    """Return what ChargingStationMaxProfile and external constraints allow the whole station."""
    phases = situation.station_phases
    stacks = ([one for one in situation.installed if one.purpose == purpose and one.evse_id == 0] for purpose in (STATION_MAX, EXTERNAL))
    return least([*(leading(stack, at, None, phases=phases, voltage_v=situation.voltage_v) for stack in stacks), Limit(phases=phases)])


def limit(situation: Situation, evse_id: int, at: datetime) -> Limit:
    """Return the composite limit of one EVSE at a moment."""
    return least([evse_limit(situation, evse_id, at), station_limit(situation, at)])


def composite_schedule(situation: Situation, evse_id: int, start: datetime, duration_s: int, unit: str = "A") -> CompositeSchedule:
    """Return what an EVSE, or for 0 the station as a whole, may give from `start` on, in "A" or "W"; infinite where nothing limits it."""
    periods: list[SchedulePeriod] = []
    for at in change_points(situation, start, duration_s):
        if evse_id:
            held = limit(situation, evse_id, at)
            rate, phases = held.rate(unit, situation.voltage_v), held.phases
        else:
            rate, phases = _together(situation, at, unit)
        if not periods or (rate, phases) != (periods[-1].limit, periods[-1].phases):
            periods.append(SchedulePeriod(start_s=(at - start).total_seconds(), limit=rate, phases=phases))
    return CompositeSchedule(evse_id=evse_id, start=start, duration_s=duration_s, unit=unit, periods=tuple(periods))


def _together(situation: Situation, at: datetime, unit: str) -> tuple[float, int]:
    most = station_limit(situation, at)
    own = [evse_limit(situation, evse_id, at) for evse_id in situation.supplies]
    total = sum(each.rate(unit, situation.voltage_v) for each in own)
    return min(most.rate(unit, situation.voltage_v), total), min(most.phases, max((each.phases for each in own), default=ALL_PHASES))


def change_points(situation: Situation, start: datetime, duration_s: float) -> Sequence[datetime]:
    """Return every moment of a window at which a profile may begin to say something else, the start first."""
    end = start + timedelta(seconds=duration_s)
    points = {start}
    for profile in situation.installed:
        points |= {moment for moment in (profile.valid_from, profile.valid_to) if moment is not None}
        for schedule in profile.schedules:
            begins = {begin for one in (None, *situation.transactions.values()) if (begin := _begin(schedule, one)) is not None}
            seconds = [0.0, *(period.start_s for period in schedule.periods)]
            seconds += [] if math.isinf(schedule.duration_s) else [schedule.duration_s]
            points |= {
                begun + timedelta(seconds=second)
                for begin in begins
                for begun in _cycles(begin, profile.every, start, end)
                for second in seconds
            }
    return sorted(point for point in points if start <= point < end)


def _cycles(begin: datetime, every: timedelta | None, start: datetime, end: datetime) -> Iterator[datetime]:
    if every is None:
        yield begin
        return
    # From the cycle that runs when the window opens to the last that begins in it.
    begun = begin + every * max(0, (start - begin) // every)
    while begun < end:
        yield begun
        begun += every


# Reading profiles


def installed(payload: Payload, *, evse_id: int | None = None) -> Installed | None:
    """Return a profile of OCPP's JSON, as SetChargingProfile or a report holds it; None where it can't be read.

    `evse_id` is where it was set; None: it is in the JSON.
    """
    where = optional_whole(payload, "evseId") if evse_id is None else evse_id
    profile_id, purpose = optional_whole(payload, "id"), optional_text(payload, "chargingProfilePurpose")
    if where is None or profile_id is None or purpose is None:
        return None
    recurring = optional_text(payload, "chargingProfileKind") == "Recurring"
    return Installed(
        profile_id=profile_id,
        evse_id=where,
        purpose=purpose,
        schedules=tuple(schedule_of(schedule) for schedule in records(payload, "chargingSchedule")),
        stack_level=optional_whole(payload, "stackLevel") or 0,
        every=RECURRENCE.get(optional_text(payload, "recurrencyKind") or "") if recurring else None,
        valid_from=optional_moment(payload, "validFrom"),
        valid_to=optional_moment(payload, "validTo"),
        transaction_id=optional_text(payload, "transactionId"),
        source=optional_text(payload, "chargingLimitSource") or "CSO",
    )


def schedule_of(payload: Payload) -> Schedule:
    """Return a chargingSchedule of OCPP's JSON; periods that can't be read are left out."""
    duration_s = optional_seconds(payload, "duration")
    return Schedule(
        unit=optional_text(payload, "chargingRateUnit") or "A",
        periods=tuple(
            sorted(
                (
                    SchedulePeriod(start_s=start_s, limit=limit_, phases=optional_whole(period, "numberPhases"))
                    for period in records(payload, "chargingSchedulePeriod")
                    if (start_s := optional_seconds(period, "startPeriod")) is not None
                    and (limit_ := optional_number(period, "limit")) is not None
                ),
                key=lambda period: period.start_s,
            )
        ),
        start=optional_moment(payload, "startSchedule"),
        duration_s=math.inf if duration_s is None else duration_s,
    )
