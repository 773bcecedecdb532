"""How a station answers each request of OCPP 2.0.1 that a CSMS may send it: one function a request, listed in ANSWERS."""

from collections.abc import Callable, Mapping
from datetime import timedelta
import itertools
from typing import TYPE_CHECKING, Any

from custom_components.headroom.csms.composite import Transaction

from .device_model import Key
from .outbox import Registration
from .profiles import ProfileRejectedError
from .timestamps import read, written

if TYPE_CHECKING:
    from .station import StationModel

type Payload = Mapping[str, Any]
type Answer = dict[str, Any]
type Handler = Callable[[StationModel, Payload], Answer]

ACCEPTED: Answer = {"status": "Accepted"}
REJECTED: Answer = {"status": "Rejected"}


class CallRefusedError(Exception):
    """The station answers a request with a CALLERROR of this code."""

    def __init__(self, code: str, description: str = "") -> None:
        """Keep both."""
        super().__init__(f"{code} {description}".rstrip())
        self.code = code
        self.description = description


def _rejected(reason_code: str, text: str = "") -> Answer:
    return {"status": "Rejected", "statusInfo": {"reasonCode": reason_code, "additionalInfo": text[:512]}}


# K: smart charging


def _set_charging_profile(station: StationModel, payload: Payload) -> Answer:
    if station.faults.rejecting:
        return _rejected("UnspecifiedError", "switched to reject")
    try:
        station.profiles.install(payload["evseId"], payload["chargingProfile"], station.now, station.transactions)
    except ProfileRejectedError as error:
        return _rejected(error.reason_code, str(error))
    station.profile_writes += 1
    _count_profiles(station)
    return dict(ACCEPTED)


def _clear_charging_profile(station: StationModel, payload: Payload) -> Answer:
    criteria = payload.get("chargingProfileCriteria", {})
    cleared = station.profiles.clear(
        profile_id=payload.get("chargingProfileId"),
        evse_id=criteria.get("evseId"),
        purpose=criteria.get("chargingProfilePurpose"),
        stack_level=criteria.get("stackLevel"),
    )
    _count_profiles(station)
    return {"status": "Accepted" if cleared else "Unknown"}


def _get_charging_profiles(station: StationModel, payload: Payload) -> Answer:
    found = station.profiles.matching(payload.get("evseId"), payload["chargingProfile"])
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for one in found:
        groups.setdefault((one.evse_id, one.source), []).append(dict(one.profile))
    for index, ((evse_id, source), profiles) in enumerate(groups.items(), 1):
        report = {
            "requestId": payload["requestId"],
            "chargingLimitSource": source,
            "evseId": evse_id,
            "chargingProfile": profiles,
            "tbc": index < len(groups),
        }
        station.say("ReportChargingProfiles", report)
    return {"status": "Accepted" if found else "NoProfiles"}


def _get_composite_schedule(station: StationModel, payload: Payload) -> Answer:
    evse_id, abilities = payload["evseId"], station.spec.abilities
    unit = payload.get("chargingRateUnit", "A" if "A" in abilities.rate_units else "W")
    if evse_id and evse_id not in station.evses:
        return _rejected("UnknownEvse")
    if unit not in abilities.rate_units:
        return _rejected("UnsupportedRateUnit")
    start = station.now.replace(microsecond=0)
    schedule = station.profiles.composite_schedule(evse_id, start, payload["duration"], unit, station.transactions, station.rated_a)
    return {"status": "Accepted", "schedule": schedule}


def _count_profiles(station: StationModel) -> None:
    key = Key("SmartChargingCtrlr", "Entries", variable_instance="ChargingProfiles")
    station.device.update(key, str(len(station.profiles.installed)))


# B: provisioning


def _get_base_report(station: StationModel, payload: Payload) -> Answer:
    return _report(station, payload["requestId"], station.device.matching(payload["reportBase"]))


def _get_report(station: StationModel, payload: Payload) -> Answer:
    keys = station.device.asked(payload.get("componentVariable", []), payload.get("componentCriteria", []))
    return _report(station, payload["requestId"], keys) if keys else {"status": "EmptyResultSet"}


def _report(station: StationModel, request_id: int, keys: Any) -> Answer:
    pages = station.device.reports(keys)
    for number, data in enumerate(pages):
        page = {
            "requestId": request_id,
            "generatedAt": written(station.now),
            "seqNo": number,
            "tbc": number < len(pages) - 1,
            "reportData": data,
        }
        station.say("NotifyReport", page, asked=True)
    return dict(ACCEPTED)


def _get_variables(station: StationModel, payload: Payload) -> Answer:
    station.device.update(Key("ClockCtrlr", "DateTime"), written(station.now))
    return {"getVariableResult": [station.device.get(data) for data in payload["getVariableData"]]}


def _set_variables(station: StationModel, payload: Payload) -> Answer:
    answer = {"setVariableResult": [station.device.set(data) for data in payload["setVariableData"]]}
    if station.outbox.registration is Registration.ACCEPTED:
        station.schedule_heartbeat()
    return answer


def _reset(station: StationModel, payload: Payload) -> Answer:
    if payload.get("evseId") is not None:
        return _rejected("NotSupported", "one EVSE cannot be reset alone")
    if payload["type"] == "OnIdle" and station.transactions:
        station.kept["reset"] = {"when_idle": True}
        return {"status": "Scheduled"}
    station.kept["reset"] = {"now": True}
    return dict(ACCEPTED)


# E, F, G, H: transactions, remote control, availability, reservation


def _get_transaction_status(station: StationModel, payload: Payload) -> Answer:
    events = station.outbox.events
    if (transaction_id := payload.get("transactionId")) is None:
        return {"messagesInQueue": bool(events)}
    queued = any(event.payload["transactionInfo"]["transactionId"] == transaction_id for event in events)
    ongoing = any(transaction.transaction_id == transaction_id for transaction in station.transactions.values())
    return {"messagesInQueue": queued, "ongoingIndicator": ongoing}


def _request_start_transaction(station: StationModel, payload: Payload) -> Answer:
    if station.outbox.registration is not Registration.ACCEPTED:
        return _rejected("NotEnabled", "not accepted yet")
    wanted = payload.get("evseId")
    idle = [evse_id for evse_id, evse in station.evses.items() if not evse.transaction and evse.operative and wanted in {None, evse_id}]
    if not idle:
        return _rejected("TxInProgress" if wanted in station.evses else "UnknownEvse")
    evse_id = next((evse_id for evse_id in idle if station.evses[evse_id].car), idle[0])
    evse, profile = station.evses[evse_id], payload.get("chargingProfile")
    if profile is not None:
        if profile["chargingProfilePurpose"] != "TxProfile" or "transactionId" in profile:
            return _rejected("InvalidProfile", "K05: a TxProfile without a transactionId")
        placeholder = Transaction(transaction_id="", started_at=station.now)
        try:
            station.profiles.check(evse_id, {**profile, "transactionId": ""}, station.now, {evse_id: placeholder})
        except ProfileRejectedError as error:
            return _rejected(error.reason_code, str(error))
    start = payload["remoteStartId"], dict(payload["idToken"]), profile
    if evse.car is None:
        timeout = timedelta(seconds=station.device.number("TxCtrlr", "EVConnectionTimeOut"))
        evse.remote_start = (*start, station.now + timeout)
        return dict(ACCEPTED)
    transaction_id = station.start_transaction(evse_id, start[1], "RemoteStart", start[0], profile)
    return {"status": "Accepted", "transactionId": transaction_id}


def _request_stop_transaction(station: StationModel, payload: Payload) -> Answer:
    for evse_id, transaction in station.transactions.items():
        if transaction.transaction_id == payload["transactionId"]:
            station.end_transaction(evse_id, "RemoteStop", "Remote")
            return dict(ACCEPTED)
    return _rejected("TxNotFound")


def _trigger_message(station: StationModel, payload: Payload) -> Answer:
    message, evse_id = payload["requestedMessage"], payload.get("evse", {}).get("id")
    chosen = [one for one in station.evses if evse_id in {None, 0, one}]
    if not chosen:
        return _rejected("UnknownEvse")
    match message:
        case "BootNotification":
            if station.outbox.registration is Registration.ACCEPTED:
                return _rejected("NotEnabled", "F06.FR.17: it is accepted already")
            station.outbox.boot_at, station.outbox.boot_reason = station.now, "Triggered"
        case "Heartbeat":
            station.say("Heartbeat", {}, asked=True)
        case "StatusNotification":
            for one in chosen:
                station.tell_status(one, asked=True)
        case "MeterValues":
            for one in chosen:
                station.tell_meter(one, "Trigger", "SampledDataCtrlr", asked=True)
        case "TransactionEvent":
            for one in chosen:
                station.tell_transaction(one, "Updated", "Trigger", "TxUpdated")
        case "FirmwareStatusNotification":
            station.say("FirmwareStatusNotification", {"status": "Idle"}, asked=True)
        case "LogStatusNotification":
            station.say("LogStatusNotification", {"status": "Idle"}, asked=True)
        case _:
            return {"status": "NotImplemented"}
    station.on_change()
    return dict(ACCEPTED)


def _unlock_connector(station: StationModel, payload: Payload) -> Answer:
    evse = station.evses.get(payload["evseId"])
    if evse is None or payload["connectorId"] != 1:
        return {"status": "UnknownConnector"}
    return {"status": "OngoingAuthorizedTransaction" if evse.transaction else "Unlocked"}


def _change_availability(station: StationModel, payload: Payload) -> Answer:
    evse_id = payload.get("evse", {}).get("id", 0)
    chosen = {one: evse for one, evse in station.evses.items() if evse_id in {0, one}}
    if not chosen:
        return _rejected("UnknownEvse")
    for one, evse in chosen.items():
        evse.operative = payload["operationalStatus"] == "Operative"
        station.tell_status(one, asked=False)
    return {"status": "Scheduled" if any(evse.transaction for evse in chosen.values()) and not evse.operative else "Accepted"}


def _reserve_now(station: StationModel, payload: Payload) -> Answer:
    wanted = payload.get("evseId")
    chosen = {one: evse for one, evse in station.evses.items() if wanted in {None, one}}
    free = [one for one, evse in chosen.items() if evse.status in {"Available", "Reserved"} and not evse.car]
    if not free:
        return {"status": "Occupied" if chosen else "Rejected"}
    station.evses[free[0]].reserved_for = (payload["id"], dict(payload["idToken"]), read(payload["expiryDateTime"]))
    station.tell_status(free[0], asked=False)
    return dict(ACCEPTED)


def _cancel_reservation(station: StationModel, payload: Payload) -> Answer:
    for evse_id, evse in station.evses.items():
        if evse.reserved_for and evse.reserved_for[0] == payload["reservationId"]:
            evse.reserved_for = None
            station.tell_status(evse_id, asked=False)
            return dict(ACCEPTED)
    return dict(REJECTED)


# C, D: tokens


def _clear_cache(station: StationModel, _: Payload) -> Answer:
    station.known_tokens.clear()
    return dict(ACCEPTED)


def _send_local_list(station: StationModel, payload: Payload) -> Answer:
    listed = station.kept["local_list"]
    if payload["updateType"] == "Full":
        listed.clear()
    elif payload["versionNumber"] <= listed["version"]["versionNumber"]:
        return {"status": "VersionMismatch"}
    for entry in payload.get("localAuthorizationList", []):
        listed.pop(entry["idToken"]["idToken"], None)
        if "idTokenInfo" in entry:
            listed[entry["idToken"]["idToken"]] = entry
    listed["version"] = {"versionNumber": payload["versionNumber"]}
    station.device.update(Key("LocalAuthListCtrlr", "Entries"), str(len(listed) - 1))
    return dict(ACCEPTED)


def _get_local_list_version(station: StationModel, _: Payload) -> Answer:
    return {"versionNumber": station.kept["local_list"]["version"]["versionNumber"]}


# L, M, N, O, P: the rest


def _update_firmware(station: StationModel, payload: Payload) -> Answer:
    for status in ("Downloading", "Downloaded", "Installing", "Installed"):
        station.say("FirmwareStatusNotification", {"status": status, "requestId": payload["requestId"]})
    return dict(ACCEPTED)


def _get_log(station: StationModel, payload: Payload) -> Answer:
    for status in ("Uploading", "Uploaded"):
        station.say("LogStatusNotification", {"status": status, "requestId": payload["requestId"]})
    return {"status": "Accepted", "filename": f"{station.spec.identity}.log"}


def _customer_information(station: StationModel, payload: Payload) -> Answer:
    if payload["report"]:
        page = {"data": "", "seqNo": 0, "generatedAt": written(station.now), "requestId": payload["requestId"], "tbc": False}
        station.say("NotifyCustomerInformation", page)
    return dict(ACCEPTED)


def _set_variable_monitoring(station: StationModel, payload: Payload) -> Answer:
    results = []
    monitors = station.kept.setdefault("monitors", {})
    numbers = itertools.count(max((int(number) for number in monitors), default=0) + 1)
    for data in payload["setMonitoringData"]:
        known = Key.of(data) in station.device.variables
        result = {name: data[name] for name in ("type", "severity", "component", "variable")}
        result["status"] = "Accepted" if known else "UnknownVariable"
        if known:
            result["id"] = data.get("id", next(numbers))
            monitors[str(result["id"])] = dict(data)
        results.append(result)
    return {"setMonitoringResult": results}


def _clear_variable_monitoring(station: StationModel, payload: Payload) -> Answer:
    monitors = station.kept.setdefault("monitors", {})
    results = [{"id": number, "status": "Accepted" if monitors.pop(str(number), None) else "NotFound"} for number in payload["id"]]
    return {"clearMonitoringResult": results}


def _set_display_message(station: StationModel, payload: Payload) -> Answer:
    station.kept.setdefault("messages", {})[str(payload["message"]["id"])] = payload["message"]
    return dict(ACCEPTED)


def _get_display_messages(station: StationModel, payload: Payload) -> Answer:
    messages = list(station.kept.get("messages", {}).values())
    if not messages:
        return {"status": "Unknown"}
    station.say("NotifyDisplayMessages", {"requestId": payload["requestId"], "messageInfo": messages, "tbc": False})
    return dict(ACCEPTED)


def _clear_display_message(station: StationModel, payload: Payload) -> Answer:
    gone = station.kept.get("messages", {}).pop(str(payload["id"]), None)
    return {"status": "Accepted" if gone else "Unknown"}


def _always(answer: Answer) -> Handler:
    return lambda _station, _payload: dict(answer)


ANSWERS: Mapping[str, Handler] = {
    "CancelReservation": _cancel_reservation,
    "CertificateSigned": _always(ACCEPTED),
    "ChangeAvailability": _change_availability,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": _clear_charging_profile,
    "ClearDisplayMessage": _clear_display_message,
    "ClearVariableMonitoring": _clear_variable_monitoring,
    "CostUpdated": _always({}),
    "CustomerInformation": _customer_information,
    "DataTransfer": _always({"status": "UnknownVendorId"}),
    "DeleteCertificate": _always({"status": "NotFound"}),
    "GetBaseReport": _get_base_report,
    "GetChargingProfiles": _get_charging_profiles,
    "GetCompositeSchedule": _get_composite_schedule,
    "GetDisplayMessages": _get_display_messages,
    "GetInstalledCertificateIds": _always({"status": "NotFound"}),
    "GetLocalListVersion": _get_local_list_version,
    "GetLog": _get_log,
    "GetMonitoringReport": _always({"status": "EmptyResultSet"}),
    "GetReport": _get_report,
    "GetTransactionStatus": _get_transaction_status,
    "GetVariables": _get_variables,
    "InstallCertificate": _always({"status": "Rejected"}),
    "PublishFirmware": _always(REJECTED),
    "RequestStartTransaction": _request_start_transaction,
    "RequestStopTransaction": _request_stop_transaction,
    "ReserveNow": _reserve_now,
    "Reset": _reset,
    "SendLocalList": _send_local_list,
    "SetChargingProfile": _set_charging_profile,
    "SetDisplayMessage": _set_display_message,
    "SetMonitoringBase": _always(ACCEPTED),
    "SetMonitoringLevel": _always(ACCEPTED),
    "SetNetworkProfile": _always(ACCEPTED),
    "SetVariableMonitoring": _set_variable_monitoring,
    "SetVariables": _set_variables,
    "TriggerMessage": _trigger_message,
    "UnlockConnector": _unlock_connector,
    "UnpublishFirmware": _always({"status": "NoFirmware"}),
    "UpdateFirmware": _update_firmware,
}
