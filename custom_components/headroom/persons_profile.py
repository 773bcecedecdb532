"""Charging profiles from what a person asks for: by the clock, by the day, by the week, or from a transaction's start."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Literal

from homeassistant.util import dt as dt_util

from .csms.composite import RECURRENCE
from .csms.profile_builder import Period, Recurrence, Schedule, profile
from .csms.profiles import FALLBACK, LEASE, STATION_LIMIT

type Kind = Literal["absolute", "daily", "weekly", "relative"]

RECURRENCES: dict[str, Recurrence] = {"daily": "Daily", "weekly": "Weekly"}
PURPOSES = {"station": STATION_LIMIT, "evse": FALLBACK, "transaction": LEASE}
"""By the level that a limit is about."""
DAY_S = 86_400
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks for, the same for each target."""

    kind: Kind
    schedules: Sequence[Sequence[Period]]
    unit: Literal["A", "W"] = "A"
    starts_at: datetime | None = None
    duration_s: int | None = None
    least: float | None = None
    """minChargingRate."""
    stack_level: int | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def profile(self, profile_id: int, level: str, transaction_id: str | None, now: datetime) -> dict[str, Any]:
        """Return it as a profile for a station, an EVSE or a transaction; without a level, the station's free ones are tried.

        Without a start it begins now; one that recurs, with the present day or week of this house's clocks.
        """
        recurrence = RECURRENCES.get(self.kind)
        start = None if self.kind == "relative" else self.starts_at or _begin(recurrence, now)
        schedules = [
            Schedule(schedule_id=number, periods=periods, unit=self.unit, start=start, duration_s=self.duration_s, min_rate=self.least)
            for number, periods in enumerate(self.schedules, start=profile_id)
        ]
        found = profile(
            profile_id=profile_id,
            purpose=PURPOSES[level],
            schedules=schedules,
            stack_level=self.stack_level or 0,
            recurrence=recurrence,
            transaction_id=transaction_id,
            valid_from=self.valid_from,
            valid_to=self.valid_until,
        )
        if self.stack_level is None:
            del found["stackLevel"]
        return found

    @property
    def cycle_s(self) -> float | None:
        """After how many seconds it begins again; None where it does not."""
        recurrence = RECURRENCES.get(self.kind)
        return None if recurrence is None else RECURRENCE[recurrence].total_seconds()


def _begin(recurrence: Recurrence | None, now: datetime) -> datetime:
    if recurrence is None:
        return dt_util.as_utc(now).replace(microsecond=0)
    today = dt_util.start_of_local_day(now)
    return dt_util.as_utc(today - timedelta(days=today.weekday()) if recurrence == "Weekly" else today)


def recurring(
    limit: float,
    *,
    begins: time,
    ends: time,
    days: Iterable[str],
    now: datetime,
    phases: int | None = None,
    unit: Literal["A", "W"] = "A",
    least: float | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Sequence[Asked]:
    """Return a limit that holds from a time of the day to another, past midnight where that is earlier, on some days of the week.

    The same times mean the whole day. It is one profile for all days, else one for each stretch: between stretches a profile would
    have to name a limit, where there is none.
    """
    length_s = (_seconds(ends) - _seconds(begins)) % DAY_S or DAY_S
    asked = Asked(
        kind="daily",
        schedules=[[Period(start_s=0, limit=limit, phases=phases)]],
        unit=unit,
        duration_s=length_s,
        least=least,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    chosen = sorted({WEEKDAYS.index(day) for day in days})
    today = dt_util.start_of_local_day(dt_util.as_local(now)).replace(hour=begins.hour, minute=begins.minute, second=begins.second)
    if len(chosen) in (0, len(WEEKDAYS)):
        return [replace(asked, starts_at=_latest(today, 1, now), duration_s=None if length_s == DAY_S else length_s)]
    return [
        replace(
            asked,
            kind="weekly",
            starts_at=_latest(today + timedelta(days=first - today.weekday()), len(WEEKDAYS), now),
            duration_s=length_s + DAY_S * (count - 1),
        )
        for first, count in _stretches(chosen, joined=length_s == DAY_S)
    ]


def _stretches(days: Sequence[int], *, joined: bool) -> Sequence[tuple[int, int]]:
    """Return stretches of days as (first, how many); each day its own unless `joined`."""
    found: list[tuple[int, int]] = []
    for day in days:
        if joined and found and sum(found[-1]) == day:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((day, 1))
    if joined and len(found) > 1 and found[0][0] == 0 and sum(found[-1]) == len(WEEKDAYS):
        last = found.pop()
        found[0] = (last[0], last[1] + found[0][1])
    return found


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _latest(at: datetime, days: int, now: datetime) -> datetime:
    """Return the latest of the times so many days apart that has come, by the house's clocks; a stretch may be under way."""
    return dt_util.as_utc(at if at <= now else at - timedelta(days=days))
