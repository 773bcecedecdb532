"""When a killed Home Assistant's leases are over."""

from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks.killed.watch import leads_higher
from custom_components.headroom.csms.composite import Transaction
from simulator.profiles import ProfileStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def profile(number: int, purpose: str, limit: float, unit: str = "A") -> dict[str, Any]:
    schedule = {"id": 1, "chargingRateUnit": unit, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    schedule["startSchedule"] = "2025-12-31T23:59:00Z"
    common = {"id": number, "stackLevel": 0, "chargingProfilePurpose": purpose, "chargingProfileKind": "Absolute"}
    return common | {"chargingSchedule": [schedule]} | ({"transactionId": "T"} if purpose == "TxProfile" else {})


@pytest.mark.parametrize(
    ("lease", "unit", "fallback", "expected"),
    [(10.0, "A", 6.0, True), (6.0, "A", 6.0, False), (6.0, "A", 8.0, False), (10.0, "A", None, True), (4140.0, "W", 6.0, True)],
)
def test_only_the_end_of_a_lease_above_its_fallback_is_waited_for(lease: float, unit: str, fallback: float | None, expected: bool) -> None:
    store, transactions = ProfileStore([1]), {1: Transaction(transaction_id="T", started_at=NOW)}
    if fallback is not None:
        store.install(0, profile(1, "TxDefaultProfile", fallback), NOW, transactions)
    store.install(1, profile(2, "TxProfile", lease, unit), NOW, transactions)
    assert [leads_higher(one, store.installed) for one in store.installed] == [False] * (fallback is not None) + [expected]
