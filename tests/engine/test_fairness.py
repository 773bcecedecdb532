"""Who gets how much, against weighted max-min fairness by its definition."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import assume, event, given, settings, strategies as st
import pytest

from custom_components.headroom.engine.allocate import allocate
from custom_components.headroom.engine.filling import Share, fill
from custom_components.headroom.engine.model import Headroom, Request
from custom_components.headroom.engine.rows import loads_of, put, rows_of

from . import oracle
from .strategies import RIGID, SiteCase, Wires, sites
from .test_properties import limits


def filled(headrooms: Sequence[Headroom], requests: Sequence[Request], low_a: float = 0.0) -> dict[str, float]:
    """Return the ideal shares of sessions that all charge, without steps."""
    rows = rows_of(headrooms)
    shares = {
        request.request_id: Share(loads_of(rows[request.circuit_id], request.phases), request.weight, low_a, max(low_a, request.max_a))
        for request in requests
    }
    for share in shares.values():
        put(share.loads, share.low_a)
    fill(list(shares.values()))
    return {request_id: share.current_a for request_id, share in shares.items()}


def most_a(requests: Sequence[Request]) -> dict[str, float]:
    return {request.request_id: request.max_a for request in requests}


@given(sites(ample=True, wires=RIGID))
@settings(max_examples=800, deadline=None)
def test_a_filling_is_max_min_fair(site: SiteCase) -> None:
    nothing_a = dict.fromkeys(most_a(site.requests), 0.0)
    fair_a = nothing_a | oracle.max_min(site.headrooms, site.requests, nothing_a, site.requests, most_a(site.requests))
    assert filled(site.headrooms, site.requests) == pytest.approx(fair_a, abs=1e-4)


@given(sites(ample=True, wires=[Wires.BALANCED, Wires.TRANSFORMED]))
@settings(max_examples=600, deadline=None)
def test_a_filling_overloads_nothing_that_may_be_relieved(site: SiteCase) -> None:
    assert not oracle.too_full(site.headrooms, site.requests, filled(site.headrooms, site.requests))


@given(sites(ample=True, wires=RIGID), st.data())
@settings(max_examples=600, deadline=None)
def test_a_higher_limit_leaves_nobody_worse_off_than_the_worst_were(site: SiteCase, data: st.DataObject) -> None:
    """The levels, sorted, never fall in their lexicographic order: whatever one loses is to the good of someone who had less."""
    index = data.draw(st.integers(0, len(site.headrooms) - 1))
    before, after = (
        sorted(limit_a / request.weight for request, limit_a in zip(site.requests, filled(headrooms, site.requests).values(), strict=True))
        for headrooms in (site.headrooms, raised(site.headrooms, index, data.draw(st.integers(1, 200)) / 10))
    )
    for was, is_now in zip(before, after, strict=True):
        assert is_now >= was - 1e-6
        if is_now > was + 1e-6:
            break


@given(sites(ample=True), st.data())
@settings(max_examples=400, deadline=None)
def test_a_higher_ceiling_of_its_own_takes_nothing_from_a_session(site: SiteCase, data: st.DataObject) -> None:
    assume(site.requests)
    index = data.draw(st.integers(0, len(site.requests) - 1))
    request = site.requests[index]
    higher = replace(request, max_a=request.max_a + data.draw(st.integers(1, 200)) / 10)
    before, after = (
        filled(site.headrooms, [*site.requests[:index], each, *site.requests[index + 1 :]])[request.request_id]
        for each in (request, higher)
    )
    assert after >= before - 1e-6


@given(sites(wires=RIGID))
@settings(max_examples=500, deadline=None)
def test_nobody_gets_less_than_the_fair_share_floored(site: SiteCase) -> None:
    """Tier by tier, beside what the tiers above got and the least current of those below."""
    allocations = allocate(site.headrooms, site.requests)
    others_a = oracle.admitted(site.headrooms, site.requests)
    for tier in range(3):
        members = [request for request in site.requests if request.tier == tier and request.request_id in others_a]
        goal_a = {request.request_id: oracle.most_a(request) for request in members}
        for request_id, fair_a in oracle.max_min(site.headrooms, site.requests, others_a, members, goal_a).items():
            step_a = next(request.step_a for request in members if request.request_id == request_id)
            assert allocations[request_id].limit_a > fair_a - step_a - 1e-5
        others_a |= {request.request_id: allocations[request.request_id].limit_a for request in members}


@given(sites(ample=True, wires=RIGID, goals=True, step_a=0.001, min_a=6.0))
@settings(max_examples=500, deadline=None)
def test_with_fine_steps_everyone_gets_what_the_goals_say_one_by_one(site: SiteCase) -> None:
    currents_a = limits(allocate(site.headrooms, site.requests))
    ideal_a = oracle.ideal(site.headrooms, site.requests)
    event(f"charging: {len(ideal_a)} of {len(currents_a)}")
    assume(all((request_id in ideal_a) == (current_a > 0) for request_id, current_a in currents_a.items()))
    assert {request_id: currents_a[request_id] for request_id in ideal_a} == pytest.approx(ideal_a, abs=0.05)


@given(sites(ample=True, wires=RIGID, step_a=1.0, tier=0, weight=1.0))
@settings(max_examples=300, deadline=None)
def test_among_equals_no_whole_amps_leave_the_worst_off_better(site: SiteCase) -> None:
    """Everybody that charges at the least whole current above the worst-off's: if that fitted, it would be better for it."""
    currents_a = {request_id: limit_a for request_id, limit_a in limits(allocate(site.headrooms, site.requests)).items() if limit_a > 0}
    charging = [request for request in site.requests if request.request_id in currents_a]
    if not charging or any(currents_a[request.request_id] == oracle.most_a(request) == min(currents_a.values()) for request in charging):
        return
    better_a = {request.request_id: max(oracle.least_a(request), min(currents_a.values()) + 1) for request in charging}
    event(f"{len(charging)} cars charge")
    assert oracle.too_full(site.headrooms, site.requests, better_a)


@given(sites(ample=True, wires=[Wires.STAR], step_a=1.0, tier=0, weight=1.0), st.data())
@settings(max_examples=300, deadline=None)
def test_more_headroom_never_lowers_the_worst_off(site: SiteCase, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(site.headrooms) - 1))
    before = limits(allocate(site.headrooms, site.requests))
    after = limits(allocate(raised(site.headrooms, index, data.draw(st.integers(1, 200)) / 10), site.requests))
    event(f"all charge: {all(before.values())}")
    assert min(after.values(), default=0.0) >= min(before.values(), default=0.0)


def raised(headrooms: Sequence[Headroom], index: int, more_a: float) -> list[Headroom]:
    """Return the circuits with so much more left on one of them."""
    headroom = headrooms[index]
    l1, l2, l3 = headroom.available_a
    higher = replace(
        headroom,
        available_a=(l1 + more_a, l2 + more_a, l3 + more_a),
        sum_a=None if headroom.sum_a is None else headroom.sum_a + more_a,
    )
    return [*headrooms[:index], higher, *headrooms[index + 1 :]]
