"""What is sent so that a station holds what it should, tried on a station that keeps the standard's rules (the simulator's)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.csms import profiles
from custom_components.headroom.csms.composite import Transaction
from custom_components.headroom.csms.correction import Drop, Others, Put, Step, about_others, corrections
from custom_components.headroom.csms.dialect import Dialect, Handle, LeaseEnd
from custom_components.headroom.csms.profiles import Placed, Rate, Wording
from custom_components.headroom.csms.reconciliation import same
from simulator.profile_rules import ProfileRejectedError
from simulator.profiles import Abilities, ProfileStore

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MOST = 4
TRANSACTIONS = {1: Transaction(transaction_id="T1", started_at=NOW), 2: Transaction(transaction_id="T2", started_at=NOW)}
LIMITS_A = (0.0, 6.0, 10.0, 16.0, 32.0)


def words(dialect: Dialect) -> Wording:
    return Wording(dialect=dialect, rate=Rate(), now=NOW)


def foreign(profile_id: int, purpose: str, evse_id: int, level: int, limit_a: float) -> Placed:
    profile: dict[str, Any] = {
        "id": profile_id,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {
                "id": 9,
                "startSchedule": "2026-01-01T00:00:00Z",
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
            }
        ],
    }
    return Placed(evse_id, profile | ({"transactionId": f"T{evse_id}"} if purpose == "TxProfile" else {}))


limits = st.sampled_from(LIMITS_A)
foreigners = st.one_of(
    st.builds(foreign, st.integers(50, 56), st.just("TxDefaultProfile"), st.sampled_from((0, 1, 2)), st.integers(0, MOST), limits),
    st.builds(foreign, st.integers(60, 63), st.just("TxProfile"), st.sampled_from((1, 2)), st.integers(0, MOST), limits),
    st.builds(foreign, st.integers(70, 73), st.just("ChargingStationMaxProfile"), st.just(0), st.integers(0, MOST), limits),
)
dialects = st.builds(
    Dialect,
    handle=st.sampled_from((Handle.TRANSACTION, Handle.DEFAULT)),
    stack_level=st.integers(0, 2),
    lease_end=st.sampled_from((LeaseEnd.VALID_TO, LeaseEnd.NEVER)),
)


@st.composite
def told(draw: st.DrawFn) -> list[Placed]:
    """All that the house wants of a station of two EVSEs."""
    said = words(draw(dialects))
    found = [profiles.fallback(evse_id, draw(limits), said) for evse_id in (1, 2)]
    if draw(st.booleans()):
        found.append(profiles.station_limit(draw(limits), said))
    for evse_id in (1, 2):
        if draw(st.booleans()) and not said.dialect.overwrites:
            found.append(profiles.lease(evse_id, f"T{evse_id}", draw(limits), NOW + timedelta(minutes=5), said))
    return found


def station(first: Sequence[Placed], *, entries_most: int = 99) -> ProfileStore:
    """A station that was told these, one after the other, and refused what it may not hold."""
    store = ProfileStore((1, 2), Abilities(stack_level_max=MOST, entries_max=entries_most))
    for placed in first:
        with suppress(ProfileRejectedError):
            store.install(placed.evse_id, placed.profile, NOW, TRANSACTIONS)
    return store


def held(store: ProfileStore) -> list[Placed]:
    return [Placed(one.evse_id, one.profile) for one in store.installed]


def allowed(store: ProfileStore, at: datetime) -> list[float]:
    return [store.limit(evse_id, at, TRANSACTIONS[evse_id]).limit_a for evse_id in (1, 2)]


def make(store: ProfileStore, step: Step) -> None:
    match step:
        case Put(placed):
            store.install(placed.evse_id, placed.profile, NOW, TRANSACTIONS)
        case Drop(profile_id):
            assert store.clear(profile_id=profile_id) == 1


@given(before=st.lists(foreigners, max_size=8), ours=told(), wanted=told())
def test_afterwards_it_holds_what_is_wanted_and_never_allows_more_on_the_way(
    before: list[Placed], ours: list[Placed], wanted: list[Placed]
) -> None:
    store = station([*before, *ours])
    first = allowed(store, NOW)
    steps = corrections(held(store), wanted, NOW, stack_level_most=MOST)
    on_the_way = []
    for step in steps:
        make(store, step)  # the station refuses none
        on_the_way.append(allowed(store, NOW))
    there = {one.profile_id: one for one in held(store)}
    assert all(same(one, there[one.profile_id], NOW) for one in wanted if one.profile_id is not None)
    only = station(wanted)
    for at in (NOW, NOW + timedelta(hours=1)):  # with the leases, and once they are over
        assert all(limit_a <= most_a for limit_a, most_a in zip(allowed(store, at), allowed(only, at), strict=True))
    last = allowed(store, NOW)
    for limits_a in on_the_way:
        assert all(now_a <= max(two) for now_a, *two in zip(limits_a, first, last, strict=True)), (limits_a, first, last)
    assert corrections(held(store), wanted, NOW + timedelta(seconds=30), stack_level_most=MOST) == []


@given(before=st.lists(foreigners, max_size=6), ours=told(), wanted=told())
def test_planned_anew_after_each_step_it_comes_to_the_same(before: list[Placed], ours: list[Placed], wanted: list[Placed]) -> None:
    """As the site does it: what is about others by the plan, ours in an order of the site's own, the ceiling last."""
    store = station([*before, *ours])
    first, on_the_way = allowed(store, NOW), []
    for _ in range(60):
        steps = corrections(held(store), wanted, NOW, stack_level_most=MOST)
        if not steps:
            break
        make(store, about_others(steps) or steps[0])
        on_the_way.append(allowed(store, NOW))
    else:
        pytest.fail("it comes to no end")
    last = allowed(store, NOW)
    for limits_a in on_the_way:
        assert all(now_a <= max(two) for now_a, *two in zip(limits_a, first, last, strict=True)), (limits_a, first, last)


def test_what_a_station_does_not_let_be_overwritten_is_cleared_and_what_it_does_not_let_be_cleared_stays() -> None:
    there, wanted = [foreign(77, "TxDefaultProfile", 1, 0, 32)], [profiles.fallback(1, 6, words(Dialect()))]
    others = Others(immovable={77})
    assert corrections(there, wanted, NOW, stack_level_most=MOST, others=others) == [Drop(77), Put(wanted[0])]
    others.kept.add(77)
    assert corrections(there, wanted, NOW, stack_level_most=MOST, others=others) == [Put(wanted[0])]
    others.surveyed([77])
    assert about_others(corrections(there, wanted, NOW, stack_level_most=MOST, others=others)) is not None


def test_what_a_person_set_to_restrict_goes_only_once_it_would_allow_more() -> None:
    there, others = foreign(77, "TxDefaultProfile", 1, 3, 10), Others(set_here={77})
    for limit_a, steps in ((16, []), (10, []), (6, [Drop(77)])):
        wanted = [profiles.fallback(1, limit_a, words(Dialect()))]
        assert corrections([there, *wanted], wanted, NOW, stack_level_most=MOST, others=others) == steps


@given(wanted=told())
def test_nothing_is_sent_twice_and_an_empty_station_gets_each_once(wanted: list[Placed]) -> None:
    steps = corrections([], wanted, NOW, stack_level_most=MOST)
    assert len(steps) == len(wanted) and all(isinstance(step, Put) for step in steps)
    later = [profile for step in steps if isinstance(step, Put) for profile in [step.placed]]
    assert corrections(later, wanted, NOW, stack_level_most=MOST) == []


def test_who_is_in_our_place_says_what_we_say_before_it_goes() -> None:
    wanted = [profiles.fallback(1, 6, words(Dialect()))]
    steps = corrections([foreign(77, "TxDefaultProfile", 1, 0, 32)], wanted, NOW, stack_level_most=MOST)
    match steps:
        case [Put(aside), Put(ours), Drop(77)]:
            assert (aside.profile_id, aside.stack_level) == (77, MOST)
            assert aside.profile["chargingSchedule"] == ours.profile["chargingSchedule"]
            assert ours == wanted[0]
        case _:
            pytest.fail(f"{steps}")


def test_who_steps_aside_first_leaves_the_level_that_the_next_one_needs() -> None:
    """The lowest free level is the place for the one of EVSE 1: above it, it would push the station's own beneath our old fallback."""
    before = words(Dialect(handle=Handle.DEFAULT, stack_level=1))
    said = words(Dialect(handle=Handle.DEFAULT, stack_level=2, lease_end=LeaseEnd.VALID_TO))
    there = [
        foreign(50, "TxDefaultProfile", 0, 2, 0),
        foreign(51, "TxDefaultProfile", 1, 3, 0),
        profiles.fallback(1, 0, before),
        profiles.fallback(2, 6, before),
    ]
    wanted = [profiles.fallback(1, 0, said), profiles.fallback(2, 0, said), profiles.lease(1, "T1", 0, NOW + timedelta(minutes=5), said)]
    assert [one.stack_level for one in (*there, *wanted)] == [2, 3, 1, 1, 2, 2, 3]
    store = station(there)
    for step in corrections(held(store), wanted, NOW, stack_level_most=MOST):
        make(store, step)
        assert allowed(store, NOW) == [0, 0], step
    assert {one.profile_id for one in wanted} <= {one.profile_id for one in held(store)}


def test_with_one_level_the_gap_is_as_short_as_it_can_be() -> None:
    wanted = [profiles.fallback(1, 6, words(Dialect()))]
    steps = corrections([foreign(77, "TxDefaultProfile", 1, 0, 32)], wanted, NOW, stack_level_most=0)
    assert [type(step) for step in steps] == [Put, Drop, Put]
    assert steps[2] == Put(wanted[0])


def test_what_only_restricts_stays_and_what_would_lead_once_a_lease_is_over_goes() -> None:
    said = words(Dialect(stack_level=1))
    wanted = [profiles.fallback(1, 6, said), profiles.lease(1, "T1", 16, NOW + timedelta(minutes=1), said)]
    there = [
        foreign(50, "TxDefaultProfile", 1, 0, 32),  # beneath the fallback
        foreign(70, "ChargingStationMaxProfile", 0, 3, 20),
        foreign(60, "TxProfile", 1, 0, 32),  # beneath the lease, above the fallback
        foreign(51, "TxDefaultProfile", 2, 3, 32),  # an EVSE nothing is wanted of
    ]
    steps = corrections([*there, *wanted], wanted, NOW, stack_level_most=MOST)
    assert steps == [Drop(60)]


def test_a_full_station_lets_go_of_what_goes_anyway_before_it_takes_more() -> None:
    there = [foreign(50, "TxDefaultProfile", 1, 1, 32), foreign(51, "TxDefaultProfile", 1, 2, 10)]
    store = station(there, entries_most=2)
    wanted = [profiles.fallback(1, 6, words(Dialect()))]
    steps = corrections(there, wanted, NOW, stack_level_most=MOST, entries_most=2)
    assert steps == [Drop(50), Put(wanted[0]), Drop(51)]
    for step in steps:
        make(store, step)
    assert held(store) == wanted
