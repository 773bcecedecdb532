"""What a station costs does not grow with what it says: ten thousand messages leave no more behind than the first few hundred."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
import gc
import json
import sys
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.conformance.messages import FROM_STATION, METER, event

from .client import BOOT, station
from .conftest import House

WINDOW = 100
MESSAGES = 10_000
MOST_BLOCKS = 1000
"""Blocks of memory that may come and go; one kept for each message would be ten times as many."""


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """A car that charges for days: meter values, transaction events, heartbeats, states; and what comes rarely."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    seq_no = 0
    while True:
        for action in ("MeterValues", "TransactionEvent", "Heartbeat", "StatusNotification", "NotifyEvent", "DataTransfer", "NotifyReport"):
            if action == "TransactionEvent":
                seq_no += 1
                at = (began + timedelta(seconds=10 * seq_no)).isoformat()
                yield action, event("Updated", 0, "MeterValuePeriodic", meterValue=METER, seqNo=seq_no, timestamp=at)
            else:
                yield action, dict(FROM_STATION[action][0])


async def send(socket: ClientConnection, messages: Iterator[tuple[str, dict[str, Any]]], count: int) -> None:
    """Send requests in windows, and wait for their answers."""
    for _ in range(count // WINDOW):
        for number in range(WINDOW):
            await socket.send(json.dumps([2, str(number), *next(messages)]))
        answered = 0
        while answered < WINDOW:
            frame = json.loads(await socket.recv())
            if frame[0] == 2:
                await socket.send(json.dumps([4, frame[1], "NotSupported", "", {}]))
            else:
                assert frame[0] == 3, frame
                answered += 1


async def test_ten_thousand_messages_leave_nothing_behind(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")  # it keeps what is logged
    async with station(house.port) as client:
        await house.boot(client)
    url = f"ws://127.0.0.1:{house.port}/CP1"
    async with connect(url, subprotocols=[Subprotocol("ocpp2.0.1")], max_queue=None, compression=None) as socket:
        messages = requests()
        await send(socket, messages, 1000)
        house.events.clear()
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(10):
            await send(socket, messages, MESSAGES // 10)
            house.events.clear()  # the test's own
            house._tasks.clear()
        gc.collect()
        assert sys.getallocatedblocks() - before < MOST_BLOCKS


async def test_stations_that_come_and_go_leave_nothing_behind(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")

    async def come_and_go(times: int) -> None:
        for _ in range(times):
            async with station(house.port) as client:
                await client.call("BootNotification", BOOT)
            while house.system.stations:
                await asyncio.sleep(0)
        house.events.clear()
        house._tasks.clear()
        gc.collect()

    async with station(house.port) as client:
        await house.boot(client)
    await come_and_go(120)
    tasks, before = len(asyncio.all_tasks()), sys.getallocatedblocks()
    await come_and_go(100)
    assert len(asyncio.all_tasks()) <= tasks
    assert sys.getallocatedblocks() - before < MOST_BLOCKS
