"""A gateway that keeps what it has read for seconds and tells it as of now: cars get what there is, and no cut is made twice for one step."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from custom_components.headroom.engine.model import ALL_PHASES, Circuit, PerPhase, Phase
from custom_components.headroom.metering.reading import Reading
from simulator.building import Load
from simulator.virtual import run

from .harness import METER_EVERY_S, Moment, Place, Scenario, scenario, steps
from .test_total_only import total_only

LEARNT_S = 120.0
"""By then a gateway has shown that it keeps its values."""
FOLLOWS_S = 3.0
"""From a reading that shows an overload to the cars' having followed; an overload that its breaker carries is given 1.5 s of that to pass."""
LIMIT_A = 61.0
CAR_A = 1.0
"""What a limit in whole amps may leave, on each of three cars."""
ROW = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=40.0, margin_a=2.0, unmanaged_worst_a=(12.0, 12.0, 12.0), metered=True)


def lively(until_s: float, phases: int = 1) -> Load:
    """A building of which each so many phases go from 10 A to 24 A and back: 37 A or 51 A are left for cars, 44 A on average."""
    levels_a = (24.0 / phases, 10.0 / phases)
    return steps((0.0, levels_a[1]), *((float(at_s), levels_a[index % 2]) for index, at_s in enumerate(range(60, int(until_s), 33))))


def kept(
    s: Scenario,
    every_s: float,
    *,
    phases: Sequence[Phase] = ALL_PHASES,
    of: str = "main",
    late_by_s: float = 0.0,
    jitter_s: float = 0.0,
    noise_a: float = 0.05,
    until_s: float = 1e9,
) -> None:
    """Have a circuit's meter renew what it tells of some phases each `every_s` only; it is asked each second, and every answer is as of now."""
    hear, dice = s.site.update_reading, Random(1)
    newest: PerPhase | None = None
    due_s = late_by_s

    def told(measured_id: str, reading: Reading) -> None:
        nonlocal newest, due_s
        if measured_id != of:
            hear(measured_id, reading)
            return
        l1, l2, l3 = (current + dice.uniform(-noise_a, noise_a) for current in reading.current_a)
        now_a = (l1, l2, l3)
        if newest is None or reading.taken_at >= min(due_s, until_s) - 0.01:
            newest, due_s = now_a, reading.taken_at + every_s + dice.uniform(-jitter_s, jitter_s)
        l1, l2, l3 = ((newest if phase in phases else now_a)[phase] for phase in ALL_PHASES)
        hear(measured_id, replace(reading, current_a=(l1, l2, l3), power_w=230.0 * (l1 + l2 + l3), import_wh=None))

    s.site.update_reading = told  # type: ignore[method-assign]


def drawn_a(moments: Sequence[Moment]) -> float:
    """What cars drew on a phase, on average."""
    return sum(sum(moment.draws_a) for moment in moments) / len(moments)


def longest_s(moments: Sequence[Moment]) -> float:
    """For how long some phase was above its limit at a time."""
    longest, since = 0.0, None
    for moment in moments:
        if max(moment.main_a) <= LIMIT_A + 0.1:
            since = None
        else:
            since = moment.at_s - 1.0 if since is None else since
            longest = max(longest, moment.at_s - since)
    return longest


@pytest.mark.parametrize(("every_s", "jitter_s", "least_a"), [(5.0, 0.0, 40.5), (10.0, 0.0, 39.0), (14.0, 0.0, 38.0), (9.0, 3.0, 38.5)])
def test_cars_behind_a_gateway_that_keeps_its_values_get_what_there_is(every_s: float, jitter_s: float, least_a: float) -> None:
    async def story() -> None:
        until_s = 900.0
        async with scenario(*[Place()] * 3, building=lively(until_s), over_limit_s=30.0) as s:
            kept(s, every_s, jitter_s=jitter_s)
            await s.until(until_s)
            moments = s.between(LEARNT_S, until_s)
            assert drawn_a(moments) > least_a and min(sum(moment.draws_a) for moment in moments) > 37 - 3 * CAR_A, s.story()
            assert longest_s(moments) <= every_s + jitter_s + FOLLOWS_S, "cut when it shows, and enough"
            assert max(max(moment.main_a) for moment in moments) < 61 + 14, "no more than the building's own step"
            assert s.site.snapshot.circuits["main"].meter == "ok"

    run(story())


@pytest.mark.parametrize("every_s", [10.0, 14.0])
def test_one_phase_whose_values_are_kept_starves_nobody_and_the_others_are_watched_as_ever(every_s: float) -> None:
    async def story() -> None:
        until_s = 900.0
        async with scenario(*[Place()] * 3, building=lively(until_s), over_limit_s=METER_EVERY_S + FOLLOWS_S) as s:
            kept(s, every_s, phases=[Phase.L1])
            await s.until(until_s)
            moments = s.between(LEARNT_S, until_s)
            assert drawn_a(moments) > 40 and min(sum(moment.draws_a) for moment in moments) > 37 - 3 * CAR_A, s.story()
            assert max(max(moment.main_a) for moment in moments) < 61 + 14

    run(story())


@pytest.mark.parametrize("noise_a", [0.0, 0.3])
def test_a_meter_that_is_live_is_believed_at_once_be_its_values_still_or_noisy(noise_a: float) -> None:
    async def story() -> None:
        until_s = 600.0
        async with scenario(*[Place()] * 3, building=lively(until_s), over_limit_s=METER_EVERY_S + FOLLOWS_S) as s:
            kept(s, METER_EVERY_S, noise_a=noise_a)
            await s.until(until_s)
            moments = s.between(LEARNT_S, until_s)
            assert drawn_a(moments) > 41 and min(sum(moment.draws_a) for moment in moments) > 37 - 3 * CAR_A - 3 * noise_a

    run(story())


def test_a_gateway_that_was_mended_is_believed_at_once_again() -> None:
    async def story() -> None:
        until_s = 900.0
        async with scenario(*[Place()] * 3, building=lively(until_s), over_limit_s=30.0) as s:
            kept(s, 10.0, until_s=450.0)
            await s.until(until_s)
            assert longest_s(s.between(LEARNT_S, 450)) > METER_EVERY_S + FOLLOWS_S
            assert longest_s(s.between(480, until_s)) <= METER_EVERY_S + FOLLOWS_S
            assert drawn_a(s.between(480, until_s)) > 41

    run(story())


@pytest.mark.parametrize("every_s", [10.0, 14.0])
def test_what_a_breaker_does_not_carry_for_good_is_cut_once_as_soon_as_it_shows(every_s: float) -> None:
    async def story() -> None:
        building = steps((0.0, 17.0), *((60.0 + 23 * index, 22.0 if index % 2 == 0 else 17.0) for index in range(11)), (420.3, 40.0))
        async with scenario(*[Place()] * 4, building=building, worst_case_a=40.0, over_limit_s=30.0) as s:
            kept(s, every_s)
            await s.until(420)
            await s.until_true(lambda: (s.site.snapshot.circuits["main"].current_a or (0.0,))[0] > 71, within_s=every_s + 1)
            shown_s = s.time_s
            assert max(s.main_a()) > 75
            await s.until(480)
            after = s.between(shown_s, 480)
            assert longest_s(after) <= FOLLOWS_S, "not a renewal later"
            assert all(sum(moment.draws_a) > 15 for moment in after), "what is left beside the building is theirs"
            assert None not in s.transaction_ids()

    run(story())


def test_cars_below_two_meters_that_are_renewed_at_different_moments_are_raised_as_well() -> None:
    async def story() -> None:
        until_s = 900.0
        places = [*[Place(circuit_id="row")] * 3, Place()]
        async with scenario(*places, building=lively(until_s), circuits=[ROW], over_limit_s=30.0) as s:
            kept(s, 14.0)
            kept(s, 14.0, of="row", late_by_s=7.0)
            await s.until(until_s)
            moments = s.between(LEARNT_S, until_s)
            assert drawn_a(moments) > 38 and max(sum(moment.draws_a[:3]) for moment in moments) > 35
            assert longest_s(moments) <= 14 + FOLLOWS_S
            assert all(circuit.disagreement is None for circuit in s.site.snapshot.circuits.values()), (
                "they are of different moments, no more"
            )

    run(story())


def test_a_gateway_that_keeps_one_power_of_all_phases_starves_nobody() -> None:
    async def story() -> None:
        until_s = 900.0
        async with scenario(*[Place()] * 3, building=lively(until_s, phases=3), over_limit_s=30.0) as s:
            total_only(s)
            kept(s, 10.0)
            await s.until(until_s)
            moments = s.between(LEARNT_S, until_s)
            assert drawn_a(moments) > 38 and longest_s(moments) <= 10 + FOLLOWS_S

    run(story())
