"""The rules of block K, each found broken by its number."""

from typing import Any

import pytest

from custom_components.headroom.csms.profile_rules import problems
from custom_components.headroom.csms.values import SmartCharging

START = "2026-01-01T11:59:00.000Z"


def user_profile(**changes: Any) -> dict[str, Any]:
    schedule = {
        "id": 1,
        "startSchedule": START,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}, {"startPeriod": 60, "limit": 6.5}],
    }
    schedule |= changes.pop("schedule", {})
    schedule = {key: value for key, value in schedule.items() if value is not None}
    profile = {"id": 50, "stackLevel": 1, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute"}
    return profile | {"chargingSchedule": [schedule]} | changes


CAN = SmartCharging(periods_per_schedule=3, stack_level_max=2)


@pytest.mark.parametrize(
    ("evse_id", "changes", "rule"),
    [
        (1, {"chargingProfilePurpose": "ChargingStationExternalConstraints"}, "FR.22"),
        (1, {"chargingProfilePurpose": "ChargingStationMaxProfile"}, "FR.38"),
        (0, {"chargingProfilePurpose": "ChargingStationMaxProfile", "chargingProfileKind": "Relative"}, "never Relative"),
        (0, {"chargingProfilePurpose": "TxProfile", "transactionId": "T"}, "FR.16"),
        (1, {"chargingProfilePurpose": "TxProfile"}, "FR.03"),
        (1, {"chargingSchedule": user_profile()["chargingSchedule"] * 2}, "several schedules only in"),
        (1, {"stackLevel": -1}, "stack level"),
        (1, {"stackLevel": 3}, "stack level"),
        (1, {"chargingProfileKind": "Recurring"}, "recurrencyKind"),
        (1, {"schedule": {"startSchedule": None}}, "FR.40"),
        (1, {"chargingProfileKind": "Relative"}, "FR.41"),
        (1, {"schedule": {"chargingRateUnit": "W"}}, "FR.26"),
        (1, {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 5, "limit": 6}]}}, "FR.31"),
        (1, {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}, {"startPeriod": 0, "limit": 6}]}}, "FR.35"),
        (1, {"schedule": {"chargingSchedulePeriod": [{"startPeriod": start, "limit": 6} for start in range(4)]}}, "at most 3"),
        (1, {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.25}]}}, "one decimal"),
        (1, {"schedule": {"minChargingRate": 6.25}}, "one decimal"),
        (1, {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": -6}]}}, "not negative"),
        (1, {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6, "phaseToUse": 2, "numberPhases": 1}]}}, "FR.20"),
    ],
)
def test_a_users_profile_is_refused_by_the_rule_it_breaks(evse_id: int, changes: dict[str, Any], rule: str) -> None:
    found = problems(evse_id, user_profile(**changes), CAN)
    assert len([text for text in found if rule in text]) == 1


def test_a_users_profile_that_breaks_nothing_passes() -> None:
    assert problems(1, user_profile(), CAN) == []
    weekly = user_profile(chargingProfileKind="Recurring", recurrencyKind="Weekly")
    assert problems(0, weekly, CAN) == []
