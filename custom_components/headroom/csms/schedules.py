"""What charging schedules that others made come to in amps per phase: limits from outside (K11–K14)."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from .fields import optional_moment, optional_number, optional_seconds, optional_whole, records
from .frames import Payload

MOST_SCHEDULES, MOST_PERIODS = 16, 1024
"""Of one limit, and of one schedule (2.0.1 Part 2: ChargingScheduleType); what comes beyond is not read."""

type Course = Sequence[tuple[datetime, float | None]]
"""From each moment on the lowest current per phase; None: nothing is said (any more)."""


def limits_over_time(schedules: Sequence[Payload], now: datetime, voltage_v: float) -> Course:
    """Return every moment from `now` on at which schedules begin to say something else, with the lowest current per phase then.

    A schedule without startSchedule begins now. Watts are shared among numberPhases, 3 unless told (K01.FR.49).
    """
    courses = [_course(schedule, now, voltage_v) for schedule in schedules[:MOST_SCHEDULES]]
    found: list[tuple[datetime, float | None]] = []
    for at in sorted({now, *(at for course in courses for at, _ in course if at >= now)}):
        told = [limit_a for course in courses if (limit_a := _limit_at(course, at)) is not None]
        limit_a = min(told, default=None)
        if not found or found[-1][1] != limit_a:
            found.append((at, limit_a))
    return found


def _course(schedule: Payload, now: datetime, voltage_v: float) -> Course:
    begun, duration_s = optional_moment(schedule, "startSchedule") or now, optional_seconds(schedule, "duration")
    watts = schedule.get("chargingRateUnit") == "W"
    course: list[tuple[datetime, float | None]] = []
    for period in islice(records(schedule, "chargingSchedulePeriod"), MOST_PERIODS):
        start_s, limit = max(0.0, optional_seconds(period, "startPeriod") or 0.0), optional_number(period, "limit")
        if duration_s is not None and start_s >= duration_s:
            continue
        if limit is not None and watts:
            limit /= voltage_v * (optional_whole(period, "numberPhases") or 3)
        course.append((begun + timedelta(seconds=start_s), limit))
    if duration_s is not None:
        course.append((begun + timedelta(seconds=max(0.0, duration_s)), None))
    return sorted(course, key=_moment)


def _limit_at(course: Course, at: datetime) -> float | None:
    index = bisect_right(course, at, key=_moment)
    return course[index - 1][1] if index else None


def _moment(step: tuple[datetime, float | None]) -> datetime:
    return step[0]
