"""A simulated station at work, in simulated time, before a central system of the test's own."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from simulator.car import CarSpec
from simulator.evse import token
from simulator.outbox import Registration
from simulator.site import SiteSpec, Visit
from simulator.timestamps import read, written

from .csms import TinyCsms
from .running import CAR, SPEC, Run, simulate


def test_it_boots_and_a_car_is_authorized_and_charges() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        actions = [action for action, _ in one.csms.heard]
        assert actions[:3] == ["BootNotification", "StatusNotification", "StatusNotification"]
        assert actions.index("Authorize") < actions.index("TransactionEvent")
        started = one.csms.events("Started")[0]
        assert started["triggerReason"] == "Authorized"
        assert started["idToken"] == {"idToken": "DEMO", "type": "KeyCode"}
        assert [event["seqNo"] for event in one.csms.events()] == list(range(len(one.csms.events())))
        assert one.evse.pilot_a == 32.0  # no profile: all the EVSE can give

    simulate(test)


def test_a_refused_token_starts_nothing_until_it_is_accepted() -> None:
    async def test(one: Run) -> None:
        one.csms.replies["Authorize"] = {"idTokenInfo": {"status": "NotAtThisTime"}}
        await one.csms.until(lambda: one.csms.count("Authorize") == 2)
        assert not one.csms.events() and one.evse.car_state.draw_a == 0.0
        one.csms.replies["Authorize"] = {"idTokenInfo": {"status": "Accepted"}}
        await one.charging()

    simulate(test)


def test_a_token_refused_in_the_event_ends_the_transaction() -> None:
    async def test(one: Run) -> None:
        one.csms.replies["TransactionEvent"] = {"idTokenInfo": {"status": "Blocked"}}
        await one.csms.until(lambda: one.csms.events("Ended"))
        assert one.csms.events("Ended")[0]["transactionInfo"]["stoppedReason"] == "DeAuthorized"
        assert one.evse.transaction is None

    simulate(test)


def test_pending_says_nothing_but_boots_and_boots_again_when_asked() -> None:
    async def test(one: Run) -> None:
        await one.csms.until(lambda: one.csms.count("BootNotification") == 1)
        await asyncio.sleep(30)
        assert [action for action, _ in one.csms.heard] == ["BootNotification"]
        assert (await one.call("RequestStartTransaction", idToken=token("X"), remoteStartId=1))["status"] == "Rejected"
        one.driver.clients["CP1"].violations.clear()  # that was one, on purpose
        assert (await one.call("GetBaseReport", requestId=4, reportBase="FullInventory"))["status"] == "Accepted"
        await one.csms.until(lambda: any(p["tbc"] is False for a, p in one.csms.heard if a == "NotifyReport"))
        pages = [payload for action, payload in one.csms.heard if action == "NotifyReport"]
        assert [page["seqNo"] for page in pages] == list(range(len(pages))) and len(pages) > 2
        assert {page["requestId"] for page in pages} == {4}
        one.csms.replies["BootNotification"]["status"] = "Accepted"
        assert (await one.call("TriggerMessage", requestedMessage="BootNotification"))["status"] == "Accepted"
        await one.charging()
        boots = [payload["reason"] for action, payload in one.csms.heard if action == "BootNotification"]
        assert boots == ["PowerUp", "Triggered"]

    simulate(test, lambda: TinyCsms("Pending", interval=300))


def test_sampling_obeys_its_interval_and_its_measurands() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        wanted = {"TxUpdatedInterval": "5", "TxUpdatedMeasurands": "Current.Import,Energy.Active.Import.Register"}
        data = [
            {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": name}, "attributeValue": value}
            for name, value in wanted.items()
        ]
        answer = await one.call("SetVariables", setVariableData=data)
        assert [result["attributeStatus"] for result in answer["setVariableResult"]] == ["Accepted", "Accepted"]
        await asyncio.sleep(10)
        before = len(one.csms.events("Updated"))
        await asyncio.sleep(60)
        samples = one.csms.events("Updated")[before:]
        assert len(samples) == 12
        times = [read(sample["timestamp"]) for sample in samples]
        assert {round((later - earlier).total_seconds(), 3) for earlier, later in pairwise(times)} == {5.0}
        values = samples[-1]["meterValue"][0]["sampledValue"]
        assert [(value["measurand"], value.get("phase")) for value in values] == [
            ("Energy.Active.Import.Register", None),
            *(("Current.Import", phase) for phase in ("L1", "L2", "L3")),
        ]
        gained_wh = values[0]["value"] - samples[0]["meterValue"][0]["sampledValue"][0]["value"]
        assert gained_wh == pytest.approx(31.36 * 3 * 230 * 55 / 3600, rel=1e-3)

    simulate(test)


def test_a_lease_limits_the_car_and_lapses_into_the_fallback() -> None:
    async def test(one: Run) -> None:
        transaction_id = await one.charging()
        assert await one.install(0, one.limit(1, "TxDefaultProfile", 6.0)) == "Accepted"
        valid_to = written(one.site.now + timedelta(seconds=30))
        lease = one.limit(2, "TxProfile", 20.0, transactionId=transaction_id, validTo=valid_to)
        assert await one.install(1, lease) == "Accepted"
        await asyncio.sleep(5)
        assert one.site.current_a["main"] == pytest.approx((19.6, 19.6, 19.6))
        await asyncio.sleep(30)
        assert one.site.current_a["main"] == pytest.approx((5.88, 5.88, 5.88))
        assert await one.install(1, one.limit(3, "TxProfile", 9.0, transactionId="none")) == "Rejected"

    simulate(test)


def test_the_station_maximum_is_shared_by_its_evses() -> None:
    async def test(one: Run) -> None:
        second = Visit(comes_s=0.0, station="CP1", evse_id=2, car=CAR, token=token("DEMO"))
        await one.charging()
        one.site.plug_in(second)
        assert await one.install(0, one.limit(1, "ChargingStationMaxProfile", 40.0)) == "Accepted"
        assert await one.install(1, one.limit(2, "TxDefaultProfile", 10.0)) == "Accepted"
        await asyncio.sleep(10)
        assert [evse.pilot_a for evse in one.station.evses.values()] == [10.0, 30.0]

    simulate(test)


def test_an_offline_station_goes_on_charging_and_tells_it_later() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        await one.install(0, one.limit(1, "TxDefaultProfile", 10.0))
        await asyncio.sleep(5)
        told = len(one.csms.events())
        await one.driver.fault("offline:CP1")
        await asyncio.sleep(90)
        assert not one.driver.clients["CP1"].connected
        assert len(one.csms.events()) == told
        assert one.evse.car_state.draw_a == pytest.approx(9.8)
        one.site.unplug("CP1", 1)
        await asyncio.sleep(10)
        await one.driver.fault("offline:CP1", on=False)
        await one.csms.until(lambda: one.csms.events("Ended"))
        late = one.csms.events()[told:]
        assert all(event["offline"] for event in late) and len(late) >= 2
        assert [event["seqNo"] for event in one.csms.events()] == list(range(told + len(late)))
        assert one.csms.connections == 2
        assert one.csms.count("BootNotification") == 1  # it never restarted

    simulate(test)


def test_what_got_no_answer_is_said_again_after_the_reconnect() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        one.csms.silent_on = {"TransactionEvent"}
        one.site.unplug("CP1", 1)
        await one.csms.until(lambda: one.csms.events("Ended"))
        await one.driver.fault("drop:CP1")
        one.csms.silent_on = set()
        await one.csms.until(lambda: len(one.csms.events("Ended")) == 2)
        first, again = one.csms.events("Ended")
        assert "offline" not in first and again == first | {"offline": True}
        await asyncio.sleep(60)
        assert len(one.csms.events("Ended")) == 2

    simulate(test)


def test_a_rebooted_station_keeps_what_persists_and_its_transaction() -> None:
    async def test(one: Run) -> None:
        transaction_id = await one.charging()
        await one.install(0, one.limit(1, "TxDefaultProfile", 8.0))
        await one.install(0, one.limit(2, "ChargingStationMaxProfile", 30.0))
        await one.install(1, one.limit(3, "TxProfile", 20.0, transactionId=transaction_id))
        await asyncio.sleep(5)
        assert one.evse.pilot_a == 20.0
        await one.driver.fault("reboot:CP1")
        await asyncio.sleep(1)
        assert one.site.current_a["main"] == (0.0, 0.0, 0.0)
        await asyncio.sleep(20)
        assert one.csms.count("BootNotification") == 2
        assert [profile.profile["id"] for profile in one.station.profiles.installed] == [1, 2]
        assert one.evse.pilot_a == 8.0 and one.evse.car_state.draw_a > 0.0
        assert not one.csms.events("Ended")

    simulate(test)


def test_a_reset_ends_the_transaction() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        assert (await one.call("Reset", type="OnIdle"))["status"] == "Scheduled"
        assert (await one.call("Reset", type="Immediate"))["status"] == "Accepted"
        await one.csms.until(lambda: one.csms.count("BootNotification") == 2)
        boots = [payload["reason"] for action, payload in one.csms.heard if action == "BootNotification"]
        assert boots[-1] == "RemoteReset"
        await one.csms.until(lambda: one.csms.events("Ended"))
        assert one.csms.events("Ended")[0]["transactionInfo"]["stoppedReason"] == "ImmediateReset"

    simulate(test)


def test_rejecting_ignoring_and_slow_stations() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        await one.driver.fault("rejecting:CP1")
        assert await one.install(0, one.limit(1, "TxDefaultProfile", 10.0)) == "Rejected"
        await one.driver.fault("rejecting:CP1", on=False)

        await one.driver.fault("ignoring:CP1")
        assert await one.install(0, one.limit(1, "TxDefaultProfile", 10.0)) == "Accepted"
        await asyncio.sleep(30)
        assert one.evse.car_state.draw_a == pytest.approx(31.36)
        promised = await one.call("GetCompositeSchedule", evseId=1, duration=60)
        assert promised["schedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]
        await one.driver.fault("ignoring:CP1", on=False)
        await asyncio.sleep(5)
        assert one.evse.car_state.draw_a == pytest.approx(9.8)

        one.station.faults.answer_after_s, one.station.faults.apply_after_s = 3.0, 20.0
        began = one.site.time_s
        assert await one.install(0, one.limit(1, "TxDefaultProfile", 16.0)) == "Accepted"
        assert one.site.time_s - began == pytest.approx(3.0, abs=0.3)
        await asyncio.sleep(18)
        assert one.evse.pilot_a == 10.0
        await asyncio.sleep(4)
        assert one.evse.pilot_a == 16.0

    simulate(test)


def test_starting_and_stopping_from_afar() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        profile = one.limit(5, "TxProfile", 12.0)
        start = {"idToken": token("APP"), "remoteStartId": 77, "evseId": 2, "chargingProfile": profile}
        assert (await one.call("RequestStartTransaction", **start)) == {"status": "Accepted"}
        one.site.plug_in(Visit(comes_s=0.0, station="CP1", evse_id=2, car=CAR, token=None))
        await one.csms.until(lambda: len(one.csms.events("Started")) == 2)
        started = one.csms.events("Started")[1]
        assert started["transactionInfo"]["remoteStartId"] == 77 and started["triggerReason"] == "RemoteStart"
        await asyncio.sleep(5)
        assert one.station.evses[2].pilot_a == 12.0
        transaction_id = started["transactionInfo"]["transactionId"]
        assert (await one.call("RequestStopTransaction", transactionId=transaction_id))["status"] == "Accepted"
        await one.csms.until(lambda: one.csms.events("Ended"))
        assert (await one.call("RequestStopTransaction", transactionId=transaction_id))["status"] == "Rejected"
        assert not [one_ for one_ in one.station.profiles.installed if one_.purpose == "TxProfile"]

    simulate(test)


def test_a_limit_put_up_at_the_station_holds_and_is_told() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        one.station.limit_externally(0, 7.0)
        await asyncio.sleep(5)
        assert one.evse.pilot_a == 7.0
        one.station.limit_externally(0, None)
        await asyncio.sleep(5)
        assert one.evse.pilot_a == 32.0
        assert one.csms.count("NotifyChargingLimit") == one.csms.count("ClearedChargingLimit") == 1
        reasons = [event["triggerReason"] for event in one.csms.events()]
        assert reasons.count("ChargingRateChanged") == 2

    simulate(test)


def test_a_full_car_suspends_and_takes_no_more() -> None:
    small = CarSpec(name="small", battery_kwh=0.5, max_a=32.0)
    visit = Visit(comes_s=5.0, station="CP1", evse_id=1, car=small, token=token("DEMO"), soc=0.5)
    spec = SiteSpec(circuits=SPEC.circuits, stations=SPEC.stations, visits=(visit,))

    async def test(one: Run) -> None:
        await one.charging()
        await one.csms.until(lambda: one.csms.events()[-1]["transactionInfo"]["chargingState"] == "SuspendedEV", 3600)
        energy_wh = one.evse.energy_wh
        await asyncio.sleep(60)
        assert one.evse.energy_wh == energy_wh == pytest.approx(250 / 0.9, rel=0.05)

    simulate(test, spec=spec)


def test_a_station_the_csms_has_forgotten_boots_again_and_loses_no_event() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        one.csms.errors["TransactionEvent"] = "SecurityError"
        one.site.unplug("CP1", 1)
        await one.csms.until(lambda: one.csms.count("BootNotification") == 2)
        one.csms.errors.clear()
        refused = len(one.csms.events("Ended"))
        await one.csms.until(lambda: len(one.csms.events("Ended")) > refused)
        assert one.station.outbox.registration is Registration.ACCEPTED
        await asyncio.sleep(1)
        assert not one.station.outbox.events

    simulate(test)


def test_messages_the_csms_cannot_take_are_given_up_after_their_attempts() -> None:
    async def test(one: Run) -> None:
        one.csms.errors["TransactionEvent"] = "InternalError"
        await one.csms.until(lambda: len(one.csms.events("Started")) == 5, 600)
        await one.csms.until(lambda: one.csms.events("Updated"), 600)
        assert len(one.csms.events("Started")) == 5

    simulate(test)
