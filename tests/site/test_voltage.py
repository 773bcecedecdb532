"""A limit in watts is kept where mains are above or below the nominal voltage, as far as that is measured."""

from collections.abc import Collection
from dataclasses import replace
from math import sin
from typing import Any

import pytest

from custom_components.headroom.metering.reading import Reading
from custom_components.headroom.site.voltage import Voltage
from simulator.evse import Evse
from simulator.virtual import run

from .harness import Place, Scenario, scenario, steps

LIMIT_W = 22_000.0
LEAST_W = 0.94 * LIMIT_W
"""Stations are told whole amps, and a car takes a little less."""
BUILDING = steps((0.0, 2.0))


def contract(s: Scenario) -> None:
    s.configure(voltage_v=230.0, circuits=(replace(s.config.root, limit_w=LIMIT_W),))


def outside(s: Scenario) -> None:
    s.configure(voltage_v=230.0)
    s.site.set_external_limit("dso", "main", limit_a=None, limit_w=LIMIT_W, duration_s=None)


def currents_only(s: Scenario) -> None:
    """Have the site's meter tell no power."""
    hear = s.site.update_reading
    s.site.update_reading = lambda measured_id, reading: hear(measured_id, replace(reading, power_w=None))  # type: ignore[method-assign]


@pytest.fixture
def no_voltage_at_cars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no station tell the voltage."""
    sampled_values = Evse.sampled_values

    def without(evse: Evse, measurands: Collection[str], *args: Any, **more: Any) -> list[dict[str, Any]]:
        return sampled_values(evse, [each for each in measurands if each != "Voltage"], *args, **more)

    monkeypatch.setattr(Evse, "sampled_values", without)


def drawn_w(s: Scenario, voltage_v: float) -> float:
    return sum(s.main_a()) * voltage_v


@pytest.mark.parametrize("limited", [contract, outside])
@pytest.mark.parametrize("voltage_v", [219.0, 230.0, 246.0])
def test_a_limit_in_watts_is_kept_and_used_at_any_voltage(limited: Any, voltage_v: float) -> None:
    async def story() -> None:
        async with scenario(Place(), worst_case_a=10, voltage_v=voltage_v, building=BUILDING, dead_man_from_s=None) as s:
            limited(s)
            for second in (90, 120, 300):
                await s.until(second)
                assert LEAST_W < drawn_w(s, voltage_v) <= LIMIT_W

    run(story())


@pytest.mark.usefixtures("no_voltage_at_cars")
def test_the_meter_alone_shows_the_voltage() -> None:
    async def story() -> None:
        async with scenario(Place(), worst_case_a=10, voltage_v=246.0, building=BUILDING, dead_man_from_s=None) as s:
            contract(s)
            await s.until(120)
            assert LEAST_W < drawn_w(s, 246.0) <= LIMIT_W
            reason = s.evse(1).reason
            assert reason is not None and reason.filled is not None
            assert reason.filled.watts_per_a == pytest.approx(246.0)

    run(story())


def test_the_cars_alone_show_the_voltage() -> None:
    async def story() -> None:
        async with scenario(Place(), worst_case_a=10, voltage_v=246.0, building=BUILDING, dead_man_from_s=None) as s:
            currents_only(s)
            contract(s)
            await s.until(120)
            assert LEAST_W < drawn_w(s, 246.0) <= LIMIT_W

    run(story())


def test_of_one_power_of_all_phases_that_power_is_kept() -> None:
    async def story() -> None:
        async with scenario(Place(), worst_case_a=10, voltage_v=246.0, building=BUILDING, dead_man_from_s=None) as s:

            def told(measured_id: str, reading: Reading) -> None:
                hear(measured_id, replace(reading, current_a=(0.0, 0.0, 0.0), spread=True))

            hear = s.site.update_reading
            s.site.update_reading = told  # type: ignore[method-assign]
            contract(s)
            await s.until(120)
            assert LEAST_W < drawn_w(s, 246.0) <= LIMIT_W

    run(story())


def test_a_reading_that_is_older_than_the_one_before_says_nothing_of_the_voltage() -> None:
    voltage = Voltage()
    for taken_at, mains_v in ((100.0, 240.0), (40.0, 230.0), (100.0, 230.0)):
        voltage.take(Reading(current_a=(9.0, 12.0, 9.0), power_w=30 * mains_v, taken_at=taken_at, source="meter"), 230.0)
        assert voltage.metered_v == pytest.approx(240.0)


def test_mains_that_waver_move_no_limits_and_a_rise_counts_before_a_fall() -> None:
    voltage, held_v = Voltage(), list[float]()
    for second in range(600):
        mains_v = 240 + sin(second) if second < 300 else 246 + sin(second) if second < 450 else 238.0
        voltage.take(Reading(current_a=(9.0, 12.0, 9.0), power_w=30 * mains_v, taken_at=float(second), source="meter"), 230.0)
        voltage.hold(None if second == 599 else Reading(current_a=(0, 0, 0), taken_at=0.0, source="meter"), [], None, 230.0)
        assert voltage.held_v is not None
        held_v.append(voltage.held_v)
    assert max(held_v[60:300]) - min(held_v[60:300]) < 0.2 and min(held_v[60:300]) >= 240
    assert held_v[320] > 244 and min(held_v[360:450]) > 245.9
    assert held_v[452] > 245 and held_v[598] == pytest.approx(238, rel=0.01) and held_v[599] == 230, "the meter is lost"


@pytest.mark.usefixtures("no_voltage_at_cars")
@pytest.mark.parametrize("factor", [0.5, 0.9, 1.3])
def test_what_is_no_voltage_counts_for_none(factor: float) -> None:
    """Reactive power makes less power of a current than the voltage; a meter that tells nonsense makes of it what it likes."""

    async def story() -> None:
        async with scenario(Place(), worst_case_a=10, building=BUILDING, dead_man_from_s=None) as s:

            def told(measured_id: str, reading: Reading) -> None:
                assert reading.power_w is not None
                hear(measured_id, replace(reading, power_w=reading.power_w * factor))

            hear = s.site.update_reading
            s.site.update_reading = told  # type: ignore[method-assign]
            contract(s)
            await s.until(120)
            assert LEAST_W < drawn_w(s, 230.0) <= LIMIT_W

    run(story())
