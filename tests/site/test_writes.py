"""How often the stations' flash is written in a day's charging, and what that costs."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from custom_components.headroom.engine.write_budget import BURST, CHARGING_PER_S
from simulator.building import Appliance, BuildingLoad
from simulator.virtual import run

from .harness import Place, car, scenario

HOUSE = BuildingLoad(
    base_a=(2.0, 2.5, 1.5),
    appliances=(
        Appliance(name="kettle", current_a=(9.0, 0.0, 0.0), on_s=180, period_s=5400),
        Appliance(name="fridge", current_a=(0.0, 0.8, 0.0), on_s=900, period_s=2700),
        Appliance(name="oven", current_a=(0.0, 11.0, 0.0), on_s=120, period_s=420),
        Appliance(name="hob", current_a=(8.0, 0.0, 8.0), on_s=60, period_s=900),
        Appliance(name="heat pump", current_a=(6.0, 6.0, 6.0), on_s=1200, period_s=3600),
        Appliance(name="dryer", current_a=(0.0, 0.0, 9.0), on_s=1500, period_s=7200),
    ),
    worst_case_a=(25.0, 25.0, 25.0),
    seed=3,
)
"""A house whose oven switches every few minutes, all day."""
LONG_S = 3600.0


def _counted(answer: Callable[[Any], dict[str, Any]], written: Counter[str]) -> Callable[[Any], dict[str, Any]]:
    def counting(payload: Mapping[str, Any]) -> dict[str, Any]:
        written[payload["chargingProfile"]["chargingProfilePurpose"]] += 1
        return answer(payload)

    return counting


def test_hours_of_charging_take_no_more_writes_than_the_days_budget_gives_and_leave_most_of_the_capacity() -> None:
    async def story() -> None:
        async with scenario(*[Place(car=car(battery_kwh=5000))] * 2, building=HOUSE, step_s=2.0, over_limit_s=30.0) as s:
            written = {number: Counter[str]() for number in (1, 2)}
            for number, counts in written.items():
                answers = s.model(number).answers
                answers["SetChargingProfile"] = _counted(answers["SetChargingProfile"], counts)
            await s.until(LONG_S)
            for counts in written.values():
                assert 0 < counts["TxProfile"] <= BURST + LONG_S * CHARGING_PER_S, written
                assert counts["TxDefaultProfile"] < 10 and counts["ChargingStationMaxProfile"] < 10, written
            used_pct = s.world.recorder.capacity_used_pct
            assert used_pct is not None and used_pct > 85, (used_pct, written)

    run(story())


def test_where_nobody_spares_flash_a_house_near_its_worst_case_uses_what_is_free() -> None:
    async def story(*, spares: bool) -> tuple[float, int]:
        async with scenario(Place(), fuse_a=25.0, worst_case_a=20.0, step_s=2.0, over_limit_s=30.0) as s:
            s.configure(spares_flash=spares)
            await s.until(LONG_S)
            return s.draw_a(1), sum(s.writes())

    (draw_a, writes), (spared_a, fewer) = run(story(spares=False)), run(story(spares=True))
    assert draw_a > 13 and spared_a < 9, "the building draws 8 A; by its worst case the breaker carries 8 A for good"
    assert fewer < BURST + LONG_S * CHARGING_PER_S < writes


def test_what_is_left_for_the_day_and_what_was_written_outlive_a_restart() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, building=HOUSE, step_s=1.0, over_limit_s=30.0) as s:
            await s.until(600)
            left = [s.site._evses[s.key(number)].budget.left for number in (1, 2)]
            written = [each.profile_writes_today for each in s.site.snapshot.stations.values()]
            assert max(left) < BURST - 20 and min(written) > 20, (left, written)
            memory = s.memory()
            await s.vanish()
            await s.until(660)
            await s.come_back(memory)
            await s.until(670)
            for number, before in zip((1, 2), left, strict=True):
                assert before - 30 < s.site._evses[s.key(number)].budget.left < before + 2
            assert all(
                now >= before
                for now, before in zip((each.profile_writes_today for each in s.site.snapshot.stations.values()), written, strict=True)
            )

    run(story())
