"""A circuit without a neutral: its cars hang between its conductors, and their currents meet at angles."""

from dataclasses import replace

import pytest

from custom_components.headroom.demand_response.limits import ExternalLimits
from custom_components.headroom.engine.allocate import allocate
from custom_components.headroom.engine.model import Circuit, Headroom, Phase, Request, Wiring
from custom_components.headroom.site.circuit import CircuitState
from custom_components.headroom.site.config import Mode, SiteConfig
from custom_components.headroom.site.room import headrooms

MAIN = Circuit(circuit_id="main", name="Main", fuse_a=25.0, wiring=Wiring.DELTA, imbalance_a=16.0)
PAIRS = ((Phase.L1, Phase.L2), (Phase.L2, Phase.L3), (Phase.L1, Phase.L3))


def room(circuit: Circuit) -> list[Headroom]:
    states = {"main": CircuitState(circuit=circuit, since=0.0)}
    return headrooms(states, [], ExternalLimits(), SiteConfig(circuits=(circuit,)), Mode.DYNAMIC, 0.0)


@pytest.mark.parametrize(("wiring", "least_a"), [(Wiring.STAR, 12.0), (Wiring.DELTA, 14.0)])
def test_what_three_pairs_of_conductors_carry(wiring: Wiring, least_a: float) -> None:
    rows = room(replace(MAIN, wiring=wiring, imbalance_a=None))
    requests = [Request(request_id=str(number), circuit_id="main", phases=pair, max_a=32.0) for number, pair in enumerate(PAIRS)]
    assert min(allocation.limit_a for allocation in allocate(rows, requests).values()) == least_a, "25 A, or 25 A / √3"


def test_without_a_neutral_there_is_no_limit_of_imbalance() -> None:
    assert room(MAIN)[0].imbalance is None
    assert room(replace(MAIN, wiring=Wiring.STAR))[0].imbalance is not None
