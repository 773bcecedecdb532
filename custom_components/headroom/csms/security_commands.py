"""What may be asked of a station about its security, whatever version it speaks: passwords, certificates, where it connects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

INTERFACES = ("Wired0", "Wired1", "Wired2", "Wired3", "Wireless0", "Wireless1", "Wireless2", "Wireless3")
"""OCPP's OCPPInterfaceEnumType."""
APN_AUTHENTICATIONS = ("AUTO", "CHAP", "NONE", "PAP")
"""OCPP's APNAuthenticationEnumType."""
VPN_TYPES = ("IKEv2", "IPSec", "L2TP", "PPTP")
"""OCPP's VPNEnumType."""
CSMS_ROOT = "CSMSRootCertificate"
ROOT_KINDS = (CSMS_ROOT, "ManufacturerRootCertificate", "MORootCertificate", "V2GRootCertificate")
"""OCPP's InstallCertificateUseEnumType: what a station may be given."""
INSTALLED_KINDS = (*ROOT_KINDS, "V2GCertificateChain")
"""OCPP's GetCertificateIdUseEnumType: what it may be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Apn:
    """The mobile network that a station connects by (OCPP's APNType). Its secrets are in no text made of this."""

    name: str
    authentication: str = APN_AUTHENTICATIONS[0]
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    sim_pin: int | None = field(default=None, repr=False)
    preferred_network: str | None = None
    """Country and network code (MCC and MNC)."""
    only_preferred: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpn:
    """The private network that a station connects through (OCPP's VPNType). Its secrets are in no text made of this."""

    type: str
    server: str
    user: str = field(repr=False)
    password: str = field(repr=False)
    key: str = field(repr=False)
    group: str | None = None


class SecurityCommands(Protocol):
    """Passwords, certificates and network profiles of one station. Commands raise StationError."""

    async def set_password(self, password: str) -> None:
        """Have the station use another Basic-auth password. Raises CallRejectedError where it keeps the old one."""

    async def ask_for_signing(self, *, timeout_s: float) -> None:
        """Have the station ask for a certificate of its own; returns once it has taken it."""

    async def install(self, kind: str, certificate: str) -> None:
        """Install a root certificate (PEM)."""

    async def installed(self, kinds: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        """Return the hashes of what is installed; all kinds where none is named."""

    async def delete(self, hash_data: Mapping[str, str]) -> bool:
        """Delete a certificate by its hashes; False where there was none."""

    async def has_root(self, hash_data: Mapping[str, str]) -> bool:
        """Return whether a root certificate is installed as the central system's."""

    async def set_network_profile(
        self,
        slot: int,
        url: str,
        profile: int,
        interface: str,
        *,
        message_timeout_s: int = 30,
        apn: Apn | None = None,
        vpn: Vpn | None = None,
    ) -> None:
        """Write where and how to connect into a slot."""
