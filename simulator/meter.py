"""The site's meter as a real Modbus TCP server: an Eastron SDM630, or a SunSpec meter of model 203 (integers) or 213 (floats)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
import struct

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from .electrical import NONE_A, VOLTAGE_V, PerPhase

UNIT = 1
SUNSPEC_BASE = 40000
SUNSPEC_MODEL_AT = 70
"""Where the meter's model begins, after "SunS" and the common model, from the base."""
SDM630_REGISTERS = 0x160
MODEL_LENGTH: Mapping[int, int] = {203: 105, 213: 124}
CURRENT_SCALE, POWER_SCALE = -2, 1
"""Model 203's scale factors: hundredths of an ampere, tens of watts."""


class MeterKind(StrEnum):
    """Whose registers the server has."""

    SDM630 = "sdm630"
    SUNSPEC_203 = "sunspec_203"
    SUNSPEC_213 = "sunspec_213"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterValues:
    """What the meter measures. Export is negative in currents and powers; energies only grow."""

    current_a: PerPhase = NONE_A
    power_w: PerPhase = NONE_A
    voltage_v: float = VOLTAGE_V
    import_wh: float = 0.0
    export_wh: float = 0.0


class MeterServer:
    """Serves the newest values. `frozen` keeps what it shows; what it is asked while `silent` it never answers; `stop` closes it."""

    def __init__(self, kind: MeterKind = MeterKind.SDM630) -> None:
        """Make a meter that reads nothing yet."""
        self.kind = kind
        self.values = MeterValues()
        self.reads = 0
        self.silent = False
        self._frozen = False
        self._shown = MeterValues()
        self._server: ModbusTcpServer | None = None
        self._address = ("127.0.0.1", 0)

    @property
    def port(self) -> int:
        """The port it listens on, or did last."""
        return self._address[1]

    @property
    def frozen(self) -> bool:
        """Whether it goes on showing old values."""
        return self._frozen

    @frozen.setter
    def frozen(self, frozen: bool) -> None:
        self._shown, self._frozen = self.values, frozen

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises RuntimeError where the port is taken."""
        server = ModbusTcpServer(_device(self.kind, self._answer), address=(host, port), ignore_missing_devices=True)
        await server.serve_forever(background=True)
        self._server = server
        listening = server.transport
        assert isinstance(listening, asyncio.Server)
        self._address = (host, listening.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and every connection; `restart` opens the same port again."""
        if self._server:
            self._server.close()
            self._server = None

    async def restart(self) -> None:
        """Listen on the port it had."""
        await self.start(*self._address)

    async def _answer(
        self, function: int, start: int, _address: int, _count: int, registers: list[int], written: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        """Put the newest values into the registers when they are read."""
        if self.silent:
            raise NoSuchIdException  # the server's word for a device that is not there: it answers nothing
        if written is not None or function not in {3, 4}:
            return None
        image = registers_of(self.kind, self._shown if self._frozen else self.values)
        if start == _base(self.kind) and len(registers) >= len(image):
            self.reads += 1
            registers[: len(image)] = image
        return None


def registers_of(kind: MeterKind, values: MeterValues) -> list[int]:
    """Return a meter's registers from its base on."""
    match kind:
        case MeterKind.SDM630:
            return _sdm630(values)
        case MeterKind.SUNSPEC_203:
            return _sunspec(203, _model_203(values))
        case MeterKind.SUNSPEC_213:
            return _sunspec(213, _model_213(values))


def _base(kind: MeterKind) -> int:
    return 0 if kind is MeterKind.SDM630 else SUNSPEC_BASE


type _Action = Callable[[int, int, int, int, list[int], list[int] | list[bool] | None], Awaitable[ExcCodes | None]]


def _device(kind: MeterKind, action: _Action) -> SimDevice:
    """Return pymodbus's device: input registers for an SDM630 (function 4), holding registers for SunSpec (function 3)."""
    bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    empty = [SimData(0xFFF0, values=0, datatype=DataType.UINT16)]
    full = [SimData(_base(kind), values=list(registers_of(kind, MeterValues())), datatype=DataType.UINT16)]
    holding, inputs = (empty, full) if kind is MeterKind.SDM630 else (full, empty)
    return SimDevice(UNIT, simdata=(bits, list(bits), holding, inputs), action=action)


def _floats(*values: float) -> list[int]:
    """Return floats as registers, high word first."""
    return list(struct.unpack(f">{2 * len(values)}H", struct.pack(f">{len(values)}f", *values)))


def _placed(length: int, blocks: Mapping[int, list[int]]) -> list[int]:
    registers = [0] * length
    for address, block in blocks.items():
        registers[address : address + len(block)] = block
    return registers


def _sdm630(values: MeterValues) -> list[int]:
    volts, power_w = values.voltage_v, sum(values.power_w)
    return _placed(
        SDM630_REGISTERS,
        {
            0x00: _floats(volts, volts, volts),
            0x06: _floats(*(abs(current) for current in values.current_a)),
            0x0C: _floats(*values.power_w),
            0x12: _floats(*(abs(power) for power in values.power_w)),
            0x2A: _floats(volts),
            0x30: _floats(sum(abs(current) for current in values.current_a)),
            0x34: _floats(power_w),
            0x38: _floats(abs(power_w)),
            0x46: _floats(50.0),
            0x48: _floats(values.import_wh / 1000, values.export_wh / 1000),
            0x156: _floats((values.import_wh + values.export_wh) / 1000),
        },
    )


def _text(text: str, length: int) -> list[int]:
    return list(struct.unpack(f">{length}H", text.encode().ljust(2 * length, b"\0")))


def _sunspec(model: int, block: list[int]) -> list[int]:
    """Return "SunS", the common model, the meter's model and the end."""
    common = _placed(
        68, {0: [1, 66], 2: _text("Headroom", 16), 18: _text("Simulated meter", 16), 42: _text("1.0", 8), 50: _text("SIM1", 16), 66: [UNIT]}
    )
    return [*_text("SunS", 2), *common, model, MODEL_LENGTH[model], *block[2:], 0xFFFF, 0]


def _word(value: float) -> int:
    return round(value) & 0xFFFF


def _double(value: float) -> list[int]:
    whole = round(value) & 0xFFFFFFFF
    return [whole >> 16, whole & 0xFFFF]


def _model_203(values: MeterValues) -> list[int]:
    """Return model 203 from its id register on; currents have no sign, as on many such meters."""
    amps = [abs(current) / 10**CURRENT_SCALE for current in values.current_a]
    watts = [power / 10**POWER_SCALE for power in values.power_w]
    volts = values.voltage_v * 10
    return _placed(
        MODEL_LENGTH[203] + 2,
        {
            2: [_word(sum(amps)), *map(_word, amps), _word(CURRENT_SCALE)],
            7: [*map(_word, [volts] * 4), *map(_word, [volts * 3**0.5] * 4), _word(-1)],
            16: [_word(5000), _word(-2)],
            18: [_word(sum(watts)), *map(_word, watts), _word(POWER_SCALE)],
            38: _double(values.export_wh),
            46: _double(values.import_wh),
        },
    )


def _model_213(values: MeterValues) -> list[int]:
    """Return model 213 from its id register on."""
    volts = values.voltage_v
    return _placed(
        MODEL_LENGTH[213] + 2,
        {
            2: _floats(sum(abs(current) for current in values.current_a), *(abs(current) for current in values.current_a)),
            10: _floats(*[volts] * 4, *[volts * 3**0.5] * 4),
            26: _floats(50.0),
            28: _floats(sum(values.power_w), *values.power_w),
            60: _floats(values.export_wh),
            68: _floats(values.import_wh),
        },
    )
