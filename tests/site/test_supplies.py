"""Houses without three phases: a single phase of 25 A, and split phase as in North America, with everything that goes with them."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from custom_components.headroom.engine.model import ALL_PHASES, Circuit, Phase
from custom_components.headroom.site.wiring import Wiring
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps

L1, L2, _ = ALL_PHASES
LEGS = (L1, L2)


def leg(max_a: float, **more: Any) -> Place:
    """A station between both legs, and a car that takes all it is given there."""
    return Place(rotation="L1L2", conductors=LEGS, max_a=max_a, car=car(phases=2, max_a=max_a), **more)


def split(*places: Place, **more: Any) -> AbstractAsyncContextManager[Scenario]:
    """A house with 100 A and two legs of 120 V."""
    return scenario(*places, phases=LEGS, voltage_v=120.0, **{"fuse_a": 100.0, "margin_a": 5.0, "worst_case_a": 60.0} | more)


def test_a_single_phase_house_is_kept_below_its_fuse_and_uses_it() -> None:
    async def story() -> None:
        place = Place(rotation="L1", conductors=(L1,), car=car(phases=1))
        building = steps((0.0, (3.0, 0.0, 0.0)), (60.3, (15.0, 0.0, 0.0)), (120.3, (3.0, 0.0, 0.0)))
        async with scenario(place, phases=(L1,), fuse_a=25.0, margin_a=2.0, worst_case_a=16.0, building=building, over_limit_s=4.0) as s:
            await s.until(60)
            assert s.draw_a(1) > 16, "more would be free, and too much once the building draws its worst and nobody cuts it"
            assert s.evse(1).phase_map is None, "there is only one conductor to be on"
            await s.until(65)
            assert s.main_a()[0] <= 23 and s.draw_a(1) > 5.8
            await s.until(150)
            assert s.draw_a(1) > 16

    run(story())


def test_two_stations_share_what_the_fuller_leg_leaves() -> None:
    """The building loads the legs unevenly; each car takes the same from both."""

    async def story() -> None:
        building = steps((0.0, (20.0, 5.0, 0.0)), (90.3, (45.0, 5.0, 0.0)), (150.3, (20.0, 5.0, 0.0)))
        async with split(leg(48.0), leg(40.0), building=building, worst_case_a=45.0, over_limit_s=4.0) as s:
            await s.until(85)
            l1, l2, l3 = s.main_a()
            assert 90 < l1 <= 95 and l2 == pytest.approx(l1 - 15.0, abs=0.1) and l3 == 0.0
            assert abs(s.pilot_a(1) - s.pilot_a(2)) <= 2.0
            assert s.evse(1).power_w == pytest.approx(240.0 * s.draw_a(1), rel=0.02)
            assert s.evse(1).phase_map is None, "between both legs there is nothing to be found out"
            await s.until(95)
            assert max(s.main_a()) <= 95 and min(s.draws_a()) > 5.8
            shown = s.site.snapshot.circuits["main"].unmanaged_a
            assert shown[0] == pytest.approx(45.0, abs=2.1) and shown[1] == pytest.approx(5.0, abs=2.1)
            await s.until(200)
            assert sum(s.draws_a()) > 70

    run(story())


def test_a_kettle_on_the_free_leg_costs_no_car_anything() -> None:
    async def story() -> None:
        building = steps((0.0, (20.0, 5.0, 0.0)), (90.3, (20.0, 17.0, 0.0)))
        async with split(leg(48.0), leg(40.0), building=building, over_limit_s=0.0) as s:
            await s.until(85)
            before_a = s.draws_a()
            await s.until(120)
            assert s.draws_a() == before_a

    run(story())


def test_what_holds_when_nobody_watches_leaves_both_legs_inside_the_main_breaker() -> None:
    async def story() -> None:
        async with split(leg(48.0), leg(40.0), building=steps((0.0, (20.0, 5.0, 0.0)))) as s:
            await s.until(60)
            fallbacks_a = [s.fallback_a(number) for number in (1, 2)]
            assert fallbacks_a == [17.0, 17.0] or sum(each or 0.0 for each in fallbacks_a) == pytest.approx(35.0, abs=1.0)
            await s.vanish()
            await s.wait(600)
            assert sum(s.draws_a()) <= 35.0
            assert max(s.main_a()) <= 95.0

    run(story())


def test_a_power_ceiling_counts_240_volts_between_the_legs() -> None:
    async def story() -> None:
        main = {"fuse_a": 200.0, "margin_a": 5.0, "worst_case_a": 20.0}
        below = Circuit(circuit_id="garage", name="Garage", parent_id="main", phases=LEGS, fuse_a=60.0, limit_w=7200.0)
        async with split(leg(48.0, circuit_id="garage"), building=steps((0.0, (8.0, 8.0, 0.0))), circuits=[below], **main) as s:
            await s.until(60)
            assert s.pilot_a(1) == 30.0, "7.2 kW at 240 V"

    run(story())


def test_a_station_on_one_leg_of_which_nobody_knows_which_counts_on_both_until_it_is_learnt() -> None:
    async def story() -> None:
        small = Place(rotation="L2", rotation_known=False, conductors=LEGS, max_a=16.0, car=car(phases=1, max_a=16.0))
        async with split(small, leg(40.0), building=steps((0.0, (8.0, 8.0, 0.0))), fuse_a=60.0, worst_case_a=15.0) as s:
            await s.until(60)
            assert s.phase_map(1).reckoned == (None,)
            for most_a in (6.0, 16.0, 6.0, 16.0):
                s.site.set_user_max(s.key(1), most_a)
                await s.wait(45)
            shown = s.phase_map(1)
            assert (shown.learnt, shown.state) == ((Phase.L2,), Wiring.LEARNT)

    run(story())
