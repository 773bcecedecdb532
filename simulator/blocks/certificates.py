"""Certificates of a station: its own, signed by the CSMS (A02, A03), and those it trusts (M03–M06)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, override

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from .. import pki
from ..device_model import Key
from .block import Answer, Block, Handler, Payload, accepted, rejected

if TYPE_CHECKING:
    from ..station import StationModel

STATION, V2G = "ChargingStationCertificate", "V2GCertificate"
TRIGGERS: Mapping[str, tuple[str, ...]] = {
    "SignChargingStationCertificate": (STATION,),
    "SignV2GCertificate": (V2G,),
    "SignCombinedCertificate": (STATION,),
}
RENEWED_BEFORE = timedelta(days=30)
CSMS_ROOT = "CSMSRootCertificate"


@dataclass(slots=True, kw_only=True)
class Asked:
    """A certificate that was asked for and has not come."""

    key: ec.EllipticCurvePrivateKey
    csr: str
    again_at: datetime
    attempts: int = 1


class Certificates(Block):
    """What the station is known by, and whom it trusts."""

    def __init__(self, station: StationModel) -> None:
        """Hold what it left the factory with."""
        super().__init__(station)
        spec = station.spec
        self.roots: dict[str, list[x509.Certificate]] = {CSMS_ROOT: pki.read_chain(spec.roots)} if spec.roots else {}
        """Trusted certificates by their InstallCertificateUseEnumType."""
        self.chains: dict[str, list[x509.Certificate]] = {}
        """Its own certificates, the leaf first, by their CertificateSigningUseEnumType."""
        self.key_pems: dict[str, str] = {}
        if spec.client_certificate:
            chain, key = spec.client_certificate
            self.chains[STATION], self.key_pems[STATION] = pki.read_chain(chain), key
        self._asked: dict[str, Asked] = {}
        self._count()

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {
            "CertificateSigned": self._signed,
            "DeleteCertificate": self._delete,
            "GetInstalledCertificateIds": self._installed,
            "InstallCertificate": self._install,
        }

    @property
    def root_pem(self) -> str:
        """Return the certificates its CSMS is known by."""
        return "".join(map(pki.certificate_pem, self.roots.get(CSMS_ROOT, ())))

    @property
    def own_pem(self) -> tuple[str, str] | None:
        """Return its client certificate's chain and key; None where it has none."""
        if STATION not in self.chains:
            return None
        return "".join(map(pki.certificate_pem, self.chains[STATION])), self.key_pems[STATION]

    @override
    def triggered(self, message: str, evse_ids: Collection[int]) -> bool:
        uses = TRIGGERS.get(message, ())
        for use in uses:
            self.ask(use, asked=True)
        return bool(uses)

    @override
    def registered(self) -> None:
        """Renew a certificate that ends soon (A02.FR.02, A03)."""
        for use, chain in self.chains.items():
            if chain[0].not_valid_after_utc - self.station.now < RENEWED_BEFORE:
                self.ask(use)

    @override
    def step(self, dt_s: float) -> None:
        """Ask again for what has not come, ever more seldom (A02.FR.17–FR.19)."""
        if not self._asked or not self.station.outbox.online:
            return
        repeats = int(self.station.device.number("SecurityCtrlr", "CertSigningRepeatTimes"))
        for use, asked in list(self._asked.items()):
            if self.station.now < asked.again_at:
                continue
            if asked.attempts > repeats:
                del self._asked[use]
                continue
            asked.again_at = self.station.now + timedelta(seconds=self._wait_s * 2**asked.attempts)
            asked.attempts += 1
            self._say(use, asked.csr)

    def ask(self, use: str = STATION, *, asked: bool = False) -> None:
        """Make a key and ask the CSMS to sign for it (A02)."""
        key, device = pki.new_key(), self.station.device
        name = self.station.spec.serial_number or self.station.spec.identity
        csr = pki.signing_request(key, name, device.text("SecurityCtrlr", "OrganizationName"))
        again_at = self.station.now + timedelta(seconds=self._wait_s)
        self._asked[use] = Asked(key=key, csr=csr, again_at=again_at)
        self._say(use, csr, asked=asked)

    def ask_status(self, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
        """Ask whether a certificate stands (M06), where it says who knows."""
        if responder := pki.responder(certificate):
            data = pki.hash_data(certificate, issuer).written() | {"responderURL": responder}
            self.station.say("GetCertificateStatus", {"ocspRequestData": data})

    def _say(self, use: str, csr: str, *, asked: bool = False) -> None:
        self.station.say("SignCertificate", {"csr": csr, "certificateType": use}, asked=asked)

    @property
    def _wait_s(self) -> float:
        return self.station.device.number("SecurityCtrlr", "CertSigningWaitMinimum")

    def _signed(self, payload: Payload) -> Answer:
        use, now = payload.get("certificateType", STATION), self.station.now
        asked = self._asked.get(use)
        try:
            chain = pki.read_chain(payload["certificateChain"])
        except ValueError:
            chain = []
        if not chain:
            wrong: str | None = "it is no certificate"
        elif asked is None or not pki.belongs(chain[0], asked.key):
            wrong = "it is for no key of ours"
        else:
            wrong = pki.problem(chain, (), now)
        if wrong is not None or asked is None:
            self.station.security.event("InvalidChargingStationCertificate", wrong or "")
            return rejected("InvalidCertificate", wrong or "")
        self.chains[use], self.key_pems[use] = chain, pki.key_pem(asked.key)
        del self._asked[use]
        if use == STATION:
            self.station.network.certificate_renewed()
        else:
            for certificate, issuer in pki.pairs(chain):
                self.ask_status(certificate, issuer)
        return accepted()

    def _install(self, payload: Payload) -> Answer:
        try:
            (certificate,) = pki.read_chain(payload["certificate"])
        except ValueError:
            return rejected("InvalidCertificate", "it is no single certificate")
        if wrong := pki.problem([certificate], (), self.station.now):
            return rejected("InvalidCertificate", wrong)
        kept = self.roots.setdefault(payload["certificateType"], [])
        if certificate in kept:
            return accepted()
        if sum(map(len, self.roots.values())) >= (self.station.device.variables[Key("SecurityCtrlr", "CertificateEntries")].most or 0):
            return rejected("OutOfStorage", status="Failed")
        kept.append(certificate)
        self._count()
        return accepted()

    def _installed(self, payload: Payload) -> Answer:
        wanted = payload.get("certificateType")
        found: list[dict[str, Any]] = [
            {"certificateType": use, "certificateHashData": pki.hash_data(certificate, certificate).written()}
            for use, certificates in self.roots.items()
            if wanted is None or use in wanted
            for certificate in certificates
        ]
        if (chain := self.chains.get(V2G)) and (wanted is None or "V2GCertificateChain" in wanted):
            leaf, *children = [pki.hash_data(one, issuer).written() for one, issuer in pki.pairs(chain)]
            entry: dict[str, Any] = {"certificateType": "V2GCertificateChain", "certificateHashData": leaf}
            found.append(entry | ({"childCertificateHashData": children[:4]} if children else {}))
        return {"status": "Accepted", "certificateHashDataChain": found} if found else {"status": "NotFound"}

    def _delete(self, payload: Payload) -> Answer:
        wanted = payload["certificateHashData"]
        algorithm = wanted["hashAlgorithm"]

        def is_wanted(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
            return pki.hash_data(certificate, issuer, algorithm).is_written(wanted)

        if (own := self.chains.get(STATION)) and is_wanted(*pki.pairs(own)[0]):
            return rejected("NotAllowed", "M04.FR.06: its own certificate stays", status="Failed")
        for certificates in self.roots.values():
            for certificate in certificates:
                if is_wanted(certificate, certificate):
                    certificates.remove(certificate)
                    self._count()
                    return accepted()
        if (chain := self.chains.get(V2G)) and is_wanted(*pki.pairs(chain)[0]):
            del self.chains[V2G]
            return accepted()
        return {"status": "NotFound"}

    def _count(self) -> None:
        self.station.device.update(Key("SecurityCtrlr", "CertificateEntries"), str(sum(map(len, self.roots.values()))))
