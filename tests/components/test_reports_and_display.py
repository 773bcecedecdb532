"""What a station reports in several parts, and what it shows its driver, by actions and a real station."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .raw_station import Payload, RawStation, now, raw_station, until
from .test_device_actions import ask, tell
from .test_services import device

EVSE = {"name": "EVSE", "evse": {"id": 1}}


@pytest.fixture
async def left(hass: HomeAssistant, init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, ready for commands."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.hears("SetChargingProfile")
        yield station


@pytest.fixture
def cp1(hass: HomeAssistant, init_integration: MockConfigEntry) -> str:
    """The left station's device."""
    return device(hass, init_integration, "CP1")


def reports(station: RawStation, request: str, notify: str, *parts: Payload, tells_more: bool = True) -> None:
    """Have the station answer a request with a report in parts; `tells_more`: it says with each whether another comes."""
    station.answers[request] = {"status": "Accepted"}

    async def report(asked: Payload) -> None:
        for seq_no, part in enumerate(parts):
            more = {"tbc": seq_no < len(parts) - 1} if tells_more else {}
            page = {"requestId": asked["requestId"], "seqNo": seq_no, "generatedAt": now(), **more, **part}
            if notify == "NotifyDisplayMessages":
                del page["seqNo"], page["generatedAt"]
            await station.call(notify, page)

    station.after(request, report)


def watched(number: int) -> Payload:
    monitor = {"id": number, "transaction": False, "value": 10.0 * number, "type": "UpperThreshold", "severity": number}
    return {"monitor": [{"component": EVSE, "variable": {"name": "Power"}, "variableMonitoring": [monitor]}]}


@pytest.mark.parametrize("tells_more", [True, False])
async def test_monitors_in_parts(hass: HomeAssistant, cp1: str, left: RawStation, tells_more: bool) -> None:
    """All parts are one answer, also of a station that does not say with a part whether another comes."""
    reports(left, "GetMonitoringReport", "NotifyMonitoringReport", *map(watched, (1, 2, 3)), tells_more=tells_more)
    response = await ask(hass, "get_monitors", cp1, variables=["EVSE@1.Power"], kinds=["ThresholdMonitoring"])
    assert [(one["id"], one["value"], one["severity"]) for one in response["monitors"]] == [(1, 10.0, 1), (2, 20.0, 2), (3, 30.0, 3)]
    asked = await left.hears("GetMonitoringReport")
    assert asked["monitoringCriteria"] == ["ThresholdMonitoring"]
    assert asked["componentVariable"] == [{"component": EVSE, "variable": {"name": "Power"}}]


def shown(number: int) -> Payload:
    return {"messageInfo": [{"id": number, "priority": "InFront", "message": {"format": "UTF8", "content": f"Text {number}"}}]}


async def test_messages_in_parts(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """All parts are one answer."""
    reports(left, "GetDisplayMessages", "NotifyDisplayMessages", *map(shown, (1, 2, 3)))
    response = await ask(hass, "get_messages", cp1, priority="InFront")
    assert [message["message"]["content"] for message in response["messages"]] == ["Text 1", "Text 2", "Text 3"]
    assert (await left.hears("GetDisplayMessages"))["priority"] == "InFront"


async def test_what_is_kept_of_a_customer_in_parts(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """One text, as it was before it was cut into parts."""
    reports(left, "CustomerInformation", "NotifyCustomerInformation", *({"data": part} for part in ("Ann, ", "12 sess", "ions")))
    assert await ask(hass, "customer_information", cp1, identifier="ann@example.org") == {"data": "Ann, 12 sessions"}
    assert (await left.hears("CustomerInformation"))["customerIdentifier"] == "ann@example.org"


@pytest.mark.parametrize(("value", "kind"), [("04A2B3C4D5E680", "ISO14443"), ("5f2b7c1e-driver", "Central")])
async def test_a_customer_is_asked_for_by_the_kind_of_token(hass: HomeAssistant, cp1: str, left: RawStation, value: str, kind: str) -> None:
    """A token of another kind is another token."""
    reports(left, "CustomerInformation", "NotifyCustomerInformation", {"data": "nothing"})
    await ask(hass, "customer_information", cp1, id_token=value)
    assert (await left.hears("CustomerInformation"))["idToken"] == {"idToken": value, "type": kind}


async def test_an_interleaved_report_is_told_apart(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """A late part of another request's report is not taken for this one's."""
    left.answers["GetDisplayMessages"] = {"status": "Accepted"}

    async def report(asked: Payload) -> None:
        await left.call("NotifyDisplayMessages", {"requestId": asked["requestId"], "tbc": True, **shown(1)})
        await left.call("NotifyDisplayMessages", {"requestId": asked["requestId"] + 1000, "tbc": False, **shown(7)})
        await left.call("NotifyDisplayMessages", {"requestId": asked["requestId"], "tbc": False, **shown(2)})

    left.after("GetDisplayMessages", report)
    assert [message["id"] for message in (await ask(hass, "get_messages", cp1))["messages"]] == [1, 2]


async def test_a_message_for_a_while(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """Its times are a person's; the station is told them in UTC."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    left.answers["SetDisplayMessage"] = {"status": "Accepted"}
    fields: dict[str, Any] = {"text": "Closed tonight", "state": "Idle", "language": "en", "priority": "AlwaysFront"}
    response = await ask(hass, "show_message", cp1, **fields, starts_at="2026-12-01 20:00:00", ends_at="2026-12-02T06:30:00+01:00")
    message = (await left.hears("SetDisplayMessage"))["message"]
    starts, ends = (dt_util.parse_datetime(message[name], raise_on_error=True) for name in ("startDateTime", "endDateTime"))
    # By the station's clock, which is as good as ours.
    assert abs(starts - datetime(2026, 12, 1, 19, tzinfo=UTC)) < timedelta(seconds=5)
    assert abs(ends - datetime(2026, 12, 2, 5, 30, tzinfo=UTC)) < timedelta(seconds=5)
    assert (message["id"], message["state"], message["priority"]) == (response["id"], "Idle", "AlwaysFront")
    assert message["message"] == {"format": "UTF8", "language": "en", "content": "Closed tonight"}


async def test_a_message_at_one_evse_is_shown_there(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """Not at its neighbour."""
    left.answers["SetDisplayMessage"] = {"status": "Accepted"}
    await tell(hass, "show_message", device(hass, init_integration, "CP1_1"), text="Reserved")
    assert (await left.hears("SetDisplayMessage"))["message"]["display"]["evse"] == {"id": 1}


@pytest.mark.parametrize(
    "times",
    [
        {"starts_at": "2030-12-01 20:00:00", "ends_at": "2030-12-01 20:00:00"},
        {"starts_at": "2030-12-02 20:00:00", "ends_at": "2030-12-01 20:00:00"},
        {"ends_at": "2020-01-01 00:00:00"},
    ],
)
async def test_a_message_that_is_never_shown(hass: HomeAssistant, cp1: str, left: RawStation, times: dict[str, str]) -> None:
    """It ends before it begins: that is a mistake, and the station hears nothing of it."""
    with pytest.raises(ServiceValidationError) as refused:
        await tell(hass, "show_message", cp1, text="Never", **times)
    assert refused.value.translation_key == "message_never_shown"
    assert "SetDisplayMessage" not in [action for action, _ in left.heard]


async def test_what_a_session_costs(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """It is told with the transaction that runs; without one there is nothing to tell it of."""
    evse = device(hass, init_integration, "CP1_1")
    with pytest.raises(ServiceValidationError) as refused:
        await tell(hass, "set_cost", evse, cost=1)
    assert refused.value.translation_key == "not_charging"
    await left.status("Occupied")
    await left.transaction("Started", 0, "Charging", trigger="Authorized", energy_wh=0)
    await until(hass, "sensor.left_evse_1_status", "charging")
    left.answers["CostUpdated"] = {}
    await tell(hass, "set_cost", evse, cost="4.25")
    assert await left.hears("CostUpdated") == {"totalCost": 4.25, "transactionId": "tx-1"}
    left.errors["CostUpdated"] = "NotImplemented"
    with pytest.raises(HomeAssistantError) as failed:
        await tell(hass, "set_cost", evse, cost=5)
    assert failed.value.translation_key == "station_not_implemented"
