"""A meter that is pymodbus' real server with a map's registers behind it: on a socket, or at the far end of a serial line."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
import os
import pty
import tty

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.pdu.device import ModbusControlBlock, ModbusDeviceIdentification
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType as SimDataType, SimData, SimDevice

from custom_components.headroom.metering.layout import DataType, MeterMap, Values


class Meter:
    """Registers behind a line. `asked` lists the requests that came (function, address, count), `asked_units` whom they were for;
    `mute` leaves them unanswered; `refusal` answers all of them with a Modbus exception; `connected` counts clients."""

    def __init__(self) -> None:
        self.units: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self.asked: list[tuple[int, int, int]] = []
        self.asked_units: list[int] = []
        self.answer_after_s = 0.0
        self.mute = False
        self.refusal: ExcCodes | None = None
        self.port = 0
        self.framer = FramerType.SOCKET
        self.serial_device: str | None = None
        self.identity: ModbusDeviceIdentification | None = None
        self.connected = 0
        self.most_connected = 0
        self._answering = 0
        self._server: ModbusTcpServer | ModbusSerialServer | None = None

    @property
    def registers(self) -> dict[int, int]:
        """The registers of unit 1."""
        return self.units[1]

    @registers.setter
    def registers(self, registers: dict[int, int]) -> None:
        self.units[1] = registers

    def put(self, values: Values | None, *numbers: float, word_order: str = "big") -> None:
        """Store raw numbers where the map has them."""
        assert values is not None
        for address, number in zip(values.addresses, numbers, strict=True):
            self.store(address, number, values.data_type, word_order, unit_id=values.unit_id or 1)

    def store(self, address: int, number: float, data_type: DataType, word_order: str = "big", *, unit_id: int = 1) -> None:
        """Store one raw number."""
        words = AsyncModbusTcpClient.convert_to_registers(number, data_type, word_order)
        self.units[unit_id].update(enumerate(words, address))

    def fill(self, layout: MeterMap) -> None:
        """Have every register that the layout reads."""
        for start, count, unit_id in (*layout.requests(), *layout.checks()):
            for address in range(start, start + count):
                self.units[unit_id or 1].setdefault(address, 0)

    async def start(self) -> None:
        devices = [self._device(unit_id) for unit_id in self.units]
        if self.serial_device is not None:
            self._server = ModbusSerialServer(devices, port=self.serial_device, framer=FramerType.RTU, baudrate=9600)
        else:
            self._server = ModbusTcpServer(
                devices, framer=self.framer, address=("127.0.0.1", self.port), identity=self.identity, trace_connect=self._count
            )
        await self._server.serve_forever(background=True)
        if isinstance(self._server, ModbusTcpServer):
            self.port = self._server.transport.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.mute = False
        while self._answering:
            await asyncio.sleep(0.005)
        if self._server is not None:
            await self._server.shutdown()
            self._server = None
        if self.identity is not None:  # the library keeps one for the whole process
            blank = dict.fromkeys(("VendorName", "ProductCode", "MajorMinorRevision"), "")
            ModbusControlBlock().Identity.update(ModbusDeviceIdentification(info_name=blank))

    def _device(self, unit_id: int) -> SimDevice:
        blocks: list[tuple[int, list[int]]] = []
        for address in sorted(self.units[unit_id]):
            if blocks and sum((blocks[-1][0], len(blocks[-1][1]))) == address:
                blocks[-1][1].append(0)
            else:
                blocks.append((address, [0]))
        data = [SimData(start, values=words, datatype=SimDataType.REGISTERS) for start, words in blocks]
        return SimDevice(unit_id, simdata=data, action=partial(self._action, unit_id))

    def _count(self, connected: bool) -> None:
        self.connected += 1 if connected else -1
        self.most_connected = max(self.most_connected, self.connected)

    async def _action(
        self, unit_id: int, function: int, start: int, address: int, count: int, current: list[int], _written: Sequence[int] | None
    ) -> ExcCodes | None:
        self.asked.append((function, address, count))
        self.asked_units.append(unit_id)
        self._answering += 1
        while self.mute:
            await asyncio.sleep(0.005)
        await asyncio.sleep(self.answer_after_s)
        self._answering -= 1
        registers = self.units[unit_id]
        for register in range(address, address + count):
            if register in registers:
                current[register - start] = registers[register]
        return self.refusal


@contextmanager
def serial_cable() -> Iterator[tuple[str, str]]:
    """Two terminals, each hearing what the other says: the paths of both ends."""
    loop = asyncio.get_running_loop()
    ends = [pty.openpty() for _ in range(2)]
    (near, near_terminal), (far, far_terminal) = ends
    for descriptor in (near, near_terminal, far, far_terminal):
        tty.setraw(descriptor)
    loop.add_reader(near, lambda: os.write(far, os.read(near, 4096)))
    loop.add_reader(far, lambda: os.write(near, os.read(far, 4096)))
    try:
        yield os.ttyname(near_terminal), os.ttyname(far_terminal)
    finally:
        for master, terminal in ends:
            loop.remove_reader(master)
            os.close(master)
            os.close(terminal)
