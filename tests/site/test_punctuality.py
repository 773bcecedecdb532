"""Whether cars leave when it was said: what is learnt of it, and where that counts."""

from datetime import timedelta
import json

import pytest

from custom_components.headroom.engine.departures import LEAST_ERRORS, MOST_ERRORS
from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.punctuality import MOST_ERROR_S, MOST_NAMES, SITE, Punctuality
from simulator.virtual import START, run

from .harness import Place, car, scenario


def test_a_driver_is_known_by_the_own_word_and_before_that_by_everybodys() -> None:
    known = Punctuality()
    for _ in range(LEAST_ERRORS):
        known.learn(["driver early"], -1800.0)
    for _ in range(LEAST_ERRORS - 1):
        known.learn(["driver late"], 1800.0)
    assert set(known.usual_s(["driver early"])) == {-1800}
    of_all_s = known.usual_s(["driver late"])
    assert of_all_s[0] == -1800 and of_all_s[-1] == 1800 and of_all_s == known.usual_s(()) == known.usual_s(["driver new"])
    known.learn(["driver late"], 1800.0)
    assert set(known.usual_s(["driver late"])) == {1800}, "what is learnt counts at once"


def test_who_keeps_the_word_again_is_believed_again() -> None:
    known = Punctuality()
    for error_s in [2700.0] * MOST_ERRORS + [0.0] * MOST_ERRORS:
        known.learn(["driver x"], error_s)
    assert known.usual_s(["driver x"]) == ()
    assert len(known.errors_s["driver x"]) == MOST_ERRORS


def test_another_day_tells_nothing_and_who_was_not_here_for_the_longest_time_is_forgotten() -> None:
    known = Punctuality()
    assert not known.learn(["driver x"], MOST_ERROR_S + 1) and not known.errors_s
    for number in range(MOST_NAMES):
        assert known.learn([f"driver {number}"], 0.0)
    assert len(known.errors_s) == MOST_NAMES and SITE in known.errors_s and "driver 0" not in known.errors_s


def test_what_is_shown_is_what_is_usual_for_the_site_in_either_direction() -> None:
    known = Punctuality()
    for number in range(LEAST_ERRORS - 1):
        known.learn([], 600.0 if number % 2 else -600.0)
    assert known.median_s() is None, "too few to tell"
    known.learn([], -80_000.0)
    assert known.median_s() == 600.0, "an odd one counts for nothing"


def test_it_outlives_a_restart() -> None:
    known = Punctuality()
    for number in range(LEAST_ERRORS):
        known.learn(["driver x"], 60.0 * number)
    back = Punctuality()
    back.recall(json.loads(json.dumps(known.document())))
    assert back.errors_s == known.errors_s and back.usual_s(["driver x"]) == known.usual_s(["driver x"])


def test_a_site_learns_that_a_driver_leaves_sooner_than_was_said_and_plans_with_it() -> None:
    async def story() -> None:
        async with scenario(Place(car=None), Place(car=None), paced=True) as s:
            begins_s = 20.0
            for _ in range(LEAST_ERRORS):
                await s.until(begins_s)
                s.plug_in(1, car())
                await s.until(begins_s + 60)
                s.site.set_need(s.key(1), energy_wh=20_000.0, departs_at=START + timedelta(seconds=begins_s + 1500))
                await s.until(begins_s + 100)
                assert s.evse(1).needed.need.errors_s == (), "too few have left"
                await s.until(begins_s + 600)
                s.unplug(1)
                begins_s += 700
            await s.until(begins_s)
            memory = s.memory()
            await s.vanish()
            await s.come_back(SiteMemory.from_document(memory.document()))
            await s.until(begins_s + 30)
            s.plug_in(2, car())
            await s.until(begins_s + 100)
            assert s.evse(2).needed.need.errors_s == (), "what is usual is no word"
            s.site.set_need(s.key(2), departs_at=START + timedelta(seconds=begins_s + 3600))
            await s.until(begins_s + 101)
            assert s.evse(2).needed.need.errors_s == pytest.approx((-900,) * 9, abs=60), "15 minutes sooner, wherever the car stands"
            assert s.site.snapshot.departure_error_s == pytest.approx(900, abs=60)

    run(story())
