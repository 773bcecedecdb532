"""What --check asks for: silent where every figure is reached, and naming the one that is not."""

from typing import Any

import pytest

from benchmarks.allocation.jobs import BASELINES, CAPACITIES_KW, NOISE_KW, OPTIMUM, OURS, TAPER_KW, Result, crowds, months
from benchmarks.allocation.proof import OPTIMUM_PERCENT, misses
from benchmarks.allocation.report import compared, tables

NEED_KWH = 8893.4
BEST_BASELINE = {"met_percent": 75.0, "short": 200, "jain": 0.95}


def month(part: str, policy: str, kw: float, **figures: Any) -> Result:
    optimum = OPTIMUM_PERCENT.get(kw, 98.0)
    plain = {"met_percent": optimum if policy == OPTIMUM else optimum - 0.2 if policy in OURS else optimum - 2.0} | figures
    return {
        "part": part,
        "policy": policy,
        "capacity_kw": kw,
        "site": "europe" if part == "europe" else "caltech",
        "days": "all",
        "active": 0,
        "delivered_kwh": NEED_KWH * plain["met_percent"] / 100,
        "short": 180 if policy in OURS else 200,
        "jain": 0.96,
        "pauses_per_session": 0.3 if policy in OURS else 2.0,
        "writes_per_session": 7.0 if policy in OURS else 12.0,
        "overload_as": 0.0,
        "whole": {"p50_ms": 5.0, "p99_ms": 9.0},
    } | plain


def good() -> list[Result]:
    policies = (OPTIMUM, *BASELINES, *OURS)
    caltech = [month("caltech", policy, kw) for kw in CAPACITIES_KW for policy in policies]
    europe = [month("europe", policy, 0.0) for policy in policies]
    taper = [month("taper", policy, kw) for kw in TAPER_KW for policy in (*BASELINES, *OURS)]
    noise = [month("noise", "edf", kw, met_percent=OPTIMUM_PERCENT[kw] - 3.5) for kw in NOISE_KW]
    noise += [month("noise", policy, kw, met_percent=OPTIMUM_PERCENT[kw] - 1.0) for kw in NOISE_KW for policy in OURS]
    return caltech + europe + taper + noise


def timings() -> list[Result]:
    ours = {50: (4.0, 1.0), 500: (50.0, 8.0)}
    llf_ms = {50: 40.0, 500: 4000.0}
    found: list[Result] = []
    for active in (50, 500):
        found.append({"active": active, "policy": "llf", "whole": {"calls": 3, "p50_ms": llf_ms[active], "p99_ms": llf_ms[active]}})
        whole_ms, filling_ms = ours[active]
        found += [
            {
                "active": active,
                "policy": policy,
                "whole": {"calls": 9, "p50_ms": whole_ms, "p99_ms": 2 * whole_ms},
                "filling": {"calls": 9, "p50_ms": filling_ms, "p99_ms": filling_ms},
            }
            for policy in OURS
        ]
    return found


def found(results: list[Result], speed: list[Result], *, whole_march: bool = True) -> list[str]:
    return misses(compared(results), speed, whole_march=whole_march)


@pytest.mark.parametrize("whole_march", [True, False])
def test_nothing_is_missed_where_all_is_reached(whole_march: bool) -> None:
    assert found(good(), timings(), whole_march=whole_march) == []


@pytest.mark.parametrize(
    ("part", "policy", "kw", "figures", "says"),
    [
        ("caltech", OPTIMUM, 30.0, {"met_percent": 92.9}, "optimum, 30 kW"),
        ("caltech", "most_energy", 20.0, {"met_percent": 76.79}, "most_energy, 20 kW"),
        ("caltech", "most_cars_ready", 40.0, {"short": 201}, "most_cars_ready, 40 kW: 201 sessions short"),
        ("caltech", "most_cars_ready", 50.0, {"met_percent": 97.9}, "most_cars_ready, 50 kW: 97.9 % met"),
        ("caltech", "llf", 70.0, {"short": 0}, "most_cars_ready, 70 kW: 180 sessions short, a baseline 0"),
        ("caltech", "edf", 20.0, {"jain": 0.9651}, "Jain"),
        ("caltech", "most_energy", 30.0, {"pauses_per_session": 0.41}, "0.41 pauses"),
        ("caltech", "most_cars_ready", 30.0, {"writes_per_session": 8.1}, "8.1 writes"),
        ("taper", "most_energy", 30.0, {"overload_as": 1.0}, "1.0 A·s of overload"),
        ("europe", "most_energy", 0.0, {"met_percent": 96.0, "delivered_kwh": NEED_KWH * 0.96}, "European tree"),
        ("taper", "round_robin", 50.0, {"met_percent": 99.9}, "round_robin 99.9 %"),
        ("noise", "most_energy", 20.0, {"met_percent": 70.0}, "most_energy, departures wrong by 45 minutes"),
        ("noise", "most_cars_ready", 50.0, {"met_percent": 96.0}, "most_cars_ready, departures wrong by 45 minutes"),
    ],
)
def test_a_figure_that_falls_short_is_named(part: str, policy: str, kw: float, figures: dict[str, Any], says: str) -> None:
    results = [
        month(part, policy, kw, **figures) if (each["part"], each["policy"], each["capacity_kw"]) == (part, policy, kw) else each
        for each in good()
    ]
    named = found(results, timings())
    assert named and all(says in each for each in named)


def test_without_caltechs_march_the_share_of_the_optimum_counts() -> None:
    results = [each | {"delivered_kwh": each["delivered_kwh"] * 0.98} if each["policy"] == "most_energy" else each for each in good()]
    named = found(results, [], whole_march=False)
    assert any(each.startswith("most_energy, 20 kW") and "of the optimum, less than 98.87 %" in each for each in named)


@pytest.mark.parametrize(
    ("active", "part", "key", "value_ms", "says"),
    [
        (50, "whole", "p50_ms", 5.1, "50 sessions: the whole is 7.8 times faster"),
        (500, "filling", "p50_ms", 10.1, "500 sessions: the filling is 396.0 times faster"),
        (50, "whole", "p99_ms", 12.1, "99th percentile 12.1 ms"),
    ],
)
def test_a_call_that_takes_too_long_is_named(active: int, part: str, key: str, value_ms: float, says: str) -> None:
    speed = timings()
    (slow,) = (each for each in speed if each["active"] == active and each["policy"] == "most_energy")
    slow[part][key] = value_ms
    (named,) = found([], speed)
    assert says in named


def test_what_was_not_measured_is_not_missed() -> None:
    assert found([], []) == []
    assert found([month("caltech", "most_cars_ready", 30.0)], []) == []


def test_the_tables_have_a_row_for_each_month_and_each_crowd() -> None:
    results, speed = compared(good()), timings()
    lines = [line for line in tables(results, speed) if any(policy in line for policy in (OPTIMUM, *BASELINES, *OURS))]
    headings = sum("policy" in line for line in tables(results, speed))
    assert headings == 5
    assert len([line for line in lines if "policy" not in line]) == len(results) + len(speed)


def test_jobs_cover_every_table_and_only_what_was_asked_for() -> None:
    policies = (OPTIMUM, *BASELINES, *OURS)
    jobs = months(parts=("caltech", "europe", "taper", "noise"), policies=policies, capacities_kw=CAPACITIES_KW, days="all")
    assert len(jobs) == len(policies) * (len(CAPACITIES_KW) + 1) + 6 * len(TAPER_KW) + 3 * 3 * len(NOISE_KW)
    (only,) = months(parts=("caltech",), policies=("edf",), capacities_kw=(30.0,), days="tune")
    assert (only.policy, only.capacity_kw, only.days, only.timed) == ("edf", 30.0, "tune", False)
    timed = crowds(policies=policies, quick=False)
    assert all(job.timed for job in timed)
    assert {job.policy for job in timed if job.active == 500} == {"llf", *OURS}
