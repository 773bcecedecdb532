"""The building steps: every conductor is back under its limit at once, and what is free again is handed out with care."""

from simulator.virtual import run

from .harness import Place, scenario, steps


def test_a_step_of_the_building_is_off_every_conductor_within_four_seconds() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (60.3, (24.0, 8.0, 8.0)), (100.7, (8.0, 24.0, 20.0)))
        async with scenario(*[Place()] * 3, building=building, over_limit_s=4.0) as s:
            await s.until(60)
            assert all(s.charges(number) for number in (1, 2, 3)) and max(s.main_a()) > 55
            await s.until(64.3)
            assert max(s.main_a()) <= 61
            assert min(s.draws_a()) > 5.8, "no car was stopped for what all could give"
            await s.until(104.7)
            assert max(s.main_a()) <= 61
            await s.until(140)

    run(story())


def test_what_the_building_gives_back_reaches_the_cars_within_ten_seconds_and_never_too_much_of_it() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, 8.0), (60.3, 24.0), (100.3, 8.0)), over_limit_s=4.0) as s:
            await s.until(60)
            before_a = s.draws_a()
            await s.until(100)
            await s.until(112)
            assert s.draws_a() == before_a
            assert max(max(moment.main_a) for moment in s.between(100, 112)) <= 61
            # Who is raised is raised within what was free before the others' raises showed: never all three at once beyond it.
            for moment in s.between(100, 112):
                limits_a = [limit for limit in moment.limits_a if limit is not None]
                assert sum(limits_a) <= 53 + 1e-6

    run(story())


def test_a_step_on_one_phase_leaves_cars_on_the_others_alone() -> None:
    async def story() -> None:
        places = [Place(rotation=rotation) for rotation in ("L1", "L2", "L3")]
        async with scenario(*places, fuse_a=40, worst_case_a=25, building=steps((0.0, 8.0), (60.3, (24.0, 8.0, 8.0)))) as s:
            await s.until(60)
            before_a = s.draws_a()
            assert min(before_a) > 25
            await s.until(80)
            assert s.draw_a(1) <= 14 and s.draws_a()[1:] == before_a[1:]

    run(story())
