"""Payloads made from the official schemas: the least each message allows, all it allows, and each word of each enumeration."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
import json
from typing import Any

type Schema = Mapping[str, Any]

MOMENT = "2026-01-01T00:00:00.000Z"
LONGEST = 5000
"""Of a string in a payload that is as full as can be."""


@cache
def actions() -> tuple[str, ...]:
    """Every message of OCPP 2.0.1, either way."""
    folder = resources.files("ocpp.v201").joinpath("schemas")
    return tuple(sorted(file.name.removesuffix("Request.json") for file in folder.iterdir() if file.name.endswith("Request.json")))


@cache
def schema(message: str) -> Schema:
    """Read the schema of a message ("HeartbeatRequest")."""
    text = resources.files("ocpp.v201").joinpath("schemas", f"{message}.json").read_text(encoding="utf-8-sig")
    found: Schema = json.loads(text)
    return found


def least(message: str) -> Any:
    """Return a payload of nothing but what is required."""
    return _Writer(schema(message), full=False).value(schema(message))


def most(message: str) -> Any:
    """Return a payload with every property, strings as long as they may be."""
    return _Writer(schema(message), full=True).value(schema(message))


def worded(message: str) -> Iterator[Any]:
    """Yield a payload for each word of each enumeration that a message can hold, with all else as it is in `most`."""
    root = schema(message)
    for name, definition in root.get("definitions", {}).items():
        for word in definition.get("enum", ()):
            yield _Writer(root, full=True, longest=20, words={name: word}).value(root)


class _Writer:
    def __init__(self, root: Schema, *, full: bool, longest: int = LONGEST, words: Mapping[str, str] | None = None) -> None:
        self._root, self._full, self._longest, self._words = root, full, longest, words or {}

    def value(self, part: Schema) -> Any:
        if (reference := part.get("$ref")) is not None:
            name = reference.rpartition("/")[2]
            return self._words[name] if name in self._words else self.value(self._root["definitions"][name])
        if (words := part.get("enum")) is not None:
            return words[0]
        by_type: dict[str, Callable[[Schema], Any]] = {
            "object": self._object,
            "array": lambda one: [self.value(one["items"]) for _ in range(max(1, one.get("minItems", 1)))],
            "string": self._text,
            "integer": lambda one: int(one.get("minimum", 1)),
            "number": lambda one: float(one.get("minimum", 1.0)),
            "boolean": lambda one: True,
        }
        return by_type[part["type"]](part) if "type" in part else "anything"

    def _object(self, part: Schema) -> dict[str, Any]:
        chosen = part.get("properties", {}) if self._full else part.get("required", ())
        return {name: self.value(part["properties"][name]) for name in chosen}

    def _text(self, part: Schema) -> str:
        if part.get("format") == "date-time":
            return MOMENT
        return "x" * min(self._longest, part.get("maxLength", 10)) if self._full else "x"
