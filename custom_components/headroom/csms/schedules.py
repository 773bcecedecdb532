"""What charging schedules that others made come to in amps per phase: limits from outside (K11–K14), and what an EV plans (K16)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from .fields import optional_moment, optional_number, optional_seconds, optional_whole, records
from .frames import Payload


def limit_now_a(schedules: Sequence[Payload], now: datetime, voltage_v: float, start: datetime | None = None) -> float | None:
    """Return the lowest current per phase that schedules of the station's own allow at `now`; None where they say nothing.

    A schedule without startSchedule began at `start`, or just now. Watts are shared among numberPhases, 3 unless told (K01.FR.49).
    """
    found: list[float] = []
    for schedule in schedules:
        begun = optional_moment(schedule, "startSchedule") or start or now
        elapsed_s = max(0.0, (now - begun).total_seconds())
        current: Payload = {}
        for period in records(schedule, "chargingSchedulePeriod"):
            if (optional_seconds(period, "startPeriod") or 0) <= elapsed_s:
                current = period
        limit = optional_number(current, "limit")
        duration_s = optional_seconds(schedule, "duration")
        if limit is None or (duration_s is not None and elapsed_s >= duration_s):
            continue
        watts = schedule.get("chargingRateUnit") == "W"
        found.append(limit / (voltage_v * (optional_whole(current, "numberPhases") or 3)) if watts else limit)
    return min(found, default=None)


def limits_over_time(schedules: Sequence[Payload], now: datetime, voltage_v: float) -> Sequence[tuple[datetime, float | None]]:
    """Return every moment from `now` on at which schedules begin to say something else, with the lowest current per phase then.

    None: they say nothing (any more). A schedule without startSchedule begins now.
    """
    points = {now}
    for schedule in schedules:
        begun = optional_moment(schedule, "startSchedule") or now
        seconds = [optional_seconds(period, "startPeriod") for period in records(schedule, "chargingSchedulePeriod")]
        seconds.append(optional_seconds(schedule, "duration"))
        points |= {begun + timedelta(seconds=second) for second in seconds if second is not None and second >= 0}
        points.add(begun)
    found: list[tuple[datetime, float | None]] = []
    for at in sorted(point for point in points if point >= now):
        running = [one for one in schedules if (optional_moment(one, "startSchedule") or now) <= at]
        limit_a = limit_now_a(running, at, voltage_v, now)
        if not found or found[-1][1] != limit_a:
            found.append((at, limit_a))
    return found
