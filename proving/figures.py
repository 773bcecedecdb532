"""The figures of a site that a story may ask for, by name: of circuits, stations and the whole. Some are physics, some what the loop shows."""

from collections.abc import Callable, Mapping

from custom_components.headroom.site.config import EvseKey
from custom_components.headroom.site.snapshot import EvseSnapshot, StationSnapshot
from simulator.evse import Evse

from .journal import FiledRecords
from .running import RunningSite

type Figure = float | str | None
type Look = Callable[[RunningSite, str], Figure]


def _answer(yes: bool) -> str:
    return "yes" if yes else "no"


def _circuit_a(running: RunningSite, circuit_id: str) -> Figure:
    return max(running.world.current_a[circuit_id])


def _phase_a(phase: int) -> Look:
    return lambda running, circuit_id: running.world.current_a[circuit_id][phase]


CIRCUIT: Mapping[str, Look] = {
    "current_a": _circuit_a,
    "l1_a": _phase_a(0),
    "l2_a": _phase_a(1),
    "l3_a": _phase_a(2),
    "limit_a": lambda running, circuit_id: max(running.site.snapshot.circuits[circuit_id].limit_a),
    "meter": lambda running, circuit_id: str(running.site.snapshot.circuits[circuit_id].meter),
    "meter_believed": lambda running, circuit_id: _answer(running.site.snapshot.circuits[circuit_id].meter_error is None),
}


def _evse(running: RunningSite, identity: str) -> Evse:
    return running.world.stations[identity].evses[1]


def _shown(look: Callable[[EvseSnapshot], Figure]) -> Look:
    def found(running: RunningSite, identity: str) -> Figure:
        evse = running.site.snapshot.evses.get(EvseKey(identity, 1))
        return None if evse is None else look(evse)

    return found


def _told(look: Callable[[StationSnapshot], Figure]) -> Look:
    def found(running: RunningSite, identity: str) -> Figure:
        station = running.site.snapshot.stations.get(identity)
        return None if station is None else look(station)

    return found


STATION: Mapping[str, Look] = {
    "draw_a": lambda running, identity: _evse(running, identity).car_state.draw_a,
    "pilot_a": lambda running, identity: _evse(running, identity).pilot_a,
    "car": lambda running, identity: _answer(_evse(running, identity).car is not None),
    "transaction": lambda running, identity: _answer(_evse(running, identity).transaction is not None),
    "energy_kwh": lambda running, identity: _evse(running, identity).energy_wh / 1000,
    "limits_taken": lambda running, identity: running.world.stations[identity].profile_writes,
    "requested_a": _shown(lambda evse: evse.requested_a),
    "limit_a": _shown(lambda evse: evse.limit_a),
    "fallback_a": _shown(lambda evse: evse.fallback_a),
    "reason": _shown(lambda evse: None if evse.reason is None else str(evse.reason.code)),
    "status": _shown(lambda evse: None if evse.status is None else str(evse.status)),
    "fault": _shown(lambda evse: _answer(evse.fault is True)),
    "online": _told(lambda station: _answer(station.online)),
    "ready": _told(lambda station: _answer(station.ready)),
    "problem": _told(lambda station: station.problem),
}


def _draw_a(running: RunningSite, _: str) -> Figure:
    return sum(evse.car_state.draw_a for station in running.world.stations.values() for evse in station.evses.values())


def _charging(running: RunningSite, _: str) -> Figure:
    draws_a = [evse.car_state.draw_a for station in running.world.stations.values() for evse in station.evses.values()]
    return sum(draw_a > 1.0 for draw_a in draws_a)


SITE: Mapping[str, Look] = {
    "draw_a": _draw_a,
    "charging": _charging,
    "energy_kwh": lambda running, _: running.world.recorder.energy_wh / 1000,
    "capacity_used_pct": lambda running, _: running.world.recorder.capacity_used_pct,
    "ready": lambda running, _: sum(station.ready for station in running.site.snapshot.stations.values()),
    "pending": lambda running, _: len(running.site.snapshot.pending),
    "turn_age_s": lambda running, _: running.turn_age_s,
    "sessions": lambda running, _: len(running.records.newest()),
    "sessions_ended": lambda running, _: sum(record.ended_at is not None for record in running.records.newest().values()),
    "ledger": lambda running, _: (
        None if not isinstance(running.records, FiledRecords) else "ok" if running.records.error is None else "fails"
    ),
}

FIGURES: Mapping[str, Mapping[str, Look]] = {"circuit": CIRCUIT, "station": STATION, "site": SITE}
