"""Which phases an EVSE sits on is learnt from what goes on: a wrong map is found, an unknown one gets known, and until then the worst holds."""

import json

from custom_components.headroom.engine.model import Phase
from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.wiring import Wiring
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps

L1, L2, L3 = Phase


async def vary(s: Scenario, number: int, amps: tuple[float, ...] = (8.0, 16.0, 8.0, 14.0)) -> None:
    """A person changes the most a car may have, now and then."""
    for most_a in amps:
        s.site.set_user_max(s.key(number), most_a)
        await s.wait(40)


def test_a_car_on_one_phase_shows_that_its_station_is_wired_otherwise_and_counts_everywhere_from_then_on() -> None:
    async def story() -> None:
        places = [Place(car=car(phases=1), told="L1L2L3", rotation="L2L3L1", max_a=16.0), Place(car=None)]
        async with scenario(*places, fuse_a=63, worst_case_a=15, building=steps((0.0, 8.0)), dead_man_from_s=None) as s:
            await s.until(60)
            assert not s.phase_map(1).contradicted and s.phase_map(1).reckoned == (L1, L2, L3)
            await vary(s, 1)
            shown = s.phase_map(1)
            assert shown.contradicted and shown.learnt == (L2, None, None) and shown.state is Wiring.CONTRADICTED
            assert shown.reckoned == (None, None, None)
            await s.wait(20)
            circuit = s.site.snapshot.circuits["main"]
            assert max(circuit.unmanaged_a) <= 8.5, "the car is no load of the building any more, on none of the conductors"

    run(story())


def test_a_wrong_map_that_has_the_loop_take_its_car_for_the_building_is_found_in_spite_of_it() -> None:
    """The car is led by a conductor that it is not on: it is cut off within seconds, each time it begins."""

    async def story() -> None:
        places = [Place(car=car(phases=1), told="L1L2L3", rotation="L2L3L1")]
        async with scenario(*places, fuse_a=40, worst_case_a=15, building=steps((0.0, 8.0)), dead_man_from_s=None) as s:
            took_s = await s.until_true(lambda: s.phase_map(1).contradicted, 600)
            assert s.phase_map(1).learnt == (L2, None, None), took_s
            await s.wait(300)
            assert s.charges(1), "counted on every conductor it is not taken for the building any more"

    run(story())


def test_a_right_map_is_confirmed_and_left_alone() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(phases=1), rotation="L3L1L2"), fuse_a=40, worst_case_a=15) as s:
            await s.until(60)
            await vary(s, 1)
            shown = s.phase_map(1)
            assert (shown.contradicted, shown.learnt, shown.reckoned) == (False, (L3, None, None), (L3, L1, L2))

    run(story())


def test_an_unknown_map_is_used_once_it_is_known_and_frees_the_other_phases() -> None:
    async def story() -> None:
        places = [
            Place(car=car(phases=1), rotation=rotation, rotation_known=False, comes_s=comes_s)
            for rotation, comes_s in (("L1L2L3", 10.0), ("L2L3L1", 60.0))
        ]
        async with scenario(*places, fuse_a=40, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(110)
            assert max(s.draws_a()) <= 16, "two cars that may be on the same conductor"
            await vary(s, 1, (8.0, 14.0, 7.0, 13.0))
            await vary(s, 2, (8.0, 14.0, 7.0, 13.0))
            assert (s.phase_map(1).learnt[0], s.phase_map(2).learnt[0]) == (L1, L2)
            for number in (1, 2):
                s.site.set_user_max(s.key(number), 32.0)
            await s.wait(60)
            assert min(s.draws_a()) > 27, "each has its own conductor"

    run(story())


def test_what_was_learnt_outlasts_a_restart() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(phases=1), rotation_known=False, rotation="L2L3L1"), fuse_a=40, worst_case_a=15) as s:
            await s.until(60)
            await vary(s, 1)
            before = s.phase_map(1)
            assert before.reckoned == (L2, None, None)
            kept = SiteMemory.from_document(json.loads(json.dumps(s.memory().document())))
            await s.vanish()
            await s.come_back(kept)
            await s.wait(30)
            assert s.phase_map(1) == before

    run(story())


def test_a_car_on_all_phases_shows_nothing_and_nothing_is_claimed() -> None:
    async def story() -> None:
        async with scenario(Place(told="L1L2L3", rotation="L2L3L1"), fuse_a=40, worst_case_a=15) as s:
            await s.until(60)
            await vary(s, 1)
            assert (s.phase_map(1).contradicted, s.phase_map(1).learnt) == (False, ())

    run(story())


def test_a_building_that_steps_with_each_change_does_not_make_a_right_map_wrong() -> None:
    async def story() -> None:
        levels = [(float(at), (8.0, 20.0, 8.0) if at % 80 == 0 else (20.0, 8.0, 8.0)) for at in range(60, 420, 40)]
        async with scenario(
            Place(car=car(phases=1), rotation="L1L2L3"), fuse_a=32, worst_case_a=22, building=steps((0.0, 8.0), *levels)
        ) as s:
            await s.until(420)
            shown = s.phase_map(1)
            assert not shown.contradicted and (shown.learnt == () or shown.learnt[0] is L1)

    run(story())


def test_a_station_that_is_taken_away_and_put_up_again_may_be_wired_otherwise() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(phases=1), rotation_known=False), fuse_a=40, worst_case_a=15, dead_man_from_s=None) as s:
            await s.until(60)
            await vary(s, 1)
            assert s.phase_map(1).learnt == (L1, None, None)
            stations = s.config.stations
            s.configure(stations={})
            await s.wait(5)
            assert s.memory().phase_maps == {}
            s.configure(stations=stations)
            await s.wait(5)
            assert s.phase_map(1).learnt == ()

    run(story())
