"""Readings from a meter over Modbus: TCP, RTU through a socket, or a serial line."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
import math
from typing import Literal, NamedTuple

from pymodbus.client import AsyncModbusTcpClient

from ..engine.model import PerPhase
from .combine import currents_of_total
from .fault import Fault
from .layout import DataType, MeterMap, Request, Values
from .line import Connection, Line, held
from .maps import METERS
from .plausibility import CEILING_A, plausible
from .polling import Telling, longer, next_due
from .reading import ConnectionLostError, MeterError, OnHealth, OnReading, Reading
from .scan import scan

SLOWEST_S = 1.0
"""Every meter is asked as often as this, unless it needs longer to answer."""
BUSY_SHARE = 0.25
"""How much of the time a meter may be kept answering, where that does not make it slower than SLOWEST_S."""
ENERGY_EVERY_S = 10.0
"""Energies are for the books, and a total is what its phases add up to: they are not asked for with every reading."""

type Registers = Mapping[tuple[int | None, int], int]
"""Registers by the unit that holds them (None: the meter's own) and address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusMeterConfig:
    """A meter on a line. `model` is a key of METERS; `invert` swaps import and export.

    `phases` are those of its place: it has to measure each of them, and what it says of others is left out where it has no value. `interval_s` None reads as fast as the meter allows (`pace`). `timeout_s` bounds each answer. `voltage_v` and `ceiling_a` are
    what a reading is judged by; where a meter has no currents, `voltage_v` makes them of its power.
    """

    line: Line
    device_id: int = 1
    model: str
    invert: bool = False
    phases: Literal[1, 2, 3] = 3
    interval_s: float | None = None
    timeout_s: float = 2.0
    voltage_v: float = 230.0
    ceiling_a: float = CEILING_A


type _Heard = Callable[[Reading | MeterError], None]


class _Energies(NamedTuple):
    """Import and export in Wh, and when they were read."""

    import_wh: float | None
    export_wh: float | None
    read_at: float


class ModbusMeter:
    """Polls a meter at a steady pace, start to start, on the running loop's clock. Meters on one line share its connection."""

    def __init__(self, config: ModbusMeterConfig) -> None:
        """Raises MeterError where nobody knows the model."""
        if config.model not in METERS:
            raise MeterError(Fault.MODEL_UNKNOWN, model=repr(config.model))
        self._config = config
        self._map = METERS[config.model]
        self._source = f"{self._map.name} at {config.line}"
        self._energies: _Energies | None = None
        self._took_s = 0.0
        self._adds_up = False

    async def probe(self) -> Reading:
        """Take one reading; raises MeterError. Asks over the connection of whoever polls the line already."""
        async with held(self._config.line) as connection:
            self._energies = None
            return await self._take(connection, await self._layout(connection))

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Hand on readings until cancelled.

        A lost connection is tried anew once at once and told to nobody, for a frame is easily lost on a serial line behind a
        gateway; after that it is told, and tried anew after 1 s, 2 s … 30 s, for ever.
        """
        telling = Telling(on_reading, on_health)
        delay_s = 0.0

        def heard(result: Reading | MeterError) -> None:
            nonlocal delay_s
            if isinstance(result, Reading):
                delay_s = 0.0
            telling.heard(result)

        while True:
            try:
                await self._poll(heard)
            except MeterError as error:
                if delay_s or not isinstance(error, ConnectionLostError):
                    heard(error)
                    await asyncio.sleep(delay_s)
                delay_s = longer(delay_s)

    async def _poll(self, heard: _Heard) -> None:
        """Poll over one connection for as long as it holds; raises MeterError."""
        loop = asyncio.get_running_loop()
        async with held(self._config.line) as connection:
            layout = await self._layout(connection)
            due = loop.time()
            while True:
                try:
                    heard(await self._take(connection, layout))
                except ConnectionLostError:
                    raise
                except MeterError as error:
                    heard(error)
                if self._config.interval_s is not None:
                    due = next_due(due, loop.time(), self._config.interval_s)
                else:
                    due = max(loop.time(), due + pace(self._took_s, self._map.fastest_s))
                await asyncio.sleep(due - loop.time())

    async def _layout(self, connection: Connection) -> MeterMap:
        """Return where this very meter has its numbers; raises MeterError where it has none of some phase: that would be read as 0 A."""
        layout = await self._found(connection)
        if layout.phases < self._config.phases:
            counts = {"count": str(layout.phases), "phases": str(self._config.phases)}
            raise MeterError(Fault.TOO_FEW_PHASES, source=self._source, **counts)
        return layout

    async def _found(self, connection: Connection) -> MeterMap:
        config = self._config
        if self._map.models:
            device = await scan(connection, device_id=config.device_id, timeout_s=config.timeout_s)
            if device is None:
                raise MeterError(Fault.NO_SUNSPEC, source=self._source, unit_id=str(config.device_id))
            if device.meter is None:
                raise MeterError(Fault.NO_SUNSPEC_METER, source=self._source)
            return device.meter
        if self._map.expects is not None:
            address, expected = self._map.expects
            answer = await connection.read(self._map.function, address, 1, device_id=config.device_id, timeout_s=config.timeout_s)
            (found,) = answer.registers
            if found != expected:
                held = {"register": str(address), "value": str(found), "expected": str(expected)}
                raise MeterError(Fault.OTHER_APPLICATION, source=self._source, **held)
        return self._map

    async def _take(self, connection: Connection, layout: MeterMap) -> Reading:
        """Take one reading. Its time is the middle of the first request, which fetches the currents."""
        now = asyncio.get_running_loop().time()
        energies = self._energies
        if whole := energies is None or now - energies.read_at >= ENERGY_EVERY_S:
            asked = layout
        else:
            asked = layout.brief(total=not self._adds_up)
        registers, taken_at, self._took_s = await fetch(connection, asked.requests(), asked.function, self._config)
        if energies is None or whole:
            powers = decode(layout.power, registers, layout.word_order)
            self._adds_up = bool(powers) and None not in powers
            import_wh = _single(layout.import_energy, registers, layout.word_order)
            energies = self._energies = _Energies(import_wh, _single(layout.export_energy, registers, layout.word_order), now)
        reading, signed = self._reading(asked, registers, taken_at, energies)
        # Where the currents were made of the power, the two can't contradict each other.
        judged = reading if layout.current.addresses else replace(reading, power_w=None)
        plausible(judged, voltage_v=self._config.voltage_v, ceiling_a=self._config.ceiling_a, signed=signed)
        return reading

    def _reading(self, layout: MeterMap, registers: Registers, taken_at: float, energies: _Energies) -> tuple[Reading, bool]:
        """Return the reading, and whether the directions of all its currents are known; one that is not counts as import."""
        sign = -1.0 if self._config.invert else 1.0
        powers = decode(layout.power, registers, layout.word_order)
        known = [power for power in powers if power is not None]
        signed = None not in powers[: self._config.phases]
        power_w = _single(layout.total_power, registers, layout.word_order)
        if power_w is None and known and signed:
            power_w = math.fsum(known)
        power_w = None if power_w is None else sign * power_w
        if layout.current.addresses:
            current_a = self._currents(layout, registers, [None if power is None else sign * power for power in powers])
        elif power_w is None:
            raise MeterError(Fault.NO_POWER, source=self._source)
        else:
            current_a = currents_of_total(power_w, phases=self._config.phases, voltage_v=self._config.voltage_v)
        import_wh, export_wh = energies.import_wh, energies.export_wh
        if self._config.invert:
            import_wh, export_wh = export_wh, import_wh
        reading = Reading(
            current_a=current_a,
            taken_at=taken_at,
            source=self._source,
            power_w=power_w,
            import_wh=import_wh,
            export_wh=export_wh,
            spread=not layout.current.addresses and self._config.phases > 1,
        )
        return reading, signed

    def _currents(self, layout: MeterMap, registers: Registers, powers: list[float | None]) -> PerPhase:
        current = [0.0, 0.0, 0.0]
        for phase, magnitude in enumerate(decode(layout.current, registers, layout.word_order)):
            if magnitude is None:
                if phase >= self._config.phases:
                    continue  # nothing is there
                raise MeterError(Fault.NO_CURRENT, source=self._source, phase=f"L{phase + 1}")
            power = powers[phase]
            current[phase] = -abs(magnitude) if power is not None and power < 0 else abs(magnitude)
        return (current[0], current[1], current[2])


class Fetched(NamedTuple):
    """Registers, the time in the middle of the first request for them, and how long all the requests took, in seconds."""

    words: Registers
    taken_at: float
    took_s: float


async def fetch(connection: Connection, requests: Iterable[Request], function: Literal[3, 4], config: ModbusMeterConfig) -> Fetched:
    """Make these requests, one at least; raises MeterError."""
    words: dict[tuple[int | None, int], int] = {}
    taken_at: float | None = None
    took_s = 0.0
    for start, length, unit_id in requests:
        device_id = config.device_id if unit_id is None else unit_id
        answer = await connection.read(function, start, length, device_id=device_id, timeout_s=config.timeout_s)
        taken_at = answer.taken_at if taken_at is None else taken_at
        took_s += answer.took_s
        words.update(((unit_id, start + offset), word) for offset, word in enumerate(answer.registers))
    assert taken_at is not None  # one at least
    return Fetched(words, taken_at, took_s)


def pace(took_s: float, fastest_s: float) -> float:
    """Return how long to wait from one reading's start to the next one's, in seconds, where one took `took_s` to answer.

    Often, but the meter stays free for others most of the time; a slow one is still read every second, or without a pause if it is
    slower than that.
    """
    return max(fastest_s, min(SLOWEST_S, took_s / BUSY_SHARE))


def decode(values: Values, registers: Registers, word_order: Literal["big", "little"]) -> list[float | None]:
    """Return the numbers in A, W, Wh, V or Hz; None where the meter says that it has none."""
    factor = values.unit
    if values.scale_factor is not None:
        exponent = _raw(registers, values, values.scale_factor, DataType.INT16, "big")
        if not -10 <= exponent <= 10:  # SunSpec's range; 0x8000 where there is none
            return [None] * len(values.addresses)
        factor *= 10.0**exponent

    def number(address: int) -> float | None:
        raw = _raw(registers, values, address, values.data_type, word_order)
        return None if raw in values.no_value or not math.isfinite(raw) else raw * factor

    numbers = [number(address) for address in values.addresses]
    if not values.minus:
        return numbers
    taken_off = [number(address) for address in values.minus]
    return [None if one is None or other is None else one - other for one, other in zip(numbers, taken_off, strict=True)]


def _raw(registers: Registers, values: Values, address: int, data_type: DataType, word_order: Literal["big", "little"]) -> float:
    words = [registers[values.unit_id, address + i] for i in range(data_type.value[1])]
    raw = AsyncModbusTcpClient.convert_from_registers(words, data_type, word_order)
    assert isinstance(raw, (int, float))
    return raw


def _single(values: Values | None, registers: Registers, word_order: Literal["big", "little"]) -> float | None:
    return None if values is None else decode(values, registers, word_order)[0]
