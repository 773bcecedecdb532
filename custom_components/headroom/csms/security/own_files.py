"""Whether a person's own certificate and key can serve stations (A00.FR.3xx), and if not, why, as a word for a form."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
import ipaddress
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from . import authority


class FileProblem(StrEnum):
    """Why a certificate or key is not taken. Translation keys."""

    CERTIFICATE_UNREADABLE = "certificate_unreadable"
    CERTIFICATE_INVALID = "certificate_invalid"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_SELF_SIGNED = "certificate_self_signed"
    CERTIFICATE_NAMES = "certificate_names"
    CHAIN_BROKEN = "chain_broken"
    KEY_UNREADABLE = "key_unreadable"
    KEY_INVALID = "key_invalid"
    KEY_MISMATCH = "key_mismatch"
    ROOT_UNREADABLE = "root_unreadable"
    ROOT_INVALID = "root_invalid"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and with which names or what else (`detail`)."""

    problem: FileProblem
    detail: str = ""


def check_server(certificate: Path, key: Path, names: Sequence[str], now: datetime) -> Finding | None:
    """Return what is wrong with a chain (the server's certificate first) and its key; None where nothing is. Blocking."""
    try:
        text = certificate.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Finding(FileProblem.CERTIFICATE_UNREADABLE, _said(error))
    try:
        chain = x509.load_pem_x509_certificates(text.encode())
        finding = _check_chain(chain, names, now)
    except ValueError as error:
        return Finding(FileProblem.CERTIFICATE_INVALID, str(error))
    if finding is not None:
        return finding
    try:
        secret = key.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Finding(FileProblem.KEY_UNREADABLE, _said(error))
    try:
        return None if authority.matches(text, secret) else Finding(FileProblem.KEY_MISMATCH)
    except ValueError:
        return Finding(FileProblem.KEY_INVALID)


def check_roots(file: Path) -> Finding | None:
    """Return what is wrong with a file of root certificates. Blocking."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Finding(FileProblem.ROOT_UNREADABLE, _said(error))
    try:
        roots = x509.load_pem_x509_certificates(text.encode())
        authorities = all(root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca for root in roots)
    except ValueError, x509.ExtensionNotFound:
        authorities = False
    return None if authorities else Finding(FileProblem.ROOT_INVALID)


def _check_chain(chain: Sequence[x509.Certificate], names: Sequence[str], now: datetime) -> Finding | None:
    """Raises ValueError where a certificate is not what it should be."""
    server = chain[0]
    if server.issuer == server.subject:
        return Finding(FileProblem.CERTIFICATE_SELF_SIGNED)
    for below, above in pairwise(chain):
        if not authority.issued_by(_pem(below), _pem(above)):
            return Finding(FileProblem.CHAIN_BROKEN)
    for one in chain:
        if now > one.not_valid_after_utc:
            return Finding(FileProblem.CERTIFICATE_EXPIRED, f"{one.not_valid_after_utc:%Y-%m-%d}")
        if now < one.not_valid_before_utc:
            return Finding(FileProblem.CERTIFICATE_NOT_YET_VALID, f"{one.not_valid_before_utc:%Y-%m-%d}")
    missing = [name for name in names if not _names(server, name)]
    return Finding(FileProblem.CERTIFICATE_NAMES, ", ".join(missing)) if missing else None


def _names(certificate: x509.Certificate, name: str) -> bool:
    """Return whether a certificate is for a host name or an address; a star stands for one label (RFC 9525)."""
    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return authority.common_name(_pem(certificate)) == name
    try:
        return ipaddress.ip_address(name) in held.get_values_for_type(x509.IPAddress)
    except ValueError:
        pass
    wanted = name.lower()
    starred = f"*.{wanted.partition('.')[2]}"
    return any(dns.lower() in (wanted, starred) for dns in held.get_values_for_type(x509.DNSName))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _said(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "not a text file"
