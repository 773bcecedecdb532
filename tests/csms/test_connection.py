"""The WebSocket server: who gets in, who stays."""

import asyncio
import contextlib
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
import time
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from custom_components.headroom.csms import listening, server
from custom_components.headroom.csms.authorization import AuthorizationStatus
from custom_components.headroom.csms.errors import StationError, StationOfflineError
from custom_components.headroom.csms.events import Connected, Disconnected, Ready
from custom_components.headroom.csms.memory import StationClock
from custom_components.headroom.csms.rpc import MOST_WAITING
from custom_components.headroom.csms.security.access import Access
from custom_components.headroom.csms.security.throttle import Limits
from custom_components.headroom.csms.values import Admission

from .client import BOOT, SILENCE, station
from .conftest import House, running


@pytest.mark.parametrize(
    ("path", "subprotocols", "status"),
    [
        ("/ocpp/", ["ocpp2.0.1"], 404),
        ("/", ["ocpp2.0.1"], 404),
        ("/a%20b", ["ocpp2.0.1"], 404),
        ("/a%2Fb", ["ocpp2.0.1"], 404),
        ("/%00", ["ocpp2.0.1"], 404),
        ("/" + "x" * 49, ["ocpp2.0.1"], 404),
        ("/REFUSED", ["ocpp2.0.1"], 403),
        ("/CP1", ["ocpp1.6", "ocpp2.1"], 400),
        ("/CP1", None, 400),
    ],
)
async def test_handshake_is_refused(house: House, path: str, subprotocols: Any, status: int) -> None:
    house.admissions["REFUSED"] = Admission.REFUSED
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{house.port}{path}", subprotocols=subprotocols):
            pass
    assert refused.value.response.status_code == status
    assert house.events == []


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/CP1", "CP1"),
        ("/a/deep/path/CP1", "CP1"),
        ("/CP%3A1%2B", "CP:1+"),
        ("/CP1?x=/y", "CP1"),
        ("/" + "x" * 48, "x" * 48),
        ("/*-_=:+|@.", "*-_=:+|@."),
    ],
)
async def test_identity_is_the_paths_last_part(house: House, path: str, identity: str) -> None:
    async with station(house.port, path, path="") as client:
        assert client.socket.subprotocol == "ocpp2.0.1"
        await house.until(Connected, identity)
        assert house.of(Connected, identity)[0].remote == "127.0.0.1"
        assert list(house.system.stations) == [identity]
    await house.until(Disconnected, identity)
    assert house.system.stations == {}


async def test_of_several_subprotocols_ours_is_taken(house: House) -> None:
    offered = [Subprotocol(name) for name in ("ocpp2.1", "ocpp2.0.1", "ocpp1.6")]
    async with connect(f"ws://127.0.0.1:{house.port}/CP1", subprotocols=offered) as socket:
        assert socket.subprotocol == "ocpp2.0.1"


async def test_a_live_station_is_not_replaced(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
        with pytest.raises(InvalidStatus) as refused:
            async with station(house.port):
                pass
        assert refused.value.response.status_code == 409
        assert "currentTime" in await client.call("Heartbeat", {})


async def test_a_dead_socket_makes_room(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REPLACE_PING_S", 0.1)
    monkeypatch.setattr(listening, "CLOSE_TIMEOUT_S", 0.1)
    await house.system.stop()
    await house.build().start("127.0.0.1", 0)
    async with station(house.port) as client:
        await house.boot(client)
        client.socket.transport.pause_reading()  # the station's cable is cut: nothing is heard any more, nothing answered
        async with station(house.port) as again:
            assert "currentTime" in await again.call("Heartbeat", {})
            assert house.kinds()[4:7] == ["Disconnected", "Connected", "Ready"]
        client.socket.transport.abort()


class Pair:
    """A transport in memory; it can't be pinged."""

    subprotocol = "ocpp2.0.1"
    remote = "memory"

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[str | None] = asyncio.Queue()
        self.sent: list[str] = []
        self.closed: tuple[int, str] | None = None

    async def send(self, text: str) -> None:
        if self.closed is not None:
            raise ConnectionError("closed")
        self.sent.append(text)

    async def recv(self) -> str:
        text = await self.incoming.get()
        if text is None:
            raise ConnectionError
        return text

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self.incoming.put_nowait(None)


async def test_any_transport_is_served_and_a_second_of_the_same_identity_is_not(house: House) -> None:
    first, second = Pair(), Pair()
    serving = asyncio.create_task(house.system.serve("CP1", first))
    await house.until(Connected)
    await house.system.serve("CP1", second)
    assert second.closed == (1008, "this identity is connected already")
    first.incoming.put_nowait('[2,"a","Heartbeat",{}]')
    first.incoming.put_nowait(None)
    await serving
    assert first.sent[0].startswith('[3,"a",{"currentTime":"')
    assert house.of(Disconnected)[0].reason == "connection lost"


class Wired(Pair):
    """A transport in memory whose ping the test answers."""

    def __init__(self) -> None:
        super().__init__()
        self.pings: asyncio.Queue[asyncio.Future[bool]] = asyncio.Queue()
        self.heard_at_s = time.monotonic()

    async def ping(self, timeout_s: float) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.pings.put_nowait(answer)
        return await answer


@pytest.mark.parametrize("answered", [True, False])
async def test_who_waits_for_a_place_does_not_take_it_from_who_came_in_meanwhile(house: House, *, answered: bool) -> None:
    first, waiting, third = Wired(), Pair(), Pair()
    tasks = [asyncio.create_task(house.system.serve("CP1", first))]
    await house.until(Connected)
    await first.pings.get()  # whether it is still there is looked at all the time
    tasks.append(asyncio.create_task(house.system.serve("CP1", waiting)))
    pong = await first.pings.get()
    first.incoming.put_nowait(None)
    await house.until(Disconnected)
    tasks.append(asyncio.create_task(house.system.serve("CP1", third)))
    await house.until(Connected, times=2)
    pong.set_result(answered)
    await tasks[1]
    assert waiting.closed == (1008, "this identity is connected already")
    assert len(house.of(Connected)) == 2 and third.closed is None
    await third.close(1000, "")
    await asyncio.gather(*tasks)
    assert house.system.stations == {}


async def test_a_late_answer_from_before_a_reconnect_is_nobodys(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
        before = client.message_ids
    async with station(house.port) as client:
        await client.call("Heartbeat", {})
        await house.station().install_fallback(1, 6)
        assert set(client.message_ids).isdisjoint(before) and len({*client.message_ids}) == len(client.message_ids)


@pytest.mark.parametrize("breaks", ["admit", "serve"])
async def test_a_mistake_of_ours_is_loud(
    house: House, breaks: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("broken")

    if breaks == "admit":
        await house.system.stop()
        monkeypatch.setattr(house, "admit", broken)
        await house.build().start("127.0.0.1", 0)
    else:
        monkeypatch.setattr(server, "V201Station", broken)
    for _ in range(2):
        with contextlib.suppress(InvalidStatus):
            async with connect(f"ws://127.0.0.1:{house.port}/CP1", subprotocols=[Subprotocol("ocpp2.0.1")]) as socket:
                await socket.wait_closed()
    assert len([record for record in caplog.records if record.exc_info and "broken" in str(record.exc_info[1])]) == 1


async def test_an_answer_that_cannot_be_sent_does_not_stop_what_came_after_it(house: House) -> None:
    transport = Pair()
    for number in range(2):
        transport.incoming.put_nowait(f'[2,"{number}","MeterValues",{{"evseId":1,"meterValue":[]}}]')
    transport.closed = (1006, "cut")
    transport.incoming.put_nowait(None)
    await house.system.serve("CP1", transport)
    assert house.kinds() == ["Connected", "Metered", "Metered", "Disconnected"]


async def test_requests_that_wait_for_a_station_that_does_not_answer_are_bounded(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        client.answers["SetChargingProfile"] = SILENCE
        waiting = [asyncio.create_task(found.install_fallback(1, 6)) for _ in range(MOST_WAITING + 1)]
        await client.until("SetChargingProfile")
        with pytest.raises(StationError, match="too many requests wait for CP1"):
            await found.install_fallback(1, 7)
        waiting[-1].cancel()
        await asyncio.wait(waiting[-1:])
        waiting.append(asyncio.create_task(found.install_fallback(1, 8)))  # whoever went away made room
        await asyncio.sleep(0)
        assert not waiting[-1].done()
        await client.socket.close()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, StationOfflineError | asyncio.CancelledError) for outcome in outcomes)


async def test_two_stations_do_not_disturb_each_other(house: House) -> None:
    async with station(house.port, "CP1") as one, station(house.port, "CP2") as two:
        await asyncio.gather(house.boot(one, "CP1"), house.boot(two, "CP2"))
        one.answers["SetChargingProfile"] = lambda payload: asyncio.Event().wait()  # hangs
        hanging = asyncio.create_task(house.station("CP1").install_fallback(1, 6))
        await one.until("SetChargingProfile")
        await house.station("CP2").install_fallback(1, 6)
        await one.socket.send("rubbish")
        await one.socket.close()
        await house.until(Disconnected, "CP1")
        await house.station("CP2").install_fallback(1, 7)
        with contextlib.suppress(Exception):
            await hanging
        assert list(house.system.stations) == ["CP2"]


async def test_unapproved_stations_are_few() -> None:
    access = Access(monotonic=time.monotonic, sleep=asyncio.sleep, limits=Limits(unapproved=2))
    admissions = {f"N{number}": Admission.PENDING for number in range(3)}
    async with running(House(admissions=admissions, access=access)) as house, AsyncExitStack() as stack:
        for identity in ("N0", "N1", "KNOWN"):
            await stack.enter_async_context(station(house.port, identity))
        with pytest.raises(InvalidStatus) as refused:
            async with station(house.port, "N2"):
                pass
        assert refused.value.response.status_code == 503


async def test_what_an_unapproved_station_said_is_forgotten(house: House) -> None:
    house.admissions["CP1"] = Admission.PENDING
    async with station(house.port) as client:
        await client.call("BootNotification", BOOT)
    await house.until(Disconnected)
    async with station(house.port):
        await house.until(Connected, times=2)
        assert house.station().info.vendor == ""


async def test_disconnect_closes_with_the_reason(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
        await house.system.disconnect("CP1", "removed " + "ö" * 100)
        await house.system.disconnect("nobody", "x")
        assert house.of(Disconnected) != []
        await client.socket.wait_closed()
        assert client.socket.close_code == 1000 and str(client.socket.close_reason).startswith("removed")


async def test_a_frame_that_is_too_large_closes_only_its_connection(house: House) -> None:
    async with station(house.port, "CP1") as one, station(house.port, "CP2") as two:
        with contextlib.suppress(ConnectionClosed):
            await one.socket.send("x" * (listening.LARGEST_FRAME_BYTES + 1))
        await house.until(Disconnected, "CP1")
        assert "currentTime" in await two.call("Heartbeat", {})


async def test_losing_and_regaining_a_station_is_logged_once_each(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for turn in range(1, 3):
        async with station(house.port) as client:
            if turn == 2:
                await house.boot(client)
        await house.until(Disconnected, times=turn)
    lines = [record.message for record in caplog.records if record.message.startswith("Station CP1")]
    assert len(lines) == 3  # gone (once, though it came twice without getting ready), back, gone
    assert lines[1] == "Station CP1 is back"


async def test_a_station_that_was_removed_and_added_anew_is_not_said_to_be_back(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with station(house.port):
        await house.until(Connected)
    await house.until(Disconnected)
    house.system.forget("CP1")
    async with station(house.port) as client:
        await house.boot(client)
    assert not [record for record in caplog.records if record.message == "Station CP1 is back"]


async def test_tokens_never_reach_the_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "custom_components")
    token = {"idToken": "VERY-SECRET-CARD", "type": 5}
    house.tokens["VERY-SECRET-CARD"] = AuthorizationStatus.INVALID
    async with station(house.port) as client:
        await client.call("Authorize", {"idToken": token})
        await client.error("Authorize", {"idToken": token | {"idToken": ["VERY-SECRET-CARD"]}})
        await client.send_raw('[2,"a","Authorize",["VERY-SECRET-CARD"]]')
    ours = [record for record in caplog.records if record.name.startswith("custom_components")]
    assert ours and not [record for record in ours if "VERY-SECRET-CARD" in record.getMessage()]


async def test_a_taken_port_is_an_oserror_and_a_stopped_system_has_none(house: House) -> None:
    other = House()
    with pytest.raises(OSError):
        await other.build().start("127.0.0.1", house.port)
    with pytest.raises(RuntimeError):
        _ = other.system.port
    await other.system.stop()


async def test_stop_says_goodbye_to_every_station(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with station(house.port, "CP1") as one, station(house.port, "CP2") as two:
        await house.boot(one, "CP1")
        await house.system.stop()
        for client in (one, two):
            await client.socket.wait_closed()
            assert client.socket.close_code == 1001
        assert house.kinds("CP1")[-1] == house.kinds("CP2")[-1] == "Disconnected"
        assert "is gone" not in caplog.text


async def test_many_stations_boot_at_once(house: House) -> None:
    await house.system.stop()
    await house.build(call_timeout_s=20.0, boot_wait_s=20.0, report_idle_s=20.0, inventory_s=30.0).start("127.0.0.1", 0)
    identities = [f"S{number}" for number in range(60)]

    async def one(identity: str) -> None:
        async with station(house.port, identity) as client:
            await house.boot(client, identity)

    await asyncio.gather(*(one(identity) for identity in identities))
    assert all(len(house.of(Ready, identity)) == 1 for identity in identities)


def test_the_clocks_offset_is_that_of_the_least_delayed_message_of_late() -> None:
    clock, now = StationClock(), datetime(2026, 1, 1, tzinfo=UTC)
    assert clock.offset_s == 0
    for delay_s in (40, 3, 12):
        clock.observe(now + timedelta(seconds=10 - delay_s), now)
    assert clock.offset_s == 7
    for _ in range(16):
        clock.observe(now - timedelta(seconds=30), now)  # it was put right meanwhile
    assert clock.offset_s == -30
    clock.forget()
    assert clock.offset_s == 0


def test_what_waited_for_its_connection_sets_no_clock_unless_the_next_is_late_by_the_same() -> None:
    clock, now = StationClock(), datetime(2026, 1, 1, tzinfo=UTC)
    clock.observe(now, now)
    opened = now + timedelta(minutes=10)
    for number in range(20):  # unanswered before, told now one after the other
        arrived = opened + timedelta(seconds=1 + number / 10)
        assert clock.observe(now + timedelta(seconds=5 * number), arrived, since=opened) == 0
    assert clock.offset_s == 0
    live = opened + timedelta(seconds=10)
    assert clock.observe(live, live, since=opened) == 0 and clock.offset_s == 0
    back = timedelta(minutes=-20)  # it was set back while it was away: whatever it tells seems to have waited
    assert clock.observe(live + back, live, since=opened) == 0
    live += timedelta(seconds=5)
    assert clock.observe(live + back, live, since=opened) == pytest.approx(-1200) and clock.offset_s == -1200
    assert clock.observe(live, live, since=opened) == pytest.approx(1200), "forward at once"
    clock = StationClock()
    assert clock.observe(live + back, live, since=opened) == 0 and not clock.sure, "nothing is judged by it yet"
    live += timedelta(seconds=5)
    assert clock.observe(live + back, live, since=opened) == pytest.approx(-1200), "what was told in between is to be told anew"
    assert clock.sure


def test_messages_that_are_all_late_by_the_same_tell_that_a_clock_was_set_back() -> None:
    clock, now = StationClock(), datetime(2026, 1, 1, tzinfo=UTC)
    clock.observe(now, now)
    set_by_s = [clock.observe(now - timedelta(seconds=30 + number / 10), now) for number in range(6)]
    assert set_by_s == [0.0, 0.0, 0.0, 0.0, 0.0, pytest.approx(-30.5)] and clock.offset_s == pytest.approx(-30.5)
    for delay_s in (3, 9, 4, 12, 5, 8, 3, 20):
        assert clock.observe(now - timedelta(seconds=30.5 + delay_s), now) == 0, "these are only late"
    assert clock.offset_s == pytest.approx(-30.5)
