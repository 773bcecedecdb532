"""What belongs to a reason, from the sharing that it came out of."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from custom_components.headroom.engine.circumstances import Limits, with_circumstances
from custom_components.headroom.engine.model import (
    ALL_PHASES,
    Filled,
    Headroom,
    Imbalance,
    Need,
    Outlook,
    Past,
    Phase,
    Reason,
    ReasonCode,
    Request,
)
from custom_components.headroom.engine.plan import Planned
from custom_components.headroom.engine.priority import LAST_TIER
from custom_components.headroom.engine.rotation import HOUR_S, LEAST_OFF_S, TURN_S
from custom_components.headroom.engine.share import Policy, share

NOW = 1_000_000.0


def car(request_id: str, phases: tuple[Phase, ...] = (Phase.L1,), **fields: object) -> Request:
    """Return a car in the garage."""
    return replace(Request(request_id=request_id, circuit_id="garage", phases=phases, max_a=32.0), **fields)


def charging(request_id: str, since_s: float, **past: object) -> Request:
    """Return a car that has had its turn for so long."""
    return car(request_id, past=replace(Past(limit_a=6.0, changed_at=NOW - since_s), **past))


def reasons(
    left_a: float,
    requests: list[Request],
    planned: Mapping[str, Planned] | None = None,
    policy: Policy = Policy.EQUAL_CURRENT,
    **row: object,
) -> Mapping[str, Reason]:
    """Return the reasons where the garage (20 A, 3 A of it not for cars) has so much left on each phase."""
    planned = planned or {}
    rows = [
        Headroom(circuit_id="main", parent_id=None, available_a=(99.0, 99.0, 99.0)),
        replace(Headroom(circuit_id="garage", parent_id="main", available_a=(left_a, left_a, left_a)), **row),
    ]
    limits = {
        "main": Limits(limit_a=(99.0,) * 3, unmanaged_a=(0.0,) * 3),
        "garage": Limits(limit_a=(20.0,) * 3, unmanaged_a=(3.0,) * 3, limit_w=9200.0),
    }
    allocations = share(rows, requests, policy, planned, now=NOW)
    told = with_circumstances(allocations, requests, rows, limits, planned, now=NOW)
    assert {name: each.limit_a for name, each in told.items()} == {name: each.limit_a for name, each in allocations.items()}
    return {name: each.reason for name, each in told.items()}


def test_a_full_phase_with_its_limit_and_what_is_on_it() -> None:
    reason = reasons(15, [car("a"), car("b")])["a"]
    assert (reason.code, reason.circuit_id, reason.phase, reason.others) == (ReasonCode.CIRCUIT, "garage", Phase.L1, 1)
    assert reason.filled == Filled(limit_a=20.0, unmanaged_a=3.0, reserved_a=2.0)


def test_a_power_ceiling_is_told_in_watts() -> None:
    filled = reasons(17, [car("a", ALL_PHASES)], sum_a=30.0)["a"].filled
    assert filled == Filled(limit_a=40.0, unmanaged_a=9.0, reserved_a=1.0, watts_per_a=230.0)


def test_an_imbalance_with_its_limit_and_what_the_building_makes_of_it() -> None:
    reason = reasons(99, [car("a")], imbalance=Imbalance(limit_a=20.0, unmanaged_a=(9.0, 1.0, 4.0)))["a"]
    assert (reason.code, reason.phase, reason.against) == (ReasonCode.IMBALANCE, Phase.L1, Phase.L2)
    assert reason.filled == Filled(limit_a=20.0, unmanaged_a=8.0)


def test_a_row_that_is_no_circuit_has_nothing_on_it() -> None:
    rows = [
        Headroom(circuit_id="main", parent_id=None, available_a=(99.0, 99.0, 99.0)),
        Headroom(circuit_id="garage", parent_id="main", available_a=(8.0, 8.0, 8.0)),
    ]
    told = with_circumstances(share(rows, [car("a")], Policy.EQUAL_CURRENT, {}, now=NOW), [car("a")], rows, {}, {}, now=NOW)
    assert told["a"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="garage", phase=Phase.L1)


def test_tiers_are_counted_as_they_are_in_use() -> None:
    requests = [car("a", tier=-1), car("b", tier=4), car("c", tier=4), car("none", tier=2, max_a=0.0), car("full", tier=LAST_TIER - 1)]
    found = reasons(40, requests)
    assert {name: (each.tier, each.tiers) for name, each in found.items()} == {
        "a": (1, 2), "b": (2, 2), "c": (2, 2), "none": (1, 2), "full": (0, 2),
    }  # fmt: skip


def test_who_waits_is_told_when_the_turn_before_it_ends_one_after_the_other() -> None:
    requests = [charging("old", 1500), charging("new", 600), car("w1", queue_key=1.0), car("w2", queue_key=2.0), car("w3", queue_key=3.0)]
    found = reasons(13, requests)
    assert [found[name].code for name in ("w1", "w2", "w3")] == [ReasonCode.WAITING] * 3
    assert [found[name].next_at for name in ("w1", "w2", "w3")] == [NOW + 300, NOW + 1200, NOW + 300 + TURN_S]
    assert found["w1"].least_a == 6.0


def test_who_had_less_is_told_an_earlier_turn() -> None:
    requests = [charging("h", 600), car("had", past=Past(short_wh=-9.0)), car("owed", past=Past(short_wh=9.0), queue_key=5.0)]
    found = reasons(7, requests)
    assert (found["owed"].next_at, found["had"].next_at) == (NOW + 1200, NOW + 1200 + TURN_S)


def test_it_really_is_its_turn_then() -> None:
    requests = [charging("old", 1500), charging("new", 600), car("w1", queue_key=1.0)]
    at = reasons(13, requests)["w1"].next_at
    assert at is not None
    rows = [Headroom(circuit_id="garage", parent_id=None, available_a=(13.0, 13.0, 13.0))]
    owed = [replace(each, past=replace(each.past, short_wh=9.0)) if each.request_id == "w1" else each for each in requests]
    assert share(rows, owed, Policy.EQUAL_CURRENT, {}, now=at - 1)["w1"].limit_a == 0
    assert share(rows, owed, Policy.EQUAL_CURRENT, {}, now=at)["w1"].limit_a == 6


@pytest.mark.parametrize(
    "holder",
    [
        charging("h", 99_999, pauses_at=(NOW - 30, NOW - 20, NOW - 10)),
        replace(charging("h", 99_999), pausable=False),
        replace(charging("h", 99_999), tier=-1),
    ],
)
def test_nobody_is_told_a_time_that_nobody_makes_way_at(holder: Request) -> None:
    reason = reasons(7, [holder, car("w")])["w"]
    assert reason.code is ReasonCode.WAITING
    assert reason.next_at in (None, NOW - 30 + HOUR_S)
    assert (reason.next_at is None) == (not holder.past.pauses_at)


def test_a_car_on_other_phases_is_not_in_the_way() -> None:
    other = replace(charging("other", 1700), phases=(Phase.L2,))
    assert reasons(7, [other, charging("h", 600), car("w")])["w"].next_at == NOW + 1200


def test_what_rests_is_told_until_when() -> None:
    rested = car("a", past=Past(pauses_at=(NOW - 50,), changed_at=NOW - 50))
    reason = reasons(20, [rested])["a"]
    assert (reason.code, reason.next_at) == (ReasonCode.RESTING, NOW - 50 + LEAST_OFF_S)
    assert reasons(20, [replace(rested, max_a=0.0, ceiling=ReasonCode.USER)])["a"] == Reason(code=ReasonCode.USER)


def test_what_would_find_no_room_after_its_rest_waits() -> None:
    rested = car("a", past=Past(pauses_at=(NOW - 50,), changed_at=NOW - 50))
    reason = reasons(11, [rested, charging("h", 600)])["a"]
    assert (reason.code, reason.circuit_id, reason.next_at) == (ReasonCode.WAITING, "garage", NOW + 1200)
    assert reasons(5, [rested])["a"].code is ReasonCode.WAITING


def test_what_the_plan_has_charge_later_is_postponed_and_what_it_has_charge_now_waits() -> None:
    need = Need(energy_wh=9000.0, departs_at=NOW + 9 * HOUR_S)
    requests = [replace(charging("a", 10), need=need, pausable=False), car("later", need=need), car("now", need=need)]
    planned = {
        "a": Planned(target_a=6.0, ready_at=NOW + HOUR_S),
        "later": Planned(target_a=0.0, starts_at=NOW + HOUR_S, ready_at=NOW + 2 * HOUR_S),
        "now": Planned(target_a=6.0, starts_at=NOW),
    }
    found = reasons(7, requests, planned, Policy.MOST_ENERGY)
    assert (found["later"].code, found["later"].next_at) == (ReasonCode.POSTPONED, NOW + HOUR_S)
    assert found["later"].outlook == Outlook(energy_wh=9000.0, departs_at=need.departs_at, ready_at=NOW + 2 * HOUR_S)
    assert (found["now"].code, found["now"].next_at) == (ReasonCode.WAITING, None)
    assert found["a"].outlook == Outlook(energy_wh=9000.0, departs_at=need.departs_at, ready_at=NOW + HOUR_S)


def test_an_own_ceiling_between_two_steps_is_told() -> None:
    assert reasons(20, [car("a", max_a=10.7)])["a"].rounded_from_a == 10.7
    assert reasons(20, [car("a", max_a=10.0)])["a"].rounded_from_a is None


def test_a_session_that_was_admitted_only_now_tells_nobody_a_time() -> None:
    assert reasons(7, [car("h"), car("w", queue_key=1.0)])["w"].next_at is None
