"""Which registers of which meter hold what. Data.

The rows follow what the open drivers for these meters (mbmd, OpenEMS, Victron's, evcc's) read. A meter of one phase loads L1.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from .layout import ALL_ONES, DataType, Identity, MeterMap, Values
from .sunspec import SUNSPEC_MODELS

_NO_INT16 = frozenset({2**15 - 1, -(2**15)})
"""As far as a 16-bit number goes: it stands for more, or for nothing."""
_NO_UINT16 = frozenset({2**16 - 1})
_NO_SMA = ALL_ONES | {-(2**31)}
"""SMA's: the smallest signed number, or the largest unsigned one."""


def _f32(*addresses: int, unit: float = 1.0) -> Values:
    return Values(addresses, DataType.FLOAT32, unit)


def _i32(*addresses: int, unit: float = 1.0) -> Values:
    return Values(addresses, DataType.INT32, unit)


def _u32(*addresses: int, unit: float = 1.0) -> Values:
    return Values(addresses, DataType.UINT32, unit)


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
    voltage=_i32(0x00, 0x02, 0x04, unit=0.1),
    frequency=Values((0x33,), DataType.INT16, 0.1),
    called=("EM330", "EM340", "ET330", "ET340", "EM530", "EM540"),
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
        voltage=_f32(0x00, 0x02, 0x04),
        frequency=_f32(0x46),
        called=("SDM630", "SDM72"),
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
        voltage=_f32(0x00),
        frequency=_f32(0x46),
        called=("SDM230",),
    ),
    _EM340,
    replace(
        _EM340,
        key="carlo_gavazzi_em24_e1",
        name="Carlo Gavazzi EM24 Ethernet (E1), application H",
        expects=(0xA000, 7),
        identity=Identity(function=3, address=0x0B, count=1, numbers=frozenset(range(1648, 1654))),
        called=("EM24",),
    ),
    replace(
        _EM340,
        key="carlo_gavazzi_em24_rtu",
        name="Carlo Gavazzi EM24 (RS-485)",
        import_energy=_i32(0x42, unit=100),
        export_energy=_i32(0x5C, unit=100),
        max_registers=11,
        frequency=Values((0x37,), DataType.INT16, 0.1),
        called=("EM24",),
        fastest_s=0.5,
    ),
    MeterMap(
        "schneider_iem3155",
        "Schneider Electric iEM3155, A9MEM3155",
        3,
        current=_f32(0xBB7, 0xBB9, 0xBBB),
        power=_f32(0xBED, 0xBEF, 0xBF1, unit=1000),
        total_power=_f32(0xBF3, unit=1000),
        import_energy=Values((0xC83,), DataType.INT64),
        export_energy=Values((0xC87,), DataType.INT64),
        voltage=_f32(0xBD3, 0xBD5, 0xBD7),
        identity=Identity(function=3, address=0x31, count=20, words=("iEM3155", "A9MEM3155")),
        called=("iEM3155",),
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
        voltage=_u32(0x5B00, 0x5B02, 0x5B04, unit=0.1),
        frequency=Values((0x5B2C,), DataType.UINT16, 0.01, no_value=_NO_UINT16),
        identity=Identity(function=3, address=0x8960, count=2, words=("B23", "B24")),
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
        voltage=_f32(19000, 19002, 19004),
        called=("UMG96RM", "UMG96-RM"),
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
        voltage=_f32(1317, 1319, 1321),
        called=("UMG604", "UMG104"),
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
        voltage=_f32(1, 3, 5),
        called=("PAC2200",),
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
        called=("EEM",),
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
        voltage=_u32(0xC558, 0xC55A, 0xC55C, unit=0.01),
        frequency=_u32(0xC55E, unit=0.01),
        identity=Identity(
            function=3,
            address=0xC38A,
            count=8,
            words=("Countis E23", "Countis E24", "Countis E27", "Countis E28", "Countis E34", "Countis E44", "Diris A14"),
        ),
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
        voltage=_f32(0x3FA, 0x3FC, 0x3FE),
        frequency=_f32(0x408),
        called=("WattNode", "SE-MTR-3Y"),
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
        voltage=_f32(1020, 1040, 1060),
        identity=Identity(function=4, address=6, count=10, words=("SPEM-003",)),
    ),
    MeterMap(
        "victron_gx",
        "Victron GX (grid meter)",
        4,
        current=Values((2617, 2619, 2621), DataType.INT16, 0.1, no_value=_NO_INT16),
        power=Values((820, 821, 822), DataType.INT16, no_value=_NO_INT16, unit_id=100),
        max_gap=1,
        voltage=Values((2616, 2618, 2620), DataType.UINT16, 0.1, no_value=_NO_UINT16),
    ),
    MeterMap(
        "sma_home_manager",
        "SMA Sunny Home Manager",
        4,
        total_power=Values((30865,), DataType.INT32, no_value=_NO_SMA, minus=(30867,)),
        import_energy=Values((30581,), DataType.INT32, no_value=_NO_SMA),
        export_energy=Values((30583,), DataType.INT32, no_value=_NO_SMA),
        fastest_s=1.0,
    ),
    MeterMap("sunspec", "SunSpec meter (models 201–204, 211–214)", 3, models=SUNSPEC_MODELS),
)

METERS: Mapping[str, MeterMap] = MappingProxyType({row.key: row for row in _ROWS})
"""Every meter that can be chosen, by the key a configuration names it with."""
