"""Reasons in words."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.headroom.engine.explain import SENTENCES, explain
from custom_components.headroom.engine.model import Filled, Outlook, Phase, Reason, ReasonCode

NAMES = {"g": "Garage", "main": "Main"}
NOW = 5000.0
MINUTE_S, HOUR_S = 60.0, 3600.0


def wall_clock(at: float) -> datetime:
    """At NOW it is ten past nine in the evening of a Monday."""
    return datetime(2026, 3, 2, 21, 10, tzinfo=UTC) + timedelta(seconds=at - NOW)


@pytest.mark.parametrize(
    ("limit_a", "reason", "sentence"),
    [
        (
            10.0,
            Reason(code=ReasonCode.CIRCUIT, circuit_id="g", phase=Phase.L2, others=3),
            "10 A: Garage L2 is full, shared with 3 other cars",
        ),
        (
            10.4,
            Reason(code=ReasonCode.CIRCUIT, circuit_id="g", phase=Phase.L1, others=1),
            "10.4 A: Garage L1 is full, shared with 1 other car",
        ),
        (
            10.0,
            Reason(
                code=ReasonCode.CIRCUIT,
                circuit_id="g",
                phase=Phase.L2,
                others=1,
                filled=Filled(limit_a=32.0, unmanaged_a=12.0),
                tier=2,
                tiers=3,
            ),
            "10 A: Garage L2 is full (32 A): the building 12 A, 1 other car; tier 2 of 3",
        ),
        (
            9.0,
            Reason(code=ReasonCode.CIRCUIT, circuit_id="g", phase=Phase.L2, filled=Filled(limit_a=32.0, unmanaged_a=12.2, reserved_a=10.6)),
            "9 A: Garage L2 is full (32 A): the building 12 A, 11 A in reserve",
        ),
        (
            30.0,
            Reason(code=ReasonCode.CIRCUIT, circuit_id="g", phase=Phase.L2, filled=Filled(limit_a=20.0, unmanaged_a=-10.0)),
            "30 A: Garage L2 is full (20 A): the building gives 10 A",
        ),
        (
            20.0,
            Reason(code=ReasonCode.CIRCUIT, circuit_id="g", phase=Phase.L2, filled=Filled(limit_a=20.0, unmanaged_a=0.3)),
            "20 A: Garage L2 is full (20 A)",
        ),
        (8.0, Reason(code=ReasonCode.CIRCUIT, circuit_id="g"), "8 A: Garage (all phases together) is full"),
        (
            8.0,
            Reason(code=ReasonCode.CIRCUIT, circuit_id="g", others=2, filled=Filled(limit_a=48.0, unmanaged_a=10.0, watts_per_a=230.0)),
            "8 A: Garage (all phases together) is full (11.0 kW): the building 2.3 kW, 2 other cars",
        ),
        (
            10.0,
            Reason(
                code=ReasonCode.CIRCUIT,
                circuit_id="g",
                phase=Phase.L2,
                filled=Filled(limit_a=32.0, unmanaged_a=12.0),
                outlook=Outlook(energy_wh=12_400.0, departs_at=NOW + 590 * MINUTE_S, ready_at=NOW + 392 * MINUTE_S),
            ),
            "10 A: Garage L2 is full (32 A): the building 12 A; planned: leaves 07:00, needs 12 kWh more, will have it by about 03:40",
        ),
        (
            10.0,
            Reason(code=ReasonCode.CIRCUIT, circuit_id="g", phase=Phase.L2, outlook=Outlook(energy_wh=2_400.0, departs_at=NOW + HOUR_S)),
            "10 A: Garage L2 is full; planned: leaves 22:10, needs 2.4 kWh more, will not have all of it by then",
        ),
        (
            10.0,
            Reason(
                code=ReasonCode.CIRCUIT, circuit_id="g", phase=Phase.L2, outlook=Outlook(energy_wh=2_400.0, departs_at=NOW + 24 * HOUR_S)
            ),
            "10 A: Garage L2 is full; planned: leaves Tue 21:10, needs 2.4 kWh more, will not have all of it by then",
        ),
        (
            0.0,
            Reason(code=ReasonCode.WAITING, circuit_id="main", phase=Phase.L1, others=2, least_a=6.0, next_at=NOW + 31 * MINUTE_S),
            "0 A: waits its turn, next at about 21:40: Main L1 (2 other cars) has no room for its least current of 6 A",
        ),
        (
            0.0,
            Reason(
                code=ReasonCode.WAITING,
                circuit_id="main",
                phase=Phase.L1,
                others=2,
                least_a=6.0,
                filled=Filled(limit_a=25.0, unmanaged_a=12.0),
                tier=0,
                tiers=2,
            ),
            (
                "0 A: waits its turn: Main L1 (25 A: the building 12 A, 2 other cars) has no room for its least current of 6 A; "
                "served after all others, for it seems to be full"
            ),
        ),
        (
            0.0,
            Reason(
                code=ReasonCode.POSTPONED,
                circuit_id="main",
                phase=Phase.L1,
                others=1,
                least_a=6.0,
                next_at=NOW + 5 * HOUR_S,
                outlook=Outlook(energy_wh=12_400.0, departs_at=NOW + 590 * MINUTE_S, ready_at=NOW + 392 * MINUTE_S),
            ),
            (
                "0 A: its time is later by the plan, from about 02:10: Main L1 (1 other car) has no room for its least current of 6 A now; "
                "planned: leaves 07:00, needs 12 kWh more, will have it by about 03:40"
            ),
        ),
        (0.0, Reason(code=ReasonCode.RESTING, next_at=NOW + 119), "0 A: was paused a moment ago, starts again at 21:12 at the earliest"),
        (
            7.0,
            Reason(code=ReasonCode.IMBALANCE, circuit_id="g", phase=Phase.L3, against=Phase.L1, others=1),
            "7 A: Garage L3 would rise too far above L1, shared with 1 other car",
        ),
        (
            7.0,
            Reason(
                code=ReasonCode.IMBALANCE,
                circuit_id="g",
                phase=Phase.L3,
                against=Phase.L1,
                filled=Filled(limit_a=20.0, unmanaged_a=13.0),
            ),
            "7 A: Garage L3 would rise too far above L1 (20 A): the building 13 A",
        ),
        (
            0.0,
            Reason(code=ReasonCode.WAITING, circuit_id="g", phase=Phase.L2, against=Phase.L1),
            "0 A: waits its turn: Garage L2, which may not rise too far above L1, has no room for its least current",
        ),
        (
            6.0,
            Reason(code=ReasonCode.RAMP, rises_to_a=16.0),
            "6 A: there is room for 16 A, it follows once the freed current is seen to be gone",
        ),
        (16.0, Reason(code=ReasonCode.CAR), "16 A: the car takes no more"),
        (
            10.0,
            Reason(code=ReasonCode.USER, rounded_from_a=10.66),
            "10 A: the maximum current that was set by hand (10.7 A, the station goes by steps)",
        ),
        (6.0, Reason(code=ReasonCode.CIRCUIT, circuit_id="removed", phase=Phase.L3), "6 A: removed L3 is full"),
        (6.0, Reason(code=ReasonCode.CIRCUIT), "6 A: the site (all phases together) is full"),
        (6.0, Reason(code=ReasonCode.METER_LOST, circuit_id="main"), "6 A: the meter of Main is silent, its worst case is reckoned with"),
        (
            0.0,
            Reason(code=ReasonCode.CIRCUIT_GONE),
            "0 A: the circuit that feeds it was deleted, nothing may be drawn here until a person says where it hangs",
        ),
    ],
)
def test_a_driver_reads_what_stops_the_car(limit_a: float, reason: Reason, sentence: str) -> None:
    assert explain(limit_a, reason, NAMES, wall_clock, NOW) == sentence


@pytest.mark.parametrize("code", ReasonCode)
def test_every_code_has_a_sentence_of_its_own(code: ReasonCode) -> None:
    sentence = explain(6.0, Reason(code=code, circuit_id="g", phase=Phase.L1, against=Phase.L2), NAMES, wall_clock, NOW)
    assert sentence.startswith("6 A: ")
    assert "{" not in sentence
    assert [other for other, words in SENTENCES.items() if words == SENTENCES[code]] == [code]
