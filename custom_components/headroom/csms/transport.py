"""A WebSocket of the `websockets` library as the transport of a connection."""

import asyncio

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

LONGEST_REASON_BYTES = 123


class WebSocketTransport:
    """One station's socket. What is no UTF-8, or no text frame, is read as text all the same: where its meaning is lost, parsing tells."""

    def __init__(self, connection: ServerConnection) -> None:
        """Take an open connection."""
        self._connection = connection

    @property
    def subprotocol(self) -> str | None:
        """The negotiated subprotocol."""
        return self._connection.subprotocol

    @property
    def remote(self) -> str:
        """The peer's address."""
        address = self._connection.remote_address
        return str(address[0]) if address else "unknown"

    async def send(self, text: str) -> None:
        """Send a text message. Raises ConnectionError when closed."""
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error

    async def recv(self) -> str:
        """Return the next message. Raises ConnectionError when closed."""
        try:
            message = await self._connection.recv(decode=False)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error
        return message.decode(errors="replace")

    async def close(self, code: int, reason: str) -> None:
        """Close with a code and a reason."""
        await self._connection.close(code, reason.encode()[:LONGEST_REASON_BYTES].decode(errors="ignore"))

    async def ping(self, timeout_s: float) -> bool:
        """Return whether the peer answers a ping in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await (await self._connection.ping())
        except TimeoutError, ConnectionClosed:
            return False
        return True
