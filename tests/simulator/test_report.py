"""What the demo says of a run: its figures, what it holds them against, and which of Home Assistant's warnings are ours."""

from typing import Any

import pytest

from simulator.decisions import percentile, reactions_ms
from simulator.homeassistant import free_port, is_our_trouble, read_log
from simulator.recorder import CircuitFacts, Recorder
from simulator.report import Baseline, Run, build_report

LOG = """\
2026-11-23 20:01:33.313 WARNING (MainThread) [homeassistant.loader] We found a custom integration headroom which has not been tested
2026-11-23 20:01:34.000 WARNING (MainThread) [custom_components.headroom.site] EVSE A/1 draws 20.0 A
2026-11-23 20:01:35.000 ERROR (MainThread) [homeassistant.core] Error doing job
Traceback (most recent call last):
  File "/config/custom_components/headroom/sensor.py", line 1, in native_value
2026-11-23 20:01:36.000 ERROR (MainThread) [homeassistant.components.met] No network
2026-11-23 20:01:37.000 INFO (MainThread) [custom_components.headroom] Ready
"""


def decision(acknowledged_s: float | None, *, cut: bool = True, trigger: str = "reading") -> dict[str, Any]:
    return {"acknowledged_s": acknowledged_s, "cut": cut, "trigger": trigger, "dead_man_violations": 0, "turn_ms": 1.0}


def recorder(*, share: float = 0.95, current_a: float = 60.0, trips: int = 0) -> Recorder:
    """An hour in which a car waits while its conductor carries `share` of the fuse."""
    made = Recorder(circuits={"main": CircuitFacts(fuse_a=63.0, limit_a=61.0, trips=trips)})
    made.add_time(3600.0, evses=2)
    made.add_shortage(frozenset({0}), (63.0 * share, 0.0, 0.0), 63.0, 3600.0)
    made.circuits["main"].add((current_a, 0.0, 0.0), 9.0)
    made.profile_writes = 20
    return made


def report(
    made: Recorder,
    *,
    fault: str = "none",
    reactions_s: tuple[float, ...] = (0.05,),
    baseline: Baseline | None = None,
    ocpp_violations: int = 0,
    log_troubles: tuple[str, ...] = (),
) -> dict[str, Any]:
    start, decisions = baseline or Baseline.of(Recorder()), [decision(each) for each in reactions_s]
    return build_report(
        Run(
            fault=fault,
            recorder=made,
            baseline=start,
            decisions=decisions,
            ocpp_violations=ocpp_violations,
            log_troubles=log_troubles,
        )
    )


def test_a_good_run_falls_short_of_nothing() -> None:
    made = report(recorder())
    assert made["shortfalls"] == []
    assert made["capacity_used_pct"] == pytest.approx(95.0)
    assert made["profile_writes_per_evse_hour"] == pytest.approx(10.0)
    assert made["reaction_ms"] == {"p50": 50.0, "p99": 50.0}


@pytest.mark.parametrize(
    ("made", "reactions_s", "words"),
    [
        (recorder(share=0.8), (0.05,), "capacity"),
        (recorder(current_a=62.0), (0.05,), "overload lasted 9 s"),
        (recorder(trips=1), (0.05,), "a breaker tripped"),
        (recorder(), (0.05, 0.6), "reactions"),
        (recorder(), (), "reactions"),
    ],
)
def test_what_falls_short_is_named(made: Recorder, reactions_s: tuple[float, ...], words: str) -> None:
    (shortfall,) = report(made, reactions_s=reactions_s)["shortfalls"]
    assert words in shortfall


@pytest.mark.parametrize("fault", ["none", "station"])
def test_a_central_system_that_breaks_ocpp_falls_short_whatever_else_is_broken(fault: str) -> None:
    made = report(recorder(), fault=fault, ocpp_violations=2)
    assert made["ocpp_violations"] == 2
    assert made["shortfalls"] == ["the central system broke OCPP 2 times"]


@pytest.mark.parametrize("fault", ["none", "meter", "home-assistant"])
def test_what_the_log_complains_of_falls_short_whatever_is_broken(fault: str) -> None:
    made = report(recorder(), fault=fault, log_troubles=("ERROR custom_components.headroom.site.site: A turn failed",))
    assert made["shortfalls"] == ["the log says: ERROR custom_components.headroom.site.site: A turn failed"]


def test_while_something_is_broken_only_the_fuse_counts() -> None:
    assert report(recorder(share=0.5, current_a=70.0), fault="meter", reactions_s=())["shortfalls"] == []
    assert report(recorder(trips=1), fault="meter")["shortfalls"] == ["a breaker tripped"]


def test_the_warm_up_counts_for_overloads_and_not_for_capacity() -> None:
    made = recorder(share=0.4, current_a=62.0)
    baseline = Baseline.of(made)
    made.add_time(60.0, evses=2)
    made.add_shortage(frozenset({0}), (63.0, 0.0, 0.0), 63.0, 60.0)
    found = report(made, baseline=baseline)
    assert found["capacity_used_pct"] == pytest.approx(100.0)
    assert found["measured_s"] == 60.0
    assert found["max_overload_s"] == 9.0


def test_only_acknowledged_cuts_that_a_reading_made_necessary_are_reactions() -> None:
    decisions = [decision(0.1), decision(None), decision(0.2, cut=False), decision(0.3, trigger="user"), decision(0.4)]
    assert reactions_ms(decisions) == [100.0, 400.0]


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(value) for value in range(1, 101)], 0.99) == 99.0
    assert percentile([1.0, 2.0], 0.99) == 2.0


def test_the_log_is_read_with_its_tracebacks_and_only_ours_is_ours() -> None:
    ours = [entry for entry in read_log(LOG) if is_our_trouble(entry)]
    assert [(entry.level, entry.logger) for entry in ours] == [
        ("WARNING", "custom_components.headroom.site"),
        ("ERROR", "homeassistant.core"),
    ]


def test_two_who_ask_for_the_same_port_get_different_ones() -> None:
    first = free_port(0)
    assert free_port(first) != first
