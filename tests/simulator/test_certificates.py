"""A station's certificates: signed for it, renewed, trusted and taken away."""

import asyncio
from datetime import timedelta

from cryptography import x509

from simulator import pki
from simulator.factory import StationSpec
from simulator.virtual import START

from .authority import RESPONDER, Authority
from .running import Run, simulate, site_of

OURS = Authority()


def test_a_station_asks_for_a_certificate_and_keeps_the_one_it_is_given() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        assert (await one.call("TriggerMessage", requestedMessage="SignChargingStationCertificate"))["status"] == "Accepted"
        asked = await one.hear("SignCertificate")
        assert asked["certificateType"] == "ChargingStationCertificate"
        certificate = OURS.signed(asked["csr"])
        assert x509.load_pem_x509_certificate(certificate.encode()).subject.rfc4514_string() == "CN=SN-7,O=Headroom"
        stranger, _ = OURS.issued("SN-7")
        refused = await one.call("CertificateSigned", certificateChain=stranger)
        assert refused["status"] == "Rejected"
        await one.csms.until(lambda: one.heard("SecurityEventNotification")[-1]["type"] == "InvalidChargingStationCertificate")
        assert (await one.call("CertificateSigned", certificateChain=certificate + OURS.pem))["status"] == "Accepted"
        assert one.station.certificates.own_pem is not None
        assert one.station.certificates.own_pem[0] == certificate + OURS.pem
        again = await one.call("CertificateSigned", certificateChain=certificate)
        assert again["status"] == "Rejected"  # nothing was asked for

    simulate(test, spec=site_of(StationSpec(identity="CP1", serial_number="SN-7")))


def test_what_is_not_signed_is_asked_for_again_ever_more_seldom_and_then_no_more() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        one.station.certificates.ask()
        await asyncio.sleep(3600)
        assert one.csms.count("SignCertificate") == 4
        assert len({asked["csr"] for asked in one.heard("SignCertificate")}) == 1

    simulate(test)


def test_a_certificate_that_ends_soon_is_renewed_by_the_station_itself() -> None:
    ends_soon = OURS.issued("CP1", to=START + timedelta(days=3))

    async def test(one: Run) -> None:
        assert (await one.hear("SignCertificate"))["certificateType"] == "ChargingStationCertificate"

    simulate(test, spec=site_of(StationSpec(identity="CP1", client_certificate=ends_soon)))


def test_a_v2g_certificate_is_listed_with_its_chain_and_its_status_is_asked_for() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        await one.call("TriggerMessage", requestedMessage="SignV2GCertificate")
        chain = OURS.signed((await one.hear("SignCertificate"))["csr"], ocsp=True) + OURS.pem
        answer = await one.call("CertificateSigned", certificateChain=chain, certificateType="V2GCertificate")
        assert answer["status"] == "Accepted"
        status = (await one.hear("GetCertificateStatus"))["ocspRequestData"]
        assert status["responderURL"] == RESPONDER
        listed = await one.call("GetInstalledCertificateIds", certificateType=["V2GCertificateChain"])
        (entry,) = listed["certificateHashDataChain"]
        assert {**entry["certificateHashData"], "responderURL": RESPONDER} == status
        assert len(entry["childCertificateHashData"]) == 1
        assert (await one.call("DeleteCertificate", certificateHashData=entry["certificateHashData"]))["status"] == "Accepted"
        assert (await one.call("GetInstalledCertificateIds"))["status"] == "NotFound"

    simulate(test)


def test_roots_are_installed_listed_and_deleted() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        for use in ("CSMSRootCertificate", "V2GRootCertificate"):
            assert (await one.call("InstallCertificate", certificateType=use, certificate=OURS.pem))["status"] == "Accepted"
        refused = await one.call("InstallCertificate", certificateType="MORootCertificate", certificate="none")
        assert refused["status"] == "Rejected"
        listed = await one.call("GetInstalledCertificateIds", certificateType=["CSMSRootCertificate"])
        (entry,) = listed["certificateHashDataChain"]
        assert entry["certificateHashData"] == pki.hash_data(OURS.certificate, OURS.certificate).written()
        longer = pki.hash_data(OURS.certificate, OURS.certificate, "SHA512").written()
        assert (await one.call("DeleteCertificate", certificateHashData=longer))["status"] == "Accepted"
        assert (await one.call("DeleteCertificate", certificateHashData=entry["certificateHashData"]))["status"] == "Accepted"
        assert (await one.call("DeleteCertificate", certificateHashData=longer))["status"] == "NotFound"
        assert (await one.call("GetInstalledCertificateIds"))["status"] == "NotFound"

    simulate(test)


def test_the_stations_own_certificate_is_not_deleted() -> None:
    own = OURS.issued("CP1")
    data = pki.hash_data(pki.read_chain(own[0])[0], pki.read_chain(own[0])[0]).written()

    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        assert (await one.call("DeleteCertificate", certificateHashData=data))["status"] == "Failed"
        assert one.station.certificates.own_pem is not None

    simulate(test, spec=site_of(StationSpec(identity="CP1", client_certificate=own)))
