"""Stations whose answers come late or not at all: nobody knows what holds, and nobody says that they refuse."""

import pytest

from simulator.virtual import run

from .harness import Place, Scenario, scenario, steps

CUT_S = 30.0
"""The longest that a cut of a station which answers so late may take: one call, and its car."""


def _problems(s: Scenario) -> list[str | None]:
    """Return the problems of the first station from now on, each time there is another."""
    told: list[str | None] = []
    s.on_second.append(lambda _: None if told and told[-1] == s.problem(1) else told.append(s.problem(1)))
    return told


@pytest.mark.parametrize("answers_s", [12.0, 20.0, 28.0])
def test_a_station_that_answers_late_is_led_as_the_others_are(answers_s: float) -> None:
    async def story() -> None:
        building = steps((0.0, 20.0), (120.3, 8.0), (300.3, 20.0))
        async with scenario(*[Place()] * 3, building=building, over_limit_s=CUT_S + answers_s) as s:
            await s.until(60)
            s.model(1).faults.answer_after_s = answers_s
            told, writes = _problems(s), s.writes()[0]
            await s.until(280)
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1 and min(s.draws_a()) > 15, s.story()
            assert s.site.snapshot.circuits["main"].meter_error is None, "what its car did before it answered is not held against the meter"
            assert s.writes()[0] - writes <= 5, "its leases are not so short that it has to be told all the time"
            await s.until(420)
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1 and max(s.main_a()) <= 61, s.story()
            latency_s = s.site.snapshot.stations["CP1"].ack_latency_s
            assert latency_s is not None and latency_s > answers_s - 1
            assert told == [None], "nobody is told that it refuses anything"

    run(story())


def test_one_answer_that_is_lost_is_nobodys_trouble() -> None:
    async def story() -> None:
        building = steps((0.0, 20.0), (70.3, 8.0))
        async with scenario(*[Place()] * 3, building=building) as s:
            await s.until(70)
            s.model(1).faults.answer_after_s = 1e6
            told = _problems(s)
            await s.until(76)
            s.model(1).faults.answer_after_s = 0.1
            await s.until(120)
            assert told == [None]
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1, s.story()

    run(story())


def test_a_station_that_answers_nothing_is_said_to_and_what_it_may_draw_is_reserved_until_it_answers() -> None:
    async def story() -> None:
        building = steps((0.0, 20.0), (70.3, 8.0), (200.3, 25.0))
        async with scenario(*[Place()] * 3, building=building, over_limit_s=12.0, dead_man_from_s=None) as s:
            await s.until(70)
            s.model(1).faults.answer_after_s = 1e6
            told = _problems(s)
            await s.until(190)
            assert told == [None, "unanswered"]
            assert s.reason(1) == "unanswered" and s.site.snapshot.evses[s.key(1)].fault
            raised_a = s.evse(2).limit_a
            assert raised_a is not None and raised_a + (s.evse(3).limit_a or 0.0) + 18 <= 61 - 8, "a raise that was not answered may hold"
            await s.until(240)
            assert max(s.main_a()) <= 61 and s.problem(1) == "unanswered"
            s.model(1).faults.answer_after_s = 0.1
            await s.until(300)
            assert told == [None, "unanswered", None]
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1, s.story()

    run(story())
