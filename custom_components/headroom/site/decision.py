"""One turn of the loop, complete: what was read, what was decided and why, and how long it took to take hold."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..engine.explain import explain
from ..engine.model import PerPhase
from .circuit import CircuitState
from .config import EvseKey
from .evse import EvseState
from .needs import needed_document
from .reason_document import reason_document
from .turn import Turn

DECISIONS_KEPT = 500
"""So many decisions are kept in memory."""


@dataclass(slots=True, kw_only=True)
class Decision:
    """A turn that changed something. Times are seconds; `acknowledged_s` is None until the last station has acknowledged."""

    number: int
    at: datetime
    trigger: str
    """What started the turn: "reading", "station", "user", "confirmed", "plan", "timer"."""
    circuits: Mapping[str, Mapping[str, Any]]
    """By circuit: reading_a, reading_age_s, unmanaged_a, headroom_a, meter."""
    evses: Mapping[str, Mapping[str, Any]]
    """By EVSE: asked_a, target_a, allocated_a, told_a, limit_a, draw_a, reason, circumstances, text."""
    cut: bool
    """Some car was told less than it had."""
    lease_s: float
    dead_man_violations: int
    turn_ms: float
    policy: str
    plan_age_s: float | None
    acknowledged_s: float | None = None
    """From the arrival of the reading that started it (else from the turn) to the last station's acknowledgement."""

    def document(self) -> dict[str, Any]:
        """Return the decision as JSON-able data."""
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "trigger": self.trigger,
            "circuits": dict(self.circuits),
            "evses": dict(self.evses),
            "cut": self.cut,
            "lease_s": round(self.lease_s, 1),
            "dead_man_violations": self.dead_man_violations,
            "turn_ms": round(self.turn_ms, 3),
            "policy": self.policy,
            "plan_age_s": None if self.plan_age_s is None else round(self.plan_age_s, 1),
            "acknowledged_s": None if self.acknowledged_s is None else round(self.acknowledged_s, 4),
        }


def circuit_document(state: CircuitState, headroom_a: PerPhase, now: float) -> dict[str, Any]:
    """Return what a decision keeps of a circuit."""
    age_s = state.age_s(now)
    return {
        "reading_a": None if state.reading is None else _rounded(state.reading.current_a),
        "reading_age_s": None if age_s is None else round(age_s, 2),
        "unmanaged_a": _rounded(state.unmanaged_a()),
        "headroom_a": _rounded(headroom_a),
        "meter": str(state.health),
    }


def evse_document(
    evse: EvseState, turn: Turn, names: Mapping[str, str], wall_clock: Callable[[float], datetime], now: float
) -> dict[str, Any]:
    """Return what a decision keeps of an EVSE."""
    key = str(evse.key)
    request, allocation, told_a = turn.requests.get(key), turn.allocations.get(key), turn.told_a.get(key)
    limit_a, target_a = evse.limit_a(now), turn.sharing.target_a(key)
    return {
        "asked_a": None if request is None else round(request.max_a, 1),
        "needed": None if request is None else needed_document(evse.needed),
        "target_a": None if target_a is None else round(target_a, 1),
        "allocated_a": None if allocation is None else round(allocation.limit_a, 1),
        "told_a": None if told_a is None else round(told_a, 1),
        "limit_a": round(limit_a, 1),
        "draw_a": round(evse.draw_a, 1),
        "reason": str(turn.reasons[key].code),
        "circumstances": reason_document(turn.reasons[key], names, wall_clock),
        "text": explain(limit_a if told_a is None else told_a, turn.reasons[key], names, wall_clock, now),
    }


def _rounded(values: PerPhase) -> list[float]:
    return [round(value, 2) for value in values]


@dataclass(slots=True)
class _Reaction:
    """A decision whose cuts are not all acknowledged yet."""

    decision: Decision
    started_at: float
    waiting: dict[EvseKey, float]
    """The limit each EVSE is to acknowledge."""


class DecisionLog:
    """The last decisions, and how fast they took hold."""

    def __init__(self) -> None:
        self._decisions: deque[Decision] = deque(maxlen=DECISIONS_KEPT)
        self._reactions: list[_Reaction] = []
        self.reaction_s: float | None = None
        """Of the last reading that made a cut necessary."""

    def add(self, decision: Decision, cuts: Mapping[EvseKey, float], started_at: float) -> None:
        """Keep a decision; `started_at` is when what caused it came in, `cuts` the limits that must be acknowledged."""
        self._decisions.append(decision)
        if cuts:
            self._reactions.append(_Reaction(decision, started_at, dict(cuts)))

    def superseded(self, key: EvseKey, limit_a: float | None) -> None:
        """Take note that another limit is wanted on an EVSE now: who waits for the last one waits in vain."""
        self._reactions = [reaction for reaction in self._reactions if reaction.waiting.get(key, limit_a) == limit_a]

    def confirmed(self, key: EvseKey, limit_a: float, now: float) -> None:
        """Take note that an EVSE's limit was acknowledged."""
        for reaction in list(self._reactions):
            if reaction.waiting.get(key) != limit_a:
                continue
            del reaction.waiting[key]
            if not reaction.waiting:
                reaction.decision.acknowledged_s = now - reaction.started_at
                if reaction.decision.trigger == "reading":
                    self.reaction_s = reaction.decision.acknowledged_s
                self._reactions.remove(reaction)

    def failed(self, key: EvseKey) -> None:
        """Take note that an EVSE did not acknowledge: the decisions that waited for it are never complete."""
        self._reactions = [reaction for reaction in self._reactions if key not in reaction.waiting]

    def documents(self, count: int) -> list[dict[str, Any]]:
        """Return the last decisions, the newest last, as JSON-able data."""
        return [decision.document() for decision in list(self._decisions)[-count:]] if count > 0 else []
