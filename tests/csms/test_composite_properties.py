"""The composite schedule of made-up stations: every second against its definition, and what must hold of all of them."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.headroom.csms.composite import (
    EXTERNAL,
    STATION_MAX,
    TX,
    TX_DEFAULT,
    Installed,
    Situation,
    Supply,
    Transaction,
    composite_schedule,
    installed,
)
from custom_components.headroom.csms.fields import written
from custom_components.headroom.csms.prediction import limit_at

from . import composite_oracle as oracle
from .test_composite import NOON, RATED

EPOCH = NOON - timedelta(days=30)
WINDOW_S = 90
WINDOW = 30 * oracle.DAY
"""Noon, in seconds since the epoch."""

moments = st.integers(WINDOW - 60, WINDOW + WINDOW_S + 20)
amps = st.integers(0, 40).map(float)


@st.composite
def a_json(draw: st.DrawFn, purpose: str, level: int) -> dict[str, Any]:
    """A profile whose times are whole seconds since the epoch, with something going on within the window."""
    starts = sorted(draw(st.sets(st.integers(0, 100), min_size=1, max_size=4)))  # lenient: the first need not be 0
    unit = draw(st.sampled_from("AW"))
    periods = []
    for start in starts:
        period: dict[str, Any] = {"startPeriod": start, "limit": draw(amps) * (230.0 if unit == "W" else 1.0)}
        if (phases := draw(st.sampled_from([None, 1, 2, 3]))) is not None:
            period["numberPhases"] = phases
        periods.append(period)
    schedule: dict[str, Any] = {"chargingRateUnit": unit, "chargingSchedulePeriod": periods}
    kinds = ["Absolute", "Recurring"] if purpose == STATION_MAX else ["Absolute", "Recurring", "Relative"]
    profile: dict[str, Any] = {
        "stackLevel": level, "chargingProfilePurpose": purpose, "chargingProfileKind": draw(st.sampled_from(kinds)), "chargingSchedule": [schedule],
    }  # fmt: skip
    if profile["chargingProfileKind"] != "Relative":
        schedule["startSchedule"] = draw(moments)
    if profile["chargingProfileKind"] == "Recurring":
        profile["recurrencyKind"] = draw(st.sampled_from(["Daily", "Weekly"]))
        schedule["startSchedule"] -= draw(st.integers(0, 2)) * oracle.CYCLE[profile["recurrencyKind"]]
    if draw(st.booleans()):
        schedule["duration"] = draw(st.integers(1, 120))
    for edge in ("validFrom", "validTo"):
        if draw(st.integers(0, 2)) == 0:
            profile[edge] = draw(moments)
    if purpose == TX:
        profile["transactionId"] = draw(st.sampled_from(["T1", "T2", "gone"]))
    return profile


@st.composite
def stations(draw: st.DrawFn) -> list[oracle.Entry]:
    places = draw(
        st.lists(
            st.sampled_from(
                [(STATION_MAX, 0), (TX_DEFAULT, 0), (TX_DEFAULT, 1), (TX_DEFAULT, 2), (TX, 1), (TX, 2), (EXTERNAL, 0), (EXTERNAL, 1)]
            ),
            max_size=6,
        )
    )
    # A level of its own each: K01.FR.06 has no two meet.
    return [(evse_id, draw(a_json(purpose, level))) for level, (purpose, evse_id) in enumerate(places)]


def as_installed(entries: Sequence[oracle.Entry]) -> list[Installed]:
    """The same with dates, through the reader of OCPP's JSON."""

    def date(seconds: int) -> str:
        return written(EPOCH + timedelta(seconds=seconds))

    found = []
    for number, (evse_id, profile) in enumerate(entries, 1):
        json = profile | {"id": number} | {edge: date(profile[edge]) for edge in ("validFrom", "validTo") if edge in profile}
        (schedule,) = profile["chargingSchedule"]
        if "startSchedule" in schedule:
            json["chargingSchedule"] = [schedule | {"startSchedule": date(schedule["startSchedule"])}]
        one = installed(json, evse_id=evse_id)
        assert one is not None
        found.append(one)
    return found


def as_transactions(begun: dict[int, tuple[str, int]]) -> dict[int, Transaction]:
    return {
        evse_id: Transaction(transaction_id=transaction_id, started_at=EPOCH + timedelta(seconds=started))
        for evse_id, (transaction_id, started) in begun.items()
    }


transactions = st.fixed_dictionaries({}, optional={1: st.tuples(st.just("T1"), moments), 2: st.tuples(st.just("T2"), moments)})
supplies = st.fixed_dictionaries({number: st.tuples(st.sampled_from([16.0, 32.0]), st.sampled_from([1, 3])) for number in (1, 2)})


@settings(max_examples=300, deadline=None)
@given(stations(), transactions, supplies, st.sampled_from([0, 1, 2]), st.sampled_from("AW"))
def test_every_second_is_as_the_definition_has_it(
    entries: list[oracle.Entry], begun: dict[int, tuple[str, int]], wired: dict[int, tuple[float, int]], evse_id: int, unit: str
) -> None:
    situation = Situation(
        installed=as_installed(entries),
        transactions=as_transactions(begun),
        supplies={number: Supply(*supply) for number, supply in wired.items()},
    )
    schedule = composite_schedule(situation, evse_id, NOON, WINDOW_S, unit)
    for second in range(WINDOW_S):
        expected = oracle.composite_at(entries, evse_id, WINDOW + second, begun, wired, unit)
        assert limit_at(schedule, second) == pytest.approx(expected), second
    limits = [(period.limit, period.phases) for period in schedule.periods]
    assert all(one != other for one, other in pairwise(limits)), "equal neighbours are one period"


def rates(profiles: Sequence[Installed], begun: dict[int, tuple[str, int]], evse_id: int, unit: str) -> list[float]:
    situation = Situation(installed=profiles, transactions=as_transactions(begun), supplies=RATED)
    schedule = composite_schedule(situation, evse_id, NOON, WINDOW_S, unit)
    return [limit_at(schedule, second) or 0.0 for second in range(WINDOW_S)]


@settings(max_examples=100, deadline=None)
@given(stations(), transactions, st.sampled_from([0, 1, 2]), st.sampled_from("AW"), st.data())
def test_a_constraint_more_never_raises_what_is_allowed(
    entries: list[oracle.Entry], begun: dict[int, tuple[str, int]], evse_id: int, unit: str, data: st.DataObject
) -> None:
    purpose, where = data.draw(st.sampled_from([(STATION_MAX, 0), (EXTERNAL, 0), (EXTERNAL, 1)]))
    others = [entry for entry in entries if (entry[1]["chargingProfilePurpose"], entry[0]) != (purpose, where)]
    more = [*others, (where, data.draw(a_json(purpose, 0)))]
    before, after = rates(as_installed(others), begun, evse_id, unit), rates(as_installed(more), begun, evse_id, unit)
    assert all(later <= earlier + 1e-9 for earlier, later in zip(before, after, strict=True))


@settings(max_examples=100, deadline=None)
@given(stations(), transactions, st.sampled_from([0, 1, 2]), st.randoms(use_true_random=False))
def test_the_order_in_which_profiles_came_does_not_matter(
    entries: list[oracle.Entry], begun: dict[int, tuple[str, int]], evse_id: int, random: Any
) -> None:
    profiles = as_installed(entries)
    shuffled = list(profiles)
    random.shuffle(shuffled)
    assert rates(profiles, begun, evse_id, "A") == rates(shuffled, begun, evse_id, "A")


@settings(max_examples=100, deadline=None)
@given(stations(), transactions, st.sampled_from([0, 1, 2]), st.integers(0, WINDOW_S - 1), st.data())
def test_an_expired_profile_is_as_if_it_had_never_been(
    entries: list[oracle.Entry], begun: dict[int, tuple[str, int]], evse_id: int, expires_s: int, data: st.DataObject
) -> None:
    profiles = as_installed(entries)
    purpose, where = data.draw(st.sampled_from([(STATION_MAX, 0), (TX_DEFAULT, 1), (TX, 1), (EXTERNAL, 0)]))
    (lapsing,) = as_installed([(where, data.draw(a_json(purpose, 9)) | {"validTo": WINDOW + expires_s})])
    with_it, without = rates([*profiles, lapsing], begun, evse_id, "W"), rates(profiles, begun, evse_id, "W")
    assert with_it[expires_s:] == without[expires_s:]
