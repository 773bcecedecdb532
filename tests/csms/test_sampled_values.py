"""Sampled values as stations send them."""

from typing import Any

import pytest

from custom_components.headroom.csms.sampled_values import samples
from custom_components.headroom.csms.values import UNKNOWN, MeterSample

AMPS, VOLTS, WATTS, ENERGY = "Current.Import", "Voltage", "Power.Active.Import", "Energy.Active.Import.Register"


def value(
    number: Any,
    measurand: str | None = None,
    phase: str | None = None,
    unit: str | None = None,
    multiplier: int | None = None,
    **extra: Any,
) -> dict[str, Any]:
    item: dict[str, Any] = {"value": number} | extra
    if measurand is not None:
        item["measurand"] = measurand
    if phase is not None:
        item["phase"] = phase
    unit_of_measure = {key: part for key, part in (("unit", unit), ("multiplier", multiplier)) if part is not None}
    return item | ({"unitOfMeasure": unit_of_measure} if unit_of_measure else {})


def three(measurand: str, numbers: tuple[Any, Any, Any], suffix: str = "", **extra: Any) -> list[dict[str, Any]]:
    return [value(number, measurand, f"L{phase}{suffix}", **extra) for phase, number in enumerate(numbers, 1)]


U3 = three(VOLTS, (230, 231, 229), "-N")


@pytest.mark.parametrize(
    ("sampled", "expected"),
    [
        ([value(1234.5)], {"energy_wh": 1234.5}),
        ([value(1.5, unit="kWh")], {"energy_wh": 1500}),
        ([value(15, multiplier=2)], {"energy_wh": 1500}),
        ([value(11, WATTS, unit="kW")], {"power_w": 11000}),
        ([value(11, WATTS, unit="W", multiplier=3)], {"power_w": 11000}),
        ([value("7.5", WATTS, unit="kW")], {"power_w": 7500}),
        ([value(16000, AMPS, "L1", unit="mA")], {"current_a": (16, None, None)}),
        ([value(40, "SoC", unit="Percent", location="EV")], {"soc_pct": 40}),
        (three(WATTS, (1000, 2000, 3000)), {"power_w": 6000}),
        ([*three(WATTS, (1000, 2000, 3000)), value(5990, WATTS)], {"power_w": 5990}),
        (three(ENERGY, (1, 2, 3), unit="kWh"), {"energy_wh": 6000}),
        (three(AMPS, (16, 15, 14)), {"current_a": (16, 15, 14)}),
        (three(AMPS, (16, 15, 14), "-N"), {"current_a": (16, 15, 14)}),
        ([*three(AMPS, (16, 0, 0)), value(3, AMPS, "N")], {"current_a": (16, 0, 0)}),
        ([value(400, VOLTS, "L1-L2")], {}),
        ([value(230, VOLTS)], {"voltage_v": (230, 230, 230)}),
        ([*U3, *three(WATTS, (2300, 0, 2290))], {"voltage_v": (230, 231, 229), "power_w": 4590, "current_a": (10, 0, 10)}),
        # What may be one phase or the sum of three is not guessed…
        ([value(16, AMPS)], {}),
        ([*U3, value(16, AMPS), value(3680, WATTS)], {"voltage_v": (230, 231, 229), "power_w": 3680}),
        # … but zero is zero everywhere, and a power can tell.
        ([value(0, AMPS)], {"current_a": (0, 0, 0)}),
        ([*U3, value(16, AMPS), value(11040, WATTS)], {"voltage_v": (230, 231, 229), "power_w": 11040, "current_a": (16, 16, 16)}),
        ([value(10, AMPS, "L1", location="Inlet"), value(9.5, AMPS, "L1", location="Outlet")], {"current_a": (9.5, None, None)}),
        ([value(10, AMPS, "L1", location="Inlet")], {"current_a": (10, None, None)}),
        ([value(10, AMPS, "L1", location="Roof"), value(9, AMPS, "L1", location="Inlet")], {"current_a": (9, None, None)}),
        ([value(bad, AMPS, "L1") for bad in ("NaN", "x", None, True, [])], {}),
        ([value(1, multiplier=400)], {}),
        ([value(5, "Frequency")], {}),
    ],
)
def test_sample(sampled: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert samples([{"sampledValue": sampled}]) == (MeterSample(**expected),)


@pytest.mark.parametrize(
    ("sampled", "evse_phases", "phases_used", "current_a"),
    [
        ([value(13, AMPS)], 1, None, (13, None, None)),
        ([value(13, AMPS)], 3, 1, (13, None, None)),
        ([value(13, AMPS)], 3, None, UNKNOWN),
        ([value(230, VOLTS), value(2990, WATTS)], 1, None, (13, None, None)),
        ([value(230, VOLTS), value(6900, WATTS)], 3, 3, (10, 10, 10)),
        ([value(230, VOLTS), value(6900, WATTS)], 3, None, UNKNOWN),
        ([value(230, VOLTS), value(6900, WATTS)], 3, 2, UNKNOWN),
        ([value(0, VOLTS), value(6900, WATTS)], 1, None, UNKNOWN),
    ],
)
def test_phases_tell_what_a_total_is_of(
    sampled: list[dict[str, Any]], evse_phases: int | None, phases_used: int | None, current_a: object
) -> None:
    assert samples([{"sampledValue": sampled}], evse_phases=evse_phases, phases_used=phases_used)[0].current_a == current_a


@pytest.mark.parametrize("told_a", [(0, 0, 0), (0.1, 0, 0.1), (-16, -16, -16), (-16, 16, 16)])
@pytest.mark.parametrize(("phases_used", "current_a"), [(None, UNKNOWN), (3, (16, 16, 16))])
def test_currents_that_the_power_denies_are_none(told_a: tuple[float, float, float], phases_used: int | None, current_a: object) -> None:
    sampled = [*three(AMPS, told_a), value(230, VOLTS), value(11040, WATTS)]
    assert samples([{"sampledValue": sampled}], phases_used=phases_used)[0].current_a == current_a


@pytest.mark.parametrize(
    ("sampled", "current_a"),
    [
        ([*three(AMPS, (0, 0, 0)), *three(WATTS, (3680, 0, 3680)), value(230, VOLTS)], (16, 0, 16)),
        ([*three(AMPS, (16, 16, -16)), *three(WATTS, (3680, 3680, -3680)), value(230, VOLTS)], (16, 16, None)),
        ([*three(WATTS, (3680, 3680, -3680)), value(230, VOLTS)], (16, 16, None)),
        ([*three(WATTS, (3680, -46, 0)), value(230, VOLTS)], (16, -0.2, 0)),
        ([*three(WATTS, (-3680, -3680, -3680)), value(230, VOLTS)], (-16, -16, -16)),
        ([value(0, AMPS), value(11040, WATTS)], UNKNOWN),
        ([value(0, AMPS, "L1"), value(7360, WATTS)], UNKNOWN),
        ([*three(AMPS, (0, 0, 0)), value(16, AMPS), value(11040, WATTS), value(230, VOLTS)], (16, 16, 16)),
        # A station's own needs, a phase that is not used, a power that is missing or says less: the currents count.
        ([*three(AMPS, (0, 0, 0)), value(15, WATTS)], (0, 0, 0)),
        ([*three(AMPS, (16, -0.05, 0)), value(3680, WATTS)], (16, -0.05, 0)),
        ([*three(AMPS, (16, 16, 16)), value(0, WATTS)], (16, 16, 16)),
        (three(AMPS, (0, 0, 0)), (0, 0, 0)),
        ([*three(AMPS, (-16, -16, -16)), value(-11040, WATTS)], (-16, -16, -16)),
    ],
)
def test_what_a_power_does_to_currents(sampled: list[dict[str, Any]], current_a: object) -> None:
    assert samples([{"sampledValue": sampled}])[0].current_a == current_a


def test_each_meter_value_is_a_sample_in_its_order() -> None:
    found = samples(
        [{"timestamp": "2026-01-01T00:00:00", "sampledValue": [value(1)]}, {"timestamp": "bad", "sampledValue": [value(2)]}, {}]
    )
    assert [sample.energy_wh for sample in found] == [1, 2, None]
    assert found[0].at is not None and found[0].at.isoformat() == "2026-01-01T00:00:00+00:00"
    assert found[1].at is None
