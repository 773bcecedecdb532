"""The policies: what each makes of the same site."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.headroom.engine.model import ALL_PHASES, Headroom, Need, Past, Phase, ReasonCode, Request
from custom_components.headroom.engine.share import Policy, look_ahead, share

from . import oracle
from .strategies import SiteCase, sites

NOW = 1_000_000.0
HOUR_S = 3600.0
PLANNING = (Policy.MOST_CARS_READY, Policy.MOST_ENERGY)


def car(request_id: str, phases: tuple[Phase, ...] = (Phase.L1,), max_a: float = 32.0, **fields: object) -> Request:
    """Return a car at the main fuse."""
    return replace(Request(request_id=request_id, circuit_id="main", phases=phases, max_a=max_a), **fields)


def needs(kwh: float, hours: float) -> Need:
    """Return a need of so much in so many hours."""
    return Need(energy_wh=kwh * 1000, departs_at=NOW + hours * HOUR_S)


def limits(left_a: float, requests: list[Request], policy: Policy) -> Mapping[str, float]:
    """Return what each gets, where so much is left on each phase; a plan is made first."""
    headrooms = [Headroom(circuit_id="main", parent_id=None, available_a=(left_a, left_a, left_a))]
    planned = look_ahead(headrooms, requests, policy, now=NOW)
    return {name: each.limit_a for name, each in share(headrooms, requests, policy, planned, now=NOW).items()}


def test_equal_current_is_the_same_amps_and_equal_power_the_same_watts() -> None:
    requests = [car("one"), car("three", ALL_PHASES)]
    assert limits(40, requests, Policy.EQUAL_CURRENT) == {"one": 20, "three": 20}
    assert limits(40, requests, Policy.EQUAL_POWER) == {"one": 30, "three": 10}


def test_proportional_is_by_what_each_could_draw() -> None:
    assert limits(30, [car("small", max_a=16), car("large", max_a=32)], Policy.PROPORTIONAL) == {"small": 10, "large": 20}


def test_first_come_is_by_arrival_and_the_later_keep_their_least() -> None:
    requests = [car("late", past=Past(arrived_at=9.0)), car("early", past=Past(arrived_at=1.0))]
    assert limits(40, requests, Policy.FIRST_COME) == {"early": 32, "late": 8}
    assert limits(20, requests, Policy.FIRST_COME) == {"early": 14, "late": 6}
    assert limits(11, requests, Policy.FIRST_COME) == {"early": 11, "late": 0}


def test_first_come_does_not_let_a_car_that_sleeps_keep_others_waiting() -> None:
    requests = [car("late", past=Past(arrived_at=9.0)), car("early", past=Past(arrived_at=1.0), tier=1)]
    assert limits(6, requests, Policy.FIRST_COME) == {"early": 0, "late": 6}


def test_the_odd_amp_stays_where_it_is_whoever_is_owed_more() -> None:
    for owed_wh in (-5.0, 5.0):
        early, late = car("b", queue_key=1.0, past=Past(short_wh=owed_wh)), car("a", queue_key=2.0)
        assert limits(13, [early, late], Policy.EQUAL_CURRENT) == {"a": 6, "b": 7}


def test_a_car_that_may_not_be_paused_stops_where_there_is_no_room_for_it() -> None:
    assert limits(5, [car("a", past=Past(limit_a=6.0), pausable=False)], Policy.EQUAL_CURRENT) == {"a": 0}


def test_priority_is_by_tier_then_weight() -> None:
    requests = [car("light"), car("heavy", weight=2.0), car("second", tier=1)]
    assert limits(50, requests, Policy.PRIORITY) == {"heavy": 32, "light": 12, "second": 6}


def test_weights_count_under_every_sharing_policy() -> None:
    for policy in (Policy.EQUAL_CURRENT, Policy.EQUAL_POWER, Policy.PROPORTIONAL):
        assert limits(30, [car("a", weight=2.0), car("b")], policy) == {"a": 20, "b": 10}


def test_proportional_takes_a_car_that_asks_for_nothing() -> None:
    assert limits(20, [car("a", max_a=0.0, min_a=0.0), car("b")], Policy.PROPORTIONAL) == {"a": 0, "b": 20}


@pytest.mark.parametrize("policy", PLANNING)
def test_too_little_to_start_by_the_plan_is_not_lost_where_the_others_cannot_use_it(policy: Policy) -> None:
    # The plan fills one car to its 16 A, and 4 A are nobody's.
    cars = [car("a", ALL_PHASES, 16.0, need=needs(20, 2.5)), car("b", ALL_PHASES, 16.0, need=needs(20, 2.5))]
    assert sorted(limits(20, cars, policy).values()) == [6, 14]
    assert sorted(limits(20, [*cars, car("c", ALL_PHASES, 16.0, need=needs(20, 9))], policy).values()) == [0, 6, 14]


@pytest.mark.parametrize("policy", PLANNING)
def test_too_little_to_start_by_the_plan_is_left_to_others_that_can_use_it(policy: Policy) -> None:
    cars = [car("a", max_a=16.0, need=needs(9, 2)), car("b", max_a=16.0, need=needs(9, 2)), car("c", max_a=10.0)]
    found = limits(30, cars, policy)
    assert sum(found.values()) == 30


@pytest.mark.parametrize("policy", PLANNING)
def test_a_guarantee_holds_whatever_the_plan_wants(policy: Policy) -> None:
    urgent = [car("a", max_a=16.0, need=needs(9, 2)), car("b", max_a=16.0, need=needs(9, 2))]
    assert limits(20, [*urgent, car("c", guarantee_a=8.0, need=needs(50, 10))], policy)["c"] >= 8


def test_most_cars_ready_makes_one_ready_where_most_energy_asks_nobody() -> None:
    # An hour, and room for one: what the small car needs would be lost in the large one's need.
    requests = [car("small", need=needs(3.6, 1.0)), car("large", need=needs(30, 1.0), past=Past(limit_a=16.0, changed_at=0.0))]
    assert limits(16, requests, Policy.MOST_CARS_READY)["small"] >= 10
    assert limits(16, requests, Policy.MOST_ENERGY) == {"small": 0, "large": 16}


@pytest.mark.parametrize("policy", PLANNING)
def test_who_leaves_soon_charges_first(policy: Policy) -> None:
    requests = [car("night", need=needs(10, 12)), car("errand", need=needs(7, 1))]
    assert limits(32, requests, policy)["errand"] >= 31


@pytest.mark.parametrize("policy", PLANNING)
def test_where_nobody_knows_any_need_all_share_alike(policy: Policy) -> None:
    assert limits(30, [car("a"), car("b"), car("c", need=Need(departs_at=NOW + HOUR_S))], policy) == {"a": 10, "b": 10, "c": 10}


@pytest.mark.parametrize("policy", PLANNING)
def test_one_whose_need_nobody_knows_is_not_left_behind_by_those_who_told_theirs(policy: Policy) -> None:
    requests = [car("told", need=needs(40, 2)), car("greedy", need=needs(60, 2)), car("silent")]
    shares = limits(30, requests, policy)
    assert shares["silent"] >= 10
    assert sum(shares.values()) == 30


@pytest.mark.parametrize("policy", PLANNING)
def test_what_a_plan_leaves_is_not_left_unused(policy: Policy) -> None:
    # Its need is met: it takes what is left all the same, for needs are but guesses.
    assert limits(20, [car("full", need=needs(0, 5)), car("other", need=needs(30, 5), max_a=10)], policy) == {"full": 10, "other": 10}


def test_without_a_plan_the_planning_policies_share_alike() -> None:
    headrooms = [Headroom(circuit_id="main", parent_id=None, available_a=(30, 30, 30))]
    requests = [car("a", need=needs(9, 1)), car("b", need=needs(9, 9))]
    found = share(headrooms, requests, Policy.MOST_CARS_READY, {}, now=NOW)
    assert {name: each.limit_a for name, each in found.items()} == {"a": 15, "b": 15}


def test_a_certificate_comes_with_each_policy() -> None:
    headrooms = [Headroom(circuit_id="main", parent_id=None, available_a=(30, 30, 30))]
    requests = [car("a", need=needs(9, 1)), car("b", need=needs(9, 9)), car("c", max_a=6.0)]
    for policy in Policy:
        found = share(headrooms, requests, policy, look_ahead(headrooms, requests, policy, now=NOW), now=NOW)
        assert found["a"].reason.code in {ReasonCode.CIRCUIT, ReasonCode.WAITING, ReasonCode.STATION}
        assert found["a"].limit_a + found["b"].limit_a + found["c"].limit_a == 30


@given(site=sites(max_requests=6), policy=st.sampled_from(Policy), data=st.data())
@settings(max_examples=400, deadline=None)
def test_no_policy_overloads_a_fuse_or_leaves_a_step_unused(site: SiteCase, policy: Policy, data: st.DataObject) -> None:
    requests = [
        replace(
            request,
            need=Need(
                energy_wh=data.draw(st.none() | st.integers(0, 60_000)),
                departs_at=data.draw(st.none() | st.integers(-600, 40_000).map(lambda stay_s: NOW + stay_s)),
            ),
            past=Past(limit_a=data.draw(st.sampled_from([0.0, 6.0, 16.0])), changed_at=NOW - data.draw(st.integers(0, 4000))),
        )
        for request in site.requests
    ]
    planned = look_ahead(site.headrooms, requests, policy, now=NOW)
    found = share(site.headrooms, requests, policy, planned, now=NOW)
    currents_a = {name: each.limit_a for name, each in found.items()}
    assert not oracle.too_full(site.headrooms, requests, currents_a)
    for request in requests:
        current_a = currents_a[request.request_id]
        more_a = request.step_a if current_a else oracle.least_a(request)
        if current_a + more_a <= oracle.most_a(request):
            assert oracle.in_the_way(site.headrooms, requests, currents_a, request, more_a)
    assert share(site.headrooms, requests[::-1], policy, planned, now=NOW) == found
