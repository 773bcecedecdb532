"""What pymodbus writes into the log of each failure is not repeated there for a meter that is told of once; it can be had all the same."""

import asyncio
from collections.abc import AsyncIterator
import logging

from pymodbus.client import AsyncModbusTcpClient
import pytest

from custom_components.headroom.metering import polling
from custom_components.headroom.metering.line import TcpLine
from custom_components.headroom.metering.modbus import ModbusMeter, ModbusMeterConfig
from custom_components.headroom.metering.reading import MeterError, Reading

from .server import Meter
from .test_line import SDM, load


@pytest.fixture(autouse=True)
def as_home_assistant_starts(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody has set a level for pymodbus, and that of everything is INFO."""
    caplog.set_level(logging.INFO)
    for name in ("pymodbus", "pymodbus.logging"):
        caplog.set_level(logging.NOTSET, name)
    caplog.handler.setLevel(logging.NOTSET)


@pytest.fixture
async def meter() -> AsyncIterator[Meter]:
    meter = Meter()
    load(meter)
    yield meter
    await meter.stop()


def of_pymodbus(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("pymodbus") and record.levelno >= logging.WARNING]


async def fails(port: int) -> None:
    """Read a meter that nobody answers for."""
    with pytest.raises(MeterError):
        await ModbusMeter(ModbusMeterConfig(line=TcpLine(host="127.0.0.1", port=port), device_id=1, model=SDM.key, timeout_s=0.5)).probe()


async def test_a_meter_that_is_away_is_told_by_us_alone(
    meter: Meter, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "BACKOFF_FIRST_S", 0.01)
    told: asyncio.Queue[Reading | MeterError | None] = asyncio.Queue()
    await meter.start()
    port = meter.port
    config = ModbusMeterConfig(line=TcpLine(host="127.0.0.1", port=port), device_id=1, model=SDM.key, timeout_s=0.5, interval_s=0.02)
    task = asyncio.create_task(ModbusMeter(config).run(told.put_nowait, told.put_nowait))
    assert isinstance(await told.get(), Reading)
    await meter.stop()
    while not isinstance(await told.get(), MeterError):
        pass
    await fails(port)
    await meter.start()
    while await told.get() is not None:
        pass
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert of_pymodbus(caplog) == []


@pytest.mark.parametrize(("name", "level"), [("pymodbus", logging.WARNING), ("pymodbus.logging", logging.INFO), ("", logging.DEBUG)])
async def test_who_asks_for_it_is_told(caplog: pytest.LogCaptureFixture, unused_tcp_port: int, name: str, level: int) -> None:
    caplog.set_level(level, name or None)
    await fails(unused_tcp_port)
    assert any("connect" in text.lower() for text in of_pymodbus(caplog))


async def test_others_who_use_pymodbus_are_told_as_ever(caplog: pytest.LogCaptureFixture, unused_tcp_port: int) -> None:
    await fails(unused_tcp_port)
    client = AsyncModbusTcpClient("127.0.0.1", port=unused_tcp_port, retries=0, reconnect_delay=0, timeout=0.5)
    assert not await client.connect()
    client.close()
    assert len(of_pymodbus(caplog)) == 1
