"""Known quirks of stations, as data: `quirks.toml`, read once when this module is imported (which Home Assistant does off its loop)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import zip_longest
import operator
from pathlib import Path
import re
import tomllib
from typing import Any

from .dialect import Dialect
from .values import StationInfo

_FILE = Path(__file__).with_name("quirks.toml")
_COMPARISON = re.compile(r"(?P<operator>>=|<=|<|>|=)(?P<version>\d+(?:\.\d+)*)")
_OPERATORS = {">=": operator.ge, "<=": operator.le, "<": operator.lt, ">": operator.gt, "=": operator.eq}


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a station does besides taking limits. The defaults are what the standard leads to."""

    stack_level_most: int | None = None
    """The highest stack level it really takes; None: what it says."""
    sample_interval_least_s: int = 0
    heartbeat_interval_s: int | None = None
    """None: what suits any station."""
    ping_interval_s: int | None = None
    """None: what suits any station; 0: it takes pings amiss, and is judged by what it says."""
    samples_on_request: bool = True
    """It may be asked for samples."""
    samples_only_on_request: bool = False
    """It sends no samples but those it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One entry of the file. Patterns are of the shell's kind and in lower case."""

    vendor: str
    model: str
    firmware: str | None
    why: str
    source: str
    dialect: Mapping[str, Any]
    habits: Mapping[str, Any]

    def matches(self, info: StationInfo) -> bool:
        """Tell whether it is about a station that says this of itself."""
        return (
            fnmatchcase(info.vendor.lower(), self.vendor)
            and fnmatchcase(info.model.lower(), self.model)
            and (self.firmware is None or within(info.firmware_version, self.firmware))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a station before it has said or done anything: where the search for its dialect starts."""

    dialect: Dialect = Dialect()
    habits: Habits = Habits()
    why: tuple[str, ...] = ()
    """What each quirk says, with its source."""


def parse(text: str) -> tuple[Quirk, ...]:
    """Return the entries of a file of quirks. Raises ValueError where one is not as it should be."""
    return tuple(_quirk(entry) for entry in tomllib.loads(text).get("quirk", ()))


def _quirk(entry: Mapping[str, Any]) -> Quirk:
    required = {"vendor", "model", "why", "source"}
    if not required <= set(entry) <= required | {"firmware", "dialect", "habits"}:
        raise ValueError(f"a quirk has vendor, model, why and source, and perhaps firmware, dialect and habits: {dict(entry)}")
    for pattern in (entry["vendor"], entry["model"]):
        if pattern != pattern.lower():
            raise ValueError(f"patterns are in lower case: {pattern}")
    dialect, habits, firmware = entry.get("dialect", {}), entry.get("habits", {}), entry.get("firmware")
    Dialect.from_document(dialect)
    if unknown := set(habits) - {field.name for field in fields(Habits)}:
        raise ValueError(f"there is no habit {', '.join(sorted(unknown))}")
    if firmware is not None:
        _comparisons(firmware)
    return Quirk(
        vendor=entry["vendor"],
        model=entry["model"],
        firmware=firmware,
        why=entry["why"],
        source=entry["source"],
        dialect=dialect,
        habits=habits,
    )


def within(version: str | None, firmware: str) -> bool:
    """Tell whether a version lies in a range as ">=5,<6.2"; one that names no number lies in none.

    Only the numbers count: "v6.13.3-rc" is 6.13.3, and "01.20" is 1.20.0.
    """
    numbers = [int(number) for number in re.findall(r"\d+", version or "")]
    return bool(numbers) and all(_OPERATORS[sign](_order(numbers, bound), 0) for sign, bound in _comparisons(firmware))


def _comparisons(firmware: str) -> list[tuple[str, list[int]]]:
    found = [_COMPARISON.fullmatch(part.strip()) for part in firmware.split(",")]
    if None in found:
        raise ValueError(f"not a range of versions: {firmware}")
    return [(match["operator"], [int(number) for number in match["version"].split(".")]) for match in found if match is not None]


def _order(one: Sequence[int], other: Sequence[int]) -> int:
    for left, right in zip_longest(one, other, fillvalue=0):
        if left != right:
            return 1 if left > right else -1
    return 0


QUIRKS = parse(_FILE.read_text(encoding="utf-8"))


def known_of(info: StationInfo, quirks: Sequence[Quirk] = QUIRKS) -> Known:
    """Return what is known of a station by what it said at its boot."""
    return _by_the_file(info) if quirks is QUIRKS else _known_of(info, quirks)


@lru_cache(maxsize=512)
def _by_the_file(info: StationInfo) -> Known:
    """Return what the file says of a station; kept, for each message asks for it."""
    return _known_of(info, QUIRKS)


def _known_of(info: StationInfo, quirks: Sequence[Quirk]) -> Known:
    matching = [quirk for quirk in quirks if quirk.matches(info)]
    dialect: dict[str, Any] = {}
    habits: dict[str, Any] = {}
    for quirk in matching:
        dialect |= quirk.dialect
        habits |= quirk.habits
    return Known(
        dialect=Dialect.from_document(dialect), habits=Habits(**habits), why=tuple(f"{quirk.why} ({quirk.source})" for quirk in matching)
    )
