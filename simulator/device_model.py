"""A station's device model: components and their variables, and how a CSMS reads and writes them (block B)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

READ_ONLY, READ_WRITE, WRITE_ONLY = "ReadOnly", "ReadWrite", "WriteOnly"
DATA_PER_REPORT = 20
"""How many variables one NotifyReport carries."""


class Key(NamedTuple):
    """Names a variable."""

    component: str
    variable: str
    component_instance: str | None = None
    variable_instance: str | None = None
    evse_id: int | None = None
    connector_id: int | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Key:
        """Read it from a GetVariableData or SetVariableData."""
        component, variable = data["component"], data["variable"]
        evse = component.get("evse", {})
        return cls(
            component["name"],
            variable["name"],
            component.get("instance"),
            variable.get("instance"),
            evse.get("id"),
            evse.get("connectorId"),
        )

    def written(self) -> dict[str, Any]:
        """Return component and variable as OCPP writes them."""
        component: dict[str, Any] = {"name": self.component}
        variable: dict[str, Any] = {"name": self.variable}
        if self.component_instance is not None:
            component["instance"] = self.component_instance
        if self.evse_id is not None:
            component["evse"] = {"id": self.evse_id}
            if self.connector_id is not None:
                component["evse"]["connectorId"] = self.connector_id
        if self.variable_instance is not None:
            variable["instance"] = self.variable_instance
        return {"component": component, "variable": variable}


@dataclass(slots=True, kw_only=True)
class Variable:
    """A variable's actual value and what it may be."""

    value: str
    mutability: str = READ_ONLY
    data_type: str = "string"
    unit: str | None = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    """Of an OptionList or a MemberList."""
    reboot_required: bool = False
    monitored: bool = False
    """Monitors may be set on it."""

    def takes(self, value: str) -> bool:
        """Return whether a value is one of its type and range."""
        match self.data_type:
            case "integer" | "decimal":
                try:
                    number = int(value) if self.data_type == "integer" else float(value)
                except ValueError:
                    return False
                return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)
            case "boolean":
                return value in {"true", "false"}
            case "OptionList":
                return value in self.choices
            case "MemberList":
                members = [member.strip() for member in value.split(",") if member.strip()]
                return not self.choices or all(member in self.choices for member in members)
        return True

    def written(self, key: Key) -> dict[str, Any]:
        """Return its ReportData."""
        attribute: dict[str, Any] = {"type": "Actual", "mutability": self.mutability, "persistent": True, "constant": False}
        if self.mutability != WRITE_ONLY:
            attribute["value"] = self.value
        characteristics: dict[str, Any] = {"dataType": self.data_type, "supportsMonitoring": self.monitored}
        if self.unit:
            characteristics["unit"] = self.unit
        if self.least is not None:
            characteristics["minLimit"] = self.least
        if self.most is not None:
            characteristics["maxLimit"] = self.most
        if self.choices:
            characteristics["valuesList"] = ",".join(self.choices)
        return key.written() | {"variableAttribute": [attribute], "variableCharacteristics": characteristics}


class DeviceModel:
    """All variables of one station."""

    def __init__(self, variables: Mapping[Key, Variable]) -> None:
        """Take them as they come from the factory."""
        self.variables = dict(variables)

    def text(self, component: str, variable: str, instance: str | None = None) -> str:
        """Return a value of the station's own; raises KeyError where it has no such variable."""
        return self.variables[Key(component, variable, variable_instance=instance)].value

    def number(self, component: str, variable: str, instance: str | None = None) -> float:
        """Return a value that is a number."""
        return float(self.text(component, variable, instance))

    def members(self, component: str, variable: str) -> Sequence[str]:
        """Return a MemberList's members."""
        return [member.strip() for member in self.text(component, variable).split(",") if member.strip()]

    def update(self, key: Key, value: str) -> None:
        """Let the station itself change a value."""
        self.variables[key].value = value

    def get(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one GetVariableData."""
        key = Key.of(data)
        result = key.written()
        if attribute := data.get("attributeType"):
            result["attributeType"] = attribute
        status = self.known(key)
        if status == "Accepted" and data.get("attributeType", "Actual") != "Actual":
            status = "NotSupportedAttributeType"
        if status == "Accepted" and self.variables[key].mutability == WRITE_ONLY:
            status = "Rejected"
        if status == "Accepted":
            result["attributeValue"] = self.variables[key].value
        return result | {"attributeStatus": status}

    def set(self, data: Mapping[str, Any], *, refused: bool = False) -> dict[str, Any]:
        """Do and answer one SetVariableData; `refused` where something beside the device model speaks against it."""
        key, value = Key.of(data), str(data["attributeValue"])
        result = key.written()
        if attribute := data.get("attributeType"):
            result["attributeType"] = attribute
        status = self.known(key)
        if status == "Accepted" and data.get("attributeType", "Actual") != "Actual":
            status = "NotSupportedAttributeType"
        if status == "Accepted":
            variable = self.variables[key]
            if refused or variable.mutability == READ_ONLY or not variable.takes(value):
                status = "Rejected"
            else:
                variable.value = value
                status = "RebootRequired" if variable.reboot_required else "Accepted"
        return result | {"attributeStatus": status}

    def reports(self, keys: Iterable[Key]) -> Sequence[list[dict[str, Any]]]:
        """Return the ReportData of variables in pages."""
        data = [self.variables[key].written(key) for key in keys]
        return [data[first : first + DATA_PER_REPORT] for first in range(0, len(data), DATA_PER_REPORT)]

    def matching(self, base: str) -> Sequence[Key]:
        """Return what a GetBaseReport of this kind lists."""
        match base:
            case "ConfigurationInventory":
                return [key for key, variable in self.variables.items() if variable.mutability != READ_ONLY]
            case "SummaryInventory":
                return [key for key in self.variables if key.variable in {"AvailabilityState", "Problem", "Available"}]
        return list(self.variables)

    def asked(self, wanted: Sequence[Mapping[str, Any]], criteria: Sequence[str]) -> Sequence[Key]:
        """Return what a GetReport lists: the components and variables named, of components that meet a criterion."""
        found = []
        for key in self.variables:
            named = not wanted or any(_names(one, key) for one in wanted)
            if named and all(self._meets(key, criterion) for criterion in criteria):
                found.append(key)
        return found

    def _meets(self, key: Key, criterion: str) -> bool:
        """A component without the criterion's variable counts as available, enabled and active, and as having no problem."""
        stated = self.variables.get(key._replace(variable=criterion, variable_instance=None))
        return stated.value == "true" if stated else criterion != "Problem"

    def known(self, key: Key) -> str:
        """Return "Accepted", "UnknownVariable" or "UnknownComponent"."""
        if key in self.variables:
            return "Accepted"
        component = key._replace(variable="", variable_instance=None)
        if any(other._replace(variable="", variable_instance=None) == component for other in self.variables):
            return "UnknownVariable"
        return "UnknownComponent"


def _names(wanted: Mapping[str, Any], key: Key) -> bool:
    component, variable = wanted["component"], wanted.get("variable", {})
    evse = component.get("evse", {})
    return bool(
        component["name"] == key.component
        and component.get("instance", key.component_instance) == key.component_instance
        and evse.get("id", key.evse_id) == key.evse_id
        and evse.get("connectorId", key.connector_id) == key.connector_id
        and variable.get("name", key.variable) == key.variable
        and variable.get("instance", key.variable_instance) == key.variable_instance
    )
