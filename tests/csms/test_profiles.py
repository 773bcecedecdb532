"""Profiles by the rules of block K."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.headroom.csms import profiles
from custom_components.headroom.csms.profiles import Rate
from custom_components.headroom.csms.station import SmartCharging

NOW = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
START = "2026-01-01T11:59:00.000Z"


def period(profile: dict[str, Any]) -> dict[str, Any]:
    found = profile["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert len(found) == 1
    return dict(found[0])


def test_each_purpose_is_built_as_block_k_wants_it() -> None:
    station = profiles.station_limit(63, Rate(), NOW)
    assert (station["chargingProfilePurpose"], station["id"], station["stackLevel"]) == ("ChargingStationMaxProfile", 1, 0)
    fallback = profiles.fallback(2, 6, Rate(), NOW)
    assert (fallback["chargingProfilePurpose"], fallback["id"]) == ("TxDefaultProfile", 1002)
    lease = profiles.lease(2, "T", 16, NOW + timedelta(minutes=2), Rate(), NOW)
    assert (lease["chargingProfilePurpose"], lease["id"], lease["transactionId"]) == ("TxProfile", 2002, "T")
    assert lease["validTo"] == "2026-01-01T12:02:00.500Z"
    for profile in (station, fallback, lease):
        assert profile["chargingProfileKind"] == "Absolute"
        assert profile["chargingSchedule"][0]["startSchedule"] == START
        assert profile["chargingSchedule"][0]["chargingRateUnit"] == "A"
        assert "numberPhases" not in period(profile)
        assert profiles.is_ours(profile)
        assert profiles.problems(0 if profile is station else 2, profile, SmartCharging()) == []


@pytest.mark.parametrize(
    ("units", "phases", "direct", "expected"),
    [
        (("A", "W"), 3, False, Rate("A", 1.0, None)),
        (("A",), None, False, Rate("A", 1.0, None)),
        (("W",), 3, False, Rate("W", 690.0, 3)),
        (("W",), 1, False, Rate("W", 230.0, 1)),
        (("W",), None, False, Rate("W", 230.0, None)),  # nobody knows the car: no phase may carry more than its amps
        (("A", "W"), None, True, Rate("W", 690.0, None)),
        (("A",), None, True, Rate("A", 1.0, None)),
        ((), 3, False, Rate("A", 1.0, None)),
    ],
)
def test_unit(units: tuple[str, ...], phases: int | None, direct: bool, expected: Rate) -> None:
    assert profiles.rate(SmartCharging(rate_units=units), phases=phases, voltage_v=230, direct=direct) == expected


@pytest.mark.parametrize(
    ("rated", "limit_a", "limit"),
    [
        (Rate(), 16, 16),
        (Rate(), 9.99, 9.9),
        (Rate(), 6.3, 6.3),  # 6.3 is 6.2999… in binary: still 6.3
        (Rate(), -1, 0),
        (Rate(), 0, 0),
        (Rate("W", 690.0, 3), 16, 11040),
        (Rate("W", 231.37, 1), 6, 1388.2),
    ],
)
def test_limit_has_one_decimal_and_is_never_above(rated: Rate, limit_a: float, limit: float) -> None:
    built = period(profiles.fallback(1, limit_a, rated, NOW))
    assert built["limit"] == limit
    assert built.get("numberPhases") == rated.phases


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
        (1, {"chargingSchedule": user_profile()["chargingSchedule"] * 2}, "FR.34"),
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
        (1, {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6, "phaseToUse": 2, "numberPhases": 1}]}}, "FR.19"),
    ],
)
def test_a_users_profile_is_refused_by_the_rule_it_breaks(evse_id: int, changes: dict[str, Any], rule: str) -> None:
    found = profiles.problems(evse_id, user_profile(**changes), CAN)
    assert len([text for text in found if rule in text]) == 1


def test_a_users_profile_that_breaks_nothing_passes() -> None:
    assert profiles.problems(1, user_profile(), CAN) == []
    weekly = user_profile(chargingProfileKind="Recurring", recurrencyKind="Weekly")
    assert profiles.problems(0, weekly, CAN) == []


@pytest.mark.parametrize(
    ("profile", "ours"),
    [
        ({"id": 1, "chargingProfilePurpose": "ChargingStationMaxProfile"}, True),
        ({"id": 2, "chargingProfilePurpose": "ChargingStationMaxProfile"}, False),
        ({"id": 1, "chargingProfilePurpose": "TxDefaultProfile"}, False),
        ({"id": 1001, "chargingProfilePurpose": "TxDefaultProfile"}, True),
        ({"id": 1001, "chargingProfilePurpose": "TxProfile"}, False),
        ({"id": 2001, "chargingProfilePurpose": "TxProfile"}, True),
        ({"id": 2001, "chargingProfilePurpose": "ChargingStationExternalConstraints"}, False),
        ({"chargingProfilePurpose": "TxProfile"}, False),
    ],
)
def test_ours_is_known_by_id_and_purpose(profile: dict[str, Any], ours: bool) -> None:
    assert profiles.is_ours(profile) is ours
