"""SunSpec: where a device says so, and the meter models 201–204 and 211–214. Data."""

from collections.abc import Mapping
from types import MappingProxyType

from .layout import DataType, MeterMap, Values

SUNSPEC_MARK = (0x5375, 0x6E53)
"""The ASCII "SunS" at the start of a SunSpec device's registers."""
SUNSPEC_BASES = (40000, 50000, 0)
"""Where "SunS" may be (SunSpec Device Information Model Specification, "Modbus register mapping")."""
SUNSPEC_COMMON = 1
"""The model of every device that names it: 16 registers each of manufacturer and model, 2 and 18 after the model's id."""
SUNSPEC_END = 0xFFFF
"""The model id that closes the chain of models."""

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
        current=Values(current, DataType.FLOAT32),
        power=Values(power, DataType.FLOAT32),
        total_power=Values((28,), DataType.FLOAT32),
        import_energy=Values((68,), DataType.FLOAT32),
        export_energy=Values((60,), DataType.FLOAT32),
        max_gap=125,
    )


SUNSPEC_MODELS: Mapping[int, MeterMap] = MappingProxyType(
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
"""The meter models by their id; addresses are counted from the register that holds the id."""
