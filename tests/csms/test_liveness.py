"""A station that is gone without a word is noticed; one that only answers no pings is not taken for gone."""

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.frames import Opcode

from custom_components.headroom.csms import liveness
from custom_components.headroom.csms.events import Connected, Disconnected
from custom_components.headroom.csms.learnt import Learnt
from custom_components.headroom.csms.liveness import MISSED, SHORT_HEARTBEAT_S, SLACK_S, Liveness
from custom_components.headroom.csms.memory import Memory
from custom_components.headroom.csms.quirks import known_of, parse
from custom_components.headroom.csms.v201.timing import Timing
from custom_components.headroom.csms.values import Inventory

from .client import BOOT, Client, station
from .conftest import PATIENT, House, running

UPGRADE = (
    "GET /ocpp/CP1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n"
)
HEARTBEAT = b'[2,"a","Heartbeat",{}]'
MASKED = bytes((0x81, 0x80 | len(HEARTBEAT), 0, 0, 0, 0)) + HEARTBEAT
"""A text frame whose mask is zero, as good as any."""
OWN_PING = bytes((0x89, 0x80, 0, 0, 0, 0))
PING = b"\x89\x04"
"""How a ping of the library begins: four bytes of payload."""
HASTY = Timing(ping_interval_s=0.05, ping_timeout_s=0.3, boot_wait_s=30)


def test_a_lost_station_is_noticed_within_a_minute() -> None:
    timing = Timing()
    assert timing.ping_interval_s + timing.ping_timeout_s <= 50
    assert MISSED * SHORT_HEARTBEAT_S + SLACK_S <= 50


async def test_a_station_that_goes_silent_without_closing_is_gone() -> None:
    async with running(House(timing=HASTY)) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(UPGRADE.encode())
        assert b" 101 " in await reader.readline()
        await house.until(Connected)
        async with asyncio.timeout(20):
            await house.until(Disconnected)
        writer.close()


@pytest.mark.parametrize("sign", [MASKED, OWN_PING])
async def test_a_station_that_answers_no_ping_but_speaks_or_pings_by_itself_stays(sign: bytes) -> None:
    async with running(House(timing=HASTY)) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(UPGRADE.encode())
        pings = 0
        while pings < 4:  # each comes when the one before was waited for in vain
            writer.write(sign)
            pings += (await reader.read(4096)).count(PING)
        assert house.of(Disconnected) == []
        writer.close()
        await house.until(Disconnected)


async def test_a_mistake_of_ours_leaves_no_station_unwatched(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    times = 0

    def broken(info: Any) -> Any:
        nonlocal times
        times += 1
        if times in (1, 2):
            raise RuntimeError("broken")
        return known_of(info)

    monkeypatch.setattr(liveness, "known_of", broken)
    monkeypatch.setattr(liveness, "ANEW_S", 0.0)
    async with running(House(timing=HASTY)) as house:
        _, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(UPGRADE.encode())
        async with asyncio.timeout(20):
            await house.until(Disconnected)
        writer.close()
    assert len([record for record in caplog.records if record.exc_info and "broken" in str(record.exc_info[1])]) == 1


class Unanswering(ClientConnection):
    """A station's socket that answers no ping."""

    def __init__(self, protocol: Any, **settings: Any) -> None:
        send = protocol.send_frame
        protocol.send_frame = lambda frame: None if frame.opcode is Opcode.PONG else send(frame)
        super().__init__(protocol, **settings)


def heartbeats(client: Client) -> list[str]:
    return [
        item["attributeValue"]
        for payload in client.requests("SetVariables")
        for item in payload["setVariableData"]
        if item["variable"]["name"] == "HeartbeatInterval"
    ]


async def test_a_station_that_answers_no_pings_is_told_to_speak_more_often_and_known_again() -> None:
    async with running(House(timing=replace(PATIENT, ping_interval_s=0.05, ping_timeout_s=1))) as house:
        async with station(house.port, create_connection=Unanswering) as client:
            await house.boot(client)
            assert heartbeats(client) == ["60"]
            while heartbeats(client) == ["60"]:
                await client.call("Heartbeat", {})
            assert heartbeats(client) == ["60", "20"]
            while (house.system.memories["CP1"].configured or {})["OCPPCommCtrlr.HeartbeatInterval"] == "60":
                await client.call("Heartbeat", {})  # until its answer is taken in
            assert (await client.call("BootNotification", BOOT))["interval"] == 20
        memory = Memory.from_document(house.system.memories["CP1"].document())
        assert memory.learnt.answers_pings is False
        assert memory.learnt.meet(("another", "", "")) and memory.learnt.answers_pings is None
        await house.until(Disconnected)
        async with station(house.port) as client:  # its owner mended it
            assert await client.call("BootNotification", BOOT)
            while house.system.memories["CP1"].learnt.answers_pings is False:
                await client.call("Heartbeat", {})


async def test_a_station_that_answers_no_pings_is_gone_once_its_heartbeats_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "SLACK_S", 0.0)
    hasty = House(timing=replace(PATIENT, heartbeat_interval_s=1, ping_interval_s=0.05, ping_timeout_s=0.5))
    async with running(hasty) as house, station(house.port, create_connection=Unanswering) as client:
        await house.boot(client)
        while house.system.memories["CP1"].learnt.answers_pings is None:
            await client.call("Heartbeat", {})
        assert (await house.until(Disconnected)).reason


QUIRKS = """
[[quirk]]
vendor = "acme"
model = "*"
why = "Hangs up on a ping."
source = "a thread"
habits = { ping_interval_s = 0, heartbeat_interval_s = 15 }
"""


def watched(*, answers: bool | None = None, own_pings: str = "", set_s: str = "") -> Liveness:
    variables = {"OCPPCommCtrlr.WebSocketPingInterval": own_pings} if own_pings else {}
    memory = Memory(learnt=Learnt(answers_pings=answers), inventory=Inventory(variables=variables))
    if set_s:
        memory.configured = {"OCPPCommCtrlr.HeartbeatInterval": set_s}
    return Liveness(memory, heartbeat_interval_s=60, ping_interval_s=20, ping_timeout_s=20)


@pytest.mark.parametrize(
    ("known", "heartbeat_s", "silence_s", "too_long"),
    [
        (watched(), 60, 20, False),
        (watched(answers=True, own_pings="0"), 60, 20, False),
        (watched(answers=False), 20, 125, False),  # until it is set
        (watched(answers=False, set_s="60"), 60, 125, True),
        (watched(answers=False, set_s="20"), 20, 45, False),
        (watched(answers=False, set_s="300"), 300, 605, False),  # a person set it
        (watched(answers=False, own_pings="0", set_s="60"), 60, 125, True),
        (watched(answers=False, own_pings="10", set_s="60"), 60, 25, False),  # its own pings show it
        (watched(answers=False, own_pings="300", set_s="20"), 20, 45, False),
    ],
)
def test_how_long_a_station_may_be_silent_is_by_what_it_does(known: Liveness, heartbeat_s: int, silence_s: float, too_long: bool) -> None:
    assert (known.heartbeat_interval_s, known.pulse.silence_s, known.too_long) == (heartbeat_s, silence_s, too_long)


def test_a_station_that_takes_pings_amiss_is_never_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    quirks = parse(QUIRKS)
    monkeypatch.setattr(liveness, "known_of", lambda info: known_of(info, quirks))
    memory = Memory()
    found = Liveness(memory, heartbeat_interval_s=60, ping_interval_s=20, ping_timeout_s=20)
    assert found.pulse.ping_interval_s == 20
    memory.info = replace(memory.info, vendor="ACME")
    assert (found.pulse.ping_interval_s, found.pulse.by_messages, found.heartbeat_interval_s) == (float("inf"), True, 15)
