"""What holds for the allocation of every site, however it is wired, and whoever is guaranteed or planned what."""

from hypothesis import event, given, settings, strategies as st
import pytest

from custom_components.headroom.engine.allocate import allocate
from custom_components.headroom.engine.model import Allocation, Reason, ReasonCode

from . import oracle
from .strategies import RIGID, SiteCase, sites


def limits(allocations: dict[str, Allocation]) -> dict[str, float]:
    """Return the limits alone."""
    return {request_id: allocation.limit_a for request_id, allocation in allocations.items()}


@given(sites(goals=True))
@settings(max_examples=1200, deadline=None)
def test_no_circuit_carries_more_than_its_headroom(site: SiteCase) -> None:
    currents_a = limits(allocate(site.headrooms, site.requests))
    event(f"charging: {sum(current > 0 for current in currents_a.values())} of {len(currents_a)}")
    assert not oracle.too_full(site.headrooms, site.requests, currents_a)


@given(sites(goals=True))
@settings(max_examples=700, deadline=None)
def test_every_limit_is_0_or_between_least_and_most_on_the_stations_scale(site: SiteCase) -> None:
    allocations = allocate(site.headrooms, site.requests)
    assert allocations.keys() == {request.request_id for request in site.requests}
    for request in site.requests:
        limit_a = allocations[request.request_id].limit_a
        assert limit_a == 0 or request.min_a <= limit_a <= request.max_a
        assert limit_a / request.step_a == pytest.approx(round(limit_a / request.step_a))


@given(sites(goals=True))
@settings(max_examples=1200, deadline=None)
def test_nothing_is_left_that_someone_could_take(site: SiteCase) -> None:
    currents_a = limits(allocate(site.headrooms, site.requests))
    for request in site.requests:
        current_a, most_a, least_a = currents_a[request.request_id], oracle.most_a(request), oracle.least_a(request)
        if most_a < least_a or current_a >= most_a - 1e-6:
            continue
        more_a = request.step_a if current_a else least_a
        assert oracle.in_the_way(site.headrooms, site.requests, currents_a, request, more_a), request


@given(sites(goals=True))
@settings(max_examples=1200, deadline=None)
def test_reasons_are_true(site: SiteCase) -> None:
    allocations = allocate(site.headrooms, site.requests)
    currents_a = limits(allocations)
    for request in site.requests:
        allocation = allocations[request.request_id]
        reason, current_a = allocation.reason, allocation.limit_a
        most_a, least_a = oracle.most_a(request), oracle.least_a(request)
        if most_a < least_a or current_a >= most_a - 1e-6:
            assert reason == Reason(code=request.ceiling)
            assert current_a == pytest.approx(most_a if most_a >= least_a else 0.0)
            continue
        assert reason.circuit_id is not None
        place = (reason.circuit_id, reason.phase, reason.against)
        if current_a:
            assert reason.code is (ReasonCode.CIRCUIT if reason.against is None else ReasonCode.IMBALANCE)
        else:
            assert reason.code is ReasonCode.WAITING
        assert place in oracle.in_the_way(site.headrooms, site.requests, currents_a, request, request.step_a if current_a else least_a)
        others = (other for other in site.requests if other is not request and currents_a[other.request_id] > 0)
        assert reason.others == sum(place in oracle.places(site.headrooms, other) for other in others)


@given(sites(goals=True), st.data())
@settings(max_examples=800, deadline=None)
def test_the_order_of_the_arguments_does_not_matter(site: SiteCase, data: st.DataObject) -> None:
    shuffled = allocate(data.draw(st.permutations(site.headrooms)), data.draw(st.permutations(site.requests)))
    assert shuffled == allocate(site.headrooms, site.requests)


@given(sites(goals=True))
@settings(max_examples=200, deadline=None)
def test_the_same_arguments_give_the_same_allocation(site: SiteCase) -> None:
    assert allocate(site.headrooms, site.requests) == allocate(site.headrooms, site.requests)


@given(sites(goals=True, wires=RIGID))
@settings(max_examples=700, deadline=None)
def test_what_was_decided_is_decided_again_once_it_is_the_ceiling(site: SiteCase) -> None:
    currents_a = limits(allocate(site.headrooms, site.requests))
    assert limits(allocate(site.headrooms, site.capped(currents_a))) == currents_a


@given(sites(goals=True, wires=RIGID))
@settings(max_examples=900, deadline=None)
def test_who_charges_is_who_fits_in_the_order_of_tier_and_queue(site: SiteCase) -> None:
    charging = {request_id for request_id, limit_a in limits(allocate(site.headrooms, site.requests)).items() if limit_a > 0}
    wanted = [request for request in site.requests if oracle.wanted(request)]
    event(f"{len(site.requests) - len(wanted)} are not wanted now")
    assert charging & {request.request_id for request in wanted} == oracle.admitted(site.headrooms, wanted).keys()
