"""Readings from a meter over Modbus TCP."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import math
from typing import Literal

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from ..engine.model import PerPhase
from .maps import METERS, SUNSPEC_BASES, SUNSPEC_END, SUNSPEC_MARK, DataType, MeterMap, Values
from .plausibility import CEILING_A, plausible
from .reading import MeterError, OnHealth, OnReading, Reading

BACKOFF_FIRST_S = 1.0
BACKOFF_LAST_S = 30.0
_MOST_SUNSPEC_MODELS = 64
_GATEWAY_CODES = (0x0A, 0x0B)
"""Exceptions by which a gateway says that the unit behind it is not there (Modbus Application Protocol 1.1b3, section 7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusMeterConfig:
    """A meter on the network, or behind a gateway there. `model` is a key of METERS; `invert` swaps import and export.

    `timeout_s` bounds each answer. `voltage_v` and `ceiling_a` are what a reading is judged by.
    """

    host: str
    port: int = 502
    device_id: int = 1
    model: str
    invert: bool = False
    interval_s: float = 1.0
    timeout_s: float = 2.0
    voltage_v: float = 230.0
    ceiling_a: float = CEILING_A


type _Heard = Callable[[Reading | MeterError], None]


class _ConnectionLostError(MeterError):
    """The line is gone or silent: what may still arrive on it belongs to an old question."""


class ModbusMeter:
    """Polls a meter at a steady pace, start to start, on the running loop's clock."""

    def __init__(self, config: ModbusMeterConfig) -> None:
        """Raises MeterError where nobody knows the model."""
        if config.model not in METERS:
            raise MeterError(f"There is no meter model {config.model!r}")
        self._config = config
        self._map = METERS[config.model]
        self._source = f"{self._map.name} at {config.host}:{config.port}"

    async def probe(self) -> Reading:
        """Take one reading over a connection of its own; raises MeterError."""
        client = await self._connect()
        try:
            return await self._take(client, await self._layout(client))
        finally:
            client.close()

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Hand on readings until cancelled.

        A lost connection is tried anew once at once and told to nobody, for a frame is easily lost on a serial line behind a
        gateway; after that it is told, and tried anew after 1 s, 2 s … 30 s, for ever.
        """
        broken = False
        delay_s = 0.0

        def heard(result: Reading | MeterError) -> None:
            nonlocal broken, delay_s
            if isinstance(result, Reading):
                delay_s = 0.0
                if broken:
                    broken = False
                    on_health(None)
                on_reading(result)
            elif not broken:
                broken = True
                on_health(result)

        while True:
            try:
                await self._poll(heard)
            except MeterError as error:
                if delay_s or not isinstance(error, _ConnectionLostError):
                    heard(error)
                    await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, BACKOFF_LAST_S) or BACKOFF_FIRST_S

    async def _poll(self, heard: _Heard) -> None:
        """Poll over one connection for as long as it holds; raises MeterError."""
        loop = asyncio.get_running_loop()
        client = await self._connect()
        try:
            layout = await self._layout(client)
            due = loop.time()
            while True:
                try:
                    heard(await self._take(client, layout))
                except _ConnectionLostError:
                    raise
                except MeterError as error:
                    heard(error)
                due = next_due(due, loop.time(), self._config.interval_s)
                await asyncio.sleep(due - loop.time())
        finally:
            client.close()

    async def _connect(self) -> AsyncModbusTcpClient:
        config = self._config
        # Our own time-outs come first: the client's would log an error each time, and reconnect at its own pace.
        client = AsyncModbusTcpClient(config.host, port=config.port, timeout=2 * config.timeout_s, retries=0, reconnect_delay=0)
        try:
            async with asyncio.timeout(config.timeout_s):
                connected = await client.connect()
        except TimeoutError:
            connected = False
        except asyncio.CancelledError:
            client.close()
            raise
        if not connected:
            client.close()
            raise _ConnectionLostError(f"{self._source}: cannot connect")
        return client

    async def _read(self, client: AsyncModbusTcpClient, function: Literal[3, 4], start: int, count: int) -> list[int]:
        config = self._config
        read = client.read_holding_registers if function == 3 else client.read_input_registers
        try:
            async with asyncio.timeout(config.timeout_s):
                response = await read(start, count=count, device_id=config.device_id)
        except (ModbusException, TimeoutError) as error:
            # The client turns a cancellation into an error of its own.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from error
            raise _ConnectionLostError(f"{self._source}: no answer from unit id {config.device_id}") from error
        if response.isError():
            if response.exception_code in _GATEWAY_CODES:
                raise MeterError(f"{self._source}: no answer from unit id {config.device_id} (the gateway says so)")
            raise MeterError(
                f"{self._source}: refuses registers {start}–{start + count - 1} (Modbus exception {response.exception_code}); "
                "is it the model chosen?"
            )
        if len(response.registers) != count:
            raise _ConnectionLostError(f"{self._source}: {len(response.registers)} registers came where {count} were asked for")
        return response.registers

    async def _layout(self, client: AsyncModbusTcpClient) -> MeterMap:
        """Return where this very meter has its numbers."""
        if self._map.models:
            return await self._find_sunspec(client)
        if self._map.expects is not None:
            address, expected = self._map.expects
            (found,) = await self._read(client, self._map.function, address, 1)
            if found != expected:
                raise MeterError(f"{self._source}: register {address} holds {found} and must hold {expected}: another application is set")
        return self._map

    async def _find_sunspec(self, client: AsyncModbusTcpClient) -> MeterMap:
        for base in SUNSPEC_BASES:
            try:
                mark = await self._read(client, 3, base, len(SUNSPEC_MARK))
            except _ConnectionLostError:
                raise
            except MeterError:
                continue  # not a register of this device
            if tuple(mark) != SUNSPEC_MARK:
                continue
            address = base + len(SUNSPEC_MARK)
            for _ in range(_MOST_SUNSPEC_MODELS):
                model, length = await self._read(client, 3, address, 2)
                if (layout := self._map.models.get(model)) is not None:
                    return layout.shifted(address)
                if model == SUNSPEC_END:
                    break
                address += 2 + length
            raise MeterError(f"{self._source}: has no SunSpec meter model (201–204, 211–214)")
        raise MeterError(f"{self._source}: is no SunSpec device at unit id {self._config.device_id}")

    async def _take(self, client: AsyncModbusTcpClient, layout: MeterMap) -> Reading:
        """Take one reading. Its time is the middle of the first request, which fetches the currents."""
        loop = asyncio.get_running_loop()
        registers: dict[int, int] = {}
        taken_at = 0.0
        for start, count in layout.requests():
            asked_at = loop.time()
            block = await self._read(client, layout.function, start, count)
            if not registers:
                taken_at = (asked_at + loop.time()) / 2
            registers.update(enumerate(block, start))
        reading, signed = self._reading(layout, registers, taken_at)
        return plausible(reading, voltage_v=self._config.voltage_v, ceiling_a=self._config.ceiling_a, signed=signed)

    def _reading(self, layout: MeterMap, registers: dict[int, int], taken_at: float) -> tuple[Reading, bool]:
        """Return the reading, and whether the directions of all its currents are known; one that is not counts as import."""
        sign = -1.0 if self._config.invert else 1.0
        current = [0.0, 0.0, 0.0]
        powers = decode(layout.power, registers, layout.word_order)
        for phase, magnitude in enumerate(decode(layout.current, registers, layout.word_order)):
            if magnitude is None:
                raise MeterError(f"{self._source}: says that it has no value for the current of L{phase + 1}")
            power = powers[phase]
            exports = power is not None and sign * power < 0
            current[phase] = -abs(magnitude) if exports else abs(magnitude)
        current_a: PerPhase = (current[0], current[1], current[2])
        known = [power for power in powers if power is not None]
        signed = len(known) == len(powers)
        power_w = _single(layout.total_power, registers, layout.word_order)
        if power_w is None and signed:
            power_w = math.fsum(known)
        import_wh = _single(layout.import_energy, registers, layout.word_order)
        export_wh = _single(layout.export_energy, registers, layout.word_order)
        if self._config.invert:
            import_wh, export_wh = export_wh, import_wh
        reading = Reading(
            current_a=current_a,
            taken_at=taken_at,
            source=self._source,
            power_w=None if power_w is None else sign * power_w,
            import_wh=import_wh,
            export_wh=export_wh,
        )
        return reading, signed


def next_due(due: float, now: float, interval_s: float) -> float:
    """Return the next beat after `due` that is not over yet at `now`: beats missed are left out, the pace stays."""
    missed = max(0, math.ceil((now - due) / interval_s) - 1)
    return due + (1 + missed) * interval_s


def decode(values: Values, registers: dict[int, int], word_order: Literal["big", "little"]) -> list[float | None]:
    """Return the numbers in A, W or Wh; None where the meter says that it has none."""
    factor = values.unit
    if values.scale_factor is not None:
        exponent = _raw(registers, values.scale_factor, DataType.INT16, "big")
        if not -10 <= exponent <= 10:  # SunSpec's range; 0x8000 where there is none
            return [None] * len(values.addresses)
        factor *= 10.0**exponent
    raws = (_raw(registers, address, values.data_type, word_order) for address in values.addresses)
    return [None if raw in values.no_value or not math.isfinite(raw) else raw * factor for raw in raws]


def _raw(registers: dict[int, int], address: int, data_type: DataType, word_order: Literal["big", "little"]) -> float:
    words = [registers[address + i] for i in range(data_type.value[1])]
    raw = AsyncModbusTcpClient.convert_from_registers(words, data_type, word_order)
    assert isinstance(raw, (int, float))
    return raw


def _single(values: Values | None, registers: dict[int, int], word_order: Literal["big", "little"]) -> float | None:
    return None if values is None else decode(values, registers, word_order)[0]
