"""Which meter is it? Asks what can be asked, best evidence first, and never writes.

What names itself is believed: SunSpec's common model, Modbus function 43/14 and the registers of `Identity`. What does not is read
with every map in turn: on the right one mains voltage is mains voltage and the powers go with the currents.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
import re
from typing import Literal

from .fault import Trouble
from .layout import MeterMap
from .line import Connection, Line, RefusedError, held
from .maps import METERS
from .modbus import ModbusMeter, ModbusMeterConfig, decode, fetch
from .plausibility import CEILING_A
from .reading import ConnectionLostError, MeterError, Reading
from .scan import scan, text

SILENT_AFTER = 3
"""So many requests unanswered, and none answered: nobody is there."""
VOLTAGE_TOLERANCE = 0.2
"""Mains keeps within 10 % (EN 50160); the rest is for a nominal voltage that is not quite the site's."""
DEAD_BELOW_V = 20.0
"""A phase that is not connected."""
FREQUENCIES_HZ = (50.0, 60.0)
FREQUENCY_TOLERANCE_HZ = 2.0


class Certainty(IntEnum):
    """How sure it is, the surer the greater."""

    POSSIBLE = 1
    """It answers, and what it says is no nonsense."""
    LIKELY = 2
    """Voltage (and frequency, where the map has it) are those of a mains."""
    NAMED = 3
    """It says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model that it may be, with what was read. `said` is what the device calls itself.

    `reading` is None only where the device is named and yet can't be read; `error` says why.
    """

    model: str
    device_id: int
    certainty: Certainty
    said: str = ""
    reading: Reading | None = None
    error: Trouble | None = None
    live_phases: int = 0
    """Phases with mains on them, where the map knows the voltage."""


async def detect(
    line: Line,
    *,
    device_ids: Sequence[int] = (1,),
    phases: Literal[1, 2, 3] = 3,
    voltage_v: float = 230.0,
    ceiling_a: float = CEILING_A,
    timeout_s: float = 1.0,
    time_limit_s: float = 30.0,
) -> tuple[Candidate, ...]:
    """Return the models that may be at these units of a line, best first; empty where none fits.

    `phases` are those of the meter's place. `timeout_s` bounds each answer, `time_limit_s` the whole: what was found until then is returned. Raises MeterError where the
    line can't be connected.
    """
    found: list[Candidate] = []
    async with held(line) as connection:
        await connection.open(timeout_s)
        try:
            async with asyncio.timeout(time_limit_s):
                for device_id in device_ids:
                    asked = _Asked(
                        connection,
                        ModbusMeterConfig(
                            line=line,
                            device_id=device_id,
                            model="",
                            phases=phases,
                            timeout_s=timeout_s,
                            voltage_v=voltage_v,
                            ceiling_a=ceiling_a,
                        ),
                        found,
                    )
                    await asked.all()
        except TimeoutError:
            pass
    return tuple(sorted(found, key=_worth, reverse=True))


def _worth(candidate: Candidate) -> tuple[int, bool, float, int, bool]:
    """Return what to sort by: a one-phase map on a three-phase meter fits too, and so does the other way round, less well.

    Of two that fit alike, the one with a register that had to hold one value, and did, is meant.
    """
    row = METERS[candidate.model]
    share = min(1.0, candidate.live_phases / row.phases)
    return candidate.certainty, candidate.reading is not None, share, candidate.live_phases, row.expects is not None


class _NobodyThereError(Exception):
    """The unit does not answer anything."""


class _Asked:
    """One unit of a line while it is asked."""

    def __init__(self, connection: Connection, config: ModbusMeterConfig, found: list[Candidate]) -> None:
        self._connection = connection
        self._config = config
        self._found = found
        self._answered = False
        self._silences = 0

    async def all(self) -> None:
        """Add to what was found."""
        try:
            said = await self._names()
            named = dict.fromkeys(_called(said), said)
            if (sunspec := await self._sunspec()) is not None:
                named["sunspec"] = sunspec
            for row in METERS.values():
                if row.identity is not None and (own := await self._identity(row)) is not None:
                    named[row.key] = own
            for key, own in named.items():
                await self._try(METERS[key], own)
            if any(one.certainty is Certainty.NAMED and one.device_id == self._config.device_id for one in self._found):
                return
            for row in METERS.values():
                if not row.models:
                    await self._try(row, None)
        except _NobodyThereError:
            return

    def _note(self, error: MeterError) -> None:
        if isinstance(error, RefusedError):
            self._answered = True
        elif not isinstance(error, ConnectionLostError):
            raise _NobodyThereError from error  # a gateway says that the unit is not there
        elif not self._answered:
            self._silences += 1
            if self._silences >= SILENT_AFTER:
                raise _NobodyThereError from error

    async def _names(self) -> str:
        try:
            names = await self._connection.names(device_id=self._config.device_id, timeout_s=self._config.timeout_s)
        except MeterError as error:
            self._note(error)
            return ""
        self._answered = bool(names)  # a gateway may say nothing in another's name
        return " ".join(names)

    async def _sunspec(self) -> str | None:
        try:
            device = await scan(self._connection, device_id=self._config.device_id, timeout_s=self._config.timeout_s, names=True)
        except MeterError as error:
            self._note(error)
            return None
        self._answered = True
        return None if device is None or device.meter is None else f"{device.maker} {device.model}".strip()

    async def _identity(self, row: MeterMap) -> str | None:
        identity = row.identity
        assert identity is not None
        config = self._config
        try:
            answer = await self._connection.read(
                identity.function, identity.address, identity.count, device_id=config.device_id, timeout_s=config.timeout_s
            )
        except MeterError as error:
            self._note(error)
            return None
        self._answered = True
        words = answer.registers
        if identity.numbers:
            return str(words[0]) if words[0] in identity.numbers else None
        for own in (text(words), text(words, low_byte_first=True)):
            if any(_bare(word) in _bare(own) for word in identity.words):
                return own
        return None

    async def _try(self, row: MeterMap, said: str | None) -> None:
        """Read with this row, and keep it if it may be right; a named one is kept whatever comes of it."""
        config = ModbusMeterConfig(
            line=self._config.line,
            device_id=self._config.device_id,
            model=row.key,
            phases=1 if row.phases < self._config.phases else self._config.phases,
            timeout_s=self._config.timeout_s,
            voltage_v=self._config.voltage_v,
            ceiling_a=self._config.ceiling_a,
        )
        try:
            reading = await ModbusMeter(config).probe()
            live = await self._live_phases(row, config)
        except (RefusedError, ConnectionLostError) as error:
            self._note(error)
            self._keep_named(row, said, error)
            return
        except MeterError as error:
            self._answered = True
            self._keep_named(row, said, error)
            return
        self._answered = True
        if said is None and live == 0:
            return
        certainty = Certainty.NAMED if said is not None else Certainty.POSSIBLE if live is None else Certainty.LIKELY
        self._found.append(
            Candidate(
                model=row.key, device_id=config.device_id, certainty=certainty, said=said or "", reading=reading, live_phases=live or 0
            )
        )

    def _keep_named(self, row: MeterMap, said: str | None, error: MeterError) -> None:
        if said is not None:
            device_id = self._config.device_id
            self._found.append(Candidate(model=row.key, device_id=device_id, certainty=Certainty.NAMED, said=said, error=error.trouble))

    async def _live_phases(self, row: MeterMap, config: ModbusMeterConfig) -> int | None:
        """Return how many phases have mains on them; 0 where a voltage or the frequency is none; None where nobody can tell."""
        if row.voltage is None:
            return None
        registers = await fetch(self._connection, row.checks(), row.function, config)
        voltages = decode(row.voltage, registers.words, row.word_order)
        if row.frequency is not None:
            (frequency,) = decode(row.frequency, registers.words, row.word_order)
            if frequency is not None and not any(abs(frequency - nominal) <= FREQUENCY_TOLERANCE_HZ for nominal in FREQUENCIES_HZ):
                return 0
        live = 0
        for voltage in voltages:
            if voltage is None or abs(voltage) < DEAD_BELOW_V:
                continue
            if abs(voltage - config.voltage_v) > VOLTAGE_TOLERANCE * config.voltage_v:
                return 0
            live += 1
        return live


def _called(said: str) -> Iterable[str]:
    """Give the rows whose family the device says it is of."""
    return [key for key, row in METERS.items() if any(_bare(word) in _bare(said) for word in row.called)]


def _bare(words: str) -> str:
    return re.sub(r"[^a-z0-9]", "", words.lower())
