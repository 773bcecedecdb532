"""Monitors on a station's variables, and what they tell."""

import asyncio
from typing import Any

from .running import Run, simulate

TEMPERATURE = {"component": {"name": "TemperatureSensor"}, "variable": {"name": "Temperature"}}
POWER = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}
STATE = {"component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}}, "variable": {"name": "AvailabilityState"}}


def events(one: Run) -> list[dict[str, Any]]:
    return [event for payload in one.heard("NotifyEvent") for event in payload["eventData"]]


async def monitor(one: Run, kind: str, value: float, what: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await one.call("SetVariableMonitoring", setMonitoringData=[{"type": kind, "value": value, "severity": 5, **what, **more}])
    result: dict[str, Any] = answer["setMonitoringResult"][0]
    return result


async def reported(one: Run, request_id: int, **asked: Any) -> list[dict[str, Any]]:
    answer = await one.call("GetMonitoringReport", requestId=request_id, **asked)
    if answer["status"] != "Accepted":
        return []
    await one.csms.until(lambda: any(page["requestId"] == request_id and not page["tbc"] for page in one.heard("NotifyMonitoringReport")))
    pages = [page for page in one.heard("NotifyMonitoringReport") if page["requestId"] == request_id]
    return [monitor for page in pages for data in page["monitor"] for monitor in data["variableMonitoring"]]


def test_a_station_that_gets_hot_alerts_and_tells_when_it_is_over() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        await one.driver.fault("hot:CP1")
        await one.hear("NotifyEvent")
        await one.driver.fault("hot:CP1", on=False)
        await one.csms.until(lambda: any(event.get("cleared") for event in events(one)))
        alert = next(event for event in events(one) if event["trigger"] == "Alerting")
        over = next(event for event in events(one) if event.get("cleared"))
        assert alert["variable"] == {"name": "Temperature"} and float(alert["actualValue"]) > 70.0
        assert alert["eventNotificationType"] == "PreconfiguredMonitor" and not alert["cleared"]
        assert over["cause"] == alert["eventId"] and float(over["actualValue"]) < 70.0
        problems = [event["actualValue"] for event in events(one) if event["variable"] == {"name": "Problem"}]
        assert problems == ["true", "false"]

    simulate(test)


def test_a_threshold_on_real_power_is_crossed_by_a_charging_car() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        made = await monitor(one, "UpperThreshold", 10_000, POWER, transaction=True)
        assert made["status"] == "Accepted"
        transaction_id = await one.charging()
        await one.hear("NotifyEvent")
        (alert,) = events(one)
        assert alert["variableMonitoringId"] == made["id"] and alert["transactionId"] == transaction_id
        assert alert["eventNotificationType"] == "CustomMonitor" and float(alert["actualValue"]) > 10_000

    simulate(test)


def test_changes_and_regular_values_are_told() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        await monitor(one, "Delta", 1, STATE)
        await one.charging()
        await one.csms.until(lambda: events(one))
        assert events(one)[0]["actualValue"] == "Occupied" and events(one)[0]["trigger"] == "Delta"
        await monitor(one, "Periodic", 10, TEMPERATURE)
        await asyncio.sleep(61)
        regular = [event for event in events(one) if event["trigger"] == "Periodic"]
        assert len(regular) == 6

    simulate(test)


def test_monitors_are_judged_listed_and_cleared() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        nothing = {"component": {"name": "Nothing"}, "variable": {"name": "Like"}}
        plain = {"component": {"name": "AuthCtrlr"}, "variable": {"name": "Enabled"}}
        assert (await monitor(one, "Delta", 1, nothing))["status"] == "UnknownComponent"
        assert (await monitor(one, "Delta", 1, plain))["status"] == "UnsupportedMonitorType"
        assert (await monitor(one, "UpperThreshold", 1, STATE))["status"] == "UnsupportedMonitorType"
        assert (await monitor(one, "Periodic", 0, TEMPERATURE))["status"] == "Rejected"
        assert (await monitor(one, "Periodic", 60, TEMPERATURE, id=77))["status"] == "Rejected"
        made = await monitor(one, "LowerThreshold", 5, TEMPERATURE)
        assert (await monitor(one, "LowerThreshold", 4, TEMPERATURE))["status"] == "Duplicate"
        assert (await monitor(one, "LowerThreshold", 4, TEMPERATURE, id=made["id"]))["id"] == made["id"]
        assert {listed["id"]: listed["value"] for listed in await reported(one, 1)} == {1: 1, 2: 70, made["id"]: 4}
        thresholds = await reported(one, 2, monitoringCriteria=["ThresholdMonitoring"])
        assert {listed["id"] for listed in thresholds} == {2, made["id"]}
        cleared = (await one.call("ClearVariableMonitoring", id=[1, 2, made["id"], 99]))["clearMonitoringResult"]
        assert [result["status"] for result in cleared] == ["Rejected", "Accepted", "Accepted", "NotFound"]
        assert [listed["id"] for listed in await reported(one, 3)] == [1]
        assert await reported(one, 4, componentVariable=[TEMPERATURE]) == []

    simulate(test)


def test_base_and_level_decide_what_is_watched() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        await monitor(one, "Delta", 0.5, TEMPERATURE)
        assert (await one.call("SetMonitoringBase", monitoringBase="All"))["status"] == "Accepted"
        assert len(await reported(one, 1)) == 3
        await one.call("SetMonitoringBase", monitoringBase="FactoryDefault")
        assert {listed["id"] for listed in await reported(one, 2)} == {1, 2}
        await one.call("SetMonitoringBase", monitoringBase="HardWiredOnly")
        assert {listed["id"] for listed in await reported(one, 3)} == {1}
        await one.call("SetMonitoringBase", monitoringBase="All")
        assert (await one.call("SetMonitoringLevel", severity=3))["status"] == "Accepted"
        await one.driver.fault("hot:CP1")
        await one.hear("NotifyEvent")
        await asyncio.sleep(30)
        assert [event["variable"]["name"] for event in events(one)] == ["Problem"]
        assert (await one.call("SetMonitoringLevel", severity=10))["status"] == "Rejected"

    simulate(test)


def test_a_grave_event_outlives_a_lost_connection() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        await one.driver.fault("offline:CP1")
        await one.driver.fault("hot:CP1")
        await asyncio.sleep(30)
        await one.driver.fault("hot:CP1", on=False)
        await asyncio.sleep(30)
        assert not events(one)
        await one.driver.fault("offline:CP1", on=False)
        await one.csms.until(lambda: len(events(one)) == 4)

    simulate(test)
