"""The station's smart charging, rule by rule (block K of OCPP 2.0.1)."""

from datetime import UTC, datetime, timedelta
import math
from typing import Any

import pytest

from custom_components.headroom.csms.composite import Transaction, least
from simulator.frames import check
from simulator.profile_rules import Abilities, ProfileRejectedError
from simulator.profiles import ProfileStore
from simulator.timestamps import written

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)  # a Monday
TX1 = Transaction(transaction_id="tx-1", started_at=NOW - timedelta(hours=1))
BUSY = {1: TX1}


def profile(profile_id: int = 1, purpose: str = "TxDefaultProfile", limit: float = 16.0, **more: Any) -> dict[str, Any]:
    """A valid profile; `schedule` overrides fields of its schedule, None takes one away."""
    schedule: dict[str, Any] = {
        "id": 1,
        "startSchedule": written(NOW - timedelta(minutes=1)),
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    } | more.pop("schedule", {})
    made = {
        "id": profile_id,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [{name: value for name, value in schedule.items() if value is not None}],
    } | more
    check("SetChargingProfileRequest", {"evseId": 1, "chargingProfile": made})
    return made


def tx_profile(profile_id: int = 9, **more: Any) -> dict[str, Any]:
    return profile(profile_id, "TxProfile", **({"transactionId": "tx-1"} | more))


def store(**abilities: Any) -> ProfileStore:
    return ProfileStore([1, 2], Abilities(**abilities))


PERIODS = "chargingSchedulePeriod"
WATTS: dict[str, Any] = {"chargingRateUnit": "W"}


@pytest.mark.parametrize(
    ("rule", "evse_id", "rejected"),
    [
        ("K01.FR.03", 1, profile(purpose="TxProfile")),
        ("K01.FR.09", 2, tx_profile()),
        ("K01.FR.16", 0, tx_profile()),
        ("K01.FR.19", 1, profile(schedule={PERIODS: [{"startPeriod": 0, "limit": 9, "numberPhases": 1, "phaseToUse": 2}]})),
        ("K01.FR.22", 0, profile(purpose="ChargingStationExternalConstraints")),
        ("K01.FR.26", 1, profile(schedule=WATTS)),
        ("K01.FR.26", 1, profile(limit=8.25)),
        ("K01.FR.28", 3, profile()),
        ("K01.FR.31", 1, profile(schedule={PERIODS: [{"startPeriod": 5, "limit": 9}]})),
        ("K01.FR.33", 1, tx_profile(transactionId="another")),
        ("K01.FR.34", 1, tx_profile(chargingSchedule=profile()["chargingSchedule"] * 2)),
        ("K01.FR.35", 1, profile(schedule={PERIODS: [{"startPeriod": s, "limit": 9} for s in (0, 60, 60)]})),
        ("K01.FR.35", 1, profile(schedule={PERIODS: [{"startPeriod": s, "limit": 9} for s in range(5)]})),
        ("K01.FR.38", 1, profile(purpose="ChargingStationMaxProfile")),
        ("K01.FR.38", 0, profile(purpose="ChargingStationMaxProfile", chargingProfileKind="Relative", schedule={"startSchedule": None})),
        ("K01.FR.40", 1, profile(schedule={"startSchedule": None})),
        ("K01.FR.40", 1, profile(chargingProfileKind="Recurring", recurrencyKind="Daily", schedule={"startSchedule": None})),
        ("K01.FR.41", 1, profile(chargingProfileKind="Relative")),
    ],
)
def test_a_profile_that_breaks_a_rule_is_rejected(rule: str, evse_id: int, rejected: dict[str, Any]) -> None:
    profiles = store(rate_units=("A",), periods_per_schedule=4)
    with pytest.raises(ProfileRejectedError) as raised:
        profiles.install(evse_id, rejected, NOW, BUSY)
    assert raised.value.rule == rule
    assert profiles.installed == []


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        ("K01.FR.06", (1, profile(1)), (1, profile(2))),
        ("K01.FR.06", (0, profile(1, "ChargingStationMaxProfile")), (0, profile(2, "ChargingStationMaxProfile"))),
        ("K01.FR.39", (1, tx_profile(1)), (1, tx_profile(2))),
        ("K01.FR.52", (1, profile(1)), (0, profile(2))),
        ("K01.FR.53", (0, profile(1)), (1, profile(2))),
    ],
)
def test_a_profile_in_conflict_is_rejected_and_the_first_one_stays(rule: str, first: Any, second: Any) -> None:
    profiles = store()
    profiles.install(*first, NOW, BUSY)
    with pytest.raises(ProfileRejectedError) as raised:
        profiles.install(*second, NOW, BUSY)
    assert raised.value.rule == rule
    assert [one.profile["id"] for one in profiles.installed] == [1]


@pytest.mark.parametrize(
    "second",
    [
        (2, profile(2)),
        (1, profile(2, stackLevel=1)),
        (1, tx_profile(2)),
        (1, profile(2, validFrom=written(NOW + timedelta(hours=1)))),
    ],
)
def test_another_evse_level_purpose_or_time_is_no_conflict(second: Any) -> None:
    profiles = store()
    profiles.install(1, profile(1, validTo=written(NOW + timedelta(hours=1))), NOW, BUSY)
    profiles.install(*second, NOW, BUSY)
    assert len(profiles.installed) == 2


def test_the_same_id_replaces_station_wide() -> None:
    """K01.FR.05."""
    profiles = store()
    profiles.install(1, profile(7, limit=10.0), NOW, BUSY)
    profiles.install(2, profile(7, limit=12.0), NOW, BUSY)
    assert profiles.limit(1, NOW, TX1).limit_a == math.inf
    assert profiles.limit(2, NOW, None).limit_a == 12.0


def test_a_rejected_profile_leaves_the_one_with_its_id() -> None:
    profiles = store()
    profiles.install(1, profile(7, limit=10.0), NOW, BUSY)
    with pytest.raises(ProfileRejectedError):
        profiles.install(1, profile(7, limit=12.0, chargingProfileKind="Relative"), NOW, BUSY)
    assert profiles.limit(1, NOW, TX1).limit_a == 10.0


def test_a_full_store_takes_no_more_but_still_replaces() -> None:
    profiles = store(entries_max=1)
    profiles.install(1, profile(1), NOW, BUSY)
    with pytest.raises(ProfileRejectedError):
        profiles.install(2, profile(2), NOW, BUSY)
    profiles.install(1, profile(1, limit=8.0), NOW, BUSY)
    assert profiles.limit(1, NOW, None).limit_a == 8.0


def test_txprofile_leads_and_its_end_uncovers_the_default() -> None:
    """A lease of 60 s over a fallback of 6 A, even where the fallback is lower."""
    profiles = store()
    profiles.install(0, profile(1, limit=6.0), NOW, BUSY)
    profiles.install(1, tx_profile(2, limit=20.0, validTo=written(NOW + timedelta(seconds=60))), NOW, BUSY)
    assert profiles.limit(1, NOW, TX1).limit_a == 20.0
    assert profiles.limit(1, NOW + timedelta(seconds=59), TX1).limit_a == 20.0
    assert profiles.limit(1, NOW + timedelta(seconds=60), TX1).limit_a == 6.0
    assert profiles.limit(2, NOW, None).limit_a == 6.0
    schedule = profiles.composite_schedule(1, NOW, 120, "A", BUSY, {1: 32.0, 2: 32.0})
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 20.0}, {"startPeriod": 60, "limit": 6.0}]
    check("GetCompositeScheduleResponse", {"status": "Accepted", "schedule": schedule})
    profiles.expire(NOW + timedelta(seconds=60))
    assert [one.profile["id"] for one in profiles.installed] == [1]


def test_gaps_fall_through_to_lower_levels() -> None:
    profiles = store()
    profiles.install(1, profile(1, limit=10.0), NOW, BUSY)
    morning = {"startSchedule": written(NOW), "duration": 3600}
    profiles.install(1, profile(2, limit=25.0, stackLevel=2, schedule=morning), NOW, BUSY)
    assert [profiles.limit(1, NOW + timedelta(seconds=s), TX1).limit_a for s in (0, 3599, 3600)] == [25.0, 25.0, 10.0]


def test_the_lowest_of_own_station_and_external_holds() -> None:
    profiles = store()
    profiles.install(1, tx_profile(limit=20.0), NOW, BUSY)
    profiles.install(0, profile(2, "ChargingStationMaxProfile", 18.0), NOW, BUSY)
    assert profiles.limit(1, NOW, TX1).limit_a == 18.0
    profiles.set_external(0, 9.0, "SO", NOW)
    assert profiles.limit(1, NOW, TX1).limit_a == 9.0
    assert profiles.clear(purpose="ChargingStationExternalConstraints") == 0  # K10.FR.06
    profiles.set_external(0, None, "SO", NOW)
    assert profiles.limit(1, NOW, TX1).limit_a == 18.0


def test_composite_of_the_station_is_the_least_of_maximum_and_sum() -> None:
    profiles = store()
    rated = {1: 32.0, 2: 16.0}
    unlimited = profiles.composite_schedule(0, NOW, 60, "A", BUSY, rated)
    assert unlimited["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 48.0}]
    profiles.install(0, profile(1, "ChargingStationMaxProfile", 40.0), NOW, BUSY)
    assert profiles.composite_schedule(0, NOW, 60, "A", BUSY, rated)[PERIODS] == [{"startPeriod": 0, "limit": 40.0}]
    assert profiles.composite_schedule(2, NOW, 60, "A", BUSY, rated)[PERIODS] == [{"startPeriod": 0, "limit": 16.0}]


def test_watts_are_for_three_phases_unless_told() -> None:
    """K01.FR.49."""
    profiles = store()
    profiles.install(1, profile(1, limit=11040.0, schedule=WATTS), NOW, BUSY)
    assert profiles.limit(1, NOW, TX1).limit_a == pytest.approx(16.0)
    one_phase = WATTS | {PERIODS: [{"startPeriod": 0, "limit": 3680.0, "numberPhases": 1}]}
    profiles.install(1, profile(1, schedule=one_phase), NOW, BUSY)
    assert profiles.limit(1, NOW, TX1).limit_a == pytest.approx(16.0)


def test_relative_counts_from_the_transaction_and_only_in_one() -> None:
    profiles = store()
    two = {"startSchedule": None, PERIODS: [{"startPeriod": 0, "limit": 10.0}, {"startPeriod": 600, "limit": 16.0}]}
    profiles.install(0, profile(1, chargingProfileKind="Relative", schedule=two), NOW, {})
    fresh = Transaction(transaction_id="x", started_at=NOW + timedelta(hours=2))
    assert profiles.limit(2, NOW + timedelta(hours=2, seconds=599), fresh).limit_a == 10.0
    assert profiles.limit(2, NOW + timedelta(hours=2, seconds=600), fresh).limit_a == 16.0
    assert profiles.limit(2, NOW + timedelta(hours=2), None).limit_a == math.inf


@pytest.mark.parametrize(("kind", "days"), [("Daily", 1), ("Weekly", 7)])
def test_recurring_comes_back(kind: str, days: int) -> None:
    profiles = store()
    night = {"startSchedule": written(NOW.replace(hour=22)), "duration": 7 * 3600}
    recurring = profile(1, limit=8.0, chargingProfileKind="Recurring", recurrencyKind=kind, schedule=night)
    profiles.install(0, recurring, NOW, {})
    first = NOW.replace(hour=22)
    for cycle in range(3):
        begin = first + timedelta(days=days * cycle)
        assert profiles.limit(1, begin - timedelta(seconds=1), None).limit_a == math.inf
        assert profiles.limit(1, begin, None).limit_a == 8.0
        assert profiles.limit(1, begin + timedelta(hours=7), None).limit_a == math.inf
    schedule = profiles.composite_schedule(1, NOW, 86400, "A", {}, {1: 32.0, 2: 32.0})
    assert schedule[PERIODS] == [
        {"startPeriod": 0, "limit": 32.0},
        {"startPeriod": 36000, "limit": 8.0},
        {"startPeriod": 61200, "limit": 32.0},
    ]


def test_a_reboot_keeps_all_but_txprofiles_and_a_transaction_takes_its_own_along() -> None:
    """K01.FR.27."""
    profiles = store()
    profiles.install(0, profile(1), NOW, BUSY)
    profiles.install(0, profile(2, "ChargingStationMaxProfile"), NOW, BUSY)
    profiles.install(1, tx_profile(3), NOW, BUSY)
    profiles.end_transaction("tx-1")
    assert [one.profile["id"] for one in profiles.installed] == [1, 2]
    profiles.install(1, tx_profile(3), NOW, BUSY)
    profiles.reboot()
    assert [one.profile["id"] for one in profiles.installed] == [1, 2]


def test_clearing_goes_by_id_or_by_every_criterion() -> None:
    profiles = store()
    for profile_id, level in ((1, 0), (2, 1)):
        profiles.install(1, profile(profile_id, stackLevel=level), NOW, BUSY)
    assert profiles.clear(evse_id=1, purpose="TxDefaultProfile", stack_level=3) == 0
    assert profiles.clear(profile_id=5) == 0
    assert profiles.clear(evse_id=1, stack_level=1) == 1
    assert profiles.clear(profile_id=1) == 1


def test_listing_tells_station_from_everything() -> None:
    """K09: evseId 0 is the station, none is all."""
    profiles = store()
    profiles.install(0, profile(1, "ChargingStationMaxProfile"), NOW, BUSY)
    profiles.install(1, profile(2), NOW, BUSY)
    assert [one.profile["id"] for one in profiles.matching(0, {})] == [1]
    assert [one.profile["id"] for one in profiles.matching(None, {})] == [1, 2]
    assert [one.profile["id"] for one in profiles.matching(None, {"chargingProfileId": [2]})] == [2]
    assert [one.profile["id"] for one in profiles.matching(None, {"chargingProfilePurpose": "TxDefaultProfile"})] == [2]


def test_a_limit_said_anew_is_told_from_another_one() -> None:
    profiles = store()
    held = tx_profile(limit=10.0, validTo=written(NOW + timedelta(minutes=5)))
    profiles.install(1, held, NOW, BUSY)
    renewed = {"evseId": 1, "chargingProfile": held | {"validTo": written(NOW + timedelta(minutes=9))}}
    assert profiles.says_already(renewed)
    assert not profiles.says_already({"evseId": 1, "chargingProfile": tx_profile(limit=9.0)})
    assert not profiles.says_already({"evseId": 2, "chargingProfile": held}), "another EVSE's"
    steps = {PERIODS: [{"startPeriod": 0, "limit": 10.0}, {"startPeriod": 60, "limit": 6.0}]}
    assert not profiles.says_already({"evseId": 1, "chargingProfile": tx_profile(schedule=steps)})


def test_a_limit_that_is_asked_for_at_every_step_changes_when_the_composite_does() -> None:
    profiles = store()
    profiles.install(
        1, profile(limit=10, schedule={PERIODS: [{"startPeriod": s, "limit": 6 + s / 1000} for s in (0, 900, 5000)]}), NOW, BUSY
    )
    profiles.install(1, tx_profile(limit=20, validTo=written(NOW + timedelta(seconds=1200))), NOW, BUSY)
    happens = {
        600: lambda: profiles.set_external(1, 14.0, "SO", NOW),
        800: lambda: profiles.set_external(1, None, "SO", NOW),
        1000: lambda: profiles.set_external(0, 8.0, "EMS", NOW),
        4000: lambda: profiles.set_external(0, None, "EMS", NOW),
        6000: lambda: profiles.clear(evse_id=1),
    }
    seen = set[float]()
    for second in range(0, 8000, 50):
        at = NOW + timedelta(seconds=second)
        happens.get(second, lambda: None)()
        transaction = TX1 if second < 7000 else None
        limits = [profiles.evse_limit(1, at, transaction), profiles.station_limit(at)]
        assert least(limits) == profiles.limit(1, at, transaction)
        seen.add(least(limits).limit_a)
    assert seen == {20.0, 14.0, 8.0, 6.9, 11.0, math.inf}
