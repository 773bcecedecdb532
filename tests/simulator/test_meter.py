"""The Modbus meter, read by a real client."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import logging
import struct

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException
import pytest

from simulator.meter import SUNSPEC_BASE, SUNSPEC_MODEL_AT, MeterKind, MeterServer, MeterValues

VALUES = MeterValues(
    current_a=(12.5, 40.25, -3.5), power_w=(2875.0, 9257.5, -805.0), voltage_v=230.0, import_wh=1_234_500.0, export_wh=70_000.0
)


@asynccontextmanager
async def served(kind: MeterKind) -> AsyncGenerator[tuple[MeterServer, AsyncModbusTcpClient]]:
    meter = MeterServer(kind)
    await meter.start()
    client = AsyncModbusTcpClient("127.0.0.1", port=meter.port, timeout=0.3, retries=0, reconnect_delay=0)
    await client.connect()
    try:
        yield meter, client
    finally:
        client.close()
        await meter.stop()


async def floats(client: AsyncModbusTcpClient, address: int, count: int, *, holding: bool = False) -> list[float]:
    read = client.read_holding_registers if holding else client.read_input_registers
    result = await read(address, count=2 * count, device_id=1)
    assert not result.isError(), result
    return [struct.unpack(">f", struct.pack(">2H", *result.registers[at : at + 2]))[0] for at in range(0, 2 * count, 2)]


async def test_an_eastron_sdm630() -> None:
    async with served(MeterKind.SDM630) as (meter, client):
        meter.values = VALUES
        assert await floats(client, 0x00, 3) == [230.0] * 3
        assert await floats(client, 0x06, 3) == [12.5, 40.25, 3.5]
        assert await floats(client, 0x0C, 3) == [2875.0, 9257.5, -805.0]
        assert await floats(client, 0x34, 1) == [11327.5]
        assert await floats(client, 0x48, 2) == [1234.5, 70.0]
        holding = await client.read_holding_registers(0x06, count=2, device_id=1)
        assert holding.isError()


async def test_sunspec_203_in_integers_with_scale_factors() -> None:
    async with served(MeterKind.SUNSPEC_203) as (meter, client):
        meter.values = VALUES
        start = await client.read_holding_registers(SUNSPEC_BASE, count=4, device_id=1)
        assert start.registers == [0x5375, 0x6E53, 1, 66]
        model = (await client.read_holding_registers(SUNSPEC_BASE + SUNSPEC_MODEL_AT, count=109, device_id=1)).registers
        assert model[:2] == [203, 105] and model[107] == 0xFFFF
        assert [amps * 0.01 for amps in model[3:6]] == pytest.approx([12.5, 40.25, 3.5]) and model[6] == 0xFFFE
        watts = [value - 0x10000 if value & 0x8000 else value for value in model[18:22]]
        assert [value * 10 for value in watts] == pytest.approx([11327.5, 2875.0, 9257.5, -805.0], abs=5) and model[22] == 1
        assert (model[46] << 16) + model[47] == 1_234_500
        assert (model[38] << 16) + model[39] == 70_000


async def test_sunspec_213_in_floats() -> None:
    async with served(MeterKind.SUNSPEC_213) as (meter, client):
        meter.values = VALUES
        at = SUNSPEC_BASE + SUNSPEC_MODEL_AT
        head = (await client.read_holding_registers(at, count=2, device_id=1)).registers
        assert head == [213, 124]
        assert await floats(client, at + 4, 3, holding=True) == [12.5, 40.25, 3.5]
        assert await floats(client, at + 28, 4, holding=True) == [11327.5, 2875.0, 9257.5, -805.0]
        assert await floats(client, at + 60, 1, holding=True) == [70_000.0]
        assert await floats(client, at + 68, 1, holding=True) == [1_234_500.0]


async def test_a_frozen_meter_shows_what_it_showed() -> None:
    async with served(MeterKind.SDM630) as (meter, client):
        meter.values = VALUES
        meter.frozen = True
        meter.values = MeterValues(current_a=(1.0, 1.0, 1.0))
        assert await floats(client, 0x06, 1) == [12.5]
        meter.frozen = False
        assert await floats(client, 0x06, 1) == [1.0]


async def test_a_silent_meter_accepts_and_never_answers(caplog: pytest.LogCaptureFixture) -> None:
    async with served(MeterKind.SDM630) as (meter, client):
        meter.silent = True
        with pytest.raises(ModbusIOException):
            await client.read_input_registers(0x06, count=2, device_id=1)
        caplog.clear()  # the client complains, rightly
        meter.silent = False
        fresh = AsyncModbusTcpClient("127.0.0.1", port=meter.port, timeout=2)
        await fresh.connect()
        assert await floats(fresh, 0x00, 1) == [230.0]
        assert not [
            record for record in caplog.records if record.levelno >= logging.WARNING
        ]  # nor does the meter complain, of a client that has gone meanwhile
        fresh.close()


async def test_a_meter_that_is_gone_closes_its_port_and_comes_back_on_it() -> None:
    async with served(MeterKind.SDM630) as (meter, client):
        port = meter.port
        await meter.stop()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ModbusIOException):
            await client.read_input_registers(0x06, count=2, device_id=1)
        await meter.restart()
        assert meter.port == port
        fresh = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=2)
        assert await fresh.connect()
        assert await floats(fresh, 0x00, 1) == [230.0]
        fresh.close()
