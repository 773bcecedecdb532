"""Plays a story in simulated time, and judges what came of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simulator.building import StepLoad
from simulator.pace import Pace
from simulator.report import Baseline, Run, build_report
from simulator.site import SimulatedSite
from simulator.virtual import run

from .always import broken, complaints_kept
from .events import OF_THE_FILE, happen, subject_kind
from .figures import FIGURES, Figure
from .journal import FiledRecords, Records
from .meter import SimulatedMeter
from .running import METER_EVERY_S, RunningSite
from .setting import Setting
from .story import Expected, Story, Told

SETTLES_S = 3.0
"""So long after anything happened the physics are stepped finely."""
STILL_S = 4.9
"""While nothing moves a step is no longer: a little less than the time after which the loop turns without a reading, so that it turns once for each."""
DRAWN = {"circuit": ("l1_a", "l2_a", "l3_a", "limit_a"), "station": ("draw_a", "limit_a")}
"""The figures that a picture of the run needs."""


@dataclass(slots=True, kw_only=True)
class Trace:
    """The figures of a run at each second, by subject and name."""

    at_s: list[float] = field(default_factory=list)
    figures: dict[tuple[str, str], list[Figure]] = field(default_factory=dict)

    def look(self, running: RunningSite, wanted: Sequence[tuple[str, str, str]]) -> None:
        """Write down the figures that are wanted: (kind, subject, name)."""
        self.at_s.append(running.time_s)
        for kind, of, name in wanted:
            self.figures.setdefault((of, name), []).append(FIGURES[kind][name](running, of))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a story. `failures` are what is not as it was to be, in words."""

    story: Story
    trace: Trace
    report: dict[str, Any]
    failures: Sequence[str]


def play(story: Story, *, drawn: bool = False) -> Outcome:
    """Play a story to its end. `drawn`: keep what a picture of it needs, too."""
    with TemporaryDirectory() as folder:
        return run(_play(story, Path(folder), drawn=drawn))


async def _play(story: Story, folder: Path, *, drawn: bool) -> Outcome:
    setting, trace = story.setting, Trace()
    wanted = {(_kind(one.of, story), one.of, name): None for one in story.expected for name in one.figures}
    if drawn:
        subjects = [*(circuit.circuit_id for circuit in setting.circuits), *setting.places]
        wanted |= {(_kind(of, story), of, name): None for of in subjects for name in DRAWN[_kind(of, story)]}
    world = SimulatedSite(setting.spec(), story.starts)
    filed = FiledRecords(folder / "ledger.db", lambda: world.now) if any(told.what in OF_THE_FILE for told in story.events) else None
    coarse_s = min(STILL_S, max(2 * METER_EVERY_S, 10 * story.step_s))
    pace = Pace(moments=moments(setting), fine_s=story.step_s, coarse_s=coarse_s, settles_s=SETTLES_S)
    running = RunningSite(world, setting.config(), step_s=story.step_s, records=filed or Records(), pace=pace)
    running.meters = {one: SimulatedMeter(f"meter of {one}", noise_a=story.noise_a) for one in running.meters}
    running.on_second.append(lambda _: trace.look(running, list(wanted)))
    with complaints_kept() as complaints:
        if filed is not None:
            await filed.open()
        await running.start()
        events = [asyncio.create_task(_befall(running, told)) for told in story.events]
        try:
            await running.until(story.lasts_s)
            for event in events:
                if event.done():
                    event.result()
        finally:
            for event in events:
                event.cancel()
            await running.stop()
        if filed is not None:
            await filed.close()
    always = story.always
    texts = [] if always.complains else complaints.texts
    amiss = broken(running, over_limit_s=always.overload_s, dead_man_from_s=always.dead_man_from_s, complaints=texts, trips=always.trips)
    return Outcome(
        story=story,
        trace=trace,
        report=report_of(running, ", ".join(str(told) for told in story.events) or "none", notes=[*amiss]),
        failures=[*amiss, *(found for expected in story.expected for found in missed(expected, trace))],
    )


def moments(setting: Setting) -> list[float]:
    """Return when the building changes and cars come and go."""
    changes = [at_s for load in setting.loads.values() if isinstance(load, StepLoad) for at_s, _ in load.levels]
    return [*changes, *(at_s for visit in setting.spec().visits for at_s in (visit.comes_s, visit.leaves_s) if at_s is not None)]


async def _befall(running: RunningSite, told: Told) -> None:
    await asyncio.sleep(told.at_s)
    await happen(running, told, True)
    if told.lasts_s is not None:
        await asyncio.sleep(told.lasts_s)
        await happen(running, told, False)


def report_of(running: RunningSite, fault: str, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the run's report, in the same form as the demo's."""
    return build_report(
        Run(
            fault=fault,
            recorder=running.world.recorder,
            baseline=Baseline(elapsed_s=0.0, evse_s=0.0, profile_writes=0, short_s=0.0, short_share_s=0.0),
            decisions=[record.document for record in running.records.decisions],
            ocpp_violations=len(running.driver.violations),
            notes=notes,
        )
    )


def missed(expected: Expected, trace: Trace) -> list[str]:
    """Return what of an expectation did not come true, a sentence for each figure."""
    found = []
    for name, comparison in expected.figures.items():
        values = trace.figures[expected.of, name]
        # A second is written down at its end.
        looks = [(at_s, value) for at_s, value in zip(trace.at_s, values, strict=True) if expected.from_s <= at_s <= expected.to_s]
        if not looks:
            looks = [min(zip(trace.at_s, values, strict=True), key=lambda look: abs(look[0] - expected.from_s))]
        wrong = [(at_s, value) for at_s, value in looks if not comparison.holds(value)]
        if wrong and not (expected.once and len(wrong) < len(looks)):
            at_s, value = wrong[-1] if expected.once else wrong[0]
            shown = f"{value:.2f}" if isinstance(value, float) else value
            found.append(f"line {expected.line}: at {at_s:.0f} s {expected.of} {name} is {shown}, not {comparison.text}")
    return found


def _kind(of: str, story: Story) -> str:
    kind = subject_kind(of, story.setting)
    assert kind is not None
    return kind
