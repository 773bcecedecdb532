"""What is kept of a station, and what of it outlives a restart."""

from datetime import UTC, datetime, timedelta
import json
from typing import Any

import pytest

from custom_components.headroom.csms.dialect import Dialect
from custom_components.headroom.csms.events import TransactionEvent
from custom_components.headroom.csms.learnt import Learnt
from custom_components.headroom.csms.memory import KEPT, Draw, Memory
from custom_components.headroom.csms.transactions import IN_ORDER, MOST_RANGES, MOST_TRANSACTIONS, KnownTransactions
from custom_components.headroom.csms.values import ChargingState, Inventory, SmartCharging, StationInfo, TransactionPhase
from custom_components.headroom.csms.variables import DeviceVariable, VariableAttribute

AT = datetime(2026, 1, 1, 10, tzinfo=UTC)


def told(
    seq_no: int,
    *,
    at_s: float | None = None,
    phase: TransactionPhase = TransactionPhase.UPDATED,
    transaction_id: str = "T",
    evse_id: int | None = None,
) -> TransactionEvent:
    return TransactionEvent(
        phase=phase,
        transaction_id=transaction_id,
        seq_no=seq_no,
        at=AT + timedelta(seconds=seq_no if at_s is None else at_s),
        evse_id=evse_id,
        charging_state=ChargingState.CHARGING,
    )


def restarted(transactions: KnownTransactions) -> KnownTransactions:
    return KnownTransactions.from_document(json.loads(json.dumps(transactions.document())))


def test_an_event_is_taken_once_however_long_the_transaction_lasts_and_over_a_restart() -> None:
    known = KnownTransactions()
    assert all(known.take(told(number)) for number in range(5000))
    assert not any(known.take(told(number)) for number in range(0, 5000, 7))
    again = restarted(known)
    assert not any(again.take(told(number)) for number in range(0, 5000, 7))
    assert again.take(told(5000))
    (transaction,) = again
    assert transaction.seen == [(0, 5000)] and transaction.gaps == ()
    assert len(json.dumps(again.document())) < 2000


def test_a_missing_number_is_a_gap_until_it_comes_or_is_given_up() -> None:
    known = KnownTransactions()
    for number in (4, 5, 9, 7):
        assert known.take(told(number))
    transaction = known.get("T")
    assert transaction is not None
    assert list(transaction.gaps) == [(6, 6), (8, 8)]  # what came before 4 was not ours to hear
    assert known.take(told(6))
    assert list(transaction.gaps) == [(8, 8)]
    transaction.given_up.append((8, 8))
    assert not transaction.gaps
    assert restarted(known).take(told(8))  # it comes after all: it is taken


def test_a_station_that_numbers_every_event_0_is_found_out_and_has_no_gaps() -> None:
    known = KnownTransactions()
    assert all(known.take(told(0, at_s=second)) for second in range(100))
    assert not known.numbered
    assert not known.take(told(0, at_s=99))
    again = restarted(known)
    assert not again.numbered and not again.take(told(0, at_s=99)) and again.take(told(0, at_s=100))
    assert known.take(told(0, at_s=-500)), "its clock was set back"


def test_a_number_that_is_given_twice_once_is_a_slip_and_a_habit_that_ended_is_forgotten() -> None:
    known = KnownTransactions()
    assert known.take(told(0, phase=TransactionPhase.STARTED)) and known.take(told(1))
    assert known.take(told(1, at_s=5)), "two events of one number"
    assert known.take(told(1, at_s=5, phase=TransactionPhase.ENDED)), "and a third, of another kind"
    assert known.numbered and known.take(told(7)) and (transaction := known.get("T")) is not None and transaction.gaps == ((2, 6),)
    for second in range(20, 25):
        assert known.take(told(7, at_s=second))
    assert not known.numbered
    again = restarted(known)
    assert all(again.take(told(number, at_s=100 + number)) for number in range(8, 8 + IN_ORDER)) and again.numbered


def test_a_repeat_with_a_time_of_its_own_is_a_duplicate_where_it_is_no_news() -> None:
    known = KnownTransactions()
    assert all(known.take(told(number)) for number in range(5))
    assert not any(known.take(told(3, at_s=seconds)) for seconds in (2.5, 3.5, 4)) and known.numbered


def test_numbers_that_begin_anew_after_a_reboot_are_still_told() -> None:
    known = KnownTransactions()
    assert all(known.take(told(number)) for number in range(30))
    assert all(known.take(told(number, at_s=1000 + number)) for number in range(30))


def test_memory_of_transactions_is_bounded_and_lets_go_of_what_is_over_first() -> None:
    known = KnownTransactions()
    assert known.take(told(0, transaction_id="long", evse_id=2))
    for number in range(MOST_TRANSACTIONS * 2):
        for phase in (TransactionPhase.STARTED, TransactionPhase.ENDED):
            known.take(told(number, phase=phase, transaction_id=f"T{number}", evse_id=1))
    assert len(list(known)) == MOST_TRANSACTIONS
    assert known.evse_of("long") == 2
    for number in range(MOST_TRANSACTIONS * 2):
        known.take(told(0, transaction_id=f"endless{number}"))
    assert len(list(known)) == MOST_TRANSACTIONS
    for number in range(0, 1000, 2):
        known.take(told(number, transaction_id="holes"))
    holes = known.get("holes")
    assert holes is not None and len(holes.seen) <= MOST_RANGES and holes.has(998) and not holes.has(997)


def test_which_transaction_runs_where() -> None:
    known = KnownTransactions()
    known.take(told(0, phase=TransactionPhase.STARTED, transaction_id="A", evse_id=1))
    known.take(told(1, transaction_id="A"))
    known.take(told(0, phase=TransactionPhase.STARTED, transaction_id="B", evse_id=2))
    known.take(told(2, phase=TransactionPhase.ENDED, transaction_id="A"))
    assert [one.transaction_id for one in known.running()] == ["B"]
    assert known.running_on(1) is None and (found := known.running_on(2)) is not None and found.transaction_id == "B"
    assert (known.evse_of("A"), known.evse_of("B"), known.evse_of("C")) == (1, 2, None)


def test_everything_that_is_kept_comes_back_the_same() -> None:
    memory = Memory(
        info=StationInfo(vendor="Maker", model="Post", firmware_version="1.2"),
        inventory=Inventory(
            evse_connectors={1: (1, 2), 2: (1,)},
            smart_charging=SmartCharging(rate_units=("W",), periods_per_schedule=7),
            variables={"EVSE@1.SupplyPhases": "3"},
            device={"EVSE@1.SupplyPhases": DeviceVariable(attributes=(VariableAttribute(value="3", constant=True),))},
            awaiting_reboot=("A.b",),
        ),
        configured={"SampledDataCtrlr.TxUpdatedInterval": "5"},
        draws={2: Draw(phases=1, voltage_v=231.0)},
        security={"hash": "x"},
        learnt=Learnt(fingerprint=("Maker", "Post", "1.2"), dialect=Dialect(unit="W"), obeyed_by={2}, lease_ends=True),
        local_list={"version": 3},
    )
    memory.transactions.take(told(3, evse_id=2))
    again = Memory.from_document(json.loads(json.dumps(memory.document())))
    for name in KEPT.keys() - {"transactions"}:
        assert getattr(again, name) == getattr(memory, name), name
    assert again.transactions.document() == memory.transactions.document()


def test_what_was_written_by_another_version_is_learnt_again(caplog: pytest.LogCaptureFixture) -> None:
    document: dict[str, Any] = {
        "info": {"colour": "blue"},
        "inventory": [],
        "configured": {"A.b": "1"},
        "transactions": None,
        "security": 7,
        "else": 1,
    }
    memory = Memory.from_document(document)
    assert memory.configured == {"A.b": "1"}
    assert (memory.info, memory.inventory, memory.security) == (StationInfo(), None, {})
    assert len(caplog.records) == 4


def test_what_an_earlier_life_heard_after_it_last_wrote_is_not_missing() -> None:
    """A kill loses what was not written yet: the station told it, and was answered."""
    before = KnownTransactions()
    for seq_no in range(3):
        assert before.take(told(seq_no))
    after = restarted(before)
    assert after.take(told(7))
    known = after.get("T")
    assert known is not None and known.gaps == ()
    assert after.take(told(10)) and known.gaps == ((8, 9),)
    assert after.take(told(5))  # one of them after all
