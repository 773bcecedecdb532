"""A meter whose currents have no direction, beside a power of all phases that has: what flows out looks like what flows in."""

from dataclasses import replace

import pytest

from custom_components.headroom.metering.reading import Reading
from simulator.virtual import run

from .harness import Place, Scenario, scenario, steps


def without_direction(s: Scenario) -> None:
    """Have the site hear magnitudes, and the signed power."""
    hear = s.site.update_reading

    def update_reading(measured_id: str, reading: Reading) -> None:
        l1, l2, l3 = (abs(current_a) for current_a in reading.current_a)
        hear(measured_id, replace(reading, current_a=(l1, l2, l3), power_w=reading.power_at(230.0)))

    s.site.update_reading = update_reading  # type: ignore[method-assign]


@pytest.mark.parametrize("fed_in_a", [25.0, 45.0])
def test_a_roof_that_feeds_in_speaks_against_no_meter(fed_in_a: float) -> None:
    """A car that takes what was fed in has the currents fall as it rises: that is no meter turned round, and nothing that disagrees."""

    async def story() -> None:
        async with scenario(Place(comes_s=90.0), building=steps((0.0, -fed_in_a))) as s:
            without_direction(s)
            for second in range(60, 400, 5):
                await s.until(second)
                main = s.site.snapshot.circuits["main"]
                assert (main.meter, main.meter_error, main.disagreement) == ("ok", None, None), second
            assert s.draws_a()[0] > 30

    run(story())


def test_a_power_that_counts_the_other_way_round_takes_nothing_from_currents_that_are_right() -> None:
    async def story() -> None:
        async with scenario(Place(comes_s=90.0), building=steps((0.0, 4.0))) as s:
            hear = s.site.update_reading
            s.site.update_reading = lambda measured_id, reading: hear(  # type: ignore[method-assign]
                measured_id, replace(reading, power_w=-reading.power_at(230.0))
            )
            await s.until(200)
            assert s.site.snapshot.circuits["main"].meter == "ok" and s.draws_a()[0] > 30

    run(story())
