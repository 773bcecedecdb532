"""The site: takes in what meters, stations and people say, turns the loop, and tells the installers what to make true.

Event driven: whatever comes in asks for a turn; there is one turn at a time, over everything, with the newest inputs. A timer
only bounds its age.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
import logging
import math
import time

from ..csms.station import Station
from ..engine.urgency import Urgency
from ..engine.write_budget import WriteBudget
from .access import Access
from .clock import Clock
from .config import EvseKey, Mode, SiteConfig
from .dead_man import DeadManWatch
from .decision import DecisionLog
from .due import of_circuits, of_evses, of_stations
from .evse import EvseState
from .hearing import Hearing
from .intake import Intake
from .judging import Judgement
from .memory import SiteMemory
from .orders import limits_wanted, order_lasting, order_lease, remember, sample_doubtful
from .parting import Parting
from .phase_switching import switch_phases
from .planning import Basis, Runner
from .room import learn_worst, read
from .showing import Showing
from .sleepers import wake
from .snapshot import SiteSnapshot
from .stations import Journal
from .turn import Turn, decide
from .wishes import Wishes

_LOGGER = logging.getLogger(__name__)

TURN_AT_LEAST_EVERY_S = 5.0
TICK_S = 0.01
"""Shorter waits are no waits: what is due so soon is due now."""
KEPT_EVERY_TURNS = 500
"""So often what shadow mode compares is kept for a restart."""
PAUSE_PER_EVSE_S = 0.0005
"""So long the loop rests after a turn for each EVSE it reckoned with: 500 stations that all speak up leave the others a core's time."""


class Site(Wishes, Access, Hearing, Parting, Showing):
    """One grid connection under control. Everything happens on the event loop's thread."""

    def __init__(
        self,
        config: SiteConfig,
        *,
        station: Callable[[str], Station | None],
        clock: Clock | None = None,
        memory: SiteMemory | None = None,
        journal: Journal | None = None,
        on_turn: Callable[[str], None] = lambda trigger: None,
        on_memory: Callable[[], None] = lambda: None,
        on_judgement: Callable[[Judgement], None] = lambda judgement: None,
        run_plan: Runner = asyncio.to_thread,
    ) -> None:
        """`station` looks up the open connection to an identity; `memory` is what was kept over a restart.

        `on_turn` is told what started a turn, once it is over; whoever wants to see it looks at `snapshot`.
        `run_plan` has a plan reckoned beside the loop. `on_judgement` is told who may charge and who may not, each time somebody asks anew.
        """
        super().__init__(config, station=station, clock=clock, memory=memory, on_memory=on_memory, run_plan=run_plan)
        self._journal = journal
        self._on_turn = on_turn
        self._on_judgement = on_judgement
        self._intake = Intake(self._evses, self._clock, journal, clock_offset_s=self._clock_offset_s)
        self._failing = self._blind = False
        self._untold = False
        """What the last turn came to could not be shown."""
        self._alarm = asyncio.Event()
        """A breaker carries more than it does for good: what waits, waits no longer."""
        self._emergency = False
        self._lengths_s: Mapping[EvseKey, float] = {}
        self._turned_at = self._clock.monotonic()
        self._decisions = DecisionLog()
        self._dead_man = DeadManWatch()
        self.turns = 0
        self._newest: Turn | None = None
        self._trigger = ""
        self._fails_since = False
        self._drawn: SiteSnapshot | None = None
        self.configure(config)

    # The loop.

    def start(self) -> None:
        """Begin to turn."""
        self._turning = asyncio.get_running_loop().create_task(self._turn_for_ever(), name="headroom loop")
        for identity in self._installers:
            self._start_installer(identity)

    async def stop(self) -> None:
        """Stop turning; what is installed stays and lapses by itself."""
        tasks = [task for task in (self._turning, *self._installing.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.last_resort.stop()
        await self._keeper.stop()
        await self._planning.stop()
        self._turning = None
        self._installing.clear()

    async def _turn_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._waits_s()):
                    await self._woken.wait()
            except TimeoutError:
                self._triggers.add("timer")
            self._woken.clear()
            self._alarm.clear()
            triggers, self._triggers = self._triggers, set()
            trigger = "reading" if "reading" in triggers else min(triggers)
            try:
                self._turn(trigger)
            except Exception:
                # The next turn may succeed; until one does, the leases lapse.
                if not self._failing:
                    _LOGGER.exception("A turn of the control loop failed")
                    self._fails_since, self._drawn = True, None
                    self._tell(self._trigger)
                self._failing = True
            else:
                if self._failing:
                    _LOGGER.info("The control loop turns again")
                self._failing = False
                self._tell(trigger)
            if (pause_s := PAUSE_PER_EVSE_S * len(self._evses)) > TICK_S:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._alarm.wait()  # what else comes meanwhile is one turn

    def _tell(self, trigger: str) -> None:
        """Tell what a turn came to; whoever fails over that, an entity say, stops no turn."""
        try:
            self._on_turn(trigger)
        except Exception:
            if not self._untold:
                _LOGGER.exception("What a turn came to could not be shown; the control loop goes on")
            self._untold = True
        else:
            if self._untold:
                _LOGGER.info("What turns come to is shown again")
            self._untold = False

    def _waits_s(self) -> float:
        """Return how long to wait for the next turn at most: up to the timer's where a fault of ours hides what is due."""
        try:
            waits_s = self._idle_s()
        except Exception:
            if not self._blind:
                _LOGGER.exception("When the next turn is due can't be told; the timer alone asks for turns")
            self._blind = True
            return TURN_AT_LEAST_EVERY_S
        self._blind = False
        return waits_s

    def _idle_s(self) -> float:
        now = self._clock.monotonic()
        due = [
            *of_evses(self._evses.values(), self._lengths_s, self._latency_s, now),
            *of_stations(self._stations.values(), now),
            *of_circuits(self._circuits.values(), self.config, now),
            self._external.next_change_s(now) or math.inf,
            self.resources.next_change,
        ]
        return max(TICK_S, min([TURN_AT_LEAST_EVERY_S, *(each - now for each in due if each > now)]))

    def _turn(self, trigger: str) -> None:
        started, now = time.perf_counter(), self._clock.monotonic()
        for leaver in self.leaving.gone(self._evses, self._inventory_of, now):
            self.let_go(leaver)
        evses = list(self._evses.values())
        if self.authorization.turn():
            self._on_memory()
        self._keeper.changed(self.authorization.version)
        for evse in evses:
            evse.take_silence(now)
            evse.forget_lapsed(now)
            evse.drivers_priority = self.authorization.priority(evse.key)
            evse.budget = evse.budget.on(now, charging=evse.session is not None) if self.config.spares_flash else WriteBudget(at_s=now)
        for installer in self._installers.values():
            installer.obedience.watch(now)
        utcnow = self._clock.utcnow()
        if self.standing.tidy(self._evses, utcnow):
            self._on_memory()
        if self._external.turn(now):
            self._on_memory()
        self.standing.apply(self._evses, self._stations, voltage_v=self.config.voltage_v, utcnow=utcnow, now=now)
        if self._visits.turn(evses, self.config.zone, utcnow, now):
            self._on_memory()
        if self._phase_maps.turn(self._circuits, evses, now):
            self._on_memory()
        self.resources.reckon(self._circuits, self.config, now)
        read(self._circuits, evses, self.config, now)
        if learn_worst(self._circuits, evses, now, utcnow.timestamp()):
            self._on_memory()
        peak = self.peak.turn(self._circuits[self.config.root.circuit_id], evses, self.config, utcnow.timestamp())
        if self.peak.to_keep(utcnow.timestamp(), self.config.peak):
            self._on_memory()
        if wake(evses, self.mode, now):
            self._on_memory()
        sharing, imagined = self._planning.sharing(self.policy), set[EvseKey]()
        if self.mode is Mode.SHADOW:
            turn, imagined = self._shadow.turn(
                self._circuits, evses, self._external, self.config, sharing, now=now, utcnow=utcnow, peak=peak
            )
            if self.turns % KEPT_EVERY_TURNS == 0:
                self._on_memory()
        else:
            turn = decide(self._circuits, evses, self._external, self.config, self.mode, sharing, now, peak)
        self._lengths_s = {evse.key: turn.leases.length_s(evse) for evse in evses}
        for circuit_id, state in self._circuits.items():
            state.bears(turn.leases.blind_s[circuit_id])
        switch_phases(evses, turn, self._inventory_of, self.authorization.keeps_phases, self.mode, now)
        mode, wanted = self.mode, limits_wanted(evses)
        for evse in evses:
            order_lease(evse, turn, mode, self._latency_s(evse), now)
        order_lasting(self._circuits, evses, self._installers.values(), turn, self.mode, now)
        if self.mode is not Mode.SHADOW:
            remember(evses, turn, now - self._turned_at, now)
        self._turned_at = now
        before, self._emergency = self._emergency, any(each.strain.urgency is Urgency.AT_ONCE for each in self._circuits.values())
        if not self._emergency:
            self._planning.look(
                Basis(policy=self.policy, headrooms=turn.headrooms, requests=turn.requests, limits_a=turn.limits_a, asked_at=now)
            )
        elif not before:
            for installer in self._installers.values():
                installer.hurry()
        if self.mode is Mode.DYNAMIC:
            self.last_resort.relieve(self._circuits, evses, turn.requests, now, utcnow)
            for installer in self._installers.values():
                self.last_resort.end_overdraws(installer.obedience.overdrawn(), now, utcnow)
        if not self.mode.silent:
            self.last_resort.give_back(self._circuits, evses, now, utcnow)
        sample_doubtful(self._circuits, evses, self.mode, now)
        self._dead_man.look(self._circuits, evses, now)
        for installer in self._installers.values():
            installer.turned(now)
        self.turns += 1
        changed = {key for key, limits in limits_wanted(evses).items() if limits != wanted.get(key)}
        self._record(trigger, turn, changed | imagined, now, (time.perf_counter() - started) * 1000)
        self._begin_day()
        self._newest, self._trigger, self._fails_since, self._drawn = turn, trigger, False, None

    def _latency_s(self, evse: EvseState) -> float | None:
        return self._installers[evse.key.station].latency_s

    # What installers report.

    def confirmed(self, evse: EvseState, latency_s: float) -> None:
        """Take note of a confirmed limit: room may be free now, and a token may be waiting for it."""
        self._confirmed(evse)
        self.request_turn("confirmed")

    def renewed(self, evse: EvseState, latency_s: float) -> None:
        """Take note of a lease that goes on as it was: nothing to turn for, unless somebody waits for leases to be told anew."""
        self._confirmed(evse)
        if self._newest is None or self._newest.leases.tight or self._dead_man.health.holds is not True:
            self.request_turn("confirmed")

    def _confirmed(self, evse: EvseState) -> None:
        now = self._clock.monotonic()
        self._decisions.confirmed(evse.key, evse.limit_a(now), now)
        self._confirmation.set()
        self._confirmation = asyncio.Event()
        self._on_memory()

    def failed(self, evse: EvseState) -> None:
        """Take note that a limit could not be installed."""
        self._decisions.failed(evse.key)
        self.request_turn("confirmed")
