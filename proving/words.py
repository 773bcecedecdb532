"""The small words of a story: times, shares, currents per phase and comparisons. Each reads one value, or raises vol.Invalid."""

from datetime import UTC, datetime
import math
import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import voluptuous as vol

from simulator.electrical import PerPhase

from .story import Comparison

UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
NEAR = 0.05
"""A figure that is told as a number may be so far off."""
_TIME = re.compile(r"([\d.]+)\s*(s|min|h|d)?")
_BOUND = re.compile(r"(<=|>=)\s*(-?[\d.]+)")
_RANGE = re.compile(r"(-?[\d.]+)\s*\.\.\s*(-?[\d.]+)")


def seconds(value: Any) -> float:
    """Read 90, "90 s", "5 min" or "2 h"."""
    total, text = 0.0, str(value).strip()
    parts = text.split(" and ")
    for part in parts:
        if isinstance(value, bool) or (found := _TIME.fullmatch(part)) is None:
            raise vol.Invalid(f"{text!r} is no time: write seconds, or 5 min, or 2 h")
        total += float(found[1]) * UNITS_S[found[2] or "s"]
    return total


def number(value: Any) -> float:
    """Read a number from 0 up."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise vol.Invalid(f"{value!r} is no number from 0 up")
    return float(value)


def share(value: Any) -> float:
    """Read 0.2 or "20 %"."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            value = float(value.removesuffix("%")) / 100
        except ValueError:
            raise vol.Invalid(f"{value!r} is no share") from None
    if number(value) > 1:
        raise vol.Invalid(f"{value!r} is more than 100 %")
    return float(value)


def per_phase(value: Any) -> PerPhase:
    """Read amps that flow on each phase, or a list of three."""
    if isinstance(value, list):
        if len(value) != 3:
            raise vol.Invalid("there are three phases")
        l1, l2, l3 = (number(one) for one in value)
        return (l1, l2, l3)
    return (number(value),) * 3


def moment(value: Any) -> datetime:
    """Read a moment in UTC, as 2026-03-29 00:55."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise vol.Invalid(f"{value!r} is no moment: write 2026-03-29 00:55, in UTC") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def zone(value: Any) -> ZoneInfo:
    """Read Europe/Berlin."""
    try:
        return ZoneInfo(str(value))
    except ZoneInfoNotFoundError, ValueError:
        raise vol.Invalid(f"{value!r} is no time zone") from None


def comparison(value: Any) -> Comparison:
    """Read a number, "<= 12", ">= 6", "6 .. 16", a word, or a list of words."""
    text = str(value)
    if isinstance(value, list):
        return Comparison(text=" or ".join(_word(one) or "none" for one in value), words=[_word(one) for one in value])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Comparison(text=text, least=value - NEAR, most=value + NEAR)
    if found := _BOUND.fullmatch(text):
        bound = float(found[2])
        return Comparison(text=text, most=bound) if found[1] == "<=" else Comparison(text=text, least=bound)
    if found := _RANGE.fullmatch(text):
        return Comparison(text=text, least=float(found[1]), most=float(found[2]))
    return Comparison(text=_word(value) or "none", words=[_word(value)])


def _word(value: Any) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None or value == "none" else str(value)
