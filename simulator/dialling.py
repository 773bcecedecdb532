"""How a station gets through to its CSMS: by the network profile it uses, with the password and the certificates it holds."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
import ssl
from tempfile import TemporaryDirectory

from .station import StationModel
from .transport import Connect, Transport, client_context, websocket

BASIC_AUTH = frozenset({1, 2})
TLS = frozenset({2, 3})
CLIENT_CERTIFICATE = 3


def by_profile(stations: Mapping[str, StationModel], csms_url: str) -> Connect:
    """Return how each station dials by its own network profile; one that names no address goes to `csms_url`.

    A connection that is refused for the station's or the CSMS's identity is a security event of the station.
    """

    async def opened(identity: str) -> Transport:
        station = stations[identity]
        network, profile = station.network, station.network.current
        level = profile.security_profile
        password = network.password if level in BASIC_AUTH else None
        try:
            context = await asyncio.to_thread(tls_context, station) if level in TLS else None
            transport = await websocket(profile.url or csms_url, password, tls=context)(identity)
        except OSError as error:
            network.failed()
            if isinstance(error, ssl.SSLError):
                station.security.event("InvalidCsmsCertificate", str(error))
            elif isinstance(error, PermissionError):
                station.security.event("FailedToAuthenticateAtCsms", str(error))
            raise
        network.succeeded()
        return transport

    return opened


def tls_context(station: StationModel) -> ssl.SSLContext:
    """Return how a station does TLS: it trusts the roots installed, and shows its certificate by security profile 3.

    Blocks. Raises OSError where it has no certificate to show.
    """
    certificates = station.certificates
    if station.network.current.security_profile != CLIENT_CERTIFICATE:
        return client_context(certificates.root_pem)
    if certificates.own_pem is None:
        raise ConnectionError("the station has no certificate")
    with TemporaryDirectory() as folder:
        files = Path(folder, "chain.pem"), Path(folder, "key.pem")
        for file, text in zip(files, certificates.own_pem, strict=True):
            file.touch(mode=0o600)
            file.write_text(text)
        return client_context(certificates.root_pem, files)
