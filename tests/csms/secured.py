"""What the tests of security share: a house with doors in the clear and with TLS, certificates of all sorts, stations that show them."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
import ssl
import time
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from custom_components.headroom.csms.security.access import Access
from custom_components.headroom.csms.security.authority import Credential, KeyKind, create_root, issue_server
from custom_components.headroom.csms.security.credentials import generate_password, hash_password
from custom_components.headroom.csms.security.desk import SiteDesk
from custom_components.headroom.csms.security.events import SecurityEvent, SecurityWatch
from custom_components.headroom.csms.security.recognition import PASSWORD, StationSecurity
from custom_components.headroom.csms.security.throttle import Limits
from custom_components.headroom.csms.security.tls import ClientCertificates, RenewableContext, server_context
from custom_components.headroom.csms.security.vault import Vault
from custom_components.headroom.csms.server import CentralSystem
from custom_components.headroom.csms.values import Admission

from .client import Client
from .conftest import House

NOW = datetime.now(UTC)
ROOT = create_root("Test", NOW)
SERVERS = {kind: issue_server(ROOT, ("127.0.0.1",), kind, NOW) for kind in KeyKind}
"""Made once: RSA keys take their time."""
WORD = generate_password()
KNOWN = StationSecurity(profile=PASSWORD, password=hash_password(WORD))
BROKEN = (ssl.SSLError, ConnectionError, InvalidMessage, ConnectionClosed, EOFError)
"""How a client learns that TLS came to nothing."""


def keep(folder: Path, name: str, credential: Credential) -> None:
    """Lay a certificate and its key where the vault looks for them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.pem").write_text(credential.certificate)
    (folder / f"{name}.key").write_text(credential.key)


def basic(identity: str, password: str) -> str:
    return f"Basic {b64encode(f'{identity}:{password}'.encode()).decode()}"


def self_signed(common_name: str, *, signer: Credential | None = None, ends: datetime | None = None) -> Credential:
    """A client certificate that another hand than the component's made: its own signer, or one of `signer`'s that ends whenever."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    issuer, signing = name, key
    if signer is not None:
        issuer = x509.load_pem_x509_certificate(signer.certificate.encode()).subject
        signing = serialization.load_pem_private_key(signer.key.encode(), None)  # type: ignore[assignment]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(ends or NOW + timedelta(days=30))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    return Credential(certificate.public_bytes(serialization.Encoding.PEM).decode(), key_pem(key))


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def signing_request(common_name: str, key: Any = None, *, algorithm: Any = None) -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Owner")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, algorithm or hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def der(certificate: str) -> bytes:
    return x509.load_pem_x509_certificate(certificate.encode()).public_bytes(serialization.Encoding.DER)


@dataclass
class Clock:
    """Time that passes when something is waited for, and not else."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, wait_s: float) -> None:
        self.waits.append(wait_s)
        self.now += wait_s
        await asyncio.sleep(0)


@dataclass
class Castle:
    """A central system that asks who is there. `stations` is what it keeps of each; the others are nobody's."""

    folder: Path
    stations: dict[str, StationSecurity]
    required: int = 0
    limits: Limits = field(default_factory=Limits)
    clients: ClientCertificates = ClientCertificates.ASKED
    clock: Clock = field(default_factory=Clock)
    events: list[SecurityEvent] = field(default_factory=list)
    kept: dict[str, StationSecurity] = field(default_factory=dict)
    house: House = field(default_factory=House)
    real_clock: bool = False
    today: datetime = NOW
    """What the desk that signs takes for now."""

    def __post_init__(self) -> None:
        clock, sleep = (time.monotonic, asyncio.sleep) if self.real_clock else (self.clock, self.clock.sleep)
        self.access = Access(
            monotonic=clock, sleep=sleep, watch=SecurityWatch(clock, self.events.append), keep=self.kept.__setitem__, limits=self.limits
        )
        self.access.configure(required=self.required, stations=self.stations, root=ROOT.certificate)
        self.vault = Vault(self.folder / "vault")
        keep(self.vault.folder, "root", ROOT)
        for kind, server in SERVERS.items():
            keep(self.vault.folder, f"server-{kind}", server)
        self.context = RenewableContext(self.new_context())
        self.reasons: list[str] = []
        self.house.admit = self.admit  # type: ignore[method-assign]
        self.house.access = self.access

    def new_context(self, names: tuple[str, ...] = ("127.0.0.1",), now: datetime = NOW) -> ssl.SSLContext:
        issued = self.vault.issue("Test", names, now)
        return server_context(
            issued.servers, clients=self.clients, client_roots=(ROOT.certificate,), report=lambda reason: self.reasons.append(reason)
        )

    def admit(self, identity: str) -> Admission:
        return Admission.ACCEPTED if identity in self.stations else Admission.PENDING

    @property
    def system(self) -> CentralSystem:
        return self.house.system

    def kinds(self) -> list[str]:
        return [event.kind.value for event in self.events]

    def station_context(self, own: Credential | None = None, *, trusts: str = ROOT.certificate) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=trusts)
        if own is not None:
            chain, key = self.folder / "client.pem", self.folder / "client.key"
            chain.write_text(own.certificate)
            key.write_text(own.key)
            context.load_cert_chain(chain, key)
        return context

    @asynccontextmanager
    async def connect(
        self, identity: str = "CP1", password: str | None = None, tls: ssl.SSLContext | None = None, user: str | None = None
    ) -> AsyncIterator[Client]:
        headers = {} if password is None else {"Authorization": basic(user or identity, password)}
        port = self.system.port if tls is None else self.system.tls_port
        url = f"{'ws' if tls is None else 'wss'}://127.0.0.1:{port}/ocpp/{identity}"
        async with (
            connect(
                url, subprotocols=[Subprotocol("ocpp2.0.1")], additional_headers=headers, ssl=tls, ping_interval=None, proxy=None
            ) as socket,
            Client.on(socket) as client,
        ):
            yield client

    async def status(self, identity: str = "CP1", password: str | None = None, tls: ssl.SSLContext | None = None, **more: Any) -> int:
        """The HTTP status a connection comes to: 101 where it is let in."""
        try:
            async with self.connect(identity, password, tls, **more):
                return 101
        except InvalidStatus as error:
            return error.response.status_code


@asynccontextmanager
async def castle(folder: Path, *stations: tuple[str, StationSecurity], **settings: Any) -> AsyncIterator[Castle]:
    made = Castle(folder, dict(stations), **settings)
    house = made.house
    house.system = CentralSystem(
        admit=made.admit,
        authorize=house.authorize,
        on_event=house.on_event,
        now=lambda: datetime.now(UTC),
        timing=house.timing,
        access=made.access,
        desk=SiteDesk(made.access, lambda: ROOT, lambda: made.today),
    )
    await house.system.start("127.0.0.1", 0, tls_port=0, tls=made.context)
    try:
        yield made
    finally:
        await house.system.stop()
