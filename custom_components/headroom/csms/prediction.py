"""What a station will do by the profiles it holds: predicted by our composite engine, and set beside what it says itself (K08)."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
import math

from . import composite
from .composite import CompositeSchedule, Limit, Situation, Supply, Transaction
from .profiles import Placed

HORIZON_S = 8 * 86400
"""So far ahead a profile is looked at: a weekly one has come round once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """From `start_s` to `end_s` of a schedule, what a station says it allows and what ours says it should; in the schedule's unit."""

    start_s: float
    end_s: float
    told: float
    expected: float


def differences(
    told: CompositeSchedule, expected: CompositeSchedule, *, tolerance: float = 0.05, least_tolerance: float = 0.5, slack_s: float = 5.0
) -> Sequence[Difference]:
    """Return where a schedule deviates from ours: by more than that share of it (and that much), for longer than `slack_s`.

    Both start at the same moment and are in the same unit. Where ours holds no limit, the station's own rating does: nothing to compare.
    """
    end_s = min(told.duration_s, expected.duration_s)
    points = sorted({0.0, *(period.start_s for period in (*told.periods, *expected.periods) if 0 < period.start_s < end_s), float(end_s)})
    found: list[Difference] = []
    for start_s, until_s in pairwise(points):
        ours, theirs = limit_at(expected, start_s), limit_at(told, start_s)
        if ours is None or theirs is None or math.isinf(ours) or until_s - start_s <= slack_s:
            continue
        if abs(theirs - ours) > max(least_tolerance, tolerance * ours):
            found.append(Difference(start_s=start_s, end_s=until_s, told=theirs, expected=ours))
    return found


def limit_at(schedule: CompositeSchedule, at_s: float) -> float | None:
    """Return the limit of a schedule so many seconds after its start, in its unit; None before its first period."""
    index = bisect_right(schedule.periods, at_s, key=lambda period: period.start_s)
    return schedule.periods[index - 1].limit if index else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeCheck:
    """A station's composite schedule, ours from what it holds, and where the two differ."""

    told: CompositeSchedule
    predicted: CompositeSchedule
    differences: tuple[Difference, ...]


def situation(
    held: Iterable[Placed], transactions: Mapping[int, Transaction], supplies: Mapping[int, Supply], voltage_v: float
) -> Situation:
    """Return what to reckon from. Profiles that can't be read are left out."""
    terms = [terms for one in held if (terms := composite.installed(one.profile, evse_id=one.evse_id)) is not None]
    return Situation(installed=terms, transactions=transactions, supplies=supplies, voltage_v=voltage_v)


def check_composite(told: CompositeSchedule, predicted: CompositeSchedule) -> CompositeCheck:
    """Set a station's schedule beside ours; one without periods says nothing that could differ."""
    found = differences(told, predicted) if told.periods else ()
    return CompositeCheck(told=told, predicted=predicted, differences=tuple(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """A moment from which an EVSE (0: the station) may give more after a change than before it."""

    at: datetime
    evse_id: int
    before: Limit
    after: Limit


def raised(before: Situation, after: Situation, start: datetime, horizon_s: float = HORIZON_S) -> Raised | None:
    """Return where an EVSE or the station may first give more after than before; None where there is no such moment.

    An EVSE without a transaction is looked at as if one began now: a TxDefaultProfile counts for whoever comes.
    """
    idle = {evse_id: Transaction(transaction_id="", started_at=start) for evse_id in before.supplies}
    before, after = (replace(one, transactions=idle | dict(one.transactions)) for one in (before, after))
    points = {*composite.change_points(before, start, horizon_s), *composite.change_points(after, start, horizon_s)}
    for at in sorted(points):
        for evse_id in before.supplies:
            one, other = composite.limit(before, evse_id, at), composite.limit(after, evse_id, at)
            if other.limit_a > one.limit_a + 1e-6 or (other.limit_a > 0 and other.phases > one.phases):
                return Raised(at=at, evse_id=evse_id, before=one, after=other)
        one, other = composite.station_limit(before, at), composite.station_limit(after, at)
        if other.limit_a > one.limit_a + 1e-6:
            return Raised(at=at, evse_id=0, before=one, after=other)
    return None


def exceeded_at(
    held: Situation, evse_id: int, plan: composite.Schedule, start: datetime, until: datetime, *, tolerance_a: float
) -> datetime | None:
    """Return the first moment at which an EV's own schedule (K16) is above what its EVSE may give; None where there is none."""
    end_s = max(0.0, (until - start).total_seconds())
    asked = composite.Installed(profile_id=0, evse_id=evse_id, purpose=composite.TX, schedules=(plan,))
    points = {start, *composite.change_points(held, start, end_s)}
    if plan.start is not None:
        points |= {plan.start + timedelta(seconds=period.start_s) for period in plan.periods}
    phases = held.supplies.get(evse_id, Supply()).phases
    for at in sorted(point for point in points if start <= point < max(until, start + timedelta(seconds=1))):
        wanted = composite.said(asked, at, None, phases=phases, voltage_v=held.voltage_v)
        if wanted is not None and wanted.limit_a > composite.limit(held, evse_id, at).limit_a + tolerance_a:
            return at
    return None
