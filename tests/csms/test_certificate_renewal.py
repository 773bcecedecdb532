"""A station's own certificate is renewed before it ends, over real sockets and with a clock that the test moves."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
import pytest

from custom_components.headroom.csms.errors import CallRejectedError, StationOfflineError
from custom_components.headroom.csms.events import Disconnected, Ready
from custom_components.headroom.csms.security.authority import STATION_VALID_DAYS, Credential, expires_at, fingerprint, sign_station
from custom_components.headroom.csms.security.recognition import CERTIFICATE, PASSWORD, StationCertificate, StationSecurity
from custom_components.headroom.csms.security.renewal import CertificateRenewal

from .client import SILENCE, Client
from .secured import KNOWN, NOW, ROOT, WORD, Castle, castle, key_pem, signing_request

OLD = sign_station(ROOT, signing_request("CP1"), frozenset({"CP1"}), NOW)
ENDS_AT = expires_at(OLD)
ENROLLED = KNOWN.with_certificate(OLD)


def renewal(site: Castle) -> CertificateRenewal:
    return CertificateRenewal(site.access, station=site.system.stations.get, root=lambda: ROOT, now=lambda: site.today)


def obeys(client: Client, requests: list[asyncio.Task[Any]], *, name: str = "CP1") -> None:
    """Have it make a key and ask for a certificate whenever it is told to."""

    def trigger(payload: Any) -> Any:
        if payload["requestedMessage"] == "SignChargingStationCertificate":
            requests.append(asyncio.create_task(client.call("SignCertificate", {"csr": signing_request(name)})))
        return {"status": "Accepted"}

    client.answers |= {"TriggerMessage": trigger, "CertificateSigned": {"status": "Accepted"}}


def hangs_up(client: Client) -> None:
    """Have it go away just when its certificate comes."""

    async def answer(payload: Any) -> Any:
        await client.socket.close()
        return SILENCE

    client.answers["CertificateSigned"] = answer


def signing_asked(client: Client) -> int:
    return sum(payload["requestedMessage"] == "SignChargingStationCertificate" for payload in client.requests("TriggerMessage"))


def before_the_end(days: int) -> datetime:
    return ENDS_AT - timedelta(days=days)


async def test_a_certificate_is_renewed_once_its_end_is_near_and_not_before(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", ENROLLED)) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        requests: list[asyncio.Task[Any]] = []
        obeys(client, requests)
        renewing = renewal(site)
        site.today = before_the_end(61)
        await renewing.renew("CP1")
        assert signing_asked(client) == 0
        site.today = before_the_end(59)
        await renewing.renew("CP1")
        assert signing_asked(client) == 1 and renewing.expiring("CP1") is None
        old, new = site.kept["CP1"].certificates
        assert old.fingerprint == fingerprint(OLD) and new.ends_at is not None  # either opens while the station changes over
        assert abs(new.ends_at - site.today - timedelta(days=STATION_VALID_DAYS)) < timedelta(seconds=2)
        await renewing.renew("CP1")
        assert signing_asked(client) == 1


async def test_a_station_that_does_not_renew_is_told_of(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", ENROLLED)) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        client.answers["TriggerMessage"] = {"status": "Rejected"}
        renewing = renewal(site)
        site.today = before_the_end(30)
        await renewing.renew("CP1")
        assert [(event.kind.value, event.identity) for event in site.events] == [("certificate_expiring", "CP1")]
        assert f"{ENDS_AT:%Y-%m-%d}" in str(site.events[0].detail) and "Rejected" in str(site.events[0].detail)
        assert renewing.expiring("CP1") is None  # a month is left, and it is asked every day
        site.today = before_the_end(20)
        assert renewing.expiring("CP1") == ENDS_AT


async def test_a_certificate_that_was_not_taken_does_not_hide_the_end_of_the_one_before(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", ENROLLED)) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        requests: list[asyncio.Task[Any]] = []
        obeys(client, requests)
        client.answers["CertificateSigned"] = {"status": "Rejected"}
        site.today = before_the_end(20)
        await renewal(site).renew("CP1")
        assert renewal(site).expiring("CP1") == ENDS_AT
        assert sorted(site.kinds()) == ["certificate_expiring", "signing_refused"]


async def test_a_certificate_that_was_lost_on_its_way_does_not_hide_the_end_of_the_one_in_use(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    own = Credential(sign_station(ROOT, signing_request("CP1", key), frozenset({"CP1"}), NOW), key_pem(key))
    kept = StationSecurity(profile=CERTIFICATE).with_certificate(own.certificate)
    async with castle(tmp_path, ("CP1", kept)) as site:
        site.today = expires_at(own.certificate) - timedelta(days=20)
        shows = site.station_context(own)
        for times in range(1, 7):
            async with site.connect("CP1", tls=shows) as client:
                await (site.house.boot(client) if times == 1 else client.call("Heartbeat", {}))
                await site.house.until(Ready, times=times)
                obeys(client, [])
                hangs_up(client)
                with pytest.raises(StationOfflineError):
                    await site.house.station().certificates.ask_for_signing(timeout_s=60)
            await site.house.until(Disconnected, times=times)
            assert renewal(site).expiring("CP1") == expires_at(own.certificate)
        assert await site.status("CP1", tls=shows) == 101  # none of those that were lost took its place


async def test_a_request_that_is_refused_is_told_at_once_with_its_reason(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN)) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        requests: list[asyncio.Task[Any]] = []
        obeys(client, requests, name="ANOTHER")
        with pytest.raises(CallRejectedError, match="neither the station's serial number nor its identity"):
            await site.house.station().certificates.ask_for_signing(timeout_s=20)
        assert (await requests[0])["status"] == "Rejected"


async def test_two_that_want_a_new_certificate_at_once_get_the_same(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN)) as site, site.connect("CP1", WORD) as client:
        await site.house.boot(client)
        requests: list[asyncio.Task[Any]] = []
        obeys(client, requests)
        asking = site.house.station().certificates.ask_for_signing
        given_up = asyncio.create_task(asking(timeout_s=20))
        others = [asyncio.create_task(asking(timeout_s=20)) for _ in range(2)]
        await client.until("TriggerMessage", len(client.requests("TriggerMessage")) + 1)
        given_up.cancel()
        await asyncio.gather(*others)
        assert len(requests) == 1 and len(site.kept["CP1"].certificates) == 1
        await asking(timeout_s=20)
        assert len(requests) == 2


async def test_nobody_is_asked_who_is_away_or_has_no_certificate(tmp_path: Path) -> None:
    stations = (("CP1", ENROLLED), ("CP2", StationSecurity(profile=PASSWORD, password=ENROLLED.password)))
    async with castle(tmp_path, *stations) as site, site.connect("CP2", WORD) as client:
        await site.house.boot(client, "CP2")
        site.today = before_the_end(-1)
        for identity in ("CP1", "CP2", "NOBODY"):
            await renewal(site).renew(identity)
        assert signing_asked(client) == 0 and site.events == []
        assert renewal(site).expiring("CP1") == ENDS_AT and renewal(site).expiring("CP2") is None


async def test_the_end_of_a_certificate_from_before_it_was_kept_is_learnt_when_it_is_shown(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    own = Credential(sign_station(ROOT, signing_request("CP1", key), frozenset({"CP1"}), NOW), key_pem(key))
    kept = StationSecurity(certificates=(StationCertificate(fingerprint(own.certificate)),))
    async with castle(tmp_path, ("CP1", kept)) as site:
        assert await site.status("CP1", tls=site.station_context(own)) == 101
        assert site.kept["CP1"].certificate_ends_at == expires_at(own.certificate)
