"""Our own profiles, in every dialect by the rules of block K."""

from datetime import UTC, datetime, timedelta
from itertools import product
import math
from typing import Any, get_args

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.csms import profiles
from custom_components.headroom.csms.abilities import Abilities, abilities, fitted, unit_of
from custom_components.headroom.csms.dialect import Dialect, Handle, Kind, LeaseEnd
from custom_components.headroom.csms.profile_rules import problems
from custom_components.headroom.csms.profiles import Ours, Placed, Rate, Role, Wording
from custom_components.headroom.csms.quirks import Habits
from custom_components.headroom.csms.reconciliation import installed
from custom_components.headroom.csms.v201.link import SCHEMAS
from custom_components.headroom.csms.values import Inventory, SmartCharging

NOW = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
START = "2026-01-01T10:59:00.000Z"
ENDS = NOW + timedelta(minutes=2)


def words(rate: Rate = Rate(), **changes: Any) -> Wording:
    return Wording(dialect=Dialect(**changes), rate=rate, now=NOW)


def periods(placed: Placed) -> list[dict[str, Any]]:
    return list(placed.profile["chargingSchedule"][0]["chargingSchedulePeriod"])


def test_each_purpose_is_built_as_block_k_wants_it() -> None:
    station = profiles.station_limit(63, words())
    assert (station.evse_id, station.purpose, station.profile_id, station.stack_level) == (0, "ChargingStationMaxProfile", 1, 0)
    fallback = profiles.fallback(2, 6, words())
    assert (fallback.evse_id, fallback.purpose, fallback.profile_id) == (2, "TxDefaultProfile", 1002)
    lease = profiles.lease(2, "T", 16, ENDS, words())
    assert (lease.evse_id, lease.purpose, lease.profile_id, lease.profile["transactionId"]) == (2, "TxProfile", 2002, "T")
    assert lease.profile["validTo"] == "2026-01-01T12:02:00.500Z"
    for placed in (station, fallback, lease):
        assert placed.profile["chargingProfileKind"] == "Absolute"
        assert placed.profile["chargingSchedule"][0]["startSchedule"] == START
        assert placed.profile["chargingSchedule"][0]["chargingRateUnit"] == "A"
        assert "numberPhases" not in periods(placed)[0]


@pytest.mark.parametrize(("handle", "end", "kind", "level"), product(Handle, LeaseEnd, get_args(Kind.__value__), (0, 2)))
def test_every_dialect_keeps_the_rules_and_is_known_again(handle: Handle, end: LeaseEnd, kind: Kind, level: int) -> None:
    can = SmartCharging(rate_units=("A", "W"), stack_level_max=3, periods_per_schedule=2)
    dialect = fitted(Dialect(handle=handle, lease_end=end, kind=kind, stack_level=level), Abilities(stack_level_most=3, periods=2))
    said = Wording(dialect=dialect, rate=Rate(), now=NOW)
    fallback = profiles.fallback(1, 6, said)
    lease = profiles.lease(1, "T", 16, ENDS, said, fallback_a=6)
    placed = [fallback, lease] + ([profiles.station_limit(63, said)] if dialect.tells_station_limit else [])
    for each in placed:
        assert problems(each.evse_id, each.profile, can, transactions={1: "T"}) == []
    assert profiles.ours(fallback) == Ours(Role.FALLBACK, 1)
    assert profiles.ours(lease) == (Ours(Role.FALLBACK, 1) if dialect.overwrites else Ours(Role.LEASE, 1, handle))
    # Whatever is told together has another id and another place.
    assert len({each.profile_id for each in placed}) == len(placed) - dialect.overwrites
    assert len({(each.purpose, each.stack_level) for each in placed}) == len(placed) - dialect.overwrites
    if dialect.holds_leases and handle is not Handle.TRANSACTION:
        assert lease.stack_level == fallback.stack_level + 1
    assert ("validTo" in lease.profile) == dialect.holds_leases


dialects = st.builds(
    Dialect,
    unit=st.sampled_from((None, "A", "W")),
    decimals=st.integers(0, 1),
    kind=st.sampled_from(get_args(Kind.__value__)),
    backdate_s=st.integers(0, 86400),
    phases_sent=st.booleans(),
    handle=st.sampled_from(Handle),
    lease_end=st.sampled_from(LeaseEnd),
    stack_level=st.integers(0, 4),
)
stations = st.builds(
    SmartCharging,
    rate_units=st.sampled_from((("A",), ("W",), ("A", "W"))),
    stack_level_max=st.integers(0, 3),
    periods_per_schedule=st.integers(0, 3),
)
amps = st.floats(0, 500)


@given(
    dialect=dialects,
    can=stations,
    evses=st.integers(1, 2),
    phases=st.sampled_from((None, 1, 2, 3)),
    direct=st.booleans(),
    voltage_v=st.floats(100, 500),
    limits=st.tuples(amps, amps, amps),
    lasts_s=st.floats(-10, 100_000),
)
def test_nothing_that_we_send_breaks_a_rule_whatever_the_dialect_and_whatever_stands_beside_it(
    dialect: Dialect,
    can: SmartCharging,
    evses: int,
    phases: int | None,
    direct: bool,
    voltage_v: float,
    limits: tuple[float, float, float],
    lasts_s: float,
) -> None:
    variables = {"SmartChargingCtrlr.RateUnit": ",".join(can.rate_units)}
    inventory = Inventory(evse_connectors=dict.fromkeys(range(1, evses + 1), (1,)), smart_charging=can, variables=variables)
    takes = abilities(inventory, Habits())
    dialect = fitted(dialect, takes)
    unit = unit_of(dialect, takes)
    rated = profiles.rate(
        unit, phases=phases, voltage_v=voltage_v, direct=direct, decimals=dialect.decimals, phases_sent=dialect.phases_sent
    )
    said = Wording(dialect=dialect, rate=rated, now=NOW)
    ceiling_a, fallback_a, lease_a = limits
    sent = [profiles.station_limit(ceiling_a, said)] if dialect.tells_station_limit else []
    for evse_id in inventory.evse_connectors:
        ends = NOW + timedelta(seconds=lasts_s)
        sent += [
            profiles.fallback(evse_id, fallback_a, said),
            profiles.lease(evse_id, f"T{evse_id}", lease_a, ends, said, fallback_a=fallback_a),
        ]
    held: dict[int | None, Placed] = {}
    for placed in [*sent, *sent]:  # once more: each overwrites its own
        beside = list(held.values())
        running = {evse_id: f"T{evse_id}" for evse_id in inventory.evse_connectors}
        assert problems(placed.evse_id, placed.profile, can, transactions=running, held=beside, direct=direct) == []
        SCHEMAS.check_request("SetChargingProfile", {"evseId": placed.evse_id, "chargingProfile": placed.profile})
        held[placed.profile_id] = placed


def test_a_lease_may_end_by_a_second_period_at_the_last_whole_second() -> None:
    lease = profiles.lease(1, "T", 16, ENDS, words(lease_end=LeaseEnd.PERIOD), fallback_a=6.44)
    assert periods(lease) == [{"startPeriod": 0, "limit": 16}, {"startPeriod": 180, "limit": 6.4}]
    assert lease.profile["validTo"] == "2026-01-01T12:02:00.500Z"
    # A station that reckons from when it was told ends it late by no more than the lag.
    assert lease.profile["chargingSchedule"][0]["startSchedule"] == "2026-01-01T11:59:00.000Z"
    over = profiles.lease(1, "T", 16, NOW - timedelta(hours=1), words(lease_end=LeaseEnd.PERIOD), fallback_a=6)
    assert len(periods(over)) == 1


@pytest.mark.parametrize(("rate", "falls_to_a"), [(Rate(), 6.4), (Rate("W", 690.0), math.inf)])
def test_what_the_second_period_of_a_lease_leads_to_is_read_with_it_and_may_be_anything_in_another_unit(
    rate: Rate, falls_to_a: float
) -> None:
    lease = profiles.lease(1, "T", 16, ENDS, words(lease_end=LeaseEnd.PERIOD), fallback_a=6.4)
    by = {number: words(rate, lease_end=LeaseEnd.PERIOD) for number in (0, 1)}
    (held,) = installed([lease], by, by, by).leases
    assert held.falls_to_a == falls_to_a and held.valid_to is not None
    assert installed([profiles.lease(1, "T", 16, ENDS, words())], by, by, by).leases[0].falls_to_a == 0.0


def test_a_relative_profile_has_no_start_and_the_station_maximum_is_never_one() -> None:
    said = words(kind="Relative")
    fallback = profiles.fallback(1, 6, said)
    assert fallback.profile["chargingProfileKind"] == "Relative" and "startSchedule" not in fallback.profile["chargingSchedule"][0]
    assert profiles.station_limit(32, said).profile["chargingProfileKind"] == "Absolute"


def test_an_absolute_profile_starts_as_far_back_as_the_station_wants_it() -> None:
    assert profiles.fallback(1, 6, words(backdate_s=0)).profile["chargingSchedule"][0]["startSchedule"] == "2026-01-01T12:00:00.000Z"


def test_what_says_one_thing_only_has_begun_though_the_stations_clock_goes_back_by_an_hour() -> None:
    set_back = NOW - timedelta(hours=1)
    for placed in (
        profiles.station_limit(63, words()),
        profiles.fallback(1, 6, words()),
        profiles.lease(1, "T", 16, ENDS, words()),
        profiles.lease(1, "T", 16, None, words()),
    ):
        assert datetime.fromisoformat(placed.profile["chargingSchedule"][0]["startSchedule"]) < set_back
    by_periods = words(lease_end=LeaseEnd.PERIOD)
    assert datetime.fromisoformat(profiles.fallback(1, 6, by_periods).profile["chargingSchedule"][0]["startSchedule"]) < set_back


@pytest.mark.parametrize(
    ("unit", "phases", "direct", "expected"),
    [
        ("A", 3, False, Rate("A", 1.0, None)),
        ("A", None, True, Rate("A", 1.0, None)),
        ("W", 3, False, Rate("W", 690.0, None)),  # 3 is what its absence means
        ("W", 2, False, Rate("W", 460.0, 2)),
        ("W", 1, False, Rate("W", 230.0, 1)),
        ("W", None, False, Rate("W", 230.0, None)),  # nobody knows the car: no phase may carry more than its amps
        ("W", None, True, Rate("W", 690.0, None)),
    ],
)
def test_unit(unit: Any, phases: int | None, direct: bool, expected: Rate) -> None:
    assert profiles.rate(unit, phases=phases, voltage_v=230, direct=direct) == expected
    assert profiles.rate(unit, phases=phases, voltage_v=230, direct=direct, phases_sent=False).phases is None


@pytest.mark.parametrize(
    ("rated", "limit_a", "limit"),
    [
        (Rate(), 16, 16),
        (Rate(), 9.99, 9.9),
        (Rate(), 6.3, 6.3),  # 6.3 is 6.2999… in binary: still 6.3
        (Rate(), -1, 0),
        (Rate(), 0, 0),
        (Rate(decimals=0), 9.99, 9),
        (Rate("W", 690.0, 3), 16, 11040),
        (Rate("W", 231.37, 1), 6, 1388.2),
        (Rate("W", 231.37, 1, 0), 6, 1388),
    ],
)
def test_limit_has_the_decimals_a_station_takes_and_is_never_above(rated: Rate, limit_a: float, limit: float) -> None:
    (built,) = periods(profiles.fallback(1, limit_a, words(rated)))
    assert built["limit"] == limit
    assert built.get("numberPhases") == rated.phases


@pytest.mark.parametrize(
    ("profile_id", "purpose", "schedule_id", "expected"),
    [
        (1, "ChargingStationMaxProfile", 1, Ours(Role.STATION_LIMIT, 0)),
        (1, "ChargingStationMaxProfile", 1001, Ours(Role.FALLBACK, 1)),
        (2, "ChargingStationMaxProfile", 2, None),
        (1, "TxDefaultProfile", 1, None),
        (1001, "TxDefaultProfile", 1001, Ours(Role.FALLBACK, 1)),
        (1001, "TxProfile", 1001, None),
        (2001, "TxProfile", 2001, Ours(Role.LEASE, 1, Handle.TRANSACTION)),
        (3002, "TxDefaultProfile", 3002, Ours(Role.LEASE, 2, Handle.DEFAULT)),
        (4001, "ChargingStationMaxProfile", 4001, Ours(Role.LEASE, 1, Handle.STATION)),
        (2001, "ChargingStationExternalConstraints", 2001, None),
        (None, "TxProfile", 1, None),
    ],
)
def test_ours_is_known_by_id_and_purpose(profile_id: int | None, purpose: str, schedule_id: int, expected: Ours | None) -> None:
    profile = {"id": profile_id, "chargingProfilePurpose": purpose, "chargingSchedule": [{"id": schedule_id}]}
    assert profiles.ours(Placed(1, profile)) == expected
