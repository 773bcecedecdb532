"""OCPP-J frames, checked both ways against the schemas the `ocpp` package ships."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
import json
from typing import Any

import fastjsonschema
import orjson

type Check = Callable[[Any], Any]

CODES: Mapping[str, str] = {
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
    "type": "TypeConstraintViolation",
    "enum": "PropertyConstraintViolation",
    "maxLength": "PropertyConstraintViolation",
    "minimum": "PropertyConstraintViolation",
    "maximum": "PropertyConstraintViolation",
}
"""The CALLERROR for each rule of a schema that a payload breaks; any other is a FormatViolation (OCPP-J 4.3)."""


class FrameError(Exception):
    """A frame is none of OCPP-J, or its payload is not what its schema says. `code` is the CALLERROR's."""

    def __init__(self, code: str, text: str, message_id: str | None = None) -> None:
        """Keep what an answer needs."""
        super().__init__(f"{code}: {text}")
        self.code = code
        self.message_id = message_id


@dataclass(frozen=True, slots=True)
class Call:
    """A request."""

    message_id: str
    action: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """An answer."""

    message_id: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Error:
    """An answer that there is none."""

    message_id: str
    code: str
    description: str


type Frame = Call | Result | Error


@cache
def _checker(message: str) -> Check | None:
    """Compile a message's schema; None where OCPP 2.0.1 has no such message."""
    schema = resources.files("ocpp.v201").joinpath("schemas", f"{message}.json")
    if not message.isalnum() or not schema.is_file():
        return None
    compiled: Check = fastjsonschema.compile(json.loads(schema.read_text(encoding="utf-8-sig")), use_default=False)
    return compiled


def check(message: str, payload: Any, message_id: str | None = None) -> None:
    """Raise FrameError where a payload is not what the schema of a message ("HeartbeatRequest") says."""
    checker = _checker(message)
    if checker is None:
        raise FrameError("NotImplemented", f"there is no {message} in OCPP 2.0.1", message_id)
    try:
        checker(payload)
    except fastjsonschema.JsonSchemaValueException as error:
        raise FrameError(CODES.get(str(error.rule), "FormatViolation"), f"{message}: {error.message}", message_id) from error


def written(frame: Frame) -> str:
    """Return a frame's text."""
    match frame:
        case Call(message_id, action, payload):
            return _dump([2, message_id, action, payload])
        case Result(message_id, payload):
            return _dump([3, message_id, payload])
        case Error(message_id, code, description):
            return _dump([4, message_id, code, description[:255], {}])


def _dump(frame: list[Any]) -> str:
    return orjson.dumps(frame).decode()


def read(text: str) -> Frame:
    """Return the frame a text is; raises FrameError where it is none."""
    try:
        listed = orjson.loads(text)
    except ValueError as error:
        raise FrameError("RpcFrameworkError", f"no JSON: {error}") from error
    match listed:
        case [2, str(message_id), str(action), dict(payload)] if len(message_id) <= 36:
            return Call(message_id, action, payload)
        case [3, str(message_id), dict(payload)]:
            return Result(message_id, payload)
        case [4, str(message_id), str(code), str(description), dict()]:
            return Error(message_id, code, description)
    if isinstance(listed, list) and listed and type(listed[0]) is int and listed[0] not in {2, 3, 4}:
        raise FrameError("MessageTypeNotSupported", f"there is no message type {listed[0]}")
    has_id = isinstance(listed, list) and len(listed) > 1 and isinstance(listed[1], str)
    raise FrameError("RpcFrameworkError", "not a frame of OCPP-J", listed[1] if has_id else None)
