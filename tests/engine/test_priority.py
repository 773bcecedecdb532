"""Rules: whom they are about, what they give, and what comes of it."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.headroom.engine.model import Headroom, Need, Past, Phase, Request
from custom_components.headroom.engine.priority import MOST_TIERS, Rule, prioritise
from custom_components.headroom.engine.share import Policy, look_ahead, share

NOW = 1_000_000.0
HOUR_S = 3600.0
POWER_W = 32 * 230.0

LOW_FIRST = Rule(below_state_of_charge=0.2, tiers_behind=-1)
URGENT_FIRST = Rule(below_laxity_s=HOUR_S, tiers_behind=-1)


def car(request_id: str, **fields: object) -> Request:
    """Return a one-phase car at the main fuse."""
    return replace(Request(request_id=request_id, circuit_id="main", phases=(Phase.L1,), max_a=32.0), **fields)


def ruled(requests: list[Request], *rules: Rule) -> dict[str, Request]:
    """Return the requests by their ids, after the rules."""
    powers_w = {each.request_id: POWER_W for each in requests}
    return {each.request_id: each for each in prioritise(requests, rules, powers_w, now=NOW)}


def limits(left_a: float, requests: list[Request], policy: Policy, *rules: Rule) -> Mapping[str, float]:
    """Return what each gets of so much on each phase."""
    headrooms = [Headroom(circuit_id="main", parent_id=None, available_a=(left_a, left_a, left_a))]
    requests = list(ruled(requests, *rules).values())
    planned = look_ahead(headrooms, requests, policy, now=NOW)
    return {name: each.limit_a for name, each in share(headrooms, requests, policy, planned, now=NOW).items()}


@pytest.mark.parametrize(
    ("rule", "fits", "does_not"),
    [
        (Rule(tiers_behind=1), car("any"), None),
        (Rule(requests=frozenset({"a"}), tiers_behind=1), car("a"), car("b")),
        (Rule(circuits=frozenset({"main"}), tiers_behind=1), car("a"), car("a", circuit_id="garage")),
        (
            Rule(below_state_of_charge=0.2, tiers_behind=1),
            car("a", need=Need(state_of_charge=0.19)),
            car("a", need=Need(state_of_charge=0.2)),
        ),
        (Rule(below_state_of_charge=0.2, tiers_behind=1), car("a", need=Need(state_of_charge=0.0)), car("a")),
        # 7.36 kWh take an hour at full power.
        (
            Rule(below_laxity_s=HOUR_S, tiers_behind=1),
            car("a", need=Need(energy_wh=7360, departs_at=NOW + 1.9 * HOUR_S)),
            car("a", need=Need(energy_wh=7360, departs_at=NOW + 2.1 * HOUR_S)),
        ),
        (
            Rule(below_laxity_s=HOUR_S, tiers_behind=1),
            car("a", need=Need(energy_wh=7360, departs_at=NOW)),
            car("a", need=Need(departs_at=NOW + 60)),
        ),
        (Rule(leaves_within_s=HOUR_S, tiers_behind=1), car("a", need=Need(departs_at=NOW + 60)), car("a")),
        (
            Rule(requests=frozenset({"a"}), below_state_of_charge=0.5, tiers_behind=1),
            car("a", need=Need(state_of_charge=0.4)),
            car("b", need=Need(state_of_charge=0.4)),
        ),
    ],
)
def test_a_rule_is_about_those_that_all_it_asks_is_known_of(rule: Rule, fits: Request, does_not: Request | None) -> None:
    assert ruled([fits], rule)[fits.request_id].tier == 1
    if does_not is not None:
        assert ruled([does_not], rule)[does_not.request_id] == does_not


def test_each_thing_is_given_by_the_first_rule_that_speaks_of_it() -> None:
    mine = Rule(requests=frozenset({"mine"}), times_weight=3.0, pausable=False)
    for_all = Rule(tiers_behind=2, times_weight=0.5, guarantee_a=8.0, pausable=True)
    given_ = ruled([car("mine", weight=2.0), car("other", tier=1)], mine, for_all)
    assert given_["mine"] == car("mine", tier=2, weight=6.0, guarantee_a=8.0, pausable=False)
    assert given_["other"] == car("other", tier=3, weight=0.5, guarantee_a=8.0)


@pytest.mark.parametrize(
    "senseless",
    [
        {"times_weight": 0.0},
        {"times_weight": inf},
        {"guarantee_a": -1.0},
        {"guarantee_a": inf},
        {"tiers_behind": MOST_TIERS + 1},
        {"tiers_behind": -MOST_TIERS - 1},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(senseless: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="can't be|there are no"):
        Rule(**senseless)  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", Policy)
def test_a_nearly_empty_car_is_served_first_whatever_the_policy(policy: Policy) -> None:
    full, empty = car("full", need=Need(state_of_charge=0.7)), car("low", need=Need(state_of_charge=0.1), past=Past(arrived_at=9.0))
    assert limits(11, [full, empty], policy)["full"] == 11
    assert limits(11, [full, empty], policy, LOW_FIRST) == {"low": 11, "full": 0}
    assert limits(40, [full, empty], policy, LOW_FIRST) == {"low": 32, "full": 8}


def test_without_a_plan_the_urgent_car_has_all_it_can_take() -> None:
    patient = car("patient", need=Need(energy_wh=7360, departs_at=NOW + 9 * HOUR_S))
    urgent = car("urgent", need=Need(energy_wh=7360, departs_at=NOW + 1.5 * HOUR_S))
    assert limits(40, [patient, urgent], Policy.EQUAL_CURRENT) == {"patient": 20, "urgent": 20}
    assert limits(40, [patient, urgent], Policy.EQUAL_CURRENT, URGENT_FIRST) == {"patient": 8, "urgent": 32}


def test_a_guarantee_comes_before_shares_and_a_car_that_must_not_be_paused_goes_on() -> None:
    assert limits(40, [car("a"), car("b")], Policy.EQUAL_CURRENT, Rule(requests=frozenset({"b"}), guarantee_a=25.0)) == {"a": 15, "b": 25}
    charging = car("b", past=Past(limit_a=8.0, changed_at=NOW - 9 * HOUR_S, arrived_at=9.0))
    assert limits(8, [car("a"), charging], Policy.EQUAL_CURRENT) == {"a": 8, "b": 0}
    assert limits(8, [car("a"), charging], Policy.EQUAL_CURRENT, Rule(requests=frozenset({"b"}), pausable=False)) == {"a": 0, "b": 8}


requests = st.lists(
    st.builds(
        car,
        st.sampled_from("abcdefg"),
        circuit_id=st.sampled_from(["main", "garage"]),
        tier=st.integers(0, 2),
        need=st.builds(
            Need,
            energy_wh=st.none() | st.floats(0, 50_000),
            departs_at=st.none() | st.floats(NOW, NOW + 9 * HOUR_S),
            state_of_charge=st.none() | st.floats(0, 1),
        ),
    ),
    unique_by=lambda request: request.request_id,
)
rules = st.lists(
    st.builds(
        Rule,
        requests=st.none() | st.frozensets(st.sampled_from("abcdefg")),
        circuits=st.none() | st.frozensets(st.sampled_from(["main", "garage"])),
        below_state_of_charge=st.none() | st.floats(0, 1),
        below_laxity_s=st.none() | st.floats(0, 9 * HOUR_S),
        leaves_within_s=st.none() | st.floats(0, 9 * HOUR_S),
        tiers_behind=st.none() | st.integers(-3, 3),
        times_weight=st.none() | st.floats(0.1, 9),
        guarantee_a=st.none() | st.floats(0, 32),
        pausable=st.none() | st.booleans(),
    ),
    max_size=4,
)


@given(requests=requests, rules=rules, data=st.data())
@settings(max_examples=150)
def test_what_a_session_is_given_depends_on_it_and_the_rules_alone(requests: list[Request], rules: list[Rule], data: st.DataObject) -> None:
    given_ = ruled(requests, *rules)
    assert ruled(data.draw(st.permutations(requests)), *rules) == given_
    for request in requests:
        assert ruled([request], *rules)[request.request_id] == given_[request.request_id]


@given(requests=requests, rules=rules)
@settings(max_examples=150)
def test_no_rule_and_none_that_matches_change_nothing(requests: list[Request], rules: list[Rule]) -> None:
    before = {request.request_id: request for request in requests}
    assert ruled(requests) == before
    assert ruled(requests, *(replace(rule, requests=frozenset()) for rule in rules)) == before
    for name, after in ruled(requests, *rules).items():
        assert replace(after, tier=before[name].tier, weight=1.0, guarantee_a=0.0, pausable=True) == before[name]


@given(requests=requests, rules=rules)
@settings(max_examples=150)
def test_a_rule_behind_one_that_gives_everything_says_nothing(requests: list[Request], rules: list[Rule]) -> None:
    first = Rule(tiers_behind=0, times_weight=1.0, guarantee_a=0.0, pausable=True)
    assert ruled(requests, first, *rules) == ruled(requests)
