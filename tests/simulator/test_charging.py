"""Limits from elsewhere, cars that speak ISO 15118, and stations with quirks."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from simulator.car import CarSpec, HighLevel
from simulator.evse import token
from simulator.factory import StationSpec
from simulator.quirky import KINDS, quirky
from simulator.site import SiteSpec, Visit
from simulator.timestamps import written

from .running import CAR, Run, simulate, site_of

TALKS = CarSpec(
    name="talks", battery_kwh=100.0, max_a=32.0, high_level=HighLevel(emaid="NL-ABC-123", wants_contract=True, departs_after_s=3600.0)
)


def charged_by(station: StationSpec, car: CarSpec = CAR, id_token: str | None = "DEMO") -> SiteSpec:
    shown = None if id_token is None else token(id_token)
    return site_of(station, Visit(comes_s=5.0, station="CP1", evse_id=1, car=car, token=shown))


def test_an_external_limit_is_told_with_its_schedule_and_taken_back() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        await one.driver.fault("external-limit:CP1")
        told = await one.hear("NotifyChargingLimit")
        assert told["chargingLimit"]["chargingLimitSource"] == "SO"
        assert told["chargingSchedule"][0]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]
        await asyncio.sleep(5)
        assert one.evse.pilot_a == 10.0
        await one.driver.fault("external-limit:CP1", on=False)
        await one.hear("ClearedChargingLimit")
        await asyncio.sleep(5)
        assert one.evse.pilot_a == 32.0

    simulate(test)


def test_an_iso_15118_car_pays_by_contract_tells_its_needs_and_its_schedule() -> None:
    async def test(one: Run) -> None:
        transaction_id = await one.charging()
        assert (await one.hear("Get15118EVCertificate"))["action"] == "Install"
        assert one.station.high_level.contracts == 1
        assert one.csms.events("Started")[0]["idToken"] == {"idToken": "NL-ABC-123", "type": "eMAID"}
        needs = (await one.hear("NotifyEVChargingNeeds"))["chargingNeeds"]
        assert needs["requestedEnergyTransfer"] == "AC_three_phase" and needs["acChargingParameters"]["evMaxCurrent"] == 32
        three = [one.limit(number, "", float(number))["chargingSchedule"][0] for number in (10, 12, 14)]
        offered = one.limit(7, "TxProfile", 10.0, transactionId=transaction_id) | {"chargingSchedule": three}
        assert await one.install(1, offered) == "Accepted"
        schedule = await one.hear("NotifyEVChargingSchedule")
        chosen_a = schedule["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
        await asyncio.sleep(5)
        assert chosen_a == one.evse.pilot_a == 14.0  # of several it takes the highest
        one.csms.replies["NotifyEVChargingSchedule"] = {"status": "Rejected"}
        assert await one.install(1, one.limit(7, "TxProfile", 8.0, transactionId=transaction_id)) == "Accepted"
        await one.hear("NotifyEVChargingSchedule", 2)
        await one.hear("NotifyEVChargingNeeds", 2)  # K17: they start again

    simulate(test, spec=charged_by(StationSpec(identity="CP1"), TALKS, None))


def test_several_schedules_are_refused_where_no_car_asked_for_them() -> None:
    async def test(one: Run) -> None:
        transaction_id = await one.charging()
        profile = one.limit(7, "TxProfile", 10.0, transactionId=transaction_id)
        assert await one.install(1, profile | {"chargingSchedule": profile["chargingSchedule"] * 2}) == "Rejected"

    simulate(test)


async def obeys(one: Run, *, default: float | None = None, tx: float | None = None, top: float | None = None, **more: Any) -> float:
    """Install these limits and return what is offered soon after."""
    transaction_id = one.csms.events("Started")[0]["transactionInfo"]["transactionId"]
    if default is not None:
        assert await one.install(0, one.limit(1, "TxDefaultProfile", default, **more)) == "Accepted"
    if tx is not None:
        assert await one.install(1, one.limit(2, "TxProfile", tx, transactionId=transaction_id, **more)) == "Accepted"
    if top is not None:
        assert await one.install(0, one.limit(3, "ChargingStationMaxProfile", top, **more)) == "Accepted"
    await asyncio.sleep(5)
    return one.evse.pilot_a


def with_quirk(kind: str) -> SiteSpec:
    return charged_by(quirky(kind, "CP1"))


def test_a_station_that_takes_watts_only() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        profile = one.limit(1, "TxDefaultProfile", 10.0)
        assert await one.install(0, profile) == "Rejected"
        profile["chargingSchedule"][0] |= {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6900.0}]}
        assert await one.install(0, profile) == "Accepted"
        await asyncio.sleep(5)
        assert one.evse.pilot_a == pytest.approx(10.0)

    simulate(test, spec=with_quirk("watts_only"))


@pytest.mark.parametrize(("kind", "offered_a"), [("only_default_profile", 12.0), ("ignores_tx_profile", 12.0), ("seq_no_always_zero", 8.0)])
def test_stations_that_do_not_honour_a_transactions_profile(kind: str, offered_a: float) -> None:
    async def test(one: Run) -> None:
        await one.charging()
        assert await obeys(one, default=12.0, tx=8.0) == offered_a

    simulate(test, spec=with_quirk(kind))


def test_a_station_that_honours_the_default_profile_only_exceeds_its_maximum() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        assert await obeys(one, default=12.0, top=6.0) == 12.0

    simulate(test, spec=with_quirk("only_default_profile"))


def test_a_station_that_takes_level_0_only_although_it_says_more() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        assert one.station.device.number("SmartChargingCtrlr", "ProfileStackLevel") > 0
        assert await one.install(0, one.limit(1, "TxDefaultProfile", 10.0, stackLevel=1)) == "Rejected"
        assert await obeys(one, default=10.0) == 10.0

    simulate(test, spec=with_quirk("only_level_0"))


def test_a_station_that_refuses_a_maximum() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        assert await one.install(0, one.limit(1, "ChargingStationMaxProfile", 10.0)) == "Rejected"
        assert await obeys(one, tx=9.0) == 9.0

    simulate(test, spec=with_quirk("refuses_station_max"))


def test_a_station_that_forgets_its_limit_over_a_suspension() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        assert await obeys(one, tx=0.0) == 0.0
        assert await obeys(one, tx=10.0) == 32.0
        assert await obeys(one, tx=10.0) == 10.0  # told again

    simulate(test, spec=with_quirk("forgets_when_suspended"))


def test_a_station_that_never_lets_a_lease_lapse() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        ends = written(one.site.now + timedelta(seconds=20))
        assert await obeys(one, default=6.0) == 6.0
        assert await obeys(one, tx=20.0, validTo=ends) == 20.0
        await asyncio.sleep(60)
        assert one.evse.pilot_a == 20.0

    simulate(test, spec=with_quirk("ignores_valid_to"))


def test_a_station_that_follows_late() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        assert await obeys(one, default=10.0) == 32.0
        await asyncio.sleep(20)
        assert one.evse.pilot_a == 10.0

    simulate(test, spec=with_quirk("slow_to_follow"))


def test_a_station_that_does_not_count_its_events() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        assert {event["seqNo"] for event in one.csms.events()} == {0}

    simulate(test, spec=with_quirk("seq_no_always_zero"))


def test_a_station_that_writes_whole_numbers_as_floats() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        assert {type(event["seqNo"]) for event in one.csms.events()} == {float}

    simulate(test, spec=with_quirk("integral_floats"))


def test_a_station_that_never_reports_its_profiles() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        await obeys(one, default=10.0)
        assert (await one.call("GetChargingProfiles", requestId=1, chargingProfile={}))["status"] == "Accepted"
        await asyncio.sleep(60)
        assert one.csms.count("ReportChargingProfiles") == 0

    simulate(test, spec=with_quirk("never_reports_profiles"))


def test_a_station_without_smart_charging() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        profile = one.limit(1, "TxDefaultProfile", 10.0)
        requests: dict[str, dict[str, Any]] = {
            "SetChargingProfile": {"evseId": 0, "chargingProfile": profile},
            "ClearChargingProfile": {"chargingProfileId": 1},
            "GetChargingProfiles": {"requestId": 1, "chargingProfile": {}},
            "GetCompositeSchedule": {"evseId": 1, "duration": 60},
        }
        for action, payload in requests.items():
            answer = await one.call(action, **payload)
            assert answer[0] == 4 and answer[2] == "NotImplemented"

    simulate(test, spec=with_quirk("no_smart_charging"))


def test_a_station_whose_schedules_do_not_keep_to_whole_seconds() -> None:
    async def test(one: Run) -> None:
        await one.charging()
        ends = written(one.site.now + timedelta(seconds=20))
        await obeys(one, default=6.0)
        await obeys(one, tx=20.0, validTo=ends)
        answer = await one.call("GetCompositeSchedule", evseId=1, duration=60)
        later = answer["schedule"]["chargingSchedulePeriod"][1]
        assert later["startPeriod"] % 1 and later["limit"] == 6.0

    simulate(test, spec=with_quirk("fractional_start_period"))


def test_every_kind_of_quirk_boots_and_charges() -> None:
    for kind in KINDS:

        async def test(one: Run) -> None:
            await one.charging()

        simulate(test, spec=with_quirk(kind))
    with pytest.raises(KeyError):
        quirky("polite", "CP1")
