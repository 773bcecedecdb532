"""What a site is made of: its circuits, stations, EVSEs and installers, and what is kept of them over a restart."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Callable
from datetime import date
import math

from ..csms.errors import StationOfflineError
from ..csms.station import Station
from ..csms.values import Inventory
from .authorization import Authorization
from .circuit import CircuitState
from .clock import Clock, LoopClock
from .config import EvseKey, Mode, SiteConfig, StationConfig
from .evse import EvseState
from .evse_memory import recall, remembered
from .installer import Installer
from .last_resort import LastResort
from .leaving import Leaving
from .memory import SiteMemory
from .offline import Keeper
from .outside import OutsideLimits
from .peak import Peak
from .phase_maps import PhaseMaps
from .planning import Planning, Runner
from .resources import Resources
from .room import path_ids
from .shadow import Shadow
from .snapshot import MeterHealth
from .standing import StandingLimits
from .stations import StationState
from .taking_up import taking_up
from .visits import Visits


class Grounds(ABC):
    """The state that everything of a site works on. What has changed asks for a turn."""

    def __init__(
        self,
        config: SiteConfig,
        *,
        station: Callable[[str], Station | None],
        clock: Clock | None = None,
        memory: SiteMemory | None = None,
        on_memory: Callable[[], None] = lambda: None,
        run_plan: Runner = asyncio.to_thread,
    ) -> None:
        """`station` looks up the open connection to an identity; `memory` is what was kept over a restart. `configure` comes next."""
        self.config = config
        self._station = station
        self._clock = clock or LoopClock()
        self._on_memory = on_memory
        memory = memory or SiteMemory()
        self._remembered = dict(memory.evses)
        self._writes_day: date | None = None
        self._remembered_writes: dict[str, int] = {}
        with taking_up("the day's writes"):
            kept = memory.writes_today
            self._writes_day = date.fromisoformat(kept["day"]) if "day" in kept else None
            self._remembered_writes = dict(kept.get("stations", {}))
        self._remembered_worst, self._remembered_fed_in_at = dict(memory.worst), dict(memory.fed_in_at)
        self.leaving = Leaving()
        self.leaving.recall(memory.stations)
        self._chosen_mode = memory.mode
        self.policy = memory.policy
        self._planning = Planning(run_plan, lambda: self.request_turn("plan"))
        self._circuits: dict[str, CircuitState] = {}
        self._stations: dict[str, StationState] = {}
        self._evses: dict[EvseKey, EvseState] = {}
        self._installers: dict[str, Installer] = {}
        self._installing: dict[str, asyncio.Task[None]] = {}
        self._external = OutsideLimits()
        with taking_up("limits from outside"):
            self._external.recall(memory.outside, self._posix_zero_s())
        self.resources = Resources()
        self._triggers: set[str] = set()
        self._woken = asyncio.Event()
        self._confirmation = asyncio.Event()
        self.authorization = Authorization(evses=self._evses, inventory_of=self._inventory_of, now=self._clock.utcnow)
        with taking_up("who may charge"):
            self.authorization.recall(memory.authorization)
        self._visits = Visits(self.authorization.token_of, self.authorization.driver_key)
        with taking_up("visits"):
            self._visits.recall(memory.visits)
        self._shadow = Shadow(memory.shadow)
        self.peak = Peak()
        with taking_up("peak demand"):
            self.peak.recall(memory.peak)
        self._phase_maps = PhaseMaps()
        with taking_up("how EVSEs are wired"):
            self._phase_maps.recall(memory.phase_maps)
        self.last_resort = LastResort(station, lambda: self._on_memory())
        with taking_up("what was done to relieve breakers"):
            self.last_resort.recall(memory.last_resort)
        self.standing = StandingLimits()
        with taking_up("people's limits"):
            self.standing.recall(memory.standing)
        self._keeper = Keeper(self.authorization.offline, self._guarded, self._tokens_health)
        self._turning: asyncio.Task[None] | None = None

    # What a site does with it.

    @abstractmethod
    async def _guarded(self, identity: str, evse_id: int | None = None) -> bool:
        """Wait until the fallbacks of a station's EVSEs are confirmed and lead; False where that takes too long."""

    @abstractmethod
    def confirmed(self, evse: EvseState, latency_s: float) -> None:
        """Take note of a confirmed limit."""

    @abstractmethod
    def renewed(self, evse: EvseState, latency_s: float) -> None:
        """Take note of a lease that goes on with its limit."""

    @abstractmethod
    def failed(self, evse: EvseState) -> None:
        """Take note that a limit could not be installed."""

    # What it is made of.

    def configure(self, config: SiteConfig) -> None:
        """Take over a changed site; connections, sessions and what is installed stay as they are."""
        approved = config.stations
        online = {identity for identity, state in self._stations.items() if state.online}
        self.config = config = self.leaving.beside(self.approved, config, online)
        now = self._clock.monotonic()
        self._circuits = {
            circuit.circuit_id: self._circuits.get(circuit.circuit_id, CircuitState(circuit=circuit, since=now))
            for circuit in config.circuits
        }
        for circuit in config.circuits:
            state = self._circuits[circuit.circuit_id]
            if (kept := self._remembered_worst.pop(circuit.circuit_id, None)) is not None:
                with taking_up(f"the worst case of {circuit.name}"):
                    state.recall(kept)
            if (fed_in_at := self._remembered_fed_in_at.pop(circuit.circuit_id, None)) is not None:
                with taking_up(f"what feeds in at {circuit.name}"):
                    state.credibility.fed_in_at = fed_in_at - self._posix_zero_s()
            state.configure(circuit, now)
        self.resources.configure(config.resources, now)
        self._configure_stations(config)
        self.authorization.configure(config.authorization)
        self.authorization.reservations.of_stations(approved)
        self.standing.of_stations(approved)
        self._keeper.changed(self.authorization.version)
        self.request_turn("user")

    @property
    def approved(self) -> dict[str, StationConfig]:
        """The stations that a person added and did not remove, by identity, with their EVSEs."""
        return self.leaving.staying(self.config)

    @property
    def mode(self) -> Mode:
        """What the loop does: what a person chose, as far as the site can; else to follow the meter where there is one."""
        metered = self.config.root.metered
        if self._chosen_mode is None or (self._chosen_mode.follows and not metered):
            return Mode.DYNAMIC if metered else Mode.STATIC
        return self._chosen_mode

    def _configure_stations(self, config: SiteConfig) -> None:
        keys = {EvseKey(identity, evse.evse_id) for identity, station in config.stations.items() for evse in station.evses}
        for key in self._evses.keys() - keys:
            del self._evses[key]
        self._visits.of_evses(keys)
        self.last_resort.of_evses(keys)
        for identity, station_config in config.stations.items():
            ready = identity in self._installers and self._installers[identity].station is not None
            for evse_config in station_config.evses:
                key = EvseKey(identity, evse_config.evse_id)
                if (evse := self._evses.get(key)) is None:
                    evse = self._evses[key] = EvseState(
                        key=key, config=evse_config, circuit_id=station_config.circuit_id, user_max_a=evse_config.max_a, ready=ready
                    )
                    evse.status_unknown = ready  # nothing has told of one that is added to a station that is there
                    evse.new = self._turning is not None and not ready
                    self._recall(evse)
                    if self._turning is not None:
                        # What it drew before it was known here counted as the building; a meter that speaks tells anew what is the building's.
                        for circuit_id in path_ids(self._circuits, evse.circuit_id):
                            if (circuit := self._circuits[circuit_id]).health is MeterHealth.OK:
                                circuit.forget_worst()
                if evse.user_max_a in (0.0, evse.rated_a):  # 0 A: it was leaving
                    evse.user_max_a = evse_config.max_a
                evse.config, evse.circuit_id = evse_config, station_config.circuit_id
                evse.user_max_a = 0.0 if key in self.leaving else min(evse.user_max_a, evse_config.max_a)
                evse.station_external = self._stations.setdefault(identity, StationState(identity=identity)).external
            if (installer := self._installers.get(identity)) is None:
                installer = self._installers[identity] = Installer(identity, self._clock, self)
                installer.writes_today = self._remembered_writes.pop(identity, 0)
            installer.standing = self.standing
            installer.evses = [self._evses[EvseKey(identity, evse.evse_id)] for evse in station_config.evses]
            state = self._stations.setdefault(identity, StationState(identity=identity))
            state.config = station_config if self.leaving.admits(identity) else None
            if not state.online and state.away_since is None:
                state.away_since = self._clock.utcnow()
            if self._turning is not None:
                self._start_installer(identity)
        for identity in self._installers.keys() - config.stations.keys():
            del self._installers[identity]
            self._stations.pop(identity, None)
            if (task := self._installing.pop(identity, None)) is not None:
                task.cancel()

    def request_turn(self, trigger: str) -> None:
        """Ask for a turn; many askings before it comes are one turn."""
        self._triggers.add(trigger)
        self._woken.set()

    def _start_installer(self, identity: str) -> None:
        if identity not in self._installing:
            self._installing[identity] = asyncio.get_running_loop().create_task(
                self._installers[identity].run(), name=f"headroom installer {identity}"
            )

    def _connected(self, identity: str) -> Station:
        if (station := self._station(identity)) is None:
            raise StationOfflineError(f"{identity} is not connected")
        return station

    def _clock_offset_s(self, identity: str) -> float:
        station = self._station(identity)
        return 0.0 if station is None else station.clock_offset_s

    def _of(self, identity: str) -> list[EvseState]:
        return [evse for key, evse in self._evses.items() if key.station == identity]

    def _inventory_of(self, identity: str) -> Inventory:
        state = self._stations.get(identity)
        return Inventory() if state is None else state.inventory

    def memory(self) -> SiteMemory:
        """Return what has to outlive a restart."""
        zero_s = self._posix_zero_s()
        return SiteMemory(
            mode=self._chosen_mode,
            policy=self.policy,
            evses=self._remembered | {str(key): remembered(evse, zero_s) for key, evse in self._evses.items()},
            stations=self.leaving.documents,
            standing=self.standing.documents(),
            authorization=self.authorization.document(),
            visits=self._visits.document(),
            last_resort=self.last_resort.document(),
            shadow=self._shadow.comparison,
            peak=self.peak.document(),
            outside=self._external.documents(zero_s),
            phase_maps=self._phase_maps.document(),
            worst={circuit_id: state.worst.document() for circuit_id, state in self._circuits.items() if any(state.worst.seen_a)},
            fed_in_at={
                each: fed_in_at + zero_s for each, state in self._circuits.items() if (fed_in_at := state.credibility.fed_in_at) > -math.inf
            },
            writes_today={
                "day": (self._writes_day or self._today()).isoformat(),
                "stations": {identity: each.writes_today for identity, each in self._installers.items()},
            },
        )

    def _recall(self, evse: EvseState) -> None:
        if (kept := self._remembered.pop(str(evse.key), None)) is not None:
            recall(evse, kept, self._clock.monotonic(), self._posix_zero_s())

    def _today(self) -> date:
        """Return the day by the clocks of those who live there."""
        return self._clock.utcnow().astimezone(self.config.zone).date()

    def _posix_zero_s(self) -> float:
        """Return the POSIX time at which the monotonic clock was zero."""
        return self._clock.utcnow().timestamp() - self._clock.monotonic()

    def _tokens_health(self, identity: str, outdated: bool) -> None:
        if (state := self._stations.get(identity)) is not None:
            state.tokens_outdated = outdated
            self.request_turn("tokens")
