"""One reading that no second one confirms."""

import asyncio
from typing import Any

import pytest

from custom_components.headroom.metering import steady
from custom_components.headroom.metering.fault import Fault
from custom_components.headroom.metering.reading import MeterError, OnHealth, OnReading, Reading
from custom_components.headroom.metering.steady import Steady, SteadyMeter, settle


class Recorded:
    """A meter that says these currents of L1, one after the other, and then no more."""

    def __init__(self, *current_a: float) -> None:
        self._readings = [Reading(current_a=(amps, 1.0, 1.0), taken_at=float(at), source="meter") for at, amps in enumerate(current_a)]

    async def probe(self) -> Reading:
        return self._readings[0]

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        for reading in self._readings:
            on_reading(reading)
        on_health(MeterError(Fault.NO_POWER, source="meter"))


def believed_of(*current_a: float, step_s: float = 1.0) -> list[float]:
    """Return which currents of L1 are believed of these, a step apart, behind a fuse of 25 A."""
    state, result = Steady(), []
    for number, amps in enumerate(current_a):
        state, believed = settle(state, (amps, 1.0, 1.0), 25.0, step_s * number)
        if believed:
            result.append(amps)
    return result


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        ((10.0, 40.0, 41.0, 12.0), (10.0, 40.0, 41.0)),  # an overload is believed at once; its end waits for a second reading
        ((10.0, 40.0, 12.0, 13.0), (10.0, 40.0, 13.0)),
        ((20.0, -20.0, 20.0, 21.0), (20.0, 20.0, 21.0)),  # a sign that flips for a moment frees nothing
        ((20.0, -20.0, -20.0, -21.0), (20.0, -20.0, -21.0)),  # one that stays is believed
        ((10.0, 200.0, 10.0), (10.0, 10.0)),  # more than any building makes, once
        ((10.0, 120.0, 121.0), (10.0, 121.0)),  # twice: it is true
        ((10.0, 120.0, -20.0, 11.0, 12.0), (10.0, 11.0, 12.0)),  # two spikes do not confirm each other
        ((24.0, 4.0, 24.0), (24.0, 4.0, 24.0)),  # what cars do
    ],
)
def test_a_spike_is_held_back_until_a_second_reading_says_the_same(said: tuple[float, ...], believed: tuple[float, ...]) -> None:
    assert believed_of(*said) == list(believed)


def test_a_reading_told_in_pieces_does_not_confirm_itself() -> None:
    assert believed_of(20.0, -20.0, -20.0, -20.0, step_s=0.01) == [20.0]


async def test_what_breaks_is_told_as_ever() -> None:
    told: list[Any] = []
    await SteadyMeter(Recorded(10.0, 11.0), fuse_a=25.0).run(told.append, told.append)
    assert [type(one) for one in told] == [Reading, Reading, MeterError]


async def test_a_probe_shows_what_is_there() -> None:
    assert (await SteadyMeter(Recorded(400.0), fuse_a=25.0).probe()).current_a[0] == 400.0


class Quiet(Recorded):
    """It says them, and then nothing."""

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        await super().run(on_reading, lambda _: None)
        await asyncio.Event().wait()


async def test_a_source_that_only_tells_changes_confirms_by_saying_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "CONFIRMED_AFTER_S", 0.02)
    told: asyncio.Queue[Any] = asyncio.Queue()
    task = asyncio.create_task(SteadyMeter(Quiet(20.0, -20.0), fuse_a=25.0).run(told.put_nowait, told.put_nowait))
    assert [(await told.get()).current_a[0] for _ in range(2)] == [20.0, -20.0]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Breaking(Recorded):
    """It says them, breaks, and says nothing any more."""

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        await super().run(on_reading, on_health)
        await asyncio.Event().wait()


@pytest.mark.parametrize("spike_a", [-20.0, 200.0])
async def test_a_meter_that_breaks_confirms_nothing_by_its_silence(monkeypatch: pytest.MonkeyPatch, spike_a: float) -> None:
    monkeypatch.setattr(steady, "CONFIRMED_AFTER_S", 0.0)
    told: list[Any] = []
    task = asyncio.create_task(SteadyMeter(Breaking(20.0, spike_a), fuse_a=25.0).run(told.append, told.append))
    for _ in range(5):
        await asyncio.sleep(0)
    assert [one.current_a[0] if isinstance(one, Reading) else type(one) for one in told] == [20.0, MeterError]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
