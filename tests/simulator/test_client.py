"""The station's client over real sockets, and what it makes of a central system that breaks OCPP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
import json
from typing import Any

import pytest
from websockets.asyncio.server import serve

from simulator.client import Backoff, StationClient
from simulator.factory import StationSpec
from simulator.frames import FrameError, check, read
from simulator.station import StationModel
from simulator.transport import memory_transport, websocket

from .csms import TinyCsms, listening

QUICK = Backoff(first_s=0.01, most_s=0.02, random_s=0.0)


@asynccontextmanager
async def connected(csms: TinyCsms, **more: Any) -> AsyncGenerator[StationClient]:
    """A booted station on a real socket."""
    async with listening(csms) as url:
        client = StationClient(StationModel(StationSpec(identity="CP1"), datetime.now(UTC)), websocket(url), backoff=QUICK, **more)
        task = asyncio.create_task(client.run())
        try:
            await csms.until(lambda: csms.count("BootNotification"))
            yield client
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_it_boots_answers_and_reconnects_over_a_real_socket() -> None:
    csms = TinyCsms()
    async with connected(csms) as client:
        await csms.until(lambda: csms.count("StatusNotification"))
        answer = await csms.call("CP1", "GetCompositeSchedule", {"evseId": 1, "duration": 60})
        assert answer["schedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 32.0}]
        await csms.links["CP1"].close()
        await csms.until(lambda: csms.connections == 2)
        assert (await csms.call("CP1", "GetLocalListVersion", {})) == {"versionNumber": 0}
        assert csms.count("BootNotification") == 1
        assert client.connections == 2
        assert client.violations == []


async def test_it_dials_until_somebody_is_there_and_refuses_another_subprotocol() -> None:
    async def silent(_: Any) -> None:
        return

    async with serve(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match=r"ocpp2\.0\.1"):
            await websocket(f"ws://127.0.0.1:{port}")("CP1")
    with pytest.raises(OSError):
        await websocket(f"ws://127.0.0.1:{port}")("CP1")


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        ("no json", "no JSON"),
        ('[2,"1"]', "not a frame"),
        ('[2,"1","SetChargingProfile",{"evseId":1}]', "OccurrenceConstraintViolation"),
        ('[2,"1","SetChargingProfile",{"evseId":"1","chargingProfile":{}}]', "TypeConstraintViolation"),
        ('[2,"1","Reset",{"type":"Soon"}]', "PropertyConstraintViolation"),
        ('[2,"1","Reset",{"type":"OnIdle","now":true}]', "FormatViolation"),
        ('[5,"1",{}]', "MessageTypeNotSupported"),
        ('[2,"1","GetVariables",{"getVariableData":[]}]', "OccurrenceConstraintViolation"),
        ('[2,"1","MakeCoffee",{}]', "NotImplemented"),
        ('[3,"nobody asked",{}]', "nothing that was asked"),
    ],
)
async def test_what_the_central_system_does_amiss_is_kept_and_the_station_lives_on(frame: str, complaint: str) -> None:
    csms = TinyCsms()
    async with connected(csms) as client:
        await csms.until(lambda: csms.count("StatusNotification"))
        await csms.links["CP1"].send(frame)
        assert (await csms.call("CP1", "GetLocalListVersion", {})) == {"versionNumber": 0}
        assert [violation for violation in client.violations if complaint in violation.text and violation.frame]
        assert csms.connections == 1


async def test_an_answer_against_its_schema_is_a_violation_and_no_answer() -> None:
    csms = TinyCsms()
    csms.replies["BootNotification"] = {"status": "Accepted"}
    async with connected(csms) as client:
        with pytest.raises(TimeoutError):
            await csms.until(lambda: csms.count("StatusNotification"), 0.2)
        assert "BootNotificationResponse" in client.violations[0].text


async def test_a_call_before_acceptance_is_a_violation() -> None:
    csms = TinyCsms("Pending")
    async with connected(csms) as client:
        answer = await csms.call("CP1", "GetCompositeSchedule", {"evseId": 1, "duration": 60})
        assert "registration is pending" in client.violations[0].text
        assert answer["status"] == "Accepted"


async def test_a_second_call_before_the_first_is_answered_is_a_violation() -> None:
    csms = TinyCsms()
    client = StationClient(StationModel(StationSpec(identity="CP1"), datetime.now(UTC)), csms.connect, backoff=QUICK)
    task = asyncio.create_task(client.run())
    await csms.until(lambda: csms.count("StatusNotification"))
    link = csms.links["CP1"]
    assert (await csms.call("CP1", "GetLocalListVersion", {})) == {"versionNumber": 0}
    assert client.violations == []
    for message_id in "ab":
        link._outbox.put_nowait(json.dumps([2, message_id, "GetLocalListVersion", {}]))
    assert (await csms.call("CP1", "GetLocalListVersion", {})) == {"versionNumber": 0}
    assert "4.1.1" in client.violations[0].text
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_both_ends_of_a_memory_transport_close_together() -> None:
    station, csms = memory_transport()
    await station.send("last words")
    await station.close(1000, "")
    assert await csms.recv() == "last words"
    for end in (station, csms):
        with pytest.raises(ConnectionError):
            await end.recv()
        with pytest.raises(ConnectionError):
            await end.send("x")


def test_frames_are_checked_by_the_official_schemas() -> None:
    check("HeartbeatRequest", {})
    with pytest.raises(FrameError) as raised:
        check("HeartbeatRequest", {"extra": 1})
    assert raised.value.code == "FormatViolation"
    with pytest.raises(FrameError) as raised:
        read(json.dumps([2, "7", 5, {}]))
    assert (raised.value.code, raised.value.message_id) == ("RpcFrameworkError", "7")
