"""Reading what a station sent: lenient where the meaning is clear, the right CALLERROR where it is not."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
import math
from typing import Any

from .frames import LARGEST_EXACT_INTEGER, CallFailure, Payload

LONGEST_KEPT = 255
"""Characters of a name or an id that is kept; OCPP's own have at most 50."""
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Between these a moment can be reckoned with; what lies beyond, such as "for ever", is as good as they."""
LONGEST_S = 10 * 366 * 86_400.0
"""Seconds that can be added to any such moment; what begins or ends later is nobody's business."""
NUMBERS = (float, int, str)
"""Types, exactly: a bool is none."""


def _missing(key: str) -> CallFailure:
    return CallFailure("OccurrenceConstraintViolation", f"{key} is missing")


def _mistyped(key: str) -> CallFailure:
    return CallFailure("TypeConstraintViolation", f"{key} has the wrong type")


def unknown_value(key: str) -> CallFailure:
    """Return the failure for a value that is none of those allowed."""
    return CallFailure("PropertyConstraintViolation", f"{key} has no such value")


def optional_text(source: Payload, key: str) -> str | None:
    """Return a string, or None where it is absent or no string."""
    value = source.get(key)
    return value if isinstance(value, str) else None


def short_text(source: Payload, key: str) -> str | None:
    """Return a string that is kept: no longer than OCPP's are, so that no station fills our memory."""
    return None if (value := optional_text(source, key)) is None else value[:LONGEST_KEPT]


def text(source: Payload, key: str) -> str:
    """Return a string. Raises CallFailure."""
    if key not in source:
        raise _missing(key)
    if (value := optional_text(source, key)) is None:
        raise _mistyped(key)
    return value


def optional_number(source: Payload, key: str) -> float | None:
    """Return a finite number, also one written as a string; None where there is none."""
    value: Any = source.get(key)
    if type(value) not in NUMBERS:
        return None
    try:
        number = float(value)
    except ValueError, OverflowError:
        return None
    return number if math.isfinite(number) else None


def optional_seconds(source: Payload, key: str) -> float | None:
    """Return a span of seconds, a very long one as long as can be reckoned with; None where there is none."""
    number = optional_number(source, key)
    return None if number is None else min(max(number, -LONGEST_S), LONGEST_S)


def optional_whole(source: Payload, key: str) -> int | None:
    """Return an integer, also one written as 2.0 or "2"; None where there is none, or one that no message of OCPP means."""
    number = optional_number(source, key)
    return int(number) if number is not None and number.is_integer() and abs(number) <= LARGEST_EXACT_INTEGER else None


def whole_in(value: str) -> int | None:
    """Return the integer that a variable of the device model holds; None where it holds none that a message of OCPP could mean."""
    return optional_whole({"value": value}, "value")


def whole(source: Payload, key: str) -> int:
    """Return an integer. Raises CallFailure."""
    if key not in source:
        raise _missing(key)
    if (value := optional_whole(source, key)) is None:
        raise _mistyped(key)
    return value


def optional_record(source: Payload, key: str) -> Mapping[str, Any]:
    """Return an object, an empty one where there is none."""
    value = source.get(key)
    return value if isinstance(value, dict) else {}


def record(source: Payload, key: str) -> Mapping[str, Any]:
    """Return an object. Raises CallFailure."""
    if key not in source:
        raise _missing(key)
    if not isinstance(source[key], dict):
        raise _mistyped(key)
    return optional_record(source, key)


def records(source: Payload, key: str) -> Sequence[Mapping[str, Any]]:
    """Return the objects of an array, none where there is no array."""
    value = source.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def optional_moment(source: Payload, key: str) -> datetime | None:
    """Return a point in time; one without a zone is UTC, one past all reckoning as far as can be reckoned. None where there is none."""
    value = source.get(key)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip().upper())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except ValueError, OverflowError:
        return None
    return min(max(moment, EARLIEST), LATEST)


def moment(source: Payload, key: str) -> datetime:
    """Return a point in time. Raises CallFailure."""
    if key not in source:
        raise _missing(key)
    if (value := optional_moment(source, key)) is None:
        raise CallFailure("PropertyConstraintViolation", f"{key} is no date and time")
    return value


def written(at: datetime) -> str:
    """Write a point in time as OCPP wants it: UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
