"""Security profiles 0 and 1 over real sockets: who gets in by a password, and how passwords change over the air."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from custom_components.headroom.csms.errors import CallRejectedError, CallTimeoutError, StationError
from custom_components.headroom.csms.events import Disconnected, Ready
from custom_components.headroom.csms.security.credentials import generate_password, hash_password, verify_password
from custom_components.headroom.csms.security.recognition import MOST_SENT_PASSWORDS, PASSWORD, StationSecurity
from custom_components.headroom.csms.security.throttle import Limits
from custom_components.headroom.csms.security.upgrade import Upgrade, UpgradeError, rotate_password, upgrade

from .client import Client
from .secured import KNOWN, WORD, Castle, basic, castle


async def test_without_being_asked_for_anything_everyone_is_served(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", StationSecurity())) as site, site.connect() as client:
        await site.house.boot(client)
        assert site.system.profile("CP1") == 0


async def test_profile_1_the_right_password(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        assert site.system.profile("CP1") == PASSWORD
        assert site.events == [] and site.kept == {}


@pytest.mark.parametrize(
    ("identity", "password", "user"),
    [
        ("CP1", None, None),
        ("CP1", generate_password(), None),
        ("CP1", WORD, "CP2"),
        ("CP1", WORD[:-1], None),
        ("CP1", "", None),
        ("STRANGER", None, None),
        ("STRANGER", WORD, None),
        ("STRANGER", WORD, "CP1"),
    ],
    ids=(
        "no password",
        "another password",
        "another's name",
        "part of it",
        "empty",
        "nobody",
        "nobody with a password",
        "nobody as another",
    ),
)
async def test_everything_else_is_answered_alike(tmp_path: Path, identity: str, password: str | None, user: str | None) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        with pytest.raises(InvalidStatus) as refused:
            async with site.connect(identity, password, user=user):
                pass
        response = refused.value.response
        assert (response.status_code, response.body) == (401, b"not recognised\n")
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
        assert site.house.events == []
        assert site.kinds() == ["login_failed" if identity == "CP1" else "unknown_station"]
        assert list(site.access.knocks) == ([] if identity == "CP1" else ["STRANGER"])


async def test_two_authorization_headers_are_none(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.system.port)
        header = f"Authorization: {basic('CP1', WORD)}\r\n"
        writer.write(
            b"GET /CP1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n" + (header * 2).encode() + b"\r\n"
        )
        assert b" 401 " in await reader.readline()
        writer.close()


@pytest.mark.parametrize("value", ["Basic \xe9\xe9\xe9\xe9", "Basic 8J+Y", "Basic /////w==", "Basic", "Bearer x", "Basic " + "A" * 600])
async def test_a_header_that_makes_no_sense_is_a_wrong_answer(tmp_path: Path, value: str) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.system.port)
        head = [
            "GET /CP1 HTTP/1.1",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol: ocpp2.0.1",
            f"Authorization: {value}",
        ]
        writer.write("\r\n".join([*head, "", ""]).encode("latin-1"))
        assert b"401" in await reader.readline()
        writer.close()
        assert site.kinds() == ["login_failed"]


async def test_no_password_reaches_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "custom_components")
    wrong = generate_password()
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        assert await site.status("CP1", wrong) == 401
        async with site.connect("CP1", WORD) as client:
            await site.house.boot(client)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("custom_components")]
    assert any("login failed" in line for line in ours)
    assert not [line for line in ours if wrong in line or WORD in line or str(KNOWN.password) in line]


async def test_a_new_password_holds_from_its_first_use_and_the_old_one_until_then(tmp_path: Path) -> None:
    new = generate_password()
    changing = StationSecurity(profile=PASSWORD, password=hash_password(WORD), sent_passwords=(hash_password(new),))
    async with castle(tmp_path, ("CP1", changing), required=PASSWORD) as site:
        assert await site.status("CP1", WORD) == 101  # it has not taken it over yet, or never will
        assert site.kept == {}
        assert await site.status("CP1", new) == 101
        assert site.kept["CP1"] == StationSecurity(profile=PASSWORD, password=changing.sent_passwords[0])
        assert await site.status("CP1", WORD) == 401
        assert site.kinds() == ["password_changed", "login_failed"]


# A second socket


async def test_whoever_knows_only_the_name_does_not_get_the_socket(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        assert await site.status("CP1", "guess") == 401
        assert await site.status("CP1") == 401
        assert "currentTime" in await client.call("Heartbeat", {})


async def test_who_has_shown_who_it_is_replaces_the_old_socket(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site, site.connect("CP1", WORD) as old:
        await site.house.boot(old)
        async with site.connect("CP1", WORD) as new:
            await old.socket.wait_closed()
            assert old.socket.close_code == 1001
            assert "currentTime" in await new.call("Heartbeat", {})
            await site.house.until(Ready, times=2)
            assert site.house.kinds()[-3:] == ["Disconnected", "Connected", "Ready"]
        assert "connection_replaced" in site.kinds()


# The first password of a station that had none


def upgrading(client: Client, *refused: str) -> None:
    """Have a station answer what an upgrade asks of it, and refuse some of that."""
    slots = {"NetworkConfigurationPriority": "1,2", "ActiveNetworkProfile": "1"}

    def read(payload: Mapping[str, Any]) -> dict[str, Any]:
        items = payload["getVariableData"]
        return {
            "getVariableResult": [
                item | {"attributeStatus": "Accepted", "attributeValue": slots[item["variable"]["name"]]} for item in items
            ]
        }

    def no(action: str) -> dict[str, str]:
        return {"status": "Rejected" if action in refused else "Accepted"}

    client.answers |= {"GetVariables": read, "SetNetworkProfile": no("SetNetworkProfile"), "Reset": no("Reset")}


TO_PASSWORD = Upgrade(profile=PASSWORD, url="ws://host", interface="Wired0")


async def test_who_took_a_password_and_does_not_show_it_may_stay_for_a_while_only(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", StationSecurity())) as site:
        async with site.connect() as client:
            upgrading(client)
            station = await site.house.boot(client)
            await upgrade(station, site.access, TO_PASSWORD)
            sent = next(
                item["attributeValue"]
                for payload in client.requests("SetVariables")
                for item in payload["setVariableData"]
                if item["variable"]["name"] == "BasicAuthPassword"
            )
        await site.house.until(Disconnected)
        site.clock.now += 3600  # it was busy for an hour: what counts is when it comes back
        assert await site.status("CP1") == 101
        assert site.kinds() == ["password_not_shown"]
        site.clock.now += site.limits.switching_s - 1
        assert await site.status("CP1") == 101
        site.clock.now += 2
        assert await site.status("CP1") == 401
        assert await site.status("CP1", WORD) == 401
        assert site.kinds()[-1] == "login_failed"
        site.clock.now += 60
        assert await site.status("CP1", sent) == 101
        assert site.kept["CP1"].profile == PASSWORD and not site.kept["CP1"].password_due
        assert await site.status("CP1") == 401


async def test_who_came_without_its_password_is_sent_away_in_the_end(tmp_path: Path) -> None:
    owing = StationSecurity(sent_passwords=(hash_password(WORD),), password_due=True)
    async with castle(tmp_path, ("CP1", owing), limits=Limits(switching_s=0.3)) as site, site.connect() as client:
        await site.house.boot(client)
        await client.socket.wait_closed()
        assert client.socket.close_code == 1008
        await site.house.until(Disconnected)


async def test_with_its_password_it_takes_the_place_of_who_came_without(tmp_path: Path) -> None:
    owing = StationSecurity(sent_passwords=(hash_password(WORD),), password_due=True)
    async with castle(tmp_path, ("CP1", owing)) as site, site.connect() as impostor:
        await site.house.boot(impostor)
        async with site.connect("CP1", WORD) as client:
            await impostor.socket.wait_closed()
            assert "currentTime" in await client.call("Heartbeat", {})
        assert site.kept["CP1"] == StationSecurity(profile=PASSWORD, password=owing.sent_passwords[0])


@pytest.mark.parametrize("refused", ["SetNetworkProfile", "Reset"])
async def test_a_station_that_is_not_brought_to_another_profile_connects_as_before(tmp_path: Path, refused: str) -> None:
    async with castle(tmp_path, ("CP1", StationSecurity())) as site:
        async with site.connect() as client:
            upgrading(client, refused)
            station = await site.house.boot(client)
            with pytest.raises(UpgradeError):
                await upgrade(station, site.access, TO_PASSWORD)
        # It restarts by itself one day, and then it is by the new profile.
        assert site.kept["CP1"].password_due is (refused == "Reset")
        await site.house.until(Disconnected)
        assert await site.status("CP1") == 101
        site.clock.now += site.limits.switching_s + 1
        assert await site.status("CP1") == (401 if refused == "Reset" else 101)


# Passwords over the air that nobody acknowledges


async def rotate_unanswered(site: Castle, times: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Send CP1 so many passwords, to none of which it answers; returns them."""
    sent: list[str] = []
    station = site.system.stations["CP1"]

    async def unanswered(password: str) -> None:
        sent.append(password)
        raise CallTimeoutError("SetVariables: no answer")

    monkeypatch.setattr(station.certificates, "set_password", unanswered)
    for _ in range(times):
        with pytest.raises(CallTimeoutError):
            await rotate_password(station, site.access)
    return sent


async def test_every_password_that_may_be_in_force_opens_until_one_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        async with site.connect("CP1", WORD) as client:
            await site.house.boot(client)
            sent = await rotate_unanswered(site, 2, monkeypatch)
        await site.house.until(Disconnected)
        assert await site.status("CP1", WORD) == 101
        assert await site.status("CP1", sent[0]) == 101  # it may have taken the first and never have seen the second
        assert await site.status("CP1", WORD) == 401
        assert await site.status("CP1", sent[1]) == 401


async def test_of_many_passwords_sent_the_newest_and_the_one_in_use_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        async with site.connect("CP1", WORD) as client:
            await site.house.boot(client)
            sent = await rotate_unanswered(site, MOST_SENT_PASSWORDS + 2, monkeypatch)
        assert len(site.kept["CP1"].sent_passwords) == MOST_SENT_PASSWORDS
        await site.house.until(Disconnected)
        assert await site.status("CP1", WORD) == 101
        assert await site.status("CP1", sent[-1]) == 101


async def test_a_refusal_takes_back_only_the_password_that_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        station = site.system.stations["CP1"]
        sent: list[str] = []

        async def answer(password: str) -> None:
            sent.append(password)
            raise CallTimeoutError("SetVariables: no answer") if len(sent) == 1 else CallRejectedError("SetVariables", "Rejected")

        monkeypatch.setattr(station.certificates, "set_password", answer)
        for _ in range(2):
            with pytest.raises(StationError):
                await rotate_password(station, site.access)
        (left,) = site.kept["CP1"].sent_passwords
        assert verify_password(sent[0], left)
