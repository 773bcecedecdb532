"""A meter whose phases are wired in another order than the grid's."""

import pytest

from custom_components.headroom.engine.model import Phase
from custom_components.headroom.metering.fault import Fault
from custom_components.headroom.metering.reading import ImplausibleError, MeterError, OnHealth, OnReading, Reading
from custom_components.headroom.metering.reorder import ReorderedMeter

SAID = Reading(current_a=(1.0, 2.0, -3.0), taken_at=5.0, source="meter", power_w=0.0)
PLACED = (-3.0, 1.0, 2.0)
"""Its L1 is on the grid's L2, its L2 on L3, its L3 on L1."""


class Meter:
    """Says one thing, and fails once; `implausible`: what it says can't be true."""

    def __init__(self, *, implausible: bool = False) -> None:
        self.implausible = implausible

    async def probe(self) -> Reading:
        """Say it."""
        if self.implausible:
            raise ImplausibleError(Fault.POWER_NO_NUMBER, SAID, value="nan")
        return SAID

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Say it, and fail."""
        on_reading(SAID)
        on_health(MeterError(Fault.NO_POWER, source="meter"))


def reordered(meter: Meter) -> ReorderedMeter:
    return ReorderedMeter(meter, (Phase.L2, Phase.L3, Phase.L1))


async def test_each_current_is_on_the_conductor_it_flows_through() -> None:
    reading = await reordered(Meter()).probe()
    assert (reading.current_a, reading.power_w, reading.taken_at) == (PLACED, 0.0, 5.0)
    heard: list[object] = []
    await reordered(Meter()).run(lambda each: heard.append(each.current_a), lambda error: heard.append(str(error)))
    assert heard == [PLACED, "meter: says that it has no value for the power"]


async def test_what_can_not_be_true_is_placed_too() -> None:
    with pytest.raises(ImplausibleError) as caught:
        await reordered(Meter(implausible=True)).probe()
    assert caught.value.reading.current_a == PLACED
