"""Whose leases are short where flash is to be spared: as few as have to be, and others once they have written more."""

from custom_components.headroom.engine.deadman import LEASE_MAX_S
from custom_components.headroom.engine.write_budget import NEARLY_FULL, PLENTY, SWINGS_FROM, SWINGS_TO
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


def _limits_a(s: Scenario) -> list[float]:
    return [s.moments[-1].limits_a[number - 1] or 0.0 for number in (1, 2, 3)]


def test_only_so_many_leases_are_short_that_what_is_left_is_carried_for_good_and_nobody_has_less_for_it() -> None:
    async def story() -> None:
        async with scenario(*CARS) as s:
            await s.until(60)
            assert max(_leases_s(s)) < 60, "while writes are plenty what is left is inside the limit"
            _leave(s, *[PLENTY - 10] * 3)
            await s.until(120)
            limits_a, lengths_s = _limits_a(s), sorted(_leases_s(s))
            assert max(limits_a) - min(limits_a) <= 1 and sum(limits_a) > 45, limits_a
            assert lengths_s[1] < 60 < lengths_s[2], "two have to be short: one falls by no more than what is beyond"
            writes = s.writes()
            await s.until(300)
            written = sorted(after - before for before, after in zip(writes, s.writes(), strict=True))
            assert written[0] <= 1 and written[1] > 3, written

    run(story())


def test_whose_leases_are_short_changes_as_their_writes_run_out() -> None:
    async def story() -> None:
        async with scenario(*CARS) as s:
            _leave(s, *[PLENTY - 10] * 3)
            await s.until(60)
            before = _leases_s(s)
            long = before.index(max(before))
            left = [SWINGS_TO - 1.0] * 3
            left[long] = left[(long + 1) % 3] = NEARLY_FULL - 1
            _leave(s, *left)
            await s.until(120)
            limits_a = _limits_a(s)
            assert max(limits_a) - min(limits_a) <= 1, limits_a
            assert _leases_s(s)[long] < 60 < _leases_s(s)[(long + 2) % 3]

    run(story())


def test_who_has_no_writes_left_is_held_to_what_long_leases_allow_and_who_has_takes_the_rest() -> None:
    async def story() -> None:
        async with scenario(*CARS) as s:
            await s.until(60)
            before_a = sum(_limits_a(s))
            _leave(s, SWINGS_TO - 1, PLENTY - 1, SWINGS_TO - 1)
            await s.until(120)
            limits_a = _limits_a(s)
            assert limits_a[1] >= max(limits_a[0], limits_a[2]) + 4, limits_a
            assert sum(limits_a) >= before_a - 3, "what is free goes on being used"
            lengths_s = _leases_s(s)
            assert lengths_s[1] < 60 < min(lengths_s[0], lengths_s[2]), lengths_s
            writes = s.writes()
            await s.until(180)
            written = [after - before for before, after in zip(writes, s.writes(), strict=True)]
            assert written[0] <= 1 and written[2] <= 1 and written[1] > 1, written

            _leave(s, SWINGS_FROM + 5, SWINGS_TO - 1, SWINGS_TO)
            await s.until(240)
            limits_a = _limits_a(s)
            assert limits_a[0] >= max(limits_a[1:]) + 4, "it is another's turn"

            _leave(s, SWINGS_TO - 1, SWINGS_TO - 1, SWINGS_TO - 1)
            await s.until(330)
            limits_a = _limits_a(s)
            assert max(limits_a) - min(limits_a) <= 1 and sum(limits_a) < before_a - 3, "nobody has anything left for more"
            assert min(_leases_s(s)) > 0.1 * LEASE_MAX_S

    run(story())


def test_no_lease_is_made_longer_before_a_silent_station_has_taken_the_shorter_one_that_it_rests_on() -> None:
    async def story() -> None:
        async with scenario(*CARS) as s:
            await s.until(60)
            _leave(s, 60.0, 60.0, 60.0)
            await s.until(90)
            lengths_s = _leases_s(s)
            long = lengths_s.index(max(lengths_s))
            s.model(long + 1).faults.silent = True
            left = [SWINGS_TO - 1.0] * 3
            left[long] = left[(long + 1) % 3] = PLENTY - 1
            _leave(s, *left)
            await s.until(110)
            assert not s.dead_man_violations(60)

    run(story())
