"""From what the forms stored to what the site is made of. Pure conversion."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypedDict

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_NAME, CONF_TYPE
from homeassistant.util import dt as dt_util

from .circuit_tree import circuit_names, circuit_phases, existing, parent_of, site_phases, wired_phases
from .const import (
    CONF_BLOCKED,
    CONF_CIRCUIT,
    CONF_CONCURRENT,
    CONF_COUNTED,
    CONF_EVSE_ID,
    CONF_EVSES,
    CONF_FREE_CHARGING,
    CONF_FUSE_A,
    CONF_GIVES_WAY,
    CONF_GROUP,
    CONF_ID_TOKEN,
    CONF_ID_TOKENS,
    CONF_IDENTITY,
    CONF_IMBALANCE,
    CONF_KEEPS_PHASES,
    CONF_KIND,
    CONF_LIMIT_KW,
    CONF_MARGIN_A,
    CONF_MASTER_PASS,
    CONF_MAX_A,
    CONF_METER_LOST_AFTER_S,
    CONF_MOST_A,
    CONF_NO_AUTHORIZATION,
    CONF_PHASES,
    CONF_PLACES,
    CONF_PRIORITY,
    CONF_ROTATION,
    CONF_SPARE_FLASH,
    CONF_SWITCHES_PHASES,
    CONF_UNKNOWN_OFFLINE,
    CONF_UNMANAGED_WORST_A,
    CONF_VALID_UNTIL,
    CONF_VOLTAGE_V,
    CONF_WORST_CASE_A,
    DEFAULT_METER_LOST_AFTER_S,
    DEFAULT_SPLIT_PHASE_V,
    DEFAULT_VOLTAGE_V,
    IMBALANCE_OFF,
    MAIN_CIRCUIT_ID,
    PRIORITY_OF_EVSE,
    ROTATION_UNKNOWN,
    SPLIT_PHASE,
    SPLIT_PHASE_MOST_V,
    SUBENTRY_CIRCUIT,
    SUBENTRY_ID_TOKEN,
    SUBENTRY_RESOURCE,
    SUBENTRY_STATION,
    TYPE_ANY,
)
from .engine.model import ALL_PHASES, Circuit, PerPhase, Phase
from .engine.priority import Priority
from .meter_settings import has_meter, tells_one_power
from .peak_settings import peak_limits
from .site.config import GONE_CIRCUIT_ID, AuthorizationPolicy, EvseConfig, EvseKey, KnownToken, SiteConfig, StationConfig, gone_circuit
from .site.resource import Resource, ResourceKind, worst_with

ROTATIONS: Mapping[int, tuple[str, ...]] = {
    3: ("L1L2L3", "L2L3L1", "L3L1L2", "L1L3L2", "L2L1L3", "L3L2L1", ROTATION_UNKNOWN),
    2: ("L1L2",),
    1: ("L1", "L2", "L3", ROTATION_UNKNOWN),
}
"""By the number of phases: the grid conductors behind the terminals L1, L2, L3 in that order."""

IMBALANCES_A: Mapping[str, float | None] = {IMBALANCE_OFF: None, "20": 20.0, "16": 16.0}
"""How far cars may take two phases apart, by what the forms call it: 20 A in Germany, 16 A in Austria and Switzerland."""

PRIORITIES: Mapping[str, Priority | None] = {PRIORITY_OF_EVSE: None} | {priority.value: priority for priority in Priority}
TOKEN_TYPES: Mapping[str, str | None] = {
    TYPE_ANY: None,
    "iso14443": "ISO14443",
    "iso15693": "ISO15693",
    "keycode": "KeyCode",
    "central": "Central",
    "local": "Local",
    "emaid": "eMAID",
    "macaddress": "MacAddress",
}
"""OCPP's IdTokenEnumType by what the forms and the actions call it; None: whatever a reader says."""


def evse_rotations(phases: int) -> tuple[str, ...]:
    """Return what may be behind an EVSE's terminals on a site with so many conductors; nothing to be asked where there is one.

    On a split-phase site an EVSE hangs between the two legs, or between one of them and neutral.
    """
    if phases == len(ALL_PHASES):
        return (*ROTATIONS[3], *ROTATIONS[1][:-1])
    return (*ROTATIONS[2], "L1", "L2", ROTATION_UNKNOWN) if phases == SPLIT_PHASE else ()


def voltage_to_neutral(phases: int, voltage_v: float) -> float:
    """Return the voltage that a conductor has to neutral, from what was typed: on a split-phase site that may be the one between the legs.

    What is left as it was proposed for other supplies is no answer there.
    """
    if phases != SPLIT_PHASE or voltage_v < SPLIT_PHASE_MOST_V:
        return voltage_v
    return DEFAULT_SPLIT_PHASE_V if voltage_v == DEFAULT_VOLTAGE_V else voltage_v / 2


def rotation_phases(rotation: str, phases: int) -> tuple[Phase, ...]:
    """Return the grid conductors behind an EVSE's terminals; the usual order where the rotation is not known."""
    if rotation == ROTATION_UNKNOWN:
        return ALL_PHASES[:phases]
    return tuple(Phase[name] for name in (rotation[at : at + 2] for at in range(0, len(rotation), 2)))


def site_config(entry: ConfigEntry) -> SiteConfig:
    """Return the site that a config entry and its subentries describe."""
    circuits = {circuit.circuit_id: circuit for circuit in _circuits(entry)}
    stations = {station.identity: station for station in _stations(entry)}
    named = {circuit.parent_id for circuit in circuits.values()} | {station.circuit_id for station in stations.values()}
    if GONE_CIRCUIT_ID in named:
        circuits[GONE_CIRCUIT_ID] = gone_circuit(circuits[MAIN_CIRCUIT_ID])
    resources = tuple(_resources(entry))
    worst_a = worst_with(resources, circuits)
    return SiteConfig(
        circuits=tuple(replace(circuit, unmanaged_worst_a=worst_a[circuit_id]) for circuit_id, circuit in circuits.items()),
        resources=resources,
        stations=stations,
        voltage_v=float(entry.data[CONF_VOLTAGE_V]),
        authorization=authorization_policy(entry),
        zone=dt_util.get_default_time_zone(),
        meter_lost_after_s=float(entry.data.get(CONF_METER_LOST_AFTER_S, DEFAULT_METER_LOST_AFTER_S)),
        peak=peak_limits(entry.data),
        spares_flash=bool(entry.data.get(CONF_SPARE_FLASH, True)),
    )


def authorization_policy(entry: ConfigEntry) -> AuthorizationPolicy:
    """Return who may charge at the site that a config entry and its subentries describe."""
    no_authorization = entry.options.get(CONF_NO_AUTHORIZATION)
    typed = (KnownToken(value=value, concurrent=True) for value in entry.options.get(CONF_ID_TOKENS, ()))
    return AuthorizationPolicy(
        free=bool(entry.options.get(CONF_FREE_CHARGING, False)),
        tokens=(*(_token(subentry) for subentry in entry.get_subentries_of_type(SUBENTRY_ID_TOKEN)), *typed),
        no_authorization=None if no_authorization is None else bool(no_authorization),
        unknown_offline=bool(entry.options.get(CONF_UNKNOWN_OFFLINE, False)),
    )


def _token(subentry: ConfigSubentry) -> KnownToken:
    data = subentry.data
    places = [place.partition("/") for place in data.get(CONF_PLACES, ())]
    until = dt_util.parse_datetime(data.get(CONF_VALID_UNTIL) or "")
    return KnownToken(
        value=data[CONF_ID_TOKEN],
        type=TOKEN_TYPES.get(data.get(CONF_TYPE, TYPE_ANY)),
        name=subentry.title if data.get(CONF_NAME) else "",
        group=data.get(CONF_GROUP) or None,
        # A person types a time of their own clock.
        valid_until=None if until is None else until.replace(tzinfo=until.tzinfo or dt_util.get_default_time_zone()),
        stations=frozenset(identity for identity, _, evse_id in places if not evse_id),
        evses=frozenset(EvseKey(identity, int(evse_id)) for identity, _, evse_id in places if evse_id),
        blocked=bool(data.get(CONF_BLOCKED, False)),
        master=bool(data.get(CONF_MASTER_PASS, False)),
        concurrent=bool(data.get(CONF_CONCURRENT, False)),
        keeps_phases=bool(data.get(CONF_KEEPS_PHASES, False)),
        priority=PRIORITIES.get(data.get(CONF_PRIORITY, PRIORITY_OF_EVSE)),
    )


def _circuits(entry: ConfigEntry) -> Iterator[Circuit]:
    phases = site_phases(entry.data)
    yield Circuit(
        circuit_id=MAIN_CIRCUIT_ID,
        name=entry.title,
        phases=phases,
        fuse_a=float(entry.data[CONF_FUSE_A]),
        margin_a=float(entry.data[CONF_MARGIN_A]),
        unmanaged_worst_a=_on(phases, entry.data[CONF_WORST_CASE_A]),
        metered=has_meter(entry.data),
        **_constraints(entry.data),
    )
    for subentry in entry.get_subentries_of_type(SUBENTRY_CIRCUIT):
        phases = circuit_phases(entry, subentry.subentry_id)
        yield Circuit(
            circuit_id=subentry.subentry_id,
            name=subentry.title,
            parent_id=parent_of(entry, subentry.subentry_id),
            phases=phases,
            fuse_a=float(subentry.data[CONF_FUSE_A]),
            margin_a=float(subentry.data[CONF_MARGIN_A]),
            unmanaged_worst_a=_on(phases, subentry.data[CONF_UNMANAGED_WORST_A]),
            metered=has_meter(subentry.data),
            **_constraints(subentry.data),
        )


def _resources(entry: ConfigEntry) -> Iterator[Resource]:
    circuits = circuit_names(entry)
    for subentry in entry.get_subentries_of_type(SUBENTRY_RESOURCE):
        data = subentry.data
        circuit_id = data[CONF_CIRCUIT] if data[CONF_CIRCUIT] in circuits else MAIN_CIRCUIT_ID
        yield Resource(
            resource_id=subentry.subentry_id,
            name=subentry.title,
            kind=ResourceKind(data[CONF_KIND]),
            circuit_id=circuit_id,
            phases=wired_phases(data, circuit_phases(entry, circuit_id)),
            most_a=float(data[CONF_MOST_A]),
            even=tells_one_power(data),
            counted=bool(data[CONF_COUNTED]),
            gives_way=bool(data.get(CONF_GIVES_WAY, False)),
        )


class _Constraints(TypedDict):
    limit_w: float | None
    imbalance_a: float | None


def _constraints(data: Mapping[str, Any]) -> _Constraints:
    """Return what a circuit is kept within beside its fuse; nothing where the form did not ask yet."""
    limit_kw = data.get(CONF_LIMIT_KW)
    return {
        "limit_w": None if limit_kw is None else 1000.0 * float(limit_kw),
        "imbalance_a": IMBALANCES_A[data.get(CONF_IMBALANCE, IMBALANCE_OFF)],
    }


def _stations(entry: ConfigEntry) -> Iterator[StationConfig]:
    for subentry in entry.get_subentries_of_type(SUBENTRY_STATION):
        circuit_id = existing(entry, subentry.data[CONF_CIRCUIT])
        phases = circuit_phases(entry, circuit_id)
        yield StationConfig(
            identity=subentry.data[CONF_IDENTITY],
            name=subentry.title,
            circuit_id=circuit_id,
            evses=tuple(_evse(data, phases) for data in subentry.data[CONF_EVSES]),
        )


def _evse(data: Mapping[str, Any], fed: tuple[Phase, ...]) -> EvseConfig:
    """Return an EVSE. On a circuit with one conductor there is only that one to be connected to; what hangs between two legs loads both alike."""
    phases, rotation = min(int(data[CONF_PHASES]), len(fed)), str(data[CONF_ROTATION])
    between = phases == SPLIT_PHASE
    said = rotation_phases(rotation, phases)[:phases]
    known = len(fed) == 1 or between or (rotation != ROTATION_UNKNOWN and {*said} <= {*fed})
    return EvseConfig(
        evse_id=int(data[CONF_EVSE_ID]),
        grid_phases=said if known and len(fed) > 1 and not between else fed[:phases],
        rotation_known=known,
        max_a=float(data[CONF_MAX_A]),
        conductors=fed,
        between_legs=between,
        switches_phases=phases == len(ALL_PHASES) and bool(data.get(CONF_SWITCHES_PHASES, False)),
    )


def _on(phases: tuple[Phase, ...], current_a: float) -> PerPhase:
    l1, l2, l3 = (float(current_a) if phase in phases else 0.0 for phase in ALL_PHASES)
    return (l1, l2, l3)
