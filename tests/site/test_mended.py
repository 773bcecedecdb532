"""What once went wrong in the loop, each as the story in which it did."""

import pytest

from simulator.evse import token
from simulator.virtual import run
from tests.site.harness import Place, car, scenario


def test_a_restart_neither_stops_the_cars_nor_overshoots() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=0.0) as s:
            await s.until(60)
            before, memory = s.transaction_ids(), s.memory()
            await s.vanish()
            await s.until(70)
            await s.come_back(memory)
            await s.until(150)
            assert s.transaction_ids() == before and min(s.draws_a()) > 16
            assert all(min(moment.draws_a) > 5 for moment in s.between(60, 150)), "a restart stops no car"

    run(story())


def test_a_transaction_that_began_while_the_central_system_was_gone_is_not_ended_by_the_new_one() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(car=None), Place(), over_limit_s=6.0) as s:
            await s.until(60)
            memory = s.memory()
            s.model(2).tokens.learn(token("CARD"), {"status": "Accepted"})
            await s.vanish()
            await s.until(65)
            s.plug_in(2, car())
            await s.until(85)
            began = s.transaction_ids()
            await s.come_back(memory)
            await s.until(150)
            assert s.transaction_ids() == began
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1

    run(story())


def test_a_session_ended_by_pulling_the_plug_keeps_its_energy() -> None:
    async def story() -> None:
        async with scenario(Place()) as s:
            await s.until(100)
            s.unplug(1)
            await s.until(110)
            (record,) = s.records.newest().values()
            assert record.ended_at is not None
            assert record.energy_wh == pytest.approx(s.world.recorder.sessions[0].energy_wh, rel=0.01)

    run(story())


def test_one_phase_cars_of_unknown_rotation_never_share_out_what_another_conductor_lost() -> None:
    async def story() -> None:
        # CP1 and CP3 are on L1, CP2 on L2, which nobody knows.
        places = [Place(car=car(phases=1), rotation=rotation, rotation_known=False) for rotation in ("L1L2L3", "L2L3L1", "L1L2L3")]
        async with scenario(*places, fuse_a=40, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(120)
            s.site.set_user_max(s.key(2), 6.0)
            await s.until(240)
            assert max(max(moment.main_a) for moment in s.between(120, 240)) <= 38

    run(story())


def test_after_its_lease_has_lapsed_only_the_fallback_of_an_absent_station_is_reserved() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            await s.fault("offline:CP1")
            await s.until(400)
            assert s.pilot_a(1) == s.fallback_a(1) == 18
            assert s.draw_a(2) > 31

    run(story())
