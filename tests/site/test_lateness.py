"""A cut that takes its time: until it has taken hold, the others give way to what the slow station's car still draws."""

import pytest

from simulator.virtual import run

from .harness import Place, scenario, steps

STEP_S = 60.3


@pytest.mark.parametrize(("answers_s", "in_time"), [(8.0, True), (20.0, False)])
def test_others_are_cut_for_a_slow_station_until_its_cut_is_seen_and_have_it_back_then(answers_s: float, in_time: bool) -> None:
    """One that takes longer than a call may counts as refusing: what it may draw stays reserved."""

    async def story() -> None:
        building = steps((0.0, 8.0), (STEP_S, 18.0))
        async with scenario(*[Place()] * 3, building=building, worst_case_a=18.0, over_limit_s=9.0, tolerance_a=0.5) as s:
            await s.until(60)
            before_a = s.draws_a()
            s.slow(1, answers_s=answers_s, applies_s=2.0)
            await s.until(STEP_S + 7.5)
            assert s.draw_a(1) > before_a[0] - 1, "it has not been cut yet"
            assert max(s.main_a()) <= 61.2, "the others gave way to it"
            meanwhile_a = s.draws_a()
            assert max(meanwhile_a[1:]) < meanwhile_a[0] - 4 and min(meanwhile_a[1:]) > 5, "none of them was paused"
            await s.until(STEP_S + 75)
            assert all(max(moment.main_a) <= 61.2 for moment in s.between(STEP_S + 9, STEP_S + 75))
            after_a = s.draws_a()
            if in_time:
                assert max(after_a) - min(after_a) <= 1.5 and sum(after_a) > 40, after_a

    run(story())


def test_a_station_in_time_costs_the_others_nothing() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (STEP_S, 18.0))
        async with scenario(*[Place()] * 3, building=building, worst_case_a=18.0, over_limit_s=12.0) as s:
            await s.until(STEP_S + 4)
            lowest_a = min(min(moment.pilots_a) for moment in s.between(STEP_S, STEP_S + 4))
            await s.until(STEP_S + 30)
            assert min(min(moment.pilots_a) for moment in s.between(STEP_S + 4, STEP_S + 30)) >= lowest_a - 0.1

    run(story())
