"""A person starts a charge from afar (K05): the car begins at once at what it may draw, and the rule of the dead man holds in between."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from custom_components.headroom.csms.errors import StationError
from custom_components.headroom.csms.learnt import Learnt
from custom_components.headroom.csms.station import Station
from custom_components.headroom.csms.values import Inventory, StationInfo
from custom_components.headroom.site.clock import Clock
from custom_components.headroom.site.config import EvseConfig, EvseKey
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.limits import FirstLease
from custom_components.headroom.site.obedience import Obedience
from custom_components.headroom.site.remote_start import take_up
from custom_components.headroom.site.session import Session
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps

WAITING = Place(token=None)
"""A car that is plugged in, and nobody holds up a card."""


ONCE = Place(leaves_s=70.0)
"""A car has charged there, so that its station was seen to let leases end."""


async def start(s: Scenario, number: int, remote_start_id: int = 5) -> None:
    """What the button and the action do."""
    token = s.site.issue_token(s.key(number))
    await s.site.start_transaction(s.key(number), token, remote_start_id)


async def start_and_restart(s: Scenario) -> None:
    """Start at 90 s while no car is there, and come back at 93 s from a restart of ours."""
    await s.until(90)
    await start(s, 1)
    memory = s.memory()
    await s.vanish()
    await s.until(93)
    await s.come_back(memory)


def asked(s: Scenario, number: int, *, refuses_profiles: bool = False) -> list[Mapping[str, Any]]:
    """Keep what a station is asked to start, and let it refuse those with a profile."""
    requests: list[Mapping[str, Any]] = []
    answers = s.model(number).answers
    answer = answers["RequestStartTransaction"]

    def kept(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        requests.append(payload)
        return {"status": "Rejected"} if refuses_profiles and "chargingProfile" in payload else answer(payload)

    answers["RequestStartTransaction"] = kept
    return requests


def test_a_car_that_is_started_from_afar_begins_at_what_is_free_and_not_at_its_fallback() -> None:
    async def story() -> None:
        async with scenario(ONCE, Place(car=None), over_limit_s=0.0) as s:
            await s.until(80)
            s.plug_in(1, car(), card=None)
            await s.until(85)
            requests, fallback_a = asked(s, 1), s.fallback_a(1)
            assert fallback_a == 18
            await start(s, 1)
            (request,) = requests
            profile = request["chargingProfile"]
            assert profile["chargingProfilePurpose"] == "TxProfile" and "transactionId" not in profile and "validTo" in profile
            assert [period["limit"] for period in profile["chargingSchedule"][0]["chargingSchedulePeriod"]] == [32]
            assert s.pilot_a(1) == 0
            await s.until_true(lambda: s.pilot_a(1) > 0, within_s=3)
            assert s.pilot_a(1) == 32, "from the first moment on"
            await s.wait(1)
            assert s.evse(1).limit_a == 32
            await s.until(110)
            assert s.draw_a(1) > 30 and len(s.installed(1, "TxProfile")) == 1

    run(story())


def test_where_others_have_it_all_a_start_from_afar_makes_them_give_way_and_gets_no_more_than_its_fallback_before_they_did() -> None:
    async def story() -> None:
        async with scenario(WAITING, Place(), Place(), over_limit_s=6.0) as s:
            await s.until(60)
            assert min(s.draws_a()[1:]) > 24
            requests = asked(s, 1)
            await start(s, 1)
            (period,) = requests[0]["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"]
            assert 6 <= period["limit"] <= s.fallback_a(1) == 12
            await s.until(120)
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1 and max(s.main_a()) <= 61

    run(story())


def test_a_start_that_waits_for_its_car_keeps_its_amps_until_the_lease_lapses() -> None:
    async def story() -> None:
        building = steps((0.0, 20.0))
        async with scenario(Place(car=None), Place(comes_s=45.0), fuse_a=40.0, worst_case_a=20.0, building=building, over_limit_s=0.0) as s:
            await s.until(30)
            await start(s, 1)
            lease_s = s.site.snapshot.at and s.lease_s()
            await s.until(60)
            assert s.draw_a(2) < 13, "18 A are left, and one that may begin has a part"
            s.plug_in(1, car())
            await s.until(100)
            assert s.draw_a(1) > 7 and s.draw_a(2) > 7 and lease_s > 0

    run(story())


def test_what_a_start_without_a_car_was_given_is_free_again_once_it_lapsed() -> None:
    async def story() -> None:
        async with scenario(ONCE, Place(comes_s=105.0), over_limit_s=0.0) as s:
            await s.until(90)
            await start(s, 1)
            await s.until(120)
            assert 15 < s.draw_a(2) <= 53 - 32
            await s.until(90 + 300 + 30)
            assert s.draw_a(2) > 30

    run(story())


def test_a_station_that_refuses_a_profile_with_the_start_is_started_without_and_reckoned_with_its_fallback() -> None:
    async def story() -> None:
        async with scenario(WAITING, Place(car=None), over_limit_s=0.0) as s:
            requests = asked(s, 1, refuses_profiles=True)
            await s.until(30)
            await start(s, 1)
            assert ["chargingProfile" in request for request in requests] == [True, False]
            await s.until(60)
            assert s.draw_a(1) > 30 and s.problem(1) is None
            for number, asked_for in ((6, [True, False, True, False]), (7, [True, False, True, False, False])):
                s.unplug(1)
                await s.wait(10)
                s.plug_in(1, car(), card="CARD")
                await s.wait(30)
                s.unplug(1)
                await s.wait(10)
                await start(s, 1, number)
                assert ["chargingProfile" in request for request in requests] == asked_for, "it is not asked for it a third time"

    run(story())


def test_a_start_that_is_refused_leaves_nothing_reserved() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=6.0) as s:
            s.model(1).answers["RequestStartTransaction"] = lambda payload: {"status": "Rejected"}
            await s.until(9)
            with pytest.raises(StationError):
                await start(s, 1)
            await s.until(9.4)
            assert s.site.snapshot.evses[s.key(2)].reason is not None
            await s.until(60)
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1

    run(story())


def test_another_transaction_than_the_one_that_was_asked_for_is_led_as_one_that_may_hold_the_lease_or_not() -> None:
    async def story() -> None:
        async with scenario(Place(car=None), Place(), Place(), over_limit_s=6.0) as s:
            await s.until(30)
            await start(s, 1)
            assert s.model(1).evses[1].remote_start is not None
            s.model(1).evses[1].remote_start = None  # it lets go of it
            s.plug_in(1, car())
            await s.until(34)
            assert s.evse(1).transaction_id is not None
            await s.until(80)
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1 and max(s.main_a()) <= 61
            assert s.evse(1).limit_a == s.pilot_a(1)

    run(story())


@pytest.mark.parametrize("dies_after_s", [0.2, 1.0, 5.0])
def test_no_breaker_lets_go_when_the_central_system_dies_right_after_a_start_from_afar(dies_after_s: float) -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (30.0 + dies_after_s + 0.5, 25.0))
        async with scenario(WAITING, Place(comes_s=12.0), building=building, over_limit_s=307.0) as s:
            await s.until(30)
            await start(s, 1)
            await s.wait(dies_after_s)
            await s.vanish()
            await s.wait(310)
            assert max(s.main_a()) <= 61
            assert s.charges(1), "it goes on by its fallback"

    run(story())


def test_a_restart_of_ours_between_the_start_and_its_transaction_takes_the_lease_up() -> None:
    async def story() -> None:
        async with scenario(Place(car=None), Place(comes_s=12.0), over_limit_s=0.0) as s:
            await s.until(30)
            await start(s, 1)
            memory = s.memory()
            await s.vanish()
            await s.until(33)
            await s.come_back(memory)
            await s.until(50)
            s.plug_in(1, car())
            await s.until(100)
            assert s.evse(1).transaction_id is not None and max(s.draws_a()) - min(s.draws_a()) <= 1.1

    run(story())


def test_what_a_start_was_given_before_a_restart_of_ours_is_kept_free_for_it() -> None:
    async def story() -> None:
        async with scenario(ONCE, Place(comes_s=105.0), over_limit_s=0.0) as s:
            await start_and_restart(s)
            await s.until(116)
            assert 15 < s.draw_a(2) <= 53 - 32
            s.plug_in(1, car())
            await s.until_true(lambda: s.draw_a(1) > 20, within_s=10)
            await s.until(180)
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1 and max(s.main_a()) <= 61

    run(story())


def test_what_a_start_without_a_car_was_given_before_a_restart_is_free_again_once_it_lapsed() -> None:
    async def story() -> None:
        async with scenario(ONCE, Place(comes_s=105.0), over_limit_s=0.0) as s:
            await start_and_restart(s)
            await s.until(90 + 300 + 30)
            assert s.draw_a(2) > 30

    run(story())


def test_two_starts_that_wait_for_their_way_both_have_it_made_until_the_last_is_over() -> None:
    async def story() -> None:
        async with scenario(WAITING, Place(), Place(), over_limit_s=6.0) as s:
            await s.until(60)
            s.slow(2, answers_s=2.0, applies_s=0.0)
            s.slow(3, answers_s=2.0, applies_s=0.0)
            evse = s.site._evses[s.key(1)]
            first = asyncio.create_task(s.site._way_made(evse))
            await s.wait(1)
            second = asyncio.create_task(s.site._way_made(evse))
            await s.wait(0.2)
            first.cancel()
            await s.wait(0.2)
            assert evse.coming and not second.done(), "the second still waits"
            await second
            assert not evse.coming

    run(story())


def test_that_a_station_that_booted_is_tried_again_with_its_first_lease_is_kept() -> None:
    kept: list[int] = []
    learnt = Learnt(starts_refused=2, fingerprint=("", "", ""))
    station = SimpleNamespace(
        learnt=learnt, info=StationInfo(), inventory=Inventory(), learnt_changed=lambda: kept.append(learnt.starts_refused)
    )
    obedience = Obedience("CP1", cast(Clock, None))
    obedience.meet(cast(Station, station), booted=False)
    assert kept == [] and not learnt.starts_with_limit
    obedience.meet(cast(Station, station), booted=True)
    assert kept == [1] and learnt.starts_with_limit


def test_an_unproven_first_lease_above_the_fallback_is_reserved_and_outlasts_its_end() -> None:
    """Nobody has seen that leases end there, so the car may begin by it long after."""
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", ready=True, heard=True)
    evse.fallback_a, evse.fallback_current, evse.unproven = 6.0, True, True
    evse.first_lease = FirstLease(remote_start_id=5, limit_a=7.0, expires_at=100.0, confirmed=True)
    evse.forget_lapsed(1000.0)
    assert evse.reserved_a(1000.0) == 7.0 and evse.lasting_a == 7.0
    at = datetime(2026, 1, 1, tzinfo=UTC)
    evse.session = Session(transaction_id="2", record_id="2", started_at=at, since=1000.0, queued_at=1000.0, last_at=at, remote_start_id=5)
    take_up(evse, evse.first_lease, 1000.0)
    assert evse.installed_a(1000.0) == 7.0 and evse.lasting_a == 7.0
    evse.end_session()
    evse.first_lease = FirstLease(remote_start_id=6, limit_a=6.0, expires_at=1100.0, confirmed=True)
    evse.forget_lapsed(2000.0)
    assert evse.first_lease is None and evse.reserved_a(2000.0) == 0.0, "its fallback is counted anyway"
    evse.first_lease, evse.unproven = FirstLease(remote_start_id=7, limit_a=7.0, expires_at=2100.0, confirmed=True), False
    evse.forget_lapsed(3000.0)
    assert evse.first_lease is None
