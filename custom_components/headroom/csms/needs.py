"""What an EV says it needs (ISO 15118, K15), as a value of no version."""

from dataclasses import dataclass
from datetime import datetime

from .fields import optional_moment, optional_number, optional_record, optional_text, optional_whole
from .frames import Payload

MOST_SCHEDULES = 3
"""Of a TxProfile (K01.FR.34)."""
PHASES = {"AC_single_phase": 1, "AC_two_phase": 2, "AC_three_phase": 3, "DC": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvNeeds:
    """What the EV of a transaction needs. What it does not say is None."""

    evse_id: int
    transaction_id: str
    mode: str
    """OCPP's EnergyTransferModeEnumType."""
    phases: int | None = None
    """Of alternating current; 0: it takes direct current."""
    energy_wh: float | None = None
    departure_at: datetime | None = None
    """By the station's clock."""
    least_a: float | None = None
    most_a: float | None = None
    """Per phase; of direct current, its own."""
    most_v: float | None = None
    most_w: float | None = None
    soc_pct: float | None = None
    full_soc_pct: float | None = None
    bulk_soc_pct: float | None = None
    capacity_wh: float | None = None
    schedules_most: int = 1
    """So many schedules it takes to choose from (maxScheduleTuples), at most three."""


def read_needs(payload: Payload, evse_id: int, transaction_id: str) -> EvNeeds | None:
    """Return what NotifyEVChargingNeeds says; None where it asks for no kind of transfer that there is."""
    needs = optional_record(payload, "chargingNeeds")
    mode = optional_text(needs, "requestedEnergyTransfer") or ""
    if mode not in PHASES:
        return None
    direct = mode == "DC"
    said = optional_record(needs, "dcChargingParameters" if direct else "acChargingParameters")
    tuples = optional_whole(payload, "maxScheduleTuples")
    return EvNeeds(
        evse_id=evse_id,
        transaction_id=transaction_id,
        mode=mode,
        phases=PHASES[mode],
        energy_wh=optional_number(said, "energyAmount"),
        departure_at=optional_moment(needs, "departureTime"),
        least_a=optional_number(said, "evMinCurrent"),
        most_a=optional_number(said, "evMaxCurrent"),
        most_v=optional_number(said, "evMaxVoltage"),
        most_w=optional_number(said, "evMaxPower"),
        soc_pct=optional_number(said, "stateOfCharge"),
        full_soc_pct=optional_number(said, "fullSoC"),
        bulk_soc_pct=optional_number(said, "bulkSoC"),
        capacity_wh=optional_number(said, "evEnergyCapacity"),
        schedules_most=min(MOST_SCHEDULES, max(1, tuples or 1)),
    )
