"""What may not be asked of a station by its OCPP name, past the part of Headroom that keeps account of it; and what is asked for instead.

A request that is not in these tables is not sent at all.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ..csms import inventory
from ..csms.variables import VariableKey
from ..errors import invalid
from ..site.config import AuthorizationPolicy

REQUESTS: Mapping[str, str] = {
    # They install or lift limits, or start a transaction that no fallback guards.
    "ClearChargingProfile": "clear_charging_profile",
    "RequestStartTransaction": "start_charging",
    "SetChargingProfile": "add_charging_profile",
    # What a station is recognised by, and what it trusts.
    "CertificateSigned": "sign_certificate",
    "DeleteCertificate": "delete_certificate",
    "InstallCertificate": "install_certificate",
    "SetNetworkProfile": "set_network_profile",
    # Who may charge while a station is alone, and who an EVSE is kept free for.
    "SendLocalList": "send_local_list",
    "CancelReservation": "cancel_reservation",
    "ReserveNow": "reserve",
    # Which monitors a station has, and what they say.
    "ClearVariableMonitoring": "clear_monitors",
    "SetMonitoringBase": "set_monitoring_base",
    "SetVariableMonitoring": "set_monitors",
    # How an update goes on, and that no car charges meanwhile.
    "UpdateFirmware": "update_firmware",
}
"""Requests that change what Headroom keeps account of, with the action that does the same and keeps it."""

PASSED = frozenset(
    {
        "ChangeAvailability",
        "ClearCache",
        "ClearDisplayMessage",
        "CostUpdated",
        "CustomerInformation",
        "DataTransfer",
        "GetBaseReport",
        "GetChargingProfiles",
        "GetCompositeSchedule",
        "GetDisplayMessages",
        "GetInstalledCertificateIds",
        "GetLocalListVersion",
        "GetLog",
        "GetMonitoringReport",
        "GetReport",
        "GetTransactionStatus",
        "GetVariables",
        "PublishFirmware",
        "RequestStopTransaction",
        "Reset",
        "SetDisplayMessage",
        "SetMonitoringLevel",
        "SetVariables",
        "TriggerMessage",
        "UnlockConnector",
        "UnpublishFirmware",
    }
)
"""Requests of which nothing is kept but what the station tells itself; what it answers of variables is taken into its inventory."""

VARIABLES: Mapping[tuple[str, str], str | None] = {
    ("smartchargingctrlr", "available"): None,
    ("smartchargingctrlr", "enabled"): None,
    ("securityctrlr", "basicauthpassword"): "rotate_password",
    ("securityctrlr", "identity"): None,
    ("securityctrlr", "securityprofile"): "set_network_profile",
    ("ocppcommctrlr", "networkconfigurationpriority"): "set_network_profile",
}
"""Variables that would switch our limits off or lock a station out, with the action that does it safely. A station may read names in any case."""

TOKENS = frozenset(
    {
        ("authcachectrlr", "enabled"),
        ("authctrlr", "localauthorizeoffline"),
        ("authctrlr", "localpreauthorize"),
        ("authctrlr", "masterpassgroupid"),
        ("authctrlr", "offlinetxforunknownidenabled"),
        ("localauthlistctrlr", "enabled"),
        ("reservationctrlr", "enabled"),
    }
)
"""Variables that follow from who may charge at the site: Headroom keeps them, and would set back what a person sets."""
TOKENS_REQUIRED = frozenset({("authctrlr", "enabled"), ("txctrlr", "stoptxoninvalidid")})
"""As TOKENS, at a site at which nobody charges without a token."""


def check_variables(keys: Iterable[VariableKey], *, policy: AuthorizationPolicy) -> None:
    """Raise ServiceValidationError where one of these variables is not for a person to set."""
    for component, variable in keys:
        _check(inventory.reference(component)["name"], inventory.reference(variable)["name"], policy)


def _check(component: str, variable: str, policy: AuthorizationPolicy) -> None:
    key = (component.strip().casefold(), variable.strip().casefold())
    if key in TOKENS or (key in TOKENS_REQUIRED and not policy.without_token):
        raise invalid("variable_of_tokens", variable=f"{component}.{variable}")
    if key not in VARIABLES:
        return
    if (instead := VARIABLES[key]) is None:
        raise invalid("variable_guarded", variable=f"{component}.{variable}")
    raise invalid("variable_guarded_instead", variable=f"{component}.{variable}", action=f"headroom.{instead}")


def check_request(action: str, payload: Mapping[str, Any], *, policy: AuthorizationPolicy) -> None:
    """Raise ServiceValidationError where a request would go around what is kept account of, or is none."""
    if (instead := REQUESTS.get(action)) is not None:
        raise invalid("request_guarded", request=action, action=f"headroom.{instead}")
    if action not in PASSED:
        raise invalid("request_unknown", request=action)
    if action == "SetVariables":
        # What is no variable is for the schema to refuse.
        items = payload.get("setVariableData")
        for item in items if isinstance(items, (list, tuple)) else ():
            match item:
                case {"component": {"name": str(component)}, "variable": {"name": str(variable)}}:
                    _check(component, variable, policy)
