"""What a Modbus meter hangs on: a network connection or a serial line, one client of it for all the meters there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.mei_message import ReadDeviceInformationResponse

from .fault import Fault
from .quiet import quiet
from .reading import ConnectionLostError, MeterError

_GATEWAY_CODES = (0x0A, 0x0B)
"""Exceptions by which a gateway says that the unit behind it is not there (Modbus Application Protocol 1.1b3, section 7)."""
_REGULAR_IDENTIFICATION = 0x02
"""Function 43/14: the basic names and what a maker adds to them (section 6.21)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpLine:
    """A device or gateway on the network. `framing` "rtu": serial frames sent through a socket as they are."""

    host: str
    port: int = 502
    framing: Literal["tcp", "rtu"] = "tcp"

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialLine:
    """An RS-485 adapter of this machine, RTU frames of eight bits. `device` is its path; a network adapter is a TcpLine."""

    device: str
    baud_rate: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1

    def __str__(self) -> str:
        """Name it for people."""
        return self.device


type Line = TcpLine | SerialLine


class RefusedError(MeterError):
    """The device answered that it has no such registers, or does not know such a request."""


class Answer(NamedTuple):
    """Registers, the loop's time in the middle of asking for them, and how long that took."""

    registers: list[int]
    taken_at: float
    took_s: float


class Connection:
    """The one client of a line. Requests take turns, as they do on the wire behind it; many meters serve no second client.

    It connects when first asked. Whoever gets no answer drops the connection, since a late one would answer the next question;
    the next request, whosever it is, makes it anew.
    """

    def __init__(self, line: Line) -> None:
        """Connects to nothing yet."""
        self.line = line
        self.holders = 0
        self._turn = asyncio.Lock()
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None

    async def open(self, timeout_s: float) -> None:
        """Connect, if it is not connected; raises ConnectionLostError."""
        async with self._asked():
            await self._connected(timeout_s)

    async def read(self, function: Literal[3, 4], start: int, count: int, *, device_id: int, timeout_s: float) -> Answer:
        """Read registers; raises RefusedError, ConnectionLostError, or MeterError where a gateway misses the device."""
        async with self._asked():
            client = await self._connected(timeout_s)
            read = client.read_holding_registers if function == 3 else client.read_input_registers
            loop = asyncio.get_running_loop()
            asked_at = loop.time()
            try:
                async with asyncio.timeout(timeout_s):
                    response = await read(start, count=count, device_id=device_id)
            except (ModbusException, TimeoutError, asyncio.CancelledError, OSError) as error:
                raise self._lost(error, device_id) from error
            answered_at = loop.time()
            if response.isError():
                raise self._refused(response, device_id, Fault.REGISTERS_REFUSED, first=str(start), last=str(start + count - 1))
            if len(response.registers) != count:
                self.close()
                raise ConnectionLostError(
                    Fault.REGISTERS_MISSING, source=str(self.line), came=str(len(response.registers)), asked=str(count)
                )
        return Answer(response.registers, (asked_at + answered_at) / 2, answered_at - asked_at)

    async def names(self, *, device_id: int, timeout_s: float) -> tuple[str, ...]:
        """Return what the device calls itself (function 43/14): maker, product code, version …; raises as `read` does."""
        async with self._asked():
            client = await self._connected(timeout_s)
            try:
                async with asyncio.timeout(timeout_s):
                    response = await client.read_device_information(read_code=_REGULAR_IDENTIFICATION, device_id=device_id)
            except (ModbusException, TimeoutError, asyncio.CancelledError, OSError) as error:
                raise self._lost(error, device_id) from error
            if response.isError() or not isinstance(response, ReadDeviceInformationResponse):
                raise self._refused(response, device_id, Fault.NAMES_REFUSED)
        values = [value if isinstance(value, bytes) else b"" for value in response.information.values()]
        return tuple(text for value in values if (text := value.decode("ascii", "replace").strip("\0 ")))

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        """Wait for its turn. What fails then is told by whoever asked, and not by the client too."""
        async with self._turn:
            with quiet():
                yield

    def close(self) -> None:
        """Let go of the line."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _connected(self, timeout_s: float) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        if isinstance(self.line, SerialLine) and "://" in self.line.device:
            raise MeterError(Fault.NO_SERIAL_DEVICE, source=str(self.line))  # pyserial would open it, and block meanwhile
        client = _client(self.line, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                connected = await client.connect()
        except TimeoutError, OSError, ValueError:  # the last of a name that no host can have
            connected = False
        except asyncio.CancelledError:
            client.close()
            raise
        if not connected:
            client.close()
            raise ConnectionLostError(Fault.NOT_CONNECTED, source=str(self.line))
        self._client = client
        return client

    def _lost(self, error: BaseException, device_id: int) -> BaseException:
        self.close()
        # The client turns a cancellation into an error of its own.
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) or (task is not None and task.cancelling()):
            return asyncio.CancelledError()
        return ConnectionLostError(Fault.NO_ANSWER, source=str(self.line), unit_id=str(device_id))

    def _refused(self, response: ModbusPDU, device_id: int, fault: Fault, **values: str) -> MeterError:
        if response.exception_code in _GATEWAY_CODES:
            return MeterError(Fault.NO_ANSWER_AT_GATEWAY, source=str(self.line), unit_id=str(device_id))
        return RefusedError(fault, source=str(self.line), code=str(response.exception_code), **values)


def _client(line: Line, timeout_s: float) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
    # Our own time-outs come first: the client's would log an error each time, and reconnect at its own pace.
    patience_s = 2 * timeout_s
    if isinstance(line, TcpLine):
        framer = FramerType.RTU if line.framing == "rtu" else FramerType.SOCKET
        return AsyncModbusTcpClient(line.host, port=line.port, framer=framer, timeout=patience_s, retries=0, reconnect_delay=0)
    return AsyncModbusSerialClient(
        line.device,
        baudrate=line.baud_rate,
        parity=line.parity,
        stopbits=line.stop_bits,
        timeout=patience_s,
        retries=0,
        reconnect_delay=0,
    )


_open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Line, Connection]] = WeakKeyDictionary()


@asynccontextmanager
async def held(line: Line) -> AsyncIterator[Connection]:
    """Lend the line's connection, the same to everybody on this loop; the last to give it back closes it."""
    connections = _open.setdefault(asyncio.get_running_loop(), {})
    connection = connections.setdefault(line, Connection(line))
    connection.holders += 1
    try:
        yield connection
    finally:
        connection.holders -= 1
        if not connection.holders:
            connection.close()
            del connections[line]
