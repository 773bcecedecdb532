"""What `scripts/bench control` and `scripts/bench killed` measure by: steps, cars that hold profiles, and the heat that a kill costs a breaker."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest

from benchmarks.control.__main__ import shortcomings
from benchmarks.control.car_park import CAR_MAX_A, CarPark, Place
from benchmarks.control.measure import stairs, summary
from benchmarks.control.sizes import busy_a, calm_a, fuse_a, worst_case_a
from benchmarks.killed.building import WorstOnCall
from benchmarks.killed.watch import Watch
from custom_components.headroom.engine.breaker import NEVER_TRIPS
from simulator.breaker import step
from simulator.car import CarSpec
from simulator.site import SimulatedSite
from simulator.sites import DEMO_FUSE_A, DEMO_WORST_CASE_A, demo_building, demo_site

DRAWN_SHARE = CarSpec(name="car").draw_fraction


@pytest.mark.parametrize("evses", [5, 50, 500])
def test_each_stair_begins_with_more_than_the_breaker_carries_for_good(evses: int) -> None:
    for levels in islice(stairs(evses, seed=1), 50):
        assert levels[0] + DRAWN_SHARE * CAR_MAX_A * evses > NEVER_TRIPS * fuse_a(evses)
        assert all(lower < higher for lower, higher in pairwise([calm_a(evses), *levels]))
        assert levels[-1] == pytest.approx(busy_a(evses)) and levels[-1] < worst_case_a(evses)


def test_a_seed_gives_the_same_steps_and_cars() -> None:
    assert list(islice(stairs(50, seed=1), 3)) == list(islice(stairs(50, seed=1), 3)) != list(islice(stairs(50, seed=2), 3))
    assert [place.spec for place in CarPark(5, 1).places] == [place.spec for place in CarPark(5, 1).places]


class Line:
    """What a station's answers go to."""

    identity = "S0"

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def answer(self, _: str, payload: Any) -> None:
        self.answers.append(payload)


def profile(purpose: str, limit_a: float, **more: Any) -> dict[str, Any]:
    schedule = {
        "id": 1,
        "startSchedule": "2026-01-01T00:00:00Z",
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
    }
    return {
        "id": len(purpose),
        "stackLevel": 1,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
    } | more


def test_a_place_goes_by_its_lease_until_that_lapses_and_then_by_its_fallback() -> None:
    now, line = datetime.now(UTC), Line()
    place = Place("S0", response_s=1.0, begins=now)
    lease = profile("TxProfile", 16.0, transactionId="T-S0", validTo=(now + timedelta(seconds=30)).isoformat())
    for each in (profile("TxDefaultProfile", 6.0), lease):
        place.answer(line, "1", "SetChargingProfile", {"evseId": 1, "chargingProfile": each})  # type: ignore[arg-type]
    assert [answer["status"] for answer in line.answers] == ["Accepted", "Accepted"]
    assert place.pilot_a == 16.0
    place.step(now + timedelta(seconds=31), 0.1)
    assert place.pilot_a == 6.0


def test_percentiles_of_nothing_are_none() -> None:
    assert summary([]) == {"p50": None, "p99": None, "most": None}
    assert summary([0.1, 0.2, 0.3]) == {"p50": 200.0, "p99": 300.0, "most": 300.0}


@pytest.mark.parametrize(
    ("evses", "p99_ms", "short"), [(5, 9e9, 0), (50, 250.0, 0), (50, 250.1, 1), (500, 1000.0, 0), (500, 1000.1, 1), (50, None, 1)]
)
def test_a_reaction_that_is_too_slow_falls_short(evses: int, p99_ms: float | None, short: int) -> None:
    assert len(shortcomings([{"evses": evses, "reaction_ms": {"p99": p99_ms}, "unanswered": 0}])) == short


def test_cuts_that_nobody_acknowledged_fall_short() -> None:
    assert len(shortcomings([{"evses": 5, "reaction_ms": {"p99": 1.0}, "unanswered": 2}])) == 1


def test_a_building_is_at_its_worst_when_it_is_told_to() -> None:
    building = WorstOnCall(demo_building())
    assert building.current_a(10.0) == demo_building().current_a(10.0)
    building.worst = True
    assert building.current_a(10.0) == (DEMO_WORST_CASE_A,) * 3


def test_a_kill_is_judged_by_the_heat_that_the_breaker_could_still_take() -> None:
    site = SimulatedSite(demo_site(), datetime.now(UTC))
    breaker = site.breakers["main"]
    breaker.state = step(DEMO_FUSE_A, breaker.state, (55.0, 55.0, 55.0), 300.0)
    watch = Watch(site=site, kind="turn", fuse_a=DEMO_FUSE_A, limit_a=61.0)
    site.current_a["main"] = (80.0, 50.0, 50.0)
    while breaker.closed:
        assert watch.endurance_used < 1.0
        breaker.step(site.current_a["main"], 0.1)
        watch.take(0.1, down=True)
    assert watch.endurance_used >= 1.0
    site.current_a["main"] = (50.0, 50.0, 50.0)
    longest_s = watch.longest_over_s
    watch.take(0.1, down=True)
    assert longest_s == watch.longest_over_s > 10.0
    assert watch.document()["leases_lapsed_after_s"] == pytest.approx(0.0)
