"""A meter that falls silent: first nothing rises, then the worst case holds, and all is well once it speaks."""

import logging

import pytest

from simulator.virtual import run

from .harness import Place, scenario, steps


def test_a_silent_meter_first_stops_raises_then_means_the_worst_case(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def story() -> None:
        async with scenario(*[Place()] * 4, over_limit_s=0.0) as s:
            await s.until(60)
            before_a = [s.pilot_a(number) for number in (2, 3, 4)]
            s.meters_silent.add("main")
            await s.until(71)
            s.unplug(1)
            await s.until(89)
            assert [s.pilot_a(number) for number in (2, 3, 4)] == before_a, "no raise on a stale reading"
            assert s.site.snapshot.circuits["main"].meter == "stale"
            await s.until(95)
            assert s.site.snapshot.circuits["main"].meter == "lost"
            assert sum(s.draws_a()) <= 36 and min(s.draws_a()[1:]) > 5.8, "what is left beside the building's worst case"
            assert {s.reason(number) for number in (2, 3, 4)} == {"meter_lost"}
            await s.until(120)
            s.meters_silent.clear()
            await s.until(140)
            assert s.site.snapshot.circuits["main"].meter == "ok"
            assert min(s.draws_a()[1:]) > 16 and s.reason(2) == "circuit"

    run(story())
    told = [line for line in caplog.messages if line.startswith("The meter of")]
    assert len(told) == 2 and "is silent" in told[0] and told[1].endswith("is read again"), "once when it breaks, once when it heals"


def test_the_building_may_go_to_its_worst_case_behind_a_silent_meter() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (66.0, 25.0))
        async with scenario(*[Place()] * 3, building=building, over_limit_s=30.0) as s:
            await s.until(60)
            s.meters_silent.add("main")
            await s.until(300)
            assert max(s.main_a()) <= 61

    run(story())


def test_a_site_whose_meter_never_spoke_charges_beside_the_worst_case() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, over_limit_s=0.0) as s:
            s.meters_silent.add("main")
            await s.until(90)
            assert 30 < sum(s.draws_a()) <= 36

    run(story())
