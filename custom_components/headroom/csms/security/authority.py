"""A certificate authority of the site's own: the server's certificates, and those of stations (A00.FR.3xx, A02, A03).

The root's key is RSA, because a station that knows only RSA must be able to check the chain, and one that knows elliptic curves checks
RSA signatures as well. Everything is PEM text. Making keys takes up to a second: not for the event loop's thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
import ipaddress

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT_VALID_DAYS = 20 * 365
SERVER_VALID_DAYS = 397
STATION_VALID_DAYS = 397
RENEW_BEFORE_DAYS = 60
"""The server's certificates are made anew by themselves when so little is left of them; a station's is asked for anew."""
WARN_BEFORE_DAYS = 21
"""Whoever has to see to a certificate is told when so little is left of it."""
BACKDATED = timedelta(hours=1)
"""A station's clock may lag."""
ROOT_BITS = 3072
SERVER_RSA_BITS = 2048
LEAST_RSA_BITS = 2048
LEAST_CURVE_BITS = 224
"""A00.FR.5xx: what is as strong as 112 bits."""
LONGEST_CSR = 5500
LONGEST_NAME = 64
"""Bytes of a CN (RFC 5280)."""

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class KeyKind(StrEnum):
    """The two kinds of keys that a station may ask a server for."""

    EC = "ec"
    RSA = "rsa"


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its key, both PEM."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        """Keep the key out of logs and tracebacks."""
        return f"Credential({fingerprint(self.certificate)})"


class SigningRefusedError(Exception):
    """A certificate is not signed. `reason` is one of OCPP's reason codes; the text is for people and holds nothing secret."""

    def __init__(self, reason: str, text: str) -> None:
        """Keep both."""
        super().__init__(text)
        self.reason = reason


def create_root(name: str, now: datetime) -> Credential:
    """Return a new root of trust."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=ROOT_BITS)
    # A name is as long as its bytes are, whatever its script.
    subject = _name(f"{name.encode()[: LONGEST_NAME - 16].decode(errors='ignore')} Headroom root", "Headroom")
    builder = _builder(subject, subject, key.public_key(), now, ROOT_VALID_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return _signed(builder, key, key)


def issue_server(root: Credential, names: Sequence[str], kind: KeyKind, now: datetime) -> Credential:
    """Return a certificate for the server under these host names and addresses; the first is its CN (A00.FR.3xx: the FQDN).

    It ends no later than the root. Raises ValueError where there is no name, or the root has ended.
    """
    if not names:
        raise ValueError("a server's certificate needs a name")
    if expires_at(root.certificate) <= now:
        raise ValueError(f"the root has ended on {expires_at(root.certificate):%Y-%m-%d}")
    key: PrivateKey
    if kind is KeyKind.EC:
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=SERVER_RSA_BITS)
    issuer = x509.load_pem_x509_certificate(root.certificate.encode())
    builder = _builder(_name(names[0][:LONGEST_NAME], "Headroom"), issuer.subject, key.public_key(), now, SERVER_VALID_DAYS, issuer)
    builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in dict.fromkeys(names)]), critical=False)
    # Plain RSA key exchange, which OCPP asks for, encrypts with the key.
    usage = _usage(digital_signature=True, key_encipherment=kind is KeyKind.RSA)
    return _signed(_leaf(builder, usage, ExtendedKeyUsageOID.SERVER_AUTH, issuer), key, _load_key(root.key))


def sign_station(root: Credential, csr: str, names: frozenset[str], now: datetime) -> str:
    """Return a client certificate for what a station asks for. `names`: what its CN may be, its identity and its serial number.

    Nothing of the request goes into the certificate but its CN, organisation and key. Raises SigningRefusedError.
    """
    request = _read_csr(csr)
    common_name = _common_name(request.subject)
    if common_name is None:
        raise SigningRefusedError("InvalidCSR", "the request has no name, or several")
    if len(common_name.encode()) > LONGEST_NAME:
        raise SigningRefusedError("InvalidCSR", "the request's name is too long")
    if common_name not in names:
        raise SigningRefusedError("InvalidCSR", "the request's name is neither the station's serial number nor its identity")
    organizations = request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    issuer = x509.load_pem_x509_certificate(root.certificate.encode())
    if issuer.not_valid_after_utc <= now:
        raise SigningRefusedError("Unspecified", "the root has ended")
    root_key = _load_key(root.key)
    key = request.public_key()
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)  # _read_csr knows no other
    subject = _name(common_name, str(organizations[0].value) if organizations else None)
    builder = _builder(subject, issuer.subject, key, now, STATION_VALID_DAYS, issuer)
    builder = _leaf(builder, _usage(digital_signature=True, key_agreement=True), ExtendedKeyUsageOID.CLIENT_AUTH, issuer)
    return builder.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _read_csr(csr: str) -> x509.CertificateSigningRequest:
    """Return a request whose key is strong enough and in its sender's hands. Raises SigningRefusedError."""
    if len(csr) > LONGEST_CSR:
        raise SigningRefusedError("InvalidCSR", "the request is too long")
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        held = request.is_signature_valid
        algorithm = request.signature_hash_algorithm
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise SigningRefusedError("InvalidCSR", "the request can't be read") from error
    if not held:
        raise SigningRefusedError("InvalidCSR", "the request is not signed with its own key")
    if algorithm is None or algorithm.digest_size < hashes.SHA256.digest_size:
        raise SigningRefusedError("InvalidCSR", "the request is signed with a hash that is too weak")
    match key:
        case rsa.RSAPublicKey():
            strong = key.key_size >= LEAST_RSA_BITS
        case ec.EllipticCurvePublicKey():
            strong = key.curve.key_size >= LEAST_CURVE_BITS
        case _:
            raise SigningRefusedError("InvalidCSR", "the request's key is of a kind that OCPP does not know")
    if not strong:
        raise SigningRefusedError("InvalidCSR", "the request's key is too short")
    return request


# What certificates say.


def common_name(certificate: str | bytes) -> str | None:
    """Return the one CN of a certificate (PEM, or DER as bytes); None where it has none or several. Raises ValueError."""
    return _common_name(_load(certificate).subject)


def fingerprint(certificate: str | bytes) -> str:
    """Return a certificate's SHA-256 fingerprint in hexadecimal. Raises ValueError."""
    return _load(certificate).fingerprint(hashes.SHA256()).hex()


def begins_at(certificate: str | bytes) -> datetime:
    """Return when a certificate begins. Raises ValueError."""
    return _load(certificate).not_valid_before_utc


def expires_at(certificate: str | bytes) -> datetime:
    """Return when a certificate ends. Raises ValueError."""
    return _load(certificate).not_valid_after_utc


def days_left(certificate: str | bytes, now: datetime) -> float:
    """Return how many days are left of a certificate; negative once it has expired. Raises ValueError."""
    return (expires_at(certificate) - now) / timedelta(days=1)


def serves(certificate: str, names: Sequence[str]) -> bool:
    """Return whether a server's certificate holds these names, no fewer and no more. Raises ValueError."""
    try:
        held = _load(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return list(held) == [_alternative(name) for name in dict.fromkeys(names)]


def issued_by(certificate: str | bytes, root: str) -> bool:
    """Return whether a certificate is signed by this root; its validity is not asked. Raises ValueError."""
    try:
        _load(certificate).verify_directly_issued_by(_load(root))
    except ValueError, TypeError, InvalidSignature:
        return False
    return True


def hash_data(certificate: str) -> dict[str, str]:
    """Return OCPP's CertificateHashData of a root certificate: how stations name what is installed. Raises ValueError."""
    loaded = _load(certificate)
    name, key = hashes.Hash(hashes.SHA256()), hashes.Hash(hashes.SHA256())
    name.update(loaded.issuer.public_bytes())
    key.update(_key_bits(loaded))  # RFC 6960: the key's bits without their wrapping
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": name.finalize().hex(),
        "issuerKeyHash": key.finalize().hex(),
        "serialNumber": f"{loaded.serial_number:x}",
    }


def _key_bits(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    raise ValueError("a key of a kind that OCPP does not know")


def matches(certificate: str, key: str) -> bool:
    """Return whether a key is the certificate's. Raises ValueError where either can't be read."""
    wanted = _load(certificate).public_key()
    return _load_key(key).public_key() == wanted


def _load(certificate: str | bytes) -> x509.Certificate:
    if isinstance(certificate, str):
        return x509.load_pem_x509_certificate(certificate.encode())
    return x509.load_der_x509_certificate(certificate)


def _load_key(key: str) -> PrivateKey:
    try:
        loaded = serialization.load_pem_private_key(key.encode(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the key is locked with a password, or of a kind that is not known") from error
    match loaded:
        case rsa.RSAPrivateKey() | ec.EllipticCurvePrivateKey():
            return loaded
    raise ValueError("the key is neither RSA nor of an elliptic curve")


def _common_name(name: x509.Name) -> str | None:
    names = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else None


def _name(common_name: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:LONGEST_NAME]))
    return x509.Name(attributes)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_agreement: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=key_agreement,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    now: datetime,
    days: int,
    root: x509.Certificate | None = None,
) -> x509.CertificateBuilder:
    now = now.astimezone(UTC).replace(microsecond=0)
    ends_at = now + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(ends_at if root is None else min(ends_at, root.not_valid_after_utc))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _leaf(
    builder: x509.CertificateBuilder, usage: x509.KeyUsage, purpose: x509.ObjectIdentifier, issuer: x509.Certificate
) -> x509.CertificateBuilder:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: PrivateKey, signer: PrivateKey) -> Credential:
    certificate = builder.sign(signer, hashes.SHA256())
    written = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Credential(certificate.public_bytes(serialization.Encoding.PEM).decode(), written.decode())
