"""What a station tells for cars that speak ISO 15118: their needs and schedules (K15–K17), their contract certificates (M01, M02)."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, override

from ..car import HighLevel
from ..timestamps import written
from .block import Block, Payload

if TYPE_CHECKING:
    from ..station import StationModel

SCHEMA = "urn:iso:15118:2:2013:MsgDef"
TRANSFERS = {1: "AC_single_phase", 2: "AC_two_phase", 3: "AC_three_phase"}
MOST_SCHEDULES = 3
WAITS_FOR_PROFILE_S = 60.0
TELLS_EVERY_S = 30.0
"""A schedule that changes more often is told as it is then."""
LONGEST_S = 24 * 3600
MOST_NEGOTIATIONS = 3


@dataclass(slots=True, kw_only=True)
class Negotiation:
    """What was said of a car's charging."""

    car: HighLevel
    unsaid: bool = True
    """What it needs is told once the CSMS knows its transaction: before that it could only reject it (K15.FR.02)."""
    rounds: int = 1
    answer: str = ""
    """The CSMS's NotifyEVChargingNeedsStatusEnumType."""
    tell_at: datetime | None = None
    """When the schedule is to be told."""
    told: list[dict[str, Any]] | None = None
    """The periods that were told last."""


class HighLevelCommunication(Block):
    """Negotiates for each ISO 15118 car that has a transaction."""

    def __init__(self, station: StationModel) -> None:
        """Start with no car."""
        super().__init__(station)
        self.negotiations: dict[int, Negotiation] = {}
        self.contracts = 0
        """How many contract certificates cars were given."""

    def plugged_in(self, evse_id: int) -> None:
        """Fetch the contract certificate a car wants (M01)."""
        car = self.station.evses[evse_id].car
        if car and car.high_level and car.high_level.wants_contract:
            request = b64encode(f"CertificateInstallationReq {car.name}".encode()).decode()
            payload = {"iso15118SchemaVersion": SCHEMA, "action": "Install", "exiRequest": request}
            self.station.say("Get15118EVCertificate", payload, self._contract)

    def started(self, evse_id: int) -> None:
        """Tell what the car needs (K15)."""
        car = self.station.evses[evse_id].car
        if car and car.high_level:
            self.negotiations[evse_id] = Negotiation(car=car.high_level)
            self.station.profiles.negotiating.add(evse_id)

    def ended(self, evse_id: int) -> None:
        """Forget the car's needs."""
        self.negotiations.pop(evse_id, None)
        self.station.profiles.negotiating.discard(evse_id)

    def profile_installed(self, evse_id: int) -> None:
        """Let the car reckon its schedule by a new profile (K15, K16)."""
        if (negotiation := self.negotiations.get(evse_id)) and negotiation.answer != "Rejected":
            earliest = self.station.now if negotiation.told is None else self.station.now + timedelta(seconds=TELLS_EVERY_S)
            negotiation.tell_at = min(negotiation.tell_at or earliest, earliest)

    @override
    def step(self, dt_s: float) -> None:
        for evse_id, negotiation in self.negotiations.items():
            if negotiation.unsaid and not self.station.transactions_block.queued:
                negotiation.unsaid = False
                self._tell_needs(evse_id)
            if negotiation.tell_at and self.station.now >= negotiation.tell_at:
                negotiation.tell_at = None
                self._tell_schedule(evse_id, negotiation)

    def _tell_needs(self, evse_id: int) -> None:
        station, evse = self.station, self.station.evses[evse_id]
        assert evse.car and evse.car.high_level
        needs: dict[str, Any] = {
            "requestedEnergyTransfer": TRANSFERS[evse.phases],
            "acChargingParameters": {
                "energyAmount": round(evse.car.high_level.energy_wh),
                "evMinCurrent": 6,
                "evMaxCurrent": round(evse.car.max_a),
                "evMaxVoltage": round(station.voltage_v),
            },
        }
        if evse.car.high_level.departs_after_s is not None:
            needs["departureTime"] = written(station.now + timedelta(seconds=evse.car.high_level.departs_after_s))

        def replied(reply: Payload) -> None:
            if negotiation := self.negotiations.get(evse_id):
                negotiation.answer = reply["status"]
                if negotiation.answer != "Rejected" and negotiation.tell_at is None and negotiation.told is None:
                    negotiation.tell_at = station.now + timedelta(seconds=WAITS_FOR_PROFILE_S)

        station.say("NotifyEVChargingNeeds", {"evseId": evse_id, "maxScheduleTuples": MOST_SCHEDULES, "chargingNeeds": needs}, replied)

    def _tell_schedule(self, evse_id: int, negotiation: Negotiation) -> None:
        station = self.station
        unit = station.spec.abilities.rate_units[0]
        start = station.now.replace(microsecond=0)
        composite = station.profiles.composite_schedule(evse_id, start, LONGEST_S, unit, station.transactions, station.rated_a)
        periods = composite["chargingSchedulePeriod"]
        if periods == negotiation.told:
            return
        negotiation.told = periods
        schedule = {"id": 1, "duration": LONGEST_S, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}

        def replied(reply: Payload) -> None:
            current = self.negotiations.get(evse_id)
            if reply["status"] == "Rejected" and current is negotiation and negotiation.rounds < MOST_NEGOTIATIONS:
                negotiation.rounds += 1
                self._tell_needs(evse_id)

        payload = {"evseId": evse_id, "timeBase": written(start), "chargingSchedule": schedule}
        station.say("NotifyEVChargingSchedule", payload, replied)

    def _contract(self, reply: Payload) -> None:
        self.contracts += reply["status"] == "Accepted"
