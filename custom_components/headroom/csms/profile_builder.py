"""Any charging profile of block K from plain values, as OCPP's JSON. What it gives is for `profile_rules.problems` to pass."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
import math
from typing import Any, Literal

from .fields import written

type Recurrence = Literal["Daily", "Weekly"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start_s` after the schedule's start, at most `limit`, in the schedule's unit."""

    start_s: int
    limit: float
    phases: int | None = None
    phase_to_use: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One schedule. `start` is None in a Relative profile, which counts from its transaction's start."""

    schedule_id: int
    periods: Sequence[Period]
    unit: Literal["A", "W"] = "A"
    start: datetime | None = None
    duration_s: int | None = None
    min_rate: float | None = None


def thinned(periods: Sequence[Period], most: int) -> Sequence[Period]:
    """Return at most so many periods, which at no moment allow more than these: neighbours are merged at the lower of both.

    Equal neighbours first, then those where the least is lost over time. Phases merge to the fewer.
    """
    found = [
        one for index, one in enumerate(periods) if index == 0 or replace(one, start_s=periods[index - 1].start_s) != periods[index - 1]
    ]
    while len(found) > max(1, most):
        # The last one has no end: rather shorten what goes before it.
        ends = [*(one.start_s for one in found[1:]), math.inf]
        losses = []
        for index, (one, other) in enumerate(pairwise(found)):
            low = min(one.limit, other.limit)
            spans = ((one, ends[index] - one.start_s), (other, ends[index + 1] - other.start_s))
            losses.append((sum((each.limit - low) * span for each, span in spans if each.limit > low), index))
        _, index = min(losses)
        found[index : index + 2] = [_lower(found[index], found[index + 1])]
    return found


def _lower(one: Period, other: Period) -> Period:
    told = [each.phases for each in (one, other) if each.phases is not None]
    same_phase = one.phase_to_use == other.phase_to_use
    return Period(
        start_s=one.start_s,
        limit=min(one.limit, other.limit),
        phases=min(told, default=None),
        phase_to_use=one.phase_to_use if same_phase else None,
    )


def profile(
    *,
    profile_id: int,
    purpose: str,
    schedules: Sequence[Schedule],
    stack_level: int = 0,
    recurrence: Recurrence | None = None,
    transaction_id: str | None = None,
    valid_from: datetime | None = None,
    valid_to: datetime | None = None,
    periods_most: int = 1024,
) -> dict[str, Any]:
    """Return a profile. Recurring with `recurrence`, Relative without a start.

    Limits are rounded down to one decimal, and thinned to the periods a station takes (PeriodsPerSchedule).
    """
    relative = all(schedule.start is None for schedule in schedules)
    found: dict[str, Any] = {
        "id": profile_id,
        "stackLevel": stack_level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Recurring" if recurrence else "Relative" if relative else "Absolute",
        "recurrencyKind": recurrence,
        "validFrom": None if valid_from is None else written(valid_from),
        "validTo": None if valid_to is None else written(valid_to),
        "transactionId": transaction_id,
        "chargingSchedule": [_schedule(schedule, periods_most) for schedule in schedules],
    }
    return {key: value for key, value in found.items() if value is not None}


def _schedule(schedule: Schedule, periods_most: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": schedule.schedule_id,
        "startSchedule": None if schedule.start is None else written(schedule.start),
        "duration": schedule.duration_s,
        "chargingRateUnit": schedule.unit,
        "minChargingRate": None if schedule.min_rate is None else _one_decimal(schedule.min_rate),
        "chargingSchedulePeriod": [_period(period) for period in thinned(schedule.periods, periods_most)],
    }
    return {key: value for key, value in found.items() if value is not None}


def _period(period: Period) -> dict[str, Any]:
    found = {
        "startPeriod": period.start_s,
        "limit": _one_decimal(period.limit),
        "numberPhases": period.phases,
        "phaseToUse": period.phase_to_use,
    }
    return {key: value for key, value in found.items() if value is not None}


def _one_decimal(rate: float) -> float:
    return math.floor(max(0.0, rate) * 10 + 1e-6) / 10
