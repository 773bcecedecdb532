"""The ways a station's text frames can go: a WebSocket, or a pair of queues in memory for simulated time."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
import ssl
from typing import Any, Protocol
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

SUBPROTOCOL = "ocpp2.0.1"
OPEN_TIMEOUT_S = 5.0


class Transport(Protocol):
    """An open connection. Raises ConnectionError once it is closed."""

    @property
    def subprotocol(self) -> str | None:
        """What was agreed upon."""

    @property
    def remote(self) -> str:
        """Who is at the other end."""

    async def send(self, text: str) -> None:
        """Send a frame."""

    async def recv(self) -> str:
        """Wait for a frame."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it; closing twice is no error."""


type Connect = Callable[[str], Awaitable[Transport]]
"""Opens a connection for a station of this identity; raises OSError where it can't, PermissionError where it is not let in."""


class WebSocketTransport:
    """A transport over a WebSocket this side opened."""

    def __init__(self, connection: ClientConnection) -> None:
        """Wrap an open connection."""
        self._connection = connection

    @property
    def subprotocol(self) -> str | None:
        """What the server chose."""
        return self._connection.subprotocol

    @property
    def remote(self) -> str:
        """The server's address."""
        return str(self._connection.remote_address)

    async def send(self, text: str) -> None:
        """Send a frame; raises ConnectionError when closed."""
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error

    async def recv(self) -> str:
        """Wait for a text frame; raises ConnectionError when closed."""
        try:
            return await self._connection.recv(decode=True)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and close."""
        await self._connection.close(code, reason)


def websocket(
    url: str, password: str | Callable[[], str | None] | None = None, *, tls: Callable[[], ssl.SSLContext] | ssl.SSLContext | None = None
) -> Connect:
    """Return how to connect to a CSMS at `url`; the identity is added to its path.

    With a password it shows Basic auth, with a context it trusts that one's roots (wss) and shows its certificate where it has one. Either
    may be a function, which is asked anew for each connection: a station may be given another password or certificate.
    """

    async def opened(identity: str) -> Transport:
        secret = password() if callable(password) else password
        headers = {} if secret is None else {"Authorization": f"Basic {b64encode(f'{identity}:{secret}'.encode()).decode()}"}
        context = tls() if callable(tls) else tls
        secured: dict[str, Any] = {} if context is None else {"ssl": context}
        try:
            connection = await connect(
                f"{url.rstrip('/')}/{quote(identity, safe='')}",
                additional_headers=headers,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=1.0,
                compression=None,
                proxy=None,
                **secured,
            )
        except InvalidStatus as error:
            refused = error.response.status_code in {401, 403}
            raise (PermissionError if refused else ConnectionError)(f"{url}: {error}") from error
        except (InvalidHandshake, InvalidURI) as error:
            raise ConnectionError(f"{url}: {error}") from error
        if connection.subprotocol != SUBPROTOCOL:
            await connection.close(1002, "subprotocol")
            raise ConnectionError(f"{url} chose {connection.subprotocol}, not {SUBPROTOCOL}")
        return WebSocketTransport(connection)

    return opened


def client_context(roots: str, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """Return how a station does TLS: it trusts these roots (PEM) only, and shows its certificate (files: chain, key) where it has one.

    Blocks: it reads files.
    """
    context = ssl.create_default_context(cadata=roots)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


class MemoryTransport:
    """One end of a pair in memory. What was sent before the close is still received."""

    subprotocol: str | None = SUBPROTOCOL

    def __init__(self, remote: str, inbox: asyncio.Queue[str | None], outbox: asyncio.Queue[str | None]) -> None:
        """Take the two queues, each the other end's other one."""
        self.remote = remote
        self._inbox, self._outbox = inbox, outbox
        self.peer: MemoryTransport | None = None
        self.closed = False

    async def send(self, text: str) -> None:
        """Send a frame; raises ConnectionError when either end is closed."""
        if self.closed or (self.peer and self.peer.closed):
            raise ConnectionError("closed")
        self._outbox.put_nowait(text)
        await asyncio.sleep(0)

    async def recv(self) -> str:
        """Wait for a frame; raises ConnectionError when either end is closed and nothing is left."""
        if self.closed:
            raise ConnectionError("closed")
        text = await self._inbox.get()
        if text is None:
            self._inbox.put_nowait(None)
            raise ConnectionError("closed")
        return text

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close both ends."""
        if not self.closed:
            self.closed = True
            self._outbox.put_nowait(None)
            self._inbox.put_nowait(None)


def memory_transport(station: str = "station", csms: str = "csms") -> tuple[MemoryTransport, MemoryTransport]:
    """Return a connected pair: the station's end and the CSMS's."""
    there: asyncio.Queue[str | None] = asyncio.Queue()
    back: asyncio.Queue[str | None] = asyncio.Queue()
    ends = MemoryTransport(csms, back, there), MemoryTransport(station, there, back)
    ends[0].peer, ends[1].peer = ends[1], ends[0]
    return ends
