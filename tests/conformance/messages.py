"""Representative messages of OCPP 2.0.1, as people and stations send them; `payloads.py` adds the corners of each schema."""

from collections.abc import Mapping
from typing import Any

type Payload = Mapping[str, Any]

AT = "2026-01-01T12:00:00.000Z"
TOKEN = {"idToken": "04A1B2C3", "type": "ISO14443"}
EVSE = {"id": 1, "connectorId": 1}
COMPONENT = {"name": "Connector", "evse": EVSE}
VARIABLE = {"component": COMPONENT, "variable": {"name": "AvailabilityState"}}
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "ab" * 32, "issuerKeyHash": "cd" * 32, "serialNumber": "1f"}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
TEXT = {"format": "UTF8", "language": "en", "content": "Charging at 11 kW"}


def profile(purpose: str, kind: str = "Absolute", **more: Any) -> dict[str, Any]:
    """A charging profile of one schedule with two periods."""
    schedule: dict[str, Any] = {
        "id": 1,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0, "numberPhases": 3}, {"startPeriod": 600, "limit": 6.1}],
    }
    if kind != "Relative":
        schedule["startSchedule"] = AT
    return {
        "id": 10,
        "stackLevel": 1,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": [schedule],
    } | more


FROM_CSMS: Mapping[str, tuple[Payload, ...]] = {
    "CancelReservation": ({"reservationId": 4},),
    "CertificateSigned": ({"certificateChain": PEM, "certificateType": "ChargingStationCertificate"},),
    "ChangeAvailability": ({"operationalStatus": "Inoperative"}, {"operationalStatus": "Operative", "evse": EVSE}),
    "ClearCache": ({},),
    "ClearChargingProfile": (
        {"chargingProfileId": 10},
        {"chargingProfileCriteria": {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}},
    ),
    "ClearDisplayMessage": ({"id": 1},),
    "ClearVariableMonitoring": ({"id": [1, 2]},),
    "CostUpdated": ({"totalCost": 3.75, "transactionId": "T1"},),
    "CustomerInformation": (
        {"requestId": 3, "report": True, "clear": False, "idToken": TOKEN},
        {"requestId": 4, "report": True, "clear": True, "customerIdentifier": "C-1"},
        {"requestId": 5, "report": True, "clear": True, "customerCertificate": HASH},
    ),
    "DataTransfer": ({"vendorId": "org.example"}, {"vendorId": "org.example", "messageId": "m", "data": {"any": [1, "x", None]}}),
    "DeleteCertificate": ({"certificateHashData": HASH},),
    "GetBaseReport": tuple({"requestId": 7, "reportBase": base} for base in ("FullInventory", "ConfigurationInventory")),
    "GetChargingProfiles": (
        {"requestId": 8, "chargingProfile": {}},
        {"requestId": 9, "evseId": 0, "chargingProfile": {"chargingProfileId": [1, 2]}},
        {"requestId": 9, "evseId": 1, "chargingProfile": {"chargingProfilePurpose": "TxProfile", "chargingLimitSource": ["CSO", "EMS"]}},
    ),
    "GetCompositeSchedule": ({"evseId": 0, "duration": 3600}, {"evseId": 1, "duration": 60, "chargingRateUnit": "W"}),
    "GetDisplayMessages": ({"requestId": 1}, {"requestId": 2, "id": [1], "priority": "AlwaysFront", "state": "Charging"}),
    "GetInstalledCertificateIds": ({}, {"certificateType": ["CSMSRootCertificate", "ManufacturerRootCertificate"]}),
    "GetLocalListVersion": ({},),
    "GetLog": (
        {"logType": "DiagnosticsLog", "requestId": 1, "retries": 3, "retryInterval": 60, "log": {"remoteLocation": "http://127.0.0.1/l"}},
        {"logType": "SecurityLog", "requestId": 2, "log": {"remoteLocation": "http://127.0.0.1/l", "oldestTimestamp": AT}},
    ),
    "GetMonitoringReport": (
        {"requestId": 1, "monitoringCriteria": ["ThresholdMonitoring"]},
        {"requestId": 2, "componentVariable": [VARIABLE]},
    ),
    "GetReport": (
        {"requestId": 1, "componentCriteria": ["Problem", "Available"]},
        {"requestId": 2, "componentVariable": [{"component": {"name": "SmartChargingCtrlr"}}, VARIABLE]},
    ),
    "GetTransactionStatus": ({}, {"transactionId": "T1"}),
    "GetVariables": ({"getVariableData": [VARIABLE | {"attributeType": "Target"}, VARIABLE]},),
    "InstallCertificate": ({"certificateType": "CSMSRootCertificate", "certificate": PEM},),
    "PublishFirmware": ({"location": "http://127.0.0.1/f", "checksum": "0" * 32, "requestId": 1},),
    "RequestStartTransaction": (
        {"idToken": TOKEN, "remoteStartId": 1},
        {
            "idToken": TOKEN,
            "remoteStartId": 2,
            "evseId": 1,
            "groupIdToken": TOKEN,
            "chargingProfile": profile("TxProfile", "Relative"),
        },
    ),
    "RequestStopTransaction": ({"transactionId": "T1"},),
    "ReserveNow": ({"id": 4, "expiryDateTime": AT, "idToken": TOKEN, "evseId": 1}, {"id": 5, "expiryDateTime": AT, "idToken": TOKEN}),
    "Reset": ({"type": "OnIdle"}, {"type": "Immediate", "evseId": 1}),
    "SendLocalList": (
        {"versionNumber": 4, "updateType": "Full"},
        {
            "versionNumber": 5,
            "updateType": "Differential",
            "localAuthorizationList": [
                {"idToken": TOKEN, "idTokenInfo": {"status": "Accepted", "groupIdToken": TOKEN, "cacheExpiryDateTime": AT}},
                {"idToken": {"idToken": "GONE", "type": "Central"}},
            ],
        },
    ),
    "SetChargingProfile": (
        {"evseId": 0, "chargingProfile": profile("ChargingStationMaxProfile")},
        {"evseId": 1, "chargingProfile": profile("TxDefaultProfile", "Recurring", recurrencyKind="Daily")},
        {"evseId": 1, "chargingProfile": profile("TxDefaultProfile", "Relative")},
        {"evseId": 1, "chargingProfile": profile("TxProfile", transactionId="T1", validFrom=AT, validTo=AT)},
    ),
    "SetDisplayMessage": (
        {"message": {"id": 1, "priority": "NormalCycle", "message": TEXT}},
        {
            "message": {
                "id": 2,
                "priority": "AlwaysFront",
                "state": "Charging",
                "startDateTime": AT,
                "endDateTime": AT,
                "transactionId": "T1",
                "message": TEXT,
                "display": {"name": "Display"},
            }
        },
    ),
    "SetMonitoringBase": tuple({"monitoringBase": base} for base in ("All", "FactoryDefault", "HardWiredOnly")),
    "SetMonitoringLevel": ({"severity": 0}, {"severity": 9}),
    "SetNetworkProfile": (
        {
            "configurationSlot": 2,
            "connectionData": {
                "ocppVersion": "OCPP20",
                "ocppTransport": "JSON",
                "ocppCsmsUrl": "wss://csms.example/ocpp",
                "messageTimeout": 30,
                "securityProfile": 2,
                "ocppInterface": "Wired0",
            },
        },
    ),
    "SetVariableMonitoring": (
        {
            "setMonitoringData": [
                VARIABLE | {"value": 1, "type": "Delta", "severity": 4},
                VARIABLE | {"id": 7, "transaction": True, "value": 3600.0, "type": "PeriodicClockAligned", "severity": 9},
            ]
        },
    ),
    "SetVariables": ({"setVariableData": [VARIABLE | {"attributeValue": "Operative"}]},),
    "TriggerMessage": (
        {"requestedMessage": "StatusNotification", "evse": EVSE},
        {"requestedMessage": "MeterValues", "evse": {"id": 1}},
        {"requestedMessage": "Heartbeat"},
    ),
    "UnlockConnector": ({"evseId": 1, "connectorId": 1},),
    "UnpublishFirmware": ({"checksum": "0" * 32},),
    "UpdateFirmware": (
        {"requestId": 1, "firmware": {"location": "http://127.0.0.1/f", "retrieveDateTime": AT}},
        {
            "requestId": 2,
            "retries": 2,
            "retryInterval": 10,
            "firmware": {
                "location": "http://127.0.0.1/f",
                "retrieveDateTime": AT,
                "installDateTime": AT,
                "signingCertificate": PEM,
                "signature": "c2ln",
            },
        },
    ),
}
"""What a CSMS sends: the ← column of block A to P."""

SAMPLE = {"value": 16.0, "measurand": "Current.Import", "phase": "L1", "context": "Sample.Periodic", "unitOfMeasure": {"unit": "A"}}
METER = [{"timestamp": AT, "sampledValue": [SAMPLE, {"value": 1000, "measurand": "Energy.Active.Import.Register"}]}]
SCHEDULE = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]}
PAGE = {"requestId": 1, "generatedAt": AT, "seqNo": 0, "tbc": False}


def event(kind: str, seq_no: int, trigger: str, **more: Any) -> dict[str, Any]:
    """A TransactionEvent of transaction T1."""
    return {
        "eventType": kind,
        "timestamp": f"2026-01-01T12:00:{seq_no:02}.000Z",
        "triggerReason": trigger,
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": "T1", "chargingState": "Charging"},
        "evse": EVSE,
    } | more


FROM_STATION: Mapping[str, tuple[Payload, ...]] = {
    "Authorize": (
        {"idToken": TOKEN},
        {
            "idToken": {"idToken": "DE-ABC-C12345678-1", "type": "eMAID"},
            "iso15118CertificateHashData": [HASH | {"responderURL": "http://o"}],
        },
    ),
    "BootNotification": ({"reason": "PowerUp", "chargingStation": {"vendorName": "Independent", "model": "Strict"}},),
    "ClearedChargingLimit": ({"chargingLimitSource": "EMS", "evseId": 1},),
    "DataTransfer": ({"vendorId": "org.example", "messageId": "m", "data": "anything"},),
    "FirmwareStatusNotification": ({"status": "Idle"}, {"status": "Downloading", "requestId": 1}),
    "Get15118EVCertificate": ({"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install", "exiRequest": "AA=="},),
    "GetCertificateStatus": ({"ocspRequestData": HASH | {"responderURL": "http://ocsp.example"}},),
    "Heartbeat": ({},),
    "LogStatusNotification": ({"status": "Uploading", "requestId": 1},),
    "MeterValues": ({"evseId": 1, "meterValue": METER}, {"evseId": 0, "meterValue": METER}),
    "NotifyChargingLimit": (
        {"chargingLimit": {"chargingLimitSource": "EMS", "isGridCritical": True}, "evseId": 1, "chargingSchedule": [SCHEDULE]},
        {"chargingLimit": {"chargingLimitSource": "SO"}},
    ),
    "NotifyCustomerInformation": (PAGE | {"data": "nothing"},),
    "NotifyDisplayMessages": ({"requestId": 1, "tbc": True, "messageInfo": [{"id": 1, "priority": "InFront", "message": TEXT}]},),
    "NotifyEVChargingNeeds": (
        {
            "evseId": 1,
            "maxScheduleTuples": 3,
            "chargingNeeds": {
                "requestedEnergyTransfer": "AC_three_phase",
                "departureTime": AT,
                "acChargingParameters": {"energyAmount": 20000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 400},
            },
        },
    ),
    "NotifyEVChargingSchedule": ({"timeBase": AT, "evseId": 1, "chargingSchedule": SCHEDULE},),
    "NotifyEvent": (
        {
            "generatedAt": AT,
            "seqNo": 0,
            "eventData": [
                VARIABLE
                | {
                    "eventId": 1,
                    "timestamp": AT,
                    "trigger": "Alerting",
                    "actualValue": "Faulted",
                    "cleared": False,
                    "eventNotificationType": "HardWiredMonitor",
                    "variableMonitoringId": 2,
                }
            ],
        },
    ),
    "NotifyMonitoringReport": (
        PAGE
        | {
            "monitor": [
                VARIABLE | {"variableMonitoring": [{"id": 1, "transaction": False, "value": 1.5, "type": "UpperThreshold", "severity": 3}]}
            ]
        },
    ),
    "NotifyReport": (PAGE | {"reportData": [VARIABLE | {"variableAttribute": [{"value": "Available"}]}]},),
    "PublishFirmwareStatusNotification": ({"status": "Published", "location": ["http://127.0.0.1/f"], "requestId": 1},),
    "ReportChargingProfiles": (
        {
            "requestId": 1,
            "chargingLimitSource": "CSO",
            "tbc": False,
            "evseId": 1,
            "chargingProfile": [profile("TxDefaultProfile")],
        },
    ),
    "ReservationStatusUpdate": ({"reservationId": 4, "reservationUpdateStatus": "Expired"},),
    "SecurityEventNotification": ({"type": "StartupOfTheDevice", "timestamp": AT}, {"type": "Tampering", "timestamp": AT, "techInfo": "x"}),
    "SignCertificate": ({"csr": "-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n"},),
    "StatusNotification": ({"timestamp": AT, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1},),
    "TransactionEvent": (
        event("Started", 0, "Authorized", idToken=TOKEN, meterValue=METER),
        event("Updated", 1, "MeterValuePeriodic", meterValue=METER, numberOfPhasesUsed=3),
        event("Updated", 2, "ChargingStateChanged", offline=True),
        event(
            "Ended", 3, "EVDeparted", transactionInfo={"transactionId": "T1", "stoppedReason": "EVDisconnected", "timeSpentCharging": 60}
        ),
    ),
}
"""What a station sends: the → column."""
