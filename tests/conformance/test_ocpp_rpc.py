"""What we send, and how we answer, checked by somebody else: npm's ocpp-rpc in strict mode as the station.

It refuses each frame that breaks a schema of OCPP 2.0.1, so a run without a failure over every message of the standard, in every
corner of its schema, shows that no invalid frame leaves this house.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from custom_components.headroom.csms.authorization import AuthorizationStatus
from custom_components.headroom.csms.events import Ready
from tests.csms.conftest import House, running

from .messages import FROM_CSMS, FROM_STATION
from .payloads import actions, least, most, worded
from .strict_station import RefusedError, StrictStation, strict_station
from .typed_commands import TYPED, commands

BOTH_WAYS = {"DataTransfer"}
ANSWERS_ONLY = {"CertificateSigned", "GetTransactionStatus"}
"""What no command sends: it answers what a station does, or goes by `call`."""


@asynccontextmanager
async def ready() -> AsyncGenerator[tuple[House, StrictStation]]:
    """A central system and, connected, booted and ready, the strict station."""
    async with strict_station() as strict, running(House(tokens=defaultdict(lambda: AuthorizationStatus.ACCEPTED))) as house:
        await strict.connect(f"ws://127.0.0.1:{house.port}/ocpp")
        assert (await strict.call("BootNotification", FROM_STATION["BootNotification"][0]))["status"] == "Pending"
        await house.until(Ready)
        yield house, strict
        assert strict.failures == []
        assert strict.bad == [] and strict.refused == []


def corners(message: str) -> Iterator[Any]:
    yield least(f"{message}Request")
    yield most(f"{message}Request")
    yield from worded(f"{message}Request")


def test_the_messages_are_all_there_are() -> None:
    assert set(FROM_CSMS) | set(FROM_STATION) == set(actions())
    assert set(FROM_CSMS) & set(FROM_STATION) == BOTH_WAYS
    assert len(actions()) == 64


async def test_every_request_of_the_central_system_is_valid() -> None:
    async with ready() as (house, strict):
        station = house.station()
        sent = 0
        for action, payloads in FROM_CSMS.items():
            for payload in (*payloads, *corners(action)):
                if payload.get("requestedMessage") == "BootNotification":
                    continue  # the station would boot, and be pending, in the middle of it all
                assert isinstance(await station.call(action, payload), dict)
                sent += 1
        assert {action for action, _ in strict.requests} == set(FROM_CSMS)
        assert sent > 250


async def test_every_typed_command_sends_valid_requests() -> None:
    async with ready() as (house, strict):
        assert set(TYPED) == commands(house.station())  # one that is new needs its row in `typed_commands.py`
        await strict.call("TransactionEvent", FROM_STATION["TransactionEvent"][0])
        for name, calls in TYPED.items():
            for call in calls:
                before = len(strict.requests)
                await call(house.station())
                assert len(strict.requests) > before, f"{name} sent nothing"
        assert set(FROM_CSMS) - {action for action, _ in strict.requests} == ANSWERS_ONLY


async def test_every_request_of_a_station_is_answered_by_its_schema() -> None:
    async with ready() as (_, strict):
        for action, payloads in FROM_STATION.items():
            if action != "BootNotification":
                for payload in (*payloads, *corners(action)):
                    assert isinstance(await strict.call(action, payload), dict)
        for payload in corners("BootNotification"):
            assert (await strict.call("BootNotification", payload))["status"] in {"Accepted", "Pending"}
        assert set(strict.sent) == set(FROM_STATION)


async def test_the_strict_station_finds_what_breaks_a_schema() -> None:
    """The negative control: the same station before a server that sends nonsense."""
    answers: list[list[Any]] = []

    async def careless(connection: ServerConnection) -> None:
        async for text in connection:
            frame = json.loads(text)
            if frame[0] != 2:
                answers.append(frame)
                continue
            await connection.send(json.dumps([2, "1", "SetChargingProfile", {"evseId": "one", "chargingProfile": {}}]))
            await connection.send(json.dumps([2, "2", "GetVariables", {"getVariableData": [], "surprise": True}]))
            await connection.send(json.dumps([2, "3", "ReserveNow", {"id": 1, "expiryDateTime": "soon", "idToken": {"idToken": "x"}}]))
            await connection.send("nonsense")
            await connection.send(json.dumps([3, frame[1], {"status": "Perhaps", "currentTime": "now"}]))

    async with strict_station() as strict, serve(careless, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp2.0.1")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await strict.connect(f"ws://127.0.0.1:{port}")
        with pytest.raises(RefusedError):
            await strict.call("BootNotification", FROM_STATION["BootNotification"][0])
        await strict.close()
    found = [(failure.action, failure.where) for failure in strict.failures]
    assert sorted(found) == [
        ("BootNotification", "received response"),
        ("GetVariables", "received request"),
        ("ReserveNow", "received request"),
        ("SetChargingProfile", "received request"),
    ]
    assert len(strict.bad) == 1
