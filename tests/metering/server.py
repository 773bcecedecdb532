"""A meter that is pymodbus' real server with a map's registers behind it."""

import asyncio
from collections.abc import Sequence

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from custom_components.headroom.metering.maps import MeterMap, Values


class Meter:
    """Registers behind a socket. `asked` lists the requests that came; `mute` leaves them
    unanswered; `refusal` answers all of them with a Modbus exception."""

    def __init__(self) -> None:
        self.registers: dict[int, int] = {}
        self.asked: list[tuple[int, int, int]] = []
        self.answer_after_s = 0.0
        self.mute = False
        self.refusal: ExcCodes | None = None
        self.port = 0
        self._answering = 0
        self._server: ModbusTcpServer | None = None

    def put(self, values: Values | None, *numbers: float, word_order: str = "big") -> None:
        """Store raw numbers where the map has them."""
        assert values is not None
        for address, number in zip(values.addresses, numbers, strict=True):
            words = AsyncModbusTcpClient.convert_to_registers(number, values.data_type, word_order)
            self.registers.update(enumerate(words, address))

    def fill(self, layout: MeterMap) -> None:
        """Have every register that the layout reads."""
        for start, count in layout.requests():
            for address in range(start, start + count):
                self.registers.setdefault(address, 0)

    async def start(self) -> None:
        blocks: list[tuple[int, list[int]]] = []
        for address in sorted(self.registers):
            if blocks and sum((blocks[-1][0], len(blocks[-1][1]))) == address:
                blocks[-1][1].append(0)
            else:
                blocks.append((address, [0]))
        data = [SimData(start, values=words, datatype=DataType.REGISTERS) for start, words in blocks]
        self._server = ModbusTcpServer(SimDevice(1, simdata=data, action=self._action), address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)
        self.port = self._server.transport.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.mute = False
        while self._answering:
            await asyncio.sleep(0.005)
        if self._server is not None:
            await self._server.shutdown()
            self._server = None

    async def _action(
        self, function: int, start: int, address: int, count: int, current: list[int], _written: Sequence[int] | None
    ) -> ExcCodes | None:
        self.asked.append((function, address, count))
        self._answering += 1
        while self.mute:
            await asyncio.sleep(0.005)
        await asyncio.sleep(self.answer_after_s)
        self._answering -= 1
        for register in range(address, address + count):
            if register in self.registers:
                current[register - start] = self.registers[register]
        return self.refusal
