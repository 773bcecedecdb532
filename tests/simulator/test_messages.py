"""All 64 messages of OCPP 2.0.1: each that a central system may send is answered, each that a station may send is sent, by the schemas.

The client checks every frame of the station, and every one it is sent, against the schemas that the `ocpp` package ships.
"""

import asyncio
from importlib import resources
from typing import Any

from simulator.blocks.data_transfer import VENDOR
from simulator.car import CarSpec, HighLevel
from simulator.client import WHILE_PENDING
from simulator.evse import token
from simulator.factory import StationSpec
from simulator.files import MemoryFiles
from simulator.frames import check
from simulator.outbox import Registration
from simulator.site import Visit
from simulator.station import StationModel
from simulator.timestamps import written
from simulator.virtual import START

from .authority import Authority
from .running import SPEC, Run, simulate, site_of

SENT = frozenset(
    {
        "Authorize",
        "BootNotification",
        "ClearedChargingLimit",
        "DataTransfer",
        "FirmwareStatusNotification",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "NotifyReport",
        "PublishFirmwareStatusNotification",
        "ReportChargingProfiles",
        "ReservationStatusUpdate",
        "SecurityEventNotification",
        "SignCertificate",
        "StatusNotification",
        "TransactionEvent",
    }
)
REQUESTS: dict[str, dict[str, Any]] = {
    "CancelReservation": {"reservationId": 1},
    "CertificateSigned": {"certificateChain": "x"},
    "ChangeAvailability": {"operationalStatus": "Operative"},
    "ClearCache": {},
    "ClearChargingProfile": {"chargingProfileId": 5},
    "ClearDisplayMessage": {"id": 1},
    "ClearVariableMonitoring": {"id": [1]},
    "CostUpdated": {"totalCost": 1.5, "transactionId": "x"},
    "CustomerInformation": {"requestId": 1, "report": True, "clear": False},
    "DataTransfer": {"vendorId": "x"},
    "DeleteCertificate": {
        "certificateHashData": {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}
    },
    "GetBaseReport": {"requestId": 1, "reportBase": "SummaryInventory"},
    "GetChargingProfiles": {"requestId": 1, "chargingProfile": {}},
    "GetCompositeSchedule": {"evseId": 0, "duration": 60, "chargingRateUnit": "W"},
    "GetDisplayMessages": {"requestId": 1},
    "GetInstalledCertificateIds": {},
    "GetLocalListVersion": {},
    "GetLog": {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "ftp://x"}},
    "GetMonitoringReport": {"requestId": 1},
    "GetReport": {"requestId": 2, "componentVariable": [{"component": {"name": "SmartChargingCtrlr"}}]},
    "GetTransactionStatus": {"transactionId": "x"},
    "GetVariables": {"getVariableData": [{"component": {"name": "Nothing"}, "variable": {"name": "Like"}}]},
    "InstallCertificate": {"certificateType": "CSMSRootCertificate", "certificate": "x"},
    "PublishFirmware": {"location": "ftp://x", "checksum": "0" * 32, "requestId": 1},
    "RequestStartTransaction": {"idToken": token("X"), "remoteStartId": 1, "evseId": 9},
    "RequestStopTransaction": {"transactionId": "x"},
    "ReserveNow": {"id": 1, "expiryDateTime": "2027-01-01T00:00:00Z", "idToken": token("X"), "evseId": 2},
    "Reset": {"type": "OnIdle", "evseId": 1},
    "SendLocalList": {"versionNumber": 2, "updateType": "Full"},
    "SetChargingProfile": {"evseId": 0, "chargingProfile": {}},
    "SetDisplayMessage": {"message": {"id": 1, "priority": "InFront", "message": {"format": "UTF8", "content": "x"}}},
    "SetMonitoringBase": {"monitoringBase": "All"},
    "SetMonitoringLevel": {"severity": 5},
    "SetNetworkProfile": {
        "configurationSlot": 1,
        "connectionData": {
            "ocppVersion": "OCPP20",
            "ocppTransport": "JSON",
            "ocppCsmsUrl": "wss://x",
            "messageTimeout": 30,
            "securityProfile": 2,
            "ocppInterface": "Wired0",
        },
    },
    "SetVariableMonitoring": {
        "setMonitoringData": [
            {"value": 1, "type": "Delta", "severity": 5, "component": {"name": "AuthCtrlr"}, "variable": {"name": "Enabled"}}
        ]
    },
    "SetVariables": {"setVariableData": [{"component": {"name": "AuthCtrlr"}, "variable": {"name": "Enabled"}, "attributeValue": "maybe"}]},
    "TriggerMessage": {"requestedMessage": "MeterValues"},
    "UnlockConnector": {"evseId": 2, "connectorId": 1},
    "UnpublishFirmware": {"checksum": "0" * 32},
    "UpdateFirmware": {"requestId": 1, "firmware": {"location": "ftp://x", "retrieveDateTime": "2026-01-01T00:00:00Z"}},
}

CAR = CarSpec(name="talks", battery_kwh=100.0, max_a=32.0, high_level=HighLevel(wants_contract=True))
IMAGE = "http://files.example/image-2.1.bin"


def test_together_they_are_all_of_the_standards_messages() -> None:
    names = (file.name for file in resources.files("ocpp.v201").joinpath("schemas").iterdir())
    standard = {name.removesuffix("Request.json") for name in names if name.endswith("Request.json")}
    assert SENT | set(REQUESTS) == standard
    assert len(standard) == 64
    assert set(StationModel(SPEC.stations[0], START).answers) == set(REQUESTS)


def test_the_requests_of_the_table_are_what_their_schemas_say() -> None:
    for action, payload in REQUESTS.items():
        if action != "SetChargingProfile":  # its profile is put in by the test that sends it
            check(f"{action}Request", payload)
    assert set(REQUESTS) >= WHILE_PENDING


def test_every_request_of_the_standard_is_answered_by_its_schema() -> None:
    """The client checks each answer, and what follows it, against the schemas; a wrong one would end the run."""

    async def test(one: Run) -> None:
        await one.charging()
        profile = one.limit(1, "TxDefaultProfile", 10.0)
        for action, payload in REQUESTS.items():
            answer = await one.call(action, **(payload | ({"chargingProfile": profile} if action == "SetChargingProfile" else {})))
            assert isinstance(answer, dict), answer
            await asyncio.sleep(5)
        heard = {action for action, _ in one.csms.heard}
        assert heard >= {"NotifyReport", "FirmwareStatusNotification", "LogStatusNotification", "MeterValues", "NotifyCustomerInformation"}
        answer = await one.call("GetVariables", **REQUESTS["GetVariables"])
        assert answer["getVariableResult"][0]["attributeStatus"] == "UnknownComponent"
        report = [
            data for action, page in one.csms.heard if action == "NotifyReport" for data in page["reportData"] if page["requestId"] == 2
        ]
        assert {data["component"]["name"] for data in report} == {"SmartChargingCtrlr"}
        entries = next(data for data in report if data["variable"] == {"name": "Entries", "instance": "ChargingProfiles"})
        assert entries["variableCharacteristics"]["maxLimit"] > 0
        (await one.call("GetChargingProfiles", requestId=3, chargingProfile={"chargingProfilePurpose": "TxDefaultProfile"}))
        await one.csms.until(lambda: one.csms.count("ReportChargingProfiles"))
        assert next(p for a, p in one.csms.heard if a == "ReportChargingProfiles")["chargingProfile"] == [profile]

    simulate(test)


def test_a_station_sends_every_message_it_may() -> None:
    visit = Visit(comes_s=5.0, station="CP1", evse_id=1, car=CAR, token=token("DEMO"))

    async def test(one: Run) -> None:
        one.station.files = MemoryFiles({IMAGE: b"image"})
        await one.charging()
        now = written(one.site.now)
        await one.install(0, one.limit(1, "TxDefaultProfile", 10.0))
        await one.call("GetChargingProfiles", requestId=1, chargingProfile={})
        await one.driver.fault("external-limit:CP1")
        await one.driver.fault("external-limit:CP1", on=False)
        await one.driver.fault("hot:CP1")
        one.station.data_transfer.send(VENDOR, "Hello", {"any": "thing"})
        await one.call("GetBaseReport", requestId=2, reportBase="FullInventory")
        await one.call("GetMonitoringReport", requestId=3)
        await one.call("CustomerInformation", requestId=4, report=True, clear=False, idToken=token("DEMO"))
        await one.call("SetDisplayMessage", message=REQUESTS["SetDisplayMessage"]["message"])
        await one.call("GetDisplayMessages", requestId=5)
        await one.call("TriggerMessage", requestedMessage="MeterValues")
        await one.call("TriggerMessage", requestedMessage="Heartbeat")
        await one.call("TriggerMessage", requestedMessage="SignV2GCertificate")
        ours = Authority()
        chain = ours.signed((await one.hear("SignCertificate"))["csr"], ocsp=True) + ours.pem
        await one.call("CertificateSigned", certificateChain=chain, certificateType="V2GCertificate")
        await one.call("GetLog", logType="SecurityLog", requestId=6, log={"remoteLocation": "http://files.example/"})
        await one.call("PublishFirmware", location=IMAGE, checksum="0" * 32, requestId=7)
        await one.call("UpdateFirmware", requestId=8, firmware={"location": IMAGE, "retrieveDateTime": now})
        one.site.unplug("CP1", 1)
        await asyncio.sleep(60)  # installed, rebooted
        soon = written(one.site.now.replace(microsecond=0))
        assert (await one.call("ReserveNow", id=1, expiryDateTime=soon, idToken=token("X")))["status"] == "Rejected"
        one.site.plug_in(visit)
        await one.csms.until(lambda: one.csms.count("NotifyEVChargingSchedule"), 120)
        one.site.unplug("CP1", 1)
        reserve = {"id": 1, "expiryDateTime": "2026-01-01T00:10:00Z", "idToken": token("X")}
        assert (await one.call("ReserveNow", **reserve))["status"] == "Accepted"
        await one.csms.until(lambda: one.csms.count("ReservationStatusUpdate"), 900)
        assert {action for action, _ in one.csms.heard} == SENT
        assert one.station.outbox.registration is Registration.ACCEPTED

    simulate(test, spec=site_of(StationSpec(identity="CP1"), visit))
