"""A building that draws more than the worst that a person said of it: what it was seen to draw is its worst case then."""

from dataclasses import replace

import pytest

from custom_components.headroom.site.snapshot import MeterHealth
from custom_components.headroom.site.worst import KEPT_S, LASTS_S, Worst
from simulator.virtual import run

from .harness import Place, scenario, steps

SAID_A = 12.0


def test_no_car_is_raised_above_what_a_building_leaves_when_its_meter_goes_silent() -> None:
    """40 A, 12 said, 30 drawn: by what was said alone the car would get 26 A and the breaker 56."""

    async def story() -> None:
        async with scenario(Place(), fuse_a=40, worst_case_a=SAID_A, dead_man_from_s=None, building=steps((0.0, 4.0), (100.3, 30.0))) as s:
            await s.until(220)
            s.meters_silent.add("main")
            await s.until(340)
            assert s.site.snapshot.circuits["main"].meter is MeterHealth.LOST
            assert 30 <= min(s.site.snapshot.circuits["main"].worst_seen_a) <= 31

    run(story())


def test_what_was_there_when_the_meter_went_silent_is_taken_to_last_though_it_had_only_begun() -> None:
    async def story() -> None:
        async with scenario(Place(), fuse_a=40, worst_case_a=SAID_A, dead_man_from_s=None, building=steps((0.0, 4.0), (100.3, 30.0))) as s:
            await s.until(112)
            s.meters_silent.add("main")
            await s.until(240)
            assert s.site.snapshot.circuits["main"].worst_seen_a == (0, 0, 0)
            s.meters_silent.clear()
            await s.until(250)
            assert s.site.snapshot.circuits["main"].meter is MeterHealth.OK

    run(story())


def test_the_fallbacks_leave_room_for_what_was_seen_and_a_restart_does_not_forget_it() -> None:
    async def story() -> None:
        building = steps((0.0, 4.0), (60.0, 20.0), (150.0, 4.0))
        async with scenario(Place(), Place(), fuse_a=40, worst_case_a=SAID_A, dead_man_from_s=None, building=building) as s:
            await s.until(55)
            before_a = sum(evse.fallback_a or 0.0 for evse in s.site._evses.values())
            await s.until(200)
            assert sum(evse.fallback_a or 0.0 for evse in s.site._evses.values()) <= 38 - 20 < before_a
            memory = s.memory()
            await s.vanish()
            await s.until(205)
            await s.come_back(memory)
            await s.until(270)
            assert 20 <= min(s.site.snapshot.circuits["main"].circuit.unmanaged_worst_a) <= 21
            assert sum(evse.fallback_a or 0.0 for evse in s.site._evses.values()) <= 38 - 20
            assert s.site.snapshot.dead_man.holds

    run(story())


@pytest.mark.parametrize(("lasts_s", "seen"), [(LASTS_S - 5, False), (LASTS_S + 5, True)])
def test_what_passes_soon_changes_nothing(lasts_s: float, seen: bool) -> None:
    async def story() -> None:
        building = steps((0.0, 4.0), (60.0, 20.0), (60.0 + lasts_s, 4.0))
        async with scenario(Place(), fuse_a=40, worst_case_a=SAID_A, dead_man_from_s=None, building=building) as s:
            await s.until(200)
            assert any(s.site.snapshot.circuits["main"].worst_seen_a) is seen

    run(story())


def _seen(
    worst: Worst, load_a: float, from_s: int, to_s: int, *, flows_a: float = 30.0, limit_a: float = 63.0, posix_s: float = 0.0
) -> None:
    for now in range(from_s, to_s):
        worst.take((load_a, 0.0, 0.0), (flows_a, 0.0, 0.0), (limit_a,) * 3, float(now), posix_s + now)


def test_what_meters_may_be_apart_by_is_no_load() -> None:
    worst = Worst(said_a=(0.0, 0.0, 0.0))
    _seen(worst, 5.5, 0, 100, flows_a=100.0)
    assert worst.worst_a == (0.0, 0.0, 0.0)
    _seen(worst, 6.5, 100, 200, flows_a=100.0)
    assert worst.worst_a == (7.0, 0.0, 0.0)


def test_the_highest_that_lasted_is_forgotten_a_week_after_it_was_there_last() -> None:
    worst = Worst(said_a=(12.0, 12.0, 12.0))
    _seen(worst, 20.0, 0, 90)
    _seen(worst, 15.0, 90, 180)
    assert worst.worst_a == (20.0, 12.0, 12.0)
    _seen(worst, 4.0, 180, 240, posix_s=KEPT_S)
    assert worst.worst_a == (12.0, 12.0, 12.0)


def test_what_was_kept_is_what_was_known() -> None:
    worst = Worst(said_a=(12.0, 12.0, 12.0))
    _seen(worst, 20.0, 0, 90)
    assert Worst.from_document(worst.document()).worst_a == worst.worst_a


def test_more_than_the_limit_is_never_learnt() -> None:
    """Beside a building that fills its fuse no fallback has room, and none has less."""
    worst = Worst(said_a=(12.0, 12.0, 12.0))
    _seen(worst, 45.0, 0, 90, limit_a=38.0)
    assert worst.worst_a == (38.0, 12.0, 12.0)


def test_what_a_station_drew_before_it_was_added_is_no_building() -> None:
    async def story() -> None:
        async with scenario(
            Place(),
            Place(car=None),
            fuse_a=40,
            worst_case_a=SAID_A,
            building=steps((0.0, 4.0), (10.0, 20.0), (100.0, 4.0)),
            dead_man_from_s=None,
        ) as s:
            await s.until(120)
            assert any(s.site.snapshot.circuits["main"].worst_seen_a)
            config = s.site.config
            s.site.configure(replace(config, stations={identity: each for identity, each in config.stations.items() if identity != "CP2"}))
            s.site.let_go("CP2")
            await s.until(130)
            s.site.configure(config)
            await s.until(140)
            assert not any(s.site.snapshot.circuits["main"].worst_seen_a)

    run(story())


def test_a_station_that_is_added_while_the_meter_is_silent_makes_nobody_forget() -> None:
    """40 A, 12 said, 30 learnt, 4 drawn just now: with what was said alone a car gets 26 A, and the breaker 56 once the building is back."""

    async def story() -> None:
        building = steps((0.0, 4.0), (60.0, 30.0), (150.0, 4.0), (400.0, 30.0))
        places = (Place(), Place(car=None, approved=False))
        async with scenario(*places, fuse_a=40, worst_case_a=SAID_A, building=building, dead_man_from_s=None) as s:
            await s.until(250)
            s.meters_silent.add("main")
            await s.wait(50)
            await s.approve(2)
            await s.until(520)
            assert max(max(moment.main_a) for moment in s.between(400, 520)) <= 38
            assert s.site.snapshot.dead_man.holds and s.reason(1) == "meter_lost"

    run(story())


def test_a_person_may_say_that_it_does_not_come_again() -> None:
    async def story() -> None:
        async with scenario(
            Place(), fuse_a=40, worst_case_a=SAID_A, dead_man_from_s=None, building=steps((0.0, 4.0), (10.0, 20.0), (100.0, 4.0))
        ) as s:
            await s.until(120)
            fallback_a = s.site._evses[s.key(1)].fallback_a
            s.site.forget_worst("main")
            await s.until(160)
            assert s.site.snapshot.circuits["main"].circuit.unmanaged_worst_a == (SAID_A,) * 3
            assert (s.site._evses[s.key(1)].fallback_a or 0.0) > (fallback_a or 0.0)

    run(story())
