"""Each security profile walked over real sockets, with real TLS and certificates; and what everybody else runs into."""

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path
import socket
import ssl
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from custom_components.headroom.csms.errors import CallRejectedError, CallTimeoutError, StationError
from custom_components.headroom.csms.events import Connected, Disconnected, Ready
from custom_components.headroom.csms.security import authority, throttle
from custom_components.headroom.csms.security.access import (
    CERTIFICATE,
    MOST_SENT_PASSWORDS,
    PASSWORD,
    PASSWORD_OVER_TLS,
    Claim,
    StationCertificate,
    StationSecurity,
)
from custom_components.headroom.csms.security.credentials import BasicCredentials, generate_password, hash_password, verify_password
from custom_components.headroom.csms.security.throttle import Limits
from custom_components.headroom.csms.security.tls import ClientCertificates
from custom_components.headroom.csms.security.upgrade import rotate_password

from .client import BOOT
from .secured import NOW, ROOT, basic, castle, key_pem, self_signed, signing_request

WORD = generate_password()
KNOWN = StationSecurity(profile=PASSWORD, password=hash_password(WORD))
BROKEN = (ssl.SSLError, ConnectionError, InvalidMessage, ConnectionClosed, EOFError)
"""How a client learns that TLS came to nothing."""


def own_certificate(common_name: str, *, root: authority.Credential = ROOT) -> tuple[authority.Credential, str]:
    """A certificate that the authority signed for a station's key, with its fingerprint."""
    key = authority.ec.generate_private_key(authority.ec.SECP256R1())
    signed = authority.sign_station(root, signing_request(common_name, key), frozenset({common_name}), NOW)
    return authority.Credential(signed, key_pem(key)), authority.fingerprint(signed)


# Profile 0 and 1


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


async def test_a_password_does_not_replace_a_certificate(tmp_path: Path) -> None:
    own, print_of_it = own_certificate("CP1")
    kept = StationSecurity(profile=PASSWORD, password=hash_password(WORD), certificates=(StationCertificate(print_of_it),))
    async with castle(tmp_path, ("CP1", kept), required=PASSWORD) as site, site.connect("CP1", tls=site.station_context(own)) as client:
        await site.house.boot(client)
        assert await site.status("CP1", WORD) == 403  # it has reached profile 3 and never falls below
        assert await site.status("CP1", WORD, site.station_context()) == 403
        assert "currentTime" in await client.call("Heartbeat", {})


# Profile 2


async def test_profile_2_a_password_over_tls(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        async with site.connect("CP1", WORD, site.station_context()) as client:
            await site.house.boot(client)
            assert site.system.profile("CP1") == PASSWORD_OVER_TLS
        assert site.kept["CP1"].profile == PASSWORD_OVER_TLS
        await site.house.until(Disconnected)
        assert await site.status("CP1", WORD) == 403  # A05: never back
        assert site.kinds() == ["profile_raised", "downgrade_refused"]


async def test_tls_alone_is_no_authentication(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD_OVER_TLS) as site:
        assert await site.status("CP1", tls=site.station_context()) == 401
        assert await site.status("CP1", generate_password(), site.station_context()) == 401


async def test_a_station_that_does_not_trust_the_server_is_explained(tmp_path: Path) -> None:
    stranger = self_signed("another root")
    async with castle(tmp_path, ("CP1", KNOWN)) as site:
        context, port = site.station_context(trusts=stranger.certificate), site.system.tls_port

        def knock() -> None:  # asyncio hangs up before its alert is out
            with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(plain, server_hostname="127.0.0.1")

        await asyncio.to_thread(knock)
        while not site.reasons:
            await asyncio.sleep(0)
        assert site.reasons == ["the station does not trust this server's certificate"]


def only(context: ssl.SSLContext, ciphers: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    return context


@pytest.mark.parametrize(
    ("cipher", "key"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "EC"),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", "EC"),
        ("AES128-GCM-SHA256", "RSA"),
        ("AES256-GCM-SHA384", "RSA"),
        ("ECDHE-RSA-AES256-GCM-SHA384", "RSA"),
    ],
)
async def test_every_cipher_suite_of_ocpp_is_served_with_its_kind_of_certificate(tmp_path: Path, cipher: str, key: str) -> None:
    async with castle(tmp_path, ("CP1", KNOWN)) as site, site.connect("CP1", WORD, only(site.station_context(), cipher)) as client:
        secured = client.socket.transport.get_extra_info("ssl_object")
        assert secured.cipher()[0] == cipher
        shown = authority._load(secured.getpeercert(binary_form=True)).public_key()
        assert type(shown).__name__.startswith(key)


@pytest.mark.parametrize(
    ("ciphers", "version"),
    [
        ("ECDHE-RSA-AES256-SHA:@SECLEVEL=0", ssl.TLSVersion.TLSv1),
        ("ECDHE-RSA-AES256-SHA:@SECLEVEL=0", ssl.TLSVersion.TLSv1_1),
        ("ECDHE-ECDSA-AES256-SHA384", ssl.TLSVersion.TLSv1_2),
        ("AES128-SHA256", ssl.TLSVersion.TLSv1_2),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_nothing_older_is_served(tmp_path: Path, ciphers: str, version: ssl.TLSVersion) -> None:
    async with castle(tmp_path, ("CP1", KNOWN)) as site:
        with pytest.raises(BROKEN):
            await site.status("CP1", WORD, only(site.station_context(), ciphers, version))


# Profile 3


async def test_profile_3_a_certificate_of_its_own(tmp_path: Path) -> None:
    own, print_of_it = own_certificate("CP1")
    kept = StationSecurity(profile=CERTIFICATE, certificates=(StationCertificate(print_of_it),))
    async with (
        castle(tmp_path, ("CP1", kept), required=CERTIFICATE, clients=ClientCertificates.REQUIRED) as site,
        site.connect("CP1", tls=site.station_context(own)) as client,
    ):
        await site.house.boot(client)
        assert site.system.profile("CP1") == CERTIFICATE


async def test_profile_3_a_certificate_for_its_serial_number(tmp_path: Path) -> None:
    own, print_of_it = own_certificate("SN-7")
    kept = StationSecurity(profile=CERTIFICATE, certificates=(StationCertificate(print_of_it),), serial_number="SN-7")
    async with castle(tmp_path, ("CP1", kept), required=CERTIFICATE) as site:
        assert await site.status("CP1", tls=site.station_context(own)) == 101


async def test_another_stations_certificate_opens_nothing(tmp_path: Path) -> None:
    other, print_of_it = own_certificate("CP2")
    stations = (
        ("CP1", StationSecurity(profile=CERTIFICATE, certificates=(StationCertificate("00"),))),
        ("CP2", StationSecurity(profile=CERTIFICATE, certificates=(StationCertificate(print_of_it),))),
    )
    async with castle(tmp_path, *stations, required=CERTIFICATE) as site:
        assert await site.status("CP1", tls=site.station_context(other)) == 401
        assert (site.events[0].kind, site.events[0].detail) == ("login_failed", "its certificate is for another name")
        assert await site.status("CP2", tls=site.station_context(other)) == 101


async def test_a_certificate_that_was_withdrawn_opens_nothing(tmp_path: Path) -> None:
    own, _ = own_certificate("CP1")
    async with castle(tmp_path, ("CP1", StationSecurity(profile=CERTIFICATE)), required=CERTIFICATE) as site:
        assert await site.status("CP1", tls=site.station_context(own)) == 401
        assert site.events[0].detail == "its certificate was withdrawn"


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (lambda: self_signed("CP1"), "self-signed certificate"),
        (lambda: self_signed("CP1", signer=ROOT, ends=NOW - timedelta(days=1)), "certificate has expired"),
        (lambda: self_signed("CP1", signer=self_signed("Test")), "unable to get local issuer certificate"),
        (lambda: None, "the station showed no certificate"),
    ],
)
async def test_certificates_that_are_none_end_the_handshake(tmp_path: Path, certificate: Any, reason: str) -> None:
    kept = StationSecurity(profile=CERTIFICATE, certificates=(StationCertificate("00"),))
    async with castle(tmp_path, ("CP1", kept), required=CERTIFICATE, clients=ClientCertificates.REQUIRED) as site:
        with pytest.raises(BROKEN):
            await site.status("CP1", tls=site.station_context(certificate()))
        while not site.reasons:
            await asyncio.sleep(0)
        assert reason in site.reasons[0]
        assert site.house.events == []


async def test_a_server_certificate_is_not_a_stations(tmp_path: Path) -> None:
    server = authority.issue_server(ROOT, ["CP1"], authority.KeyKind.EC, NOW)
    async with castle(tmp_path, ("CP1", StationSecurity(profile=CERTIFICATE)), clients=ClientCertificates.REQUIRED) as site:
        with pytest.raises(BROKEN):
            await site.status("CP1", tls=site.station_context(server))


async def test_a_certificate_lets_a_strangers_inventory_be_seen(tmp_path: Path) -> None:
    # Its chain is right and it is for this name: it may wait for approval where a stranger without one is turned away.
    own, _ = own_certificate("NEW")
    async with castle(tmp_path, required=CERTIFICATE) as site:
        async with site.connect("NEW", tls=site.station_context(own)) as client:
            assert (await client.call("BootNotification", BOOT))["status"] == "Pending"
        assert await site.status("NEW") == 401


# Certificates that end


async def test_a_new_certificate_is_served_without_dropping_a_socket(tmp_path: Path) -> None:
    def shown(client: Any) -> bytes:
        return bytes(client.socket.transport.get_extra_info("ssl_object").getpeercert(binary_form=True))

    async with castle(tmp_path, ("CP1", KNOWN), ("CP2", KNOWN)) as site, site.connect("CP1", WORD, site.station_context()) as first:
        await site.house.boot(first)
        later = NOW + timedelta(days=authority.SERVER_VALID_DAYS - authority.RENEW_BEFORE_DAYS + 1)
        site.context.current = await asyncio.to_thread(site.new_context, ("127.0.0.1",), later)
        async with site.connect("CP2", WORD, _trusting_the_future(site.station_context())) as second:
            assert shown(first) != shown(second)
            assert authority.expires_at(shown(second)) - authority.expires_at(shown(first)) > timedelta(days=300)
            assert "currentTime" in await second.call("Heartbeat", {})
        assert "currentTime" in await first.call("Heartbeat", {})


def _trusting_the_future(context: ssl.SSLContext) -> ssl.SSLContext:
    """A station whose clock is not asked: the certificate begins in a year."""
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# Doors


async def test_doors_open_and_close_under_open_connections(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), ("CP2", KNOWN)) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        plain, tls = site.system.port, site.system.tls_port
        await site.system.listen("127.0.0.1", None, tls_port=0, tls=site.context)
        assert (site.system.port, site.system.tls_port) == (tls, tls)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", plain)
        assert "currentTime" in await client.call("Heartbeat", {})
        assert await site.status("CP2", WORD, site.station_context()) == 101
        await site.system.listen("127.0.0.1", plain)
        assert site.system.tls_port is None
        assert await site.status("CP2", WORD) == 403  # TLS was its own
        assert "currentTime" in await client.call("Heartbeat", {})


async def test_a_door_that_can_not_open_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN)) as site, castle(tmp_path) as other:
        with pytest.raises(OSError):
            await site.system.listen("127.0.0.1", 0, tls_port=other.system.tls_port, tls=site.context)
        assert await site.status("CP1", WORD) == 101


# Guessing and flooding


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


# Certificates for stations


async def test_a_station_gets_a_certificate_and_comes_back_with_it(tmp_path: Path) -> None:
    key = authority.ec.generate_private_key(authority.ec.SECP256R1())
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        async with site.connect("CP1", WORD) as client:
            await site.house.boot(client)
            client.answers["CertificateSigned"] = {"status": "Accepted"}
            request = {"csr": signing_request("7", key), "certificateType": "ChargingStationCertificate"}
            assert await client.call("SignCertificate", request) == {"status": "Accepted"}
            answer = await client.until("CertificateSigned")
            assert answer["certificateType"] == "ChargingStationCertificate"
        while "certificate_signed" not in site.kinds():
            await asyncio.sleep(0)
        assert site.kept["CP1"].serial_number == "7"  # as it said in BootNotification
        own = authority.Credential(answer["certificateChain"], key_pem(key))
        await site.house.until(Disconnected)
        assert await site.status("CP1", tls=site.station_context(own)) == 101
        assert site.kept["CP1"].profile == CERTIFICATE


@pytest.mark.parametrize(
    ("change", "info"),
    [
        ({"csr": signing_request("CP2")}, "neither the station's serial number nor its identity"),
        ({"csr": "rubbish"}, "can't be read"),
        ({"csr": signing_request("CP1"), "certificateType": "V2GCertificate"}, "ISO 15118"),
    ],
)
async def test_what_can_not_be_signed_is_refused_with_the_reason(tmp_path: Path, change: dict[str, str], info: str) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        answer = await client.call("SignCertificate", change)
        assert answer["status"] == "Rejected" and info in answer["statusInfo"]["additionalInfo"]
        assert client.requests("CertificateSigned") == []
        assert site.kinds() == ["signing_refused"] and site.kept == {}


async def test_who_has_shown_nothing_gets_no_certificate(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", StationSecurity())) as site, site.connect("CP1") as client:
        await site.house.boot(client)
        answer = await client.call("SignCertificate", {"csr": signing_request("CP1")})
        assert answer["status"] == "Rejected" and "has not shown who it is" in answer["statusInfo"]["additionalInfo"]


async def test_a_certificate_is_sent_again_and_forgotten_where_the_station_does_not_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.headroom.csms.v201.certificates.DELIVER_AGAIN_S", (0.0, 0.0))
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        assert await client.call("SignCertificate", {"csr": signing_request("CP1")}) == {"status": "Accepted"}
        await client.until("CertificateSigned", times=3)  # NotImplemented, three times
        while "signing_refused" not in site.kinds():
            await asyncio.sleep(0)
        assert site.kept["CP1"].certificates == ()
        assert all("certificateType" not in payload for payload in client.requests("CertificateSigned"))


async def test_the_stations_own_security_events_come_through(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN)) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        told = {"type": "TamperDetectionActivated", "timestamp": NOW.isoformat(), "techInfo": "lid"}
        assert await client.call("SecurityEventNotification", told) == {}
        notice = next(event for who, event in site.house.events if type(event).__name__ == "Noticed")
        assert notice.payload["type"] == "TamperDetectionActivated"
        assert isinstance(site.house.of(Connected)[0], Connected)


# Passwords over the air that nobody acknowledges


async def test_every_password_that_may_be_in_force_opens_until_one_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        sent: list[str] = []
        async with site.connect("CP1", WORD) as client:
            await site.house.boot(client)
            station = site.system.stations["CP1"]

            async def unanswered(password: str) -> None:
                sent.append(password)
                raise CallTimeoutError("SetVariables: no answer")

            monkeypatch.setattr(station.certificates, "set_password", unanswered)
            for _ in range(2):
                with pytest.raises(CallTimeoutError):
                    await rotate_password(station, site.access)
        await site.house.until(Disconnected)
        assert await site.status("CP1", WORD) == 101
        assert await site.status("CP1", sent[0]) == 101  # it may have taken the first and never have seen the second
        assert await site.status("CP1", WORD) == 401
        assert await site.status("CP1", sent[1]) == 401


async def test_of_many_passwords_sent_the_newest_and_the_one_in_use_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        sent: list[str] = []
        async with site.connect("CP1", WORD) as client:
            await site.house.boot(client)
            station = site.system.stations["CP1"]

            async def unanswered(password: str) -> None:
                sent.append(password)
                raise CallTimeoutError("SetVariables: no answer")

            monkeypatch.setattr(station.certificates, "set_password", unanswered)
            for _ in range(MOST_SENT_PASSWORDS + 2):
                with pytest.raises(CallTimeoutError):
                    await rotate_password(station, site.access)
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
