"""Limits from outside as a site keeps them: a source that falls silent is told once, and a restart forgets nothing."""

import logging

import pytest

from custom_components.headroom.demand_response.limits import Ceiling
from custom_components.headroom.site.outside import OutsideLimits, order
from simulator.virtual import run

from .harness import Place, scenario


def test_a_source_that_falls_silent_and_speaks_again_is_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    limits = OutsideLimits()
    told, silences = [], []
    for now, speaks in (
        (0.0, True),
        (119.0, False),
        (120.0, False),
        (130.0, False),
        (140.0, True),
        (150.0, False),
        (260.0, False),
        (320.0, False),
        (330.0, False),
        (340.0, True),
    ):
        if speaks:
            limits.set(
                order(
                    "utility",
                    "main",
                    now,
                    limit_a=16.0,
                    limit_w=None,
                    duration_s=None,
                    silent_after_s=120.0,
                    failsafe_a=6.0,
                    failsafe_s=60.0,
                )
            )
        over = limits.turn(now)
        silences.append([(each.source, each.circuit_id, each.failsafe_holds) for each in limits.silences])
        told.append([record.levelname for record in caplog.records])
        caplog.clear()
        assert over == (now == 320.0)
    assert told == [[], [], ["WARNING"], [], ["INFO"], [], ["WARNING"], ["WARNING"], [], ["INFO"]]
    silent, gone = [("utility", "main", True)], [("utility", "main", False)]
    assert silences == [[], [], silent, silent, [], [], silent, gone, gone, []]


def test_who_takes_back_the_limit_of_a_silent_source_knows_of_it() -> None:
    limits = OutsideLimits()
    silent = order("utility", "main", 0.0, limit_a=16.0, limit_w=None, duration_s=None, silent_after_s=9.0, failsafe_a=6.0, failsafe_s=60.0)
    for at in (10.0, 80.0):
        limits.set(silent)
        limits.turn(at)
        assert len(limits.silences) == 1
        assert limits.clear("utility", "main")
        limits.turn(at + 1.0)
        assert not limits.silences and not limits.clear("utility", "main")


def test_what_outlives_a_restart_keeps_its_times_by_the_wall_clock() -> None:
    before, after = OutsideLimits(), OutsideLimits()
    before.set(order("utility", "main", 1000.0, limit_a=16.0, limit_w=None, duration_s=600.0, silent_after_s=120.0, failsafe_a=6.0))
    before.set(order("tariff", "main", 1000.0, limit_a=None, limit_w=6900.0, duration_s=None))
    after.recall(before.documents(posix_zero_s=50_000.0), posix_zero_s=50_900.0)  # the new process is 900 s younger
    assert after.lowest("main", 100.0, 230.0).per_phase == Ceiling(limit_a=16.0, source="utility")
    assert after.lowest("main", 219.0, 230.0).per_phase == Ceiling(limit_a=16.0, source="utility")
    assert after.lowest("main", 220.0, 230.0).per_phase == Ceiling(limit_a=6.0, source="utility", failsafe=True)
    assert after.lowest("main", 1e6, 230.0).phase_sum == Ceiling(limit_a=30.0, source="tariff")


@pytest.mark.parametrize("half", [{"silent_after_s": 120.0}, {"failsafe_a": 6.0}, {"failsafe_w": 1000.0}])
def test_half_a_failsafe_is_refused(half: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="both"):
        order("utility", "main", 0.0, limit_a=16.0, limit_w=None, duration_s=None, **half)


def test_a_limit_without_an_end_is_there_again_after_a_restart_with_whose_it_is() -> None:
    async def story() -> None:
        async with scenario(Place(), Place()) as s:
            await s.until(60)
            s.site.set_external_limit("dso", "main", limit_a=30.0, limit_w=None, duration_s=None)
            await s.wait(20)
            assert s.reason(1) == "external" and "(dso)" in s.evse(1).reason_text
            await s.vanish()
            await s.come_back()
            await s.wait(60)
            assert max(s.main_a()) <= 30.0 and s.reason(1) == "external", s.story()

    run(story())
