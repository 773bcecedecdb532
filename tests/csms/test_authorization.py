"""Tokens and reservations over real sockets (blocks C, D and H)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.headroom.csms.authorization import AuthorizationStatus, IdToken, IdTokenInfo, OfflineAuthorization, ReservationEnded
from custom_components.headroom.csms.errors import CallRejectedError
from custom_components.headroom.csms.v201.station import V201Station

from .client import REPORT, Client, Refusal, set_results, station, variable
from .conftest import House

CARD = IdToken(value="04A2B3C4", type="ISO14443")
OTHER = IdToken(value="04FFFFFF", type="ISO14443")
ACCEPTED = IdTokenInfo(status=AuthorizationStatus.ACCEPTED)
UNTIL = datetime(2030, 1, 1, tzinfo=UTC)
KEEPS_TOKENS = [
    variable("AuthCtrlr", "Enabled", "true"),
    variable("AuthCtrlr", "LocalPreAuthorize", "true"),
    variable("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "true"),
    variable("LocalAuthListCtrlr", "Enabled", "true"),
    variable("LocalAuthListCtrlr", "ItemsPerMessage", "1"),
    variable("AuthCacheCtrlr", "Enabled", "true"),
    variable("TxCtrlr", "StopTxOnInvalidId", "false"),
]


def keeps_list(client: Client) -> dict[str, Any]:
    """Have a station hold a list; returns it, with its version under "version"."""
    held: dict[str, Any] = {"version": 0}

    def take(payload: Any) -> dict[str, Any]:
        if payload["updateType"] == "Full":
            held.clear()
        for entry in payload.get("localAuthorizationList", []):
            held[entry["idToken"]["idToken"]] = entry.get("idTokenInfo")
        held["version"] = payload["versionNumber"]
        return {"status": "Accepted"}

    client.answers |= {"SendLocalList": take, "ClearCache": {"status": "Accepted"}}
    client.answers["GetLocalListVersion"] = lambda _: {"versionNumber": held["version"]}
    return held


async def ready(house: House, client: Client) -> V201Station:
    client.report = [*REPORT, *KEEPS_TOKENS]
    return await house.boot(client)


def wanted(*tokens: IdToken, **more: Any) -> OfflineAuthorization:
    return OfflineAuthorization(tokens=dict.fromkeys(tokens, ACCEPTED), **more)


def told(client: Client, since: int) -> dict[str, str]:
    """Which variables were set."""
    payloads = [payload for action, payload in client.heard[since:] if action == "SetVariables"]
    return {
        f"{item['component']['name']}.{item['variable']['name']}": item["attributeValue"]
        for payload in payloads
        for item in payload["setVariableData"]
    }


async def test_settings_list_and_cache_are_brought_in_step(house: House) -> None:
    """Each once: what holds already is not sent again; what is withdrawn leaves the list, and the cache too."""
    async with station(house.port) as client:
        held = keeps_list(client)
        found = await ready(house, client)
        since = len(client.heard)
        await found.authorization.keep(wanted(CARD, OTHER))
        assert told(client, since) == {
            "AuthCtrlr.LocalPreAuthorize": "false",
            "AuthCtrlr.OfflineTxForUnknownIdEnabled": "false",
            "AuthCacheCtrlr.Enabled": "false",
            "TxCtrlr.StopTxOnInvalidId": "true",
        }
        assert [payload["updateType"] for payload in client.requests("SendLocalList")] == ["Full", "Differential"]
        assert {CARD.value, OTHER.value} <= held.keys() and not client.requests("ClearCache")
        since = len(client.heard)
        await found.authorization.keep(wanted(CARD, OTHER))
        assert {action for action, _ in client.heard[since:]} == {"GetLocalListVersion"}
        await found.authorization.keep(wanted(CARD))
        assert held[OTHER.value] is None and len(client.requests("SendLocalList")) == 3
        assert len(client.requests("ClearCache")) == 1


@pytest.mark.parametrize("status", ["VersionMismatch", "Failed"])
async def test_a_station_that_does_not_take_a_difference_gets_the_whole_list(house: House, status: str) -> None:
    async with station(house.port) as client:
        keeps_list(client)
        found = await ready(house, client)
        await found.authorization.keep(wanted(CARD))
        take: Any = client.answers["SendLocalList"]
        client.answers["SendLocalList"] = lambda asked: {"status": status} if asked["updateType"] == "Differential" else take(asked)
        await found.authorization.keep(wanted(OTHER))
        kinds = [payload["updateType"] for payload in client.requests("SendLocalList")]
        assert kinds == ["Full", "Differential", "Full"]


async def test_a_list_that_failed_half_way_is_made_whole(house: House) -> None:
    async with station(house.port) as client:
        held = keeps_list(client)
        found = await ready(house, client)
        take: Any = client.answers["SendLocalList"]
        client.answers["SendLocalList"] = lambda asked: {"status": "Failed"} if asked["updateType"] == "Differential" else take(asked)
        with pytest.raises(CallRejectedError):
            await found.authorization.keep(wanted(CARD, OTHER))
        client.answers["SendLocalList"] = take
        await found.authorization.keep(wanted(CARD, OTHER))
        assert held[CARD.value] and held[OTHER.value]


async def test_what_a_station_does_not_let_be_set_is_asked_once(house: House) -> None:
    async with station(house.port) as client:
        keeps_list(client)
        found = await ready(house, client)
        client.answers["SetVariables"] = lambda payload: set_results(payload, "Rejected")
        await found.authorization.keep(wanted(CARD))
        since = len(client.heard)
        await found.authorization.keep(wanted(CARD))
        assert told(client, since) == {}


async def test_what_takes_a_reboot_is_not_asked_again_before(house: House) -> None:
    async with station(house.port) as client:
        keeps_list(client)
        found = await ready(house, client)
        client.answers["SetVariables"] = lambda payload: set_results(payload, "RebootRequired")
        await found.authorization.keep(wanted(CARD))
        assert "AuthCtrlr.LocalPreAuthorize" in found.inventory.awaiting_reboot
        since = len(client.heard)
        await found.authorization.keep(wanted(CARD))
        assert told(client, since) == {}


async def test_nothing_is_sent_to_a_station_that_keeps_nothing(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        since = len(client.heard)
        await found.authorization.keep(wanted(CARD))
        assert client.heard[since:] == []


async def test_a_station_without_a_list_after_all(house: House) -> None:
    async with station(house.port) as client:
        keeps_list(client)

        def none(_: Any) -> Any:
            raise Refusal("NotImplemented")

        client.answers["GetLocalListVersion"] = none
        found = await ready(house, client)
        await found.authorization.keep(wanted(CARD))
        assert not client.requests("SendLocalList")


async def test_reservations(house: House) -> None:
    """Made, taken back, refused in the station's own word; and ended by the station."""
    async with station(house.port) as client:
        client.answers |= {"ReserveNow": {"status": "Accepted"}, "CancelReservation": {"status": "Accepted"}}
        found = await house.boot(client)
        await found.authorization.reserve_now(7, CARD, UNTIL, evse_id=1, group="family")
        asked = await client.until("ReserveNow")
        assert abs(datetime.fromisoformat(asked.pop("expiryDateTime")) - UNTIL) < timedelta(seconds=1)
        assert asked == {
            "id": 7,
            "idToken": {"idToken": CARD.value, "type": "ISO14443"},
            "evseId": 1,
            "groupIdToken": {"idToken": "family", "type": "Central"},
        }
        await found.authorization.cancel_reservation(7)
        assert await client.until("CancelReservation") == {"reservationId": 7}
        client.answers["ReserveNow"] = {"status": "Occupied"}
        with pytest.raises(CallRejectedError) as refused:
            await found.authorization.reserve_now(8, CARD, UNTIL)
        assert refused.value.status == "Occupied"
        await client.call("ReservationStatusUpdate", {"reservationId": 7, "reservationUpdateStatus": "Expired"})
        assert (await house.until(ReservationEnded)) == ReservationEnded(reservation_id=7, removed=False)


async def test_a_start_from_afar_names_the_group(house: House) -> None:
    async with station(house.port) as client:
        client.answers["RequestStartTransaction"] = {"status": "Accepted"}
        found = await house.boot(client)
        await found.start_transaction(1, CARD, 5, group="family")
        asked = await client.until("RequestStartTransaction")
        assert (asked["idToken"]["type"], asked["groupIdToken"]["idToken"]) == ("ISO14443", "family")


async def test_a_list_of_anothers_is_replaced_though_it_has_the_version_of_one_that_was_lost(house: House) -> None:
    async with station(house.port) as client:
        held = keeps_list(client)
        found = await ready(house, client)
        await found.authorization.keep(wanted(CARD))
        await found.authorization.keep(wanted())
        version = held["version"]
        held |= {"version": 0}  # it was reset
        await found.authorization.keep(wanted())
        held |= {"version": version, "FOREIGN": {"status": "Accepted"}}
        await found.authorization.keep(wanted())
        assert "FOREIGN" not in held
