"""Clocks that jump: ours, which stations know nothing of, and a station's, by which its leases end."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from custom_components.headroom.csms.profiles import LEASE
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps

NOISE_S = 1.5
"""Physics go by steps, and messages take their time."""


def _longer_s(s: Scenario) -> float:
    """Return by how much the leases that stations hold outlast what the loop reckons with, the longest of them."""
    longest_s = 0.0
    for number in range(1, 5):
        model, evse = s.model(number), s.site._evses[s.key(number)]
        for one in model.profiles.installed:
            if one.purpose == LEASE:
                left_s = (datetime.fromisoformat(one.profile["validTo"]) - model.now).total_seconds()
                believed = max([0.0, *(ends_at for limit_a, ends_at in evse.held(s.time_s) if limit_a > 0 and ends_at < 1e9)])
                longest_s = max(longest_s, left_s - (believed - s.time_s))
    return longest_s


@pytest.mark.parametrize("jump_s", [30.0, -30.0, 3600.0, -3600.0])
def test_leases_told_after_our_clock_jumped_end_when_the_loop_reckons(jump_s: float) -> None:
    async def story() -> None:
        building = steps((0.0, 3.0), (90.5, 17.0), (100.5, 3.0))
        async with scenario(*[Place()] * 4, worst_case_a=40.0, building=building) as s:
            await s.until(90)
            before = s.draws_a()
            s.clock_error_s += jump_s
            for second in range(91, 150):
                await s.until(second)
                assert _longer_s(s) < NOISE_S, second
                assert min(s.draws_a()) > 5.8, "no lease lapsed"
            assert sum(before) - sum(s.draws_a()) < 2

    run(story())


@pytest.mark.parametrize(("back_s", "within_s"), [(30.0, 60.0), (3600.0, 10.0)])
def test_leases_of_a_station_whose_clock_was_set_back_are_told_anew(back_s: float, within_s: float) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 4, building=steps((0.0, 8.0)), dead_man_from_s=None) as s:
            await s.until(90)
            assert _longer_s(s) < NOISE_S
            model = s.model(1)
            transaction = model.evses[1].transaction
            assert transaction is not None and transaction.sampled_at is not None
            model.spec = replace(model.spec, clock_offset_s=-back_s)
            transaction.sampled_at -= timedelta(seconds=back_s)  # samples go by another clock
            await s.wait(0.5)
            await s.until_true(lambda: _longer_s(s) < NOISE_S, within_s=within_s)
            await s.wait(2)
            lease = s.site._evses[s.key(1)].lease
            assert lease is not None and lease.expires_at - s.time_s < 301, "it was told anew"
            assert s.site.snapshot.dead_man.holds is True

    run(story())


def test_a_station_whose_clock_goes_back_by_an_hour_is_without_a_limit_at_no_moment() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 4, building=steps((0.0, 8.0)), dead_man_from_s=None) as s:
            await s.until(90)
            model = s.model(1)

            def in_force_a() -> float:
                return model.profiles.limit(1, model.now, model.evses[1].transaction).limit_a

            before_a = in_force_a()
            assert before_a < 20
            model.spec = replace(model.spec, clock_offset_s=-3600.0)
            for _ in range(100):
                await s.wait(0.2)
                assert in_force_a() <= before_a + 1.0

    run(story())


def test_what_holds_for_good_has_begun_however_often_the_stations_clock_goes_back() -> None:
    """Twice forty minutes are more than what it was told ago; without us nothing else would hold once the lease is over."""

    async def story() -> None:
        async with scenario(Place(), Place(), building=steps((0.0, 8.0)), dead_man_from_s=None) as s:
            await s.until(90)
            model = s.model(1)
            transaction = model.evses[1].transaction
            assert transaction is not None and transaction.sampled_at is not None
            for back_s in (2400.0, 4800.0):
                model.spec = replace(model.spec, clock_offset_s=-back_s)
                transaction.sampled_at -= timedelta(seconds=2400.0)  # samples go by another clock
                await s.wait(15)
            for purpose in ("TxDefaultProfile", "ChargingStationMaxProfile"):
                (held,) = s.installed(1, purpose)
                assert datetime.fromisoformat(held["chargingSchedule"][0]["startSchedule"]) <= model.now, purpose

    run(story())


def test_a_transaction_that_begins_by_a_clock_hours_behind_the_last_one_is_one_that_runs() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), building=steps((0.0, 8.0)), dead_man_from_s=None) as s:
            await s.until(90)
            first = s.evse(1).transaction_id
            s.unplug(1)
            await s.until(100)
            model = s.model(1)
            model.spec = replace(model.spec, clock_offset_s=-3 * 3600.0)
            await s.until(110)
            s.plug_in(1, car(), card="CARD")
            await s.wait(3)
            evse = s.site._evses[s.key(1)]
            assert evse.session is not None and evse.session.transaction_id != first
            assert evse.reserved_a(s.time_s) > 0, "it may draw, and is reckoned with"
            await s.wait(40)
            assert s.evse(1).transaction_id == evse.session.transaction_id and s.draw_a(1) > 15

    run(story())
