"""A station that is gone without a word is noticed; one that only answers no pings is not taken for gone."""

import asyncio
import base64

from custom_components.headroom.csms.station import Connected, Disconnected
from custom_components.headroom.csms.v201.station import Timing

from .conftest import House, running

UPGRADE = (
    "GET /ocpp/CP1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n"
)
HEARTBEAT = b'[2,"a","Heartbeat",{}]'
MASKED = bytes((0x81, 0x80 | len(HEARTBEAT), 0, 0, 0, 0)) + HEARTBEAT
"""A text frame whose mask is zero, as good as any."""
PING = b"\x89\x04"
"""How a ping of the library begins: four bytes of payload."""
HASTY = Timing(ping_interval_s=0.05, ping_timeout_s=0.3, boot_wait_s=30)


def test_a_lost_station_is_noticed_within_a_minute() -> None:
    timing = Timing()
    assert timing.ping_interval_s + timing.ping_timeout_s <= 50


async def test_a_station_that_goes_silent_without_closing_is_gone() -> None:
    async with running(House(timing=HASTY)) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(UPGRADE.encode())
        assert b" 101 " in await reader.readline()
        await house.until(Connected)
        async with asyncio.timeout(20):
            await house.until(Disconnected)
        writer.close()


async def test_a_station_that_answers_no_ping_but_speaks_stays() -> None:
    async with running(House(timing=HASTY)) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(UPGRADE.encode())
        pings = 0
        while pings < 4:  # each comes when the one before was waited for in vain
            writer.write(MASKED)
            pings += (await reader.read(4096)).count(PING)
        assert house.of(Disconnected) == []
        writer.close()
        await house.until(Disconnected)
