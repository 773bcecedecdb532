"""What is believed and what is not."""

import math

import pytest

from custom_components.headroom.metering.plausibility import plausible
from custom_components.headroom.metering.reading import MeterError, Reading


def reading(current_a: tuple[float, float, float], power_w: float | None) -> Reading:
    return Reading(current_a=current_a, power_w=power_w, taken_at=0.0, source="meter")


@pytest.mark.parametrize(
    ("current_a", "power_w"),
    [
        ((10.0, 10.0, 10.0), 6900.0),
        ((10.0, 10.0, 10.0), None),
        ((0.0, 0.0, 0.0), 0.0),
        ((0.0, 0.0, 0.0), 300.0),  # currents rounded away
        ((-10.0, -10.0, -10.0), -6900.0),
        ((20.0, -20.0, 0.0), 0.0),  # one phase exports what another imports
        ((1.5, 1.5, 1.5), 5.0),  # an inverter at night: reactive current only
        ((10.0, 10.0, 10.0), 2000.0),  # a poor power factor
        ((10.0, 10.0, 10.0), 7600.0),  # 253 V
        ((10.0, 10.0, 10.0), -6900.0),  # magnitudes: too much load is assumed, never too little
    ],
)
def test_believed(current_a: tuple[float, float, float], power_w: float | None) -> None:
    taken = reading(current_a, power_w)
    assert plausible(taken) is taken


@pytest.mark.parametrize(
    ("current_a", "power_w", "said"),
    [
        ((math.nan, 0.0, 0.0), 0.0, "L1 is nan"),
        ((0.0, math.inf, 0.0), 0.0, "L2 is inf"),
        ((0.0, 0.0, 2500.0), None, "L3 is 2500 A"),
        ((0.0, 0.0, -2500.0), None, "L3 is -2500 A"),
        ((1.0, 1.0, 1.0), math.nan, "power is nan"),
        ((10.0, 10.0, 10.0), 6.9, "too little"),  # kW for W
        ((10.0, 10.0, 10.0), 6_900_000.0, "does not go with"),  # mW for W
        ((0.01, 0.01, 0.01), 6900.0, "does not go with"),  # kA for A
        ((-10.0, -10.0, -10.0), 6900.0, "inverted"),
    ],
)
def test_rejected(current_a: tuple[float, float, float], power_w: float | None, said: str) -> None:
    with pytest.raises(MeterError, match=said):
        plausible(reading(current_a, power_w))


def test_the_ceiling_is_the_sites() -> None:
    taken = reading((260.0, 0.0, 0.0), None)
    assert plausible(taken, ceiling_a=350.0) is taken
    with pytest.raises(MeterError):
        plausible(taken, ceiling_a=250.0)


def test_without_directions_a_small_total_means_nothing() -> None:
    taken = reading((10.0, 10.0, 0.0), 0.0)
    assert plausible(taken, signed=False) is taken
