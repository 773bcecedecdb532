"""OCPP's own JSON schemas, compiled: from the files the `ocpp` package ships, by fastjsonschema.

Compiling all of a version takes about a second, checking a message tens of microseconds: `warm` belongs in a thread, once.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
import json
from typing import Any

import fastjsonschema

CODES = {
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
    "additionalProperties": "FormatViolation",
    "type": "TypeConstraintViolation",
}
"""The CALLERROR code for each rule of a schema (Part 4, 4.3); every other rule is a PropertyConstraintViolation."""


BEYOND_SCHEMAS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "ChargingProfileType": {"stackLevel": {"minimum": 0}},
    "ChargingSchedulePeriodType": {"limit": {"minimum": 0, "multipleOf": 0.1}, "startPeriod": {"minimum": 0}},
    "ChargingScheduleType": {"minChargingRate": {"minimum": 0, "multipleOf": 0.1}, "duration": {"minimum": 0}},
}
"""What the standard says of a type's fields in words (2.0.1 Part 2, chapter 2), and its schemas leave out."""


class PayloadError(ValueError):
    """A payload violates its schema. `code` is the CALLERROR code that says so; the text names the field, never its value."""

    def __init__(self, message: str, code: str, field: str) -> None:
        """Keep the code and the field's path."""
        super().__init__(f"{message}: {code} at {field}")
        self.code = code
        self.field = field


class Schemas:
    """The requests and responses of one OCPP version."""

    def __init__(self, folder: str) -> None:
        """Take the folder's name inside the `ocpp` package, e.g. "v201"."""
        self._folder = folder
        names = {path.name for path in resources.files("ocpp").joinpath(folder, "schemas").iterdir()}
        self.actions = frozenset(name.removesuffix("Request.json") for name in names if name.endswith("Request.json"))

    def warm(self) -> None:
        """Compile every schema. Blocks for about a second."""
        for action in sorted(self.actions):
            _validator(self._folder, f"{action}Request")
            _validator(self._folder, f"{action}Response")

    def check_request(self, action: str, payload: Any) -> None:
        """Raise PayloadError unless `payload` is a request of this action."""
        self._check(f"{action}Request", payload)

    def check_response(self, action: str, payload: Any) -> None:
        """Raise PayloadError unless `payload` is a response to this action."""
        self._check(f"{action}Response", payload)

    def _check(self, name: str, payload: Any) -> None:
        try:
            _validator(self._folder, name)(payload)
        except fastjsonschema.JsonSchemaValueException as error:
            field = ".".join(str(part) for part in error.path[1:]) or "the payload"
            raise PayloadError(name, CODES.get(error.rule or "", "PropertyConstraintViolation"), field) from None


@cache
def _validator(folder: str, name: str) -> Callable[[Any], Any]:
    text = resources.files("ocpp").joinpath(folder, "schemas", f"{name}.json").read_text(encoding="utf-8-sig")
    schema = json.loads(text)
    for kind, fields in BEYOND_SCHEMAS.items():
        properties = schema.get("definitions", {}).get(kind, {}).get("properties", {})
        for field, rules in fields.items():
            if field in properties:
                properties[field] |= rules
    validator: Callable[[Any], Any] = fastjsonschema.compile(schema, use_default=False)
    return validator
