"""Charging profiles that are valid by block K of OCPP 2.0.1, as its JSON.

Their ids are stable, for the same id replaces station-wide (K01.FR.05) and another id of the same purpose and level is rejected
(K01.FR.06): a change overwrites, nothing is ever cleared first. The stack level is 0, which every station has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
import math
from typing import Any

from .fields import optional_moment, optional_number, optional_text, optional_whole, records, written
from .frames import Payload
from .station import SmartCharging

STATION_LIMIT, FALLBACK, LEASE, EXTERNAL = (
    "ChargingStationMaxProfile",
    "TxDefaultProfile",
    "TxProfile",
    "ChargingStationExternalConstraints",
)
STATION_LIMIT_ID = 1
FIRST_FALLBACK_ID = 1000
FIRST_LEASE_ID = 2000
STACK_LEVEL = 0
BACKDATED = timedelta(seconds=60)
"""Profiles start this long ago, so that a station whose clock lags does not wait for them."""
LONGEST_SCHEDULE = 1024

type Profile = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rate:
    """How amps per phase are told a station: `per_amp` is 1 for "A", else the watts one amp on each phase makes."""

    unit: str = "A"
    per_amp: float = 1.0
    phases: int | None = None
    """numberPhases to send; None leaves it out, which means 3 on AC (K01.FR.49)."""

    def limit(self, limit_a: float) -> float:
        """Return the limit in the station's unit, rounded down to the one decimal that OCPP allows."""
        return math.floor(max(0.0, limit_a) * self.per_amp * 10 + 1e-6) / 10


def rate(smart_charging: SmartCharging, *, phases: int | None, voltage_v: float, direct: bool = False) -> Rate:
    """Return amps where the station takes them (K01.FR.26), watts where it does not or where the EVSE is DC.

    `phases` is how many the limit is for; None where nobody knows: then one is reckoned with, so that no single phase is ever
    overloaded, whatever the car. A DC limit has no phases (K01.FR.44).
    """
    units = smart_charging.rate_units
    if direct and "W" in units:
        return Rate("W", 3 * voltage_v)
    if "A" in units or "W" not in units:
        return Rate()
    return Rate("W", (phases or 1) * voltage_v, phases)


def station_limit(limit_a: float, rated: Rate, now: datetime) -> Profile:
    """Return the ceiling of the whole station, for EVSE 0 and never Relative (K01.FR.38)."""
    return _profile(STATION_LIMIT_ID, STATION_LIMIT, limit_a, rated, now)


def fallback(evse_id: int, limit_a: float, rated: Rate, now: datetime) -> Profile:
    """Return what holds on an EVSE where no lease does."""
    return _profile(FIRST_FALLBACK_ID + evse_id, FALLBACK, limit_a, rated, now)


def lease(evse_id: int, transaction_id: str, limit_a: float, valid_to: datetime, rated: Rate, now: datetime) -> Profile:
    """Return the limit of one transaction (K01.FR.03) until `valid_to`. Times are by the station's clock."""
    profile = _profile(FIRST_LEASE_ID + evse_id, LEASE, limit_a, rated, now)
    return profile | {"transactionId": transaction_id, "validTo": written(valid_to)}


def _profile(profile_id: int, purpose: str, limit_a: float, rated: Rate, now: datetime) -> Profile:
    period: dict[str, Any] = {"startPeriod": 0, "limit": rated.limit(limit_a)}
    if rated.phases is not None:
        period["numberPhases"] = rated.phases
    return {
        "id": profile_id,
        "stackLevel": STACK_LEVEL,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {
                "id": profile_id,
                "startSchedule": written((now - BACKDATED).replace(microsecond=0)),
                "chargingRateUnit": rated.unit,
                "chargingSchedulePeriod": [period],
            }
        ],
    }


def is_ours(profile: Payload) -> bool:
    """Return whether a reported profile is one that this module writes."""
    profile_id, purpose = optional_whole(profile, "id"), optional_text(profile, "chargingProfilePurpose")
    if profile_id is None:
        return False
    match purpose:
        case "ChargingStationMaxProfile":
            return profile_id == STATION_LIMIT_ID
        case "TxDefaultProfile":
            return FIRST_FALLBACK_ID < profile_id < FIRST_LEASE_ID
        case "TxProfile":
            return FIRST_LEASE_ID < profile_id < 2 * FIRST_LEASE_ID
    return False


def problems(evse_id: int, profile: Payload, smart_charging: SmartCharging) -> Sequence[str]:
    """Return which rules of block K a profile of the user's own breaks, beyond what the schema says; none: it may be sent."""
    purpose, kind = optional_text(profile, "chargingProfilePurpose"), optional_text(profile, "chargingProfileKind")
    schedules = records(profile, "chargingSchedule")
    level = optional_whole(profile, "stackLevel") or 0
    found = [
        ("K01.FR.22: ChargingStationExternalConstraints are not set by a central system", purpose == EXTERNAL),
        ("K01.FR.38: ChargingStationMaxProfile is for EVSE 0", purpose == STATION_LIMIT and evse_id != 0),
        ("K01.FR.38: ChargingStationMaxProfile is never Relative", purpose == STATION_LIMIT and kind == "Relative"),
        ("K01.FR.16: TxProfile is for one EVSE", purpose == LEASE and evse_id <= 0),
        ("K01.FR.03: TxProfile names its transaction", purpose == LEASE and not optional_text(profile, "transactionId")),
        ("K01.FR.34: several schedules only in a TxProfile", purpose != LEASE and len(schedules) > 1),
        (f"the stack level lies between 0 and {smart_charging.stack_level_max}", not 0 <= level <= smart_charging.stack_level_max),
        ("Recurring needs a recurrencyKind", kind == "Recurring" and "recurrencyKind" not in profile),
    ]
    for schedule in schedules:
        found += _schedule_problems(schedule, kind, smart_charging)
    return [text for text, broken in found if broken]


def _schedule_problems(schedule: Payload, kind: str | None, smart_charging: SmartCharging) -> list[tuple[str, bool]]:
    periods = records(schedule, "chargingSchedulePeriod")
    starts = [optional_whole(period, "startPeriod") or 0 for period in periods]
    limits = [optional_number(period, "limit") for period in periods] + [optional_number(schedule, "minChargingRate")]
    most = min(LONGEST_SCHEDULE, max(1, smart_charging.periods_per_schedule))
    return [
        ("K01.FR.40: Absolute and Recurring need a startSchedule", kind != "Relative" and "startSchedule" not in schedule),
        ("K01.FR.41: Relative has no startSchedule", kind == "Relative" and "startSchedule" in schedule),
        (f"K01.FR.26: the unit is one of {smart_charging.rate_units}", schedule.get("chargingRateUnit") not in smart_charging.rate_units),
        (f"the station takes at most {most} periods", len(periods) > most),
        ("K01.FR.31: the first period starts at 0", bool(starts) and starts[0] != 0),
        ("K01.FR.35: periods start one after the other", any(later <= earlier for earlier, later in pairwise(starts))),
        ("a limit is not negative", any(limit is not None and limit < 0 for limit in limits)),
        ("a limit has at most one decimal", any(limit is not None and abs(limit * 10 - round(limit * 10)) > 1e-6 for limit in limits)),
        (
            "K01.FR.19: phaseToUse needs numberPhases 1 and ACPhaseSwitchingSupported",
            any("phaseToUse" in period and not (smart_charging.phase_switching and period.get("numberPhases") == 1) for period in periods),
        ),
    ]


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
            if (optional_number(period, "startPeriod") or 0) <= elapsed_s:
                current = period
        limit = optional_number(current, "limit")
        duration_s = optional_number(schedule, "duration")
        if limit is None or (duration_s is not None and elapsed_s >= duration_s):
            continue
        watts = schedule.get("chargingRateUnit") == "W"
        found.append(limit / (voltage_v * (optional_whole(current, "numberPhases") or 3)) if watts else limit)
    return min(found, default=None)


def most_a(schedule: Payload, voltage_v: float) -> float | None:
    """Return the highest current per phase that a schedule asks for, None where it has no periods."""
    watts = schedule.get("chargingRateUnit") == "W"
    found = [
        limit / (voltage_v * (optional_whole(period, "numberPhases") or 3)) if watts else limit
        for period in records(schedule, "chargingSchedulePeriod")
        if (limit := optional_number(period, "limit")) is not None
    ]
    return max(found, default=None)
