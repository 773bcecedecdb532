"""What drivers meet at a station: who may charge, reservations, messages, costs, and what is remembered of them."""

import asyncio
from datetime import timedelta
from typing import Any

from simulator.evse import token
from simulator.factory import EvseSpec, StationSpec
from simulator.site import Visit
from simulator.timestamps import written
from simulator.virtual import START

from .running import CAR, Run, simulate, site_of

IDLE = site_of(StationSpec(identity="CP1", evses=(EvseSpec(evse_id=1), EvseSpec(evse_id=2))))
"""A station nobody comes to by themselves."""


def come(one: Run, value: str | None, evse_id: int = 1) -> None:
    one.site.plug_in(Visit(comes_s=0.0, station="CP1", evse_id=evse_id, car=CAR, token=None if value is None else token(value)))


def later(seconds: float) -> str:
    return written(START + timedelta(seconds=seconds))


def listed(*values: str, status: str = "Accepted", **more: Any) -> list[dict[str, Any]]:
    return [{"idToken": token(value), "idTokenInfo": {"status": status} | more} for value in values]


async def set_variable(one: Run, component: str, variable: str, value: str) -> str:
    data = {"component": {"name": component}, "variable": {"name": variable}, "attributeValue": value}
    return str((await one.call("SetVariables", setVariableData=[data]))["setVariableResult"][0]["attributeStatus"])


# Tokens


def test_offline_the_local_list_lets_in_and_an_unknown_token_waits() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        full = {"versionNumber": 3, "updateType": "Full", "localAuthorizationList": listed("ANNA", "BO")}
        assert (await one.call("SendLocalList", **full))["status"] == "Accepted"
        assert (await one.call("GetLocalListVersion"))["versionNumber"] == 3
        less = {"versionNumber": 4, "updateType": "Differential", "localAuthorizationList": [{"idToken": token("BO")}]}
        assert (await one.call("SendLocalList", **less))["status"] == "Accepted"
        assert (await one.call("SendLocalList", **less))["status"] == "VersionMismatch"
        assert (await one.call("GetLocalListVersion"))["versionNumber"] == 4
        await one.driver.fault("offline:CP1")
        await asyncio.sleep(1)
        come(one, "ANNA", 1)
        come(one, "BO", 2)
        await asyncio.sleep(10)
        assert list(one.station.transactions) == [1]

    simulate(test, spec=IDLE)


def test_a_driver_whose_question_was_lost_with_the_connection_asks_again() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        one.csms.silent_on.add("Authorize")
        come(one, "ANNA")
        await one.hear("Authorize")
        one.csms.silent_on.clear()
        await one.driver.fault("drop:CP1")
        await one.charging()
        assert len(one.heard("Authorize")) == 2

    simulate(test, spec=IDLE)


def test_the_cache_remembers_a_token_until_it_is_cleared_or_its_time_is_over() -> None:
    async def test(one: Run) -> None:
        one.csms.replies["Authorize"] = {"idTokenInfo": {"status": "Accepted", "cacheExpiryDateTime": later(600)}}
        await one.hear("StatusNotification")
        come(one, "ANNA")
        await one.charging()
        one.site.unplug("CP1", 1)
        await one.driver.fault("offline:CP1")
        await asyncio.sleep(1)
        come(one, "ANNA")
        await asyncio.sleep(5)
        assert list(one.station.transactions) == [1]
        one.site.unplug("CP1", 1)
        await asyncio.sleep(600)
        come(one, "ANNA")
        await asyncio.sleep(30)
        assert not one.station.transactions  # it has expired
        await one.driver.fault("offline:CP1", on=False)
        await one.csms.until(lambda: one.station.transactions)
        assert (await one.call("ClearCache"))["status"] == "Accepted"
        assert one.station.tokens.known(token("ANNA")) is None

    simulate(test, spec=IDLE)


def test_a_token_of_the_group_and_a_master_pass_end_a_transaction_and_a_stranger_does_not() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        assert await set_variable(one, "AuthCtrlr", "MasterPassGroupId", "MASTERS") == "Accepted"
        family, masters = ({"groupIdToken": {"idToken": name, "type": "Central"}} for name in ("FAMILY", "MASTERS"))
        entries = [*listed("ANNA", "BO", **family), *listed("GUARD", **masters), *listed("CY")]
        await one.call("SendLocalList", versionNumber=1, updateType="Full", localAuthorizationList=entries)
        for ends, by in enumerate(("BO", "GUARD")):
            come(one, "ANNA")
            await one.csms.until(lambda: one.station.transactions)
            one.station.present(1, token("CY"))
            assert one.station.transactions
            one.station.present(1, token(by))
            await one.csms.until(lambda ends=ends: len(one.csms.events("Ended")) == ends + 1)
            assert one.csms.events("Ended")[-1]["idToken"] == token(by)
            one.site.unplug("CP1", 1)
        come(one, "GUARD")
        one.csms.replies["Authorize"] = {"idTokenInfo": {"status": "Accepted"} | masters}
        await asyncio.sleep(30)
        assert not one.station.transactions  # C16.FR.01

    simulate(test, spec=IDLE)


# Reservations


def test_a_reserved_evse_is_for_its_token_only_and_its_transaction_names_the_reservation() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        reserve = {"id": 9, "expiryDateTime": later(600), "idToken": token("ANNA"), "evseId": 1}
        assert (await one.call("ReserveNow", **reserve))["status"] == "Accepted"
        await one.csms.until(lambda: one.heard("StatusNotification")[-1]["connectorStatus"] == "Reserved")
        come(one, "BO")
        await asyncio.sleep(30)
        assert not one.station.transactions
        one.site.unplug("CP1", 1)
        come(one, "ANNA")
        await one.csms.until(lambda: one.csms.events("Started"))
        assert one.csms.events("Started")[0]["reservationId"] == 9
        assert (await one.call("CancelReservation", reservationId=9))["status"] == "Rejected"

    simulate(test, spec=IDLE)


def test_a_reservation_ends_by_time_by_the_evse_or_by_the_csms() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        any_evse = {"expiryDateTime": later(60), "idToken": token("ANNA")}
        assert (await one.call("ReserveNow", id=1, **any_evse))["status"] == "Accepted"
        assert [evse.status for evse in one.station.evses.values()] == ["Available", "Available"]  # H03: one of them stays free
        assert (await one.call("ReserveNow", id=2, evseId=2, **any_evse))["status"] == "Accepted"
        assert [evse.status for evse in one.station.evses.values()] == ["Reserved", "Reserved"]
        assert (await one.call("ReserveNow", id=3, **any_evse))["status"] == "Occupied"
        await one.call("ChangeAvailability", operationalStatus="Inoperative", evse={"id": 2})
        assert await one.hear("ReservationStatusUpdate") == {"reservationId": 2, "reservationUpdateStatus": "Removed"}
        assert await one.hear("ReservationStatusUpdate", 2) == {"reservationId": 1, "reservationUpdateStatus": "Expired"}
        assert [evse.status for evse in one.station.evses.values()] == ["Available", "Unavailable"]
        await one.call("ReserveNow", id=4, evseId=1, expiryDateTime=later(900), idToken=token("ANNA"))
        assert (await one.call("CancelReservation", reservationId=4))["status"] == "Accepted"
        assert one.station.evses[1].status == "Available"

    simulate(test, spec=IDLE)


def test_a_card_of_the_reserved_group_is_asked_for_and_let_in() -> None:
    async def test(one: Run) -> None:
        family = {"idToken": "FAMILY", "type": "Central"}
        await one.hear("StatusNotification")
        reserve = {"id": 9, "expiryDateTime": later(600), "idToken": token("ANNA"), "groupIdToken": family, "evseId": 1}
        assert (await one.call("ReserveNow", **reserve))["status"] == "Accepted"
        one.csms.replies["Authorize"] = {"idTokenInfo": {"status": "Accepted", "groupIdToken": family}}
        come(one, "BO")
        await one.csms.until(lambda: one.csms.events("Started"))
        assert one.csms.events("Started")[0]["reservationId"] == 9

    simulate(test, spec=IDLE)


# Messages and costs


def message(number: int, content: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "priority": "NormalCycle", "message": {"format": "UTF8", "content": content}} | more


def test_messages_are_shown_by_their_priority_and_time_and_told_in_pages() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        for number in range(1, 8):
            assert (await one.call("SetDisplayMessage", message=message(number, f"text {number}")))["status"] == "Accepted"
        assert one.station.display.shown == [f"text {number}" for number in range(1, 8)]
        await one.call("SetDisplayMessage", message=message(8, "look", priority="InFront", endDateTime=later(30)))
        assert one.station.display.shown == ["look"]
        assert (await one.call("GetDisplayMessages", requestId=1))["status"] == "Accepted"
        await one.hear("NotifyDisplayMessages", 2)
        pages = one.heard("NotifyDisplayMessages")
        assert [page["tbc"] for page in pages] == [True, False]
        assert [told["id"] for page in pages for told in page["messageInfo"]] == list(range(1, 9))
        await asyncio.sleep(31)
        assert (await one.call("GetDisplayMessages", requestId=2, priority="InFront"))["status"] == "Unknown"
        assert (await one.call("ClearDisplayMessage", id=1))["status"] == "Accepted"
        assert (await one.call("ClearDisplayMessage", id=1))["status"] == "Unknown"
        page = message(9, "<b>", message={"format": "HTML", "content": "<b>"})
        assert (await one.call("SetDisplayMessage", message=page))["status"] == "NotSupportedMessageFormat"

    simulate(test, spec=IDLE)


def test_a_message_of_a_transaction_goes_with_it_and_its_cost_is_kept() -> None:
    async def test(one: Run) -> None:
        assert (await one.call("SetDisplayMessage", message=message(1, "hi", transactionId="none")))["status"] == "UnknownTransaction"
        come(one, "ANNA")
        transaction_id = await one.charging()
        await one.call("SetDisplayMessage", message=message(1, "hi", transactionId=transaction_id))
        await one.call("CostUpdated", totalCost=1.25, transactionId=transaction_id)
        assert one.station.display.costs == {transaction_id: 1.25}
        one.csms.replies["TransactionEvent"] = {"totalCost": 2.5}
        one.site.unplug("CP1", 1)
        await one.csms.until(lambda: one.csms.events("Ended"))
        await asyncio.sleep(1)
        assert one.station.display.costs == {transaction_id: 2.5} and one.station.display.messages == {}

    async def booted(one: Run) -> None:
        await one.hear("StatusNotification")
        await test(one)

    simulate(booted, spec=IDLE)


def test_what_is_kept_of_a_customer_is_told_and_forgotten() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        come(one, "ANNA")
        transaction_id = await one.charging()
        asked = {"report": True, "clear": True, "idToken": token("ANNA")}
        assert (await one.call("CustomerInformation", requestId=1, **asked))["status"] == "Accepted"
        told = await one.hear("NotifyCustomerInformation")
        assert transaction_id in told["data"] and "cache Accepted" in told["data"]
        await one.call("CustomerInformation", requestId=2, report=True, clear=False, idToken=token("ANNA"))
        assert (await one.hear("NotifyCustomerInformation", 2))["data"] == ""
        assert (await one.call("CustomerInformation", requestId=3, report=False, clear=False))["status"] == "Invalid"

    simulate(test, spec=IDLE)
