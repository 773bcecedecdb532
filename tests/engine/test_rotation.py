"""Whose turn it is: what a driver sees of the order of admission, over time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given, settings, strategies as st

from custom_components.headroom.engine.model import Headroom, Need, Past, Phase, ReasonCode, Request
from custom_components.headroom.engine.rotation import HOUR_S, LEAST_OFF_S, LEAST_ON_S, MOST_PAUSES, TURN_S, laxity_s, line_up
from custom_components.headroom.engine.share import Policy, share

NOW = 50_000.0


def car(request_id: str, **fields: object) -> Request:
    """Return a one-phase car at the main fuse."""
    return replace(Request(request_id=request_id, circuit_id="main", phases=(Phase.L1,), max_a=16.0), **fields)


def charging(since_s: float, *pauses_s: float, **fields: object) -> Past:
    """Return the past of a car that charges since so many seconds, and was paused so many seconds ago."""
    return replace(Past(limit_a=6.0, changed_at=NOW - since_s, pauses_at=tuple(NOW - ago_s for ago_s in pauses_s)), **fields)


def waiting(*pauses_s: float, **fields: object) -> Past:
    """Return the past of a car that has no current, and was paused so many seconds ago."""
    return replace(Past(changed_at=NOW - 60.0, pauses_at=tuple(NOW - ago_s for ago_s in pauses_s)), **fields)


def order(requests: Sequence[Request], targets_a: Mapping[str, float] | None = None) -> list[str]:
    """Return the ids in the order of admission."""
    powers_w = {request.request_id: 230.0 * request.max_a for request in requests}
    return [request.request_id for request in line_up(requests, targets_a or {}, powers_w, NOW)]


def who_charges(requests: Sequence[Request], left_a: float = 6.0, policy: Policy = Policy.EQUAL_CURRENT, now: float = NOW) -> set[str]:
    """Return who has current, where so much is left."""
    found = share([Headroom(circuit_id="main", parent_id=None, available_a=(left_a, 0.0, 0.0))], requests, policy, {}, now=now)
    return {name for name, allocation in found.items() if allocation.limit_a > 0}


def test_a_car_has_its_turn_and_then_the_one_that_had_least_has_one() -> None:
    others = [car("b", past=waiting(short_wh=500.0)), car("c", past=waiting(short_wh=900.0))]
    assert who_charges([car("a", past=charging(TURN_S - 1)), *others]) == {"a"}
    assert who_charges([car("a", past=charging(TURN_S)), *others]) == {"c"}


def test_after_its_turn_a_car_goes_on_where_nobody_was_worse_off() -> None:
    assert who_charges([car("a", past=charging(TURN_S, short_wh=10.0)), car("b", past=waiting(short_wh=-10.0))]) == {"a"}


def test_a_car_that_must_not_be_paused_is_not() -> None:
    assert who_charges([car("a", past=charging(9 * TURN_S), pausable=False), car("b", past=waiting(short_wh=900.0))]) == {"a"}


def test_of_two_cars_that_go_on_the_one_stays_that_must_not_be_paused_at_all() -> None:
    lasting, begun = car("a", past=charging(9 * TURN_S), tier=1, pausable=False), car("b", past=charging(LEAST_ON_S - 1))
    assert who_charges([lasting, begun], left_a=12.0) == {"a", "b"}
    assert who_charges([lasting, begun], left_a=11.0) == {"a"}


def test_a_car_that_is_guaranteed_its_current_has_a_turn_whatever_the_plan_says() -> None:
    new, other = car("a", past=waiting(), guarantee_a=8.0), car("b", past=waiting())
    assert order([new, other], {"a": 0.0, "b": 4.0}) == ["a", "b"]
    assert line_up([new], {"a": 0.0}, {"a": 3680.0}, NOW)[0].target_a == 8.0
    assert order([replace(new, past=charging(LEAST_ON_S)), other], {"a": 0.0, "b": 16.0}) == ["a", "b"]


def test_a_car_that_began_a_moment_ago_goes_on_whatever_the_plan_says() -> None:
    begun, settled = car("a", past=charging(LEAST_ON_S - 1)), car("a", past=charging(LEAST_ON_S))
    other = car("b", past=waiting())
    assert order([begun, other], {"a": 0.0, "b": 16.0}) == ["a", "b"]
    assert order([settled, other], {"a": 0.0, "b": 16.0}) == ["b", "a"]


def test_a_car_is_not_paused_more_often_in_an_hour_than_it_may() -> None:
    other = car("b", past=waiting())
    often = [600.0 * (number + 1) for number in range(MOST_PAUSES)]
    assert order([car("a", past=charging(600, *often)), other], {"a": 0.0, "b": 16.0}) == ["a", "b"]
    assert order([car("a", past=charging(600, *often[:-1], HOUR_S)), other], {"a": 0.0, "b": 16.0}) == ["b", "a"]


def test_a_car_that_was_paused_rests_even_where_there_is_room() -> None:
    rests, rested = car("a", past=waiting(LEAST_OFF_S - 1)), car("a", past=waiting(LEAST_OFF_S))
    assert who_charges([rests], left_a=32.0) == set()
    assert who_charges([rested], left_a=32.0) == {"a"}
    [request] = line_up([rests], {}, {"a": 3680.0}, NOW)
    assert request.ceiling is ReasonCode.RESTING


def test_it_takes_less_of_a_plan_to_go_on_than_to_start() -> None:
    goes_on, starts = car("on", past=charging(3000)), car("off", past=waiting())
    assert order([goes_on, starts], {"on": 2.0, "off": 4.4}) == ["on", "off"]
    assert line_up([starts], {"off": 4.4}, {"off": 3680.0}, NOW)[0].target_a == 3.0, "it is left to what is left"
    assert line_up([starts], {"off": 4.5}, {"off": 3680.0}, NOW)[0].target_a == 6.0, "it gets its least current"


def test_the_urgent_come_before_those_who_had_least() -> None:
    urgent = car("u", need=Need(energy_wh=3000.0, departs_at=NOW + 3600.0), past=waiting())
    relaxed = car("r", need=Need(energy_wh=3000.0, departs_at=NOW + 36_000.0), past=waiting(short_wh=900.0))
    unknown = car("k", past=waiting(short_wh=9000.0))
    assert order([unknown, relaxed, urgent]) == ["u", "r", "k"]


def test_laxity_is_the_time_that_can_be_wasted() -> None:
    request = car("a", need=Need(energy_wh=3680.0, departs_at=NOW + 5400.0))
    assert laxity_s(request, 3680.0, NOW) == 1800.0
    assert laxity_s(car("b"), 3680.0, NOW) == float("inf")


def test_tiers_come_before_turns_but_pause_nobody_who_must_not_be() -> None:
    first = car("b", past=waiting())
    assert who_charges([car("a", past=charging(LEAST_ON_S), tier=1), first]) == {"b"}
    assert who_charges([car("a", past=charging(LEAST_ON_S - 1), tier=1), first]) == {"a"}
    assert who_charges([car("a", past=charging(LEAST_ON_S), tier=1, pausable=False), first]) == {"a"}


@given(count=st.integers(2, 6), offset=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_over_hours_of_want_everyone_has_alike_and_nobody_flaps(count: int, offset: int) -> None:
    """Play a site that has room for one of several, minute by minute."""
    minute_s = 60.0
    pasts = {f"c{index}": Past(arrived_at=NOW - index) for index in range(count)}
    had = dict.fromkeys(pasts, 0.0)
    now = NOW + offset
    for _ in range(count * 60):
        charges = who_charges([car(name, past=past) for name, past in pasts.items()], now=now)
        assert len(charges) == 1 or any(now - past.pauses_at[-1] < LEAST_OFF_S for past in pasts.values() if past.pauses_at)
        for name, past in pasts.items():
            on = name in charges
            if past.limit_a and not on:
                assert now - past.changed_at >= TURN_S
            if on != (past.limit_a > 0):
                past = replace(past, changed_at=now, pauses_at=past.pauses_at if on else (*past.pauses_at, now))
            had[name] += on
            mean = len(charges) / count
            pasts[name] = replace(past, limit_a=6.0 if on else 0.0, short_wh=past.short_wh + 23.0 * (mean - on))
        now += minute_s
    assert max(had.values()) - min(had.values()) <= TURN_S / minute_s + count
