"""A certificate authority of the tests' own."""

from datetime import UTC, datetime
import ipaddress
from pathlib import Path
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from simulator import pki

FROM, TO = datetime(2025, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC)
RESPONDER = "http://ocsp.example/"


class Authority:
    """A root with its key."""

    def __init__(self, name: str = "Root") -> None:
        self.key = pki.new_key()
        self.name = _name(name)
        basic = x509.BasicConstraints(ca=True, path_length=None)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = (
            self._unsigned(self.name, self.key.public_key(), TO).add_extension(basic, critical=True).add_extension(usage, critical=True)
        )
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return pki.certificate_pem(self.certificate)

    def _unsigned(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, to: datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(FROM)
            .not_valid_after(to)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )

    def signed(self, csr: str, *, to: datetime = TO, ocsp: bool = False) -> str:
        """Return the certificate (PEM) a request asks for."""
        request = x509.load_pem_x509_csr(csr.encode())
        assert request.is_signature_valid
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        builder = self._unsigned(request.subject, key, to)
        if ocsp:
            access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(RESPONDER))
            builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        return pki.certificate_pem(builder.sign(self.key, hashes.SHA256()))

    def issued(self, common_name: str, *, to: datetime = TO) -> tuple[str, str]:
        """Return a new certificate and its key (PEM)."""
        key = pki.new_key()
        return self.signed(pki.signing_request(key, common_name, "Tests"), to=to), pki.key_pem(key)

    def server_context(self, folder: Path, *, asks_certificate: bool = False) -> ssl.SSLContext:
        """Return TLS for a server at 127.0.0.1."""
        key = pki.new_key()
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = (
            self._unsigned(_name("127.0.0.1"), key.public_key(), TO).add_extension(names, critical=False).sign(self.key, hashes.SHA256())
        )
        chain, key_file = folder / "server.pem", folder / "server.key"
        chain.write_text(pki.certificate_pem(certificate))
        key_file.write_text(pki.key_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key_file)
        if asks_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.pem)
        return context


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
