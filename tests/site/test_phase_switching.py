"""One phase instead of three where three do not fit: without current, seldom, on a conductor that is known, and only where nobody minds."""

from dataclasses import replace

import pytest

from custom_components.headroom.engine.peak_demand import PeakLimits
from custom_components.headroom.site.config import AuthorizationPolicy, KnownToken, Mode
from simulator.profile_rules import Abilities
from simulator.quirks import Quirks
from simulator.virtual import run

from .harness import READY_S, Place, Scenario, car, scenario, steps

SWITCHES = Abilities(phase_switching=True)


def switches(s: Scenario, number: int = 1) -> list[float]:
    """What flowed whenever its contactor was switched."""
    return s.model(number).evses[1].switches


def test_a_car_that_does_not_fit_on_three_phases_charges_on_one_and_goes_back_once_there_is_room() -> None:
    async def story() -> None:
        building = steps((0.0, (2.0, 20.0, 2.0)), (900.0, 2.0))
        place = Place(abilities=SWITCHES, switches_phases=True)
        async with scenario(place, fuse_a=25.0, worst_case_a=20.0, building=building) as s:
            s.configure(spares_flash=False)  # so near to its worst case a house needs leases of seconds
            await s.until(60)
            assert s.draw_a(1) == 0 and s.reason(1) == "waiting", "L2 has 3 A left"
            await s.until(300)
            assert s.draw_a(1) > 12 and s.main_a()[0] > 14 and s.main_a()[1] == pytest.approx(20), s.story()
            assert switches(s) == [0.0]
            await s.until(1400)
            assert len(switches(s)) == 1, "not for a short time"
            await s.until(1900)
            assert switches(s) == [0.0, 0.0] and s.draw_a(1) > 12 and s.main_a()[1] > 14, s.story()
            still = [moment.at_s for moment in s.between(1400, 1900) if moment.draws_a[0] == 0]
            assert len(still) >= 10, "it rested before"

    run(story())


def test_a_car_that_is_not_to_be_paused_is_left_on_one_phase_while_it_charges() -> None:
    async def story() -> None:
        building = steps((0.0, (2.0, 20.0, 2.0)), (900.0, 2.0))
        place = Place(abilities=SWITCHES, switches_phases=True)
        async with scenario(place, fuse_a=25.0, worst_case_a=20.0, building=building, step_s=1.0) as s:
            s.site.set_never_pause(s.key(1), True)
            await s.until(300)
            assert s.draw_a(1) > 12 and switches(s) == [0.0], "it stood still: nothing was paused"
            await s.until(1900)
            assert switches(s) == [0.0] and min(moment.draws_a[0] for moment in s.between(300, 1900)) > 5, s.story()

    run(story())


def test_a_quarter_hours_goal_below_three_phases_is_used_on_one() -> None:
    async def story() -> None:
        place = Place(abilities=SWITCHES, switches_phases=True)
        async with scenario(place, building=steps((0.0, 1.0))) as s:
            s.configure(peak=PeakLimits(goal_w=4000.0))
            await s.until(300)
            assert 10 < s.draw_a(1) <= 15 and s.main_a()[1] == pytest.approx(1), s.story()
            assert switches(s) == [0.0]

    run(story())


@pytest.mark.parametrize(
    ("abilities", "wants", "keeps", "known"),
    [(Abilities(), True, False, True), (SWITCHES, False, False, True), (SWITCHES, True, True, True), (SWITCHES, True, False, False)],
)
def test_nothing_is_switched_that_can_not_or_shall_not_be(abilities: Abilities, wants: bool, keeps: bool, known: bool) -> None:
    async def story() -> None:
        place = Place(abilities=abilities, switches_phases=wants, rotation_known=known)
        policy = AuthorizationPolicy(tokens=(KnownToken(value="CARD", keeps_phases=keeps),))
        building = steps((0.0, (2.0, 20.0, 2.0)))
        async with scenario(place, fuse_a=25.0, worst_case_a=20.0, building=building, policy=policy) as s:
            await s.until(400)
            assert switches(s) == [] and s.draw_a(1) == 0, s.story()

    run(story())


def test_a_station_that_takes_one_phase_and_gives_three_risks_the_least_current_only_and_is_not_tried_again() -> None:
    async def story() -> None:
        building = steps((0.0, (2.0, 20.0, 2.0)))
        place = Place(abilities=SWITCHES, switches_phases=True, quirks=Quirks(ignores_phases=True))
        async with scenario(place, fuse_a=25.0, worst_case_a=20.0, building=building) as s:
            await s.until(1600)
            assert max(moment.main_a[1] for moment in s.moments) <= 26.1, "the breaker carries that"
            drew = [moment.at_s for moment in s.moments if moment.draws_a[0] > 1]
            assert drew and drew[-1] - drew[0] < 15 and s.draw_a(1) == 0, f"once, from {drew[0]} to {drew[-1]}: {s.story()}"
            assert s.site.snapshot.evses[s.key(1)].phase_switch_failed, "a person is told"
            memory = s.memory()
            await s.vanish()
            await s.come_back(memory)
            await s.until(2400)
            assert s.draw_a(1) == 0 and s.site.snapshot.evses[s.key(1)].phase_switch_failed, "nor after a restart"
            kept = s.config.stations["CP1"]
            s.configure(stations={"CP1": replace(kept, evses=tuple(replace(evse, switches_phases=False) for evse in kept.evses))})
            await s.until(2410)
            assert not s.site.snapshot.evses[s.key(1)].phase_switch_failed, "turned off, it may be tried anew"

    run(story())


def test_a_restart_switches_nothing_back_under_current() -> None:
    async def story() -> None:
        building = steps((0.0, (2.0, 20.0, 2.0)))
        place = Place(abilities=SWITCHES, switches_phases=True)
        async with scenario(place, fuse_a=25.0, worst_case_a=20.0, building=building, dead_man_from_s=None) as s:
            await s.until(300)
            memory = s.memory()
            await s.vanish()
            await s.until(302)
            await s.come_back(memory)
            await s.until(400)
            assert s.draw_a(1) > 0 and switches(s) == [0.0], s.story()

    run(story())


@pytest.mark.parametrize("set_back_s", [0.0, 1200.0])
def test_a_restart_is_no_reason_to_switch_again_sooner(set_back_s: float) -> None:
    """Nor is a wall clock that is set back meanwhile, by which the last switch is yet to come."""

    async def story() -> None:
        building = steps((0.0, (2.0, 20.0, 2.0)), (120.0, 2.0), (800.0, (2.0, 20.0, 2.0)))
        place = Place(abilities=SWITCHES, switches_phases=True)
        holds_from_s = None if set_back_s else READY_S  # the leases found seem to end later by as much
        async with scenario(place, fuse_a=25.0, worst_case_a=20.0, building=building, step_s=1.0, dead_man_from_s=holds_from_s) as s:
            s.configure(spares_flash=False)
            await s.until_true(lambda: len(switches(s)) == 2, within_s=790)
            switched_at_s = s.time_s
            assert 700 < switched_at_s < 790, "it is back on three phases"
            await s.until(switched_at_s + 60)
            memory = s.memory()
            await s.vanish()
            s.clock_error_s -= set_back_s
            await s.until(switched_at_s + 65)
            await s.come_back(memory)
            await s.until(switched_at_s + 595)
            assert len(switches(s)) == 2 and s.draw_a(1) == 0, s.story()
            await s.until(switched_at_s + (620 if not set_back_s else 685))
            assert switches(s) == [0.0] * 3, s.story()

    run(story())


@pytest.mark.parametrize("off", [Mode.STATIC, Mode.OFF, Mode.SHADOW])
def test_a_lease_that_ends_leaves_the_car_on_one_phase_and_its_fallback_is_for_three_again_once_it_is_gone(off: Mode) -> None:
    async def story() -> None:
        place = Place(abilities=SWITCHES, switches_phases=True)
        async with scenario(place, building=steps((0.0, 1.0))) as s:
            s.configure(peak=PeakLimits(goal_w=4000.0))
            await s.until(300)
            assert s.draw_a(1) > 5 and switches(s) == [0.0], s.story()
            s.site.set_mode(off)
            await s.until(800)
            assert switches(s) == [0.0] and s.draw_a(1) > 20 and s.main_a()[1] == pytest.approx(1), s.story()
            s.unplug(1)
            await s.until(830)
            s.plug_in(1, car())
            await s.until(900)
            assert switches(s) == [0.0, 0.0] and s.draw_a(1) > 12 and s.main_a()[1] > 12, s.story()
            s.site.set_mode(Mode.DYNAMIC)
            await s.until(1700)
            assert switches(s) == [0.0] * 3 and s.draw_a(1) > 5, f"after a pause: {switches(s)} {s.story()}"

    run(story())


def test_one_that_goes_on_by_its_fallback_is_led_again_without_being_switched() -> None:
    async def story() -> None:
        place = Place(abilities=SWITCHES, switches_phases=True)
        async with scenario(place, building=steps((0.0, 1.0))) as s:
            s.configure(peak=PeakLimits(goal_w=4000.0))
            await s.until(300)
            s.site.set_mode(Mode.OFF)
            await s.until(800)
            s.site.set_mode(Mode.DYNAMIC)
            await s.until(1100)
            assert switches(s) == [0.0] and 5 < s.draw_a(1) < 17 and s.main_a()[1] == pytest.approx(1), s.story()

    run(story())


def test_nothing_is_switched_under_current_when_home_assistant_is_gone_for_good() -> None:
    async def story() -> None:
        building = steps((0.0, (2.0, 20.0, 2.0)))
        place = Place(abilities=SWITCHES, switches_phases=True)
        async with scenario(place, fuse_a=40.0, worst_case_a=20.0, building=building, dead_man_from_s=None) as s:
            s.configure(peak=PeakLimits(goal_w=9000.0))
            await s.until(300)
            assert s.draw_a(1) > 5 and switches(s) == [0.0], s.story()
            memory = s.memory()
            await s.vanish()
            await s.until(1200)
            assert switches(s) == [0.0] and s.draw_a(1) > 5 and s.main_a()[1] == pytest.approx(20), s.story()
            await s.come_back(memory)
            await s.until(2000)  # what nobody measured of this quarter-hour counts as its most
            assert switches(s) == [0.0] and s.draw_a(1) > 5, s.story()

    run(story())


def test_a_station_that_refuses_one_phase_charges_on_three_and_a_person_is_told() -> None:
    async def story() -> None:
        building = steps((0.0, (2.0, 20.0, 2.0)), (300.0, 2.0))
        place = Place(abilities=SWITCHES, switches_phases=True, quirks=Quirks(refuses_phases=True))
        async with scenario(place, fuse_a=25.0, worst_case_a=20.0, building=building, dead_man_from_s=None) as s:
            await s.until(290)
            evse = s.site.snapshot.evses[s.key(1)]
            assert evse.phase_switch_failed and not evse.fault and switches(s) == [], s.story()
            await s.until(400)
            assert s.draw_a(1) > 12 and s.main_a()[2] > 14, "it takes what is told for three"

    run(story())


def test_one_that_rebooted_on_one_phase_is_switched_under_no_current() -> None:
    async def story() -> None:
        place = Place(abilities=SWITCHES, switches_phases=True)
        async with scenario(place, building=steps((0.0, 1.0)), dead_man_from_s=None) as s:
            s.configure(peak=PeakLimits(goal_w=4000.0))
            await s.until(300)
            await s.fault("reboot:CP1")
            await s.until(1200)
            assert max(switches(s)) == 0.0, f"{switches(s)} {s.story()}"

    run(story())
