"""A whole site: its tree of fuses with real breakers, its building, its stations and the cars that come and go."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from .breaker import Breaker
from .building import Load, Step
from .car import CarSpec
from .electrical import NONE_A, VOLTAGE_V, PerPhase, added
from .evse import Token
from .factory import StationSpec
from .meter import MeterValues
from .recorder import SATISFIED_WITHIN_A, CircuitFacts, Recorder, Session
from .station import StationModel


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSpec:
    """A circuit: its breaker's rating, what it should be kept at (None: its fuse), and a load of its own besides stations."""

    circuit_id: str
    parent_id: str | None = None
    fuse_a: float
    limit_a: float | None = None
    load: Load | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A car's plan: when it comes, where it plugs in, with which token (None: no driver holds one up), and when it leaves."""

    comes_s: float
    station: str
    evse_id: int
    car: CarSpec
    token: Token | None
    soc: float = 0.2
    leaves_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSpec:
    """A site. The circuit without a parent is the main fuse; its load is the building."""

    circuits: tuple[CircuitSpec, ...]
    stations: tuple[StationSpec, ...]
    visits: tuple[Visit, ...] = ()
    voltage_v: float = VOLTAGE_V

    @property
    def root(self) -> CircuitSpec:
        """The main fuse."""
        return next(circuit for circuit in self.circuits if circuit.parent_id is None)


class SimulatedSite:
    """A site at work. `epoch` is the moment its time 0 s stands for."""

    def __init__(self, spec: SiteSpec, epoch: datetime) -> None:
        """Switch a site on: stations boot, breakers are cold, no car is there. Raises ValueError where a circuit is unknown."""
        self.spec = spec
        self.epoch = epoch
        self.time_s = 0.0
        self.breakers = {circuit.circuit_id: Breaker(circuit.fuse_a) for circuit in spec.circuits}
        self.stations = {station.identity: StationModel(station, epoch, spec.voltage_v) for station in spec.stations}
        self.recorder = Recorder(
            circuits={
                circuit.circuit_id: CircuitFacts(circuit.fuse_a, circuit.fuse_a if circuit.limit_a is None else circuit.limit_a)
                for circuit in spec.circuits
            }
        )
        self.current_a: dict[str, PerPhase] = dict.fromkeys(self.breakers, NONE_A)
        """What flows through each circuit's breaker."""
        self._imported_wh = dict.fromkeys(self.breakers, 0.0)
        self._exported_wh = dict.fromkeys(self.breakers, 0.0)
        circuits = {circuit.circuit_id: circuit for circuit in spec.circuits}
        self._paths = {circuit_id: _path(circuits, circuit_id) for circuit_id in circuits}
        self._sessions: dict[tuple[str, int], Session] = {}
        self._energy_before: dict[tuple[str, int], float] = {}
        self._to_come = sorted(spec.visits, key=lambda visit: visit.comes_s)
        self._to_leave: list[Visit] = []
        if missing := {station.circuit_id for station in spec.stations} - set(self.breakers):
            raise ValueError(f"stations hang on circuits that are not there: {missing}")

    @property
    def now(self) -> datetime:
        """The moment it is at."""
        return self.epoch + timedelta(seconds=self.time_s)

    def powered(self, circuit_id: str) -> bool:
        """Return whether every breaker up to the grid is closed."""
        return all(self.breakers[one].closed for one in self.path(circuit_id))

    def path(self, circuit_id: str) -> tuple[str, ...]:
        """Return a circuit and those above it, up to the main fuse."""
        return self._paths[circuit_id]

    def step(self, dt_s: float) -> None:
        """Let `dt_s` pass."""
        before_s = self.time_s
        self.time_s += dt_s
        self._visit()
        now, powered = self.now, {circuit_id: self.powered(circuit_id) for circuit_id in self.breakers}
        for station in self.stations.values():
            station.step(now, dt_s, powered=powered[station.spec.circuit_id])
        cars_a = self._cars_a()
        self.current_a = self._flows(cars_a, before_s)  # what is switched just now did not flow before
        self._trip(dt_s)
        self._record(before_s, dt_s)
        self.current_a = self._flows(cars_a, self.time_s)

    def plug_in(self, visit: Visit) -> None:
        """Let a car come now, whatever its plan says."""
        key = (visit.station, visit.evse_id)
        self.stations[visit.station].plug_in(visit.evse_id, visit.car, visit.token, visit.soc)
        self._sessions[key] = Session(station=visit.station, evse_id=visit.evse_id, car=visit.car.name, came_s=self.time_s)
        self.recorder.sessions.append(self._sessions[key])

    def unplug(self, station: str, evse_id: int) -> None:
        """Let the car leave now."""
        self.stations[station].unplug(evse_id)
        if session := self._sessions.pop((station, evse_id), None):
            session.left_s = self.time_s

    def reset_breakers(self) -> None:
        """Close every breaker that let go."""
        for breaker in self.breakers.values():
            breaker.reset()

    def meter_values(self, circuit_id: str | None = None) -> MeterValues:
        """Return what a meter behind a circuit's breaker shows, the main fuse's where none is named."""
        circuit_id = circuit_id or self.spec.root.circuit_id
        l1, l2, l3 = current_a = self.current_a[circuit_id]
        volts = self.spec.voltage_v
        power_w = (l1 * volts, l2 * volts, l3 * volts)
        import_wh, export_wh = self._imported_wh[circuit_id], self._exported_wh[circuit_id]
        return MeterValues(current_a=current_a, power_w=power_w, voltage_v=volts, import_wh=import_wh, export_wh=export_wh)

    @property
    def import_wh(self) -> float:
        """What came in through the main fuse."""
        return self._imported_wh[self.spec.root.circuit_id]

    @property
    def export_wh(self) -> float:
        """What went out through it."""
        return self._exported_wh[self.spec.root.circuit_id]

    def _visit(self) -> None:
        while self._to_come and self._to_come[0].comes_s <= self.time_s:
            visit = self._to_come.pop(0)
            self.plug_in(visit)
            if visit.leaves_s is not None:
                self._to_leave.append(visit)
        for visit in [one for one in self._to_leave if one.leaves_s is not None and one.leaves_s <= self.time_s]:
            self._to_leave.remove(visit)
            self.unplug(visit.station, visit.evse_id)

    def _cars_a(self) -> Mapping[str, PerPhase]:
        """Add up what the stations below each circuit draw."""
        flows: dict[str, list[PerPhase]] = {circuit_id: [] for circuit_id in self.breakers}
        for station in self.stations.values():
            current_a = station.grid_a
            for circuit_id in self.path(station.spec.circuit_id):
                flows[circuit_id].append(current_a)
        return {circuit_id: added(parts) for circuit_id, parts in flows.items()}

    def _flows(self, cars_a: Mapping[str, PerPhase], at_s: float) -> dict[str, PerPhase]:
        """Return what flows through each circuit with what its buildings draw at a time."""
        flows = {circuit_id: [current_a] for circuit_id, current_a in cars_a.items()}
        for circuit in self.spec.circuits:
            if circuit.load and self.powered(circuit.circuit_id):
                current_a = circuit.load.current_a(at_s)
                for circuit_id in self.path(circuit.circuit_id):
                    flows[circuit_id].append(current_a)
        return {circuit_id: added(parts) for circuit_id, parts in flows.items()}

    def _trip(self, dt_s: float) -> None:
        tripped = [circuit_id for circuit_id, breaker in self.breakers.items() if breaker.step(self.current_a[circuit_id], dt_s)]
        for circuit_id in tripped:
            self.recorder.circuits[circuit_id].trips += 1

    def _record(self, before_s: float, dt_s: float) -> None:
        recorder, root = self.recorder, self.spec.root
        for circuit_id, current_a in self.current_a.items():
            energy_wh = sum(current_a) * self.spec.voltage_v * dt_s / 3600.0
            if energy_wh >= 0.0:
                self._imported_wh[circuit_id] += energy_wh
            else:
                self._exported_wh[circuit_id] -= energy_wh
        recorder.add_time(dt_s, sum(len(station.evses) for station in self.stations.values()))
        for circuit_id, facts in recorder.circuits.items():
            facts.add(self.current_a[circuit_id], dt_s)
        if root.load:
            recorder.building_steps += _steps(root.load, before_s, self.time_s)
        recorder.profile_writes = sum(station.profile_writes for station in self.stations.values())
        short: set[int] = set()
        for identity, station in self.stations.items():
            for evse_id, evse in station.evses.items():
                key = (identity, evse_id)
                gained_wh = evse.energy_wh - self._energy_before.get(key, 0.0)
                self._energy_before[key] = evse.energy_wh
                recorder.energy_wh += gained_wh
                if (session := self._sessions.get(key)) is None:
                    continue
                session.energy_wh += gained_wh
                if evse.wanted_a - evse.pilot_a > SATISFIED_WITHIN_A:
                    session.unsatisfied_s += dt_s
                    short |= set(evse.spec.conductors[: evse.phases])
        recorder.add_shortage(frozenset(short), self.current_a[root.circuit_id], root.fuse_a, dt_s)


def _path(circuits: Mapping[str, CircuitSpec], circuit_id: str) -> tuple[str, ...]:
    above: list[str] = []
    at: str | None = circuit_id
    while at is not None:
        above.append(at)
        at = circuits[at].parent_id
    return tuple(above)


def _steps(load: Load, from_s: float, to_s: float) -> list[Step]:
    return list(load.steps(from_s, to_s)) if load.current_a(from_s) != load.current_a(to_s) else []
