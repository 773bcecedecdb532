"""A station's failures in words a person understands: the standard's error codes, statuses and reason codes as translation keys."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .csms.errors import (
    CallError,
    CallRejectedError,
    CallTimeoutError,
    ProfileRaisesError,
    ProfileRefusedError,
    StationError,
    StationOfflineError,
)
from .csms.validation import PayloadError
from .csms.values import SmartCharging

ERROR_CODES: Mapping[str, str] = {
    "NotImplemented": "station_not_implemented",
    "NotSupported": "station_not_supported",
    "MessageTypeNotSupported": "station_not_supported",
    "SecurityError": "station_security_error",
    "InternalError": "station_internal_error",
    "ProtocolError": "station_violation",
    "RpcFrameworkError": "station_violation",
    "FormatViolation": "station_violation",
    "FormationViolation": "station_violation",
    "PropertyConstraintViolation": "station_violation",
    "OccurrenceConstraintViolation": "station_violation",
    "OccurenceConstraintViolation": "station_violation",
    "TypeConstraintViolation": "station_violation",
}
"""The codes of a CALLERROR (OCPP-J, 4.3), also as older versions spelt them. Any other is told as it is."""

REASONS: Mapping[str, str] = {
    "FixedCable": "station_fixed_cable",
    "FwUpdateInProgress": "station_updating",
    "InvalidCertificate": "station_invalid_certificate",
    "InvalidURL": "station_invalid_url",
    "InvalidValue": "station_value_refused",
    "NotEnabled": "station_not_enabled",
    "OutOfMemory": "station_full",
    "OutOfStorage": "station_full",
    "ReadOnly": "station_read_only",
    "TxInProgress": "station_charging",
    "TxNotFound": "station_unknown_transaction",
    "TxStarted": "station_charging",
    "UnknownConnectorId": "station_unknown_evse",
    "UnknownEvse": "station_unknown_evse",
    "UnknownTxId": "station_unknown_transaction",
    "UnsupportedParam": "station_not_supported",
    "UnsupportedRequest": "station_not_supported",
    "ValueOutOfRange": "station_value_refused",
    "ValuePositiveOnly": "station_value_refused",
    "ValueTooHigh": "station_value_refused",
    "ValueTooLow": "station_value_refused",
    "ValueZeroNotAllowed": "station_value_refused",
    "WriteOnly": "station_write_only",
}
"""The reason codes (OCPP 2.0.1 Part 2, appendix 5) that say more than the status they come with."""

STATUSES: Mapping[str, str] = {
    "DownloadOngoing": "station_updating",
    "InvalidCertificate": "station_invalid_certificate",
    "NoFirmware": "station_no_firmware",
    "NotImplemented": "station_not_implemented",
    "NotSupported": "station_not_supported",
    "NotSupportedAttributeType": "station_not_supported",
    "NotSupportedMessageFormat": "station_not_supported",
    "NotSupportedPriority": "station_not_supported",
    "NotSupportedState": "station_not_supported",
    "OngoingAuthorizedTransaction": "station_charging",
    "RevokedCertificate": "station_revoked_certificate",
    "UnknownComponent": "station_unknown_variable",
    "UnknownConnector": "station_unknown_evse",
    "UnknownMessageId": "station_unknown_vendor",
    "UnknownTransaction": "station_unknown_transaction",
    "UnknownVariable": "station_unknown_variable",
    "UnknownVendorId": "station_unknown_vendor",
    "UnsupportedMonitorType": "station_not_supported",
}
"""The statuses of a response that mean more than no. Any other is told as it is."""


PROFILE_RULES: Mapping[str, str] = {
    "K01.FR.03": "profile_no_transaction",
    "K01.FR.06": "profile_level_taken",
    "K01.FR.09": "profile_no_transaction",
    "K01.FR.19": "profile_phases",
    "K01.FR.20": "profile_phases",
    "K01.FR.26": "profile_unit",
    "K01.FR.33": "profile_no_transaction",
    "K01.FR.34": "profile_alternatives",
    "K01.FR.38": "profile_relative_station",
    "K01.FR.39": "profile_level_taken",
    "K01.FR.44": "profile_phases",
    "K01.FR.52": "profile_level_taken",
    "K01.FR.53": "profile_level_taken",
    "the stack level": "profile_stack_level",
    "the station keeps": "profile_full",
    "the station takes at most": "profile_periods",
    "validTo": "profile_never",
}
"""Rules that a person's profile may break, by how `profile_rules` begins to tell them. Any other is told as it is."""


def profile_refused(target: str, error: ProfileRefusedError, can: SmartCharging) -> ServiceValidationError:
    """Return the translated error for a profile that is not sent: why, and what would be."""
    if isinstance(error, ProfileRaisesError):
        allowed, raised = _rate(error.limit_a, error.phases), _rate(error.raised_to_a, error.raised_to_phases)
        at = dt_util.as_local(error.at).strftime("%Y-%m-%d %H:%M")
        return invalid("profile_raises", target=target, allowed=allowed, raised=raised, at=at)
    rule = error.rules[0]
    key = next((key for start, key in PROFILE_RULES.items() if rule.startswith(start)), "profile_rule")
    return invalid(
        key,
        target=target,
        rule="; ".join(error.rules),
        units=", ".join(can.rate_units),
        periods=str(can.periods_per_schedule),
        level=str(can.stack_level_max),
    )


def _rate(limit_a: float, phases: int) -> str:
    return f"{limit_a:.1f} A × {phases}"


def rejected(station: str, error: CallRejectedError) -> HomeAssistantError:
    """Return the translated error for a no: by its reason where that says more, else by its status."""
    # 2.0.1 lets a vendor write a reason of its own, so an unknown one is told as it is.
    reason = error.reason.partition(":")[0]
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=REASONS.get(reason) or STATUSES.get(error.status, "station_rejected"),
        translation_placeholders={
            "station": station,
            "action": error.action,
            "status": f"{error.status} ({error.reason})" if error.reason else error.status,
        },
    )


@contextmanager
def translated_errors(station: str) -> Iterator[None]:
    """Turn a station's failure into a translated HomeAssistantError that names the station, and an invalid request into the caller's."""
    placeholders = {"station": station}
    try:
        yield
    except StationOfflineError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="station_offline", translation_placeholders=placeholders
        ) from error
    except CallTimeoutError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="station_timeout", translation_placeholders=placeholders
        ) from error
    except CallRejectedError as error:
        raise rejected(station, error) from error
    except CallError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=ERROR_CODES.get(error.code, "station_failed"),
            translation_placeholders=placeholders | {"action": error.action, "error": str(error)},
        ) from error
    except StationError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="station_failed",
            translation_placeholders=placeholders | {"error": str(error)},
        ) from error
    except PayloadError as error:
        raise invalid("payload_invalid", field=error.field, code=error.code) from error


def invalid(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the translated error for a mistake of the user's."""
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders or None)
