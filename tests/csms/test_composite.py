"""The composite schedule: the standard's rules by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import math
from typing import Any

import pytest

from custom_components.headroom.csms.composite import (
    EXTERNAL,
    STATION_MAX,
    TX,
    TX_DEFAULT,
    CompositeSchedule,
    Installed,
    Limit,
    SchedulePeriod,
    Situation,
    Supply,
    Transaction,
    composite_schedule,
    installed,
    limit,
)
from custom_components.headroom.csms.fields import written
from custom_components.headroom.csms.prediction import differences

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)  # a Monday
RUNNING = {1: Transaction(transaction_id="T", started_at=NOON - timedelta(minutes=10))}
RATED = {1: Supply(32.0), 2: Supply(16.0)}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_profile(purpose: str, *periods: tuple[float, float] | tuple[float, float, int], evse_id: int = 1, **more: Any) -> Installed:
    """A profile by (start in seconds after noon, limit[, phases]); an absolute one unless `start` is None."""
    schedule: dict[str, Any] = {"id": 1, "chargingRateUnit": more.pop("unit", "A"), "chargingSchedulePeriod": []}
    for start_s, limit_, *phases in periods:
        told = {"startPeriod": start_s, "limit": limit_} | ({"numberPhases": phases[0]} if phases else {})
        schedule["chargingSchedulePeriod"].append(told)
    start = more.pop("start", NOON)
    if start is not None:
        schedule["startSchedule"] = written(start)
    if (duration_s := more.pop("duration", None)) is not None:
        schedule["duration"] = duration_s
    kind = more.pop("kind", "Relative" if start is None else "Absolute")
    json = {"id": 1, "stackLevel": 0, "chargingProfilePurpose": purpose, "chargingProfileKind": kind, "chargingSchedule": [schedule]}
    found = installed(json | more, evse_id=0 if purpose == STATION_MAX else evse_id)
    assert found is not None
    return found


def lease(limit_a: float, **more: Any) -> Installed:
    return a_profile(TX, (0, limit_a), transactionId="T", **more)


def allowed(*profiles: Installed, evse_id: int = 1, duration_s: int = 600, unit: str = "A", **more: Any) -> list[tuple[float, float]]:
    situation = Situation(**{"installed": profiles, "transactions": RUNNING, "supplies": RATED, **more})
    return [(period.start_s, period.limit) for period in composite_schedule(situation, evse_id, NOON, duration_s, unit).periods]


# Stack levels


def test_the_highest_level_leads_whether_it_is_lower_or_higher() -> None:
    base = a_profile(TX_DEFAULT, (0, 16))
    assert allowed(base, a_profile(TX_DEFAULT, (0, 10), stackLevel=1)) == [(0, 10)]
    assert allowed(base, a_profile(TX_DEFAULT, (0, 25), stackLevel=1)) == [(0, 25)]


def test_a_gap_falls_through_to_the_next_level_and_back() -> None:
    base = a_profile(TX_DEFAULT, (0, 16))
    middle = a_profile(TX_DEFAULT, (0, 12), stackLevel=1, validFrom=written(at(100)), validTo=written(at(500)))
    top = a_profile(TX_DEFAULT, (0, 8), stackLevel=2, start=at(200), duration=100)
    assert allowed(base, middle, top) == [(0, 16), (100, 12), (200, 8), (300, 12), (500, 16)]


def test_the_stations_default_is_for_each_evse_and_yields_to_a_higher_one_of_its_own() -> None:
    everywhere = a_profile(TX_DEFAULT, (0, 10), evse_id=0)
    own = a_profile(TX_DEFAULT, (0, 13), evse_id=1, stackLevel=1)
    assert allowed(everywhere, own) == [(0, 13)]
    assert allowed(everywhere, own, evse_id=2) == [(0, 10)]
    assert allowed(everywhere, replace(own, stack_level=0)) == [(0, 13)]  # forbidden by K01.FR.53; the nearer one goes first


def test_two_of_one_level_which_k01_fr_06_forbids_are_as_safe_as_the_lower() -> None:
    one, two = a_profile(TX_DEFAULT, (0, 10)), a_profile(TX_DEFAULT, (0, 13), id=2)
    assert allowed(one, two) == allowed(two, one) == [(0, 10)]


# Purposes


def test_a_txprofile_replaces_the_default_until_it_ends() -> None:
    default = a_profile(TX_DEFAULT, (0, 6))
    assert allowed(default, lease(20, validTo=written(at(120)))) == [(0, 20), (120, 6)]
    assert allowed(a_profile(TX_DEFAULT, (0, 25)), lease(20, validTo=written(at(120)))) == [(0, 20), (120, 25)]
    assert allowed(default, lease(20, duration=60)) == [(0, 20), (60, 6)]


def test_a_txprofile_is_for_its_transaction_only() -> None:
    default = a_profile(TX_DEFAULT, (0, 6))
    assert allowed(default, a_profile(TX, (0, 20), transactionId="another")) == [(0, 6)]
    assert allowed(default, lease(20), transactions={}) == [(0, 6)]
    assert allowed(default, lease(20, evse_id=2)) == [(0, 6)]
    assert allowed(default, a_profile(TX, (0, 20))) == [(0, 20)]  # it came with the remote start (K05)


def test_the_lowest_of_own_station_maximum_and_external_constraints_holds() -> None:
    profiles = [
        lease(20),
        a_profile(STATION_MAX, (0, 32), (100, 18)),
        a_profile(EXTERNAL, (0, 32), (200, 9), (300, 32), evse_id=0),
        a_profile(EXTERNAL, (0, 32), (400, 7)),
    ]
    assert allowed(*profiles) == [(0, 20), (100, 18), (200, 9), (300, 18), (400, 7)]


def test_nothing_said_is_the_rating_and_without_one_no_limit() -> None:
    assert allowed() == [(0, 32)]
    assert allowed(supplies={1: Supply()}) == [(0, math.inf)]


def test_the_station_gives_the_sum_of_its_evses_up_to_its_maximum() -> None:
    assert allowed(evse_id=0) == [(0, 48)]
    assert allowed(lease(10), evse_id=0) == [(0, 26)]
    assert allowed(lease(10), a_profile(STATION_MAX, (0, 20), (60, 40)), evse_id=0) == [(0, 20), (60, 26)]
    assert allowed(lease(10), a_profile(EXTERNAL, (0, 12), evse_id=0), evse_id=0) == [(0, 12)]


# Kinds and times


def test_relative_counts_from_the_transactions_start() -> None:
    warming_up = a_profile(TX_DEFAULT, (0, 8), (660, 16), start=None, evse_id=0)
    assert allowed(warming_up) == [(0, 8), (60, 16)]
    assert allowed(warming_up, transactions={}) == [(0, 32)]


@pytest.mark.parametrize(("kind", "days"), [("Daily", 1), ("Weekly", 7)])
def test_recurring_starts_anew_each_day_or_week(kind: str, days: int) -> None:
    night = a_profile(TX_DEFAULT, (0, 8), (60, 10), start=at(-86400 * 21 + 120), duration=240, kind="Recurring", recurrencyKind=kind)
    assert allowed(night) == [(0, 32), (120, 8), (180, 10), (360, 32)]
    other = allowed(night, duration_s=86400 * 8)
    assert [start for start, limit_a in other if limit_a == 8] == [120 + 86400 * day for day in range(0, 8, days)]


def test_recurring_without_duration_lasts_until_it_starts_anew() -> None:
    steps = a_profile(TX_DEFAULT, (0, 8), (3600, 10), start=at(-86400 + 60), kind="Recurring", recurrencyKind="Daily")
    assert allowed(steps, duration_s=7200) == [(0, 10), (60, 8), (3660, 10)]


def test_recurring_does_not_reach_back_before_its_start() -> None:
    later = a_profile(TX_DEFAULT, (0, 8), start=at(300), kind="Recurring", recurrencyKind="Daily")
    assert allowed(later) == [(0, 32), (300, 8)]


def test_an_absolute_schedule_says_nothing_before_its_start() -> None:
    assert allowed(a_profile(TX_DEFAULT, (0, 8), start=at(42.5))) == [(0, 32), (42.5, 8)]


def test_a_fraction_of_a_second_counts() -> None:
    """Stations built on libocpp send such startPeriods."""
    assert allowed(a_profile(TX_DEFAULT, (0, 8), (599.257, 10)), duration_s=900) == [(0, 8), (599.257, 10)]


def test_validity_ends_at_the_very_moment() -> None:
    situation = Situation(installed=[lease(20, validFrom=written(at(10)), validTo=written(at(20)))], transactions=RUNNING, supplies=RATED)
    just_before = timedelta(microseconds=1)
    assert [limit(situation, 1, moment).limit_a for moment in (at(10) - just_before, at(10), at(20) - just_before, at(20))] == [
        32,
        20,
        20,
        32,
    ]


def test_of_several_schedules_the_highest_counts_until_the_ev_chose() -> None:
    """K15: up to three to choose from."""
    slow, fast = lease(8).schedules[0], a_profile(TX, (0, 6), (300, 20)).schedules[0]
    assert allowed(replace(lease(0), schedules=(slow, fast))) == [(0, 8), (300, 20)]


# Units and phases


@pytest.mark.parametrize(
    ("period", "unit", "expected"),
    [
        ((0, 11040), "A", 16),  # without numberPhases three (K01.FR.49)
        ((0, 11040), "W", 11040),
        ((0, 3680, 1), "A", 16),
        ((0, 3680, 1), "W", 3680),
        ((0, 7360, 2), "A", 16),
        ((0, 60000, 1), "W", 32 * 230),  # the rating, on the one phase
    ],
)
def test_watts_are_on_all_phases_together(period: Any, unit: str, expected: float) -> None:
    assert allowed(a_profile(TX_DEFAULT, period, unit="W"), unit=unit) == [(0, pytest.approx(expected))]


def test_the_lowest_of_amps_and_of_phases_hold_each_by_itself() -> None:
    profiles = [a_profile(TX_DEFAULT, (0, 10, 3)), a_profile(STATION_MAX, (0, 16, 1))]
    situation = Situation(installed=profiles, supplies=RATED)
    assert limit(situation, 1, NOON) == Limit(10, 1)
    assert allowed(*profiles, unit="W") == [(0, 2300)]
    assert composite_schedule(situation, 1, NOON, 60).periods == (SchedulePeriod(start_s=0, limit=10, phases=1),)


def test_an_evse_with_one_phase_uses_one_whatever_a_profile_says() -> None:
    """K01.FR.45."""
    supplies = {1: Supply(32, 1)}
    assert allowed(a_profile(TX_DEFAULT, (0, 3680), unit="W"), supplies=supplies) == [(0, 16)]
    assert allowed(a_profile(TX_DEFAULT, (0, 16, 3)), supplies=supplies, unit="W") == [(0, 3680)]


def test_the_station_uses_as_many_phases_as_its_evse_with_the_most() -> None:
    supplies = {1: Supply(32, 1), 2: Supply(16, 3)}
    situation = Situation(installed=[], supplies=supplies)
    assert composite_schedule(situation, 0, NOON, 60, "W").periods == (SchedulePeriod(start_s=0, limit=32 * 230 + 16 * 690, phases=3),)
    one_phase = Situation(installed=[a_profile(STATION_MAX, (0, 40, 1))], supplies=supplies)
    assert composite_schedule(one_phase, 0, NOON, 60, "W").periods == (SchedulePeriod(start_s=0, limit=40 * 230, phases=1),)


def test_the_least_rate_of_a_schedule_takes_nothing_from_its_limit() -> None:
    """minChargingRate is a hint for a station that shares among its own EVSEs."""
    json = {"id": 1, "chargingProfilePurpose": TX_DEFAULT, "chargingSchedule": [
        {"startSchedule": written(NOON), "chargingRateUnit": "A", "minChargingRate": 10, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}
    ]}  # fmt: skip
    assert allowed(installed(json, evse_id=1)) == [(0, 6)]  # type: ignore[arg-type]


# Reading


def test_a_report_is_read_leniently() -> None:
    json = {
        "id": 7.0, "evseId": "2", "stackLevel": "3", "chargingProfilePurpose": TX_DEFAULT, "chargingLimitSource": "EMS",
        "chargingSchedule": [{"duration": "60", "chargingSchedulePeriod": [{"startPeriod": 30.0, "limit": 6}, {"startPeriod": 0, "limit": "8.5"}, {}]}],
    }  # fmt: skip
    found = installed(json)
    assert found is not None
    assert (found.profile_id, found.evse_id, found.stack_level, found.source) == (7, 2, 3, "EMS")
    assert [(period.start_s, period.limit) for period in found.schedules[0].periods] == [(0, 8.5), (30, 6)]
    assert found.schedules[0].duration_s == 60
    assert installed({"id": 7, "evseId": 1}) is None
    assert installed({"chargingProfilePurpose": TX, "evseId": 1}) is None


# Beside a station's own


def a_schedule(*periods: tuple[float, float], duration_s: float = 600) -> CompositeSchedule:
    listed = tuple(SchedulePeriod(start_s=start_s, limit=limit_) for start_s, limit_ in periods)
    return CompositeSchedule(evse_id=1, start=NOON, duration_s=int(duration_s), unit="A", periods=listed)


OURS = a_schedule((0, 20), (120, 6))


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (a_schedule((0, 20), (120, 6)), []),
        (a_schedule((0, 20), (60, 20.0), (121.3, 6.4)), []),
        (a_schedule((0, 20)), [(120, 600, 20, 6)]),  # it does not honour validTo
        (a_schedule((0, 6)), [(0, 120, 6, 20)]),
        (a_schedule((0, 20), (180, 6)), [(120, 180, 20, 6)]),
        (a_schedule((0, 20), duration_s=100), []),
        (a_schedule((30, 20), (120, 6)), []),
    ],
)
def test_what_a_station_says_is_compared_where_it_says_something(told: CompositeSchedule, found: Sequence[tuple[float, ...]]) -> None:
    assert [(one.start_s, one.end_s, one.told, one.expected) for one in differences(told, OURS)] == found


def test_where_nothing_limits_the_stations_rating_is_its_own_affair() -> None:
    assert differences(a_schedule((0, 32)), a_schedule((0, math.inf), (300, 16))) == differences(
        a_schedule((300, 32)), a_schedule((300, 16))
    )
