"""Who gets what: fair shares on the conductors that cars really load, the least current for as many as fit, and turns for the rest."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from custom_components.headroom.engine.model import Circuit
from simulator.virtual import run

from .harness import READY_S, Place, Scenario, car, scenario, steps


def test_equal_cars_get_equal_currents_and_the_capacity_is_used() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 6, over_limit_s=0.0) as s:
            await s.until(180)
            settled = s.between(60, 180)
            for moment in settled:
                assert max(moment.pilots_a) - min(moment.pilots_a) <= 1.0 and min(moment.draws_a) > 5.8
            used = sum(max(moment.main_a) for moment in settled) / len(settled) / 63
            assert used >= 0.9

    run(story())


def test_one_phase_cars_on_different_phases_do_not_take_from_each_other() -> None:
    async def story() -> None:
        places = [Place(car=car(phases=1), rotation=rotation) for rotation in ("L1L2L3", "L2L3L1", "L3L1L2")]
        async with scenario(*places, fuse_a=40, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(20)
            assert sum(s.pilot_a(number) for number in (1, 2, 3)) <= 30, "until its phases are learnt each car counts on all of them"
            await s.until(90)
            assert min(s.draws_a()) > 27
            assert min(s.main_a()) > 35

    run(story())


def test_cars_behind_an_unknown_rotation_leave_room_for_each_other_on_every_phase() -> None:
    async def story() -> None:
        places = [Place(car=car(phases=1), rotation=rotation, rotation_known=False) for rotation in ("L1L2L3", "L2L3L1", "L1L2L3")]
        async with scenario(*places, fuse_a=40, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(120)
            for moment in s.between(15, 120):
                assert moment.draws_a[0] + moment.draws_a[2] <= 30, "these two share a conductor, which nobody knows"
            assert min(s.draws_a()) > 8 and max(s.pilot_a(number) for number in (1, 2, 3)) <= 15

    run(story())


def test_a_car_limited_on_board_leaves_its_share_and_gets_it_back_when_it_wants_more() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(max_a=8.0)), Place(), fuse_a=40, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(60)
            assert s.draw_a(1) == 8.0 and s.draw_a(2) > 19
            small = s.model(1).evses[1]
            assert small.car is not None
            small.car = replace(small.car, max_a=32.0)
            await s.until(140)
            assert abs(s.pilot_a(1) - s.pilot_a(2)) <= 1.0 and s.draw_a(1) > 13

    run(story())


def crowded(*places: Place, step_s: float = 0.2, dead_man_from_s: float = READY_S) -> AbstractAsyncContextManager[Scenario]:
    """Return a site where three cars fit at 6 A."""
    building = steps((0.0, 5.0))
    return scenario(
        *places,
        fuse_a=25,
        margin_a=1,
        worst_case_a=10,
        building=building,
        over_limit_s=0.0,
        step_s=step_s,
        dead_man_from_s=dead_man_from_s,
    )


def test_where_not_all_cars_fit_the_first_come_charge_and_the_others_wait_at_zero() -> None:
    async def story() -> list[tuple[float, ...]]:
        async with crowded(*[Place(comes_s=10.0 + 5 * number) for number in range(5)]) as s:
            await s.until(300)
            assert [s.charges(number) for number in (1, 2, 3, 4, 5)] == [True, True, True, False, False]
            assert s.pilot_a(4) == s.pilot_a(5) == 0 and s.reason(4) == s.reason(5) == "waiting"
            for moment in s.between(60, 300):
                assert moment.pilots_a == s.moments[-1].pilots_a, "nobody flaps"
            return [moment.pilots_a for moment in s.moments]

    assert run(story()) == run(story())


def test_a_car_that_wakes_late_gets_its_share_once_it_draws() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(wake_s=90.0)), Place(), fuse_a=40, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(95)
            assert s.draw_a(1) == 0 and s.draw_a(2) > 20, "what it leaves goes to the other"
            assert s.pilot_a(1) >= 6, "it is offered enough to wake"
            await s.until(160)
            assert abs(s.pilot_a(1) - s.pilot_a(2)) <= 1.0 and s.charges(1)

    run(story())


def test_a_full_car_gives_its_place_to_one_that_waits() -> None:
    async def story() -> None:
        async with crowded(Place(soc=1.0), *[Place(comes_s=12.0 + number) for number in range(3)], dead_man_from_s=20.0) as s:
            await s.until(50)
            assert not s.charges(4)
            await s.until(120)
            assert [s.charges(number) for number in (2, 3, 4)] == [True, True, True]

    run(story())


def test_a_car_that_never_wakes_again_does_not_keep_current_from_others() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(never_wakes=True)), Place(), fuse_a=40, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_allowed(s.key(1), False)
            await s.until(80)
            s.site.set_allowed(s.key(1), True)
            await s.until(200)
            assert s.draw_a(1) == 0 and s.draw_a(2) > 22

    run(story())


def garage(s: Scenario) -> float:
    """The highest current through the garage's breaker."""
    return max(s.world.current_a["garage"])


def test_a_sub_circuit_and_the_main_fuse_hold_at_once() -> None:
    async def story() -> None:
        sub = Circuit(circuit_id="garage", name="Garage", parent_id="main", fuse_a=32.0, margin_a=1.0)
        places = [Place(circuit_id="garage"), Place(circuit_id="garage"), Place()]
        async with scenario(
            *places, worst_case_a=30, circuits=[sub], building=steps((0.0, 8.0), (90.3, 30.0), (130.3, 8.0)), over_limit_s=4.0
        ) as s:
            await s.until(90)
            assert 28 < garage(s) <= 31 and s.draw_a(3) > 20 and abs(s.pilot_a(1) - s.pilot_a(2)) <= 1
            assert s.reason(1) == "circuit"
            reason = s.evse(1).reason
            assert reason is not None and reason.circuit_id == "garage"
            await s.until(125)
            assert max(s.main_a()) <= 61
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1
            await s.until(160)
            assert garage(s) > 28 and s.draw_a(3) > 20
            assert s.world.recorder.circuits["garage"].max_overload_s == 0

    run(story())
