"""The words in which a meter's registers are written down. Addresses are as on the wire, counted from 0."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

from pymodbus.client.mixin import ModbusClientMixin

DataType = ModbusClientMixin.DATATYPE

ALL_ONES = frozenset({2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1})
"""No value: the largest number of an integer type, signed or unsigned."""


class Request(NamedTuple):
    """Registers that are fetched together. `unit_id` None: of the unit that the configuration names."""

    start: int
    length: int
    unit_id: int | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers of one kind: their first registers, their type and what one count is worth in A, W, Wh, V or Hz.

    `scale_factor` is the register of a power of ten (int16) that multiplies them besides.
    `no_value` are the raw integers by which the meter says that it has none; a float is NaN then.
    `minus` are the registers of numbers to be taken off, one for each of `addresses`: what is drawn less what is fed in.
    `unit_id` is the unit that holds them where it is not the one that the configuration names.
    """

    addresses: tuple[int, ...]
    data_type: DataType
    unit: float = 1.0
    scale_factor: int | None = None
    no_value: frozenset[int] = ALL_ONES
    minus: tuple[int, ...] = ()
    unit_id: int | None = None

    def spans(self) -> Iterable[Request]:
        """Give the registers of each number and of the scale factor."""
        for address in (*self.addresses, *self.minus):
            yield Request(address, self.data_type.value[1], self.unit_id)
        if self.scale_factor is not None:
            yield Request(self.scale_factor, 1, self.unit_id)

    def shifted(self, offset: int) -> Values:
        """Give the same numbers `offset` registers further on."""
        return replace(
            self,
            addresses=tuple(address + offset for address in self.addresses),
            scale_factor=None if self.scale_factor is None else self.scale_factor + offset,
            minus=tuple(address + offset for address in self.minus),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Registers by which a family is known: a number that is one of `numbers`, or a text that has one of `words` in it."""

    function: Literal[3, 4]
    address: int
    count: int
    numbers: frozenset[int] = frozenset()
    words: tuple[str, ...] = ()


NOTHING = Values((), DataType.FLOAT32)


@dataclass(frozen=True, slots=True)
class MeterMap:
    """One family of meters. `current` and `power` list the phases in the order L1, L2, L3, as many as the meter has.

    A meter may have no currents: then `total_power` is all that is known, and it has `phases` of them.
    A request covers `max_registers` at most and reads over a gap of up to `max_gap` registers nobody asked for; the default reads
    over none, because many meters refuse a request that touches a register they do not have.
    Of none of them is the sign of a current to be trusted: it is a magnitude, and its direction is that of the phase's power.
    `expects` is a register with the value that it must hold; with another, the meter is set to another layout.
    `models` (SunSpec only) are the layouts by model id, addresses counted from the model's id register; such a row has no registers.
    `voltage` and `frequency` are read only to tell which meter it is. `identity` and `called` do that better: registers that name
    the family, and what it calls itself where it can be asked (Modbus function 43/14).
    `fastest_s` is the shortest time between two readings that this meter is asked for.
    """

    key: str
    name: str
    function: Literal[3, 4]
    current: Values = NOTHING
    power: Values = NOTHING
    total_power: Values | None = None
    import_energy: Values | None = None
    export_energy: Values | None = None
    word_order: Literal["big", "little"] = "big"
    max_registers: int = 125
    max_gap: int = 0
    expects: tuple[int, int] | None = None
    models: Mapping[int, MeterMap] = field(default_factory=lambda: MappingProxyType({}))
    voltage: Values | None = None
    frequency: Values | None = None
    identity: Identity | None = None
    called: tuple[str, ...] = ()
    fastest_s: float = 0.25

    @property
    def phases(self) -> int:
        """How many phases it measures."""
        return len(self.current.addresses) or 3

    def shifted(self, offset: int) -> MeterMap:
        """Give the same layout `offset` registers further on."""
        return replace(
            self,
            current=self.current.shifted(offset),
            power=self.power.shifted(offset),
            total_power=self.total_power and self.total_power.shifted(offset),
            import_energy=self.import_energy and self.import_energy.shifted(offset),
            export_energy=self.export_energy and self.export_energy.shifted(offset),
        )

    def brief(self, *, total: bool) -> MeterMap:
        """Give the layout without what need not be in every reading: the energies and, but for `total`, what the phases add up to."""
        return replace(self, total_power=self.total_power if total else None, import_energy=None, export_energy=None)

    def requests(self) -> tuple[Request, ...]:
        """Give the fewest requests that fetch everything; what is most urgent, the currents, first."""
        return self._batched(self.current, self.power, self.total_power, self.import_energy, self.export_energy)

    def checks(self) -> tuple[Request, ...]:
        """Give the fewest requests that fetch what a mains has everywhere: voltage and frequency."""
        return self._batched(self.voltage, self.frequency)

    def _batched(self, *groups: Values | None) -> tuple[Request, ...]:
        spans = {span for values in groups if values is not None for span in values.spans()}
        blocks: list[Request] = []
        for span in sorted(spans, key=lambda span: (span.unit_id or 0, span)):
            if blocks and blocks[-1].unit_id == span.unit_id:
                first, length, _ = blocks[-1]
                end = max(first + length, span.start + span.length)
                if span.start - (first + length) <= self.max_gap and end - first <= self.max_registers:
                    blocks[-1] = Request(first, end - first, span.unit_id)
                    continue
            blocks.append(span)
        return tuple(sorted(blocks, key=lambda block: not self._is_urgent(block)))

    def _is_urgent(self, block: Request) -> bool:
        urgent = self.current if self.current.addresses or self.total_power is None else self.total_power
        inside = range(block.start, block.start + block.length)
        return urgent.unit_id == block.unit_id and any(address in inside for address in urgent.addresses)
