"""Smart charging with a station that keeps profiles by the standard's rules (the simulator's store, behind a real socket)."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.csms.authorization import IdToken
from custom_components.headroom.csms.composite import Transaction
from custom_components.headroom.csms.correction import Put
from custom_components.headroom.csms.dialect import Dialect, Handle, LeaseEnd
from custom_components.headroom.csms.errors import CallRejectedError, StationError
from custom_components.headroom.csms.events import ChargingLimit, Disconnected, Ready
from custom_components.headroom.csms.learnt import Learnt
from custom_components.headroom.csms.profile_builder import Period, Schedule, profile, thinned
from custom_components.headroom.csms.profile_rules import problems
from custom_components.headroom.csms.profiles import Placed, Role
from custom_components.headroom.csms.values import SmartCharging
from simulator.profiles import Abilities, ProfileStore

from .client import BOOT, stamp, station
from .conftest import House
from .profile_keeping import ACCEPTED, STARTED, keeping, soon


@pytest.mark.parametrize("handle", Handle)
async def test_what_a_station_was_told_is_found_again_and_only_a_new_dialect_words_it_anew(house: House, handle: Handle) -> None:
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        found.learnt.dialect = Dialect(handle=handle)
        assert await found.install_station_limit(32) == (handle is not Handle.STATION)
        await found.install_fallback(1, 6)
        valid_to = soon()
        await found.install_lease(1, "T1", 16, valid_to, fallback_a=6)
        there = await found.survey()
        assert (there.station_limit is not None) == (handle is not Handle.STATION)
        assert (there.fallbacks[1].limit_a, there.fallbacks[1].as_worded) == (6, True)
        lease = there.lease(1, handle)
        assert lease is not None and (lease.limit_a, lease.as_worded) == (16, True)
        assert lease.valid_to is not None and abs((lease.valid_to - valid_to).total_seconds()) < 1
        assert lease.transaction_id == ("T1" if handle is Handle.TRANSACTION else None)
        found.learnt.dialect = Dialect(handle=handle, unit="W")
        again = (await found.survey()).fallbacks[1]
        assert (again.limit_a, again.as_worded) == (6, False)
        await found.withdraw(1, handle)
        await found.withdraw(1, handle)  # nothing there is no error
        assert not (await found.survey()).leases
        found.learnt.dialect = Dialect(handle=handle, lease_end=LeaseEnd.NEVER)
        await found.install_lease(1, "T1", 10, soon())
        there = await found.survey()
        if handle is Handle.TRANSACTION:
            assert [held.valid_to for held in there.leases] == [None]
        else:
            assert not there.leases and there.fallbacks[1].limit_a == 10
        assert len(store.installed) <= 3


async def test_changing_the_handle_leaves_no_gap(house: House) -> None:
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await found.install_station_limit(32)
        await found.install_fallback(1, 6)
        await found.install_lease(1, "T1", 16, soon())
        found.learnt.dialect = Dialect(handle=Handle.STATION)
        await found.install_fallback(1, 6)  # in the ceiling's place
        await found.install_lease(1, "T1", 10, soon())
        await found.withdraw(1, Handle.TRANSACTION)
        await found.withdraw(1, Handle.TRANSACTION, fallback=True)
        assert sorted(one.profile["id"] for one in store.installed) == [1, 4001]
        found.learnt.dialect = Dialect()
        await found.install_fallback(1, 6)
        await found.install_station_limit(32)
        await found.withdraw(1, Handle.STATION)
        await found.withdraw(1, Handle.STATION, fallback=True)  # the ceiling took its place: it stays
        assert sorted(one.profile["id"] for one in store.installed) == [1, 1001]


def users(limit: float, *, purpose: str = "TxDefaultProfile", level: int = 2, evse_id: int = 1, **more: Any) -> tuple[int, dict[str, Any]]:
    schedule = Schedule(schedule_id=7, start=soon(-60), periods=[Period(start_s=0, limit=limit)])
    return evse_id, profile(profile_id=70, purpose=purpose, stack_level=level, schedules=[schedule], **more)


async def test_a_persons_profile_may_restrict_and_never_raise(house: House) -> None:
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()})
        await found.install_station_limit(32)
        await found.install_fallback(1, 16)
        await found.install_lease(1, "T1", 10, soon())
        for evse_id, raising in (
            users(32),
            users(16, purpose="TxProfile", transaction_id="T1"),
            users(40, purpose="ChargingStationMaxProfile", evse_id=0),
        ):
            with pytest.raises(ValueError, match="more than the house"):
                await found.set_charging_profile(evse_id, raising)
        with pytest.raises(ValueError, match="FR.33"):
            await found.set_charging_profile(*users(6, purpose="TxProfile", transaction_id="T2"))
        with pytest.raises(ValueError, match="FR.06"):
            await found.set_charging_profile(*users(6, level=0))
        assert len(store.installed) == 3
        await found.set_charging_profile(*users(8))
        assert [one.profile["id"] for one in store.installed][-1] == 70
        await found.install_fallback(1, 8)
        assert len(store.installed) == 4
        assert found.correction({}, {}, None) is None and not found.led_over(1)
        assert found.correction({1: 6}, {}, None) is None, "ours comes first"
        await found.install_fallback(1, 6)  # now it would lead over less: it goes
        assert found.led_over(1) == {70: 8.0}, "it lets flow what it says: a person's, and told by us"
        step = found.correction({}, {}, None)
        assert step is not None
        await found.correct(step)
        assert found.correction({}, {}, None) is None and not found.others
        assert sorted(one.profile["id"] for one in store.installed) == [1, 1001, 2001]


@pytest.mark.parametrize("role", [Role.FALLBACK, Role.LEASE])
async def test_what_makes_way_for_a_limit_of_one_phase_says_one_phase(house: House, role: Role) -> None:
    """Else the contactor is closed on three for as long as the other's profile leads, under current."""
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()})
        purpose, transaction_id = ("TxDefaultProfile", None) if role is Role.FALLBACK else ("TxProfile", "T1")
        evse_id, others = users(32, purpose=purpose, transaction_id=transaction_id, level=0)
        store.install(evse_id, others | {"id": 90}, datetime.now(UTC), {1: Transaction(transaction_id="T1", started_at=datetime.now(UTC))})
        await found.survey()
        fallbacks, leases = ({1: 6.0}, {}) if role is Role.FALLBACK else ({}, {1: ("T1", 6.0)})
        three, one = (found.correction(fallbacks, leases, None, one_phase=alone) for alone in ([], [(role, 1)]))
        assert isinstance(three, Put) and isinstance(one, Put)
        told = [step.placed.profile["chargingSchedule"][0]["chargingSchedulePeriod"][0] for step in (three, one)]
        assert [(period.get("numberPhases"), period.get("phaseToUse")) for period in told] == [(None, None), (1, 1)]


async def test_a_persons_profile_is_judged_by_what_the_station_holds_now(house: House) -> None:
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await found.install_fallback(1, 16)
        await found.set_charging_profile(*users(8))
        assert len(client.requests("GetChargingProfiles")) == 1
        await found.set_charging_profile(*users(7))
        assert len(client.requests("GetChargingProfiles")) == 1  # it was read on this connection
    await house.until(Disconnected)
    async with station(house.port) as client:  # meanwhile its owner's app cut it down
        keeping(client, store=store)
        evse_id, others = users(5, level=4)
        store.install(evse_id, others | {"id": 90}, datetime.now(UTC), {})
        assert (await client.call("BootNotification", BOOT))["status"] == "Accepted"
        await house.until(Ready, times=2)
        found = house.station()
        with pytest.raises(ValueError, match="more than the house"):
            await found.set_charging_profile(*users(7, level=5))
        assert len(client.requests("SetChargingProfile")) == 0
        client.answers["GetChargingProfiles"] = None
    await house.until(Disconnected, times=2)
    async with station(house.port) as client:
        client.answers["GetChargingProfiles"] = None
        assert (await client.call("BootNotification", BOOT))["status"] == "Accepted"
        await house.until(Ready, times=3)
        with pytest.raises(StationError):
            await house.station().set_charging_profile(*users(4, level=5))
        assert len(client.requests("SetChargingProfile")) == 0


async def test_the_leases_of_an_evse_go_and_a_persons_txprofile_stays(house: House) -> None:
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()})
        await found.install_fallback(1, 16)
        await found.install_lease(1, "T1", 20, soon())
        _, persons = users(8)
        await found.set_charging_profile(1, persons | {"id": 5000, "chargingProfilePurpose": "TxProfile", "transactionId": "T1"})
        await found.clear_leases(1)
        assert sorted(one.profile["id"] for one in store.installed) == [1001, 5000]


async def test_what_a_station_took_while_it_told_what_it_holds_is_not_forgotten(house: House) -> None:
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await found.install_fallback(1, 16)
        await found.install_station_limit(32)
        asked = asyncio.Event()

        def before(payload: dict[str, Any]) -> dict[str, str]:
            asked.set()
            return ACCEPTED

        client.answers["GetChargingProfiles"] = before
        survey = asyncio.create_task(found.survey())
        await asked.wait()
        held = list(store.installed)
        await found.install_lease(1, "T1", 10, soon())
        await found.clear_charging_profile(profile_id=1)
        request_id = client.requests("GetChargingProfiles")[-1]["requestId"]
        for number, one in enumerate(held, 1):
            page = {"requestId": request_id, "chargingLimitSource": "CSO", "evseId": one.evse_id, "chargingProfile": [one.profile]}
            await client.call("ReportChargingProfiles", page | {"tbc": number < len(held)})
        await survey
        assert sorted(found._link.memory.told) == [1001, 2001]


async def test_a_composite_schedule_is_set_beside_what_the_profiles_come_to(house: House) -> None:
    async with station(house.port) as client:
        store = keeping(client)
        found = await house.boot(client)
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()})
        await found.install_fallback(1, 6)
        await found.install_lease(1, "T1", 16, soon())
        check = await found.check_composite(1, 600)
        assert [period.limit for period in check.told.periods] == [16, 6]
        assert not check.differences
        store.clear(profile_id=2001)  # it forgets its lease
        check = await found.check_composite(1, 600)
        assert [(one.told, one.expected) for one in check.differences] == [(6, 16)]


async def test_a_remote_start_takes_its_first_lease_along(house: House) -> None:
    token, valid_to = IdToken(value="A", type="Central"), soon()

    def refusing(payload: dict[str, Any]) -> dict[str, Any]:
        return {"status": "Rejected"} if "chargingProfile" in payload else ACCEPTED

    async with station(house.port) as client:
        found = await house.boot(client)
        client.answers["RequestStartTransaction"] = ACCEPTED | {"transactionId": "T9"}
        started = await found.start_transaction(1, token, 1, limit_a=10, valid_to=valid_to)
        assert (started.transaction_id, started.with_limit) == ("T9", True)
        sent = client.requests("RequestStartTransaction")[0]["chargingProfile"]
        assert (sent["chargingProfilePurpose"], sent["id"], "transactionId" in sent) == ("TxProfile", 2001, False)
        client.answers["RequestStartTransaction"] = refusing
        found.learnt.dialect = Dialect(handle=Handle.DEFAULT)
        assert not (await found.start_transaction(1, token, 2, limit_a=10)).with_limit
        assert "chargingProfile" not in client.requests("RequestStartTransaction")[-1]
        found.learnt.dialect = None
        client.answers["RequestStartTransaction"] = {"status": "Rejected"}
        with pytest.raises(CallRejectedError):
            await found.start_transaction(1, token, 3, limit_a=10)
        assert found.learnt.starts_with_limit, "it was not the limit that it refused"
        client.answers["RequestStartTransaction"] = refusing

        def with_profile(last: int) -> list[bool]:
            return ["chargingProfile" in request for request in client.requests("RequestStartTransaction")[-last:]]

        for number in (4, 5):  # the first refusal may have been for that moment
            assert not (await found.start_transaction(1, token, number, limit_a=10, valid_to=valid_to)).with_limit
            assert with_profile(2) == [True, False]
        await found.start_transaction(1, token, 6, limit_a=10, valid_to=valid_to)
        assert with_profile(2) == [False, False], "it learnt"
        found.learnt.booted()
        assert not Learnt.from_document(Learnt(starts_refused=2).document()).starts_with_limit
        client.answers["RequestStartTransaction"] = ACCEPTED
        kept: list[Any] = []
        found._link.memory.on_change = lambda: kept.append(found._link.memory.document()["learnt"]["starts_refused"])
        assert (await found.start_transaction(1, token, 7, limit_a=10, valid_to=valid_to)).with_limit, "it is tried again after a boot"
        assert kept == [0], "else one refusal after a restart would be the second in a row"
        client.answers["RequestStartTransaction"] = refusing
        assert not (await found.start_transaction(1, token, 8, limit_a=10, valid_to=valid_to)).with_limit
        assert found.learnt.starts_with_limit, "it took one since"


async def test_limits_of_others_are_told_over_time(house: House) -> None:
    schedule = {
        "id": 1,
        "startSchedule": stamp(soon(100)),
        "duration": 100,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 50, "limit": 8.0}],
    }
    async with station(house.port) as client:
        limit = {"chargingLimitSource": "SO", "isGridCritical": True}
        await client.call("NotifyChargingLimit", {"chargingLimit": limit, "evseId": 1, "chargingSchedule": [schedule]})
        (told,) = house.of(ChargingLimit)
        assert told.is_grid_critical
        start = told.schedule[1][0]
        steps = [(round((at - start).total_seconds()), limit_a) for at, limit_a in told.schedule[1:]]
        assert told.schedule[0][1] is None and steps == [(0, 16), (50, 8), (100, None)]


periods = st.lists(
    st.tuples(st.integers(1, 500), st.sampled_from((0.0, 6.0, 10.5, 16.0, 32.0)), st.sampled_from((None, 1, 3))), min_size=1, max_size=30
)


@given(steps=periods, most=st.integers(1, 12))
def test_a_thinned_schedule_never_allows_more(steps: list[tuple[int, float, int | None]], most: int) -> None:
    start_s, built = 0, []
    for length_s, limit, phases in steps:
        built.append(Period(start_s=start_s, limit=limit, phases=phases))
        start_s += length_s
    thin = thinned(built, most)
    assert len(thin) <= most and thin[0].start_s == 0
    for at in {period.start_s for period in built}:
        held = [period for period in thin if period.start_s <= at][-1]
        asked = [period for period in built if period.start_s <= at][-1]
        assert held.limit <= asked.limit and (held.phases or 3) <= (asked.phases or 3)
    if len(built) <= most:
        assert [held.limit for held in thin] == [one.limit for index, one in enumerate(built) if one.start_s in {t.start_s for t in thin}]


@pytest.mark.parametrize("recurrence", ["Daily", "Weekly"])
def test_a_recurring_profile_of_three_schedules_is_only_for_a_car_that_asked(recurrence: Any) -> None:
    schedules = [Schedule(schedule_id=number, start=soon(0), periods=[Period(start_s=0, limit=6.25)], min_rate=1.0) for number in (1, 2, 3)]
    can = SmartCharging()
    built = profile(profile_id=70, purpose="TxProfile", schedules=schedules, recurrence=recurrence, transaction_id="T1")
    assert problems(1, built, can, after_needs=True, transactions={1: "T1"}) == []
    assert [text[:9] for text in problems(1, built, can, transactions={1: "T1"})] == ["K01.FR.34"]
    assert [text[:9] for text in problems(1, built, can, after_needs=True, transactions={})] == ["K01.FR.09"]


def test_what_stands_beside_a_profile_decides_too() -> None:
    there = Placed(0, {"id": 5, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile"})
    outside = Placed(1, {"id": 70, "stackLevel": 0, "chargingProfilePurpose": "ChargingStationExternalConstraints"})
    evse_id, mine = users(6, level=0)
    assert [text[:9] for text in problems(evse_id, mine, SmartCharging(), held=[there])] == ["K01.FR.53"]
    assert [text[:9] for text in problems(0, mine, SmartCharging(), held=[Placed(1, dict(there.profile))])] == ["K01.FR.52"]
    assert [text[:9] for text in problems(1, mine, SmartCharging(), held=[Placed(1, dict(there.profile))])] == ["K01.FR.06"]
    assert [text[:9] for text in problems(1, mine, SmartCharging(), held=[outside])] == ["K01.FR.05"]
    assert problems(1, users(6, level=1)[1], SmartCharging(), held=[there], entries_most=1) == ["the station keeps 1 profiles"]
    in_phases = {**mine["chargingSchedule"][0], "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6, "numberPhases": 3}]}
    assert [text[:9] for text in problems(1, mine | {"chargingSchedule": [in_phases]}, SmartCharging(), direct=True)] == ["K01.FR.44"]


async def test_limits_of_others_may_begin_and_end_past_all_reckoning(house: House) -> None:
    schedule = {
        "id": 1,
        "startSchedule": "9999-12-31T23:59:59Z",
        "duration": 10**12,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 10**14, "limit": 8.0}],
    }
    async with station(house.port) as client:
        limit = {"chargingLimitSource": "SO"}
        assert await client.call("NotifyChargingLimit", {"chargingLimit": limit, "chargingSchedule": [schedule]}) == {}
        (told,) = house.of(ChargingLimit)
        assert told.schedule[0][1] is None


@pytest.mark.parametrize(("unit", "limit"), [("A", 13.0), ("W", 2990.0)])
async def test_a_lease_for_one_phase_names_its_terminal_and_comes_to_one_phase(house: House, unit: Any, limit: float) -> None:
    async with station(house.port) as client:
        store = keeping(client, store=ProfileStore((1,), Abilities(phase_switching=True)))
        found = await house.boot(client)
        found.learnt.dialect = Dialect(unit=unit)
        await found.install_lease(1, "T1", 13, soon(), one_phase=True)
        [period] = store.installed[-1].profile["chargingSchedule"][0]["chargingSchedulePeriod"]
        assert period == {"startPeriod": 0, "limit": limit, "numberPhases": 1, "phaseToUse": 1}
        running = Transaction(transaction_id="T1", started_at=datetime.now(UTC))
        held = store.evse_limit(1, datetime.now(UTC), running)
        assert (held.phases, round(held.limit_a)) == (1, 13)
        await found.install_lease(1, "T1", 13, soon())
        [period] = store.installed[-1].profile["chargingSchedule"][0]["chargingSchedulePeriod"]
        assert "phaseToUse" not in period
