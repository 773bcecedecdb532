"""Walks through what a SunSpec device says it has (SunSpec Device Information Model Specification, "Modbus register mapping")."""

from dataclasses import dataclass

from .layout import MeterMap
from .line import Connection, RefusedError
from .sunspec import SUNSPEC_BASES, SUNSPEC_COMMON, SUNSPEC_END, SUNSPEC_MARK, SUNSPEC_MODELS

_MOST_MODELS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SunSpecDevice:
    """What it is called, where it was asked, and the first meter in it, in its place; None where it has none."""

    maker: str = ""
    model: str = ""
    meter: MeterMap | None


async def scan(connection: Connection, *, device_id: int, timeout_s: float, names: bool = False) -> SunSpecDevice | None:
    """Return the device at this unit, None where it is no SunSpec device; `names` reads its common model too. Raises MeterError."""
    for base in SUNSPEC_BASES:
        try:
            mark = await connection.read(3, base, len(SUNSPEC_MARK), device_id=device_id, timeout_s=timeout_s)
        except RefusedError:
            continue  # not a register of this device
        if tuple(mark.registers) == SUNSPEC_MARK:
            return await _walk(connection, base + len(SUNSPEC_MARK), device_id=device_id, timeout_s=timeout_s, names=names)
    return None


async def _walk(connection: Connection, address: int, *, device_id: int, timeout_s: float, names: bool) -> SunSpecDevice:
    maker = model_name = ""
    for _ in range(_MOST_MODELS):
        model, length = (await connection.read(3, address, 2, device_id=device_id, timeout_s=timeout_s)).registers
        if model == SUNSPEC_COMMON and names:
            words = (await connection.read(3, address + 2, 32, device_id=device_id, timeout_s=timeout_s)).registers
            maker, model_name = text(words[:16]), text(words[16:])
        if (layout := SUNSPEC_MODELS.get(model)) is not None:
            return SunSpecDevice(maker=maker, model=model_name, meter=layout.shifted(address))
        if model == SUNSPEC_END:
            break
        address += 2 + length
    return SunSpecDevice(maker=maker, model=model_name, meter=None)


def text(words: list[int], *, low_byte_first: bool = False) -> str:
    """Return the ASCII in these registers, without what pads it."""
    raw = b"".join(word.to_bytes(2, "little" if low_byte_first else "big") for word in words)
    return raw.replace(b"\0", b"").decode("ascii", "replace").strip()
