"""The variables of a station's device model (block B): as reports tell them, as they are set and heard of, as they are kept.

Stations of one model say the same of their variables, so what is said alike is held once for all of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
import re
from sys import intern
from typing import Any

from .fields import optional_number, optional_record, optional_text, records
from .frames import Payload
from .variables import AttributeType, DeviceVariable, Mutability, VariableAttribute, VariableCharacteristics

MOST_VARIABLES = 4000
"""Of one station; what it tells beyond is let go."""
MOST_CHARACTERS = 400_000
"""In all names and values of one station together."""
LONGEST_VALUE = 2500
SHARED = 4096

SECRET = re.compile(r"password", re.IGNORECASE)
"""Variables whose value is kept nowhere, whatever their station says of their mutability."""


@lru_cache(SHARED)
def _characteristics(
    data_type: str, unit: str | None, least: float | None, most: float | None, values: tuple[str, ...], monitored: bool
) -> VariableCharacteristics:
    return VariableCharacteristics(
        data_type=data_type, unit=unit, min_limit=least, max_limit=most, values=values, supports_monitoring=monitored
    )


@lru_cache(SHARED)
def _attribute(kind: AttributeType, value: str | None, mutability: Mutability, persistent: bool, constant: bool) -> VariableAttribute:
    return VariableAttribute(type=kind, value=value, mutability=mutability, persistent=persistent, constant=constant)


@lru_cache(SHARED)
def _variable(attributes: tuple[VariableAttribute, ...], characteristics: VariableCharacteristics | None) -> DeviceVariable:
    return DeviceVariable(attributes=attributes, characteristics=characteristics)


def variable_of(report_data: Payload, key: str) -> DeviceVariable:
    """Return what one reportData says of a variable; what it leaves out is as the standard says."""
    attributes = tuple(_read_attribute(item, key) for item in records(report_data, "variableAttribute"))
    described = optional_record(report_data, "variableCharacteristics")
    return _variable(attributes or (VariableAttribute(),), _read_characteristics(described) if described else None)


def _read_attribute(item: Payload, key: str) -> VariableAttribute:
    kind, mutability = optional_text(item, "type"), optional_text(item, "mutability")
    value = optional_text(item, "value")
    return _attribute(
        AttributeType(kind) if kind in set(AttributeType) else AttributeType.ACTUAL,
        None if value is None or SECRET.search(key) else intern(value[:LONGEST_VALUE]),
        Mutability(mutability) if mutability in set(Mutability) else Mutability.READ_WRITE,
        item.get("persistent") is True,
        item.get("constant") is True,
    )


def _read_characteristics(item: Payload) -> VariableCharacteristics:
    values = tuple(intern(value.strip()) for value in (optional_text(item, "valuesList") or "").split(",") if value.strip())
    return _characteristics(
        optional_text(item, "dataType") or "string",
        optional_text(item, "unit"),
        optional_number(item, "minLimit"),
        optional_number(item, "maxLimit"),
        values,
        item.get("supportsMonitoring") is True,
    )


def bounded(device: Iterable[tuple[str, DeviceVariable]]) -> dict[str, DeviceVariable]:
    """Return the variables by their key, as many as one station may have."""
    kept: dict[str, DeviceVariable] = {}
    left = MOST_CHARACTERS
    for key, variable in device:
        left -= len(key) + sum(len(attribute.value or "") for attribute in variable.attributes)
        if variable.characteristics is not None:
            left -= sum(map(len, variable.characteristics.values))
        if left < 0 or len(kept) >= MOST_VARIABLES:
            break
        kept[intern(key)] = variable
    return kept


def with_value(variable: DeviceVariable | None, value: str, key: str, kind: AttributeType = AttributeType.ACTUAL) -> DeviceVariable:
    """Return a variable (None: one that was not described) with another value. A secret stays untold."""
    variable = variable or _variable((), None)
    before = variable.attribute(kind) or VariableAttribute(type=kind)
    if before.mutability is Mutability.WRITE_ONLY or SECRET.search(key):
        after = replace(before, value=None)
    else:
        after = replace(before, value=value[:LONGEST_VALUE])
    others = tuple(attribute for attribute in variable.attributes if attribute.type is not kind)
    return replace(variable, attributes=(after, *others) if kind is AttributeType.ACTUAL else (*others, after))


def document(device: Mapping[str, DeviceVariable]) -> dict[str, Any]:
    """Return variables as JSON-able data; what is as the standard says is left out."""
    return {key: _document(variable) for key, variable in device.items()}


def _document(variable: DeviceVariable) -> dict[str, Any]:
    written: dict[str, Any] = {"attributes": [_written(attribute, VariableAttribute()) for attribute in variable.attributes]}
    if variable.characteristics is not None:
        written["characteristics"] = _written(variable.characteristics, VariableCharacteristics())
    return written


def _written(value: Any, standard: Any) -> dict[str, Any]:
    return {
        name: list(found) if isinstance(found, tuple) else found
        for name in value.__slots__
        if (found := getattr(value, name)) != getattr(standard, name)
    }


def from_document(document: Mapping[str, Any]) -> dict[str, DeviceVariable]:
    """Return what `document` gave. Raises ValueError, KeyError or TypeError for anything else."""
    return {intern(key): _read(item) for key, item in document.items()}


def _read(item: Mapping[str, Any]) -> DeviceVariable:
    attributes = tuple(
        _attribute(
            AttributeType(attribute.get("type", AttributeType.ACTUAL)),
            attribute.get("value"),
            Mutability(attribute.get("mutability", Mutability.READ_WRITE)),
            attribute.get("persistent", False),
            attribute.get("constant", False),
        )
        for attribute in item["attributes"]
    )
    if (said := item.get("characteristics")) is None:
        return _variable(attributes, None)
    return _variable(
        attributes,
        _characteristics(
            said.get("data_type", "string"),
            said.get("unit"),
            said.get("min_limit"),
            said.get("max_limit"),
            tuple(said.get("values", ())),
            said.get("supports_monitoring", False),
        ),
    )
