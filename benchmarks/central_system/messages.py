"""The three messages that are measured, as large as they are on a real site."""

from typing import Any

from .load import now

PERIODS = 96


def sampled_values(current_a: float = 16.0) -> list[dict[str, Any]]:
    """Return the eight values a three-phase EVSE is asked for."""
    values: list[tuple[float, str, str | None, str]] = [
        (current_a, "Current.Import", "L1", "A"),
        (current_a + 0.1, "Current.Import", "L2", "A"),
        (max(0.0, current_a - 0.1), "Current.Import", "L3", "A"),
        (230.1, "Voltage", "L1-N", "V"),
        (231.2, "Voltage", "L2-N", "V"),
        (229.4, "Voltage", "L3-N", "V"),
        (690.0 * current_a + 0.5, "Power.Active.Import", None, "W"),
        (123456.7, "Energy.Active.Import.Register", None, "Wh"),
    ]
    return [
        {"value": value, "context": "Sample.Periodic", "measurand": measurand, "location": "Outlet", "unitOfMeasure": {"unit": unit}}
        | ({"phase": phase} if phase else {})
        for value, measurand, phase, unit in values
    ]


def meter_values(current_a: float = 16.0) -> dict[str, Any]:
    """Return a MeterValuesRequest of eight samples."""
    return {"evseId": 1, "meterValue": [{"timestamp": now(), "sampledValue": sampled_values(current_a)}]}


def transaction_event(transaction_id: str, seq_no: int, current_a: float = 16.0) -> dict[str, Any]:
    """Return a TransactionEventRequest of a car that charges, with eight samples."""
    return {
        "eventType": "Started" if seq_no == 0 else "Updated",
        "timestamp": now(),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": transaction_id, "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": now(), "sampledValue": sampled_values(current_a)}],
    }


def charging_profile(limit_a: float) -> dict[str, Any]:
    """Return a TxDefaultProfile for a day in quarters of an hour."""
    periods = [{"startPeriod": 900 * quarter, "limit": limit_a + quarter % 10 / 10, "numberPhases": 3} for quarter in range(PERIODS)]
    schedule = {"id": 1, "startSchedule": now(), "duration": 86400, "chargingRateUnit": "A", "chargingSchedulePeriod": periods}
    return {
        "id": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
    }
