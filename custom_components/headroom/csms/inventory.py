"""A station's device model (block B): how its variables are named here, and what they say of EVSEs and smart charging."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
import re
from typing import Any

from . import device_model
from .fields import optional_record, optional_text, optional_whole, whole_in
from .frames import Payload
from .profiles import IDS_EACH
from .values import Inventory, SmartCharging
from .variables import AttributeType, DeviceVariable, VariableKey

VARIABLES_WITHOUT_REPORT = (
    ("SmartChargingCtrlr", "Available"),
    ("SmartChargingCtrlr", "Enabled"),
    ("SmartChargingCtrlr", "RateUnit"),
    ("SmartChargingCtrlr", "ProfileStackLevel"),
    ("SmartChargingCtrlr", "PeriodsPerSchedule"),
    ("SmartChargingCtrlr", "ACPhaseSwitchingSupported"),
)
"""What is asked for one by one where a station gives no report."""
CONNECTOR_TYPES = (
    "cCCS1",
    "cCCS2",
    "cG105",
    "cTesla",
    "cType1",
    "cType2",
    "s309-1P-16A",
    "s309-1P-32A",
    "s309-3P-16A",
    "s309-3P-32A",
    "sBS1361",
    "sCEE-7-7",
    "sType2",
    "sType3",
    "Other1PhMax16A",
    "Other1PhOver16A",
    "Other3Ph",
    "Pan",
    "wInductive",
    "wResonant",
)
"""OCPP's ConnectorEnumType, but for those that say it is not known."""
MOST_EVSES_PROBED = 8
MOST_EVSES, MOST_CONNECTORS = 128, 16
"""Of one station, and of one EVSE; what it tells of beyond is let go."""

_REFERENCE = re.compile(r"(?P<name>[^\[@]+)(?:\[(?P<instance>[^\]]*)\])?(?:@(?P<evse>\d+)(?::(?P<connector>\d+))?)?")

_KEY = re.compile(r"(?P<component>[^\[.]+(?:\[[^\]]*\])?[^\[.]*)\.(?P<variable>.+)")


def reference(text: str) -> dict[str, Any]:
    """Return OCPP's component or variable for "Name[instance]@evse:connector", where all but the name may be left out."""
    if (match := _REFERENCE.fullmatch(text)) is None:
        raise ValueError(f"not a component or variable: {text}")
    found: dict[str, Any] = {"name": match["name"]}
    if match["instance"] is not None:
        found["instance"] = match["instance"]
    if match["evse"] is not None:
        found["evse"] = {"id": int(match["evse"])}
        if match["connector"] is not None:
            found["evse"]["connectorId"] = int(match["connector"])
    return found


def key_of(text: str) -> VariableKey:
    """Return component and variable of "Component[instance]@evse.Variable[instance]". Raises ValueError."""
    if (match := _KEY.fullmatch(text)) is None:
        raise ValueError(f"not a variable of a component: {text}")
    component, variable = match["component"], match["variable"]
    reference(component), reference(variable)
    return component, variable


def name(component_or_variable: Payload) -> str:
    """Return the short form that `reference` reads."""
    text = optional_text(component_or_variable, "name") or ""
    if (instance := optional_text(component_or_variable, "instance")) is not None:
        text += f"[{instance}]"
    evse = optional_record(component_or_variable, "evse")
    if (evse_id := optional_whole(evse, "id")) is not None:
        text += f"@{evse_id}"
        if (connector_id := optional_whole(evse, "connectorId")) is not None:
            text += f":{connector_id}"
    return text


def can_be(evse_id: int) -> bool:
    """Tell whether an EVSE may have this id: they count from 1, and the ids of our profiles have room for so many."""
    return 0 < evse_id < IDS_EACH


def from_report(report_data: Iterable[Payload]) -> Inventory:
    """Return what the reportData of all NotifyReports say."""
    return merged(None, report_data)


def merged(known: Inventory | None, report_data: Iterable[Payload]) -> Inventory:
    """Return an inventory (None: nothing is known yet) with what more reportData say."""
    told: dict[str, DeviceVariable] = {}
    evses: set[tuple[int, int | None]] = set()
    for item in report_data:
        component, variable = optional_record(item, "component"), optional_record(item, "variable")
        evse = optional_record(component, "evse")
        if evse_id := optional_whole(evse, "id"):
            evses.add((evse_id, optional_whole(evse, "connectorId")))
        key = f"{name(component)}.{name(variable)}"
        told[key] = device_model.variable_of(item, key)
    device = device_model.bounded((({} if known is None else dict(known.device)) | told).items())
    variables = _values(device)
    if known is None:
        return build(variables, evses, device)
    evses |= {(evse_id, connector_id) for evse_id, connectors in known.evse_connectors.items() for connector_id in connectors}
    found = replace(build(variables, evses, device), awaiting_reboot=known.awaiting_reboot)
    return found if _about_smart_charging(told) else replace(found, smart_charging=known.smart_charging)


def _values(device: Mapping[str, DeviceVariable]) -> dict[str, str]:
    return {key: value for key, variable in device.items() if (value := _actual(key, variable)) is not None}


def _actual(key: str, variable: DeviceVariable) -> str | None:
    if variable.value is None and key.endswith(".RateUnit") and variable.characteristics is not None:
        return ",".join(variable.characteristics.values) or None  # some stations name the units only as the list of what may be set
    return variable.value


def build(
    variables: Mapping[str, str], evses: Iterable[tuple[int, int | None]], device: Mapping[str, DeviceVariable] | None = None
) -> Inventory:
    """Return the inventory of these variables and (EVSE, connector) pairs. Every station has an EVSE 1 with a connector 1."""
    connectors: dict[int, set[int]] = {}
    for evse_id, connector_id in evses:
        if not can_be(evse_id) or (evse_id not in connectors and len(connectors) >= MOST_EVSES):
            continue
        found = connectors.setdefault(evse_id, set())
        if connector_id is not None and connector_id > 0 and len(found) < MOST_CONNECTORS:
            found.add(connector_id)
    connectors = connectors or {1: set()}
    if device is None:
        device = {key: device_model.with_value(None, value, key) for key, value in variables.items()}
    return Inventory(
        evse_connectors={evse_id: tuple(sorted(connectors[evse_id])) or (1,) for evse_id in sorted(connectors)},
        smart_charging=_smart_charging(variables),
        variables=variables,
        device=device,
    )


def with_values(inventory: Inventory, values: Mapping[VariableKey, str], attribute: AttributeType = AttributeType.ACTUAL) -> Inventory:
    """Return an inventory in which variables have these values, as they were read, set or heard of."""
    told = {".".join(key): value for key, value in values.items()}
    device = dict(inventory.device) | {
        key: device_model.with_value(inventory.device.get(key), value, key, attribute) for key, value in told.items()
    }
    device = device_model.bounded(device.items())
    if attribute is not AttributeType.ACTUAL:
        return replace(inventory, device=device)
    changed = {key: value for key in told if key in device and (value := device[key].value) is not None}
    variables = dict(inventory.variables) | changed
    smart = _smart_charging(variables) if _about_smart_charging(changed) else inventory.smart_charging
    return replace(inventory, variables=variables, device=device, smart_charging=smart)


def _about_smart_charging(told: Iterable[str]) -> bool:
    """Whether there is smart charging at all may have been learnt otherwise: only its own variables say anew."""
    return any(key.startswith("SmartChargingCtrlr.") for key in told)


def _smart_charging(variables: Mapping[str, str]) -> SmartCharging:
    def value(variable: str) -> str | None:
        return variables.get(f"SmartChargingCtrlr.{variable}")

    def flag(variable: str) -> bool | None:
        return None if (text := value(variable)) is None else text.strip().lower() == "true"

    def whole(variable: str, default: int) -> int:
        found = whole_in(value(variable) or "")
        return default if found is None or found < 0 else found

    standard = SmartCharging()
    units = {unit.strip().upper()[:1] for unit in (value("RateUnit") or "").split(",")}
    return SmartCharging(
        available=flag("Available") is not False and flag("Enabled") is not False,
        rate_units=tuple(unit for unit in ("A", "W") if unit in units) or standard.rate_units,
        stack_level_max=whole("ProfileStackLevel", standard.stack_level_max),
        periods_per_schedule=whole("PeriodsPerSchedule", standard.periods_per_schedule),
        phase_switching=flag("ACPhaseSwitchingSupported") is True,
    )


def evse_phases(inventory: Inventory, evse_id: int) -> int | None:
    """Return how many AC phases an EVSE is supplied with, 0 for DC, None where the station does not say."""
    return whole_in(inventory.variables.get(f"EVSE@{evse_id}.SupplyPhases", ""))


def is_direct(inventory: Inventory, evse_id: int) -> bool:
    """Return whether an EVSE gives direct current: no AC phases, or a DC connector."""
    prefix = f"Connector@{evse_id}:"
    kinds = [value for key, value in inventory.variables.items() if key.startswith(prefix) and key.endswith(".ConnectorType")]
    return evse_phases(inventory, evse_id) == 0 or any(kind.startswith(("cCCS", "cG105", "cChaoJi")) for kind in kinds)


def lacks_connector(inventory: Inventory, evse_id: int, connector_type: str) -> bool:
    """Return whether an EVSE is known to have no connector of this type (CONNECTOR_TYPES): each that it has says that it is another."""
    known = {kind.casefold() for kind in CONNECTOR_TYPES} - {connector_type.casefold()}
    connectors = inventory.evse_connectors.get(evse_id, ())
    kinds = [inventory.variables.get(f"Connector@{evse_id}:{connector}.ConnectorType", "") for connector in connectors]
    return bool(kinds) and all(kind.strip().casefold() in known for kind in kinds)


def items_per_message(inventory: Inventory, message: str) -> int | None:
    """Return how many items a GetVariables or SetVariables may hold, None where the station does not say."""
    found = whole_in(inventory.variables.get(f"DeviceDataCtrlr.ItemsPerMessage[{message}]", ""))
    return None if found is None else max(1, found)


def with_connector(inventory: Inventory, evse_id: int, connector_id: int) -> Inventory | None:
    """Return the inventory with a connector that it does not have yet, None where it has it or can have no more."""
    known = inventory.evse_connectors.get(evse_id, ())
    if not can_be(evse_id) or connector_id < 1 or connector_id in known or len(known) >= MOST_CONNECTORS:
        return None
    if evse_id not in inventory.evse_connectors and len(inventory.evse_connectors) >= MOST_EVSES:
        return None
    connectors = dict(inventory.evse_connectors) | {evse_id: tuple(sorted({*known, connector_id}))}
    return replace(inventory, evse_connectors=dict(sorted(connectors.items())))


def document(inventory: Inventory) -> dict[str, Any]:
    """Return an inventory as JSON-able data."""
    return {
        "evse_connectors": {str(evse_id): list(connectors) for evse_id, connectors in inventory.evse_connectors.items()},
        "smart_charging": asdict(inventory.smart_charging),
        "device": device_model.document(inventory.device),
        "awaiting_reboot": list(inventory.awaiting_reboot),
    }


def from_document(document: Mapping[str, Any]) -> Inventory:
    """Return what `document` gave. Raises ValueError, KeyError or TypeError for anything else."""
    smart_charging = dict(document["smart_charging"])
    device = device_model.from_document(document["device"])
    evses = {int(evse_id): tuple(connectors) for evse_id, connectors in document["evse_connectors"].items()}
    return Inventory(
        evse_connectors={evse_id: connectors for evse_id, connectors in evses.items() if can_be(evse_id)} or {1: (1,)},
        smart_charging=SmartCharging(**smart_charging | {"rate_units": tuple(smart_charging["rate_units"])}),
        variables=_values(device),
        device=device,
        awaiting_reboot=tuple(document["awaiting_reboot"]),
    )
