"""Where stations' requests for certificates are decided (2.0.1 Part 2: A02, A03, M): signed for whom the site knows, refused otherwise."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from . import authority
from .access import Access
from .authority import Credential, SigningRefusedError
from .events import SecurityEvent, SecurityEventKind
from .recognition import NO_AUTHENTICATION
from .throttle import Allowance

CHARGING_STATION_CERTIFICATE = "ChargingStationCertificate"
SIGNED_AT_ONCE = 10
SIGNED_EVERY_S = 600.0
"""What a station may ask for is more than one that is set up, or loses its answers, ever needs: each costs a signature and a write."""


class CertificateDesk(Protocol):
    """Signs what stations ask for."""

    async def sign(self, identity: str, kind: str, csr: str, serial_number: str | None, *, profile: int) -> str:
        """Return the certificate chain (PEM) for a request. Raises SigningRefusedError.

        `kind` is OCPP's certificateType, `profile` the security profile of the connection that asks.
        """

    def delivered(self, identity: str, certificate: str, *, accepted: bool) -> None:
        """Take note whether the station took the certificate."""


class NoDesk:
    """Signs nothing."""

    async def sign(self, identity: str, kind: str, csr: str, serial_number: str | None, *, profile: int) -> str:
        """Refuse."""
        raise SigningRefusedError("UnsupportedRequest", "this central system signs no certificates")

    def delivered(self, identity: str, certificate: str, *, accepted: bool) -> None:
        """Never happens."""


class SiteDesk:
    """Signs the certificates of the site's own stations with the site's root.

    A station is given one for its identity or serial number if the connection it asks over has shown who it is: what signs for
    somebody who merely knows a name would make an impostor a station. ISO 15118 certificates need a root that cars know; there is none.
    """

    def __init__(self, access: Access, root: Callable[[], Credential | None], now: Callable[[], datetime]) -> None:
        """Take who knows the stations, the root (None: there is none) and our time in UTC."""
        self._access = access
        self._root = root
        self._now = now
        self._allowance = Allowance(SIGNED_AT_ONCE, SIGNED_EVERY_S)

    async def sign(self, identity: str, kind: str, csr: str, serial_number: str | None, *, profile: int) -> str:
        """Return the certificate for a request. Raises SigningRefusedError."""
        try:
            return await self._sign(identity, kind, csr, serial_number, profile)
        except SigningRefusedError as error:
            self._access.watch.tell(SecurityEvent(kind=SecurityEventKind.SIGNING_REFUSED, identity=identity, detail=str(error)))
            raise

    async def _sign(self, identity: str, kind: str, csr: str, serial_number: str | None, profile: int) -> str:
        if kind != CHARGING_STATION_CERTIFICATE:
            raise SigningRefusedError("UnsupportedRequest", "there is no root for the certificates of ISO 15118")
        root, security = self._root(), self._access.security(identity)
        if root is None:
            raise SigningRefusedError("UnsupportedRequest", "this central system signs no certificates")
        if security is None or profile == NO_AUTHENTICATION:
            raise SigningRefusedError("InvalidCSR", "the station has not shown who it is")
        if not self._allowance.take(identity, self._access.monotonic()):
            raise SigningRefusedError("Unspecified", "the station has asked for too many certificates: it may ask again in a while")
        # Its serial number cannot be another station's name.
        if serial_number is not None and self._access.security(serial_number) is None:
            security = replace(security, serial_number=serial_number)
        names = security.names(identity)
        certificate = await asyncio.to_thread(authority.sign_station, root, csr, names, self._now())
        if (kept := self._access.security(identity)) is None:
            raise SigningRefusedError("InvalidCSR", "the station was removed")
        kept = replace(kept, serial_number=security.serial_number)
        self._access.keep(identity, kept.with_certificate(certificate))
        return certificate

    def delivered(self, identity: str, certificate: str, *, accepted: bool) -> None:
        """Take note whether the station took the certificate; one that it did not take is not its own."""
        ends, kept = authority.expires_at(certificate), self._access.security(identity)
        if accepted:
            if kept is not None:
                self._access.keep(identity, kept.having_taken(certificate))
            event = SecurityEvent(kind=SecurityEventKind.CERTIFICATE_SIGNED, identity=identity, detail=f"valid until {ends:%Y-%m-%d}")
        else:
            event = SecurityEvent(
                kind=SecurityEventKind.SIGNING_REFUSED, identity=identity, detail="the station did not take the certificate"
            )
            if kept is not None:
                self._access.keep(identity, kept.without_certificate(certificate))
        self._access.watch.tell(event)


@dataclass(frozen=True, slots=True)
class StationDesk:
    """The desk as one connection of one station sees it."""

    desk: CertificateDesk
    identity: str
    profile: int

    async def sign(self, kind: str, csr: str, serial_number: str | None) -> str:
        """Return the certificate chain for a request. Raises SigningRefusedError."""
        return await self.desk.sign(self.identity, kind, csr, serial_number, profile=self.profile)

    def delivered(self, certificate: str, *, accepted: bool) -> None:
        """Take note whether the station took the certificate."""
        self.desk.delivered(self.identity, certificate, accepted=accepted)
