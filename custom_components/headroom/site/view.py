"""Draws the snapshot the world sees from the loop's state."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from ..csms.values import ChargingState, ConnectorStatus
from ..engine.deadman import sums
from ..engine.explain import explain
from ..engine.model import NONE_A, PerPhase, Reason, ReasonCode
from ..engine.share import Policy
from .authorization import Authorization
from .circuit import CircuitState
from .clock import Clock, wall_clock
from .comparison import Comparison
from .config import EvseKey, Mode, SiteConfig
from .evse import EvseState
from .evse_facts import Problem
from .installer import Installer
from .last_resort import LastResort
from .measure import Measure
from .reason_document import reason_document
from .snapshot import (
    CircuitSnapshot,
    DeadManHealth,
    EvseSnapshot,
    EvseStatus,
    MeterHealth,
    Obeying,
    PeakSnapshot,
    PendingStation,
    ResourceSnapshot,
    SiteSnapshot,
    StationSnapshot,
)
from .stations import StationState
from .turn import Turn
from .wiring import phase_map_of

_CONNECTOR = {
    ConnectorStatus.RESERVED: EvseStatus.RESERVED,
    ConnectorStatus.UNAVAILABLE: EvseStatus.UNAVAILABLE,
    ConnectorStatus.FAULTED: EvseStatus.FAULTED,
}
_CHARGING = {
    ChargingState.CHARGING: EvseStatus.CHARGING,
    ChargingState.SUSPENDED_EV: EvseStatus.SUSPENDED_EV,
    ChargingState.SUSPENDED_EVSE: EvseStatus.SUSPENDED_EVSE,
}
INTRODUCTION = timedelta(seconds=20)
"""How long a station that waits for approval may take to tell what it is made of."""
KEEPS_PROFILE = "keeps_other_profile"
"""The problem of a station that does not let another system's profile be cleared."""
DRAWS_A = 1.0
"""A car that draws so much charges, whatever its station calls it."""


def snapshot_of(
    *,
    config: SiteConfig,
    mode: Mode,
    policy: Policy,
    circuits: Mapping[str, CircuitState],
    stations: Mapping[str, StationState],
    installers: Mapping[str, Installer],
    evses: Mapping[EvseKey, EvseState],
    turn: Turn | None,
    authorization: Authorization,
    last_resort: LastResort,
    reaction_s: float | None,
    shadow: Comparison | None,
    peak: PeakSnapshot | None,
    dead_man: DeadManHealth,
    clock: Clock,
    resources: Mapping[str, ResourceSnapshot] = MappingProxyType({}),
) -> SiteSnapshot:
    """Return the whole site as it is now; `turn` is the newest one, None before the first."""
    now = clock.monotonic()
    names = {circuit_id: state.circuit.name for circuit_id, state in circuits.items()}
    local = wall_clock(clock, config.zone)
    of_station: dict[str, list[EvseState]] = {}
    for key, evse in evses.items():
        of_station.setdefault(key.station, []).append(evse)
    tree = {circuit_id: state.circuit for circuit_id, state in circuits.items()}
    charging = sums(tree, ((evse.circuit_id, evse.measured_per_phase()) for evse in evses.values()))
    rows = {} if turn is None else {row.circuit_id: row.available_a for row in turn.headrooms}
    return SiteSnapshot(
        at=clock.utcnow(),
        mode=mode,
        policy=policy,
        plan_age_s=None if turn is None else turn.sharing.age_s(now),
        root_id=config.root.circuit_id,
        circuits={circuit_id: _circuit(state, charging[circuit_id], rows, turn, shadow, now) for circuit_id, state in circuits.items()},
        stations={
            identity: _station(state, installers.get(identity), of_station.get(identity, []))
            for identity, state in stations.items()
            if state.config is not None
        },
        pending={
            identity: PendingStation(
                identity=identity,
                remote=state.remote,
                info=state.info,
                inventory=state.inventory,
                since=state.since or clock.utcnow(),
            )
            for identity, state in stations.items()
            if state.config is None and state.online and _introduced(state, clock.utcnow())
        },
        resources=resources,
        evses={
            key: _evse(evse, turn, mode, names, authorization, last_resort.measure(key), local, now, config.voltage_v)
            for key, evse in evses.items()
        },
        charging_power_w=sum(evse.drawn_w(config.voltage_v) or 0.0 for evse in evses.values() if evse.session is not None),
        peak=peak,
        reaction_s=reaction_s,
        shadow=shadow,
        dead_man=dead_man,
    )


def _introduced(state: StationState, now: datetime) -> bool:
    """Tell whether a station has said what it is made of, or has had the time to."""
    return bool(state.inventory.evse_connectors) or (state.since is not None and now - state.since > INTRODUCTION)


def _circuit(
    state: CircuitState,
    charging_a: PerPhase,
    rows: Mapping[str, PerPhase],
    turn: Turn | None,
    shadow: Comparison | None,
    now: float,
) -> CircuitSnapshot:
    circuit = state.circuit
    reading = state.reading
    return CircuitSnapshot(
        circuit=circuit,
        limit_a=circuit.limit_a() if turn is None else turn.limits_a.get(circuit.circuit_id, circuit.limit_a()),
        current_a=charging_a if reading is None else reading.current_a,
        power_w=None if reading is None else reading.power_w,
        import_wh=None if reading is None else reading.import_wh,
        export_wh=None if reading is None else reading.export_wh,
        unmanaged_a=state.unmanaged_a(),
        worst_seen_a=state.worst.seen_a,
        worst_said_a=state.worst.said_a,
        headroom_a=rows.get(circuit.circuit_id, NONE_A),
        charging_a=charging_a,
        meter=state.health,
        meter_age_s=state.age_s(now) if state.health is not MeterHealth.NONE else None,
        meter_source=None if reading is None else reading.source,
        meter_error=state.trouble,
        disagreement=state.credibility.disagreement,
        compared=None if shadow is None else shadow.circuits.get(circuit.circuit_id),
    )


def _station(state: StationState, installer: Installer | None, evses: list[EvseState]) -> StationSnapshot:
    station = None if installer is None else installer.station
    return StationSnapshot(
        identity=state.identity,
        online=state.online,
        ready=station is not None,
        remote=state.remote,
        ocpp_version=None if station is None else station.ocpp_version,
        info=state.info,
        inventory=state.inventory,
        last_heard=state.last_heard,
        away_since=state.away_since,
        ack_latency_s=None if installer is None else installer.latency_s,
        profile_writes_today=0 if installer is None else installer.writes_today,
        obeying=Obeying() if installer is None else installer.obedience.shown(),
        problem=next((problem for evse in evses if (problem := _problem(evse)) is not None), None),
        tokens_outdated=state.tokens_outdated,
    )


def _problem(evse: EvseState) -> str | None:
    if evse.problem is None and evse.keeps_foreign:
        return KEEPS_PROFILE
    return evse.problem


def _evse(
    evse: EvseState,
    turn: Turn | None,
    mode: Mode,
    names: Mapping[str, str],
    authorization: Authorization,
    measure: Measure | None,
    local: Callable[[float], datetime],
    now: float,
    voltage_v: float,
) -> EvseSnapshot:
    key = str(evse.key)
    reason = turn.reasons.get(key) if turn is not None else None
    limit_a = evse.limit_a(now)
    session = evse.session
    told_a = turn.told_a.get(key) if turn is not None else None
    connected = None if evse.connector_status is None and session is None else _connected(evse)
    reserved_until = authorization.reserved_until(evse.key)
    return EvseSnapshot(
        key=evse.key,
        status=_status(evse, reserved=reserved_until is not None),
        connector_status=evse.connector_status,
        charging_state=evse.charging_state,
        vehicle_connected=connected,
        charging=None if connected is None else session is not None and (evse.draw_a >= DRAWS_A),
        fault=_fault(evse),
        transaction_id=None if session is None else session.transaction_id,
        session_start=None if session is None else session.started_at,
        session_energy_wh=_session_energy_wh(evse),
        requested_a=told_a,
        limit_a=limit_a,
        fallback_a=evse.fallback_a,
        target_a=None if turn is None else turn.sharing.target_a(key),
        reason=reason,
        reason_text="" if reason is None else _text(explain(_reasoned_a(limit_a, told_a, reason), reason, names, local, now), mode),
        circumstances={} if reason is None else reason_document(reason, names, local),
        current_a=evse.current_a,
        voltage_v=evse.voltage_v,
        power_w=evse.drawn_w(voltage_v),
        energy_wh=evse.energy_wh,
        soc_pct=evse.soc_pct,
        needs=None if evse.session is None else evse.session.needs,
        driver=authorization.driver(evse.key),
        reserved_until=reserved_until,
        allowed=evse.allowed,
        user_max_a=evse.user_max_a,
        wish=evse.wish,
        needed=evse.needed,
        phase_map=phase_map_of(evse),
        never_pause=evse.never_pause,
        priority=evse.priority,
        phase_switch_failed=evse.phase_switch.disproved,
        did_not_wake=evse.did_not_wake,
        overdraws=evse.problem is Problem.DISOBEDIENT,
        measure=measure,
    )


def _text(text: str, mode: Mode) -> str:
    return f"Shadow mode, nothing is sent. It would be {text}" if mode is Mode.SHADOW else text


def _reasoned_a(limit_a: float, told_a: float | None, reason: Reason) -> float:
    """Return the limit that a reason is about: what is told, or what holds without us."""
    held_back = reason.code in (ReasonCode.OFFLINE, ReasonCode.NOT_CHARGING, ReasonCode.FALLBACK, ReasonCode.UNANSWERED)
    return limit_a if told_a is None or held_back else told_a


def _session_energy_wh(evse: EvseState) -> float | None:
    return evse.session_energy_wh if evse.session is not None else evse.finished_energy_wh


def _fault(evse: EvseState) -> bool | None:
    if evse.problem is not None or evse.connector_status is ConnectorStatus.FAULTED:
        return True
    return None if evse.connector_status is None and evse.session is None else False


def _connected(evse: EvseState) -> bool:
    return evse.session is not None or evse.connector_status is ConnectorStatus.OCCUPIED


def _status(evse: EvseState, *, reserved: bool) -> EvseStatus | None:
    if evse.connector_status in _CONNECTOR:
        return _CONNECTOR[evse.connector_status]
    if evse.session is not None:
        if evse.charging_state in _CHARGING:
            return _CHARGING[evse.charging_state]
        return EvseStatus.CHARGING if evse.draw_a >= DRAWS_A else EvseStatus.PREPARING
    if evse.connector_status is None:
        return None
    if evse.connector_status is ConnectorStatus.OCCUPIED:
        return EvseStatus.FINISHING if evse.finished else EvseStatus.PREPARING
    return EvseStatus.RESERVED if reserved else EvseStatus.AVAILABLE
