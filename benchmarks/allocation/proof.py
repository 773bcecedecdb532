"""What --check asks for: each figure that is missed, in words."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean

from .jobs import BASELINES, CAPACITIES_KW, NOISE_MIN, OPTIMUM, OURS, Result

OPTIMUM_PERCENT = {20.0: 77.68, 30.0: 92.48, 40.0: 98.71, 50.0: 99.95, 70.0: 100.0}
"""kW → what is known of Caltech's March: the programme that finds anything else is wrong."""
OPTIMUM_WITHIN = 0.02
MOST_ENERGY_PERCENT = {20.0: 76.8, 30.0: 91.2, 40.0: 98.2, 50.0: 99.7}
MOST_PAUSES, MOST_WRITES = 0.4, 8.0
JAIN_WITHIN = 0.005
EUROPE_OF_OPTIMUM_PERCENT = 98.5
LEAST_TIMES_FASTER = {50: (8.0, 30.0), 500: (70.0, 400.0)}
"""Active sessions → by how many times the whole, and the filling alone, is faster than Caltech's LLF."""
MOST_P99_TO_MEDIAN = 3.0

type Key = tuple[str, float, str]
"""Part, capacity and policy."""


def misses(results: Sequence[Result], speed: Sequence[Result], *, whole_march: bool) -> list[str]:
    """Return every figure that falls short, among those that were measured.

    `whole_march` tells that the data are Caltech's and no day is left out; elsewhere shares of the optimum stand for percentages.
    """
    noisy: dict[str, list[Result]] = {}
    for result in results:
        if result["part"] == "noise" and "lost_points" in result:
            noisy.setdefault(result["policy"], []).append(result)
    by_key = {(result["part"], result["capacity_kw"], result["policy"]): result for result in results}
    return [
        *(optimum_misses(by_key) if whole_march else ()),
        *energy_misses(by_key, whole_march=whole_march),
        *(miss for kw in CAPACITIES_KW for miss in against_baselines(by_key, kw)),
        *manners_misses(by_key),
        *europe_misses(by_key),
        *taper_misses(by_key),
        *noise_misses(noisy),
        *speed_misses(speed),
    ]


def optimum_misses(by_key: Mapping[Key, Result]) -> Iterator[str]:
    """Yield where the optimum is not the known one."""
    for kw, percent in OPTIMUM_PERCENT.items():
        result = by_key.get(("caltech", kw, OPTIMUM))
        if result and abs(result["met_percent"] - percent) > OPTIMUM_WITHIN:
            yield f"optimum, {kw:g} kW: {result['met_percent']} % met, {percent} % is known"


def energy_misses(by_key: Mapping[Key, Result], *, whole_march: bool) -> Iterator[str]:
    """Yield where the policy of most energy gives too little."""
    for kw, percent in MOST_ENERGY_PERCENT.items():
        result = by_key.get(("caltech", kw, "most_energy"))
        if not result:
            continue
        if whole_march and result["met_percent"] < percent:
            yield f"most_energy, {kw:g} kW: {result['met_percent']} % met, less than {percent} %"
        share = 100 * percent / OPTIMUM_PERCENT[kw]
        if not whole_march and result.get("of_optimum_percent", 100.0) < share:
            yield f"most_energy, {kw:g} kW: {result['of_optimum_percent']} % of the optimum, less than {share:.2f} %"


def against_baselines(by_key: Mapping[Key, Result], kw: float) -> Iterator[str]:
    """Yield where one of Caltech's own algorithms is ahead."""
    baselines = [by_key[key] for policy in BASELINES if (key := ("caltech", kw, policy)) in by_key]
    if not baselines:
        return
    least_short, most_met = min(each["short"] for each in baselines), max(each["met_percent"] for each in baselines)
    fairest = max(each["jain"] for each in baselines)
    if cars := by_key.get(("caltech", kw, "most_cars_ready")):
        if cars["short"] > least_short:
            yield f"most_cars_ready, {kw:g} kW: {cars['short']} sessions short, a baseline {least_short}"
        if cars["met_percent"] < most_met:
            yield f"most_cars_ready, {kw:g} kW: {cars['met_percent']} % met, a baseline {most_met} %"
    for policy in OURS:
        result = by_key.get(("caltech", kw, policy))
        if result and result["jain"] < fairest - JAIN_WITHIN:
            yield f"{policy}, {kw:g} kW: Jain index {result['jain']}, a baseline {fairest}"


def manners_misses(by_key: Mapping[Key, Result]) -> Iterator[str]:
    """Yield where ours overloads anything anywhere, or on the plain months pauses or writes too much."""
    for (part, kw, policy), result in by_key.items():
        if policy not in OURS:
            continue
        if result["overload_as"] > 0:
            yield f"{policy}, {part}, {kw:g} kW: {result['overload_as']} A·s of overload"
        if part == "caltech" and result["pauses_per_session"] > MOST_PAUSES:
            yield f"{policy}, {kw:g} kW: {result['pauses_per_session']} pauses a session, more than {MOST_PAUSES}"
        if part == "caltech" and result["writes_per_session"] > MOST_WRITES:
            yield f"{policy}, {kw:g} kW: {result['writes_per_session']} writes a session, more than {MOST_WRITES}"


def europe_misses(by_key: Mapping[Key, Result]) -> Iterator[str]:
    """Yield where ours is too far from the European tree's optimum."""
    for policy in OURS:
        percent = by_key.get(("europe", 0.0, policy), {}).get("of_optimum_percent")
        if percent is not None and percent < EUROPE_OF_OPTIMUM_PERCENT:
            yield f"{policy}, European tree: {percent} % of its optimum, less than {EUROPE_OF_OPTIMUM_PERCENT} %"


def taper_misses(by_key: Mapping[Key, Result]) -> Iterator[str]:
    """Yield where one of Caltech's algorithms gives batteries that taper as much energy as ours."""
    for kw in CAPACITIES_KW:
        for policy in OURS:
            ours = by_key.get(("taper", kw, policy))
            for baseline in BASELINES:
                other = by_key.get(("taper", kw, baseline))
                if ours and other and ours["met_percent"] <= other["met_percent"]:
                    yield f"{policy}, taper, {kw:g} kW: {ours['met_percent']} % met, {baseline} {other['met_percent']} %"


def noise_misses(by_policy: Mapping[str, Sequence[Result]]) -> Iterator[str]:
    """Yield where wrong departures cost ours more than they cost EDF, or leave ours behind it.

    The cost is the mean over the draws and capacities: at a single one EDF may gain by chance.
    """
    edf = by_policy.get("edf", ())
    for policy in OURS:
        ours = by_policy.get(policy, ())
        if not ours or not edf:
            continue
        loses, edf_loses = (round(mean(each["lost_points"] for each in of), 3) for of in (ours, edf))
        if loses > edf_loses:
            yield f"{policy}, departures wrong by {NOISE_MIN} minutes: loses {loses} points, EDF {edf_loses}"
        for kw in sorted({each["capacity_kw"] for each in ours}):
            met, edf_met = (round(mean(each["met_percent"] for each in of if each["capacity_kw"] == kw), 3) for of in (ours, edf))
            if met < edf_met:
                yield f"{policy}, departures wrong by {NOISE_MIN} minutes, {kw:g} kW: {met} % met, EDF {edf_met} %"


def speed_misses(speed: Sequence[Result]) -> Iterator[str]:
    """Yield where ours is not enough faster than Caltech's LLF, or now and then much slower than usual."""
    for active, (least_whole, least_filling) in LEAST_TIMES_FASTER.items():
        timings = {timing["policy"]: timing for timing in speed if timing["active"] == active}
        for policy in OURS:
            ours, llf = timings.get(policy), timings.get("llf")
            if not ours:
                continue
            for part, least in (("whole", least_whole), ("filling", least_filling)) if llf else ():
                times = llf["whole"]["p50_ms"] / ours[part]["p50_ms"]
                if times < least:
                    yield f"{policy}, {active} sessions: the {part} is {times:.1f} times faster than LLF, less than {least:g}"
            p99, p50 = ours["whole"]["p99_ms"], ours["whole"]["p50_ms"]
            if active == min(LEAST_TIMES_FASTER) and p99 > MOST_P99_TO_MEDIAN * p50:
                yield f"{policy}, {active} sessions: 99th percentile {p99} ms, more than {MOST_P99_TO_MEDIAN:g} times the median {p50} ms"
