"""Who comes before the others and who after them: by the parking place, or by the card, whatever the site is shared for."""

import pytest

from custom_components.headroom.engine.priority import Priority
from custom_components.headroom.engine.share import Policy
from custom_components.headroom.site.config import AuthorizationPolicy, KnownToken
from custom_components.headroom.site.memory import SiteMemory
from simulator.evse import token
from simulator.virtual import run

from .harness import Place, scenario, steps


@pytest.mark.parametrize("policy", list(Policy))
def test_who_comes_before_the_others_gets_all_it_can_take_beside_their_least(policy: Policy) -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), fuse_a=25.0, worst_case_a=10.0, building=steps((0.0, 5.0))) as s:
            s.site.set_policy(policy)
            s.site.set_priority(s.key(2), Priority.HIGH)
            await s.until(240)
            assert s.draw_a(1) == pytest.approx(6.0, abs=0.5) and s.draw_a(2) > 9.5, s.story()
            assert "tier 2 of 2" in (s.site.snapshot.evses[s.key(1)].reason_text or "")
            s.site.set_priority(s.key(2), Priority.LOW)
            await s.until(480)
            assert s.draw_a(2) == pytest.approx(6.0, abs=0.5) and s.draw_a(1) > 9.5, s.story()

    run(story())


def test_where_one_car_fits_it_is_that_of_the_others_that_waits() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), fuse_a=25.0, worst_case_a=16.0, building=steps((0.0, 14.0))) as s:
            s.site.set_priority(s.key(2), Priority.HIGH)
            await s.until_true(lambda: s.charges(2), 1800.0)
            began_s = s.time_s
            await s.wait(7200.0)
            assert min(moment.pilots_a[1] for moment in s.between(began_s, s.time_s)) >= 6, "it does not take turns"
            assert s.draw_a(1) == 0, s.story()

    run(story())


def test_a_card_takes_its_place_along_and_what_was_said_outlives_a_restart() -> None:
    async def story() -> None:
        policy = AuthorizationPolicy(tokens=(KnownToken(value="CARD", priority=Priority.HIGH), KnownToken(value="OTHER")))
        places = [Place(token=token("OTHER")), Place(token=token("CARD"))]
        async with scenario(*places, fuse_a=25.0, worst_case_a=10.0, building=steps((0.0, 5.0)), policy=policy) as s:
            s.site.set_priority(s.key(2), Priority.LOW)
            await s.until(240)
            assert s.draw_a(1) == pytest.approx(6.0, abs=0.5) and s.draw_a(2) > 9.5, "the card's word goes before the place's"
            memory = s.memory()
            await s.vanish()
            await s.come_back(SiteMemory.from_document(memory.document()))
            await s.wait(240.0)
            assert s.draw_a(1) == pytest.approx(6.0, abs=0.5) and s.draw_a(2) > 9.5, s.story()
            assert s.site.snapshot.evses[s.key(2)].priority is Priority.LOW

    run(story())
