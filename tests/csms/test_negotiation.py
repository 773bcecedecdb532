"""Cars that tell what they need: their profiles, the plans above them, and cuts in between (K15, K16)."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from custom_components.headroom.csms.needs import EvNeeds

from .client import stamp, station
from .conftest import House
from .profile_keeping import STARTED, answering_later, keeping, soon


async def test_an_ev_is_heard_and_gets_its_profile_and_a_plan_above_it_is_negotiated_anew(house: House) -> None:
    needs = {
        "evseId": 1,
        "maxScheduleTuples": 5,
        "chargingNeeds": {
            "requestedEnergyTransfer": "AC_three_phase",
            "departureTime": "2026-01-01T08:00:00Z",
            "acChargingParameters": {"energyAmount": 20000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 400},
        },
    }
    plan = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}, {"startPeriod": 60, "limit": 16}]}
    async with station(house.port) as client:
        keeping(client)
        found = await house.boot(client)
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()})
        await found.install_fallback(1, 6)
        await found.install_lease(1, "T1", 10, soon(30))
        writes = len(client.requests("SetChargingProfile"))
        assert await client.call("NotifyEVChargingNeeds", needs) == {"status": "Accepted"}
        assert (await client.until("SetChargingProfile", writes + 1))["chargingProfile"]["transactionId"] == "T1"
        assert house.of(EvNeeds) == [
            EvNeeds(
                evse_id=1,
                transaction_id="T1",
                mode="AC_three_phase",
                phases=3,
                energy_wh=20000,
                departure_at=datetime(2026, 1, 1, 8, tzinfo=UTC),
                least_a=6,
                most_a=16,
                most_v=400,
                schedules_most=3,
            )
        ]
        told = {"timeBase": stamp(), "evseId": 1, "chargingSchedule": plan}
        assert await client.call("NotifyEVChargingSchedule", told) == {"status": "Accepted"}  # the lease is over before it rises
        await found.install_lease(1, "T1", 10, soon(300))
        writes = len(client.requests("SetChargingProfile"))
        assert await client.call("NotifyEVChargingSchedule", told) == {"status": "Rejected"}
        await client.until("SetChargingProfile", writes + 1)


async def test_a_cut_is_negotiated_by_the_next_lease_with_no_schedule_beside_it(house: House) -> None:
    needs = {"evseId": 1, "maxScheduleTuples": 3, "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"}}

    def plan(limit: int) -> dict[str, Any]:
        schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
        return {"timeBase": stamp(), "evseId": 1, "chargingSchedule": schedule}

    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()})
        await found.install_fallback(1, 6)
        store.negotiating.add(1)
        await client.call("NotifyEVChargingNeeds", needs)
        await found.install_lease(1, "T1", 16, soon())
        assert await client.call("NotifyEVChargingSchedule", plan(16)) == {"status": "Accepted"}
        await found.install_lease(1, "T1", 10, soon())  # the limit changed: its EV gets this to plan by (K17)
        told = client.requests("SetChargingProfile")[-1]["chargingProfile"]
        (schedule,) = told["chargingSchedule"]
        assert (told["transactionId"], schedule["chargingSchedulePeriod"][0]["limit"]) == ("T1", 10)
        writes = len(client.requests("SetChargingProfile"))
        assert await client.call("NotifyEVChargingSchedule", plan(16)) == {"status": "Rejected"}
        assert (await client.until("SetChargingProfile", writes + 1))["chargingProfile"] == told
        assert await client.call("NotifyEVChargingSchedule", plan(10)) == {"status": "Accepted"}
        for never_s in (10**12, -(10**12), 10**15):
            for_ever = plan(10)
            for_ever["chargingSchedule"]["chargingSchedulePeriod"].append({"startPeriod": never_s, "limit": 10})
            for_ever["chargingSchedule"]["duration"] = never_s
            assert await client.call("NotifyEVChargingSchedule", for_ever) == {"status": "Accepted"}


async def test_an_ev_that_asks_while_a_cut_is_on_its_way_does_not_bring_the_old_lease_back(house: House) -> None:
    needs = {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"}}
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()})
        await found.install_fallback(1, 6)
        await found.install_lease(1, "T1", 16, soon())
        released = answering_later(client)
        writes = len(client.requests("SetChargingProfile"))
        cut = asyncio.create_task(found.install_lease(1, "T1", 8, soon()))
        await client.until("SetChargingProfile", writes + 1)
        for _ in range(3):
            assert await client.call("NotifyEVChargingNeeds", needs) == {"status": "Accepted"}
        released.set()
        await cut
        await found.install_fallback(1, 6)  # whatever was sent before it has been answered now
        (held,) = [one.profile for one in store.installed if one.profile["chargingProfilePurpose"] == "TxProfile"]
        assert held["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 8
        assert len(client.requests("SetChargingProfile")) == writes + 2


async def test_a_cut_whose_caller_is_gone_is_still_on_its_way(house: House) -> None:
    needs = {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"}}
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()})
        await found.install_lease(1, "T1", 16, soon())
        released = answering_later(client)
        writes = len(client.requests("SetChargingProfile"))
        cut = asyncio.create_task(found.install_lease(1, "T1", 8, soon()))
        never = asyncio.create_task(found.install_fallback(1, 10))
        await client.until("SetChargingProfile", writes + 1)
        for task in (cut, never):
            task.cancel()
        assert await client.call("NotifyEVChargingNeeds", needs) == {"status": "Accepted"}
        released.set()
        await found.install_fallback(1, 6)
        (held,) = [one.profile for one in store.installed if one.profile["chargingProfilePurpose"] == "TxProfile"]
        assert held["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 8
        assert len(client.requests("SetChargingProfile")) == writes + 2
        # What its EV plans by next is what the station took, though nobody heard it.
        assert await client.call("NotifyEVChargingNeeds", needs) == {"status": "Accepted"}
        offered = await client.until("SetChargingProfile", writes + 3)
        assert offered["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 8
