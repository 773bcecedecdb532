"""The simulated station before the real central system: let in by a password, moved to TLS, given a certificate."""

from pathlib import Path

from custom_components.headroom.csms.security.credentials import generate_password, hash_password
from custom_components.headroom.csms.security.recognition import CERTIFICATE, PASSWORD, PASSWORD_OVER_TLS, StationSecurity
from simulator import pki
from tests.csms.secured import KNOWN, ROOT, WORD, Castle, castle

from .authority import Authority
from .test_network import logged, station, until


def url(site: Castle, *, tls: bool = False) -> str:
    return f"{'wss' if tls else 'ws'}://127.0.0.1:{site.system.tls_port if tls else site.system.port}/ocpp"


async def test_by_a_password_in_the_clear(tmp_path: Path) -> None:
    async with castle(tmp_path, ("CP1", KNOWN), required=PASSWORD) as site:
        async with station(url(site), security_profile=PASSWORD, password=WORD) as model:
            await until(lambda: model.outbox.registration == "accepted")
            assert site.system.profile("CP1") == PASSWORD
        async with station(url(site), security_profile=PASSWORD, password=generate_password()) as model:
            await until(lambda: "FailedToAuthenticateAtCsms" in logged(model))


async def test_by_a_password_over_tls_with_the_sites_root_and_no_other(tmp_path: Path) -> None:
    known = StationSecurity(profile=PASSWORD_OVER_TLS, password=hash_password(WORD))
    async with castle(tmp_path, ("CP1", known), required=PASSWORD_OVER_TLS) as site:
        at = url(site, tls=True)
        async with station(at, security_profile=PASSWORD_OVER_TLS, password=WORD, roots=ROOT.certificate) as model:
            await until(lambda: model.outbox.registration == "accepted")
            assert site.system.profile("CP1") == PASSWORD_OVER_TLS
        async with station(at, security_profile=PASSWORD_OVER_TLS, password=WORD, roots=Authority().pem) as model:
            await until(lambda: "InvalidCsmsCertificate" in logged(model))


async def test_a_certificate_is_asked_for_signed_and_shown(tmp_path: Path) -> None:
    known = StationSecurity(profile=PASSWORD_OVER_TLS, password=hash_password(WORD), serial_number="SN-7")
    async with castle(tmp_path, ("CP1", known)) as site:
        at = url(site, tls=True)
        spec = {"password": WORD, "roots": ROOT.certificate, "serial_number": "SN-7"}
        async with station(at, security_profile=PASSWORD_OVER_TLS, **spec) as model:
            await until(lambda: model.outbox.registration == "accepted")
            model.certificates.ask()
            await until(lambda: model.certificates.own_pem is not None)
            own = model.certificates.own_pem
            assert own is not None
        assert pki.issued_by(pki.read_chain(own[0])[0], pki.read_chain(ROOT.certificate)[0])
        async with station(at, security_profile=CERTIFICATE, client_certificate=own, **spec) as model:
            await until(lambda: model.outbox.registration == "accepted")
            assert site.system.profile("CP1") == CERTIFICATE
