"""Who guesses passwords, and who floods, over real sockets; and that the others notice nothing."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from custom_components.headroom.csms.events import Ready
from custom_components.headroom.csms.security import throttle
from custom_components.headroom.csms.security.access import Claim
from custom_components.headroom.csms.security.credentials import BasicCredentials, generate_password
from custom_components.headroom.csms.security.recognition import PASSWORD, StationSecurity
from custom_components.headroom.csms.security.throttle import Limits

from .client import BOOT
from .secured import BROKEN, KNOWN, WORD, castle


async def test_brute_force_is_slowed_and_the_real_station_gets_in(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), ("CP2", KNOWN), required=PASSWORD) as site:
        assert await site.status("CP2", WORD) == 101  # at home here
        for _ in range(12):
            assert await site.status("CP1", generate_password()) == 401
        assert site.clock.waits[:3] == [1.0, 2.0, 4.0]  # two wrong ones are free
        assert max(site.clock.waits) == site.limits.longest_hold_s and len(site.clock.waits) == 10
        # The others behind this address notice nothing, be they new there or not.
        waits = len(site.clock.waits)
        assert await site.status("CP2", WORD) == 101
        # The one that is guessed at is looked at as soon as the delay is over, and then it is right.
        site.clock.now += throttle.LONGEST_DELAY_S
        assert await site.status("CP1", WORD) == 101
        assert len(site.clock.waits) == waits
        # From then on it is at home here: guesses at it cost it 10 s at most.
        for _ in range(12):
            assert await site.status("CP1", generate_password()) == 401
        site.clock.now += throttle.LONGEST_DELAY_AT_HOME_S
        assert await site.status("CP1", WORD) == 101


async def test_guesses_from_elsewhere_do_not_keep_out_a_station_that_is_not_at_home_yet(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        # As after a restart of ours: nobody is at home, and a guesser leaves no moment between two delays.
        for _ in range(13):
            guess = Claim(identity="CP1", remote="10.0.0.66", credentials=BasicCredentials("CP1", generate_password()))
            assert (await site.access.enter(guess)).refusal is not None
        waits = len(site.clock.waits)
        assert await site.status("CP1", WORD) == 101
        assert len(site.clock.waits) == waits


async def test_guessing_in_parallel_is_no_faster(tmp_path: Path) -> None:
    limits = Limits(held_per_address=3)
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD, limits=limits) as site:
        held, go_on = 0, asyncio.Event()

        async def hold(wait_s: float) -> None:
            nonlocal held
            held += 1
            await go_on.wait()

        site.access._sleep = hold
        for _ in range(throttle.FREE_FAILURES):
            await site.status("CP1", "x")

        async def guess() -> object:
            try:
                return await site.status("CP1", "x")
            except BROKEN:
                return "hung up on"

        guesses = [asyncio.create_task(guess()) for _ in range(8)]
        done, _ = await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 5:
            done, _ = await asyncio.wait(guesses, timeout=0.01)
        assert held == 3 and [task.result() for task in done] == ["hung up on"] * 5
        go_on.set()
        assert [result for result in await asyncio.gather(*guesses) if result == 401] == [401] * 3
        assert await site.status("CP1", WORD) in {101, 401}


async def test_connections_have_a_bound(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), limits=Limits(strangers_per_address=2, handshake_s=30)) as site:
        idle = [await asyncio.open_connection("127.0.0.1", site.system.port) for _ in range(2)]
        with pytest.raises(BROKEN):
            await site.status("CP1", WORD)
        assert site.kinds() == ["too_many_connections"]
        idle[0][1].close()
        await idle[0][1].wait_closed()
        while site.access.seats.taken > 1:
            await asyncio.sleep(0)
        async with site.connect("CP1", WORD) as client:  # and once it is let in, it takes no stranger's seat
            await site.house.boot(client)
            assert site.access.seats._strangers == {"127.0.0.1": 1}
        idle[1][1].close()


async def test_who_says_nothing_is_hung_up_on(tmp_path: Path) -> None:
    async with castle(tmp_path, limits=Limits(handshake_s=0.05)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.system.port)
        assert await reader.read() == b""
        writer.close()
        while site.access.seats.taken:
            await asyncio.sleep(0)


async def test_who_begins_no_tls_is_hung_up_on_sooner(tmp_path: Path) -> None:
    async with castle(tmp_path, limits=Limits(handshake_s=300, tls_handshake_s=0.05)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.system.tls_port)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(("speaks", "reason"), [(False, "it said nothing"), (True, "not approved in time")])
async def test_a_stranger_may_not_stay_for_ever(tmp_path: Path, speaks: bool, reason: str) -> None:
    limits = Limits(first_message_s=0.1, unapproved_s=0.2)
    async with castle(tmp_path, limits=limits, real_clock=True) as site, site.connect("NEW") as client:
        if speaks:
            assert (await client.call("BootNotification", BOOT))["status"] == "Pending"
        await client.socket.wait_closed()
        assert (client.socket.close_code, client.socket.close_reason) == (1008, reason)


async def test_a_stranger_that_is_approved_stays(tmp_path: Path) -> None:
    limits = Limits(first_message_s=0.05, unapproved_s=0.1)
    async with castle(tmp_path, limits=limits, real_clock=True) as site, site.connect("NEW") as client:
        assert (await client.call("BootNotification", BOOT))["status"] == "Pending"
        site.stations["NEW"] = StationSecurity()
        await site.system.approve("NEW")
        await site.house.until(Ready, "NEW")
        watching = next(task for task in asyncio.all_tasks() if "_send_away" in str(task.get_coro()))
        await asyncio.wait((watching,))
        assert "currentTime" in await client.call("Heartbeat", {})


async def test_a_flood_is_slowed_down_and_then_ended(tmp_path: Path) -> None:
    limits = Limits(frames_per_s=10, frames_burst=20, flood_s=30)
    async with castle(tmp_path, ("CP1", KNOWN), ("CP2", KNOWN), limits=limits) as site, site.connect("CP2", WORD) as other:
        async with site.connect("CP1", WORD) as client:
            await site.house.boot(client)
            before = site.clock.now
            with contextlib.suppress(ConnectionClosed):
                for number in range(2000):
                    await client.socket.send(f'[2,"{number}","Heartbeat",{{}}]')
            await client.socket.wait_closed()
            assert (client.socket.close_code, client.socket.close_reason) == (1008, "too many frames")
            assert 30 <= site.clock.now - before < 60
            assert sum(site.clock.waits) == pytest.approx(site.clock.now - before)
        assert site.kinds() == ["flood"]
        assert "currentTime" in await other.call("Heartbeat", {})
        assert await site.status("CP1", WORD) == 101


async def test_a_backlog_is_no_flood(tmp_path: Path) -> None:
    limits = Limits(frames_per_s=50, frames_burst=500)
    async with castle(tmp_path, ("CP1", KNOWN), limits=limits) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        for _ in range(300):
            await client.call("Heartbeat", {})
        assert site.clock.waits == [] and site.events == []
