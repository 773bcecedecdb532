"""The Modbus meter against pymodbus' real server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
import math
import socket
from typing import Any

from pymodbus.constants import ExcCodes
import pytest

from custom_components.headroom.metering import polling
from custom_components.headroom.metering.layout import MeterMap, Values
from custom_components.headroom.metering.line import TcpLine
from custom_components.headroom.metering.maps import METERS
from custom_components.headroom.metering.modbus import ModbusMeter, ModbusMeterConfig
from custom_components.headroom.metering.polling import next_due
from custom_components.headroom.metering.reading import MeterError, Reading
from custom_components.headroom.metering.sunspec import SUNSPEC_MARK

from .server import Meter


@pytest.fixture
async def meter() -> AsyncIterator[Meter]:
    meter = Meter()
    yield meter
    await meter.stop()


def config(meter: Meter, model: str, **more: Any) -> ModbusMeterConfig:
    return ModbusMeterConfig(line=TcpLine(host="127.0.0.1", port=meter.port), model=model, **more)


def load(meter: Meter, key: str) -> MeterMap:
    """10 A and 5 A imported on L1 and L3, 8 A exported on L2, in the meter's own counts; currents as magnitudes."""
    row = METERS[key]
    meter.fill(row)

    def counts(values: Values | None, *numbers: float) -> list[float]:
        assert values is not None
        raw = [number / values.unit for number in numbers]
        return raw if "FLOAT" in values.data_type.name else [round(number) for number in raw]

    meter.put(row.current, *counts(row.current, 10.0, 8.0, 5.0), word_order=row.word_order)
    meter.put(row.power, *counts(row.power, 2300.0, -1840.0, 1150.0), word_order=row.word_order)
    meter.put(row.total_power, *counts(row.total_power, 1610.0), word_order=row.word_order)
    meter.put(row.import_energy, *counts(row.import_energy, 4_321_000.0), word_order=row.word_order)
    meter.put(row.export_energy, *counts(row.export_energy, 321_000.0), word_order=row.word_order)
    return row


def assert_loaded(reading: Reading) -> None:
    assert reading.current_a == pytest.approx((10.0, -8.0, 5.0))
    assert reading.power_w == pytest.approx(1610.0)
    assert reading.import_wh == pytest.approx(4_321_000.0)
    assert reading.export_wh == pytest.approx(321_000.0)


async def test_a_reading_is_dated_between_asking_and_answering_and_names_its_meter(meter: Meter) -> None:
    row = load(meter, "carlo_gavazzi_em340")
    await meter.start()
    before = asyncio.get_running_loop().time()
    reading = await ModbusMeter(config(meter, "carlo_gavazzi_em340")).probe()
    assert_loaded(reading)
    assert before < reading.taken_at < asyncio.get_running_loop().time()
    assert row.name in reading.source
    assert meter.asked == [(row.function, start, count) for start, count, _ in row.requests()]


async def test_words_of_a_real_em340(meter: Meter) -> None:
    """Low word first: 70 000 mA is 0x0001_1170."""
    meter.fill(METERS["carlo_gavazzi_em340"])
    meter.registers |= {0x0C: 0x1170, 0x0D: 0x0001, 0x12: 0x72F4, 0x13: 0x0002, 0x28: 0x72F4, 0x29: 0x0002}
    await meter.start()
    reading = await ModbusMeter(config(meter, "carlo_gavazzi_em340")).probe()
    assert reading.current_a == pytest.approx((70.0, 0.0, 0.0))
    assert reading.power_w == pytest.approx(16050.0)


async def test_a_single_phase_meter_loads_l1(meter: Meter) -> None:
    row = METERS["eastron_sdm230"]
    meter.fill(row)
    meter.put(row.current, 7.0)
    meter.put(row.power, -1610.0)
    await meter.start()
    reading = await ModbusMeter(config(meter, "eastron_sdm230", phases=1)).probe()
    assert reading.current_a == pytest.approx((-7.0, 0.0, 0.0))
    assert reading.power_w == pytest.approx(-1610.0)


async def test_a_meter_of_fewer_phases_than_its_place_is_no_meter_there(meter: Meter) -> None:
    """What it can't see would be 0 A."""
    sunspec(meter, 201, 40000)
    await meter.start()
    with pytest.raises(MeterError, match=r"measures 1 phase\(s\) where there are 3"):
        await ModbusMeter(config(meter, "sunspec", phases=3)).probe()
    with pytest.raises(MeterError, match=r"measures 1 phase\(s\) where there are 2"):
        await ModbusMeter(config(meter, "sunspec", phases=2)).probe()


@pytest.mark.parametrize(("phases", "current_a"), [(1, (10.0, 0.0, 0.0)), (2, (10.0, -8.0, 0.0))])
async def test_a_meter_with_more_phases_than_its_place_needs_no_value_for_the_others(
    meter: Meter, phases: int, current_a: tuple[float, ...]
) -> None:
    row = load(meter, "abb_b23")
    amps, watts = [1000, 800, 500], [230_000, -184_000, 115_000]
    meter.put(row.current, *amps[:phases], *[0xFFFF_FFFF] * (3 - phases))
    meter.put(row.power, *watts[:phases], *[0x7FFF_FFFF] * (3 - phases))
    meter.put(row.total_power, 0x7FFF_FFFF)
    await meter.start()
    reading = await ModbusMeter(config(meter, "abb_b23", phases=phases)).probe()
    assert reading.current_a == pytest.approx(current_a)
    assert reading.power_w == pytest.approx(sum(watts[:phases]) / 100)


async def test_invert_swaps_import_and_export(meter: Meter) -> None:
    load(meter, "eastron_sdm630")
    await meter.start()
    reading = await ModbusMeter(config(meter, "eastron_sdm630", invert=True)).probe()
    assert reading.current_a == pytest.approx((-10.0, 8.0, -5.0))
    assert reading.power_w == pytest.approx(-1610.0)
    assert (reading.import_wh, reading.export_wh) == pytest.approx((321_000.0, 4_321_000.0))


@pytest.mark.parametrize(("key", "mark"), [("abb_b23", 0xFFFF_FFFF), ("eastron_sdm630", math.nan), ("carlo_gavazzi_em340", 0x7FFF_FFFF)])
async def test_a_current_that_the_meter_does_not_have_is_no_zero(meter: Meter, key: str, mark: float) -> None:
    row = load(meter, key)
    meter.put(row.current, 0.0 if math.isnan(mark) else 0, mark, mark, word_order=row.word_order)
    await meter.start()
    with pytest.raises(MeterError, match="no value for the current of L2"):
        await ModbusMeter(config(meter, key)).probe()


async def test_what_else_the_meter_does_not_have_is_unknown(meter: Meter) -> None:
    row = load(meter, "abb_b23")
    meter.put(row.power, 0x7FFF_FFFF, -184_000, 0x7FFF_FFFF)
    meter.put(row.total_power, 0x7FFF_FFFF)
    meter.put(row.import_energy, 2**64 - 1)
    await meter.start()
    reading = await ModbusMeter(config(meter, "abb_b23")).probe()
    assert reading.current_a == pytest.approx((10.0, -8.0, 5.0)), "without a direction a current counts as import"
    assert (reading.power_w, reading.import_wh) == (None, None)


async def test_the_total_is_summed_where_only_the_phases_have_a_power(meter: Meter) -> None:
    row = load(meter, "eastron_sdm630")
    meter.put(row.total_power, math.nan)
    await meter.start()
    assert (await ModbusMeter(config(meter, "eastron_sdm630")).probe()).power_w == pytest.approx(1610.0)


def sunspec(meter: Meter, model: int, base: int, *, length: int = 105) -> MeterMap:
    """A device with a common model, then the meter's; returns the meter's layout in its place."""
    meter.registers |= dict(enumerate((*SUNSPEC_MARK, 1, 66, *([0] * 66), model, length, *([0] * length), 0xFFFF, 0), base))
    return METERS["sunspec"].models.get(model, METERS["sunspec"].models[203]).shifted(base + 70)


@pytest.mark.parametrize("base", [40000, 50000])
async def test_sunspec_integers_and_their_scale_factors(meter: Meter, base: int) -> None:
    row = sunspec(meter, 203, base)
    meter.put(row.current, 1000, 800, 500)
    meter.put(row.power, 230, -184, 115)
    meter.put(row.total_power, 161)
    meter.put(row.import_energy, 4321)
    meter.put(row.export_energy, 0)
    at = base + 70
    meter.registers |= {at + 6: 0xFFFE, at + 22: 1, at + 54: 3}
    await meter.start()
    reading = await ModbusMeter(config(meter, "sunspec")).probe()
    assert reading.current_a == pytest.approx((10.0, -8.0, 5.0))
    assert (reading.power_w, reading.import_wh) == pytest.approx((1610.0, 4_321_000.0))
    assert reading.export_wh is None, "an accumulator at 0 is not implemented"


async def test_sunspec_floats(meter: Meter) -> None:
    row = sunspec(meter, 213, 40000, length=124)
    meter.put(row.current, 10.0, 8.0, 5.0)
    meter.put(row.power, 2300.0, -1840.0, 1150.0)
    meter.put(row.total_power, 1610.0)
    meter.put(row.import_energy, 4_321_000.0)
    meter.put(row.export_energy, 321_000.0)
    await meter.start()
    assert_loaded(await ModbusMeter(config(meter, "sunspec")).probe())


async def test_sunspec_without_a_scale_factor_is_no_reading(meter: Meter) -> None:
    sunspec(meter, 203, 40000)
    meter.registers[40070 + 6] = 0x8000
    await meter.start()
    with pytest.raises(MeterError, match="no value for the current of L1"):
        await ModbusMeter(config(meter, "sunspec")).probe()


async def test_sunspec_says_what_it_misses(meter: Meter) -> None:
    sunspec(meter, 103, 40000)
    await meter.start()
    with pytest.raises(MeterError, match="no SunSpec meter model"):
        await ModbusMeter(config(meter, "sunspec")).probe()
    await meter.stop()
    meter.registers[40000] = 0
    await meter.start()
    with pytest.raises(MeterError, match="is no SunSpec device"):
        await ModbusMeter(config(meter, "sunspec")).probe()


async def test_an_em24_must_be_set_to_the_right_application(meter: Meter) -> None:
    load(meter, "carlo_gavazzi_em24_e1")
    meter.registers[0xA000] = 7
    await meter.start()
    assert_loaded(await ModbusMeter(config(meter, "carlo_gavazzi_em24_e1")).probe())
    meter.registers[0xA000] = 3
    with pytest.raises(MeterError, match="another application"):
        await ModbusMeter(config(meter, "carlo_gavazzi_em24_e1")).probe()


async def test_probe_says_what_is_wrong(meter: Meter) -> None:
    with pytest.raises(MeterError, match="no meter model 'abacus'"):
        ModbusMeter(config(meter, "abacus"))
    load(meter, "eastron_sdm630")
    await meter.start()
    with pytest.raises(MeterError, match="refuses registers"):
        await ModbusMeter(config(meter, "janitza_umg604")).probe()
    meter.refusal = ExcCodes.GATEWAY_NO_RESPONSE
    with pytest.raises(MeterError, match=r"no answer from unit id 1 \(the gateway"):
        await ModbusMeter(config(meter, "eastron_sdm630")).probe()
    meter.refusal = None
    meter.put(METERS["eastron_sdm630"].current, 9999.0, 0.0, 0.0)
    with pytest.raises(MeterError, match="L1 is 9999 A"):
        await ModbusMeter(config(meter, "eastron_sdm630")).probe()
    await meter.stop()
    with pytest.raises(MeterError, match="cannot connect"):
        await ModbusMeter(config(meter, "eastron_sdm630")).probe()


async def test_probe_does_not_wait_for_a_silent_meter(meter: Meter) -> None:
    load(meter, "eastron_sdm630")
    await meter.start()
    meter.mute = True
    with pytest.raises(MeterError, match="no answer from unit id 1"):
        await ModbusMeter(config(meter, "eastron_sdm630", timeout_s=0.2)).probe()
    meter.mute = False


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port where a connection is never accepted, and never refused."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            held = stack.enter_context(socket.socket())
            held.setblocking(False)
            held.connect_ex(full.getsockname())
        yield full.getsockname()[1]


async def test_probe_does_not_wait_for_a_host_that_never_accepts(full_port: int) -> None:
    silent = ModbusMeterConfig(line=TcpLine(host="127.0.0.1", port=full_port), model="eastron_sdm630", timeout_s=0.3)
    with pytest.raises(MeterError, match="cannot connect"):
        await ModbusMeter(silent).probe()


class Heard:
    """What a running meter told, one queue in the order of telling."""

    def __init__(self, meter: ModbusMeter) -> None:
        self.told: asyncio.Queue[Reading | MeterError | None] = asyncio.Queue()
        self.task = asyncio.create_task(meter.run(self.told.put_nowait, self.told.put_nowait))

    async def until(self, kind: type) -> list[Reading | MeterError | None]:
        """Return all that was told up to and including the first of this kind."""
        told = [await self.told.get()]
        while not isinstance(told[-1], kind):
            told.append(await self.told.get())
        return told

    async def stop(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(self.task, 2)


async def test_the_pace_is_start_to_start(meter: Meter) -> None:
    load(meter, "eastron_sdm630")
    meter.answer_after_s = 0.1
    await meter.start()
    heard = Heard(ModbusMeter(config(meter, "eastron_sdm630", interval_s=0.2)))
    taken = [(await heard.until(Reading))[-1].taken_at for _ in range(5)]
    await heard.stop()
    assert 0.75 < taken[-1] - taken[0] < 1.1, "four beats of 0.2 s; end to start they were 1.2 s"


@pytest.mark.parametrize(
    ("due", "now", "expected"), [(10.0, 10.3, 11.0), (10.0, 11.0, 11.0), (10.0, 11.2, 12.0), (10.0, 14.9, 15.0), (10.0, 10.0, 11.0)]
)
def test_a_missed_beat_is_left_out_and_the_pace_stays(due: float, now: float, expected: float) -> None:
    assert next_due(due, now, 1.0) == expected


async def test_comes_back_after_the_server_died_and_tells_it_once(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "BACKOFF_FIRST_S", 0.05)
    load(meter, "eastron_sdm630")
    await meter.start()
    heard = Heard(ModbusMeter(config(meter, "eastron_sdm630", interval_s=0.02, timeout_s=0.5)))
    await heard.until(Reading)
    await meter.stop()
    broken = await heard.until(MeterError)
    await meter.start()
    healed = await heard.until(Reading)
    await heard.stop()
    assert sum(isinstance(told, MeterError) for told in broken + healed) == 1
    assert healed[0] is None and len(healed) == 2, "healed is told once, before the reading"


async def test_a_single_lost_connection_is_told_to_nobody(meter: Meter) -> None:
    load(meter, "eastron_sdm630")
    await meter.start()
    heard = Heard(ModbusMeter(config(meter, "eastron_sdm630", interval_s=0.02, timeout_s=0.5)))
    await heard.until(Reading)
    await meter.stop()
    await meter.start()
    asked = len(meter.asked)
    told = []
    while len(meter.asked) < asked + 2:
        told += await heard.until(Reading)
    await heard.stop()
    assert all(isinstance(one, Reading) for one in told)


async def test_an_implausible_value_is_told_once_and_never_handed_on(meter: Meter) -> None:
    row = load(meter, "eastron_sdm630")
    await meter.start()
    heard = Heard(ModbusMeter(config(meter, "eastron_sdm630", interval_s=0.02)))
    await heard.until(Reading)
    meter.put(row.current, 9999.0, 0.0, 0.0)
    assert "9999 A" in str((await heard.until(MeterError))[-1])
    asked = len(meter.asked)
    while len(meter.asked) < asked + 3:
        await asyncio.sleep(0.01)
    assert heard.told.empty()
    meter.put(row.current, 10.0, 8.0, 5.0)
    told = await heard.until(Reading)
    await heard.stop()
    assert told[0] is None
    assert_loaded(told[-1])


async def test_a_wrong_layout_is_told_and_tried_again(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "BACKOFF_FIRST_S", 0.02)
    load(meter, "carlo_gavazzi_em24_e1")
    meter.registers[0xA000] = 3
    await meter.start()
    heard = Heard(ModbusMeter(config(meter, "carlo_gavazzi_em24_e1", interval_s=0.02)))
    assert "another application" in str((await heard.until(MeterError))[-1])
    meter.registers[0xA000] = 7
    assert (await heard.until(Reading))[0] is None
    await heard.stop()


async def test_the_back_off_doubles_to_half_a_minute_and_never_ends(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    enough = asyncio.Event()
    really_sleep = asyncio.sleep

    async def sleep(delay: float, result: None = None) -> None:
        if delay >= 1.0:
            delays.append(delay)
            if len(delays) == 8:
                enough.set()
        await really_sleep(0)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meter.port = free.getsockname()[1]
    monkeypatch.setattr(asyncio, "sleep", sleep)
    heard = Heard(ModbusMeter(config(meter, "eastron_sdm630")))
    await enough.wait()
    await heard.stop()
    assert delays[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert heard.told.qsize() == 1


async def test_stops_at_once_while_connecting(full_port: int) -> None:
    heard = Heard(ModbusMeter(ModbusMeterConfig(line=TcpLine(host="127.0.0.1", port=full_port), model="eastron_sdm630", timeout_s=30.0)))
    await asyncio.sleep(0)
    await heard.stop()


async def test_stops_at_once_in_the_middle_of_a_request(meter: Meter) -> None:
    load(meter, "eastron_sdm630")
    await meter.start()
    meter.mute = True
    heard = Heard(ModbusMeter(config(meter, "eastron_sdm630", timeout_s=30.0)))
    while not meter.asked:
        await asyncio.sleep(0.01)
    await heard.stop()
    meter.mute = False
