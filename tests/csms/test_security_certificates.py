"""Security profile 3 over real sockets, with real certificates: which of them open, and how stations get theirs."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from custom_components.headroom.csms.events import Connected, Disconnected, Ready
from custom_components.headroom.csms.security import authority
from custom_components.headroom.csms.security.credentials import hash_password
from custom_components.headroom.csms.security.desk import SIGNED_AT_ONCE, SIGNED_EVERY_S
from custom_components.headroom.csms.security.events import SecurityEvent, SecurityEventKind, SecurityWatch
from custom_components.headroom.csms.security.recognition import CERTIFICATE, PASSWORD, StationCertificate, StationSecurity
from custom_components.headroom.csms.security.tls import ClientCertificates

from .client import BOOT
from .secured import BROKEN, KNOWN, NOW, ROOT, WORD, castle, key_pem, self_signed, signing_request


def own_certificate(common_name: str, *, root: authority.Credential = ROOT) -> tuple[authority.Credential, str]:
    """A certificate that the authority signed for a station's key, with its fingerprint."""
    key = authority.ec.generate_private_key(authority.ec.SECP256R1())
    signed = authority.sign_station(root, signing_request(common_name, key), frozenset({common_name}), NOW)
    return authority.Credential(signed, key_pem(key)), authority.fingerprint(signed)


async def test_a_password_does_not_replace_a_certificate(tmp_path: Path) -> None:
    own, print_of_it = own_certificate("CP1")
    kept = StationSecurity(profile=PASSWORD, password=hash_password(WORD), certificates=(StationCertificate(print_of_it),))
    async with castle(tmp_path, ("CP1", kept), required=PASSWORD) as site, site.connect("CP1", tls=site.station_context(own)) as client:
        await site.house.boot(client)
        assert await site.status("CP1", WORD) == 403  # it has reached profile 3 and never falls below
        assert await site.status("CP1", WORD, site.station_context()) == 403
        assert "currentTime" in await client.call("Heartbeat", {})


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


async def test_a_station_gets_no_more_certificates_than_it_can_need(tmp_path: Path) -> None:
    request = {"csr": signing_request("CP1")}
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        for times in range(1, 3):  # another connection is no other allowance
            async with site.connect("CP1", WORD) as client:
                client.answers["CertificateSigned"] = {"status": "Rejected"}
                await (site.house.boot(client) if times == 1 else client.call("Heartbeat", {}))
                await site.house.until(Ready, times=times)
                answers = [await client.call("SignCertificate", request) for _ in range(SIGNED_AT_ONCE // 2 + 1)]
            await site.house.until(Disconnected, times=times)
        assert [answer["status"] for answer in answers[-3:]] == ["Accepted", "Rejected", "Rejected"]
        assert "too many certificates" in answers[-1]["statusInfo"]["additionalInfo"]
        site.clock.now += SIGNED_EVERY_S
        async with site.connect("CP1", WORD) as client:
            await client.call("Heartbeat", {})  # without a word it would be given half a minute first
            await site.house.until(Ready, times=3)
            assert [(await client.call("SignCertificate", request))["status"] for _ in range(2)] == ["Accepted", "Rejected"]


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


def test_a_station_words_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[SecurityEvent] = []
    watch = SecurityWatch(lambda: 0.0, heard.append)
    with caplog.at_level("INFO"):
        watch.tell(
            SecurityEvent(kind=SecurityEventKind.STATION_EVENT, identity="CP1", detail="Lid\r\n2026-01-01 ERROR\x1b[31m\u2028all is lost")
        )
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.isprintable() and "all is lost" in line and str(heard[0].detail).startswith("Lid  2026-01-01 ERROR [31m")
