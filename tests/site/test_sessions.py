"""Transactions as stations tell them: late, out of order, under an id they gave before. What runs is never taken for what is over."""

from datetime import timedelta
from typing import Any

import pytest

from custom_components.headroom.ledger.records import SessionRecord
from simulator.outbox import Outgoing
from simulator.quirks import Quirks
from simulator.timestamps import written
from simulator.virtual import START, run

from .harness import Place, Scenario, car, scenario


def told(
    s: Scenario,
    phase: str,
    transaction_id: str,
    seq_no: int,
    at_s: float,
    *,
    number: int = 1,
    offline: bool = False,
    state: str = "EVConnected",
    energy_wh: float | None = None,
    evse: bool = True,
) -> None:
    """Let a station tell of a transaction as it was at a time."""
    payload: dict[str, Any] = {
        "eventType": phase,
        "timestamp": written(START + timedelta(seconds=at_s)),
        "triggerReason": "Trigger",
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": transaction_id, "chargingState": state},
    }
    if evse:
        payload["evse"] = {"id": 1, "connectorId": 1}
    if offline:
        payload["offline"] = True
    if energy_wh is not None:
        value = {"value": energy_wh, "measurand": "Energy.Active.Import.Register", "unitOfMeasure": {"unit": "Wh"}}
        payload["meterValue"] = [{"timestamp": payload["timestamp"], "sampledValue": [value]}]
    s.model(number).outbox.put(Outgoing(action="TransactionEvent", payload=payload, persistent=True))
    s.model(number).on_change()


def record(s: Scenario, transaction_id: str) -> SessionRecord:
    """The ledger's session of a transaction."""
    return s.records.newest()["CP1", transaction_id]


def seconds(record: SessionRecord) -> tuple[float, float | None]:
    """When a session of the ledger began and ended."""
    ended = None if record.ended_at is None else (record.ended_at - START).total_seconds()
    return (record.started_at - START).total_seconds(), ended


COUNTING = Quirks(numbers_from_1=True)


def test_an_id_that_is_given_anew_after_a_reboot_is_another_session() -> None:
    async def story() -> None:
        async with scenario(Place(quirks=COUNTING, leaves_s=40.0), Place()) as s:
            await s.until(50)
            await s.fault("reboot:CP1")
            await s.until(70)
            s.plug_in(1, car())
            await s.until(100)
            assert s.evse(1).transaction_id == "1" and s.evse(1).session_start == s.model(1).evses[1].transaction.started_at
            s.unplug(1)
            await s.until(105)
            first, second = (one for key, one in s.records.newest().items() if key[0] == "CP1")
            assert (round(seconds(first)[0]), round(seconds(first)[1])) == (10, 40)
            assert (round(seconds(second)[0]), round(seconds(second)[1])) == (70, 100)
            assert first.energy_end_wh == second.energy_start_wh and first.energy_wh > 0 and second.energy_wh > 0

    run(story())


def test_an_id_given_anew_without_the_end_of_the_first_is_another_session_and_the_first_is_over() -> None:
    async def story() -> None:
        async with scenario(Place(car=None), Place()) as s:
            await s.until(20)
            told(s, "Started", "1", 0, 20, state="Charging", energy_wh=100)
            s.model(1).evses[1].energy_wh = 500  # as its register tells where it is asked
            told(s, "Updated", "1", 1, 25, state="Charging", energy_wh=500)
            await s.until(30)
            told(s, "Started", "1", 0, 30, state="Charging", energy_wh=500)
            await s.until(32)
            assert s.evse(1).session_start == START + timedelta(seconds=30) and s.evse(1).session_energy_wh == 0
            assert seconds(record(s, "1")) == (20, 25) and record(s, "1").energy_wh == 400

    run(story())


def test_a_session_under_an_id_given_anew_goes_on_over_a_restart_of_ours() -> None:
    async def story() -> None:
        async with scenario(Place(quirks=COUNTING, leaves_s=40.0), Place()) as s:
            await s.until(50)
            await s.fault("reboot:CP1")
            await s.until(70)
            s.plug_in(1, car())
            await s.until(100)
            memory, before_wh = s.memory(), s.evse(1).session_energy_wh
            await s.vanish()
            await s.until(110)
            await s.come_back(memory)
            await s.until(150)
            assert s.evse(1).session_start == s.model(1).evses[1].transaction.started_at
            assert s.evse(1).session_energy_wh > before_wh + 100
            s.unplug(1)
            await s.until(155)
            first, second = (one for key, one in s.records.newest().items() if key[0] == "CP1")
            assert (round(seconds(first)[0]), round(seconds(first)[1])) == (10, 40)
            assert (round(seconds(second)[0]), round(seconds(second)[1])) == (70, 150)
            assert first.energy_end_wh == second.energy_start_wh

    run(story())


@pytest.mark.parametrize("named", [True, False])
def test_the_backlog_of_an_older_transaction_leaves_the_one_that_runs_alone_and_is_a_session_of_its_own(named: bool) -> None:
    async def story() -> None:
        async with scenario(Place(), Place()) as s:
            await s.until(60)
            before = s.evse(1)
            assert before.transaction_id is not None and s.charges(1)
            told(s, "Started", "OLD", 0, 2, offline=True, energy_wh=-9000, evse=named)
            told(s, "Updated", "OLD", 1, 4, offline=True, state="Charging", energy_wh=-8500, evse=named)
            await s.until(62)
            assert s.evse(1).transaction_id == before.transaction_id and s.evse(1).session_start == before.session_start
            told(s, "Ended", "OLD", 2, 8, offline=True, energy_wh=-8000, evse=named)
            await s.until(75)
            now = s.evse(1)
            assert now.transaction_id == before.transaction_id and now.charging and s.draw_a(1) > 20
            assert now.energy_wh is not None and now.energy_wh >= (before.energy_wh or 0)
            assert now.session_energy_wh is not None and now.session_energy_wh >= (before.session_energy_wh or 0)
            assert (seconds(record(s, "OLD")), record(s, "OLD").energy_wh) == ((2, 8), 1000)
            assert record(s, before.transaction_id).ended_at is None

    run(story())


@pytest.mark.parametrize("phases", [("Ended",), ("Started", "Ended"), ("Ended", "Started"), ("Updated", "Ended"), ("Ended", "Updated")])
@pytest.mark.parametrize("restarts", [False, True])
def test_in_whatever_order_an_older_transaction_is_told_it_ends_up_finished(phases: tuple[str, ...], restarts: bool) -> None:
    async def story() -> None:
        async with scenario(Place(), Place()) as s:
            await s.until(60)
            running = s.evse(1).transaction_id
            if restarts:
                memory = s.memory()
                await s.vanish()
                await s.until(64)
                await s.come_back(memory)
                await s.until(90)
            at = {"Started": (0, 2.0), "Updated": (1, 4.0), "Ended": (2, 8.0)}
            for phase in phases:
                told(s, phase, "OLD", *at[phase], offline=True)
            await s.wait(10)
            assert s.evse(1).transaction_id == running and s.charges(1)
            assert seconds(record(s, "OLD"))[1] == 8

    run(story())


def test_what_an_old_end_says_of_the_meter_leaves_an_idle_evse_as_it_is() -> None:
    async def story() -> None:
        async with scenario(Place(leaves_s=40.0), Place()) as s:
            await s.until(50)
            energy_wh = s.evse(1).energy_wh
            told(s, "Ended", "OLD", 2, 8, offline=True, energy_wh=-5)
            told(s, "Updated", "OLD", 1, 4, offline=True, state="Charging")
            await s.until(55)
            assert s.evse(1).transaction_id is None and s.evse(1).energy_wh == energy_wh
            assert seconds(record(s, "OLD"))[1] == 8

    run(story())


def test_a_late_word_of_charging_does_not_bring_a_transaction_back_whose_end_was_told() -> None:
    async def story() -> None:
        async with scenario(Place(car=None), Place()) as s:
            await s.until(20)
            told(s, "Started", "T", 0, 12)
            told(s, "Ended", "T", 2, 18, offline=True)
            told(s, "Updated", "T", 1, 15, offline=True, state="Charging")
            await s.until(25)
            assert s.evse(1).transaction_id is None
            assert seconds(record(s, "T")) == (12, 18)

    run(story())


@pytest.mark.parametrize(("sampled_s", "runs"), [(-1, False), (2, True)])
def test_a_sample_from_before_the_plug_came_out_does_not_bring_its_transaction_back(sampled_s: float, runs: bool) -> None:
    """Stations tell of the plug at once and of transactions in turn. One that charges afterwards shows that the plug is not out."""

    async def story() -> None:
        async with scenario(Place(car=None), Place()) as s:
            await s.until(20)
            told(s, "Started", "T", 0, 12)
            told(s, "Updated", "T", 1, 15, state="Charging")
            await s.until(25)
            status = {"timestamp": written(START + timedelta(seconds=25)), "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
            s.model(1).outbox.put(Outgoing(action="StatusNotification", payload=status))
            told(s, "Updated", "T", 2, 25 + sampled_s, state="Charging")
            await s.until(29)
            assert (s.evse(1).transaction_id is not None) is runs

    run(story())


def test_two_transactions_of_a_backlog_follow_each_other_and_the_last_one_runs() -> None:
    async def story() -> None:
        async with scenario(Place(car=None), Place()) as s:
            await s.until(30)
            told(s, "Started", "A", 0, 12, offline=True, energy_wh=0)
            told(s, "Ended", "A", 1, 16, offline=True, energy_wh=10)
            told(s, "Started", "B", 0, 20, offline=True, energy_wh=10)
            await s.until(33)
            assert s.evse(1).transaction_id == "B" and s.evse(1).session_start == START + timedelta(seconds=20)
            told(s, "Ended", "B", 1, 26, offline=True, energy_wh=30)
            await s.until(36)
            assert s.evse(1).transaction_id is None
            assert (seconds(record(s, "A")), record(s, "A").energy_wh) == ((12, 16), 10)
            assert (seconds(record(s, "B")), record(s, "B").energy_wh) == ((20, 26), 20)

    run(story())
