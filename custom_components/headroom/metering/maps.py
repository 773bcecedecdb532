"""Which registers of which meter hold what. Data, and the few words it is written in.

Addresses are as on the wire, counted from 0. The rows follow what the open drivers for these meters (mbmd, OpenEMS, Victron's,
evcc's) read, and the SunSpec information models 201–204 and 211–214. A meter of one phase loads L1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from pymodbus.client.mixin import ModbusClientMixin

DataType = ModbusClientMixin.DATATYPE

SUNSPEC_MARK = (0x5375, 0x6E53)
"""The ASCII "SunS" at the start of a SunSpec device's registers."""
SUNSPEC_BASES = (40000, 50000, 0)
"""Where "SunS" may be (SunSpec Device Information Model Specification, "Modbus register mapping")."""
SUNSPEC_END = 0xFFFF
"""The model id that closes the chain of models."""

_ALL_ONES = frozenset({2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1})
"""No value: the largest number of an integer type, signed or unsigned."""


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers of one kind: their first registers, their type and what one count is worth in A, W or Wh.

    `scale_factor` is the register of a power of ten (int16) that multiplies them besides.
    `no_value` are the raw integers by which the meter says that it has none; a float is NaN then.
    """

    addresses: tuple[int, ...]
    data_type: DataType
    unit: float = 1.0
    scale_factor: int | None = None
    no_value: frozenset[int] = _ALL_ONES

    def spans(self) -> Iterable[tuple[int, int]]:
        """Give (first register, count) of each number and of the scale factor."""
        for address in self.addresses:
            yield address, self.data_type.value[1]
        if self.scale_factor is not None:
            yield self.scale_factor, 1

    def shifted(self, offset: int) -> Values:
        """Give the same numbers `offset` registers further on."""
        return replace(
            self,
            addresses=tuple(address + offset for address in self.addresses),
            scale_factor=None if self.scale_factor is None else self.scale_factor + offset,
        )


@dataclass(frozen=True, slots=True)
class MeterMap:
    """One family of meters. `current` and `power` list the phases in the order L1, L2, L3, as many as the meter has.

    A request covers `max_registers` at most and reads over a gap of up to `max_gap` registers nobody asked for; the default reads
    over none, because many meters refuse a request that touches a register they do not have.
    Of none of them is the sign of a current to be trusted: it is a magnitude, and its direction is that of the phase's power.
    `expects` is a register with the value that it must hold; with another, the meter is set to another layout.
    `models` (SunSpec only) are the layouts by model id, addresses counted from the model's id register; such a row has no registers.
    """

    key: str
    name: str
    function: Literal[3, 4]
    current: Values = Values((), DataType.FLOAT32)
    power: Values = Values((), DataType.FLOAT32)
    total_power: Values | None = None
    import_energy: Values | None = None
    export_energy: Values | None = None
    word_order: Literal["big", "little"] = "big"
    max_registers: int = 125
    max_gap: int = 0
    expects: tuple[int, int] | None = None
    models: Mapping[int, MeterMap] = field(default_factory=lambda: MappingProxyType({}))

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

    def requests(self) -> tuple[tuple[int, int], ...]:
        """Give the fewest requests (first register, count) that fetch everything; the currents, which are most urgent, first."""
        groups = (self.current, self.power, self.total_power, self.import_energy, self.export_energy)
        spans = sorted({span for values in groups if values is not None for span in values.spans()})
        blocks: list[tuple[int, int]] = []
        for start, count in spans:
            if blocks:
                first, length = blocks[-1]
                end = max(first + length, start + count)
                if start - (first + length) <= self.max_gap and end - first <= self.max_registers:
                    blocks[-1] = (first, end - first)
                    continue
            blocks.append((start, count))
        return tuple(sorted(blocks, key=lambda block: not any(block[0] <= a < sum(block) for a in self.current.addresses)))


def _f32(*addresses: int, unit: float = 1.0) -> Values:
    return Values(addresses, DataType.FLOAT32, unit)


def _i32(*addresses: int, unit: float = 1.0) -> Values:
    return Values(addresses, DataType.INT32, unit)


def _u32(*addresses: int, unit: float = 1.0) -> Values:
    return Values(addresses, DataType.UINT32, unit)


_NO_INT16 = frozenset({-0x8000})
_NO_ACCUMULATOR = frozenset({0})
"""SunSpec's accumulators say 0 where they are not implemented."""


def _sunspec_integer(model: int, *, phases: int) -> MeterMap:
    """Models 201–204: 16-bit numbers with scale factors. One phase: the totals, which are mandatory, are the phase's."""
    current = (2,) if phases == 1 else (3, 4, 5)[:phases]
    power = (18,) if phases == 1 else (19, 20, 21)[:phases]
    return MeterMap(
        f"sunspec_{model}",
        f"SunSpec model {model}",
        3,
        current=Values(current, DataType.INT16, scale_factor=6, no_value=_NO_INT16),
        power=Values(power, DataType.INT16, scale_factor=22, no_value=_NO_INT16),
        total_power=Values((18,), DataType.INT16, scale_factor=22, no_value=_NO_INT16),
        import_energy=Values((46,), DataType.UINT32, scale_factor=54, no_value=_NO_ACCUMULATOR),
        export_energy=Values((38,), DataType.UINT32, scale_factor=54, no_value=_NO_ACCUMULATOR),
        max_gap=125,
    )


def _sunspec_float(model: int, *, phases: int) -> MeterMap:
    """Models 211–214: 32-bit floats. NaN where there is no value."""
    current = (2,) if phases == 1 else (4, 6, 8)[:phases]
    power = (28,) if phases == 1 else (30, 32, 34)[:phases]
    return MeterMap(
        f"sunspec_{model}",
        f"SunSpec model {model}",
        3,
        current=_f32(*current),
        power=_f32(*power),
        total_power=_f32(28),
        import_energy=_f32(68),
        export_energy=_f32(60),
        max_gap=125,
    )


_SUNSPEC_MODELS = MappingProxyType(
    {
        201: _sunspec_integer(201, phases=1),
        202: _sunspec_integer(202, phases=2),
        203: _sunspec_integer(203, phases=3),
        204: _sunspec_integer(204, phases=3),
        211: _sunspec_float(211, phases=1),
        212: _sunspec_float(212, phases=2),
        213: _sunspec_float(213, phases=3),
        214: _sunspec_float(214, phases=3),
    }
)

_EM340 = MeterMap(
    "carlo_gavazzi_em340",
    "Carlo Gavazzi EM330, EM340, ET330, ET340, EM530, EM540",
    4,
    current=_i32(0x0C, 0x0E, 0x10, unit=0.001),
    power=_i32(0x12, 0x14, 0x16, unit=0.1),
    total_power=_i32(0x28, unit=0.1),
    import_energy=_i32(0x34, unit=100),
    export_energy=_i32(0x4E, unit=100),
    word_order="little",
)

_ROWS = (
    MeterMap(
        "eastron_sdm630",
        "Eastron SDM630, SDM72D-M v2",
        4,
        current=_f32(0x06, 0x08, 0x0A),
        power=_f32(0x0C, 0x0E, 0x10),
        total_power=_f32(0x34),
        import_energy=_f32(0x48, unit=1000),
        export_energy=_f32(0x4A, unit=1000),
        max_registers=80,
        max_gap=80,
    ),
    MeterMap(
        "eastron_sdm230",
        "Eastron SDM230",
        4,
        current=_f32(0x06),
        power=_f32(0x0C),
        total_power=_f32(0x0C),
        import_energy=_f32(0x48, unit=1000),
        export_energy=_f32(0x4A, unit=1000),
        max_registers=80,
        max_gap=80,
    ),
    _EM340,
    replace(_EM340, key="carlo_gavazzi_em24_e1", name="Carlo Gavazzi EM24 Ethernet (E1), application H", expects=(0xA000, 7)),
    MeterMap(
        "schneider_iem3155",
        "Schneider Electric iEM3155, A9MEM3155",
        3,
        current=_f32(0xBB7, 0xBB9, 0xBBB),
        power=_f32(0xBED, 0xBEF, 0xBF1, unit=1000),
        total_power=_f32(0xBF3, unit=1000),
        import_energy=Values((0xC83,), DataType.INT64),
        export_energy=Values((0xC87,), DataType.INT64),
    ),
    MeterMap(
        "abb_b23",
        "ABB B23, B24",
        3,
        current=_u32(0x5B0C, 0x5B0E, 0x5B10, unit=0.01),
        power=_i32(0x5B16, 0x5B18, 0x5B1A, unit=0.01),
        total_power=_i32(0x5B14, unit=0.01),
        import_energy=Values((0x5000,), DataType.UINT64, 10),
        export_energy=Values((0x5004,), DataType.UINT64, 10),
        max_gap=2,
    ),
    MeterMap(
        "janitza_umg96rme",
        "Janitza UMG 96RM-E, B series",
        3,
        current=_f32(19012, 19014, 19016),
        power=_f32(19020, 19022, 19024),
        total_power=_f32(19026),
        import_energy=_f32(19068),
        export_energy=_f32(19076),
        max_gap=2,
    ),
    MeterMap(
        "janitza_umg604",
        "Janitza UMG 604, UMG 104",
        3,
        current=_f32(1325, 1327, 1329),
        power=_f32(1333, 1335, 1337),
        total_power=_f32(1369),
        import_energy=_f32(9851),
        export_energy=_f32(9863),
        max_gap=2,
    ),
    MeterMap(
        "siemens_pac2200",
        "Siemens SENTRON PAC2200",
        3,
        current=_f32(13, 15, 17),
        power=_f32(25, 27, 29),
        total_power=_f32(65),
        import_energy=Values((801,), DataType.FLOAT64),
        export_energy=Values((809,), DataType.FLOAT64),
        max_gap=6,
    ),
    MeterMap(
        "phoenix_contact_eem",
        "Phoenix Contact EEM",
        3,
        current=_f32(0x800E, 0x8010, 0x8012),
        power=_f32(0x801E, 0x8020, 0x8022),
        total_power=_f32(0x8016),
        import_energy=_f32(0x8100),
        export_energy=_f32(0x8106),
        word_order="little",
    ),
    MeterMap(
        "socomec_countis",
        "Socomec Countis E23–E28, E34, E44, Diris A14",
        3,
        current=_u32(0xC560, 0xC562, 0xC564, unit=0.001),
        power=_i32(0xC570, 0xC572, 0xC574, unit=10),
        total_power=_i32(0xC568, unit=10),
        import_energy=_u32(0xC702, unit=10),
        export_energy=_u32(0xC708, unit=10),
    ),
    MeterMap(
        "solaredge_wattnode",
        "SolarEdge SE-MTR-3Y, CCS WattNode",
        4,
        current=_f32(0x48A, 0x48C, 0x48E),
        power=_f32(0x3F2, 0x3F4, 0x3F6),
        total_power=_f32(0x3F0),
        import_energy=_f32(0x3EA, unit=1000),
        export_energy=_f32(0x458, unit=1000),
        word_order="little",
        max_gap=4,
    ),
    MeterMap(
        "shelly_pro_3em",
        "Shelly Pro 3EM (triphase profile)",
        4,
        current=_f32(1022, 1042, 1062),
        power=_f32(1024, 1044, 1064),
        total_power=_f32(1013),
        import_energy=_f32(1162),
        export_energy=_f32(1164),
        word_order="little",
    ),
    MeterMap("sunspec", "SunSpec meter (models 201–204, 211–214)", 3, models=_SUNSPEC_MODELS),
)

METERS: Mapping[str, MeterMap] = MappingProxyType({row.key: row for row in _ROWS})
"""Every meter that can be chosen, by the key a configuration names it with."""
