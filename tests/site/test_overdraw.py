"""Cars that draw more than they may: the others give way to what is really drawn, long before anybody is called disobedient."""

from dataclasses import replace
import math
from types import SimpleNamespace
from typing import cast

import pytest

from custom_components.headroom.csms.values import MeterSample
from custom_components.headroom.site.clock import Clock
from custom_components.headroom.site.config import EvseConfig, EvseKey
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.evse_facts import Problem
from custom_components.headroom.site.limits import Lease
from custom_components.headroom.site.measure import Measure, Stage
from custom_components.headroom.site.obedience import Obedience
from custom_components.headroom.site.session import Session
from simulator.virtual import START, run

from .harness import METER_EVERY_S, Place, Scenario, car, scenario, steps

CAR_S = 2.0
"""A simulated car follows its limit within this."""
CORRECTION_S = 1.0
"""A turn later the sample tells that it was a car and not the building, and the last amps go."""
BOUND_S = METER_EVERY_S + CAR_S + CORRECTION_S


def jumps(s: Scenario, number: int, to_a: float) -> None:
    """Let a station give its car a current of its own, whatever it is told."""
    model = s.model(number)
    offers = model.offers
    model.offers = lambda: {**offers(), 1: to_a}  # type: ignore[method-assign]


@pytest.mark.parametrize(("fuse_a", "cars"), [(63.0, 3), (50.0, 3), (80.0, 6), (63.0, 2)])
def test_the_others_give_way_at_once_to_a_car_that_jumps_far_above_its_limit(fuse_a: float, cars: int) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * cars, fuse_a=fuse_a, over_limit_s=BOUND_S) as s:
            await s.until(60)
            before_a = s.draw_a(1)
            assert before_a < 27
            jumps(s, 1, 32.0)
            await s.until(60 + METER_EVERY_S + 0.6 + BOUND_S)
            assert s.draw_a(1) > 31 and max(s.main_a()) <= fuse_a - 2, s.story()
            await s.until(100)
            assert s.problem(1) == "disobedient" and s.reason(1) == "disobedient"
            assert max(s.main_a()) <= fuse_a - 2
            assert all(s.problem(number) is None for number in range(2, cars + 1)), "only the one is called so"

    run(story())


@pytest.mark.parametrize("meter_every_s", [1, 5])
@pytest.mark.parametrize("times", [1.05, 1.1])
@pytest.mark.parametrize("who", [(1,), (1, 2, 3)])
def test_cars_that_draw_a_little_more_than_they_may_are_made_way_for(who: tuple[int, ...], times: float, meter_every_s: int) -> None:
    def speaks(now: float, s: Scenario) -> None:
        (s.meters_silent.discard if round(now + 1) % meter_every_s == 0 else s.meters_silent.add)("main")

    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=meter_every_s + CAR_S + CORRECTION_S) as s:
            s.on_second.append(lambda now: speaks(now, s))
            await s.until(60)
            for number in who:
                offers = s.model(number).offers
                s.model(number).offers = lambda offers=offers: {1: offers()[1] * times}  # type: ignore[method-assign,misc]
            await s.until(300)
            moments = s.between(100, 300)
            assert max(max(moment.main_a) for moment in moments) <= 61, s.story()
            assert all(s.problem(number) is None and s.reason(number) == "circuit" for number in (1, 2, 3)), "nobody is called disobedient"
            assert s.main_a()[0] > 58, "and no more than that"
            assert len({moment.limits_a for moment in moments}) <= 3, "the limits stand still"

    run(story())


def test_cars_that_are_cut_to_make_way_are_not_paused_where_there_is_room_for_all() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S) as s:
            await s.until(60)
            jumps(s, 1, 32.0)
            await s.until(120)
            assert all(min(moment.draws_a[1:]) > 9 for moment in s.between(60, 120)), "what the car took was not counted twice"

    run(story())


def test_a_car_that_obeys_after_all_shares_again() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S) as s:
            await s.until(60)
            offers = s.model(1).offers
            jumps(s, 1, 32.0)
            await s.until(66)
            assert s.reason(1) == "disobedient" and s.problem(1) is None
            s.model(1).offers = offers  # type: ignore[method-assign]
            await s.until(90)
            assert s.problem(1) is None and s.reason(1) == "circuit"
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1 and min(s.draws_a()) > 15, s.story()
            limits_a = s.moments[-1].limits_a
            await s.until(200)
            assert all(moment.limits_a == limits_a for moment in s.between(90, 200)), "a rise of a car by one ampere is not the building's"

    run(story())


def test_a_car_on_its_way_down_from_several_cuts_in_a_row_is_not_taken_for_one_that_exceeds() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (60.3, 16.0), (61.5, 26.0), (62.7, 33.0))
        slow = car(response_s=3.0)
        async with scenario(*[Place(car=slow)] * 3, building=building) as s:
            await s.until(60)
            while s.time_s < 90:
                await s.wait(0.4)
                assert "disobedient" not in {s.reason(number) for number in (1, 2, 3)}, s.story()

    run(story())


def test_a_station_that_ignores_a_cut_costs_the_others_their_current_once_a_car_would_have_followed() -> None:
    async def story() -> None:
        # The station's car does not follow; 5 s is what a car may take (IEC 61851-1 Annex A), then the others follow within the bound.
        async with scenario(*[Place()] * 3, building=steps((0.0, 8.0), (70.3, 20.0)), over_limit_s=5.0 + 2 * METER_EVERY_S + BOUND_S) as s:
            await s.until(60)
            await s.fault("ignoring:CP1")
            await s.until(100)
            assert max(s.main_a()) <= 61

    run(story())


def test_a_car_in_doubt_is_told_no_more_than_a_person_or_another_system_allows() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S) as s:
            await s.until(60)
            jumps(s, 1, 32.0)
            await s.until(100)
            assert s.problem(1) == "disobedient" and s.evse(1).limit_a == 6.0, "the least it can charge with"
            s.site.set_profile(s.key(1), [(0.0, 0.0)], duration_s=20.0)
            await s.until(105)
            assert s.evse(1).limit_a == 0.0
            await s.until(130)
            assert s.problem(1) == "disobedient" and s.evse(1).limit_a == 6.0, "and again once they do"

    run(story())


LED_A = 7.8
"""What a car draws that takes 30 % more than the 6 A that one in doubt is told."""


def _overdraws(s: Scenario, number: int, to_a: float) -> None:
    """Let a car draw so much where it is told 6 A, and in proportion where it is told more."""
    evse = s.world.stations[f"CP{number}"].evses[1]
    evse.car = None if evse.car is None else replace(evse.car, draw_fraction=to_a / 6.0)


def test_a_car_that_goes_on_drawing_too_much_is_stopped_and_its_draw_is_reserved_until_then(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S, step_s=0.5) as s:
            await s.until(60)
            _overdraws(s, 1, LED_A)
            await s.until(300)
            assert s.problem(1) == "disobedient" and s.transaction_ids()[0] is not None, "it may yet come down"
            assert s.draw_a(1) == pytest.approx(LED_A) and max(s.main_a()) <= 61
            await s.until(400)
            assert s.transaction_ids()[0] is None and None not in s.transaction_ids()[1:]
            measure = s.evse(1).measure
            assert measure is not None and measure.stage is Stage.STOPPED
            assert (measure.limit_a, measure.draw_a) == (6.0, pytest.approx(LED_A))
            assert s.problem(1) is None and s.evse(1).fault is False, "an EVSE without a car does as it is told"
            assert max(s.main_a()) <= 61 and s.reason(1) == "not_charging"
            memory = s.memory()
            await s.vanish()
            await s.come_back(memory)
            await s.until(440)
            assert s.evse(1).measure == measure, "it is told after a restart too"

    with caplog.at_level("WARNING"):
        run(story())
    assert caplog.text.count("its session is stopped") == 1


def test_a_car_that_comes_down_after_minutes_is_not_stopped() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S, step_s=0.5) as s:
            await s.until(60)
            for begins_s in (60, 330):
                _overdraws(s, 1, LED_A)
                await s.until(begins_s + 240)
                assert s.problem(1) == "disobedient"
                _overdraws(s, 1, 5.9)
                await s.until(begins_s + 270)
                assert s.problem(1) is None and s.draw_a(1) > 12
            await s.until(700)
            assert s.transaction_ids()[0] is not None and s.evse(1).measure is None

    run(story())


@pytest.mark.parametrize("error", [1.05, 1.1])
def test_a_car_is_not_stopped_for_what_a_meter_is_wrong_by(error: float) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, over_limit_s=BOUND_S, step_s=0.5) as s:
            s.site.set_user_max(s.key(1), 6.0)
            await s.until(60)
            _overdraws(s, 1, 6.0 * error + 0.4)
            await s.until(1000)
            assert s.draw_a(1) > 6.6 and s.problem(1) is None and s.transaction_ids()[0] is not None

    run(story())


@pytest.mark.parametrize(("limit_a", "draw_a", "stopped"), [(0.0, 0.8, False), (6.0, 7.0, False), (6.0, 7.2, True)])
def test_a_car_is_stopped_for_charging_and_not_for_what_its_electronics_take(limit_a: float, draw_a: float, stopped: bool) -> None:
    clock = SimpleNamespace(monotonic=lambda: 100.0)
    obedience = Obedience("CP1", cast(Clock, clock))
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", problem=Problem.DISOBEDIENT)
    evse.session = Session(transaction_id="1", record_id="1", started_at=START, since=0.0, queued_at=0.0, last_at=START)
    evse.lease = Lease(transaction_id="1", limit_a=limit_a, expires_at=math.inf)
    obedience.lead([evse])
    obedience.confirmed(evse, "lease", 0.1)
    for now in range(100, 410, 10):
        assert obedience.overdrawn() == []
        evse.measure(MeterSample(current_a=(draw_a, draw_a, draw_a)), float(now))
    assert (obedience.overdrawn() == [evse]) is stopped


def test_where_a_station_does_not_stop_a_car_its_draw_stays_reserved_and_its_evse_in_service(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S, step_s=0.5) as s:
            asked = 0

            def refuses(payload: object) -> dict[str, str]:
                nonlocal asked
                asked += 1
                return {"status": "Rejected"}

            s.model(1).answers["RequestStopTransaction"] = refuses
            await s.until(60)
            _overdraws(s, 1, LED_A)
            await s.until(900)
            assert asked == 2, "it is asked again, at leisure"
            assert s.problem(1) == "disobedient" and s.evse(1).measure is None
            assert s.draw_a(1) == pytest.approx(LED_A) and max(s.main_a()) <= 61
            assert s.model(1).evses[1].status == "Occupied"
            _overdraws(s, 1, 5.9)
            await s.until(930)
            assert s.problem(1) is None and s.draw_a(1) > 12

    with caplog.at_level("WARNING"):
        run(story())
    assert caplog.text.count("does not stop its session") == 1


@pytest.mark.parametrize("first", ["Accepted", "Rejected"])
def test_a_car_that_goes_on_though_its_station_accepts_to_stop_it_is_told_of_once(first: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S, step_s=0.5) as s:
            statuses: list[str] = []

            def accepts(payload: object) -> dict[str, str]:
                statuses.append("Accepted" if statuses else first)
                return {"status": statuses[-1]}

            s.model(1).answers["RequestStopTransaction"] = accepts
            await s.until(60)
            _overdraws(s, 1, LED_A)
            told: list[Measure] = []
            s.on_second.append(lambda at_s: told.extend(filter(None, [s.evse(1).measure])))
            await s.until(1000)
            assert statuses == [first, "Accepted", "Accepted"], "it is asked again, at leisure"
            assert set(told) == {s.evse(1).measure}, "nothing else was done"
            assert told[0].stage is Stage.STOPPED and told[0].limit_a == 6.0
            assert s.problem(1) == "disobedient" and s.draw_a(1) == pytest.approx(LED_A) and max(s.main_a()) <= 61

    with caplog.at_level("WARNING"):
        run(story())
    assert caplog.text.count("its session is stopped") == 1


def test_who_is_stopped_to_relieve_a_breaker_after_an_overdraw_is_told_of_that_too(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (450.3, 34.5))
        async with scenario(Place(), fuse_a=40, worst_case_a=35, building=building, over_limit_s=150.0, step_s=0.5) as s:
            await s.until(60)
            s.site.set_user_max(s.key(1), 6.0)
            _overdraws(s, 1, 9.5)
            await s.until(400)
            measure = s.evse(1).measure
            assert measure is not None and measure.limit_a == 6.0 and measure.draw_a == pytest.approx(9.5)
            s.unplug(1)
            await s.until(410)
            s.plug_in(1, car())
            s.model(1).offers = lambda: {1: 7.0}  # type: ignore[method-assign]
            await s.until(540)
            measure = s.evse(1).measure
            assert s.transaction_ids() == [None] and max(s.main_a()) <= 38
            assert measure is not None and measure.stage is Stage.STOPPED and measure.circuit_id == "main"
            assert measure.limit_a is None and measure.draw_a == pytest.approx(7.0, abs=0.2), "what it drew now"

    with caplog.at_level("WARNING"):
        run(story())
    assert caplog.text.count("is overloaded and EVSE CP1/1 draws") == 1
