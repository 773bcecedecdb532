"""The rules of block K that a charging profile must keep beyond its schema, each by its number."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from .fields import optional_number, optional_text, optional_whole, records
from .frames import Payload
from .profiles import EXTERNAL, LEASE, STATION_LIMIT
from .station import SmartCharging

LONGEST_SCHEDULE = 1024


def problems(evse_id: int, profile: Payload, smart_charging: SmartCharging, transactions: Mapping[int, str] | None = None) -> Sequence[str]:
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
