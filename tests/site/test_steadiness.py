"""Whose leases are short where flash is to be spared: as few as can take what is free, and others once they have written more."""

from custom_components.headroom.engine.deadman import LEASE_MAX_S
from custom_components.headroom.engine.write_budget import PLENTY, SWINGS_FROM, SWINGS_TO
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario

CARS = [Place(car=car(battery_kwh=5000))] * 3


def _leave(s: Scenario, *writes: float) -> None:
    """Leave each EVSE so many writes."""
    for number, left in enumerate(writes, 1):
        evse = s.site._evses[s.key(number)]
        evse.budget = type(evse.budget)(left=left, at_s=evse.budget.at_s)


def _leases_s(s: Scenario) -> list[float]:
    leases = [s.site._evses[s.key(number)].lease for number in (1, 2, 3)]
    return [0.0 if lease is None else lease.expires_at - s.time_s for lease in leases]


def test_who_has_the_most_writes_left_takes_what_short_leases_allow_and_the_others_go_on_with_long_ones() -> None:
    async def story() -> None:
        async with scenario(*CARS) as s:
            await s.until(60)
            equal_a = [s.moments[-1].limits_a[number - 1] or 0.0 for number in (1, 2, 3)]
            assert max(equal_a) - min(equal_a) <= 1, "while there is plenty everybody has the same"
            before_a = sum(equal_a)
            _leave(s, PLENTY - 20, PLENTY - 1, PLENTY - 20)
            await s.until(120)
            limits_a = [s.moments[-1].limits_a[number - 1] or 0.0 for number in (1, 2, 3)]
            assert limits_a[1] >= max(limits_a[0], limits_a[2]) + 4, limits_a
            assert sum(limits_a) >= before_a - 3, "what is free goes on being used"
            lengths_s = _leases_s(s)
            assert lengths_s[1] < 60 < min(lengths_s[0], lengths_s[2]), lengths_s
            writes = s.writes()
            await s.until(180)
            written = [after - before for before, after in zip(writes, s.writes(), strict=True)]
            assert written[0] <= 1 and written[2] <= 1 and written[1] > 1, written

            _leave(s, SWINGS_FROM + 5, SWINGS_TO - 1, SWINGS_FROM)
            await s.until(240)
            limits_a = [s.moments[-1].limits_a[number - 1] or 0.0 for number in (1, 2, 3)]
            assert limits_a[0] >= max(limits_a[1:]) + 4, "it is another's turn"

            _leave(s, SWINGS_TO - 1, SWINGS_TO - 1, SWINGS_TO - 1)
            await s.until(330)
            limits_a = [s.moments[-1].limits_a[number - 1] or 0.0 for number in (1, 2, 3)]
            assert max(limits_a) - min(limits_a) <= 1 and sum(limits_a) < before_a - 3, "nobody has anything left for more"
            assert min(_leases_s(s)) > 0.1 * LEASE_MAX_S

    run(story())
