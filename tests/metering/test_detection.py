"""Finding out which meter it is, asked over a real socket."""

import asyncio
from collections.abc import AsyncIterator
import socket

from pymodbus.constants import ExcCodes
from pymodbus.pdu.device import ModbusDeviceIdentification
import pytest

from custom_components.headroom.metering.detection import Candidate, Certainty, detect
from custom_components.headroom.metering.layout import MeterMap, Values
from custom_components.headroom.metering.line import TcpLine
from custom_components.headroom.metering.maps import METERS
from custom_components.headroom.metering.reading import MeterError

from .server import Meter


@pytest.fixture
async def meter() -> AsyncIterator[Meter]:
    meter = Meter()
    yield meter
    await meter.stop()


def put(meter: Meter, row: MeterMap, values: Values | None, *numbers: float) -> None:
    if values is None:
        return
    raw = [number / values.unit for number in numbers[: len(values.addresses)]]
    meter.put(values, *(raw if "FLOAT" in values.data_type.name else map(round, raw)), word_order=row.word_order)


def load(meter: Meter, key: str, *, voltages: tuple[float, float, float] = (231.0, 229.0, 230.0)) -> None:
    """A meter of this row under a load of 10 A, 8 A and 5 A."""
    row = METERS[key]
    meter.fill(row)
    put(meter, row, row.current, 10.0, 8.0, 5.0)
    put(meter, row, row.power, 2300.0, 1840.0, 1150.0)
    put(meter, row, row.total_power, 5290.0 if row.phases == 3 else 2300.0)
    put(meter, row, row.voltage, *voltages)
    put(meter, row, row.frequency, 50.0)
    if row.expects is not None:
        meter.registers[row.expects[0]] = row.expects[1]


def line(meter: Meter) -> TcpLine:
    return TcpLine(host="127.0.0.1", port=meter.port)


async def found(meter: Meter, **more: object) -> tuple[Candidate, ...]:
    return await detect(line(meter), timeout_s=0.5, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [key for key, row in METERS.items() if row.voltage is not None and key != "victron_gx"])
async def test_a_meter_that_does_not_name_itself_is_known_by_its_voltages(meter: Meter, key: str) -> None:
    load(meter, key)
    await meter.start()
    best, *_ = await found(meter)
    assert best.model == key
    assert best.certainty is Certainty.LIKELY
    assert best.reading is not None
    assert best.reading.current_a[0] == pytest.approx(10.0)


async def test_a_one_phase_meter_with_the_registers_of_a_three_phase_one_counts_as_one_phase(meter: Meter) -> None:
    load(meter, "eastron_sdm630", voltages=(231.0, 0.0, 0.0))
    put(meter, METERS["eastron_sdm630"], METERS["eastron_sdm630"].current, 10.0, 0.0, 0.0)
    put(meter, METERS["eastron_sdm630"], METERS["eastron_sdm630"].power, 2300.0, 0.0, 0.0)
    put(meter, METERS["eastron_sdm630"], METERS["eastron_sdm630"].total_power, 2300.0)
    await meter.start()
    candidates = await found(meter)
    assert [candidate.model for candidate in candidates] == ["eastron_sdm230", "eastron_sdm630"]


def words_of(said: str, *, count: int, low_byte_first: bool = False) -> list[int]:
    raw = said.encode().ljust(2 * count, b"\0")
    return [int.from_bytes(raw[i : i + 2], "little" if low_byte_first else "big") for i in range(0, 2 * count, 2)]


@pytest.mark.parametrize(
    ("key", "address", "said", "count", "low_byte_first"),
    [
        ("abb_b23", 0x8960, "B23 ", 2, False),
        ("schneider_iem3155", 0x31, "iEM3155", 20, False),
        ("socomec_countis", 0xC38A, "COUNTIS E28", 8, False),
        ("shelly_pro_3em", 6, "SPEM-003CEBEU", 10, True),
    ],
)
async def test_a_meter_that_names_itself_in_registers(
    meter: Meter, key: str, address: int, said: str, count: int, low_byte_first: bool
) -> None:
    load(meter, key)
    meter.registers |= dict(enumerate(words_of(said, count=count, low_byte_first=low_byte_first), address))
    await meter.start()
    (only,) = await found(meter)
    assert (only.model, only.certainty, only.said) == (key, Certainty.NAMED, said.strip())
    assert only.reading is not None
    assert only.reading.power_w == pytest.approx(5290.0)


async def test_an_em24_set_to_another_application_is_named_with_what_is_wrong(meter: Meter) -> None:
    load(meter, "carlo_gavazzi_em24_e1")
    meter.registers |= {0x0B: 1650, 0xA000: 3}
    await meter.start()
    best, *_ = await found(meter)
    assert (best.model, best.certainty, best.said, best.reading) == ("carlo_gavazzi_em24_e1", Certainty.NAMED, "1650", None)
    assert "another application" in str(best.error)


async def test_a_meter_that_answers_function_43(meter: Meter) -> None:
    load(meter, "siemens_pac2200")
    meter.identity = ModbusDeviceIdentification(
        info_name={"VendorName": "Siemens AG", "ProductCode": "7KM PAC2200", "MajorMinorRevision": "3.0"}
    )
    await meter.start()
    (only,) = await found(meter)
    assert (only.model, only.certainty) == ("siemens_pac2200", Certainty.NAMED)
    assert "7KM PAC2200" in only.said


async def test_a_sunspec_meter_says_who_made_it(meter: Meter) -> None:
    common = [*words_of("SolarEdge", count=16), *words_of("SE-MTR-3Y-400V-A", count=16), *([0] * 34)]
    words = (0x5375, 0x6E53, 1, 66, *common, 213, 124, *([0] * 124), 0xFFFF, 0)
    meter.registers = dict(enumerate(words, 40000))
    row = METERS["sunspec"].models[213].shifted(40070)
    put(meter, row, row.current, 10.0, 8.0, 5.0)
    put(meter, row, row.power, 2300.0, 1840.0, 1150.0)
    put(meter, row, row.total_power, 5290.0)
    await meter.start()
    (only,) = await found(meter)
    assert (only.model, only.certainty, only.said) == ("sunspec", Certainty.NAMED, "SolarEdge SE-MTR-3Y-400V-A")
    assert only.reading is not None
    assert only.reading.current_a == pytest.approx((10.0, 8.0, 5.0))


async def test_the_unit_is_found_among_several(meter: Meter) -> None:
    load(meter, "eastron_sdm630")
    meter.units[7] = meter.units.pop(1)
    await meter.start()
    best, *_ = await found(meter, device_ids=(1, 7))
    assert (best.model, best.device_id) == ("eastron_sdm630", 7)


async def test_a_victron_gx_is_found_at_its_meters_unit(meter: Meter) -> None:
    row = METERS["victron_gx"]
    meter.fill(row)
    put(meter, row, row.current, 10.0, 8.0, 5.0)
    put(meter, row, row.power, 2300.0, 1840.0, 1150.0)
    put(meter, row, row.voltage, 231.0, 229.0, 230.0)
    meter.units[30] = meter.units.pop(1)
    await meter.start()
    best, *_ = await found(meter, device_ids=(100, 30))
    assert (best.model, best.device_id, best.certainty) == ("victron_gx", 30, Certainty.LIKELY)


async def test_registers_that_are_no_meter_of_ours_are_none(meter: Meter) -> None:
    meter.registers = dict.fromkeys((*range(200), *range(1000, 1100)), 0x1234)
    await meter.start()
    assert await found(meter) == ()


async def test_a_gateway_without_the_unit_is_not_asked_on(meter: Meter) -> None:
    load(meter, "eastron_sdm630")
    await meter.start()
    meter.refusal = ExcCodes.GATEWAY_NO_RESPONSE
    assert await found(meter) == ()
    assert len(meter.asked) == 1


async def test_a_line_where_nobody_answers_is_given_up_soon(meter: Meter) -> None:
    load(meter, "eastron_sdm630")
    meter.mute = True
    await meter.start()
    assert await detect(line(meter), timeout_s=0.3) == ()
    assert len(meter.asked) <= 3


async def test_a_host_that_is_not_there_is_an_error_to_show() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(MeterError, match="cannot connect"):
        await detect(TcpLine(host="127.0.0.1", port=port))


async def test_what_was_found_until_the_time_was_up_is_returned(meter: Meter) -> None:
    load(meter, "eastron_sdm630")
    meter.answer_after_s = 0.01
    await meter.start()

    async def fall_silent() -> None:
        while meter.asked.count((4, 0x06, 70)) < 2:  # what the second map asks first is the first one's question too
            await asyncio.sleep(0.001)
        meter.mute = True

    silence = asyncio.create_task(fall_silent())
    candidates = await detect(line(meter), timeout_s=30.0, time_limit_s=2.0)
    await silence
    assert [candidate.model for candidate in candidates] == ["eastron_sdm630"]
