"""Keys and certificates as a station handles them."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class HashData:
    """OCPP's CertificateHashDataType: what tells one certificate from any other."""

    algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str

    def written(self) -> dict[str, str]:
        """Return its JSON."""
        return {
            "hashAlgorithm": self.algorithm,
            "issuerNameHash": self.issuer_name_hash,
            "issuerKeyHash": self.issuer_key_hash,
            "serialNumber": self.serial_number,
        }

    def is_written(self, json: Mapping[str, Any]) -> bool:
        """Return whether JSON means the same; hexadecimal digits are small or capital."""
        return all(str(json.get(name, "")).lower() == value.lower() for name, value in self.written().items())


ALGORITHMS: Mapping[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}


def read_chain(pem: str) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, the leaf first; raises ValueError where there is none."""
    return x509.load_pem_x509_certificates(pem.encode())


def serial_number(pem: str) -> int:
    """Return the serial number of the first certificate of a text; raises ValueError where there is none."""
    return read_chain(pem)[0].serial_number


def hash_data(certificate: x509.Certificate, issuer: x509.Certificate, algorithm: str = "SHA256") -> HashData:
    """Return what OCPP knows a certificate by (as OCSP does, RFC 6960)."""
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, ALGORITHMS[algorithm]()).build()
    return HashData(
        algorithm=algorithm,
        issuer_name_hash=request.issuer_name_hash.hex(),
        issuer_key_hash=request.issuer_key_hash.hex(),
        serial_number=f"{certificate.serial_number:x}",
    )


def certificate_pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def pairs(chain: Sequence[x509.Certificate]) -> list[tuple[x509.Certificate, x509.Certificate]]:
    """Return each certificate of a chain with its issuer; the last, whose issuer is not in it, with itself."""
    return [*pairwise(chain), (chain[-1], chain[-1])]


def responder(certificate: x509.Certificate) -> str | None:
    """Return the address of the OCSP responder a certificate names."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return None
    found = (one.access_location.value for one in access if one.access_method == AuthorityInformationAccessOID.OCSP)
    return next((str(address) for address in found), None)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def signing_request(key: ec.EllipticCurvePrivateKey, common_name: str, organization: str) -> str:
    """Return a CSR as PEM (RFC 2986)."""
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a private key as PEM."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def belongs(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bool:
    """Return whether a certificate is for a key."""
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key().public_bytes(*spki) == key.public_key().public_bytes(*spki)


def problem(chain: Sequence[x509.Certificate], roots: Iterable[x509.Certificate], at: datetime) -> str | None:
    """Return what is wrong with a chain (leaf first) at a moment; None where nothing is. Without roots only the chain itself counts."""
    for certificate in chain:
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return "it is not valid now"
    for certificate, issuer in pairwise(chain):
        if not issued_by(certificate, issuer):
            return "the chain is broken"
    known = list(roots)
    if known and not any(chain[-1] == root or issued_by(chain[-1], root) for root in known):
        return "no root of ours is behind it"
    return None


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether one certificate signed the other."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except ValueError, TypeError, InvalidSignature:
        return False
    return True


def signed_by(certificate_pem: str, signature: str, content: bytes) -> bool:
    """Return whether a base64 signature over content (SHA-256; RSA-PSS, PKCS #1 or ECDSA) is that of a certificate's key."""
    try:
        key, raw = read_chain(certificate_pem)[0].public_key(), base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    if isinstance(key, ec.EllipticCurvePublicKey):
        try:
            key.verify(raw, content, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    for scheme in (padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO), padding.PKCS1v15()):
        try:
            key.verify(raw, content, scheme, hashes.SHA256())
        except InvalidSignature:
            continue
        return True
    return False
