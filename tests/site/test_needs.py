"""Cars that say what they need (ISO 15118): they get no more than they can take, and the others get the rest."""

from datetime import timedelta
import json

from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.needs import Source
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


def test_what_a_car_said_once_is_known_after_a_restart() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(high_level=HighLevel(energy_wh=12_000, departs_after_s=3600))), Place()) as s:
            await s.until(120)
            before = s.evse(1)
            assert before.needs is not None and before.needed.energy_source is Source.CAR
            kept = SiteMemory.from_document(json.loads(json.dumps(s.memory().document())))
            await s.vanish()
            await s.until(130)
            await s.come_back(kept)
            assert s.memory().evses[str(s.key(1))].word == kept.evses[str(s.key(1))].word, (
                "a second restart before it is told takes nothing"
            )
            await s.until(170)
            after = s.evse(1)
            assert after.needs == before.needs and after.needed.departs_at == before.needed.departs_at
            left_wh, left_before_wh = after.needed.need.energy_wh, before.needed.need.energy_wh
            assert left_wh is not None and left_before_wh is not None
            assert left_before_wh - 500 < left_wh < left_before_wh, "it counts from when the car said so"
            s.unplug(1)
            await s.until(190)
            assert s.evse(1).needs is None and s.memory().evses[str(s.key(1))].word is None

    run(story())
