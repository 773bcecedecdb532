"""Reasons in words."""

import pytest

from custom_components.headroom.engine.explain import SENTENCES, explain
from custom_components.headroom.engine.model import Phase, Reason, ReasonCode

NAMES = {"g": "Garage", "main": "Main"}


@pytest.mark.parametrize(
    ("limit_a", "reason", "sentence"),
    [
        (10.0, Reason(code=ReasonCode.CIRCUIT, circuit_id="g", phase=Phase.L2, others=3), "10 A: Garage L2 is full, shared with 3 others"),
        (10.4, Reason(code=ReasonCode.CIRCUIT, circuit_id="g", phase=Phase.L1, others=1), "10.4 A: Garage L1 is full, shared with 1 other"),
        (8.0, Reason(code=ReasonCode.CIRCUIT, circuit_id="g"), "8 A: Garage (all phases together) is full"),
        (
            0.0,
            Reason(code=ReasonCode.WAITING, circuit_id="main", phase=Phase.L1, others=2),
            "0 A: waits its turn, Main L1 has no room for its least current, shared with 2 others",
        ),
        (
            7.0,
            Reason(code=ReasonCode.IMBALANCE, circuit_id="g", phase=Phase.L3, against=Phase.L1, others=1),
            "7 A: Garage L3 would rise too far above L1, shared with 1 other",
        ),
        (
            0.0,
            Reason(code=ReasonCode.WAITING, circuit_id="g", phase=Phase.L2, against=Phase.L1),
            "0 A: waits its turn, Garage L2, which may not rise too far above L1, has no room for its least current",
        ),
        (16.0, Reason(code=ReasonCode.CAR), "16 A: the car takes no more"),
        (6.0, Reason(code=ReasonCode.CIRCUIT, circuit_id="removed", phase=Phase.L3), "6 A: removed L3 is full"),
        (6.0, Reason(code=ReasonCode.CIRCUIT), "6 A: the site (all phases together) is full"),
        (6.0, Reason(code=ReasonCode.METER_LOST, circuit_id="main"), "6 A: the meter of Main is silent, its worst case is reckoned with"),
    ],
)
def test_a_driver_reads_what_stops_the_car(limit_a: float, reason: Reason, sentence: str) -> None:
    assert explain(limit_a, reason, NAMES) == sentence


@pytest.mark.parametrize("code", ReasonCode)
def test_every_code_has_a_sentence_of_its_own(code: ReasonCode) -> None:
    sentence = explain(6.0, Reason(code=code, circuit_id="g", phase=Phase.L1, against=Phase.L2), NAMES)
    assert sentence.startswith("6 A: ")
    assert "{" not in sentence
    assert [other for other, words in SENTENCES.items() if words == SENTENCES[code]] == [code]
