"""OCPP-J frames: what stands on the wire, read and written without a socket (OCPP 2.0.1 Part 4, chapter 4)."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
import math
import re
from typing import Any

import orjson

CALL, RESULT, ERROR = 2, 3, 4
UNREADABLE_ID = "-1"
"""The message id of a CALLERROR that answers a frame whose own id could not be read (Part 4, 4.2.3)."""
LONGEST_ID = 36
LONGEST_DESCRIPTION = 255
LARGEST_EXACT_INTEGER = 2**53
LARGEST_INTEGER = 2**63 - 1
PERHAPS_INTEGRAL = re.compile(r"\d\.0+[\s,}\]eE]|\d[eE][-+\d]")
"""What an integral number looks like that is not written as an integer."""
HEAD = re.compile(r'\s*\[\s*(?P<kind>[234])\s*,\s*"(?P<id>[^"\\]{1,36})"')
"""How a frame begins whose rest cannot be read."""
DEEPEST = 64
"""Levels of a payload. OCPP's own have fewer than ten; a tower of brackets must not break whoever walks over it later."""

type Payload = Mapping[str, Any]


class CallFailure(Exception):
    """A request that is answered with a CALLERROR: OCPP's error code, and a description without anything secret in it."""

    def __init__(self, code: str, description: str = "") -> None:
        """Keep code and description."""
        super().__init__(f"{code} {description}".rstrip())
        self.code = code
        self.description = description


class MalformedFrame(Exception):
    """Not an OCPP-J frame. `message_id` is what a CALLERROR shall carry; None: it answered one of ours, so nobody is told."""

    def __init__(self, message_id: str | None, code: str, description: str) -> None:
        """Keep what the CALLERROR says."""
        super().__init__(f"{code}: {description}")
        self.message_id = message_id
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request."""

    message_id: str
    action: str
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A response. Whether its payload is an object is for the one who asked to see."""

    message_id: str
    payload: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A CALLERROR; stations leave parts of it out, so all but the id have a default."""

    message_id: str
    code: str = "GenericError"
    description: str = ""


type Frame = Call | Result | Failure


def parse(text: str) -> Frame:
    """Return the frame in `text`; integral floats become integers. Raises MalformedFrame."""
    parts = load(text)
    if not isinstance(parts, list) or not parts:
        raise MalformedFrame(UNREADABLE_ID, "RpcFrameworkError", "not an array")
    kind = parts[0]
    message_id = parts[1] if len(parts) > 1 and isinstance(parts[1], str) and 0 < len(parts[1]) <= LONGEST_ID else None
    if isinstance(kind, bool) or kind not in (CALL, RESULT, ERROR):
        raise MalformedFrame(message_id or UNREADABLE_ID, "MessageTypeNotSupported", "unknown message type")
    if PERHAPS_INTEGRAL.search(text) is not None or text.count("{") + text.count("[") > DEEPEST:
        try:
            _mend(parts)
        except RecursionError:
            answered = (message_id or UNREADABLE_ID) if kind == CALL else None
            raise MalformedFrame(answered, "FormatViolation", "too many levels") from None
    if kind == CALL:
        return _call(parts, message_id)
    if message_id is None:
        raise MalformedFrame(None, "RpcFrameworkError", "a response without a message id")
    if kind == RESULT:
        return Result(message_id=message_id, payload=parts[2] if len(parts) > 2 else None)
    code, description = (*(part if isinstance(part, str) else "" for part in parts[2:4]), "", "")[:2]
    return Failure(message_id=message_id, code=code or "GenericError", description=description)


def _call(parts: list[Any], message_id: str | None) -> Call:
    if message_id is None:
        raise MalformedFrame(UNREADABLE_ID, "RpcFrameworkError", "no readable message id")
    if len(parts) < 4:
        raise MalformedFrame(message_id, "RpcFrameworkError", "a CALL has four elements")
    action, payload = parts[2], parts[3]
    if not isinstance(action, str):
        raise MalformedFrame(message_id, "RpcFrameworkError", "the action is not a string")
    if not isinstance(payload, dict):
        raise MalformedFrame(message_id, "FormatViolation", "the payload is not an object")
    return Call(message_id=message_id, action=action, payload=payload)


def call_text(message_id: str, action: str, payload: Payload) -> str:
    """Write a CALL."""
    return _dump([CALL, message_id, action, payload])


def result_text(message_id: str, payload: Payload) -> str:
    """Write a CALLRESULT."""
    return _dump([RESULT, message_id, payload])


def error_text(message_id: str, code: str, description: str = "") -> str:
    """Write a CALLERROR."""
    return _dump([ERROR, message_id, code, description[:LONGEST_DESCRIPTION], {}])


def _dump(frame: list[Any]) -> str:
    try:
        text = orjson.dumps(frame)
    except TypeError:
        text = b"null"
    # No message of OCPP has a null of its own. One here is a NaN, which orjson writes so, or somebody's data: the stricter writer tells.
    return json.dumps(frame, separators=(",", ":"), allow_nan=False) if b"null" in text else text.decode()


def load(text: str) -> Any:
    """Return the JSON in `text`, made of nothing that could not be written again. Raises MalformedFrame."""
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    # Half a surrogate pair is no reason to leave a station without an answer.
    try:
        return _without_surrogates(json.loads(text, parse_float=_finite, parse_constant=_finite, parse_int=_integer))
    except ValueError:
        raise MalformedFrame(UNREADABLE_ID, "RpcFrameworkError", "not JSON") from None
    except RecursionError:
        if (head := HEAD.match(text)) is None:
            raise MalformedFrame(UNREADABLE_ID, "RpcFrameworkError", "too many levels") from None
        raise MalformedFrame(head["id"] if head["kind"] == str(CALL) else None, "FormatViolation", "too many levels") from None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _integer(text: str) -> int | float:
    value = int(text)
    # No field of OCPP takes one that is larger; what came here unread shall not break whoever writes it down.
    return value if -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER else _finite(text)


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case list():
            return [_without_surrogates(item) for item in value]
        case _:
            return value


def _mend(value: Any, levels: int = DEEPEST) -> None:
    """Make integral floats integers, in place: stations send 20000.0, which the schemas' "integer" refuses. RecursionError: too deep."""
    if levels == 0:
        raise RecursionError
    for key, item in value.items() if type(value) is dict else enumerate(value):
        kind = type(item)
        if kind is float:
            if item.is_integer() and abs(item) <= LARGEST_EXACT_INTEGER:
                value[key] = int(item)
        elif kind is dict or kind is list:
            _mend(item, levels - 1)
