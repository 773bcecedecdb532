"""Prices: what can wait for a cheaper hour waits, and nobody is late for it."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.blocks import PERIOD_S
from custom_components.headroom.engine.model import Headroom, Need, Past, Phase, ReasonCode, Request
from custom_components.headroom.engine.plan import plan
from custom_components.headroom.engine.prices import Price, Tariff
from custom_components.headroom.engine.rotation import LEAST_ON_S
from custom_components.headroom.engine.share import Policy, look_ahead, share

HOUR_S = 3600.0
NOW = 1_000_000.0
SITE = [Headroom(circuit_id="main", parent_id=None, available_a=(32.0, 32.0, 32.0))]


def car(request_id: str, kwh: float, hours: float, **fields: object) -> Request:
    """Return a one-phase car."""
    need = Need(energy_wh=kwh * 1000, departs_at=NOW + hours * HOUR_S)
    return replace(Request(request_id=request_id, circuit_id="main", phases=(Phase.L1,), max_a=16.0, need=need), **fields)


def prices(*hourly: float) -> list[Price]:
    """Return the prices of the hours from now on."""
    return [Price(starts_at=NOW + hour * HOUR_S, per_kwh=per_kwh) for hour, per_kwh in enumerate(hourly)]


def played(requests: Sequence[Request], hourly: Sequence[float], hours: int) -> dict[str, list[float]]:
    """Return the energy that each car has in each hour, planned and shared anew every five minutes, as the site would."""
    had: dict[str, list[float]] = {request.request_id: [0.0] * hours for request in requests}
    pasts = {request.request_id: request.past for request in requests}
    for period in range(hours * 12):
        now = NOW + period * PERIOD_S
        live = [
            replace(
                request,
                need=replace(request.need, energy_wh=request.need.energy_wh - sum(had[request.request_id]) * 1000),
                past=pasts[request.request_id],
            )
            for request in requests
            if request.need.energy_wh is not None and sum(had[request.request_id]) * 1000 < request.need.energy_wh - 1
        ]
        planned = look_ahead(SITE, live, Policy.MOST_CARS_READY, now=now, prices=prices(*hourly))
        for name, each in share(SITE, live, Policy.MOST_CARS_READY, planned, now=now).items():
            had[name][period // 12] += each.limit_a * 230 * PERIOD_S / 3.6e6
            past = pasts[name]
            if (each.limit_a > 0) != (past.limit_a > 0):
                past = replace(past, changed_at=now, pauses_at=past.pauses_at if each.limit_a else (*past.pauses_at, now))
            pasts[name] = replace(past, limit_a=each.limit_a)
    return had


def test_a_car_alone_waits_for_the_cheap_hours_and_is_ready_all_the_same() -> None:
    # 16 A give 3.68 kWh an hour: two hours are needed, hours 4 and 5 are the cheap ones.
    (had,) = played([car("a", 7.0, 8)], [30, 30, 30, 30, 10, 10, 30, 30], 8).values()
    assert had[4] + had[5] == pytest.approx(7.0, abs=0.2)


def test_where_the_cheap_hours_do_not_suffice_the_dear_ones_are_taken_too() -> None:
    (had,) = played([car("a", 10.5, 4)], [30, 30, 10, 30], 4).values()
    assert sum(had) >= 10.0
    assert had[2] == pytest.approx(3.68, abs=0.1)


def test_a_car_that_waits_says_so_and_one_that_can_not_does_not() -> None:
    requests = [car("night", 3.0, 9), car("errand", 3.5, 1.5)]
    planned = look_ahead(SITE, requests, Policy.MOST_CARS_READY, now=NOW, prices=prices(30, 30, 30, 10, 10, 10, 10, 10, 10))
    found = share(SITE, requests, Policy.MOST_CARS_READY, planned, now=NOW)
    assert (found["night"].limit_a, found["night"].reason.code) == (0, ReasonCode.CHEAPER)
    assert found["errand"].limit_a == 16
    assert planned["night"].starts_at is not None and planned["night"].starts_at >= NOW + 3 * HOUR_S


def test_a_car_that_began_a_moment_ago_is_not_paused_for_a_price() -> None:
    begun = car("a", 3.0, 9, past=Past(limit_a=16.0, changed_at=NOW - LEAST_ON_S + 1))
    settled = car("a", 3.0, 9, past=Past(limit_a=16.0, changed_at=NOW - LEAST_ON_S))
    for request, limit_a in ((begun, 6), (settled, 0)):
        planned = look_ahead(SITE, [request], Policy.MOST_ENERGY, now=NOW, prices=prices(30, 30, 10, 10, 10, 10, 10, 10, 10))
        assert share(SITE, [request], Policy.MOST_ENERGY, planned, now=NOW)["a"].limit_a == limit_a


def test_one_price_for_all_hours_changes_nothing() -> None:
    requests = [car("a", 9, 3), car("b", 20, 5), car("c", 5, 2, max_a=32.0)]
    assert plan(SITE, requests, ready_wh=0.0, now=NOW, prices=prices(30, 30, 30)) == plan(SITE, requests, ready_wh=0.0, now=NOW)


def test_the_tariff_knows_what_holds_now_and_when_it_changes() -> None:
    tariff = Tariff.of([*prices(10, 30, 30, 20)][::-1], NOW + 1.5 * HOUR_S)
    assert [price.per_kwh for price in tariff.prices] == [30, 30, 20]
    assert tariff.changes(NOW, NOW + 9 * HOUR_S) == [NOW + 3 * HOUR_S]
    assert tariff.dearness(NOW + 2 * HOUR_S, NOW + 3 * HOUR_S, NOW + 9 * HOUR_S) == 1.0
    assert tariff.dearness(NOW + 2.5 * HOUR_S, NOW + 3.5 * HOUR_S, NOW + 9 * HOUR_S) == 0.5
    assert tariff.dearness(NOW + 2 * HOUR_S, NOW + 2.5 * HOUR_S, NOW + 3 * HOUR_S) == 0.0, "what is beyond the horizon is not to be had"
    assert Tariff.of([], NOW).dearness(NOW, NOW + 1, NOW + 2) == 0.0


@given(st.lists(st.tuples(st.integers(-5, 40), st.integers(-50, 50)), max_size=8), st.integers(0, 30), st.integers(1, 10))
def test_dearness_lies_between_the_cheapest_and_the_dearest(told: list[tuple[int, int]], start: int, length: int) -> None:
    tariff = Tariff.of([Price(starts_at=NOW + at * 600, per_kwh=per_kwh) for at, per_kwh in told], NOW)
    start_at = NOW + start * 600
    assert 0.0 <= tariff.dearness(start_at, start_at + length * 600, start_at + length * 600) <= 1.0 + 1e-9
