"""Every row of the table of meters, written down here a second time from the drivers' facts, behind a real Modbus server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from custom_components.headroom.meter_settings import COUNTS
from custom_components.headroom.metering.layout import DataType
from custom_components.headroom.metering.line import TcpLine
from custom_components.headroom.metering.maps import METERS
from custom_components.headroom.metering.modbus import ModbusMeter, ModbusMeterConfig
from custom_components.headroom.metering.reading import MeterError

from .server import Meter

F32, F64 = DataType.FLOAT32, DataType.FLOAT64
I16, I32, I64 = DataType.INT16, DataType.INT32, DataType.INT64
U32, U64 = DataType.UINT32, DataType.UINT64


@dataclass(frozen=True, slots=True)
class Row:
    """What the facts say: function, word order, and for each quantity its registers, type and the worth of one count."""

    function: int
    order: str
    current: tuple[tuple[int, ...], DataType, float]
    power: tuple[tuple[int, ...], DataType, float]
    total: tuple[int, DataType, float]
    energy: tuple[int, int, DataType, float]
    most_registers: int = 125


ROWS = {
    "eastron_sdm630": Row(4, "big", ((0x06, 0x08, 0x0A), F32, 1), ((0x0C, 0x0E, 0x10), F32, 1), (0x34, F32, 1), (0x48, 0x4A, F32, 1000)),
    "eastron_sdm230": Row(4, "big", ((0x06,), F32, 1), ((0x0C,), F32, 1), (0x0C, F32, 1), (0x48, 0x4A, F32, 1000)),
    "carlo_gavazzi_em340": Row(
        4, "little", ((0x0C, 0x0E, 0x10), I32, 0.001), ((0x12, 0x14, 0x16), I32, 0.1), (0x28, I32, 0.1), (0x34, 0x4E, I32, 100)
    ),
    "carlo_gavazzi_em24_e1": Row(
        4, "little", ((0x0C, 0x0E, 0x10), I32, 0.001), ((0x12, 0x14, 0x16), I32, 0.1), (0x28, I32, 0.1), (0x34, 0x4E, I32, 100)
    ),
    "carlo_gavazzi_em24_rtu": Row(
        4, "little", ((0x0C, 0x0E, 0x10), I32, 0.001), ((0x12, 0x14, 0x16), I32, 0.1), (0x28, I32, 0.1), (0x42, 0x5C, I32, 100), 11
    ),
    "schneider_iem3155": Row(
        3, "big", ((0xBB7, 0xBB9, 0xBBB), F32, 1), ((0xBED, 0xBEF, 0xBF1), F32, 1000), (0xBF3, F32, 1000), (0xC83, 0xC87, I64, 1)
    ),
    "abb_b23": Row(
        3,
        "big",
        ((0x5B0C, 0x5B0E, 0x5B10), U32, 0.01),
        ((0x5B16, 0x5B18, 0x5B1A), I32, 0.01),
        (0x5B14, I32, 0.01),
        (0x5000, 0x5004, U64, 10),
    ),
    "janitza_umg96rme": Row(
        3, "big", ((19012, 19014, 19016), F32, 1), ((19020, 19022, 19024), F32, 1), (19026, F32, 1), (19068, 19076, F32, 1)
    ),
    "janitza_umg604": Row(3, "big", ((1325, 1327, 1329), F32, 1), ((1333, 1335, 1337), F32, 1), (1369, F32, 1), (9851, 9863, F32, 1)),
    "siemens_pac2200": Row(3, "big", ((13, 15, 17), F32, 1), ((25, 27, 29), F32, 1), (65, F32, 1), (801, 809, F64, 1)),
    "phoenix_contact_eem": Row(
        3, "little", ((0x800E, 0x8010, 0x8012), F32, 1), ((0x801E, 0x8020, 0x8022), F32, 1), (0x8016, F32, 1), (0x8100, 0x8106, F32, 1)
    ),
    "socomec_countis": Row(
        3, "big", ((0xC560, 0xC562, 0xC564), U32, 0.001), ((0xC570, 0xC572, 0xC574), I32, 10), (0xC568, I32, 10), (0xC702, 0xC708, U32, 10)
    ),
    "solaredge_wattnode": Row(
        4, "little", ((0x48A, 0x48C, 0x48E), F32, 1), ((0x3F2, 0x3F4, 0x3F6), F32, 1), (0x3F0, F32, 1), (0x3EA, 0x458, F32, 1000)
    ),
    "shelly_pro_3em": Row(4, "little", ((1022, 1042, 1062), F32, 1), ((1024, 1044, 1064), F32, 1), (1013, F32, 1), (1162, 1164, F32, 1)),
}
APART = {"victron_gx", "sma_home_manager", "sunspec"}
"""What does not fit the table's columns has tests of its own."""


@pytest.fixture
async def meter() -> AsyncIterator[Meter]:
    meter = Meter()
    yield meter
    await meter.stop()


def config(meter: Meter, model: str, *, device_id: int = 1, phases: int = 3) -> ModbusMeterConfig:
    line = TcpLine(host="127.0.0.1", port=meter.port)
    return ModbusMeterConfig(line=line, model=model, device_id=device_id, phases=COUNTS[phases])


def test_no_row_is_left_out() -> None:
    assert ROWS.keys() | APART == METERS.keys()


@pytest.mark.parametrize("key", ROWS)
async def test_a_row_reads_amps_watts_and_watt_hours_with_their_directions(meter: Meter, key: str) -> None:
    """10 A and 5 A imported on L1 and L3, 8 A exported on L2; the currents as magnitudes. No register besides exists."""
    row = ROWS[key]

    def store(address: int, number: float, data_type: DataType, unit: float) -> None:
        raw = number / unit
        meter.store(address, raw if data_type in (F32, F64) else round(raw), data_type, row.order)

    phases = len(row.current[0])
    amps, watts = (10.0, 8.0, 5.0)[:phases], (2300.0, -1840.0, 1150.0)[:phases]
    for (addresses, data_type, unit), numbers in ((row.current, amps), (row.power, watts)):
        for address, number in zip(addresses, numbers, strict=True):
            store(address, number, data_type, unit)
    store(row.total[0], sum(watts), *row.total[1:])
    store(row.energy[0], 4_321_000.0, *row.energy[2:])
    store(row.energy[1], 321_000.0, *row.energy[2:])
    if key == "carlo_gavazzi_em24_e1":
        meter.registers[0xA000] = 7
    layout = METERS[key]
    for start, count, _ in layout.requests():  # what lies between two numbers, where the row says that it may be read over
        for address in range(start, start + count):
            meter.registers.setdefault(address, 0)
    await meter.start()
    reading = await ModbusMeter(config(meter, key, phases=phases)).probe()
    assert reading.current_a == pytest.approx((10.0, -8.0, 5.0) if phases == 3 else (10.0, 0.0, 0.0))
    assert reading.power_w == pytest.approx(sum(watts))
    assert reading.import_wh == pytest.approx(4_321_000.0)
    assert reading.export_wh == pytest.approx(321_000.0)
    assert {function for function, _, _ in meter.asked} == {row.function}
    assert max(count for _, _, count in meter.asked) <= row.most_registers


async def test_a_victron_gx_has_its_currents_at_the_meters_unit_and_its_powers_at_unit_100(meter: Meter) -> None:
    for address, tenths in ((2617, 100), (2618, 2300), (2619, 80), (2620, 2310), (2621, 50)):
        meter.store(address, tenths, I16, unit_id=30)
    for address, watts in ((820, 2300), (821, -1840), (822, 1150)):
        meter.store(address, watts, I16, unit_id=100)
    await meter.start()
    reading = await ModbusMeter(config(meter, "victron_gx", device_id=30)).probe()
    assert reading.current_a == pytest.approx((10.0, -8.0, 5.0))
    assert reading.power_w == pytest.approx(1610.0), "the sum of the phases"
    assert (reading.import_wh, reading.export_wh) == (None, None)
    assert meter.asked == [(4, 2617, 5), (4, 820, 3)]
    assert meter.asked_units == [30, 100]


async def test_a_sma_home_manager_gives_what_is_drawn_less_what_is_fed_in(meter: Meter) -> None:
    """No currents: import may be on any phase and counts on each; export is credited to none."""
    for address, number in ((30865, 4600), (30867, 0), (30581, 4_321_000), (30583, 321_000)):
        meter.store(address, number, I32)
    await meter.start()
    reading = await ModbusMeter(config(meter, "sma_home_manager")).probe()
    assert reading.power_w == pytest.approx(4600.0)
    assert reading.current_a == pytest.approx((20.0, 20.0, 20.0))
    assert (reading.import_wh, reading.export_wh) == pytest.approx((4_321_000.0, 321_000.0))
    meter.store(30865, 0, I32)
    meter.store(30867, 2300, I32)
    reading = await ModbusMeter(config(meter, "sma_home_manager")).probe()
    assert (reading.power_w, reading.current_a) == (-2300.0, (0.0, 0.0, 0.0))
    one_phase = replace(config(meter, "sma_home_manager"), phases=1)
    assert (await ModbusMeter(one_phase).probe()).current_a == (-10.0, 0.0, 0.0), "there the total is the phase"


async def test_a_victron_gx_at_the_end_of_its_numbers_has_none(meter: Meter) -> None:
    meter.units[30] = dict.fromkeys(range(2617, 2622), 0)
    meter.units[100] = {820: 32767, 821: 0, 822: 0}
    await meter.start()
    reading = await ModbusMeter(config(meter, "victron_gx", device_id=30)).probe()
    assert reading.power_w is None, "32 767 W is as far as it counts"
    meter.units[30][2617] = 32767
    with pytest.raises(MeterError, match="no value for the current of L1"):
        await ModbusMeter(config(meter, "victron_gx", device_id=30)).probe()


@pytest.mark.parametrize("address", [30865, 30867])
async def test_a_sma_home_manager_without_a_power_is_no_reading(meter: Meter, address: int) -> None:
    for each in (30865, 30867, 30581, 30583):
        meter.store(each, 0, I32)
    meter.store(address, -(2**31), I32)
    await meter.start()
    with pytest.raises(MeterError, match="no value for the power"):
        await ModbusMeter(config(meter, "sma_home_manager")).probe()


@pytest.mark.parametrize(
    ("model", "length", "type_", "current", "power", "total", "exported", "imported"),
    [
        (201, 105, I16, (2,), (18,), 18, 38, 46),
        (202, 105, I16, (3, 4), (19, 20), 18, 38, 46),
        (203, 105, I16, (3, 4, 5), (19, 20, 21), 18, 38, 46),
        (204, 105, I16, (3, 4, 5), (19, 20, 21), 18, 38, 46),
        (211, 124, F32, (2,), (28,), 28, 60, 68),
        (212, 124, F32, (4, 6), (30, 32), 28, 60, 68),
        (213, 124, F32, (4, 6, 8), (30, 32, 34), 28, 60, 68),
        (214, 124, F32, (4, 6, 8), (30, 32, 34), 28, 60, 68),
    ],
)
async def test_each_sunspec_meter_model(
    meter: Meter,
    model: int,
    length: int,
    type_: DataType,
    current: tuple[int, ...],
    power: tuple[int, ...],
    total: int,
    exported: int,
    imported: int,
) -> None:
    words = (0x5375, 0x6E53, 1, 66, *([0] * 66), model, length, *([0] * length), 0xFFFF, 0)
    meter.registers = dict(enumerate(words, 40000))
    at = 40070
    integer = type_ is I16
    if integer:  # scale factors: A_SF −2, W_SF 1, TotWh_SF 3
        meter.registers |= {at + 6: 0xFFFE, at + 22: 1, at + 54: 3}
    watts = (2300.0, -1840.0, 1150.0)[: len(power)]
    for address, amps in zip(current, (10.0, 8.0, 5.0), strict=False):
        meter.store(at + address, round(100 * amps) if integer else amps, type_)
    for address, number in zip(power, watts, strict=True):
        meter.store(at + address, round(number / 10) if integer else number, type_)
    meter.store(at + total, round(sum(watts) / 10) if integer else sum(watts), type_)
    for address, number in ((imported, 4_321_000.0), (exported, 321_000.0)):
        meter.store(at + address, round(number / 1000) if integer else number, U32 if integer else F32)
    await meter.start()
    reading = await ModbusMeter(config(meter, "sunspec", phases=len(current))).probe()
    assert reading.current_a == pytest.approx([*(10.0, -8.0, 5.0)[: len(current)], 0.0, 0.0][:3])
    assert reading.power_w == pytest.approx(sum(watts))
    assert (reading.import_wh, reading.export_wh) == pytest.approx((4_321_000.0, 321_000.0))
