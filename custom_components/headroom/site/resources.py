"""PV systems and home batteries: what their user wants made of what they draw and give, beside what the meters see of it.

A meter at a fuse sees them already: what they give is amps that don't flow through it, and what they draw are amps that do. That is
true as long as they go on. What a person may say beyond that:

- What it gives is *not* for cars: then a circuit's load is reckoned as if it gave nothing, and nothing has to be cut when it stops.
- What a battery draws *is* for cars, since it gives way: then its load is reckoned as if it drew nothing. That is believed as long as it is
  so. A circuit that stays over its limit meanwhile has the cars give way, and the battery is not counted upon for a while.

Either is measured; one whose meter is silent is taken to give all it can where that is not for cars, and never to give way. On what comes of
it no fallback and no lease rests: the dead-man rule has the worst case of the building, which is never below what its batteries draw.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
import logging
import math

from ..engine.breaker import carried_load
from ..engine.deadman import RESPONSE_S, SAFETY
from ..engine.model import NONE_A, Circuit, PerPhase
from ..engine.tree import path
from ..engine.unmanaged import add, subtract
from ..metering.fault import Trouble
from ..metering.reading import MeterError, Reading
from .circuit import EVERY_EASES, CircuitState
from .config import SiteConfig
from .resource import Resource
from .snapshot import MeterHealth, ResourceSnapshot

_LOGGER = logging.getLogger(__name__)

GIVES_WAY_S = 5.0
"""So long a battery may take to make room once a circuit is over its limit."""
BARRED_S = 900.0
"""So long one that did not is not counted upon."""
PAUSES = 2.5
"""After so many of its usual pauses a meter is told of as silent: many an inverter is read once a minute…"""
LONGEST_PAUSE_S = 300.0
"""…or less often; one of which nobody knows yet how often it is read is given so long."""
OVER_A = 0.5
"""A circuit above its limit by less is not held against a battery."""


@dataclass(slots=True, kw_only=True)
class ResourceState:
    """What the loop knows of one: its newest reading, and whether it is counted upon to give way."""

    resource: Resource
    since: float
    reading: Reading | None = None
    meter_error: Trouble | None = None
    health: MeterHealth = MeterHealth.STALE
    """Whether what it said is counted upon."""
    every_s: float | None = None
    """How far apart its readings come; None before there were two."""
    silent: bool = False
    """Whether it is lost, and not only read seldom."""
    in_the_way_since: float | None = None
    """Since when a circuit has been over its limit while what this draws was counted as room."""
    barred_until: float = -math.inf

    def judge(self, config: SiteConfig, now: float) -> None:
        """Update how far its meter is to be believed."""
        age_s = now - (self.since if self.reading is None else self.reading.taken_at)
        lost = age_s > config.meter_lost_after_s
        patience_s = LONGEST_PAUSE_S if self.every_s is None else PAUSES * self.every_s
        if self.reading is None or self.meter_error is not None:
            patience_s = 0.0
        before, self.silent = self.silent, lost and age_s > patience_s
        if self.silent and not before:
            _LOGGER.info("The meter of %s is silent (%s)", self.resource.name, self.meter_error or "no reading")
        if before and not self.silent:
            _LOGGER.info("The meter of %s is read again", self.resource.name)
        stale = self.reading is None or age_s > config.meter_stale_after_s
        self.health = MeterHealth.LOST if lost else MeterHealth.STALE if stale else MeterHealth.OK

    def given_a(self) -> PerPhase:
        """Return what it gives; all it can where nobody knows."""
        if self.reading is None or self.health is MeterHealth.LOST:
            return self.resource.on_phases(self.resource.most_a)
        l1, l2, l3 = (max(0.0, -current) for current in self.reading.current_a)
        return (l1, l2, l3)

    def flows_a(self) -> float | None:
        """Return what flows to it over all conductors; None where that is not known of now."""
        return None if self.reading is None or self.health is not MeterHealth.OK else math.fsum(self.reading.current_a)

    def yields_a(self, now: float) -> PerPhase:
        """Return what it draws and would leave to cars; nothing unless that is known."""
        if not self.resource.gives_way or self.reading is None or self.health is not MeterHealth.OK or now < self.barred_until:
            return NONE_A
        l1, l2, l3 = (max(0.0, current) for current in self.reading.current_a)
        return (l1, l2, l3)

    def snapshot(self, now: float) -> ResourceSnapshot:
        """Return what is shown of it."""
        reading = self.reading
        return ResourceSnapshot(
            resource_id=self.resource.resource_id,
            name=self.resource.name,
            phases=self.resource.phases,
            current_a=NONE_A if reading is None else reading.current_a,
            power_w=None if reading is None else reading.power_w,
            meter=MeterHealth.STALE if self.health is MeterHealth.LOST and not self.silent else self.health,
            meter_age_s=None if reading is None else max(0.0, now - reading.taken_at),
            meter_error=self.meter_error,
            in_the_way=now < self.barred_until,
        )


class Resources:
    """Those of one site."""

    def __init__(self) -> None:
        """There are none yet."""
        self._states: dict[str, ResourceState] = {}

    def configure(self, resources: Iterable[Resource], now: float) -> None:
        """Take over changed ones; what is known of them stays."""
        before = self._states
        self._states = {each.resource_id: before.get(each.resource_id, ResourceState(resource=each, since=now)) for each in resources}
        for each in resources:
            self._states[each.resource_id].resource = each

    def update_reading(self, resource_id: str, reading: Reading, voltage_v: float) -> bool:
        """Take in a reading, whose conductors are those of the meter; False where it is nobody's here."""
        if (state := self._states.get(resource_id)) is None:
            return False
        if state.reading is not None and 0 < (apart_s := reading.taken_at - state.reading.taken_at) <= LONGEST_PAUSE_S:
            state.every_s = apart_s if state.every_s is None else max(apart_s, EVERY_EASES * state.every_s)
        state.reading = replace(reading, current_a=state.resource.flows_a(reading, voltage_v))
        state.meter_error = None
        return True

    def meter_health(self, resource_id: str, error: MeterError | None) -> None:
        """Take note that a meter broke or is heard again."""
        if (state := self._states.get(resource_id)) is not None:
            state.meter_error = None if error is None else error.trouble

    def meter_changed(self, resource_id: str, now: float) -> None:
        """Take note that another meter speaks from now on: what the one before showed, and what was held against it for that, is forgotten."""
        if (state := self._states.get(resource_id)) is not None:
            self._states[resource_id] = ResourceState(resource=state.resource, since=now)

    def snapshots(self, now: float) -> dict[str, ResourceSnapshot]:
        """Return what is shown of each."""
        return {resource_id: state.snapshot(now) for resource_id, state in self._states.items()}

    def reckon(self, circuits: Mapping[str, CircuitState], config: SiteConfig, now: float) -> None:
        """Write down by how much each metered circuit's load is reckoned otherwise than it is measured."""
        nodes = {circuit_id: state.circuit for circuit_id, state in circuits.items()}
        given, kept_back, yielded = (dict.fromkeys(circuits, NONE_A) for _ in range(3))
        flows: dict[str, float | None] = dict.fromkeys(circuits, 0.0)
        for state in self._states.values():
            state.judge(config, now)
            if state.resource.circuit_id not in nodes:
                continue
            above = [circuits[circuit.circuit_id] for circuit in path(nodes, state.resource.circuit_id)]
            self._watch(state, above, now)
            for circuit in above:
                circuit_id = circuit.circuit.circuit_id
                yielded[circuit_id] = add(yielded[circuit_id], state.yields_a(now))
                given[circuit_id] = add(given[circuit_id], state.given_a())
                before_a, flows_a = flows[circuit_id], state.flows_a()
                flows[circuit_id] = None if before_a is None or flows_a is None else before_a + flows_a
                if not state.resource.counted:
                    kept_back[circuit_id] = add(kept_back[circuit_id], state.given_a())
        for circuit_id, circuit in circuits.items():
            circuit.given_a, circuit.resources_a = given[circuit_id], flows[circuit_id]
            circuit.reckoned_more_a = subtract(kept_back[circuit_id], _carried(circuit.circuit, yielded[circuit_id]))

    def _watch(self, state: ResourceState, above: Iterable[CircuitState], now: float) -> None:
        """Bar one that is counted upon to give way, and does not while a circuit above it is over its limit."""
        yields_a = state.yields_a(now)
        in_the_way = any(
            circuit.believed is not None and yields_a[phase] > OVER_A and circuit.believed.current_a[phase] > limit + OVER_A
            for circuit in above
            for phase, limit in enumerate(circuit.circuit.limit_a())
        )
        if not in_the_way:
            state.in_the_way_since = None
        elif state.in_the_way_since is None:
            state.in_the_way_since = now
        elif now - state.in_the_way_since >= GIVES_WAY_S:
            state.barred_until, state.in_the_way_since = now + BARRED_S, None
            _LOGGER.info("%s did not give way to cars: what it draws is not counted as room for %.0f s", state.resource.name, BARRED_S)

    @property
    def next_change(self) -> float:
        """When one that is in the way has had the time to make room (monotonic); infinite where none is."""
        waiting = [state.in_the_way_since for state in self._states.values() if state.in_the_way_since is not None]
        return min(waiting, default=math.inf) + GIVES_WAY_S


def _carried(circuit: Circuit, yielded_a: PerPhase) -> PerPhase:
    """Return what of it a circuit's breaker carries beside its limit until it is gone."""
    limits_a = circuit.limit_a()
    load = carried_load((GIVES_WAY_S + RESPONSE_S) / SAFETY, max(limits_a) / circuit.fuse_a)
    l1, l2, l3 = (min(yielded, max(0.0, circuit.fuse_a * load - limit)) for yielded, limit in zip(yielded_a, limits_a, strict=True))
    return (l1, l2, l3)
