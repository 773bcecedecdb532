"""Whoever allows least decides, as long as the limit is valid."""

from dataclasses import replace
import math

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.demand_response.limits import Ceiling, ExternalLimit, ExternalLimits, Failsafe, LowestLimits

UTILITY = ExternalLimit(source="utility", circuit_id="main", limit_w=4140.0)
ROOF = ExternalLimit(source="automation", circuit_id="main", limit_a=16.0)


def limits_of(*limits: ExternalLimit) -> ExternalLimits:
    external = ExternalLimits()
    for limit in limits:
        external.set(limit)
    return external


def test_nobody_limits_a_circuit_without_limits() -> None:
    assert limits_of(UTILITY).lowest("garage", 0.0, 230.0) == LowestLimits()
    assert limits_of().next_change_s(0.0) is None


def test_amps_and_watts_are_told_apart_with_their_sources() -> None:
    assert limits_of(UTILITY, ROOF).lowest("main", 0.0, 230.0) == LowestLimits(
        per_phase=Ceiling(limit_a=16.0, source="automation"), phase_sum=Ceiling(limit_a=18.0, source="utility")
    )


def test_one_limit_in_amps_and_watts_gives_both() -> None:
    both = ExternalLimit(source="oscp", circuit_id="main", limit_a=10.0, limit_w=2300.0)
    assert limits_of(both).lowest("main", 0.0, 230.0) == LowestLimits(
        per_phase=Ceiling(limit_a=10.0, source="oscp"), phase_sum=Ceiling(limit_a=10.0, source="oscp")
    )


def test_zero_is_a_limit() -> None:
    stop = ExternalLimit(source="grid emergency", circuit_id="main", limit_a=0.0)
    assert limits_of(ROOF, stop).lowest("main", 0.0, 230.0).per_phase == Ceiling(limit_a=0.0, source="grid emergency")


def test_a_limit_holds_from_its_start_until_just_before_its_end() -> None:
    evening = replace(ROOF, valid_from_s=100.0, valid_to_s=200.0)
    external = limits_of(evening)
    held = {now_s: external.lowest("main", now_s, 230.0).per_phase is not None for now_s in (99.9, 100.0, 199.9, 200.0)}
    assert held == {99.9: False, 100.0: True, 199.9: True, 200.0: False}
    assert [external.next_change_s(now_s) for now_s in (0.0, 100.0, 150.0, 200.0)] == [100.0, 200.0, 200.0, None]


def test_silence_brings_the_last_limit_then_the_failsafe_then_nothing() -> None:
    external = limits_of(replace(UTILITY, failsafe=Failsafe(from_s=120.0, to_s=240.0, limit_a=6.0)))
    last = LowestLimits(phase_sum=Ceiling(limit_a=18.0, source="utility"))
    failsafe = LowestLimits(per_phase=Ceiling(limit_a=6.0, source="utility", failsafe=True))
    held = [external.lowest("main", now_s, 230.0) for now_s in (0.0, 119.9, 120.0, 239.9, 240.0)]
    assert held == [last, last, failsafe, failsafe, LowestLimits()]
    assert [external.next_change_s(now_s) for now_s in (0.0, 120.0, 240.0)] == [120.0, 240.0, None]


def test_a_failsafe_without_an_end_holds_until_its_source_speaks_again() -> None:
    external = limits_of(replace(UTILITY, failsafe=Failsafe(from_s=120.0, limit_w=2300.0)))
    assert external.lowest("main", 1e6, 230.0).phase_sum == Ceiling(limit_a=10.0, source="utility", failsafe=True)
    external.set(replace(UTILITY, failsafe=Failsafe(from_s=2e6, limit_w=2300.0)))
    assert external.lowest("main", 1e6, 230.0).phase_sum == Ceiling(limit_a=18.0, source="utility")


def test_a_source_that_limits_nothing_now_has_a_failsafe_all_the_same() -> None:
    external = limits_of(ExternalLimit(source="utility", circuit_id="main", failsafe=Failsafe(from_s=120.0, limit_a=6.0)))
    assert external.lowest("main", 119.0, 230.0) == LowestLimits()
    assert external.lowest("main", 120.0, 230.0).per_phase == Ceiling(limit_a=6.0, source="utility", failsafe=True)


def test_a_limit_that_ends_before_its_source_is_silent_leaves_nothing_in_between() -> None:
    external = limits_of(replace(ROOF, valid_to_s=60.0, failsafe=Failsafe(from_s=120.0, to_s=180.0, limit_a=6.0)))
    held = [(one.limit_a if (one := external.lowest("main", now_s, 230.0).per_phase) else None) for now_s in (59.0, 60.0, 120.0, 180.0)]
    assert held == [16.0, None, 6.0, None]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [({}, "neither"), ({"limit_a": -1.0}, "limit_a"), ({"limit_w": math.nan}, "limit_w"), ({"limit_a": 6.0, "to_s": 120.0}, "ends")],
)
def test_a_failsafe_that_cannot_be_meant_is_refused(wrong: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Failsafe(**{"from_s": 120.0, **wrong})


def test_when_the_lowest_ends_the_next_lowest_holds() -> None:
    external = limits_of(ROOF, ExternalLimit(source="utility", circuit_id="main", limit_a=8.0, valid_to_s=60.0))
    assert external.lowest("main", 59.0, 230.0).per_phase == Ceiling(limit_a=8.0, source="utility")
    assert external.lowest("main", 60.0, 230.0).per_phase == Ceiling(limit_a=16.0, source="automation")


def test_a_source_that_speaks_again_replaces_its_own_limit_only() -> None:
    external = limits_of(UTILITY, ROOF, replace(ROOF, circuit_id="garage", limit_a=6.0), replace(ROOF, limit_a=32.0))
    assert external.lowest("main", 0.0, 230.0).per_phase == Ceiling(limit_a=32.0, source="automation")
    assert external.lowest("main", 0.0, 230.0).phase_sum == Ceiling(limit_a=18.0, source="utility")
    assert external.lowest("garage", 0.0, 230.0).per_phase == Ceiling(limit_a=6.0, source="automation")


def test_a_cleared_limit_is_gone() -> None:
    external = limits_of(ROOF, replace(ROOF, source="utility"))
    assert external.clear("automation", "main")
    assert not external.clear("automation", "main")
    assert external.lowest("main", 0.0, 230.0).per_phase == Ceiling(limit_a=16.0, source="utility")


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("unit", ["limit_a", "limit_w"])
def test_a_limit_that_cannot_be_true_is_refused(unit: str, wrong: float) -> None:
    with pytest.raises(ValueError, match=f"{unit} from utility"):
        ExternalLimit(source="utility", circuit_id="main", **{unit: wrong})


@pytest.mark.parametrize(
    ("valid_from_s", "valid_to_s", "complaint"), [(5.0, 5.0, "ends"), (6.0, 5.0, "ends"), (math.nan, None, "from"), (None, math.inf, "to")]
)
def test_a_window_that_cannot_be_meant_is_refused(valid_from_s: float | None, valid_to_s: float | None, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(ROOF, valid_from_s=valid_from_s, valid_to_s=valid_to_s)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        ExternalLimit(source="utility", circuit_id="main")


@pytest.mark.parametrize("voltage_v", [0.0, -230.0, math.nan])
def test_a_voltage_that_cannot_be_true_is_refused(voltage_v: float) -> None:
    with pytest.raises(ValueError, match="voltage_v"):
        limits_of(UTILITY).lowest("main", 0.0, voltage_v)


TIMES_S = st.integers(0, 20).map(float)
AMOUNTS = st.integers(0, 5).map(float)


@st.composite
def external_limits(draw: st.DrawFn) -> ExternalLimit:
    limit_a, limit_w = draw(st.tuples(st.none() | AMOUNTS, st.none() | AMOUNTS).filter(lambda pair: pair != (None, None)))
    begin_s, end_s = sorted(draw(st.tuples(TIMES_S, TIMES_S).filter(lambda pair: pair[0] != pair[1])))
    return ExternalLimit(
        source=draw(st.sampled_from("abc")),
        circuit_id=draw(st.sampled_from(["main", "garage"])),
        limit_a=limit_a,
        limit_w=limit_w,
        valid_from_s=draw(st.sampled_from([None, begin_s])),
        valid_to_s=draw(st.sampled_from([None, end_s])),
    )


LIMITS = st.lists(external_limits(), max_size=8, unique_by=lambda limit: (limit.source, limit.circuit_id))


@given(limits=LIMITS, now_s=TIMES_S, data=st.data())
def test_the_order_of_arrival_does_not_matter(limits: list[ExternalLimit], now_s: float, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(limits))
    assert limits_of(*limits).lowest("main", now_s, 230.0) == limits_of(*shuffled).lowest("main", now_s, 230.0)


@given(limits=LIMITS, now_s=TIMES_S)
def test_the_lowest_is_a_valid_limit_and_no_valid_limit_is_lower(limits: list[ExternalLimit], now_s: float) -> None:
    valid = [
        limit
        for limit in limits
        if limit.circuit_id == "main" and (limit.valid_from_s or 0.0) <= now_s and (limit.valid_to_s is None or limit.valid_to_s > now_s)
    ]
    amps = {(limit.limit_a, limit.source) for limit in valid if limit.limit_a is not None}
    watts = {(limit.limit_w, limit.source) for limit in valid if limit.limit_w is not None}
    found = limits_of(*limits).lowest("main", now_s, 2.0)
    if found.per_phase is None:
        assert not amps
    else:
        assert (found.per_phase.limit_a, found.per_phase.source) in amps
        assert all(found.per_phase.limit_a <= limit_a for limit_a, _ in amps)
    if found.phase_sum is None:
        assert not watts
    else:
        assert (found.phase_sum.limit_a * 2.0, found.phase_sum.source) in watts
        assert all(found.phase_sum.limit_a * 2.0 <= limit_w for limit_w, _ in watts)


@given(limits=LIMITS, now_s=TIMES_S)
def test_nothing_changes_before_the_next_change(limits: list[ExternalLimit], now_s: float) -> None:
    external = limits_of(*limits)
    change_s = external.next_change_s(now_s)
    assert change_s is None or change_s > now_s
    later_s = 100.0 if change_s is None else math.nextafter(change_s, now_s)
    for circuit_id in ("main", "garage"):
        assert external.lowest(circuit_id, later_s, 230.0) == external.lowest(circuit_id, now_s, 230.0)


@given(limits=LIMITS, now_s=TIMES_S)
def test_a_change_is_where_some_window_opens_or_closes(limits: list[ExternalLimit], now_s: float) -> None:
    change_s = limits_of(*limits).next_change_s(now_s)
    if change_s is not None:
        assert any(change_s in {limit.valid_from_s, limit.valid_to_s} for limit in limits)
