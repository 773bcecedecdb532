"""The dead-man rule over a running site: it is looked at in every turn, what breaks it is mended, and what can't be is told."""

from dataclasses import replace
from datetime import UTC, datetime
import math
from typing import Any

import pytest

from custom_components.headroom.csms.dialect import Dialect, LeaseEnd
from custom_components.headroom.engine.deadman import LOW_LEASE_S
from custom_components.headroom.engine.model import NONE_A, Circuit
from custom_components.headroom.site.circuit import CircuitState
from custom_components.headroom.site.config import EvseConfig, EvseKey, Mode
from custom_components.headroom.site.dead_man import DeadManWatch, installed, may_begin
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.evse_facts import Problem
from custom_components.headroom.site.limits import Lease, LeaseOrder
from custom_components.headroom.site.orders import order_lease
from custom_components.headroom.site.session import Session
from custom_components.headroom.site.snapshot import UNMENDED_S
from simulator.blocks.block import CallRefusedError
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps


def _refusing_limits(s: Scenario, number: int) -> list[bool]:
    answer, refuses = s.model(number).answers["SetChargingProfile"], [True]

    def refused(payload: Any) -> dict[str, Any]:
        if refuses[0]:
            raise CallRefusedError("InternalError", "not now")
        return answer(payload)

    s.model(number).answers["SetChargingProfile"] = refused
    return refuses


def test_a_fuse_that_is_set_lower_breaks_the_rule_until_leases_and_fallbacks_are_lower_too() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=10.0, dead_man_from_s=None) as s:
            await s.until(60)
            assert s.site.snapshot.dead_man.holds is True
            s.configure(circuits=tuple(replace(circuit, fuse_a=50.0) for circuit in s.config.circuits))
            await s.wait(0.1)
            assert s.dead_man_violations(60)
            took_s = await s.until_true(lambda: s.site.snapshot.dead_man.holds is True, within_s=10.0)
            assert took_s < 5.0 and not s.site.snapshot.dead_man.lasts

    run(story())


def test_a_limit_that_a_station_does_not_take_is_told_once_and_is_over_once_it_does(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "custom_components.headroom.site.dead_man")

    async def story() -> None:
        async with scenario(*[Place()] * 2, building=steps((0.0, 3.0)), over_limit_s=10.0, dead_man_from_s=None) as s:
            await s.until(60)
            refuses = _refusing_limits(s, 1)
            s.configure(circuits=tuple(replace(circuit, unmanaged_worst_a=(45.0, 45.0, 45.0)) for circuit in s.config.circuits))
            await s.wait(UNMENDED_S / 2)
            health = s.site.snapshot.dead_man
            assert health.holds is False and not health.lasts and max(each.excess_a for each in health.violations) > 1
            await s.wait(UNMENDED_S)
            assert s.site.snapshot.dead_man.lasts
            refuses[0] = False
            await s.until_true(lambda: s.site.snapshot.dead_man.holds is True, within_s=90.0)
            told = [record.levelname for record in caplog.records if record.name.endswith(".dead_man")]
            assert told == ["WARNING", "INFO"]

    run(story())


def test_a_lease_that_was_sent_and_not_answered_counts_until_it_would_have_lapsed() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, building=steps((0.0, 20.0), (60.0, 2.0)), over_limit_s=10.0) as s:
            await s.until(60)
            s.slow(1, answers_s=600.0, applies_s=600.0)
            evse = s.site._evses[s.key(1)]
            await s.until_true(lambda: evse.in_flight_a is not None, within_s=30.0)
            sent_a, until = evse.unanswered_lease_a, evse.unanswered_until
            assert sent_a > 0 and s.time_s < until < s.time_s + 301
            assert (sent_a, until) in evse.held(s.time_s)

    run(story())


def test_what_an_earlier_life_left_is_unknown_and_not_called_safe_until_the_stations_were_asked() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3) as s:
            await s.until(60)
            memory = s.memory()
            seen: list[bool | None] = []
            await s.vanish()
            await s.come_back(memory)
            s.on_second.append(lambda now: seen.append(s.site.snapshot.dead_man.holds))
            await s.until(100)
            assert seen[0] is None and seen[-1] is True and False not in seen

    run(story())


def test_a_lease_of_an_earlier_life_counts_until_its_station_has_told_what_it_holds_or_it_has_ended() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3) as s:
            await s.until(60)
            before = s.site._evses[s.key(1)].lease
            assert before is not None and before.limit_a > 12.0
            await s.vanish()
            await s.fault("offline:CP1")
            await s.come_back()
            await s.wait(2.0)
            away, back = s.site._evses[s.key(1)], s.site._evses[s.key(2)]
            assert (before.limit_a, before.expires_at) in [(limit_a, pytest.approx(until)) for limit_a, until in away.held(s.time_s)]
            assert back.recalled is None and back.lease is not None, "its station has told"
            await s.until(before.expires_at + 10.0)
            assert away.held(s.time_s) == [(away.fallback_a, math.inf)], "a car may charge there by its fallback"

    run(story())


def test_an_evse_counts_as_idle_once_that_is_heard_and_for_a_minute_after_its_station_went_away() -> None:
    """Of one that has told nothing since a restart a car may have begun at its fallback, whether its station is there again or not."""
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1), circuit_id="main", fallback_a=6.0, fallback_current=True)
    for evse.ready in (False, True):
        assert not may_begin(evse, 1000.0) and installed(evse, 1000.0).most_a == (6.0, 6.0, 6.0)
    evse.heard = True
    assert may_begin(evse, 1000.0) and installed(evse, 1000.0).most_a == NONE_A
    evse.ready, evse.heard, evse.idle_at = False, False, 1000.0
    assert may_begin(evse, 1059.0)
    evse.ready = True
    assert may_begin(evse, 1059.0) and not may_begin(evse, 1061.0), "it has not told yet that nobody came meanwhile"


@pytest.mark.parametrize(
    ("lease_a", "age_s", "holds"), [(30.0, 10.0, None), (50.0, 10.0, False), (30.0, 310.0, False), (20.0, 310.0, True)]
)
def test_the_rule_is_unknown_where_only_what_is_not_heard_yet_would_break_it(lease_a: float, age_s: float, holds: bool | None) -> None:
    """After a restart cars may charge at all EVSEs that have told nothing; once leases of before have ended they count as if they did."""
    began = datetime(2026, 10, 1, tzinfo=UTC)
    session = Session(transaction_id="1", record_id="1", started_at=began, since=-100.0, queued_at=-100.0, last_at=began)
    charging, *unheard = (
        EvseState(key=EvseKey(name, 1), config=EvseConfig(evse_id=1), circuit_id="main", fallback_a=10.0, fallback_current=True)
        for name in ("CP1", "CP2", "CP3")
    )
    charging.ready = charging.heard = True
    charging.session, charging.lease = session, Lease(transaction_id="1", limit_a=lease_a, expires_at=age_s + 300.0)
    states = {"main": CircuitState(circuit=Circuit(circuit_id="main", name="Main", fuse_a=40.0), since=0.0)}
    watch = DeadManWatch()
    watch.look(states, unheard, 0.0)
    assert watch.look(states, [charging, *unheard], age_s).holds is holds


def test_a_fallback_is_raised_once_the_others_leases_bear_it() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), fuse_a=40.0, worst_case_a=0.0, building=steps((0.0, 0.0))) as s:
            await s.until(60)
            s.site.set_user_max(s.key(1), 8.0)
            await s.until(400)
            low, high = s.site._evses[s.key(1)], s.site._evses[s.key(2)]
            assert low.fallback_a == 8.0 and high.limit_a(s.time_s) > 28 and low.lease is not None
            low.lease = replace(low.lease, expires_at=s.time_s + 100.0)  # as one that was told before the other's
            s.slow(2, answers_s=4.0, applies_s=4.0)
            told: list[tuple[bool | None, bool]] = []
            s.on_turn.append(lambda: told.append((s.site.dead_man.holds, low.fallback_a == 8.0)))
            s.site.set_user_max(s.key(1), 32.0)
            await s.wait(3.0)
            assert told and set(told) == {(True, True)}, "the other one's lease is not known to be lower yet"
            await s.wait(17.0)
            assert low.fallback_a == 19.0 and {holds for holds, _ in told} == {True}

    run(story())


def test_a_lease_of_an_earlier_life_is_no_breach_while_the_shorter_one_is_on_its_way_but_is_one_where_no_answer_comes() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, building=steps((0.0, 3.0)), over_limit_s=10.0, dead_man_from_s=None) as s:
            await s.until(60)
            s.slow(1, answers_s=8.0, applies_s=0.0)
            s.slow(2, answers_s=8.0, applies_s=0.0)
            evses = list(s.site._evses.values())
            for evse in evses:  # as if a lease had been found that runs for longer than it may
                assert evse.lease is not None
                evse.lease = replace(evse.lease, limit_a=32.0, expires_at=s.time_s + 300.0)
            s.site.request_turn("test")
            await s.wait(0.5)
            assert all(evse.in_flight_a is not None for evse in evses), "the shorter leases are on their way"
            assert s.site.snapshot.dead_man.holds is None and not s.site.snapshot.dead_man.violations
            await s.wait(4.0)
            assert s.site.snapshot.dead_man.holds is False and s.site.snapshot.dead_man.broken_s > 3.0
            await s.until_true(lambda: s.site.snapshot.dead_man.holds is True, within_s=30.0)

    run(story())


@pytest.mark.parametrize("in_flight", [False, True])
def test_a_lease_that_leads_to_an_older_fallback_is_no_breach_while_one_that_does_not_is_on_its_way(in_flight: bool) -> None:
    began = datetime(2026, 10, 1, tzinfo=UTC)
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1), circuit_id="main", fallback_a=10.0, ready=True, heard=True)
    evse.dialect, evse.fallback_current, evse.wanted_fallback_a = Dialect(lease_end=LeaseEnd.PERIOD), True, 10.0
    evse.session = Session(transaction_id="1", record_id="1", started_at=began, since=-100.0, queued_at=-100.0, last_at=began)
    evse.lease = Lease(transaction_id="1", limit_a=8.0, expires_at=100.0, falls_to_a=16.0)
    if in_flight:
        evse.in_flight_a = 8.0
        evse.doubt(8.0, 160.0)
    else:
        evse.wanted_lease = LeaseOrder(transaction_id="1", limit_a=8.0, length_s=60.0, urgent=True)
    states = {"main": CircuitState(circuit=Circuit(circuit_id="main", name="Main", fuse_a=12.0), since=0.0)}
    assert DeadManWatch().look(states, [evse], 50.0).holds is None


@pytest.mark.parametrize("fault", [None, "offline:CP1", "silent:CP1"])
def test_a_car_that_takes_less_than_its_fallback_never_rises_to_it_beside_the_others_leases(fault: str | None) -> None:
    """Its station may be away until its lease has ended, too: the others have made way by then."""

    async def story() -> None:
        async with scenario(
            Place(car=car(max_a=8.0)), Place(car=car(max_a=32.0)), fuse_a=40.0, worst_case_a=0.0, building=steps((0.0, 0.0))
        ) as s:
            await s.until(400)
            low, high = s.site._evses[s.key(1)], s.site._evses[s.key(2)]
            assert low.lease is not None and high.lease is not None and low.fallback_a is not None
            assert low.limit_a(s.time_s) < low.fallback_a - 6 and low.fallback_a + high.limit_a(s.time_s) > 40 * 1.13, s.story()
            assert low.lease.expires_at > high.lease.expires_at + 5
            if fault is not None:
                await s.fault(fault)
            writes = s.writes()
            await s.until(1600)
            assert s.draw_a(2) > 15, s.story()
            if fault is None:
                assert s.writes()[0] - writes[0] < 8 and high.limit_a(s.time_s) > 28, s.story()
            await s.vanish()
            await s.until(2600)
            assert max(s.main_a()) <= 40, s.story()

    run(story())


def test_what_a_car_in_doubt_is_told_above_its_fallback_ends_with_the_others_leases() -> None:
    """By the turn it is told nothing, which may run for long; it is told the least all the same, and that may not."""

    async def story() -> None:
        async with scenario(Place(), Place(), worst_case_a=60.0, dead_man_from_s=None) as s:
            await s.until(60)
            evse, turn = s.site._evses[s.key(1)], s.site._newest
            assert turn is not None and evse.fallback_a == 0.0 and evse.lease is not None
            evse.problem = Problem.DISOBEDIENT
            told_a, longer_s = {**turn.told_a, str(evse.key): 0.0}, {str(evse.key): LOW_LEASE_S}
            low = replace(turn, leases=replace(turn.leases, told_a=told_a, longer_s=longer_s))
            order_lease(evse, low, Mode.DYNAMIC, None, s.time_s)
            assert evse.wanted_lease is not None and evse.wanted_lease.limit_a == 6.0
            assert evse.wanted_lease.length_s == turn.leases.lease_s < LOW_LEASE_S
            evse.problem = evse.wanted_lease = None

    run(story())


@pytest.mark.parametrize(("fuse_a", "worst_case_a"), [(40.0, 0.0), (63.0, 25.0)])
@pytest.mark.parametrize("fault", [None, "offline:CP4"])
def test_room_is_made_for_a_higher_fallback_where_nobody_charges_though_the_others_take_all_there_is(
    fuse_a: float, worst_case_a: float, fault: str | None
) -> None:
    async def story() -> None:
        places = (Place(), Place(), Place(car=None), Place(car=None))
        async with scenario(*places, fuse_a=fuse_a, worst_case_a=worst_case_a, building=steps((0.0, 0.0)), step_s=0.5) as s:
            await s.until(60)
            for number in (3, 4):
                s.site.set_allowed(s.key(number), False)
            await s.until(400)
            idle, other = s.site._evses[s.key(3)], s.site._evses[s.key(4)]
            assert idle.fallback_a == other.fallback_a == 0.0 and min(s.draws_a()[:2]) > 18, s.story()
            if fault is not None:
                await s.fault(fault)
                await s.wait(90)
            for number in (3, 4):
                s.site.set_allowed(s.key(number), True)
            await s.wait(30)
            assert idle.fallback_a >= 9.0 and min(s.draws_a()[:2]) > 14, s.story()
            assert other.fallback_a == (0.0 if fault else idle.fallback_a), "it is raised once its station is there"

    run(story())
