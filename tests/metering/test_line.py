"""What a meter hangs on, over real sockets and a real pair of terminals: framing, sharing, pace, loss."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from pymodbus import FramerType
import pytest

from custom_components.headroom.metering import modbus, polling
from custom_components.headroom.metering.line import Line, SerialLine, TcpLine, held
from custom_components.headroom.metering.maps import METERS
from custom_components.headroom.metering.modbus import ModbusMeter, ModbusMeterConfig, pace
from custom_components.headroom.metering.reading import MeterError, Reading

from .server import Meter, serial_cable

SDM = METERS["eastron_sdm630"]


@pytest.fixture
async def meter() -> AsyncIterator[Meter]:
    meter = Meter()
    yield meter
    await meter.stop()


def load(meter: Meter, *, unit_id: int = 1, amps: float = 10.0) -> None:
    for start, count, _ in SDM.requests():
        for address in range(start, start + count):
            meter.units[unit_id].setdefault(address, 0)
    for values, numbers in ((SDM.current, (amps, 0.0, 0.0)), (SDM.power, (230.0 * amps, 0.0, 0.0)), (SDM.total_power, (230.0 * amps,))):
        assert values is not None
        for address, number in zip(values.addresses, numbers, strict=True):
            meter.store(address, number, values.data_type, unit_id=unit_id)


def on(line: Line, *, device_id: int = 1, **more: Any) -> ModbusMeter:
    return ModbusMeter(ModbusMeterConfig(line=line, device_id=device_id, model="eastron_sdm630", **more))


class Heard:
    """What a running meter told."""

    def __init__(self, meter: ModbusMeter) -> None:
        self.meter = meter
        self.told: asyncio.Queue[Reading | MeterError | None] = asyncio.Queue()
        self.task = asyncio.create_task(meter.run(self.told.put_nowait, self.told.put_nowait))

    async def next(self, kind: type) -> Any:
        while not isinstance(told := await self.told.get(), kind):
            pass
        return told

    async def stop(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(self.task, 2)


async def test_serial_frames_through_a_socket(meter: Meter) -> None:
    load(meter)
    meter.framer = FramerType.RTU
    await meter.start()
    line = TcpLine(host="127.0.0.1", port=meter.port, framing="rtu")
    assert (await on(line).probe()).current_a == pytest.approx((10.0, 0.0, 0.0))
    with pytest.raises(MeterError, match="no answer"):
        await on(TcpLine(host="127.0.0.1", port=meter.port), timeout_s=0.2).probe()


async def test_a_serial_line_with_two_meters_on_it(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "BACKOFF_FIRST_S", 0.05)
    load(meter, unit_id=1, amps=10.0)
    load(meter, unit_id=7, amps=20.0)
    with serial_cable() as (ours, theirs):
        meter.serial_device = theirs
        await meter.start()
        line = SerialLine(device=ours)
        one, seven = Heard(on(line, interval_s=0.05)), Heard(on(line, device_id=7, interval_s=0.05))
        assert (await one.next(Reading)).current_a == pytest.approx((10.0, 0.0, 0.0))
        assert (await seven.next(Reading)).current_a == pytest.approx((20.0, 0.0, 0.0))
        assert (await on(line, device_id=7).probe()).source == f"Eastron SDM630, SDM72D-M v2 at {ours}"
        await one.stop()
        assert (await seven.next(Reading)).current_a == pytest.approx((20.0, 0.0, 0.0)), "the line stays open for the other"
        await seven.stop()
        await meter.stop()


async def test_a_serial_line_heals_when_the_meter_speaks_again(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "BACKOFF_FIRST_S", 0.05)
    load(meter)
    with serial_cable() as (ours, theirs):
        meter.serial_device = theirs
        await meter.start()
        heard = Heard(on(SerialLine(device=ours), interval_s=0.02, timeout_s=0.2))
        await heard.next(Reading)
        await meter.stop()
        assert "no answer" in str(await heard.next(MeterError))
        await meter.start()
        assert await heard.next(type(None)) is None
        assert (await heard.next(Reading)).current_a == pytest.approx((10.0, 0.0, 0.0))
        await heard.stop()
        await meter.stop()


async def test_a_serial_line_that_is_not_there_cannot_be_connected() -> None:
    with pytest.raises(MeterError, match="/dev/no-such-line: cannot connect"):
        await on(SerialLine(device="/dev/no-such-line")).probe()


async def test_a_network_adapter_is_no_serial_device() -> None:
    with pytest.raises(MeterError, match="is no serial device"):
        await on(SerialLine(device="rfc2217://127.0.0.1:2217")).probe()


async def test_an_adapter_that_is_pulled_out_is_told(meter: Meter) -> None:
    load(meter)
    with serial_cable() as (ours, theirs):
        meter.serial_device = theirs
        await meter.start()
        heard = Heard(on(SerialLine(device=ours), interval_s=0.02, timeout_s=0.2))
        await heard.next(Reading)
        await meter.stop()
    assert ours in str(await heard.next(MeterError))
    await heard.stop()


async def test_a_meter_of_one_client_is_probed_while_it_is_polled(meter: Meter) -> None:
    """A settings page reads a meter that the loop reads already, and a second meter behind the same gateway does too."""
    load(meter, unit_id=1, amps=10.0)
    load(meter, unit_id=2, amps=4.0)
    await meter.start()
    line = TcpLine(host="127.0.0.1", port=meter.port)
    heard, other = Heard(on(line, interval_s=0.02)), Heard(on(line, device_id=2, interval_s=0.02))
    await heard.next(Reading)
    await other.next(Reading)
    await on(line).probe()
    await heard.next(Reading)
    assert meter.most_connected == 1
    await heard.stop()
    await other.stop()
    while meter.connected:
        await asyncio.sleep(0.01)


async def test_a_silent_unit_does_not_silence_its_neighbour(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "BACKOFF_FIRST_S", 0.05)
    load(meter)
    await meter.start()
    line = TcpLine(host="127.0.0.1", port=meter.port)
    heard = Heard(on(line, interval_s=0.02))
    await heard.next(Reading)
    with pytest.raises(MeterError):
        await on(line, device_id=9, timeout_s=0.1).probe()
    for _ in range(3):
        told = await heard.told.get()
        assert isinstance(told, Reading)
    await heard.stop()


async def test_a_probe_given_up_leaves_a_line_that_answers_the_next(meter: Meter) -> None:
    load(meter)
    meter.mute = True
    await meter.start()
    line = TcpLine(host="127.0.0.1", port=meter.port)
    async with held(line):
        probe = asyncio.create_task(on(line, timeout_s=30.0).probe())
        while not meter.asked:
            await asyncio.sleep(0.01)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        meter.mute = False
        assert (await on(line).probe()).current_a == pytest.approx((10.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("took_s", "fastest_s", "interval_s"),
    [
        (0.01, 0.25, 0.25),  # a quick meter several times a second, and not more
        (0.01, 0.5, 0.5),  # unless its row says that it is slow
        (0.1, 0.25, 0.4),  # it stays free three quarters of the time
        (0.6, 0.25, 1.0),  # but is read every second
        (3.0, 0.25, 1.0),  # or, as that is over by then, at once
    ],
)
def test_the_pace_follows_the_answer(took_s: float, fastest_s: float, interval_s: float) -> None:
    assert pace(took_s, fastest_s) == pytest.approx(interval_s)


async def test_a_meter_left_to_itself_is_read_faster_than_every_second_if_it_answers_fast(meter: Meter) -> None:
    load(meter)
    await meter.start()
    heard = Heard(on(TcpLine(host="127.0.0.1", port=meter.port)))
    taken = [(await heard.next(Reading)).taken_at for _ in range(5)]
    await heard.stop()
    assert 0.6 < taken[-1] - taken[1] < 1.8, "three beats of 0.25 s; not of a second"


async def test_a_meter_slower_than_a_second_is_read_without_a_pause(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modbus, "SLOWEST_S", 0.1)
    load(meter)
    meter.answer_after_s = 0.13
    await meter.start()
    heard = Heard(on(TcpLine(host="127.0.0.1", port=meter.port)))
    monkeypatch.setattr(heard.meter, "_map", replace(SDM, fastest_s=0.0))
    taken = [(await heard.next(Reading)).taken_at for _ in range(6)]
    await heard.stop()
    assert (taken[-1] - taken[1]) / 4 < 0.19, "each at 0.13 s; to the beat of 0.1 s they would be 0.2 s apart"


async def test_what_is_not_urgent_costs_no_request_of_every_reading(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    row = METERS["carlo_gavazzi_em340"]
    meter.fill(row)
    meter.put(row.import_energy, 43_210, word_order=row.word_order)
    meter.put(row.power, 23_000, -4_600, 0, word_order=row.word_order)
    meter.put(row.current, 10_000, 2_000, 0, word_order=row.word_order)
    meter.put(row.total_power, 18_400, word_order=row.word_order)
    await meter.start()
    line = TcpLine(host="127.0.0.1", port=meter.port)
    heard = Heard(ModbusMeter(ModbusMeterConfig(line=line, model=row.key, interval_s=0.02)))
    readings = [await heard.next(Reading) for _ in range(4)]
    assert [reading.import_wh for reading in readings] == [4_321_000.0] * 4
    assert [reading.power_w for reading in readings] == pytest.approx([1840.0] * 4), "the total, then what the phases add up to"
    assert [sum(address == wanted for _, address, _ in meter.asked) for wanted in (0x34, 0x4E, 0x28)] == [1, 1, 1]
    meter.put(row.import_energy, 43_211, word_order=row.word_order)
    monkeypatch.setattr(modbus, "ENERGY_EVERY_S", 0.0)
    while (await heard.next(Reading)).import_wh != 4_321_100.0:
        pass
    await heard.stop()
