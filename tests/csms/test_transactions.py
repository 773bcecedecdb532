"""Transactions: each event exactly once, in order, with its answer."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from custom_components.headroom.csms.authorization import AuthorizationStatus, IdToken
from custom_components.headroom.csms.events import ClockSet, Disconnected, EventsLost, Metered, TransactionEvent
from custom_components.headroom.csms.security.access import Access
from custom_components.headroom.csms.v201.recovery import MOST_ASKINGS
from custom_components.headroom.csms.values import ChargingState, TransactionPhase

from .client import BOOT, stamp, station
from .conftest import PATIENT, House, running

TOKEN = {"idToken": "CARD", "type": "ISO14443"}


def event(kind: str, seq_no: int, at: str, **extra: Any) -> dict[str, Any]:
    info = {"transactionId": "T1", "chargingState": extra.pop("state", "Charging")}
    return {"eventType": kind, "timestamp": at, "triggerReason": "Trigger", "seqNo": seq_no, "transactionInfo": info} | extra


async def test_a_transaction_is_told_once_though_repeated_and_replayed_after_a_reconnect(house: House) -> None:
    started = event("Started", 0, "2026-01-01T10:00:00Z", evse={"id": 1, "connectorId": 1}, state="EVConnected")
    updated = event("Updated", 1, "2026-01-01T10:00:05Z", numberOfPhasesUsed=3)
    ended = event("Ended", 2, "2026-01-01T11:00:00Z", offline=True)
    ended["transactionInfo"] |= {"stoppedReason": "EVDisconnected"}
    async with station(house.port) as client:
        await house.boot(client)
        for payload in (started, started, updated):
            assert await client.call("TransactionEvent", payload) == {}
    await house.until(Disconnected)
    async with station(house.port) as client:
        for payload in (started | {"offline": True}, updated, ended, ended):
            assert await client.call("TransactionEvent", payload) == {}
    told = house.of(TransactionEvent)
    assert [item.phase for item in told] == [TransactionPhase.STARTED, TransactionPhase.UPDATED, TransactionPhase.ENDED]
    assert [item.seq_no for item in told] == [0, 1, 2]
    assert told[0].charging_state is ChargingState.EV_CONNECTED and told[0].evse_id == 1 and told[0].connector_id == 1
    assert told[1].evse_id == 1 and told[1].phases_used == 3
    assert told[2].offline and told[2].stopped_reason == "EVDisconnected"


async def test_events_that_all_carry_the_same_number_are_still_told(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
        for second in range(3):
            await client.call("TransactionEvent", event("Updated", 0, f"2026-01-01T10:00:0{second}Z"))
        assert len(house.of(TransactionEvent)) == 3


async def test_tokens_are_answered_also_when_an_event_is_repeated(house: House) -> None:
    house.tokens = {"CARD": AuthorizationStatus.NOT_AT_THIS_TIME}
    payload = event("Started", 0, stamp(), idToken=TOKEN, evse={"id": 1})
    async with station(house.port) as client:
        await house.boot(client)
        answers = [await client.call("TransactionEvent", payload) for _ in range(2)]
        assert answers == [{"idTokenInfo": {"status": "NotAtThisTime"}}] * 2
        assert house.asked == [("CP1", 1, IdToken(value="CARD", type="ISO14443"))] * 2
        assert len(house.of(TransactionEvent)) == 1
        assert house.of(TransactionEvent)[0].id_token == IdToken(value="CARD", type="ISO14443")
        house.tokens = {"CARD": AuthorizationStatus.INVALID}
        assert await client.call("Authorize", {"idToken": TOKEN}) == {"idTokenInfo": {"status": "Invalid"}}
        assert house.asked[-1] == ("CP1", None, IdToken(value="CARD", type="ISO14443"))


async def test_while_a_token_is_thought_about_commands_go_out_and_answers_keep_their_order(house: House) -> None:
    house.hold, house.tokens = asyncio.Event(), {"CARD": AuthorizationStatus.ACCEPTED}
    async with station(house.port) as client:
        found = await house.boot(client)
        starting = asyncio.create_task(client.call("TransactionEvent", event("Started", 0, stamp(), idToken=TOKEN, evse={"id": 1})))
        await house.until(TransactionEvent)
        following = asyncio.create_task(client.call("MeterValues", {"evseId": 1, "meterValue": []}))
        await found.install_fallback(1, 6)  # what the site does before it authorises
        assert not starting.done() and not following.done() and house.of(Metered) == []
        house.hold.set()
        assert await starting == {"idTokenInfo": {"status": "Accepted"}}
        assert await following == {}
        assert house.kinds()[-2:] == ["TransactionEvent", "Metered"]


async def test_the_last_words_before_hanging_up_count(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
        ending = asyncio.create_task(client.exchange("TransactionEvent", event("Ended", 9, stamp())))
        await asyncio.sleep(0)
        await client.socket.close()
        await house.until(Disconnected)
        ending.cancel()
    assert house.kinds()[-2:] == ["TransactionEvent", "Disconnected"]


async def test_an_updates_samples_are_read_with_the_phases_of_its_transactions_evse(house: House) -> None:
    async with station(house.port) as client:
        client.report = [item for item in client.report if item["variable"]["name"] != "SupplyPhases"]
        client.report = [*client.report, _phases("1")]
        await house.boot(client)
        await client.call("TransactionEvent", event("Started", 0, stamp(), evse={"id": 1}))
        meter = [{"timestamp": stamp(), "sampledValue": [{"value": 13, "measurand": "Current.Import"}]}]
        await client.call("TransactionEvent", event("Updated", 1, stamp(), meterValue=meter))
        assert house.of(TransactionEvent)[1].samples[0].current_a == (13, None, None)


def _phases(count: str) -> dict[str, Any]:
    return {
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": "SupplyPhases"},
        "variableAttribute": [{"type": "MaxSet", "value": "3"}, {"type": "Actual", "value": count}],
    }


async def test_a_transaction_whose_id_is_given_anew_runs_again(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
        await client.call("TransactionEvent", event("Started", 0, "2026-01-01T10:00:00Z", evse={"id": 1}))
        await client.call("TransactionEvent", event("Ended", 3, "2026-01-01T11:00:00Z"))
        known = house.system.memories["CP1"].transactions
        assert known.running_on(1) is None
        await client.call(
            "TransactionEvent", event("Started", 0, "2026-01-01T12:00:00Z", evse={"id": 1})
        )  # it counts from 1 after a reboot
        running = known.running_on(1)
        assert running is not None and running.started_at is not None and running.started_at.hour == 12
        assert running.gaps == () and known.numbered
        await client.call("TransactionEvent", event("Started", 0, "2026-01-01T10:00:00Z", evse={"id": 1}, offline=True))  # of the first
        assert [item.phase for item in house.of(TransactionEvent)] == [
            TransactionPhase.STARTED,
            TransactionPhase.ENDED,
            TransactionPhase.STARTED,
        ]
        assert [item.given_anew for item in house.of(TransactionEvent)] == [False, False, True]
        late = event("Updated", 2, "2026-01-01T10:30:00Z", evse={"id": 1}, offline=True)  # of the first, and new
        await client.call("TransactionEvent", late)
        told = house.of(TransactionEvent)[-1]
        assert not told.given_anew and told.started_at is None, "it is not told as one of the second"
        assert known.running_on(1) is running and not running.has(2)


async def test_events_that_were_told_as_lost_are_not_told_again_when_some_come_late() -> None:
    async with running(House(timing=replace(PATIENT, gap_wait_s=0.0))) as house, station(house.port) as client:
        client.answers["GetTransactionStatus"] = {"ongoingIndicator": True, "messagesInQueue": False}
        await house.boot(client)
        await client.call("TransactionEvent", event("Started", 0, stamp(), evse={"id": 1}))
        await client.call("TransactionEvent", event("Updated", 6, stamp()))
        assert (await house.until(EventsLost)).gaps == ((1, 5),)
        await client.call("TransactionEvent", event("Updated", 3, stamp(), offline=True))  # one of them comes after all
        await client.call("TransactionEvent", event("Updated", 8, stamp()))
        assert (await house.until(EventsLost, times=2)).gaps == ((7, 7),)
        assert [item.seq_no for item in house.of(TransactionEvent)] == [0, 6, 3, 8]


async def test_one_number_given_twice_does_not_end_the_watch_for_lost_events() -> None:
    async with running(House(timing=replace(PATIENT, gap_wait_s=0.0))) as house, station(house.port) as client:
        client.answers["GetTransactionStatus"] = {"ongoingIndicator": True, "messagesInQueue": False}
        await house.boot(client)
        await client.call("TransactionEvent", event("Started", 0, "2026-01-01T10:00:00Z", evse={"id": 1}))
        for second in (1, 2):
            await client.call("TransactionEvent", event("Updated", 1, f"2026-01-01T10:00:0{second}Z"))
        await client.call("TransactionEvent", event("Updated", 4, "2026-01-01T10:00:04Z"))
        assert (await house.until(EventsLost)).gaps == ((2, 3),)
        assert [item.seq_no for item in house.of(TransactionEvent)] == [0, 1, 1, 4]


async def test_events_are_not_lost_while_the_station_says_that_they_wait() -> None:
    async with running(House(timing=replace(PATIENT, gap_wait_s=0.0))) as house, station(house.port) as client:
        client.answers["GetTransactionStatus"] = {"ongoingIndicator": True, "messagesInQueue": True}
        await house.boot(client)
        await client.call("TransactionEvent", event("Started", 0, stamp(), evse={"id": 1}))
        await client.call("TransactionEvent", event("Updated", 2, stamp()))
        await client.until("GetTransactionStatus", times=2)
        assert house.of(EventsLost) == []
        await client.call("TransactionEvent", event("Updated", 1, stamp(), offline=True))
        await client.call("TransactionEvent", event("Updated", 4, stamp()))
        lost = await house.until(EventsLost)  # it says so for ever: it is believed for a while
        assert (lost.transaction_id, lost.evse_id, lost.gaps) == ("T1", 1, ((3, 3),))
        assert len(client.requests("GetTransactionStatus")) >= MOST_ASKINGS // 2


async def test_a_station_that_tells_of_no_transaction_has_lost_what_is_missing() -> None:
    async with running(House(timing=replace(PATIENT, gap_wait_s=0.0))) as house, station(house.port) as client:
        await house.boot(client)  # GetTransactionStatus: NotImplemented
        await client.call("TransactionEvent", event("Started", 0, stamp(), evse={"id": 1}))
        await client.call("TransactionEvent", event("Updated", 2, stamp()))
        assert (await house.until(EventsLost)).gaps == ((1, 1),)


async def test_a_transaction_that_a_station_denied_and_goes_on_with_runs_again(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        await client.call("TransactionEvent", event("Started", 0, "2026-01-01T10:00:00Z", evse={"id": 1}))
        client.answers["GetTransactionStatus"] = {"ongoingIndicator": False, "messagesInQueue": False}
        await client.call("BootNotification", BOOT | {"reason": "RemoteReset"})
        presumed = await house.until(TransactionEvent, times=2)
        transactions = found._link.memory.transactions
        assert presumed.presumed and transactions.running_on(1) is None
        await client.call("TransactionEvent", event("Updated", 2, "2026-01-01T09:59:00Z", offline=True))
        assert transactions.running_on(1) is None, "that was before"
        await client.call("TransactionEvent", event("Updated", 3, "2026-01-01T10:05:00Z"))
        assert transactions.running_on(1) is not None
        await client.call("TransactionEvent", event("Ended", 4, "2026-01-01T10:06:00Z"))
        await client.call("TransactionEvent", event("Updated", 5, "2026-01-01T10:06:30Z"))
        assert transactions.running_on(1) is None, "it said so itself"


async def test_an_event_that_is_repeated_tells_nothing_of_the_clock() -> None:
    later = timedelta()
    access = Access(monotonic=lambda: asyncio.get_running_loop().time() + later.total_seconds(), sleep=asyncio.sleep)
    async with running(House(access=access)) as house, station(house.port) as client:
        found = await house.boot(client)
        started = event("Started", 0, stamp(), evse={"id": 1})
        await client.call("TransactionEvent", started)
        assert abs(found.clock_offset_s) < 5
        later = house.ahead = timedelta(hours=1)  # it had no answer to it, and sends it once more
        await client.call("TransactionEvent", started)
        assert abs(found.clock_offset_s) < 5
        await client.call("TransactionEvent", event("Updated", 1, stamp(datetime.now(UTC) + later)))
        assert abs(found.clock_offset_s) < 5


async def test_an_event_that_had_no_connection_to_go_by_tells_nothing_of_the_clock() -> None:
    """It is not marked as offline: its station thought that it was connected."""
    later = timedelta()
    access = Access(monotonic=lambda: asyncio.get_running_loop().time() + later.total_seconds(), sleep=asyncio.sleep)
    async with running(House(access=access)) as house:
        async with station(house.port) as client:
            await house.boot(client)
            then = datetime.now(UTC)
            await client.call("TransactionEvent", event("Started", 0, stamp(then), evse={"id": 1}))
        await house.until(Disconnected)
        later = house.ahead = timedelta(minutes=10)
        async with station(house.port) as client:
            await client.call("TransactionEvent", event("Updated", 1, stamp(then + timedelta(seconds=1))))
            assert abs(house.station().clock_offset_s) < 5
            await client.call("TransactionEvent", event("Updated", 2, stamp(datetime.now(UTC) + later)))
            assert abs(house.station().clock_offset_s) < 5
        assert not house.of(ClockSet)
