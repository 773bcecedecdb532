"""Random sites: trees of circuits with what is left on them, and the sessions that want it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from hypothesis import strategies as st

from custom_components.headroom.engine.model import ALL_PHASES, Headroom, Imbalance, Phase, ReasonCode, Request, Wiring

CEILINGS = (ReasonCode.STATION, ReasonCode.USER, ReasonCode.CAR, ReasonCode.EXTERNAL)
PHASES = [(phase,) for phase in Phase] + [
    ALL_PHASES,
    ALL_PHASES,
    (Phase.L3, Phase.L1, Phase.L2),
    (Phase.L1, Phase.L2),
    (Phase.L2, Phase.L3),
]
BETWEEN = [(Phase.L1, Phase.L2), (Phase.L2, Phase.L3), (Phase.L3, Phase.L1), (Phase.L1, Phase.L3), (Phase.L2, Phase.L1), ALL_PHASES]
"""Where there is no neutral."""


@dataclass(frozen=True)
class SiteCase:
    """The arguments of one allocation."""

    headrooms: list[Headroom]
    requests: list[Request]

    def capped(self, most_a: Mapping[str, float]) -> list[Request]:
        """Return the requests with these ceilings."""
        return [replace(request, max_a=most_a[request.request_id]) for request in self.requests]


def tenths(low: int, high: int) -> st.SearchStrategy[float]:
    """Return currents with one decimal."""
    return st.integers(low * 10, high * 10).map(lambda value: value / 10)


scarce_a = st.one_of(tenths(0, 60), tenths(10, 40), st.integers(0, 50).map(float), tenths(-5, 5))
"""What is left on a conductor: often enough for some, sometimes nothing or less."""
ample_a = st.one_of(tenths(20, 80), st.integers(20, 80).map(float))
"""Enough for the least current of most sessions, not for all they want."""


class Wires(Enum):
    """How a site is wired: what may be full, and whether one car's current may relieve what another's loads."""

    STAR = auto()
    DELTA = auto()
    BALANCED = auto()
    TRANSFORMED = auto()


RIGID = (Wires.STAR, Wires.DELTA)
"""Where nobody's current makes room for another's."""


@st.composite
def trees(draw: st.DrawFn, left_a: st.SearchStrategy[float], wires: Wires, max_circuits: int = 5) -> list[Headroom]:
    """Draw a tree; the first circuit is the root."""

    def wiring(index: int) -> Wiring:
        if wires is Wires.DELTA:
            return Wiring.DELTA
        if wires is Wires.TRANSFORMED:
            return Wiring.DELTA_BEHIND_TRANSFORMER if index == 0 or draw(st.booleans()) else Wiring.DELTA
        return Wiring.STAR

    def imbalance(index: int) -> Imbalance | None:
        if wires is not Wires.BALANCED or (index and draw(st.booleans())):
            return None
        return Imbalance(limit_a=draw(tenths(0, 25)), unmanaged_a=(draw(tenths(0, 20)), draw(tenths(0, 20)), draw(tenths(0, 20))))

    return [
        Headroom(
            circuit_id=f"c{index}",
            parent_id=None if index == 0 else f"c{draw(st.integers(0, index - 1))}",
            available_a=(draw(left_a), draw(left_a), draw(left_a)),
            sum_a=draw(st.one_of(st.none(), left_a.map(lambda value: 2 * value))),
            wiring=wiring(index),
            imbalance=imbalance(index),
        )
        for index in range(draw(st.integers(1, max_circuits)))
    ]


@st.composite
def sites(
    draw: st.DrawFn,
    *,
    ample: bool | None = None,
    wires: Sequence[Wires] = tuple(Wires),
    goals: bool = False,
    max_requests: int = 8,
    **fixed: Any,
) -> SiteCase:
    """Draw a site, ample or scarce; with `goals`, of guarantees and targets; `fixed` are fields that all of its requests have in common."""
    wired = draw(st.sampled_from(wires))
    headrooms = draw(trees(ample_a if (draw(st.booleans()) if ample is None else ample) else scarce_a, wired))
    phases = PHASES if wired in {Wires.STAR, Wires.BALANCED} else BETWEEN
    planned = goals and draw(st.booleans())
    requests: list[Request] = []
    for index in range(draw(st.integers(0, max_requests))):
        fields: dict[str, Any] = {
            "request_id": f"r{index}",
            "circuit_id": draw(st.sampled_from(headrooms)).circuit_id,
            "phases": draw(st.sampled_from(phases)),
            "max_a": draw(st.one_of(st.sampled_from([16.0, 32.0]), tenths(0, 40))),
            "ceiling": draw(st.sampled_from(CEILINGS)),
            "min_a": draw(st.sampled_from([6.0, 6.0, 6.5, 8.0, 10.0])),
            "step_a": draw(st.sampled_from([1.0, 1.0, 0.1, 2.0, 0.5])),
            "weight": draw(st.sampled_from([1.0, 1.0, 2.0, 0.5, 4.0])),
            "tier": draw(st.integers(0, 2)),
            "queue_key": float(draw(st.integers(0, 3))),
        }
        if goals:
            fields["guarantee_a"] = draw(st.one_of(st.just(0.0), tenths(0, 25)))
        if planned:
            fields["target_a"] = draw(st.one_of(tenths(6, 30), tenths(0, 40)))
        requests.append(Request(**(fields | fixed)))
    return SiteCase(headrooms, requests)
