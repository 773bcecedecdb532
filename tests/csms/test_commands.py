"""What the house asks of a ready station."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.headroom.csms.authorization import IdToken
from custom_components.headroom.csms.errors import CallError, CallRejectedError, CallTimeoutError, StationError, StationOfflineError
from custom_components.headroom.csms.events import InventoryRead
from custom_components.headroom.csms.v201.station import V201Station
from custom_components.headroom.csms.validation import PayloadError

from .client import SILENCE, Client, Refusal, set_results, station, variable
from .conftest import House

ACCEPTED = {"status": "Accepted"}
VALID_TO = datetime(2036, 1, 1, tzinfo=UTC)
PROFILE = {
    "id": 50,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [{"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]}],
}

COMMANDS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "reset": ("Reset", lambda s: s.reset(immediate=True, evse_id=1), {"type": "Immediate", "evseId": 1}),
    "reset idle": ("Reset", lambda s: s.reset(immediate=False), {"type": "OnIdle"}),
    "operative": (
        "ChangeAvailability",
        lambda s: s.change_availability(operative=True, evse_id=1),
        {"operationalStatus": "Operative", "evse": {"id": 1}},
    ),
    "inoperative": ("ChangeAvailability", lambda s: s.change_availability(operative=False), {"operationalStatus": "Inoperative"}),
    "trigger": ("TriggerMessage", lambda s: s.trigger("MeterValues", 1), {"requestedMessage": "MeterValues", "evse": {"id": 1}}),
    "trigger status": (
        "TriggerMessage",
        lambda s: s.trigger("StatusNotification", 1),
        {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}},
    ),
    "start": (
        "RequestStartTransaction",
        lambda s: s.start_transaction(1, IdToken(value="A", type="Central"), 7),
        {"evseId": 1, "idToken": {"idToken": "A", "type": "Central"}, "remoteStartId": 7},
    ),
    "stop": ("RequestStopTransaction", lambda s: s.stop_transaction("T"), {"transactionId": "T"}),
    "unlock": ("UnlockConnector", lambda s: s.unlock_connector(1, 1), {"evseId": 1, "connectorId": 1}),
    "clear by id": ("ClearChargingProfile", lambda s: s.clear_charging_profile(profile_id=5), {"chargingProfileId": 5}),
    "clear leases": (
        "ClearChargingProfile",
        lambda s: s.clear_leases(1),
        {"chargingProfileId": 2001},
    ),
    "composite": (
        "GetCompositeSchedule",
        lambda s: s.get_composite_schedule(1, 60, "A"),
        {"evseId": 1, "duration": 60, "chargingRateUnit": "A"},
    ),
}


async def ready(house: House, client: Client) -> V201Station:
    found = await house.boot(client)
    client.heard.clear()
    return found


@pytest.mark.parametrize("name", COMMANDS)
async def test_command_is_sent_and_its_refusal_is_raised(house: House, name: str) -> None:
    action, send, payload = COMMANDS[name]
    async with station(house.port) as client:
        found = await ready(house, client)
        client.answers[action] = {"status": "Unlocked"} if action == "UnlockConnector" else ACCEPTED
        await send(found)
        assert client.heard == [(action, payload)]
        client.answers[action] = {
            "status": "UnlockFailed" if action == "UnlockConnector" else "Rejected",
            "statusInfo": {"reasonCode": "No"},
        }
        with pytest.raises(CallRejectedError) as rejected:
            await send(found)
        assert (rejected.value.action, rejected.value.reason) == (action, "No")
        client.answers[action] = {}
        with pytest.raises(CallError, match="no status"):
            await send(found)
        client.answers[action] = None
        with pytest.raises(CallError, match="NotImplemented"):
            await send(found)


async def test_silence_is_a_timeout_and_the_next_call_goes_out(impatient: House) -> None:
    async with station(impatient.port) as client:
        found = await ready(impatient, client)
        client.answers["Reset"] = SILENCE
        with pytest.raises(CallTimeoutError, match="Reset: no answer within"):
            await found.reset(immediate=True)
        client.answers["Reset"] = ACCEPTED
        await found.reset(immediate=True)


async def test_limits_are_installed(house: House) -> None:
    async with station(house.port) as client:
        found = await ready(house, client)
        await found.install_station_limit(32)
        await found.install_fallback(1, 6)
        await found.install_lease(1, "T", 16, VALID_TO)
        sent = client.requests("SetChargingProfile")
        assert [(item["evseId"], item["chargingProfile"]["chargingProfilePurpose"]) for item in sent] == [
            (0, "ChargingStationMaxProfile"),
            (1, "TxDefaultProfile"),
            (1, "TxProfile"),
        ]
        assert [item["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] for item in sent] == [32, 6, 16]


async def test_a_station_that_takes_only_watts_gets_watts_for_the_phases_its_car_uses(house: House) -> None:
    async with station(house.port) as client:
        client.report = [variable("SmartChargingCtrlr", "RateUnit", "W"), variable("EVSE", "SupplyPhases", "3", evse={"id": 1})]
        found = await ready(house, client)
        await found.install_station_limit(32)
        await found.install_fallback(1, 6)
        await found.install_lease(1, "T", 10, VALID_TO)
        sampled = [{"value": amps, "measurand": "Current.Import", "phase": phase} for amps, phase in ((9, "L1"), (9, "L2"), (0.1, "L3"))]
        sampled += [{"value": 225, "measurand": "Voltage", "phase": phase} for phase in ("L1-N", "L2-N")]
        await client.call("MeterValues", {"evseId": 1, "meterValue": [{"timestamp": "2026-01-01T00:00:00Z", "sampledValue": sampled}]})
        await found.install_lease(1, "T", 10, VALID_TO)
        periods = [
            item["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0] for item in client.requests("SetChargingProfile")
        ]
        assert [(period["limit"], period.get("numberPhases")) for period in periods] == [
            (22080, None),
            (1380, None),
            (2300, None),
            (4500, 2),
        ]


async def test_a_dc_evse_gets_watts_without_phases(house: House) -> None:
    async with station(house.port) as client:
        client.report = [
            variable("SmartChargingCtrlr", "RateUnit", "A,W"),
            variable("Connector", "ConnectorType", "cCCS2", evse={"id": 1, "connectorId": 1}),
        ]
        found = await ready(house, client)
        await found.install_lease(1, "T", 100, VALID_TO)
        schedule = client.requests("SetChargingProfile")[0]["chargingProfile"]["chargingSchedule"][0]
        assert schedule["chargingRateUnit"] == "W"
        assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 69000}]


async def test_a_station_without_smart_charging_is_remembered_as_such(house: House) -> None:
    async with station(house.port) as client:
        found = await ready(house, client)
        client.answers["SetChargingProfile"] = None
        for _ in range(2):
            with pytest.raises(CallError):
                await found.install_fallback(1, 6)
        assert found.inventory.smart_charging.available is False
        assert len(house.of(InventoryRead)) == 1


async def test_wrong_profiles_never_leave_the_house(house: House) -> None:
    async with station(house.port) as client:
        found = await ready(house, client)
        with pytest.raises(ValueError, match="FR.38"):
            await found.set_charging_profile(1, PROFILE | {"chargingProfilePurpose": "ChargingStationMaxProfile"})
        with pytest.raises(PayloadError):
            await found.set_charging_profile(1, PROFILE | {"colour": "blue"})
        with pytest.raises(ValueError, match="no request of a CSMS"):
            await found.call("Nonsense", {})
        with pytest.raises(PayloadError):
            await found.call("Reset", {"type": "Softly"})
        with pytest.raises(ValueError, match="name a profile"):
            await found.clear_charging_profile()
        with pytest.raises(ValueError, match="FR.06"):
            await found.clear_charging_profile(purpose="ChargingStationExternalConstraints")
        assert client.heard == []


async def test_nothing_to_clear_is_no_error(house: House) -> None:
    async with station(house.port) as client:
        found = await ready(house, client)
        client.answers["ClearChargingProfile"] = {"status": "Unknown"}
        assert await found.clear_charging_profile(evse_id=1, stack_level=0) is False
        await found.clear_leases(1)


async def test_start_returns_the_transaction_where_the_station_names_it(house: House) -> None:
    async with station(house.port) as client:
        found = await ready(house, client)
        token = IdToken(value="A", type="Central")
        client.answers["RequestStartTransaction"] = ACCEPTED | {"transactionId": "T9"}
        assert (await found.start_transaction(1, token, 1)).transaction_id == "T9"
        client.answers["RequestStartTransaction"] = ACCEPTED
        assert (await found.start_transaction(1, token, 2)).transaction_id is None


async def test_composite_schedule_is_read_and_may_be_missing(house: House) -> None:
    schedule = {
        "evseId": 1,
        "duration": 60,
        "scheduleStart": "2026-01-01T00:00:00Z",
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 4140.0, "numberPhases": 3}, {"startPeriod": 30.5, "limit": 0}],
    }
    async with station(house.port) as client:
        found = await ready(house, client)
        client.answers["GetCompositeSchedule"] = ACCEPTED | {"schedule": schedule}
        got = await found.get_composite_schedule(1, 60)
        assert (got.unit, got.start, got.duration_s) == ("W", datetime(2026, 1, 1, tzinfo=UTC), 60)
        assert [(period.start_s, period.limit, period.phases) for period in got.periods] == [(0, 4140, 3), (30.5, 0, None)]
        client.answers["GetCompositeSchedule"] = ACCEPTED
        empty = await found.get_composite_schedule(1, 60)
        assert (empty.periods, empty.start, empty.unit) == ((), None, "A")


def reporting(client: Client, pages: list[tuple[int, list[dict[str, Any]], bool]]) -> Any:
    async def report(request_id: int) -> None:
        for evse_id, found, more in pages:
            page = {"requestId": request_id, "chargingLimitSource": "CSO", "evseId": evse_id, "chargingProfile": found}
            await client.call("ReportChargingProfiles", page | ({"tbc": True} if more else {}))

    def answer(payload: dict[str, Any]) -> dict[str, str]:
        client._later(report(payload["requestId"]))
        return ACCEPTED

    return answer


def installed(profile_id: int, purpose: str) -> dict[str, Any]:
    return PROFILE | {"id": profile_id, "chargingProfilePurpose": purpose}


async def test_installed_profiles_are_collected_from_their_pages(impatient: House) -> None:
    async with station(impatient.port) as client:
        found = await ready(impatient, client)
        one, two = installed(1001, "TxDefaultProfile"), installed(2001, "TxProfile")
        for last in (False, True):  # the last page says so, or is missing
            client.answers["GetChargingProfiles"] = reporting(client, [(1, [one], True), (2, [two], last)])
            got = await found.get_charging_profiles()
            assert [(item["id"], item["evseId"], item["chargingLimitSource"]) for item in got] == [(1001, 1, "CSO"), (2001, 2, "CSO")]
        client.answers["GetChargingProfiles"] = {"status": "NoProfiles"}
        assert await found.get_charging_profiles(0) == []
        assert client.requests("GetChargingProfiles")[-1]["evseId"] == 0
        client.answers["GetChargingProfiles"] = ACCEPTED
        with pytest.raises(CallTimeoutError, match="nothing was reported"):
            await found.get_charging_profiles(1)


async def test_variables_are_read_and_set(house: House) -> None:
    def values(payload: dict[str, Any]) -> dict[str, Any]:
        if len(payload["getVariableData"]) > 1:
            raise Refusal("OccurrenceConstraintViolation")
        (item,) = payload["getVariableData"]
        if item["variable"]["name"] == "Broken":
            raise Refusal("InternalError")
        known = item["variable"]["name"] == "Known"
        return {
            "getVariableResult": [
                item | ({"attributeStatus": "Accepted", "attributeValue": "5"} if known else {"attributeStatus": "Rejected"})
            ]
        }

    async with station(house.port) as client:
        found = await ready(house, client)
        client.answers["GetVariables"] = values
        keys = [("EVSE@1", "Known"), ("Ctrlr[a]", "Other"), ("Ctrlr", "Broken")]
        results = await found.get_variables(keys)
        assert [(results[key].status, results[key].value) for key in keys] == [("Accepted", "5"), ("Rejected", None), ("", None)]
        assert client.requests("GetVariables")[1]["getVariableData"][0]["component"] == {"name": "EVSE", "evse": {"id": 1}}
        with pytest.raises(CallError):
            await found.get_variables([("Ctrlr", "Broken")])
        with pytest.raises(ValueError, match="not a component"):
            await found.get_variables([("@1", "Known")])

        def backwards(payload: dict[str, Any]) -> dict[str, Any]:
            return {"setVariableResult": set_results(payload)["setVariableResult"][::-1][:1]}

        client.answers["SetVariables"] = backwards
        results = await found.set_variables({("A", "x"): "1", ("B", "y"): "2"})
        assert [(key, result.status, result.taken) for key, result in results.items()] == [
            (("A", "x"), "", False),
            (("B", "y"), "Accepted", True),
        ]
        client.answers["SetVariables"] = {"setVariableResult": [{"attributeStatus": "RebootRequired"}]}
        assert (await found.set_variables({("A", "x"): "1"}))["A", "x"].status == "RebootRequired"


async def test_any_request_may_be_sent_and_its_response_is_checked(house: House) -> None:
    async with station(house.port) as client:
        found = await ready(house, client)
        client.answers["ClearCache"] = ACCEPTED
        assert await found.call("ClearCache", {}) == ACCEPTED
        client.answers["ClearCache"] = {"status": "Perhaps"}
        with pytest.raises(CallError, match="PropertyConstraintViolation"):
            await found.call("ClearCache", {})


async def test_one_call_is_outstanding_and_the_others_keep_their_order(house: House) -> None:
    gate, outstanding, most = asyncio.Event(), 0, 0

    async def slow(payload: dict[str, Any]) -> dict[str, str]:
        nonlocal outstanding, most
        outstanding += 1
        most = max(most, outstanding)
        await gate.wait()
        outstanding -= 1
        return ACCEPTED

    async with station(house.port) as client:
        found = await ready(house, client)
        client.answers["SetChargingProfile"] = slow
        calls = [asyncio.create_task(found.install_fallback(1, amps)) for amps in (6, 7, 8, 9)]
        await client.until("SetChargingProfile")
        calls[0].cancel()  # its caller gives up: it stays outstanding all the same
        calls[2].cancel()  # not sent yet: never is
        await asyncio.wait((calls[0], calls[2]))
        gate.set()
        await asyncio.gather(calls[1], calls[3])
        sent = [
            item["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"]
            for item in client.requests("SetChargingProfile")
        ]
        assert sent == [6, 7, 9] and most == 1


async def test_a_late_answer_is_not_taken_for_the_next_ones(impatient: House) -> None:
    async with station(impatient.port) as client:
        found = await ready(impatient, client)
        client.answers["Reset"] = SILENCE
        with pytest.raises(CallTimeoutError):
            await found.reset(immediate=True)
        await client.socket.send('[3,"1",{"status":"Rejected"}]')
        client.answers["Reset"] = ACCEPTED
        await found.reset(immediate=True)


async def test_going_offline_ends_every_waiting_call(house: House) -> None:
    async with station(house.port) as client:
        found = await ready(house, client)
        client.answers["SetChargingProfile"] = SILENCE
        calls = [asyncio.create_task(found.install_fallback(1, 6)) for _ in range(3)]
        await client.until("SetChargingProfile")
        await client.socket.close()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [StationOfflineError] * 3
        with pytest.raises(StationOfflineError):
            await found.install_lease(1, "T", 6, datetime.now(UTC) + timedelta(seconds=30))


async def test_nothing_is_sent_before_the_station_is_ready(house: House) -> None:
    async with station(house.port) as client:
        client.answers["GetBaseReport"] = SILENCE
        booting = asyncio.create_task(house.boot(client))
        await client.until("GetBaseReport")
        found = house.station()
        for send in (
            found.install_station_limit(32),
            found.reset(immediate=True),
            found.call("ClearCache", {}),
            found.get_variables([("A", "b")]),
        ):
            with pytest.raises(StationOfflineError, match="not ready"):
                await send
        assert {action for action, _ in client.heard} == {"GetBaseReport"}
        booting.cancel()
        assert issubclass(StationOfflineError, StationError)
