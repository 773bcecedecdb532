"""Where cuts do not relieve a breaker: sessions are stopped, then EVSEs put out of service, never more than it takes, and all is given back."""

import logging

import pytest

from custom_components.headroom.site.config import Mode
from custom_components.headroom.site.measure import Stage
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps

LONG_S = 150.0
"""How long an overload may last that no cut brings down."""


async def _deaf(s: Scenario, *numbers: int) -> None:
    for number in numbers:
        await s.fault(f"ignoring:CP{number}")


def _never_stops(s: Scenario, number: int) -> None:
    """Let a station refuse to stop a session, and have its EVSE out of service at once."""
    s.model(number).answers["RequestStopTransaction"] = lambda payload: {"status": "Rejected"}


def _stage(s: Scenario, number: int) -> Stage | None:
    measure = s.evse(number).measure
    return None if measure is None else measure.stage


def test_a_session_that_no_cut_reaches_is_stopped_before_the_breaker_lets_go(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (100.3, 20.0))
        async with scenario(Place(), Place(), fuse_a=40, worst_case_a=20, building=building, over_limit_s=LONG_S) as s:
            await s.until(50)
            await _deaf(s, 1)
            s.model(1).offers = lambda: {1: 32.0}  # type: ignore[method-assign]
            await s.until(100)
            assert s.draw_a(1) > 30 and s.problem(1) == "disobedient" and _stage(s, 1) is None
            assert max(s.main_a()) <= 40
            await s.until(112)
            assert s.transaction_ids()[0] is not None, "its breaker carries that much for a while"
            await s.until(160)
            assert s.transaction_ids()[0] is None and s.transaction_ids()[1] is not None
            assert _stage(s, 1) is Stage.STOPPED and _stage(s, 2) is None
            measure = s.evse(1).measure
            assert measure is not None and measure.circuit_id == "main" and measure.draw_a > 30
            await s.until(300)
            assert max(s.main_a()) <= 38 and s.draw_a(2) > 15, "the other has what is free"

    with caplog.at_level(logging.INFO):
        run(story())
    assert caplog.text.count("its session is stopped") == 1


def test_no_more_are_stopped_than_it_takes() -> None:
    async def story() -> None:
        building = steps((0.0, 4.0), (100.3, 14.0))
        small = Place(car=car(max_a=16.0))
        async with scenario(small, small, small, fuse_a=50, worst_case_a=20, building=building, over_limit_s=LONG_S) as s:
            await s.until(60)
            for number in (1, 2, 3):
                s.model(number).offers = lambda: {1: 16.0}  # type: ignore[method-assign]
            await s.until(160)
            assert sum(one is None for one in s.transaction_ids()) == 1, s.transaction_ids()
            assert max(s.main_a()) <= 48

    run(story())


def test_who_obeys_is_spared_where_one_that_does_not_is_enough() -> None:
    async def story() -> None:
        building = steps((0.0, 4.0), (100.3, 30.0))
        async with scenario(Place(), Place(), fuse_a=40, worst_case_a=32, building=building, over_limit_s=LONG_S) as s:
            await s.until(50)
            s.model(2).offers = lambda: {1: 16.0}  # type: ignore[method-assign]
            await s.until(180)
            assert s.transaction_ids()[1] is None and s.transaction_ids()[0] is not None
            assert _stage(s, 1) is None and max(s.main_a()) <= 38

    run(story())


def test_only_sessions_on_the_conductor_that_is_overloaded_are_stopped() -> None:
    async def story() -> None:
        building = steps((0.0, 4.0), (100.3, (26.0, 4.0, 4.0)))
        on_l1, on_l2 = (Place(car=car(phases=1), rotation=rotation) for rotation in ("L1", "L2"))
        async with scenario(on_l1, on_l2, fuse_a=40, worst_case_a=30, building=building, over_limit_s=LONG_S) as s:
            await s.until(50)
            for number in (1, 2):
                s.model(number).offers = lambda: {1: 30.0}  # type: ignore[method-assign]
            await s.until(200)
            assert s.transaction_ids()[0] is None and s.transaction_ids()[1] is not None, s.story()

    run(story())


def test_an_overload_that_the_breaker_carries_for_good_is_relieved_after_a_minute() -> None:
    async def story() -> None:
        building = steps((0.0, 4.0), (100.3, 12.0))
        async with scenario(Place(), fuse_a=40, worst_case_a=16, building=building, over_limit_s=LONG_S) as s:
            await s.until(50)
            s.model(1).offers = lambda: {1: 31.0}  # type: ignore[method-assign]
            await s.until(155)
            assert 40 < max(s.main_a()) < 45 and s.transaction_ids()[0] is not None
            await s.until(180)
            assert s.transaction_ids()[0] is None and max(s.main_a()) <= 38

    run(story())


def _speaks_at(s: Scenario, *moments_s: int) -> None:
    """Have the meter say nothing but at these moments, and each minute before."""
    spoken_s = {*range(0, moments_s[0], 60), *moments_s}

    def on_second(time_s: float) -> None:
        (s.meters_silent.discard if round(time_s) + 1 in spoken_s else s.meters_silent.add)("main")

    s.configure(meter_lost_after_s=130.0)
    s.on_second.append(on_second)


def test_nobody_is_stopped_over_a_reading_that_is_older_than_the_cut() -> None:
    async def story() -> None:
        building = steps((0.0, 3.0), (150.3, 15.0))
        async with scenario(Place(), fuse_a=35, worst_case_a=16, building=building, over_limit_s=40.0) as s:
            _speaks_at(s, 180, 242, 303)
            await s.until(179)
            assert max(s.main_a()) > 35
            await s.until(330)
            assert _stage(s, 1) is None and s.draw_a(1) > 15 and max(s.main_a()) <= 33

    run(story())


def test_a_slow_meter_s_next_reading_has_an_overload_relieved_that_it_shows_still() -> None:
    async def story() -> None:
        building = steps((0.0, 3.0), (150.3, 15.0))
        async with scenario(Place(max_a=24.0), fuse_a=35, worst_case_a=15, building=building, over_limit_s=LONG_S) as s:
            _speaks_at(s, 180, 242, 303)
            await s.until(149)
            s.model(1).offers = lambda: {1: 24.0}  # type: ignore[method-assign]
            await s.until(240)
            assert 35 < max(s.main_a()) < 39.5 and s.transaction_ids()[0] is not None
            await s.until(246)
            assert s.transaction_ids()[0] is None and _stage(s, 1) is Stage.STOPPED

    run(story())


def test_what_a_breaker_is_about_to_let_go_over_waits_for_no_reading() -> None:
    async def story() -> None:
        building = steps((0.0, 3.0), (366.3, 28.0))
        async with scenario(Place(), fuse_a=32, worst_case_a=28, building=building, over_limit_s=LONG_S, dead_man_from_s=None) as s:
            s.on_second.append(lambda time_s: (s.meters_silent.add if (round(time_s) + 1) % 10 else s.meters_silent.discard)("main"))
            await s.until(350)
            s.model(1).offers = lambda: {1: 32.0}  # type: ignore[method-assign]
            await s.until(378)
            assert s.transaction_ids()[0] is None and max(s.main_a()) <= 30

    run(story())


def test_an_evse_that_does_not_stop_is_put_out_of_service_and_given_back_once_there_is_room(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (100.3, 12.0), (480.0, 33.0), (700.3, 4.0))
        async with scenario(Place(leaves_s=200.0), fuse_a=40, worst_case_a=33, building=building, over_limit_s=LONG_S) as s:
            _never_stops(s, 1)
            await s.until(50)
            s.model(1).offers = lambda: {1: 32.0}  # type: ignore[method-assign]
            await s.until(190)
            assert _stage(s, 1) is Stage.OUT and s.transaction_ids()[0] is not None
            await s.until(205)
            assert s.model(1).evses[1].status == "Unavailable", "it waited for the car to leave (G03.FR.05)"
            await s.until(478)
            assert _stage(s, 1) is Stage.OUT, "it is too early"
            await s.vanish()
            await s.come_back(s.memory())
            await s.until(690)
            assert _stage(s, 1) is Stage.OUT and s.model(1).evses[1].status == "Unavailable", "there is no room"
            await s.until(800)
            assert _stage(s, 1) is Stage.BACK and s.model(1).evses[1].status == "Available"

    with caplog.at_level(logging.INFO):
        run(story())
    assert caplog.text.count("its session is stopped") == 1, "what is tried again is told once"
    assert caplog.text.count("is in service again") == 1


def test_one_is_given_back_where_the_site_follows_no_meter_any_more_too() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (100.3, 12.0), (300.0, 4.0))
        async with scenario(Place(leaves_s=200.0), fuse_a=40, worst_case_a=20, building=building, over_limit_s=LONG_S) as s:
            _never_stops(s, 1)
            await s.until(50)
            s.model(1).offers = lambda: {1: 32.0}  # type: ignore[method-assign]
            await s.until(205)
            assert _stage(s, 1) is Stage.OUT
            s.site.set_mode(Mode.STATIC)
            await s.until(900)
            assert _stage(s, 1) is Stage.BACK and s.model(1).evses[1].status == "Available"

    run(story())


def test_what_a_person_decides_is_none_of_ours_any_more() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (100.3, 12.0), (300.0, 4.0))
        async with scenario(Place(leaves_s=200.0), fuse_a=40, worst_case_a=20, building=building, over_limit_s=LONG_S) as s:
            _never_stops(s, 1)
            await s.until(50)
            s.model(1).offers = lambda: {1: 32.0}  # type: ignore[method-assign]
            await s.until(205)
            assert _stage(s, 1) is Stage.OUT
            s.site.last_resort.person_decides(s.key(1))
            await s.until(900)
            assert _stage(s, 1) is None and s.model(1).evses[1].status == "Unavailable"

    run(story())


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_nothing_is_stopped_where_nothing_is_to_be_sent(mode: Mode) -> None:
    async def story() -> None:
        building = steps((0.0, 2.0), (100.3, 12.0))
        async with scenario(
            Place(), fuse_a=40, worst_case_a=32, building=building, mode=mode, over_limit_s=LONG_S, dead_man_from_s=None
        ) as s:
            await s.until(200)
            assert s.transaction_ids()[0] is not None and max(s.main_a()) > 40

    run(story())
