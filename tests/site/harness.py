"""A site under control, told as a user's story: cars come, the building draws, things break; then its physics are asked.

The real loop, the real central system and the simulator's stations talk over memory transports in simulated time (`proving/`). Every
scenario ends with what always holds (`proving/always.py`).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from custom_components.headroom.engine.model import ALL_PHASES, Circuit, Phase
from custom_components.headroom.site.config import AuthorizationPolicy, Mode
from custom_components.headroom.site.memory import SiteMemory
from proving.always import broken, complaints_kept
from proving.place import CARS_COME_S, READY_S, Place, car, steps
from proving.play import moments
from proving.running import METER_EVERY_S
from proving.scenario import Moment, Scenario
from proving.setting import QUIET, Setting, main_fuse, numbered
from simulator.building import Load
from simulator.pace import Pace
from simulator.site import SimulatedSite, Visit
from simulator.virtual import START

__all__ = ["CARS_COME_S", "METER_EVERY_S", "READY_S", "Moment", "Place", "Scenario", "car", "scenario", "steps"]


@asynccontextmanager
async def scenario(
    *places: Place,
    fuse_a: float = 63.0,
    margin_a: float = 2.0,
    worst_case_a: float = 25.0,
    phases: tuple[Phase, ...] = ALL_PHASES,
    voltage_v: float = 230.0,
    imbalance_a: float | None = None,
    building: Load | None = None,
    circuits: Sequence[Circuit] = (),
    visits: Sequence[Visit] = (),
    metered: bool = True,
    policy: AuthorizationPolicy = AuthorizationPolicy(free=True),
    mode: Mode | None = None,
    over_limit_s: float = 6.0,
    tolerance_a: float = 0.0,
    dead_man_from_s: float | None = READY_S,
    step_s: float = 0.2,
    paced: bool = False,
    complains: bool = False,
) -> AsyncIterator[Scenario]:
    """Run a site with these parking places, and hold it to what always holds.

    `over_limit_s`: no conductor may be over its limit (fuse − margin) for longer; `tolerance_a` above it do not count. `dead_man_from_s`:
    from then on the dead-man rule holds (None: the scenario breaks what it rests on). `complains`: something is to be logged as an error.
    `paced`, for stories of hours: physics and meter go in steps of a second while anything moves, and of five while nothing does.
    `circuits` hang below the main fuse; `visits` are cars besides the places' own.
    """
    main = main_fuse(fuse_a=fuse_a, margin_a=margin_a, worst_case_a=worst_case_a, phases=phases, metered=metered, imbalance_a=imbalance_a)
    setting = Setting(
        circuits=(main, *circuits),
        places=numbered(places),
        loads={"main": building or QUIET},
        visits=visits,
        policy=policy,
        voltage_v=voltage_v,
        tolerance_a=tolerance_a,
    )
    memory = None if mode is None else SiteMemory(mode=mode)
    pace = Pace(moments=moments(setting)) if paced else None
    story = Scenario(SimulatedSite(setting.spec(), START), setting.config(), step_s=step_s, memory=memory, places=places, pace=pace)
    with complaints_kept() as complaints:
        try:
            await story.start()
            yield story
        finally:
            await story.stop()
    texts = [] if complains else complaints.texts
    assert not (amiss := broken(story, over_limit_s=over_limit_s, dead_man_from_s=dead_man_from_s, complaints=texts)), amiss
