"""Days and weeks of a site by chance, with faults by chance, in simulated time."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
import time
from typing import Any

from custom_components.headroom.csms.v201.timing import Timing
from custom_components.headroom.engine.share import Policy
from custom_components.headroom.ledger.records import DecisionRecord, SessionRecord
from simulator.pace import Pace
from simulator.recorder import REACTS_S
from simulator.report import Baseline, Run, build_report
from simulator.site import SimulatedSite
from simulator.virtual import VirtualLoop, run

from .always import complaints_kept
from .chance import Plan, plan
from .drivers import Drivers
from .events import happen
from .journal import Records
from .optimum import most_wh
from .play import moments
from .running import RunningSite
from .story import Told

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
SAMPLES_EVERY_S = 30
HEARTBEATS_EVERY_S = 3600
FAULT_SHADOW_S = 60.0
"""So long after a fault an overload may still be its doing."""
QUIET_BEFORE_S = 120.0
"""So long before anybody comes the site is awake again."""
LEAST_OF_OPTIMUM_PCT = 95.0
"""Of what the optimum would have delivered, where a site is shared for the most energy and knows, as that does, when cars leave."""
FAULTY_OVERLOAD_S = 60.0


@dataclass(slots=True, kw_only=True)
class Overload:
    """A time in which a conductor was over its limit, its tolerance added."""

    at_s: float
    lasted_s: float
    most_a: float
    """By so much at most."""
    faults: tuple[str, ...]
    """What was broken then, or just before."""

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "at_s": round(self.at_s, 1),
            "lasted_s": round(self.lasted_s, 1),
            "most_a": round(self.most_a, 1),
            "faults": list(self.faults),
        }


class SlimRecords(Records):
    """A journal of a long run: of decisions only what the report is made of, of sessions only how many."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self._ended: set[tuple[str, str]] = set()

    @property
    def ended(self) -> int:
        """How many sessions ended."""
        return len(self._ended)

    def record_decision(self, record: DecisionRecord) -> None:
        """Keep what tells of the rule, and one in ten of the others for their times."""
        self.taken += 1
        if record.document["dead_man_violations"] or self.taken % 10 == 0:
            kept = {name: record.document[name] for name in ("cut", "trigger", "acknowledged_s", "dead_man_violations", "turn_ms")}
            self.decisions.append(DecisionRecord(at=record.at, trigger=record.trigger, document=kept))

    def record_session(self, record: SessionRecord) -> None:
        """Count it."""
        if record.ended_at is not None:
            self._ended.add(record.key)


@dataclass(slots=True)
class Watch:
    """What is looked at all the while: overloads, what is broken, and nights that can be slept through."""

    running: RunningSite
    plan: Plan
    overloads: list[Overload] = field(default_factory=list)
    slept_s: float = 0.0
    _over: Overload | None = None
    _broken: dict[str, float] = field(default_factory=dict)
    """Faults, and until when they count."""
    _wakes: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Know when the site has to be awake."""
        spec = self.plan.setting.spec()
        self._wakes = sorted({*(visit.comes_s for visit in spec.visits), *(told.at_s for told in self.plan.events)}, reverse=True)

    async def befall(self, told: Told) -> None:
        """Let a fault come and go."""
        await asyncio.sleep(told.at_s)
        self._broken[str(told)] = float("inf")
        await happen(self.running, told, True)
        await asyncio.sleep(told.lasts_s or 0.0)
        await happen(self.running, told, False)
        self._broken[str(told)] = self.running.time_s + FAULT_SHADOW_S

    def step(self, world: SimulatedSite) -> None:
        """Look at a step."""
        now_s = self.running.time_s
        self._broken = {name: until_s for name, until_s in self._broken.items() if until_s >= now_s}
        over_a = max(max(world.current_a[circuit_id]) - facts.limit_a for circuit_id, facts in world.recorder.circuits.items())
        if over_a > 0 and self._over is None:
            self._over = Overload(at_s=now_s, lasted_s=0.0, most_a=over_a, faults=tuple(self._broken))
        elif over_a > 0 and self._over is not None:
            self._over.most_a = max(self._over.most_a, over_a)
            self._over.faults = tuple(dict.fromkeys([*self._over.faults, *self._broken]))
        elif self._over is not None:
            self._over.lasted_s = now_s - self._over.at_s
            self.overloads.append(self._over)
            self._over = None

    def sleep(self, until_s: float) -> None:
        """Let the time pass in which nobody is there; nothing where somebody is, or anything is under way."""
        now_s, world = self.running.time_s, self.running.world
        while self._wakes and self._wakes[-1] <= now_s:
            self._wakes.pop()
        wakes_s = min(until_s, self._wakes[-1] if self._wakes else until_s) - QUIET_BEFORE_S
        if wakes_s - now_s < QUIET_BEFORE_S or self._broken:
            return
        if any(evse.car is not None for station in world.stations.values() for evse in station.evses.values()):
            return
        if not all(client.idle for client in self.running.driver.clients.values()):
            return
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.slept_s += wakes_s - now_s
        loop.leap(wakes_s - now_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A run. `tell`: drivers say when they leave and what they need; `policy` is what the site is shared for."""

    seed: int
    evses: int
    hours: float
    faults_per_hour: float
    tell: bool = True
    policy: Policy = Policy.MOST_CARS_READY


def soak(chosen: Chosen) -> dict[str, Any]:
    """Run a site by chance and return its report, in the same form as the demo's, with what only a long run has."""
    began = time.perf_counter()
    report = run(_soak(chosen))
    report["wall_s"] = round(time.perf_counter() - began, 1)
    return report


async def _soak(chosen: Chosen) -> dict[str, Any]:
    ends_s = chosen.hours * 3600.0
    planned = plan(seed=chosen.seed, evses=chosen.evses, hours=chosen.hours, faults_per_hour=chosen.faults_per_hour)
    world, records = SimulatedSite(planned.setting.spec(), MONDAY), SlimRecords()
    pace = Pace(moments=[*moments(planned.setting), *(told.at_s for told in planned.events)])
    timing = Timing(heartbeat_interval_s=HEARTBEATS_EVERY_S, sample_interval_s=SAMPLES_EVERY_S, call_timeout_s=10.0)
    running = RunningSite(world, planned.setting.config(), step_s=1.0, records=records, pace=pace, timing=timing)
    watch, reactions_s = Watch(running, planned), list[float]()
    if chosen.tell:
        Drivers(running)

    def turned() -> None:
        reaction_s = running.site.reaction_s
        if reaction_s is not None and (not reactions_s or reactions_s[-1] != reaction_s):
            reactions_s.append(reaction_s)

    running.on_turn.append(turned)
    running.driver.on_step.append(watch.step)
    running.on_second.append(lambda _: watch.sleep(ends_s))
    befallen = [told for told in planned.events if told.at_s < ends_s]
    with complaints_kept() as complaints:
        running.site.set_policy(chosen.policy)
        await running.start()
        events = [asyncio.create_task(watch.befall(told)) for told in befallen]
        try:
            await running.until(ends_s)
            for event in events:
                if event.done():
                    event.result()
        finally:
            for event in events:
                event.cancel()
            await running.stop()
    report = build_report(
        Run(
            fault=f"{len(befallen)} by chance" if befallen else "none",
            recorder=world.recorder,
            baseline=Baseline(elapsed_s=0.0, evse_s=0.0, profile_writes=0, short_s=0.0, short_share_s=0.0),
            decisions=[record.document for record in records.decisions],
            log_troubles=[text.splitlines()[0] for text in complaints.texts],
            ocpp_violations=len(running.driver.violations),
            notes=[violation.text for violation in running.driver.violations[:10]],
        )
    )
    del report["sessions"]
    ready_s = 60.0
    broken = [
        record for record in records.decisions if record.document["dead_man_violations"] and (record.at - MONDAY).total_seconds() > ready_s
    ]
    optimum_wh = most_wh(planned.setting, ends_s)
    worst = sorted(watch.overloads, key=lambda overload: -overload.lasted_s)
    report |= {
        "seed": chosen.seed,
        "evses": chosen.evses,
        "hours": chosen.hours,
        "drivers_tell": chosen.tell,
        "policy": str(chosen.policy),
        "slept_hours": round(watch.slept_s / 3600, 2),
        "faults": len(befallen),
        "trips": world.recorder.trips,
        "decisions": records.taken,
        "dead_man_violations": len(broken),
        "dead_man_broken_at_s": [round((record.at - MONDAY).total_seconds(), 1) for record in broken[:20]],
        "reactions": len(reactions_s),
        "reaction_ms": {"p50": _percentile_ms(reactions_s, 0.5), "p99": _percentile_ms(reactions_s, 0.99)},
        "cars": len(world.recorder.sessions),
        "sessions_ended": records.ended,
        "overloads": len(watch.overloads),
        "overloads_without_fault_s": max((one.lasted_s for one in watch.overloads if not one.faults), default=0.0),
        "longest_overloads": [overload.document() for overload in worst[:10]],
        "optimum_kwh": round(optimum_wh / 1000, 2),
        "energy_of_optimum_pct": round(100 * world.recorder.energy_wh / optimum_wh, 2) if optimum_wh else None,
    }
    report["shortfalls"] = shortfalls(report)
    return report


def shortfalls(report: dict[str, Any]) -> list[str]:
    """Return where a soak did not do what a site is for."""
    found = []
    if report["trips"]:
        found.append(f"a breaker let go {report['trips']} times")
    if report["dead_man_violations"]:
        found.append(f"the dead-man rule did not hold {report['dead_man_violations']} times")
    if report["ocpp_violations"]:
        found.append(f"the central system broke OCPP {report['ocpp_violations']} times")
    if report["overloads_without_fault_s"] > REACTS_S:
        found.append(f"an overload lasted {report['overloads_without_fault_s']:g} s while nothing was broken")
    if report["max_overload_s"] > FAULTY_OVERLOAD_S:
        found.append(f"an overload lasted {report['max_overload_s']:g} s")
    if report["late_overload_as"] > 0:
        found.append(f"{report['late_overload_as']:g} A·s flowed above fuses whose overload had lasted longer than {REACTS_S:g} s")
    of_optimum_pct = report["energy_of_optimum_pct"] if report["policy"] == Policy.MOST_ENERGY and report["drivers_tell"] else None
    if of_optimum_pct is not None and of_optimum_pct < LEAST_OF_OPTIMUM_PCT:  # None, too, where nobody came
        found.append(f"{of_optimum_pct:g} % of the optimum's energy, not {LEAST_OF_OPTIMUM_PCT:g} %")
    return [*found, *(f"the log says: {line}" for line in report["log_troubles"])]


def _percentile_ms(values_s: list[float], share: float) -> float | None:
    ranked = sorted(values_s)
    return round(1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))], 1) if ranked else None
