"""TLS as OCPP asks for it (2.0.1 Part 2, A00: profiles 2 and 3), and how it is renewed under open connections.

TLS 1.2 or later; both kinds of certificates from one server, and the cipher suites of which a station must have one pair: ECDHE-ECDSA or
RSA, each with AES-128-GCM and AES-256-GCM. Plain RSA has no forward secrecy, which is why a client that can do better gets better: the
server's order counts. Building a context reads files: not for the event loop's thread.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
import ssl
from typing import Any, Self, override

CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
)
"""For TLS 1.2 by OpenSSL's names, the better ones first; TLS 1.3 has its own."""

REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the station showed no certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the station does not trust this server's certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the station does not accept this server's certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the station does not accept this server's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "this server's certificate has expired for the station, or its clock is wrong",
    "NO_SHARED_CIPHER": "the station has none of the cipher suites that OCPP asks for",
    "UNSUPPORTED_PROTOCOL": "the station knows no TLS 1.2",
}
"""What the usual failures of a handshake mean, by OpenSSL's names."""

type Report = Callable[[str], None]


class ClientCertificates(Enum):
    """Whether stations are asked for a certificate of their own."""

    IGNORED = ssl.CERT_NONE
    ASKED = ssl.CERT_OPTIONAL
    REQUIRED = ssl.CERT_REQUIRED


def server_context(
    pairs: Sequence[tuple[Path, Path]],
    *,
    clients: ClientCertificates = ClientCertificates.IGNORED,
    client_roots: Sequence[str] = (),
    report: Report = lambda reason: None,
) -> ssl.SSLContext:
    """Return a context that serves these certificates (files: chain and key), one of each kind of key.

    `client_roots` are the root certificates (PEM) that stations' certificates must lead to. `report` hears why a handshake failed.
    Raises OSError where a file can't be read and ssl.SSLError, which is one, where it is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHERS))
    # A resumed session would carry a certificate past its end or its withdrawal.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    for chain, key in pairs:
        context.load_cert_chain(chain, key, password=_no_password)
    for root in client_roots:
        context.load_verify_locations(cadata=root)
    context.verify_mode = clients.value
    context.sslobject_class = _reporting(report)
    return context


def _no_password() -> str:
    """OpenSSL would ask on the terminal."""
    raise ssl.SSLError("the private key is locked with a password")


def _reporting(report: Report) -> type[ssl.SSLObject]:
    class Reporting(ssl.SSLObject):
        @override
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except ssl.SSLWantReadError, ssl.SSLWantWriteError:
                raise
            except ssl.SSLCertVerificationError as error:
                report(f"the station's certificate is refused: {error.verify_message}")
                raise
            except ssl.SSLError as error:
                if error.reason in REASONS:
                    report(REASONS[error.reason])
                raise

    return Reporting


class RenewableContext(ssl.SSLContext):
    """Stands for a context that can be put in another's place: handshakes from then on use it, connections that are open stay.

    A server keeps the context it was started with for as long as it listens.
    """

    current: ssl.SSLContext

    def __new__(cls, current: ssl.SSLContext) -> Self:
        """Stand for `current`."""
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        self.current = current
        return self

    @override
    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return self.current.wrap_bio(*args, **kwargs)
