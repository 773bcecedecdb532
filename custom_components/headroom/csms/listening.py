"""The sockets that stations connect to: one in the clear, one with TLS, opened and closed while connections live on.

A connection takes a seat when it is made and shows who it is in its request's path and headers; whoever has no seat is hung up on
before a byte is read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
import logging
import re
import ssl
from typing import Any, override
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from .security.access import Access, Claim, Refusal, Verdict
from .security.credentials import read_basic_header
from .security.events import SecurityEvent, SecurityEventKind
from .security.throttle import Ration, address_key
from .transport import WebSocketTransport

_LOGGER = logging.getLogger(__name__)

SUBPROTOCOLS = (Subprotocol("ocpp2.0.1"),)
IDENTITY = re.compile(r"[A-Za-z0-9*\-_=:+|@.]{1,48}")
"""OCPP's identifierString, as long as BasicAuth's user name may be (Part 4, 3.1.1)."""
LARGEST_FRAME_BYTES = 1 << 20
CLOSE_TIMEOUT_S = 2
POLICY_VIOLATION = 1008

type Judge = Callable[[str, Verdict], Awaitable[tuple[HTTPStatus, str] | None]]
"""Whether an identity that was recognised is served; else with which words it is turned away."""
type Serve = Callable[[str, "Peer", Verdict], Awaitable[None]]


class SeatedConnection(ServerConnection):
    """A connection that has a seat, or is gone at once."""

    verdict: Verdict | None = None
    """How it was let in."""

    def __init__(self, *args: Any, access: Access, **settings: Any) -> None:
        """Take the one who counts the seats."""
        super().__init__(*args, **settings)
        self._access = access
        self._address: str | None = None
        self.heard_at_s = access.monotonic()
        """When a byte came last."""

    @property
    def remote(self) -> str:
        """The peer's address."""
        address = self.transport.get_extra_info("peername")
        return str(address[0]) if address else "unknown"

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        address = address_key(str(peer[0])) if peer else "unknown"
        if not self._access.seats.take(address):
            self._access.watch.tell(SecurityEvent(kind=SecurityEventKind.TOO_MANY_CONNECTIONS, remote=address))
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
            return
        self._address = address
        super().connection_made(transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self._address is not None:
            self.heard_at_s = self._access.monotonic()
            super().data_received(data)

    @override
    def eof_received(self) -> None:
        if self._address is not None:
            super().eof_received()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._address is not None:
            self._access.seats.gone(self._address, stranger=self.verdict is None)
            super().connection_lost(exc)

    def let_in(self, verdict: Verdict) -> None:
        """Take note of how it was let in."""
        if self.verdict is None and self._address is not None:
            self._access.seats.recognised(self._address)
        self.verdict = verdict

    def claim(self, identity: str, request: Request) -> Claim:
        """Return what its peer shows."""
        secured = self.transport.get_extra_info("ssl_object")
        headers = request.headers.get_all("Authorization")
        return Claim(
            identity=identity,
            remote=self.remote,
            tls=secured is not None,
            credentials=read_basic_header(headers[0]) if len(headers) == 1 else None,
            certificate=None if secured is None else secured.getpeercert(binary_form=True),
        )


class Peer(WebSocketTransport):
    """A station's socket, which gets no more than its ration of frames."""

    def __init__(self, connection: SeatedConnection, identity: str, access: Access) -> None:
        """Take an open connection."""
        super().__init__(connection)
        self._identity = identity
        self._access = access
        self._ration = Ration(access.limits, access.monotonic())
        self._seat = connection
        self.heard = False
        """Whether any message came."""

    @property
    def heard_at_s(self) -> float:
        """When anything came last, be it a ping or half a message; monotonic."""
        return self._seat.heard_at_s

    @override
    async def recv(self) -> str:
        text = await super().recv()
        self.heard = True
        now = self._access.monotonic()
        if wait_s := self._ration.spend(len(text), now):
            if self._ration.flooding(now):
                self._access.watch.tell(SecurityEvent(kind=SecurityEventKind.FLOOD, identity=self._identity, remote=self.remote))
                await self.close(POLICY_VIOLATION, "too many frames")
                raise ConnectionError("it sent too many frames")
            await self._access.pause(wait_s)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where to listen: for connections in the clear, for those with TLS, or both."""

    host: str | None = None
    port: int | None = None
    tls_port: int | None = None
    tls: ssl.SSLContext | None = field(default=None, compare=False)


@dataclass(slots=True)
class Doors:
    """The listening sockets. `judge` has the last word on who is served, `serve` does it."""

    access: Access
    judge: Judge
    serve: Serve
    _open: dict[str, tuple[tuple[str | None, int], Server]] = field(default_factory=dict)
    _closing: list[Server] = field(default_factory=list)
    _failing: set[str] = field(default_factory=set)

    async def listen(self, listening: Listening) -> None:
        """Open what is missing, then close what is too much; connections stay. Raises OSError where a port is taken; all is as before then."""
        wanted: dict[str, tuple[tuple[str | None, int], ssl.SSLContext | None]] = {}
        if listening.port is not None:
            wanted["ws"] = ((listening.host, listening.port), None)
        if listening.tls_port is not None and listening.tls is not None:
            wanted["wss"] = ((listening.host, listening.tls_port), listening.tls)
        opened: dict[str, tuple[tuple[str | None, int], Server]] = {}
        try:
            for scheme, (where, context) in wanted.items():
                if scheme not in self._open or self._open[scheme][0] != where:
                    opened[scheme] = (where, await self._serve(where, context))
        except BaseException:
            for _, server in opened.values():
                server.close(close_connections=False)
            raise
        for scheme in [scheme for scheme in self._open if scheme not in wanted or scheme in opened]:
            self._close(scheme)
        self._open |= opened

    def port(self, scheme: str) -> int | None:
        """Return the port of "ws" or "wss"; None where it is not open."""
        if (door := self._open.get(scheme)) is None:
            return None
        return int(next(iter(door[1].sockets)).getsockname()[1])

    def close(self) -> None:
        """Stop listening; connections stay."""
        for scheme in list(self._open):
            self._close(scheme)

    async def wait_closed(self) -> None:
        """Wait until every connection is gone, too."""
        for server in self._closing:
            await server.wait_closed()
        self._closing.clear()

    def _close(self, scheme: str) -> None:
        _, server = self._open.pop(scheme)
        server.close(close_connections=False)
        self._closing.append(server)

    async def _serve(self, where: tuple[str | None, int], context: ssl.SSLContext | None) -> Server:
        patience: dict[str, Any] = {} if context is None else {"ssl_handshake_timeout": self.access.limits.tls_handshake_s}
        return await serve(
            self._serve_websocket,
            *where,
            subprotocols=SUBPROTOCOLS,
            process_request=self._let_in_or_not,
            open_timeout=self.access.limits.handshake_s,
            ping_interval=None,  # the library hangs up on a station that answers no ping, however much it says: liveness.py
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=LARGEST_FRAME_BYTES,
            compression=None,  # a local network has room; each connection's compressor would take memory and each message its time
            logger=_QUIET,
            server_header=None,
            ssl=context,
            **patience,
            create_connection=partial(SeatedConnection, access=self.access),  # type: ignore[arg-type]
        )

    @contextmanager
    def _loud(self, what: str) -> Iterator[None]:
        """Log a mistake of ours, once until all goes well again: the library's own word of it is not heard."""
        try:
            yield
        except Exception:
            if what not in self._failing:
                _LOGGER.exception("%s a station failed", what)
            self._failing.add(what)
            raise
        self._failing.discard(what)

    async def _let_in_or_not(self, connection: ServerConnection, request: Request) -> Response | None:
        with self._loud("Letting in"):
            return await self._check_request(connection, request)

    async def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        assert isinstance(connection, SeatedConnection)
        identity = _identity(request.path)
        if identity is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "the path ends with no station's identity\n")
        try:
            verdict = await self.access.enter(connection.claim(identity, request))
        except ConnectionAbortedError:
            connection.transport.abort()
            return connection.respond(HTTPStatus.TOO_MANY_REQUESTS, "")
        if verdict.refusal is Refusal.DOWNGRADE:
            return connection.respond(HTTPStatus.FORBIDDEN, "this station has to connect on a higher security profile\n")
        if verdict.refusal is not None:
            response = connection.respond(HTTPStatus.UNAUTHORIZED, "not recognised\n")
            response.headers["WWW-Authenticate"] = 'Basic realm="OCPP", charset="UTF-8"'
            return response
        if (refused := await self.judge(identity, verdict)) is not None:
            return connection.respond(refused[0], f"{refused[1]}\n")
        connection.let_in(verdict)
        return None

    async def _serve_websocket(self, connection: ServerConnection) -> None:
        assert isinstance(connection, SeatedConnection)
        request = connection.request
        identity = None if request is None else _identity(request.path)
        if identity is not None and connection.verdict is not None:
            peer = Peer(connection, identity, self.access)
            with self._loud("Serving"):
                await self.serve(identity, peer, connection.verdict)


def _identity(path: str) -> str | None:
    """Return the station's identity in a request's path, None where there is none that OCPP allows."""
    identity = unquote(urlsplit(path).path.rpartition("/")[2])
    return identity if IDENTITY.fullmatch(identity) else None


_QUIET = logging.getLogger(f"{__name__}.websockets")
"""The library logs a traceback for each handshake that fails: port scans would fill the log."""
_QUIET.setLevel(logging.CRITICAL)
