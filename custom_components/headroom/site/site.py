"""The site: takes in what meters, stations and people say, turns the loop, and tells the installers what to make true.

Event driven: whatever comes in asks for a turn; there is one turn at a time, over everything, with the newest inputs. A timer
only bounds its age.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
import logging
import math
import time
from typing import Any

from ..csms.authorization import AuthorizationStatus, IdToken, IdTokenInfo, ReservationEnded
from ..csms.errors import StationOfflineError
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
from ..csms.values import Admission, Inventory
from ..demand_response.limits import ExternalLimit, ExternalLimits
from ..ledger.records import DecisionRecord
from ..metering.reading import MeterError, Reading
from .authorization import Authorization, Judgement
from .circuit import CircuitState
from .clock import Clock, LoopClock
from .config import EvseKey, Mode, SiteConfig
from .decision import Decision, DecisionLog, circuit_document, evse_document
from .evse import EvseState
from .installer import Installer
from .intake import Intake
from .limits import LeaseOrder, LimitsOverTime
from .memory import EvseMemory, SiteMemory
from .offline import Keeper
from .orders import limits_wanted, order_lasting, order_lease, renew_s, rotate, sample_doubtful
from .remote_start import MAKE_WAY_S, first_lease, start, takes_first_lease
from .reservations import Reservation, cancel, reserve
from .snapshot import SiteSnapshot
from .standing import StandingLimit, StandingLimits, Storing
from .stations import Journal, StationState
from .storing import store, take_away
from .turn import Turn, dead_man_violations, decide, read
from .view import snapshot_of

_LOGGER = logging.getLogger(__name__)

TURN_AT_LEAST_EVERY_S = 5.0
TICK_S = 0.01
"""Shorter waits are no waits: what is due so soon is due now."""
PAUSE_PER_EVSE_S = 0.0005
"""So long the loop rests after a turn for each EVSE it reckoned with: 500 stations that all speak up leave the others a core's time."""
FALLBACK_WAIT_S = 10.0
"""How long a token waits for the fallback to be confirmed before it is turned away."""


class Site:
    """One grid connection under control. Everything happens on the event loop's thread."""

    def __init__(
        self,
        config: SiteConfig,
        *,
        station: Callable[[str], Station | None],
        clock: Clock | None = None,
        memory: SiteMemory | None = None,
        journal: Journal | None = None,
        on_turn: Callable[[SiteSnapshot], None] = lambda snapshot: None,
        on_memory: Callable[[], None] = lambda: None,
        on_judgement: Callable[[Judgement], None] = lambda judgement: None,
    ) -> None:
        """`station` looks up the open connection to an identity; `memory` is what was kept over a restart.

        `on_judgement` is told who may charge and who may not, each time somebody asks anew.
        """
        self.config = config
        self._station = station
        self._clock = clock or LoopClock()
        self._journal = journal
        self._on_turn = on_turn
        self._on_memory = on_memory
        self._on_judgement = on_judgement
        memory = memory or SiteMemory()
        self._remembered = dict(memory.evses)
        self._chosen_mode = memory.mode
        self._circuits: dict[str, CircuitState] = {}
        self._stations: dict[str, StationState] = {}
        self._evses: dict[EvseKey, EvseState] = {}
        self._installers: dict[str, Installer] = {}
        self._installing: dict[str, asyncio.Task[None]] = {}
        self._intake = Intake(self._evses, self._clock, journal)
        self._external = ExternalLimits()
        self._triggers: set[str] = set()
        self._woken = asyncio.Event()
        self._confirmation = asyncio.Event()
        self.authorization = Authorization(evses=self._evses, inventory_of=self._inventory_of, now=self._clock.utcnow)
        self.authorization.recall(memory.authorization)
        self.standing = StandingLimits()
        self.standing.recall(memory.standing)
        self._keeper = Keeper(self.authorization.offline, self._guarded, self._tokens_health)
        self._turning: asyncio.Task[None] | None = None
        self._failing = False
        self._lease_s = 0.0
        self._writes_day: date | None = None
        self._decisions = DecisionLog()
        self.turns = 0
        self.configure(config)
        self.snapshot = self._snapshot()

    # What people and Home Assistant say.

    def configure(self, config: SiteConfig) -> None:
        """Take over a changed site; connections, sessions and what is installed stay as they are."""
        self.config = config
        now = self._clock.monotonic()
        self._circuits = {
            circuit.circuit_id: self._circuits.get(circuit.circuit_id, CircuitState(circuit=circuit, since=now))
            for circuit in config.circuits
        }
        for circuit in config.circuits:
            self._circuits[circuit.circuit_id].circuit = circuit
        self._configure_stations(config)
        self.authorization.configure(config.authorization)
        self.authorization.reservations.of_stations(config.stations)
        self.standing.of_stations(config.stations)
        self._keeper.changed(self.authorization.version)
        self.request_turn("user")

    @property
    def mode(self) -> Mode:
        """What the loop does: what a person chose, as far as the site can; else to follow the meter where there is one."""
        metered = self.config.root.metered
        if self._chosen_mode is None or (self._chosen_mode is Mode.DYNAMIC and not metered):
            return Mode.DYNAMIC if metered else Mode.STATIC
        return self._chosen_mode

    def _configure_stations(self, config: SiteConfig) -> None:
        keys = {EvseKey(identity, evse.evse_id) for identity, station in config.stations.items() for evse in station.evses}
        for key in self._evses.keys() - keys:
            del self._evses[key]
        for identity, station_config in config.stations.items():
            ready = identity in self._installers and self._installers[identity].station is not None
            for evse_config in station_config.evses:
                key = EvseKey(identity, evse_config.evse_id)
                if (evse := self._evses.get(key)) is None:
                    evse = self._evses[key] = EvseState(
                        key=key, config=evse_config, circuit_id=station_config.circuit_id, user_max_a=evse_config.max_a, ready=ready
                    )
                    self._recall(evse)
                if evse.user_max_a == evse.rated_a:
                    evse.user_max_a = evse_config.max_a
                evse.config, evse.circuit_id = evse_config, station_config.circuit_id
                evse.user_max_a = min(evse.user_max_a, evse_config.max_a)
                evse.station_external = self._stations.setdefault(identity, StationState(identity=identity)).external
            installer = self._installers.setdefault(identity, Installer(identity, self._clock, self))
            installer.standing = self.standing
            installer.evses = [self._evses[EvseKey(identity, evse.evse_id)] for evse in station_config.evses]
            self._stations.setdefault(identity, StationState(identity=identity)).config = station_config
            if self._turning is not None:
                self._start_installer(identity)
        for identity in self._installers.keys() - config.stations.keys():
            del self._installers[identity]
            self._stations.pop(identity, None)
            if (task := self._installing.pop(identity, None)) is not None:
                task.cancel()

    def set_mode(self, mode: Mode) -> None:
        """Switch between following the meter, fixed shares and hands off; ValueError where a site without a meter is to follow it."""
        if mode is Mode.DYNAMIC and not self.config.root.metered:
            raise ValueError("a site without a meter can't follow it")
        self._chosen_mode = mode
        self._on_memory()
        self.request_turn("user")

    def set_allowed(self, key: EvseKey, allowed: bool) -> None:
        """Let an EVSE charge or not."""
        self._evses[key].allowed = allowed
        self._on_memory()
        self.request_turn("user")

    def set_user_max(self, key: EvseKey, limit_a: float) -> None:
        """Cap an EVSE."""
        self._evses[key].user_max_a = limit_a
        self._on_memory()
        self.request_turn("user")

    def set_profile(self, key: EvseKey, periods: Sequence[tuple[float, float]], duration_s: float | None) -> None:
        """Cap an EVSE over time: (seconds from now, amps) in order; it goes through the allocator like every other limit."""
        now = self._clock.monotonic()
        ends_at = math.inf if duration_s is None else now + duration_s
        self._evses[key].profile = LimitsOverTime(starts_at=now, periods=tuple(sorted(periods)), ends_at=ends_at)
        self.request_turn("user")

    def clear_profile(self, key: EvseKey) -> None:
        """Take the profile of `set_profile` away."""
        self._evses[key].profile = None
        self.request_turn("user")

    async def store_standing(self, limit: StandingLimit) -> StandingLimit:
        """Have a limit's station hold a copy, then keep the limit; one that can't be told now is told once it can.

        Raises as `storing.store` does; then nothing is kept.
        """
        installer = self._installers[limit.station]
        limit = replace(limit, storing=Storing.WAITING)
        if installer.station is not None and not installer.quiet:
            try:
                limit = await store(installer.station, limit)
            except StationOfflineError:
                _LOGGER.debug("Station %s went away; the limit %d is stored once it is back", limit.station, limit.profile_id)
        self.keep_standing(limit)
        return limit

    def keep_standing(self, limit: StandingLimit) -> None:
        """Cap an EVSE, or a station, by a person's limit that stands; it goes through the allocator like every other limit."""
        self.standing.put(limit)
        self._on_memory()
        self.request_turn("user")

    async def clear_standing(self, limit: StandingLimit) -> None:
        """Take a standing limit away. Raises StationError where its copy could not be taken off the station; it goes later then."""
        self.standing.remove(limit)
        self._on_memory()
        self.request_turn("user")
        if (station := self._installers[limit.station].station) is not None:
            await take_away(station, limit)

    def set_external_limit(
        self, source: str, circuit_id: str, *, limit_a: float | None, limit_w: float | None, duration_s: float | None
    ) -> None:
        """Cap a circuit from outside, in amps per phase or in watts; ValueError for what can't be meant."""
        valid_to_s = None if duration_s is None else self._clock.monotonic() + duration_s
        self._external.set(ExternalLimit(source=source, circuit_id=circuit_id, limit_a=limit_a, limit_w=limit_w, valid_to_s=valid_to_s))
        self.request_turn("user")

    def clear_external_limit(self, source: str, circuit_id: str) -> bool:
        """Take a source's limit off a circuit; False where there was none."""
        cleared = self._external.clear(source, circuit_id)
        self.request_turn("user")
        return cleared

    # What meters say.

    def update_reading(self, circuit_id: str, reading: Reading) -> None:
        """Take in a reading."""
        if (state := self._circuits.get(circuit_id)) is None:
            return
        state.reading, state.meter_error = reading, None
        state.arrived_at = self._clock.monotonic()
        self.request_turn("reading")

    def meter_health(self, circuit_id: str, error: MeterError | None) -> None:
        """Take note that a meter broke or is heard again; its readings' age is what counts."""
        if (state := self._circuits.get(circuit_id)) is not None:
            state.meter_error = None if error is None else str(error)

    # What stations say.

    def admit(self, identity: str) -> Admission:
        """Tell how a station that connects is to be answered."""
        return Admission.ACCEPTED if identity in self.config.stations else Admission.PENDING

    def issue_token(self, at: EvseKey, token: IdToken | None = None) -> IdToken:
        """Return a token that may charge once, at one EVSE, the one given or one of the site's own: a person at the controls has decided so."""
        issued = self.authorization.issue(at, token)
        self._on_memory()
        return issued

    def withdraw_token(self, at: EvseKey, token: IdToken) -> None:
        """Let a token that was issued charge no more than the policy says: nothing came of what it was issued for."""
        self.authorization.book.use(token, at)
        self._on_memory()

    async def start_transaction(self, key: EvseKey, id_token: IdToken, remote_start_id: int, *, group: str | None = None) -> None:
        """Ask for a transaction (F01, F02), with its first lease where the site has one to give (K05). Raises StationError."""
        evse, station = self._evses[key], self._connected(key.station)
        order = await self._way_made(evse)
        await start(station, evse, id_token, remote_start_id, order, self._clock, lambda: self.request_turn("user"), group=group)

    def _first_lease(self, evse: EvseState) -> LeaseOrder | None:
        return first_lease(self._circuits, list(self._evses.values()), evse, self._external, self.config, self.mode, self._clock)

    async def _way_made(self, evse: EvseState) -> LeaseOrder | None:
        """Return the lease that a transaction may begin with, once the others have made way for it; None where they don't soon."""
        if (order := self._first_lease(evse)) is not None or not takes_first_lease(evse, self.mode):
            return order
        evse.coming = True
        self.request_turn("user")
        try:
            async with asyncio.timeout(MAKE_WAY_S):
                while order is None:
                    await self._confirmation.wait()
                    order = self._first_lease(evse)
        except TimeoutError:
            return None
        finally:
            evse.coming = False
        return order

    async def authorize(self, identity: str, evse_id: int | None, token: IdToken) -> IdTokenInfo:
        """Answer a token by the site's policy, once the fallbacks that guard the transaction are confirmed."""
        judgement = self.authorization.judge(identity, evse_id, token)
        # A transaction that runs already is not refused for want of a fallback: that would only end it.
        if judgement.accepted and judgement.transaction_id is None and not judgement.settled:
            if not await self._guarded(identity, evse_id):
                _LOGGER.warning(
                    "Station %s: a token is turned away because the fallback could not be installed, or another's profile leads over it",
                    identity,
                )
                judgement = judgement.refused(AuthorizationStatus.NOT_AT_THIS_TIME)
        if self.authorization.note(judgement):
            self._on_judgement(judgement)
        if not judgement.settled:
            self._on_memory()
        return judgement.info

    async def _guarded(self, identity: str, evse_id: int | None = None) -> bool:
        """Wait until the fallbacks of a station's EVSEs are confirmed and lead; False where that takes too long."""
        if self.mode is Mode.OFF or identity not in self._installers:
            return True
        evses = [evse for evse in self._installers[identity].evses if evse_id in (None, evse.key.evse_id)]
        try:
            async with asyncio.timeout(FALLBACK_WAIT_S):
                while not all(evse.guarded for evse in evses):
                    if any(evse.keeps_foreign for evse in evses):
                        return False
                    await self._confirmation.wait()
        except TimeoutError:
            return False
        return True

    async def reserve(
        self, identity: str, token: IdToken, expires_at: datetime, *, evse_id: int | None = None, group: str | None = None
    ) -> Reservation:
        """Keep an EVSE, or any of a station, free for a token and its group (H01). Raises StationError; nothing is reserved then."""
        reservation = await reserve(
            self._connected(identity), self.authorization.reservations, token, expires_at, evse_id=evse_id, group=group
        )
        self._on_memory()
        self.request_turn("user")
        return reservation

    async def cancel_reservation(self, identity: str, reservation_id: int) -> None:
        """Take a reservation back (H02). Raises StationError where the station could not be told."""
        await cancel(self._connected(identity), self.authorization.reservations, reservation_id)
        self._on_memory()
        self.request_turn("user")

    def _connected(self, identity: str) -> Station:
        if (station := self._station(identity)) is None:
            raise StationOfflineError(f"{identity} is not connected")
        return station

    def _inventory_of(self, identity: str) -> Inventory:
        state = self._stations.get(identity)
        return Inventory() if state is None else state.inventory

    def handle(self, identity: str, event: StationEvent) -> None:
        """Take in what a station said."""
        state = self._stations.setdefault(identity, StationState(identity=identity, since=self._clock.utcnow()))
        state.last_heard = self._clock.utcnow()
        if self.authorization.take(identity, event):
            self._on_memory()
        match event:
            case Connected(remote=remote):
                state.online, state.remote, state.booted = True, remote, False
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
                state.online = False
                self._gone(identity)
                if state.config is None:
                    del self._stations[identity]
            case StatusChanged() | TransactionEvent() | Metered():
                self._intake.take(identity, event)
            case ChargingLimit():
                self._intake.limit(identity, event, state.external)
            case EvNeeds():
                self._intake.needs(identity, event)
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
                evse.unanswered_lease_a = max(evse.unanswered_lease_a, evse.lease.limit_a)
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
        for evse in self._of(identity):
            evse.ready = evse.heard = False
            evse.session = None if evse.session is None else replace(evse.session, live=False)
        if (installer := self._installers.get(identity)) is not None:
            installer.disconnected()
        self._keeper.disconnected(identity)

    def _of(self, identity: str) -> list[EvseState]:
        return [evse for key, evse in self._evses.items() if key.station == identity]

    # The loop.

    def request_turn(self, trigger: str) -> None:
        """Ask for a turn; many askings before it comes are one turn."""
        self._triggers.add(trigger)
        self._woken.set()

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
        await self._keeper.stop()
        self._turning = None
        self._installing.clear()

    def _start_installer(self, identity: str) -> None:
        if identity not in self._installing:
            self._installing[identity] = asyncio.get_running_loop().create_task(
                self._installers[identity].run(), name=f"headroom installer {identity}"
            )

    async def _turn_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._idle_s()):
                    await self._woken.wait()
            except TimeoutError:
                self._triggers.add("timer")
            self._woken.clear()
            triggers, self._triggers = self._triggers, set()
            try:
                self._turn("reading" if "reading" in triggers else min(triggers))
            except Exception:
                # The next turn may succeed; until one does, the leases lapse.
                if not self._failing:
                    _LOGGER.exception("A turn of the control loop failed")
                self._failing = True
            else:
                if self._failing:
                    _LOGGER.info("The control loop turns again")
                self._failing = False
            if (pause_s := PAUSE_PER_EVSE_S * len(self._evses)) > TICK_S:
                await asyncio.sleep(pause_s)  # what comes meanwhile is one turn

    def _idle_s(self) -> float:
        now = self._clock.monotonic()
        due = []
        due += [
            evse.lease.expires_at - renew_s(self._lease_s, self._latency_s(evse))
            for evse in self._evses.values()
            if evse.lease is not None and evse.ready
        ]
        due += [each.expires_at for evse in self._evses.values() for each in (evse.lease, evse.first_lease) if each is not None]
        due += [evse.standing.next_change(now) for evse in self._evses.values() if evse.standing is not None]
        due += [evse.profile.next_change(now) for evse in self._evses.values() if evse.profile is not None]
        due += [each.next_change(now) for evse in self._evses.values() for each in evse.external.values()]
        due += [each.next_change(now) for state in self._stations.values() for each in state.external.values()]
        due += [self._external.next_change_s(now) or math.inf]
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
            evse.forget_lapsed(now)
        for installer in self._installers.values():
            installer.obedience.watch(now)
        utcnow = self._clock.utcnow()
        if self.standing.tidy(self._evses, utcnow):
            self._on_memory()
        self.standing.apply(self._evses, self._stations, voltage_v=self.config.voltage_v, utcnow=utcnow, now=now)
        read(self._circuits, evses, self.config, now)
        turn = decide(self._circuits, evses, self._external, self.config, self.mode, now)
        self._lease_s = turn.lease_s
        wanted = limits_wanted(evses)
        for evse in evses:
            order_lease(evse, turn, self.mode, self._latency_s(evse), now)
        order_lasting(self._circuits, evses, self._installers.values(), self.mode)
        rotate(evses, turn, now)
        sample_doubtful(self._circuits, evses, self.mode, now)
        for installer in self._installers.values():
            installer.wake()
        self.turns += 1
        changed = {key for key, limits in limits_wanted(evses).items() if limits != wanted.get(key)}
        self._record(trigger, turn, changed, now, (time.perf_counter() - started) * 1000)
        self.snapshot = self._snapshot(turn)
        self._on_turn(self.snapshot)

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
        cuts = {key: order.limit_a for key in changed if (order := self._evses[key].wanted_lease) is not None and order.cut}
        for key in changed:
            order = self._evses[key].wanted_lease
            self._decisions.superseded(key, None if order is None else order.limit_a)
        names = {circuit_id: state.circuit.name for circuit_id, state in self._circuits.items()}
        available = {row.circuit_id: row.available_a for row in turn.headrooms}
        decision = Decision(
            number=self.turns,
            at=self._clock.utcnow(),
            trigger=trigger,
            circuits={circuit_id: circuit_document(state, available[circuit_id], now) for circuit_id, state in self._circuits.items()},
            evses={str(key): evse_document(evse, turn, names, now) for key, evse in self._evses.items()},
            cut=bool(cuts),
            lease_s=turn.lease_s,
            dead_man_violations=dead_man_violations(self._circuits, self._evses.values(), now),
            turn_ms=turn_ms,
        )
        self._decisions.add(decision, cuts, min(arrived) if trigger == "reading" and arrived else now)
        if self._journal is not None:
            self._journal.record_decision(DecisionRecord(at=decision.at, trigger=trigger, document=decision.document()))

    def memory(self) -> SiteMemory:
        """Return what has to outlive a restart."""
        return SiteMemory(
            mode=self._chosen_mode,
            evses=self._remembered
            | {
                str(key): EvseMemory(fallback_a=evse.fallback_a, allowed=evse.allowed, user_max_a=evse.user_max_a)
                for key, evse in self._evses.items()
            },
            standing=self.standing.documents(),
            authorization=self.authorization.document(),
        )

    def _tokens_health(self, identity: str, outdated: bool) -> None:
        if (state := self._stations.get(identity)) is not None:
            state.tokens_outdated = outdated
            self.request_turn("tokens")

    def _recall(self, evse: EvseState) -> None:
        if (kept := self._remembered.pop(str(evse.key), None)) is not None:
            evse.fallback_a, evse.allowed = kept.fallback_a, kept.allowed
            evse.user_max_a = kept.user_max_a

    def _snapshot(self, turn: Turn | None = None) -> SiteSnapshot:
        today = self._clock.utcnow().date()
        if self._writes_day != today:
            self._writes_day = today
            for installer in self._installers.values():
                installer.writes_today = 0
        return snapshot_of(
            config=self.config,
            mode=self.mode,
            circuits=self._circuits,
            stations=self._stations,
            installers=self._installers,
            evses=self._evses,
            turn=turn,
            authorization=self.authorization,
            reaction_s=self._decisions.reaction_s,
            clock=self._clock,
        )

    def documents(self, count: int) -> list[dict[str, Any]]:
        """Return the last decisions, the newest last, as JSON-able data."""
        return self._decisions.documents(count)
