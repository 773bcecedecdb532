"""Security profile 2 over real sockets, with real TLS: ciphers, the server's certificates, and doors that open and close."""

import asyncio
from datetime import timedelta
from pathlib import Path
import socket
import ssl
from typing import Any

import pytest

from custom_components.headroom.csms.events import Disconnected
from custom_components.headroom.csms.security import authority
from custom_components.headroom.csms.security.credentials import generate_password
from custom_components.headroom.csms.security.recognition import PASSWORD, PASSWORD_OVER_TLS

from .secured import BROKEN, KNOWN, NOW, WORD, castle, self_signed


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
