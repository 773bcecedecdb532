"""The look-ahead: by example, by properties, and against an optimum that knows the whole future, written once more."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
import random
import sys

import highspy
from hypothesis import given, settings, strategies as st
import pytest

from custom_components.headroom.engine import programme
from custom_components.headroom.engine.blocks import PERIOD_S
from custom_components.headroom.engine.model import ALL_PHASES, Headroom, Need, Past, Phase, Request, Wiring
from custom_components.headroom.engine.plan import USUAL_STAY_S, plan
from custom_components.headroom.engine.programme import NoOptimumError

from . import oracle
from .strategies import SiteCase, sites

HOUR_S = 3600.0
NOW = 1_000_000.0


def main(available_a: float, **fields: object) -> Headroom:
    """Return what is left at the main fuse."""
    return replace(Headroom(circuit_id="main", parent_id=None, available_a=(available_a, available_a, available_a)), **fields)


def car(request_id: str, hours: float | None, kwh: float | None, *, max_a: float = 32.0, limit_a: float = 0.0, **fields: object) -> Request:
    """Return a one-phase car that leaves in so many hours and still needs so much."""
    need = Need(energy_wh=None if kwh is None else kwh * 1000, departs_at=None if hours is None else NOW + hours * HOUR_S)
    request = Request(request_id=request_id, circuit_id="main", phases=(Phase.L1,), max_a=max_a, need=need, past=Past(limit_a=limit_a))
    return replace(request, **fields)


def targets(headrooms: Sequence[Headroom], requests: Sequence[Request], ready_wh: float = 0.0, **fields: object) -> dict[str, float]:
    """Return the targets alone."""
    found = plan(headrooms, requests, ready_wh=ready_wh, now=NOW, **fields)  # type: ignore[arg-type]
    return {name: round(each.target_a, 3) for name, each in found.items()}


# By example


def test_where_all_fit_everyone_has_the_most_and_no_solver_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programme.Programme, "maximise", lambda self: pytest.fail("asked"))
    assert targets([main(64)], [car("a", 2, 9), car("b", 9, 1)]) == {"a": 32, "b": 32}


def test_who_leaves_soon_goes_first_and_who_can_wait_waits() -> None:
    # 32 A for one hour are 7.36 kWh: just enough for a, and b has all night.
    assert targets([main(32)], [car("a", 1, 7.3), car("b", 10, 7.3)]) == {"a": pytest.approx(32, abs=0.5), "b": pytest.approx(0, abs=0.5)}


def test_a_stay_that_suffices_by_day_is_not_bought_with_another_ones_last_hour() -> None:
    # Both can have all they need only if b, who needs more than what is left after a, takes what a can spare.
    found = plan([main(32)], [car("a", 2, 7), car("b", 3, 14)], ready_wh=0.0, now=NOW)
    assert found["a"].ready_at is not None and found["a"].ready_at <= NOW + 2 * HOUR_S + 1
    assert found["b"].ready_at is not None and found["b"].ready_at <= NOW + 3 * HOUR_S + 1


def doubtful(request: Request, errors_s: Sequence[float] = range(-2400, 2401, 600)) -> Request:
    """Return a car whose driver leaves up to 40 minutes sooner or later than is said."""
    return replace(request, need=replace(request.need, errors_s=tuple(errors_s)))


def test_of_two_that_say_the_same_the_one_that_may_leave_sooner_goes_first() -> None:
    # In 26 minutes it may be gone, and so long it has to charge; the other one has time for that after it.
    sooner = range(-2400, 1, 600)
    one, other = car("a", 1.1, 1.6, max_a=16), car("b", 1.1, 1.6, max_a=16)
    assert targets([main(16)], [doubtful(one, sooner), other], weighs_errors=True) == {"a": 16, "b": 0}
    assert targets([main(16)], [one, doubtful(other, sooner)], weighs_errors=True) == {"a": 0, "b": 16}


def test_what_is_said_counts_to_the_minute_where_errors_are_not_weighed_or_there_are_none() -> None:
    one, other = car("a", 2, 3.6, max_a=16), car("b", 3, 9, max_a=16)
    as_said = plan([main(16)], [one, other], ready_wh=0.0, now=NOW)
    assert plan([main(16)], [doubtful(one), doubtful(other)], ready_wh=0.0, now=NOW) == as_said
    assert plan([main(16)], [one, other], ready_wh=0.0, weighs_errors=True, now=NOW) == as_said


def test_a_car_has_no_use_for_more_than_it_needs_however_likely_it_is_to_leave() -> None:
    # What a has no use for in its first hour is b's, who is there all night: both are ready.
    found = plan([main(16)], [doubtful(car("a", 1, 2)), doubtful(car("b", 10, 20))], ready_wh=0.0, weighs_errors=True, now=NOW)
    assert found["a"].ready_at is not None and found["a"].ready_at <= NOW + HOUR_S
    assert found["b"].ready_at is not None and found["b"].ready_at <= NOW + 8 * HOUR_S


def test_who_has_outstayed_the_word_is_served_before_who_is_there_for_long() -> None:
    assert targets([main(16)], [doubtful(car("a", -0.2, 3, max_a=16)), doubtful(car("b", 4, 9))], weighs_errors=True) == {"a": 16, "b": 0}


def test_watts_count_not_amps() -> None:
    # 16 A on one phase carry a third of 16 A on three.
    three = car("three", 1, 11, max_a=16, phases=ALL_PHASES)
    found = targets([main(16)], [car("one", 1, 11, max_a=16), three])
    assert found == {"one": 0, "three": 16}


def test_where_not_all_can_be_ready_one_that_is_counts_for_most_cars_ready() -> None:
    # In an hour there is energy for the small need, or for half of the large one.
    small, large = car("small", 1, 4), car("large", 1, 40)
    found = plan([main(20)], [small, large], ready_wh=1500.0, now=NOW)
    assert found["small"].ready_at is not None
    assert found["large"].ready_at is None


def test_a_car_goes_on_where_another_one_is_worth_no_more() -> None:
    for running, other in (("a", "b"), ("b", "a")):
        found = targets([main(16)], [car(running, 5, 20, max_a=16, limit_a=16), car(other, 5, 20, max_a=16)])
        assert found[running] == 16


def test_a_tier_is_served_before_the_next() -> None:
    assert targets([main(16)], [car("a", 1, 20, tier=1), car("b", 9, 20, tier=0)]) == {"a": 0, "b": 16}


def test_no_weight_and_no_small_rest_outweighs_a_tier() -> None:
    first = car("a", 9, 40)
    assert targets([main(16)], [first, car("b", 1, 20, tier=1, weight=1000.0)]) == {"a": 16, "b": 0}
    assert targets([main(16)], [first, car("b", 0.1, 0.05, tier=1)], ready_wh=1500.0) == {"a": 16, "b": 0}


def test_the_last_of_many_tiers_has_what_those_before_leave() -> None:
    requests = [*(car(f"{tier}", 3, 0.0 if tier else 12, tier=tier, max_a=16.0) for tier in range(9)), car("last", 3, 40, tier=9)]
    found = targets([main(24)], requests)
    assert found["0"] == 16 and found["last"] == 8


def test_only_what_weights_are_to_each_other_counts() -> None:
    for weight in (1e-9, 1.0, 1e9):
        assert targets([main(16)], [car("a", 2, 20, weight=weight), car("b", 2, 20, weight=2 * weight)]) == {"a": 0, "b": 16}
    assert targets([main(24)], [car("a", 2, 40, max_a=16.0, weight=1e-9), car("b", 2, 40, max_a=16.0)]) == {"a": 8, "b": 16}


def test_a_departure_that_is_far_away_is_one() -> None:
    far = replace(car("a", 2, 9), need=Need(energy_wh=9000.0, departs_at=inf))
    assert targets([main(16)], [far, car("b", 0.5, 9)]) == {"a": 0, "b": 16}


def test_what_is_taken_at_an_angle_counts_where_currents_meet() -> None:
    # L1 carries 32 A of the one pair; 20 A of the other pair, at 60°, make 45.4 A of them.
    requests = [
        car("a", 2, 40, phases=(Phase.L1, Phase.L2)),
        car("b", 2, 40, phases=(Phase.L3, Phase.L1), tier=1),
        car("c", None, None, phases=(Phase.L1, Phase.L2)),
    ]
    left = main(45.4, wiring=Wiring.DELTA)
    assert targets([left], requests[:2]) == {"a": 32, "b": pytest.approx(20, abs=0.3)}
    assert targets([left], requests[1:], besides_a={"c": 32.0}) == {"b": pytest.approx(20, abs=0.3)}


def test_a_heavier_car_is_served_before_a_lighter_one() -> None:
    assert targets([main(16)], [car("a", 2, 20), car("b", 2, 20, weight=2.0)]) == {"a": 0, "b": 16}


def test_those_whose_need_nobody_knows_keep_what_is_theirs() -> None:
    assert targets([main(32)], [car("a", 1, 30), car("b", None, None)], besides_a={"b": 12.0}) == {"a": 20}


def test_an_unknown_departure_is_planned_as_a_usual_stay() -> None:
    found = plan([main(16)], [car("a", None, 5), car("b", USUAL_STAY_S / HOUR_S + 6, 9)], ready_wh=0.0, now=NOW)
    assert found["a"].target_a == pytest.approx(16, abs=0.5)


def test_a_departure_that_is_over_is_planned_as_leaving_now() -> None:
    assert targets([main(16)], [car("a", -1, 5), car("b", 8, 9)]) == {"a": 16, "b": 0}


def test_what_was_had_already_is_not_given_again() -> None:
    assert targets([main(16)], [car("a", 2, 0), car("b", 2, 9)]) == {"a": 0, "b": 16}


def test_a_car_that_may_have_nothing_is_not_planned() -> None:
    assert targets([main(16)], [car("a", 2, 3, max_a=0.0), car("b", 2, 9)]) == {"b": 16}


def test_it_says_when_a_car_starts_and_when_it_is_ready() -> None:
    found = plan([main(32)], [car("a", 1, 7.3), car("b", 10, 7.36)], ready_wh=0.0, now=NOW)
    a, b = found["a"], found["b"]
    assert a.starts_at == NOW and a.ready_at == pytest.approx(NOW + HOUR_S, abs=PERIOD_S)
    assert b.starts_at == pytest.approx(NOW + HOUR_S, abs=PERIOD_S) and b.ready_at is not None and b.starts_at is not None
    assert b.starts_at < b.ready_at <= NOW + 10 * HOUR_S


def test_a_sub_circuit_and_the_main_fuse_both_hold() -> None:
    tree = [main(40), Headroom(circuit_id="garage", parent_id="main", available_a=(20, 20, 20))]
    garage = [car(f"g{index}", 1, 30, circuit_id="garage") for index in range(2)]
    found = targets(tree, [*garage, car("outside", 1, 30)])
    assert found["g0"] + found["g1"] == 20 or found["g0"] + found["g1"] + found["outside"] == 40
    assert found["outside"] >= 20


def test_the_same_plan_each_time_and_in_any_order() -> None:
    rng = random.Random(1)
    requests = [car(f"c{index}", rng.uniform(0.5, 9), rng.uniform(1, 30), limit_a=rng.choice((0, 6, 16))) for index in range(20)]
    once = plan([main(63)], requests, ready_wh=1500.0, now=NOW)
    for _ in range(3):
        rng.shuffle(requests)
        assert plan([main(63)], requests, ready_wh=1500.0, now=NOW) == once


def test_without_a_solver_there_is_no_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    with pytest.raises(NoOptimumError):
        plan([main(16)], [car("a", 2, 9), car("b", 2, 9)], ready_wh=0.0, now=NOW)


def test_without_a_solver_the_earliest_departures_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    tree = [main(40), Headroom(circuit_id="garage", parent_id="main", available_a=(20, 20, 20))]
    requests = [car("a", 3, 9), car("b", 1, 9, circuit_id="garage"), car("c", 2, 9), car("d", 9, 9, tier=-1, max_a=6.0)]
    assert targets(tree, requests, solver=False) == {"a": 0, "b": 20, "c": 14, "d": 6}


def test_without_a_solver_a_rest_is_not_given_a_whole_least_current() -> None:
    requests = [car("a", 1, 0.02), car("b", 2, 9)]
    assert targets([main(16)], requests, solver=False) == {"a": 0, "b": 16}


def test_no_cars_no_plan() -> None:
    assert targets([main(16)], []) == {}


# By properties


@given(site=sites(ample=True, max_requests=10), data=st.data())
@settings(max_examples=300, deadline=None)
def test_what_is_planned_for_now_fits(site: SiteCase, data: st.DataObject) -> None:
    headrooms, requests = site.headrooms, site.requests
    requests = [
        replace(
            request,
            need=Need(energy_wh=data.draw(st.integers(0, 60_000)), departs_at=NOW + data.draw(st.integers(-600, 40_000))),
            past=Past(limit_a=data.draw(st.sampled_from([0.0, request.min_a, request.max_a]))),
        )
        for request in requests
    ]
    found = plan(headrooms, requests, ready_wh=1500.0, now=NOW)
    currents_a = {request.request_id: found[request.request_id].target_a if request.request_id in found else 0.0 for request in requests}
    assert all(-1e-6 <= currents_a[request.request_id] <= max(0.0, request.max_a) + 1e-6 for request in requests)
    # The corners of the tangents lie a little outside of the circle.
    wide = [replace(each, available_a=tuple(max(limit_a, limit_a * 1.005) for limit_a in each.available_a)) for each in headrooms]
    assert not oracle.too_full(wide, requests, currents_a, close_a=1e-5)


# Against an optimum that is made in another way: all periods of five minutes, all sessions, each row of the tree.


def optimum_kwh(available_a: float, sub_a: float, arrivals: Sequence[tuple[Request, int, int]]) -> float:
    """Return the most energy that any shares whatever could charge: sessions are there from one period up to another."""
    model = highspy.Highs()
    model.silent()
    kwh = 230 * PERIOD_S / 3.6e6
    main_rows: dict[int, list[object]] = {}
    sub_rows: dict[int, list[object]] = {}
    everything: list[object] = []
    for request, first, last in arrivals:
        mine = [model.addVariable(lb=0, ub=request.max_a) for _ in range(first, last)]
        assert request.need.energy_wh is not None
        model.addConstr(sum(kwh * each for each in mine) <= request.need.energy_wh / 1000)
        for period, each in zip(range(first, last), mine, strict=True):
            main_rows.setdefault(period, []).append(each)
            if request.circuit_id == "sub":
                sub_rows.setdefault(period, []).append(each)
        everything += mine
    for rows, limit_a in ((main_rows, available_a), (sub_rows, sub_a)):
        for of_period in rows.values():
            model.addConstr(sum(of_period) <= limit_a)  # type: ignore[arg-type, call-overload]
    model.maximize(sum(kwh * each for each in everything))  # type: ignore[operator, misc]
    return float(model.getObjectiveValue())


@pytest.mark.parametrize("seed", range(12))
def test_planned_anew_each_period_it_charges_what_the_optimum_does_where_nobody_else_comes(seed: int) -> None:
    rng = random.Random(seed)
    tree = [main(rng.uniform(20, 60)), Headroom(circuit_id="sub", parent_id="main", available_a=(16.0, 16.0, 16.0))]
    stays = {f"c{index}": rng.randint(3, 60) for index in range(rng.randint(2, 12))}
    rest_wh = {name: rng.uniform(500, 12_000) for name in stays}
    arrivals = [
        (car(name, None, rest_wh[name] / 1000, circuit_id=rng.choice(("main", "sub")), max_a=rng.choice((16.0, 32.0))), 0, stays[name])
        for name in stays
    ]
    best_kwh = optimum_kwh(tree[0].available_a[0], 16.0, arrivals)
    had_wh = dict.fromkeys(stays, 0.0)
    for period in range(max(stays.values())):
        now = NOW + period * PERIOD_S
        requests = [
            replace(
                request, need=Need(energy_wh=rest_wh[request.request_id] - had_wh[request.request_id], departs_at=NOW + last * PERIOD_S)
            )
            for request, _, last in arrivals
            if period < last
        ]
        for name, each in plan(tree, requests, ready_wh=0.0, now=now).items():
            had_wh[name] = min(rest_wh[name], had_wh[name] + each.target_a * 230 * PERIOD_S / 3600)
    assert sum(had_wh.values()) / 1000 >= 0.98 * best_kwh
    assert sum(had_wh.values()) / 1000 <= best_kwh + 1e-6


@pytest.mark.parametrize("wiring", [Wiring.DELTA, Wiring.DELTA_BEHIND_TRANSFORMER])
def test_between_conductors_a_balanced_load_is_planned_up_to_the_circle(wiring: Wiring) -> None:
    pairs = [(Phase.L1, Phase.L2), (Phase.L2, Phase.L3), (Phase.L3, Phase.L1)]
    requests = [car(str(index), 2, 90, phases=phases, max_a=80.0) for index, phases in enumerate(pairs)]
    found = targets([main(52, wiring=wiring)], requests)
    assert sum(found.values()) == pytest.approx(52 * 3**0.5, rel=0.004)
