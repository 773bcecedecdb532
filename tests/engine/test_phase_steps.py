"""Steps as meters show them, and what many months in busy buildings come to: the loop's own reactions, noise, ramps and lags included."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations
import random

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.model import ALL_PHASES, PerPhase
from custom_components.headroom.engine.phase_map import Evidence, Moved, Step, Wired, contradicted, learnt, weigh
from custom_components.headroom.engine.phase_steps import CHANGES_S, SILENT_S, Draws, Readings, risen_and_fallen, step_of

ROTATIONS = tuple(permutations(ALL_PHASES))


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ([5.0], (0.0, 0.0)),
        ([5.0, 5.5, 4.8, 5.2], (0.0, 0.0)),
        ([0.0, 6.0, 6.0], (6.0, 0.0)),
        ([0.0, 2.0, 4.0, 6.0], (6.0, 0.0)),
        ([0.0, 1.0, 0.5, 2.0, 1.5, 3.0], (3.0, 0.0)),
        ([6.0, 0.0, 6.0], (6.0, 6.0)),
        ([6.0, 5.0, 4.0, 9.0, 1.0], (5.0, 10.0)),
    ],
)
def test_rises_and_falls_are_counted_apart_and_noise_not_at_all(course: list[float], expected: tuple[float, float]) -> None:
    assert risen_and_fallen(course, 1.5) == pytest.approx(expected)


@given(st.lists(st.floats(-60, 60), min_size=1, max_size=40), st.floats(0.1, 5))
def test_rises_less_falls_are_what_changed_but_for_noise(course: list[float], turns_a: float) -> None:
    risen, fallen = risen_and_fallen(course, turns_a)
    assert risen >= 0 and fallen >= 0
    assert abs((risen - fallen) - (course[-1] - course[0])) <= 2 * turns_a + 1e-6
    swapped = risen_and_fallen([-value for value in course], turns_a)
    assert swapped == pytest.approx((fallen, risen))


def stepping(own: Draws, meter: Readings, *, other: Draws | None = None, building: bool = False) -> Iterator[Step]:
    """A car goes from 0 to 10 A at 30 s, told each 2 s; the meter is read each second."""
    for now in range(60):
        drawn_a = 10.0 if now >= 30 else 0.0
        meter.take((drawn_a, 16.0 if building and now == 33 else 0.0, 0.0), now)
        if now % 2 == 0:
            own.take((drawn_a,), now)
        if (step := step_of(own, () if other is None else (other,), meter, now)) is not None:
            yield step


def test_a_step_is_told_once_with_what_the_meter_saw() -> None:
    steps = list(stepping(Draws(), Readings(), building=True))
    seen = Moved(risen_a=(10.0, 16.0, 0.0), fallen_a=(0.0, 16.0, 0.0))
    assert steps == [Step(own=Moved(risen_a=(10.0,), fallen_a=(0.0,)), meter=seen)]


def test_where_nobody_knows_what_another_one_drew_nothing_is_told() -> None:
    assert list(stepping(Draws(), Readings(), other=Draws())) == []


def test_what_another_one_did_meanwhile_is_told_beside() -> None:
    other = Draws()
    for now in range(60):
        other.take((6.0, 6.0 if now < 29 else 0.0), now)
    (step,) = stepping(Draws(), Readings(), other=other)
    assert step.others == (Moved(risen_a=(0.0, 0.0), fallen_a=(0.0, 6.0)),)


def test_a_change_that_takes_long_and_a_level_that_nobody_told_again_are_no_steps() -> None:
    own, meter = Draws(), Readings()
    for now in range(200):
        meter.take((0.0, 0.0, 0.0), now)
        if now <= 20:
            own.take((0.0,), now)
        elif now <= 20 + CHANGES_S + 5:
            own.take((float(now),), now)
        else:
            own.take((200.0,), now)
        assert step_of(own, (), meter, now) is None
    own.take((0.0,), 200 + SILENT_S + 1)
    assert len(own.levels) == 1


def test_a_meter_that_is_restless_asks_for_larger_steps() -> None:
    own, meter = Draws(), Readings()
    for now in range(60):
        meter.take((8.0 * (now % 2), 0.0, 0.0), now)
        own.take((10.0 if now >= 30 else 0.0,), now)
        assert step_of(own, (), meter, now) is None


@dataclass
class House:
    """A house whose appliances switch at random, with one car that the loop leads by what its meter says: what it lets go of goes to the car."""

    rng: random.Random
    wired: Wired
    phases_used: int
    fuse_a: float = 32.0
    reads_every_s: int = 1
    meter_lag_s: int = 0
    noise_a: float = 0.15
    on: dict[int, bool] = field(default_factory=dict)

    def appliances(self) -> list[tuple[PerPhase, float]]:
        """What there is, and how often a second it switches."""
        return [
            *(
                (tuple(size * (index == phase) for index in range(3)), rate)
                for phase in range(3)
                for size, rate in ((9.0, 0.004), (4.0, 0.01), (13.0, 0.002))
            ),  # type: ignore[misc]
            ((8.0, 8.0, 8.0), 0.002),
        ]

    def run(self, seconds: int) -> Iterator[Evidence]:
        """What is known, whenever it changed."""
        rng, own, meter = self.rng, Draws(), Readings()
        evidence = Evidence(terminals=3)
        appliances, past = self.appliances(), []
        limit_a = drawn_a = 0.0
        plugged, reacts_at, raises_at = False, 0, 0
        for now in range(seconds):
            if rng.random() < 0.001:
                plugged = not plugged
            building = [2.0, 2.0, 2.0]
            for number, (load_a, rate) in enumerate(appliances):
                if rng.random() < rate:
                    self.on[number] = not self.on.get(number, False)
                if self.on.get(number, False):
                    building = [each + load for each, load in zip(building, load_a, strict=True)]
            target_a = min(limit_a, 16.0) if plugged else 0.0
            drawn_a += max(-16.0, min(8.0, target_a - drawn_a))
            terminals_a = tuple(drawn_a * (index < self.phases_used) for index in range(3))
            flows = [*building]
            for current_a, phase in zip(terminals_a, self.wired, strict=True):
                flows[phase] += current_a
            past.append(
                (flows[0] + rng.gauss(0, self.noise_a), flows[1] + rng.gauss(0, self.noise_a), flows[2] + rng.gauss(0, self.noise_a))
            )
            if now % self.reads_every_s == 0 and len(past) > self.meter_lag_s:
                seen = past[-1 - self.meter_lag_s]
                meter.take(seen, now)
                # The loop: cuts at once, raises some seconds later, by the conductors the car is on.
                used = self.wired[: self.phases_used]
                room_a = min(self.fuse_a - seen[phase] + drawn_a for phase in used)
                wanted_a = float(int(room_a)) if room_a >= 6.0 else 0.0
                if wanted_a < limit_a and now >= reacts_at:
                    limit_a, reacts_at = wanted_a, now + 3
                    raises_at = now + 5
                elif wanted_a > limit_a and now >= raises_at:
                    limit_a, raises_at, reacts_at = wanted_a, now + 5, now + 3
            if now % 3 == 0:
                own.take(terminals_a, now)
            if (step := step_of(own, (), meter, now)) is not None and (more := weigh(evidence, step)) is not evidence:
                evidence = more
                yield evidence


@pytest.mark.parametrize("meter", [{}, {"meter_lag_s": 3}, {"reads_every_s": 5}, {"noise_a": 0.6}])
def test_in_buildings_that_the_loop_follows_a_right_map_is_never_called_wrong(meter: dict[str, float]) -> None:
    found = []
    for seed in range(6):
        wired, used = ROTATIONS[seed % 6], 1 + seed % 2
        house = House(random.Random(seed), wired, used, **meter)  # type: ignore[arg-type]
        told = None
        for number, evidence in enumerate(house.run(8 * 3600), 1):
            shown = learnt(evidence)
            assert not contradicted(wired, shown), (seed, number, shown, evidence.steps)
            if told is None and shown[0 if used == 1 else 2] is not None:
                told = number
        found.append(99 if told is None else told)
    found.sort()
    assert found[len(found) // 2] <= 6, found
