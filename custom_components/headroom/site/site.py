"""The site: takes in what meters, stations and people say, turns the loop, and tells the installers what to make true.

Event driven: whatever comes in asks for a turn; there is one turn at a time, over everything, with the newest inputs. A timer
only bounds its age.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
import logging
import math
import time
from typing import Any

from ..csms.authorization import ReservationEnded
from ..csms.events import (
    Booted,
    ChargingLimit,
    Connected,
    Disconnected,
    EventsLost,
    InventoryRead,
    Metered,
    Ready,
    StationEvent,
    StatusChanged,
    TransactionEvent,
)
from ..csms.needs import EvNeeds
from ..csms.station import Station
from ..csms.values import Admission
from ..engine.urgency import Urgency, large
from ..ledger.records import DecisionRecord
from ..metering.reading import MeterError, Reading
from .access import Access
from .authorization import Judgement
from .clock import Clock, wall_clock
from .config import EvseKey, Mode, SiteConfig
from .dead_man import DeadManWatch
from .decision import Decision, DecisionLog, circuit_document, evse_document
from .evse import EvseState
from .intake import Intake
from .memory import SiteMemory
from .orders import limits_wanted, order_lasting, order_lease, remember, renew_s, sample_doubtful
from .phase_switching import switch_phases
from .planning import Basis, Runner
from .room import read
from .sleepers import wake
from .snapshot import DeadManHealth, SiteSnapshot
from .stations import Journal, StationState
from .turn import Turn, decide
from .view import snapshot_of
from .wishes import Wishes

_LOGGER = logging.getLogger(__name__)

TURN_AT_LEAST_EVERY_S = 5.0
TICK_S = 0.01
"""Shorter waits are no waits: what is due so soon is due now."""
KEPT_EVERY_TURNS = 500
"""So often what shadow mode compares is kept for a restart."""
PAUSE_PER_EVSE_S = 0.0005
"""So long the loop rests after a turn for each EVSE it reckoned with: 500 stations that all speak up leave the others a core's time."""


class Site(Wishes, Access):
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
        self._intake = Intake(self._evses, self._clock, journal)
        self._failing = False
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
        """The turns after the newest one fail."""
        self._drawn: SiteSnapshot | None = None
        """The snapshot, once somebody has looked at the newest turn."""
        self.configure(config)

    # What meters say.

    def update_reading(self, measured_id: str, reading: Reading) -> None:
        """Take in a reading of a circuit, or of a PV system or battery."""
        if (state := self._circuits.get(measured_id)) is None:
            if self.resources.update_reading(measured_id, reading, self.config.voltage_v):
                self.request_turn("resource")
            return
        state.reading, state.meter_error = reading, None
        if large(state.circuit, reading.current_a):
            self._alarm.set()
        state.arrived_at = self._clock.monotonic()
        if measured_id == self.config.root.circuit_id:
            self.peak.read(reading, self.config, state.arrived_at, self._posix_zero_s())
        self.request_turn("reading")

    def meter_health(self, measured_id: str, error: MeterError | None) -> None:
        """Take note that a meter broke or is heard again; its readings' age is what counts."""
        if (state := self._circuits.get(measured_id)) is not None:
            state.meter_error = None if error is None else str(error)
        self.resources.meter_health(measured_id, error)

    def meter_changed(self, measured_id: str) -> None:
        """Take note that another meter speaks from now on, or the same one read otherwise: what the one before showed is forgotten."""
        if (state := self._circuits.get(measured_id)) is not None:
            state.forget_meter(self._clock.monotonic())
            self._phase_maps.meter_changed(measured_id)

    def tell_peak(self, window_average_w: float | None, month_peak_w: float | None) -> None:
        """Take in what the meter itself tells of the running quarter-hour and of the month's highest one; None is not told now."""
        self.peak.tell(window_average_w=window_average_w, month_peak_w=month_peak_w, utcnow=self._clock.utcnow(), zone=self.config.zone)

    # What stations say.

    def admit(self, identity: str) -> Admission:
        """Tell how a station that connects is to be answered."""
        return Admission.ACCEPTED if identity in self.config.stations else Admission.PENDING

    def handle(self, identity: str, event: StationEvent) -> None:
        """Take in what a station said."""
        state = self._stations.setdefault(identity, StationState(identity=identity, since=self._clock.utcnow()))
        state.last_heard = self._clock.utcnow()
        if self.authorization.take(identity, event):
            self._on_memory()
        match event:
            case Connected(remote=remote):
                state.online, state.remote, state.booted, state.away_since = True, remote, False, None
            case Booted(info=info):
                state.info = info
                if info.boot_reason != "Triggered":
                    self._rebooted(identity, state)
            case InventoryRead(info=info, inventory=inventory):
                state.info, state.inventory = info, inventory
            case Ready(info=info, inventory=inventory):
                state.info, state.inventory = info, inventory
                self._ready(identity, state)
            case Disconnected():
                state.online, state.away_since = False, self._clock.utcnow()
                self._gone(identity)
                if state.config is None:
                    del self._stations[identity]
            case StatusChanged() | TransactionEvent() | Metered():
                self._intake.take(identity, event)
            case ChargingLimit():
                self._intake.limit(identity, event, state.external)
            case EvNeeds():
                self._intake.needs(identity, event)
                self._on_memory()
            case EventsLost():
                self._intake.lost(identity, event)
            case ReservationEnded():
                pass  # taken above
            case _:
                return
        self.request_turn("station")

    def _rebooted(self, identity: str, state: StationState) -> None:
        state.booted = True
        for evse in self._of(identity):
            # TxProfiles need not survive a reboot (K01.FR.27): the lease may hold or not.
            if evse.lease is not None:
                evse.doubt(evse.lease.limit_a, evse.lease.expires_at)
            evse.lease, evse.fallback_current = None, False

    def _ready(self, identity: str, state: StationState) -> None:
        if (installer := self._installers.get(identity)) is None or (station := self._station(identity)) is None:
            return
        for evse in self._of(identity):
            evse.ready = evse.status_unknown = True
            evse.sample_at = self._clock.monotonic()
        self.standing.reconnected(identity)
        installer.connected(station, booted=state.booted)
        self._keeper.connected(identity, station)
        state.booted = False

    def _gone(self, identity: str) -> None:
        now = self._clock.monotonic()
        for evse in self._of(identity):
            evse.gone_at = now if evse.ready else evse.gone_at
            if evse.ready and evse.heard and evse.session is None and not evse.transaction_unknown:
                evse.idle_at = now
            evse.ready = evse.heard = evse.transaction_unknown = False
            evse.heard_at = math.inf
            evse.session = None if evse.session is None else replace(evse.session, live=False)
        if (installer := self._installers.get(identity)) is not None:
            installer.disconnected()
        self._keeper.disconnected(identity)

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
                async with asyncio.timeout(self._idle_s()):
                    await self._woken.wait()
            except TimeoutError:
                self._triggers.add("timer")
            self._woken.clear()
            self._alarm.clear()
            triggers, self._triggers = self._triggers, set()
            try:
                self._turn("reading" if "reading" in triggers else min(triggers))
            except Exception:
                # The next turn may succeed; until one does, the leases lapse.
                if not self._failing:
                    _LOGGER.exception("A turn of the control loop failed")
                    self._fails_since, self._drawn = True, None
                    self._on_turn(self._trigger)
                self._failing = True
            else:
                if self._failing:
                    _LOGGER.info("The control loop turns again")
                self._failing = False
            if (pause_s := PAUSE_PER_EVSE_S * len(self._evses)) > TICK_S:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._alarm.wait()  # what else comes meanwhile is one turn

    def _idle_s(self) -> float:
        now = self._clock.monotonic()
        due = []
        due += [
            evse.lease.expires_at - renew_s(self._lengths_s.get(evse.key, 0.0), self._latency_s(evse))
            for evse in self._evses.values()
            if evse.lease is not None and evse.ready
        ]
        due += [each.expires_at for evse in self._evses.values() for each in (evse.lease, evse.first_lease) if each is not None]
        due += [evse.standing.next_change(now) for evse in self._evses.values() if evse.standing is not None]
        due += [evse.profile.next_change(now) for evse in self._evses.values() if evse.profile is not None]
        due += [each.next_change(now) for evse in self._evses.values() for each in evse.external.values()]
        due += [each.next_change(now) for state in self._stations.values() for each in state.external.values()]
        due += [self._external.next_change_s(now) or math.inf]
        due += [self.resources.next_change]
        due += [state.strain.next_change for state in self._circuits.values()]
        for state in self._circuits.values():
            ages = (self.config.meter_stale_after_s, self.config.meter_lost_after_s)
            taken_at = state.since if state.reading is None else state.reading.taken_at
            due += [taken_at + age_s for age_s in ages if taken_at + age_s > now]
        return max(TICK_S, min([TURN_AT_LEAST_EVERY_S, *(each - now for each in due if each > now)]))

    def _turn(self, trigger: str) -> None:
        started, now = time.perf_counter(), self._clock.monotonic()
        evses = list(self._evses.values())
        if self.authorization.turn():
            self._on_memory()
        self._keeper.changed(self.authorization.version)
        for evse in evses:
            evse.take_silence(now)
            evse.forget_lapsed(now)
            evse.budget = evse.budget.on(now, charging=evse.session is not None)
        for installer in self._installers.values():
            installer.obedience.watch(now)
        utcnow = self._clock.utcnow()
        if self.standing.tidy(self._evses, utcnow):
            self._on_memory()
        if self._external.turn(now):
            self._on_memory()
        self.standing.apply(self._evses, self._stations, voltage_v=self.config.voltage_v, utcnow=utcnow, now=now)
        if self._visits.turn(evses, self.config.time_zone, utcnow, now):
            self._on_memory()
        if self._phase_maps.turn(self._circuits, evses, now):
            self._on_memory()
        self.resources.reckon(self._circuits, self.config, now)
        read(self._circuits, evses, self.config, now)
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
        self._lengths_s = {evse.key: turn.length_s(evse) for evse in evses}
        if self.mode is Mode.DYNAMIC:
            switch_phases(evses, turn, self._inventory_of, self.authorization.keeps_phases, self.mode, now)
        wanted = limits_wanted(evses)
        for evse in evses:
            order_lease(evse, turn, self.mode, self._latency_s(evse), now)
        order_lasting(self._circuits, evses, self._installers.values(), self.mode, self.config.voltage_v)
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
        self._on_turn(trigger)

    def _latency_s(self, evse: EvseState) -> float | None:
        return self._installers[evse.key.station].latency_s

    # What installers report.

    def confirmed(self, evse: EvseState, latency_s: float) -> None:
        """Take note of a confirmed limit: room may be free now, and a token may be waiting for it."""
        now = self._clock.monotonic()
        self._decisions.confirmed(evse.key, evse.limit_a(now), now)
        self._confirmation.set()
        self._confirmation = asyncio.Event()
        self._on_memory()
        self.request_turn("confirmed")

    def failed(self, evse: EvseState) -> None:
        """Take note that a limit could not be installed."""
        self._decisions.failed(evse.key)
        self.request_turn("confirmed")

    # What is kept and shown.

    def _record(self, trigger: str, turn: Turn, changed: set[EvseKey], now: float, turn_ms: float) -> None:
        arrived = [state.arrived_at for state in self._circuits.values() if state.arrived_at is not None]
        for state in self._circuits.values():
            state.arrived_at = None
        if not changed:
            return
        cuts = {key: order.limit_a for key in changed if (order := self._evses[key].wanted_lease) is not None and order.urgent}
        for key in changed:
            order = self._evses[key].wanted_lease
            self._decisions.superseded(key, None if order is None else order.limit_a)
        names = {circuit_id: state.circuit.name for circuit_id, state in self._circuits.items()}
        available = {row.circuit_id: row.available_a for row in turn.headrooms}
        local = wall_clock(self._clock, self.config.zone)
        decision = Decision(
            number=self.turns,
            at=self._clock.utcnow(),
            trigger=trigger,
            circuits={circuit_id: circuit_document(state, available[circuit_id], now) for circuit_id, state in self._circuits.items()},
            evses={str(key): evse_document(evse, turn, names, local, now) for key, evse in self._evses.items()},
            cut=bool(cuts),
            lease_s=turn.lease_s,
            dead_man_violations=len(self._dead_man.health.violations),
            turn_ms=turn_ms,
            policy=str(turn.sharing.policy),
            plan_age_s=turn.sharing.age_s(now),
        )
        self._decisions.add(decision, cuts, min(arrived) if trigger == "reading" and arrived else now)
        if self._journal is not None:
            self._journal.record_decision(DecisionRecord(at=decision.at, trigger=trigger, document=decision.document()))

    def _begin_day(self) -> None:
        """Count the writes of each day on their own."""
        today = self._today()
        if self._writes_day != today:
            self._writes_day = today
            for installer in self._installers.values():
                installer.writes_today = 0

    @property
    def reaction_s(self) -> float | None:
        """From the last reading that made a cut necessary to the last station's acknowledgement."""
        return self._decisions.reaction_s

    @property
    def dead_man(self) -> DeadManHealth:
        """Whether the dead-man rule held in the newest turn."""
        return self._dead_man.health

    @property
    def snapshot(self) -> SiteSnapshot:
        """The site by its newest turn; drawn when somebody looks: turns may be many more than looks."""
        if self._drawn is None:
            self._drawn = self._draw()
        return self._drawn

    def _draw(self) -> SiteSnapshot:
        drawn = snapshot_of(
            config=self.config,
            mode=self.mode,
            policy=self.policy,
            circuits=self._circuits,
            stations=self._stations,
            installers=self._installers,
            evses=self._evses,
            turn=self._newest,
            authorization=self.authorization,
            last_resort=self.last_resort,
            reaction_s=self._decisions.reaction_s,
            shadow=self._shadow.comparison if self.mode is Mode.SHADOW else None,
            peak=self.peak.snapshot(self.config, self._clock.utcnow().timestamp()) if self.config.root.metered else None,
            dead_man=self._dead_man.health,
            clock=self._clock,
            resources=self.resources.snapshots(self._clock.monotonic()),
        )
        return replace(drawn, trigger=self._trigger, failing=self._fails_since)

    def documents(self, count: int) -> list[dict[str, Any]]:
        """Return the last decisions, the newest last, as JSON-able data."""
        return self._decisions.documents(count)
