"""What charging profiles allow at a moment, and over a time (block K08)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from .timestamps import read

STATION_MAX, TX_DEFAULT, TX, EXTERNAL = (
    "ChargingStationMaxProfile",
    "TxDefaultProfile",
    "TxProfile",
    "ChargingStationExternalConstraints",
)
RECURRENCE: Mapping[str, timedelta] = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7)}
DEFAULT_PHASES = 3
"""AC without numberPhases (K01.FR.49)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A profile as it lies in the station. `evse_id` 0: the station, or each of its EVSEs (TxDefaultProfile)."""

    evse_id: int
    profile: Mapping[str, Any]
    installed_at: datetime
    source: str = "CSO"

    @property
    def purpose(self) -> str:
        """The chargingProfilePurpose."""
        return str(self.profile["chargingProfilePurpose"])

    @property
    def stack_level(self) -> int:
        """The stackLevel."""
        return int(self.profile["stackLevel"])

    @property
    def valid_from(self) -> datetime | None:
        """None: at once."""
        return read(self.profile["validFrom"]) if "validFrom" in self.profile else None

    @property
    def valid_to(self) -> datetime | None:
        """None: until it is replaced."""
        return read(self.profile["validTo"]) if "validTo" in self.profile else None

    def valid(self, at: datetime) -> bool:
        """Return whether its window holds `at`."""
        return not ((self.valid_from and at < self.valid_from) or (self.valid_to and at >= self.valid_to))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The transaction a profile may belong to, and what a Relative one counts from."""

    transaction_id: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Limit:
    """Amps per phase, and on how many phases."""

    limit_a: float
    phases: int = DEFAULT_PHASES


def limit_of(installed: Installed, at: datetime, transaction: Transaction | None, voltage_v: float) -> Limit | None:
    """Return what one profile allows at a moment; None where it says nothing then."""
    if not installed.valid(at):
        return None
    schedule = installed.profile["chargingSchedule"][0]
    start = _start(installed, schedule, transaction)
    if start is None or at < start:
        return None
    elapsed = at - start
    if recurrence := RECURRENCE.get(installed.profile.get("recurrencyKind", "")):
        elapsed %= recurrence
    if "duration" in schedule and elapsed >= timedelta(seconds=schedule["duration"]):
        return None
    begun = [period for period in schedule["chargingSchedulePeriod"] if timedelta(seconds=period["startPeriod"]) <= elapsed]
    period = begun[-1]
    phases = int(period.get("numberPhases", DEFAULT_PHASES))
    watts = schedule["chargingRateUnit"] == "W"
    return Limit(period["limit"] / (voltage_v * phases) if watts else float(period["limit"]), phases)


def leading(stack: Iterable[Installed], at: datetime, transaction: Transaction | None, voltage_v: float) -> Limit | None:
    """Return what the highest profile of one purpose allows that says anything at the moment; gaps fall through to lower ones."""
    for installed in sorted(stack, key=lambda one: (one.stack_level, one.evse_id), reverse=True):
        if limit := limit_of(installed, at, transaction, voltage_v):
            return limit
    return None


def change_points(profiles: Iterable[Installed], start: datetime, duration_s: float, transaction: Transaction | None) -> Sequence[datetime]:
    """Return every moment of the window at which a profile may begin to say something else, its start first."""
    end = start + timedelta(seconds=duration_s)
    points = {start}
    for installed in profiles:
        points |= {moment for moment in (installed.valid_from, installed.valid_to) if moment}
        schedule = installed.profile["chargingSchedule"][0]
        if (begin := _start(installed, schedule, transaction)) is None:
            continue
        seconds = [period["startPeriod"] for period in schedule["chargingSchedulePeriod"]]
        seconds += [schedule["duration"]] if "duration" in schedule else []
        recurrence = RECURRENCE.get(installed.profile.get("recurrencyKind", ""))
        starts = [begin]
        if recurrence:
            first = max(0, (start - begin) // recurrence)
            starts = [begin + recurrence * cycle for cycle in range(first, max(first, (end - begin) // recurrence + 1) + 1)]
        points |= {at + timedelta(seconds=second) for at in starts for second in seconds}
    return sorted(point for point in points if start <= point < end)


def periods(found: Sequence[tuple[datetime, float]], start: datetime) -> list[dict[str, Any]]:
    """Return chargingSchedulePeriods of (moment, limit), equal neighbours as one; startPeriod is in whole seconds."""
    at_second: dict[int, float] = {}
    for moment, limit in found:
        at_second[int((moment - start).total_seconds())] = round(limit, 1)
    listed = sorted(at_second.items())
    kept = listed[:1] + [later for earlier, later in pairwise(listed) if later[1] != earlier[1]]
    return [{"startPeriod": second, "limit": limit} for second, limit in kept]


def _start(installed: Installed, schedule: Mapping[str, Any], transaction: Transaction | None) -> datetime | None:
    if installed.profile["chargingProfileKind"] != "Relative":
        return read(schedule["startSchedule"])
    if transaction is None:
        return None
    return max(transaction.started_at, installed.installed_at)
