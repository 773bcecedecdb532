"""Learns which grid conductors are behind each EVSE's terminals, from what goes on anyway: nothing is switched for it.

Every change of a car's draw is laid beside what the nearest meter above it saw (`engine/phase_steps.py`, `engine/phase_map.py`). What is proven
is used where nobody said how an EVSE is wired, and contradicts somebody who said it wrongly: then nothing counts as known.
A change is seen by the whole turn at once, and what was reckoned of the building by the map before is reckoned anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.model import NONE_A, Phase
from ..engine.phase_map import Evidence, Learnt, Weighed, doubted, learnt, weigh
from ..engine.phase_steps import Draws, Readings, step_of
from .circuit import CircuitState
from .config import EvseConfig, EvseKey
from .evse import EvseState
from .room import path_ids
from .snapshot import MeterHealth

IDLE_AGAIN_S = 2.0
"""An EVSE without a car is looked at again after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the evidence of an EVSE comes to beside what somebody said of it."""

    evidence: Evidence
    config: EvseConfig
    learnt: Learnt
    doubted: bool


class PhaseMaps:
    """What steps have shown so far, by EVSE."""

    def __init__(self) -> None:
        """Know nothing."""
        self._evidence: dict[str, Evidence] = {}
        self._draws: dict[EvseKey, Draws] = {}
        self._readings: dict[str, Readings] = {}
        self._wired: dict[EvseKey, Learnt] = {}
        self._told: dict[EvseKey, _Told] = {}

    def turn(self, circuits: Mapping[str, CircuitState], evses: Sequence[EvseState], now: float) -> bool:
        """Look at what is new, before a turn reckons with it; returns whether something was learnt that is to be kept."""
        if self._draws.keys() != {evse.key for evse in evses}:
            self._only(evses)
        for evse in evses:
            self._take(evse, self._draws[evse.key], now)
        kept = False
        paths = {circuit_id: path_ids(circuits, circuit_id) for circuit_id in circuits}
        for circuit_id, state in circuits.items():
            if not state.circuit.metered or state.reading is None or state.arrived_at is None or state.reading.spread:
                continue
            readings = self._readings.setdefault(circuit_id, Readings())
            readings.take(state.reading.current_a, state.reading.taken_at)
            below = [evse for evse in evses if evse.ready and circuit_id in paths[evse.circuit_id]]
            for evse in below:
                if evse.learns_wiring and nearest_meter(circuits, evse.circuit_id) == circuit_id:
                    others = (self._draws[each.key] for each in below if each is not evse)
                    kept |= self._look(evse, others, readings, now)
        for evse in evses:
            self._tell(circuits, evse)
        return kept

    def meter_changed(self, circuit_id: str) -> None:
        """Forget what a circuit's meter said: another one speaks from now on."""
        self._readings.pop(circuit_id, None)

    def _only(self, evses: Sequence[EvseState]) -> None:
        """Begin to look at EVSEs that are new, and forget those that are gone: one that is put up again may be wired otherwise."""
        keys = [evse.key for evse in evses]
        self._draws = {key: self._draws.get(key) or Draws() for key in keys}
        self._evidence = {str(key): self._evidence[str(key)] for key in keys if str(key) in self._evidence}
        self._told = {key: self._told[key] for key in keys if key in self._told}
        self._wired = {key: self._wired[key] for key in keys if key in self._wired}

    def _take(self, evse: EvseState, draws: Draws, now: float) -> None:
        """Take an EVSE's newest sample, unless it was taken; that nothing flows is told again now and then."""
        if draws.levels and evse.ready:
            told_s = draws.levels[-1].until_s
            if (evse.session is not None and evse.measured_at == told_s) or (evse.session is None and now - told_s < IDLE_AGAIN_S):
                return
        if (sample := _sample(evse, now)) is not None:
            draws.take(*sample)
        elif draws.levels:
            draws.take(None, now)

    def _look(self, evse: EvseState, others: Iterable[Draws], readings: Readings, now: float) -> bool:
        """Weigh an EVSE's newest step, if there is one."""
        if (step := step_of(self._draws[evse.key], others, readings, now)) is None:
            return False
        before = self._of(evse)
        after = self._evidence[str(evse.key)] = weigh(before, step)
        return after is not before

    def _of(self, evse: EvseState) -> Evidence:
        terminals, conductors = len(evse.config.grid_phases), evse.config.conductors
        known = self._evidence.get(str(evse.key))
        if known is None or known.terminals != terminals or known.conductors != conductors:
            known = self._evidence[str(evse.key)] = Evidence(terminals=terminals, conductors=conductors)
        return known

    def _tell(self, circuits: Mapping[str, CircuitState], evse: EvseState) -> None:
        """Have an EVSE reckoned with as is known now, and with it the building that was told from its car by another map."""
        if evse.learns_wiring:
            evidence = self._of(evse)
            told = self._told.get(evse.key)
            if told is None or told.evidence is not evidence or told.config is not evse.config:
                shown = learnt(evidence)
                told = self._told[evse.key] = _Told(
                    evidence=evidence,
                    config=evse.config,
                    learnt=shown if any(each is not None for each in shown) else (),
                    doubted=bool(evidence.steps) and evse.config.rotation_known and doubted(evidence, evse.config.grid_phases),
                )
            evse.learnt, evse.learnt_steps, evse.doubted = told.learnt, len(evidence.steps), told.doubted
        else:
            evse.learnt, evse.learnt_steps, evse.doubted = (), 0, False
        wired = evse.wired
        if self._wired.setdefault(evse.key, wired) != wired and evse.session is not None:
            for circuit_id in path_ids(circuits, evse.circuit_id):
                circuits[circuit_id].reckon_anew = True
        self._wired[evse.key] = wired

    def document(self) -> dict[str, Any]:
        """Return what has to outlive a restart, as JSON-able data."""
        return {
            key: {
                "terminals": evidence.terminals,
                "conductors": [phase.name for phase in evidence.conductors],
                "steps": [{"moved": list(step.moved), "behind": [round(each, 2) for each in step.behind]} for step in evidence.steps],
            }
            for key, evidence in self._evidence.items()
            if evidence.steps
        }

    def recall(self, document: Mapping[str, Any]) -> None:
        """Take up what `document` gave."""
        for key, kept in document.items():
            evidence = Evidence(
                terminals=int(kept["terminals"]),
                conductors=tuple(Phase[name] for name in kept["conductors"]),
                steps=tuple(Weighed(moved=tuple(step["moved"]), behind=tuple(step["behind"])) for step in kept["steps"]),
            )
            if all(len(step.behind) == len(evidence.candidates) for step in evidence.steps):
                self._evidence[key] = evidence


def nearest_meter(circuits: Mapping[str, CircuitState], circuit_id: str) -> str | None:
    """Return the first circuit, from this one up, whose meter can be believed."""
    at: str | None = circuit_id
    while at is not None and (state := circuits.get(at)) is not None:
        if state.circuit.metered and state.reading is not None and state.health is not MeterHealth.LOST:
            return at
        at = state.circuit.parent_id
    return None


def _sample(evse: EvseState, now: float) -> tuple[tuple[float, ...], float] | None:
    """Return what an EVSE draws at its terminals, and when that was seen; None where nobody knows."""
    terminals = len(evse.config.grid_phases)
    if not evse.ready:
        return None
    if evse.session is None:
        return (NONE_A[:terminals], now) if evse.heard else None
    if evse.config.between_legs:
        return (evse.draw_a,) * terminals, evse.measured_at
    told_a = [current for current in evse.current_a[:terminals] if current is not None]
    return (tuple(told_a), evse.measured_at) if len(told_a) == terminals else None
