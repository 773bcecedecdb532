"""Cars that say what they need (ISO 15118): they get no more than they can take, and the others get the rest."""

from datetime import timedelta

from simulator.car import HighLevel
from simulator.virtual import START, run

from .harness import Place, car, scenario


def test_a_car_that_says_it_can_take_10_a_is_told_no_more_and_the_others_get_the_rest() -> None:
    async def story() -> None:
        modest = car(max_a=10.0, high_level=HighLevel(energy_wh=12_000, departs_after_s=3600))
        async with scenario(Place(car=modest), Place(), Place()) as s:
            await s.until(14)
            assert s.evse(1).limit_a == 10, "before anything was measured that shows it"
            await s.until(60)
            assert s.evse(1).limit_a == 10 and 9 < s.draw_a(1) <= 10 and s.reason(1) == "car"
            assert s.draw_a(2) > 20 and s.draw_a(3) > 20, "53 A − 10 A, by two"
            needs = s.evse(1).needs
            assert needs is not None and needs.energy_wh == 12_000 and needs.most_a == 10
            assert needs.departure_at is not None and START + timedelta(seconds=3600) <= needs.departure_at < START + timedelta(
                seconds=3660
            )
            assert s.evse(2).needs is None
            s.unplug(1)
            await s.until(70)
            assert s.evse(1).needs is None

    run(story())
