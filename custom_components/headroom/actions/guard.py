"""What may not be asked of a station past the allocator, and by which action it is asked for instead."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..csms import inventory
from ..csms.variables import VariableKey
from ..errors import invalid

REQUESTS: Mapping[str, str] = {
    "SetChargingProfile": "set_charging_profile",
    "ClearChargingProfile": "clear_charging_profile",
    "RequestStartTransaction": "start_charging",
}
"""Requests that install or lift limits, or start a transaction that no fallback guards."""

VARIABLES = frozenset(
    {
        ("smartchargingctrlr", "available"),
        ("smartchargingctrlr", "enabled"),
        ("securityctrlr", "basicauthpassword"),
    }
)
"""Variables that would switch our limits off or lock us out. A station may read names in any case."""


def check_variables(keys: Iterable[VariableKey]) -> None:
    """Raise ServiceValidationError where one of these variables is not for a person to set."""
    for component, variable in keys:
        _check(inventory.reference(component)["name"], inventory.reference(variable)["name"])


def _check(component: str, variable: str) -> None:
    if (component.strip().casefold(), variable.strip().casefold()) in VARIABLES:
        raise invalid("variable_guarded", variable=f"{component}.{variable}")


def check_request(action: str, payload: Mapping[str, Any]) -> None:
    """Raise ServiceValidationError where a request would go around the allocator."""
    if (instead := REQUESTS.get(action)) is not None:
        raise invalid("request_guarded", request=action, action=f"headroom.{instead}")
    if action == "SetVariables":
        # What is no variable is for the schema to refuse.
        items = payload.get("setVariableData")
        for item in items if isinstance(items, (list, tuple)) else ():
            match item:
                case {"component": {"name": str(component)}, "variable": {"name": str(variable)}}:
                    _check(component, variable)
