"""A car park over real sockets: stations that hold charging profiles as the standard says, cars that follow them late, and the site's meter.

The frames are the cheap ones of `benchmarks.central_system`; what a profile allows is the simulator's profile store, what a car draws the
simulator's car. All cars charge on three phases, so that one conductor stands for all.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
import random
from typing import Any

from custom_components.headroom.csms.composite import Transaction
from simulator import car as cars
from simulator.car import CarSpec, CarState
from simulator.electrical import LEAST_CURRENT_A, VOLTAGE_V
from simulator.meter import MeterServer, MeterValues
from simulator.profile_rules import ProfileRejectedError
from simulator.profiles import ProfileStore

from ..central_system.load import FIRST_NUMBER, Request, Station, connected
from ..central_system.messages import meter_values, transaction_event
from ..central_system.stations import answering, boot, status

STEP_S = 0.1
EVENT_EVERY_S = 10.0
"""A car's station tells of its draw this often, and when it is asked to."""
CAR_MAX_A = 16.0
RATED_A = 32.0
SLOWEST_CAR_S = 5.0
"""A car follows a change of its limit within this time (IEC 61851-1 Annex A)."""
FOREVER = datetime.max.replace(tzinfo=UTC)


class Place:
    """One station with its car."""

    def __init__(self, identity: str, response_s: float, begins: datetime) -> None:
        self.spec = CarSpec(name=identity, battery_kwh=1000.0, max_a=CAR_MAX_A, response_s=response_s)
        self.car = CarState(soc=0.1)
        self.profiles = ProfileStore([1])
        self.transaction = Transaction(transaction_id=f"T-{identity}", started_at=begins)
        self.station: Station | None = None
        self.pilot_a = 0.0
        self._changes_at = FOREVER
        self._events = count(FIRST_NUMBER)
        self._others = count(5 * FIRST_NUMBER)

    def answer(self, station: Station, message_id: str, action: str, payload: Mapping[str, Any]) -> None:
        """Answer a request of the central system."""
        match action:
            case "SetChargingProfile":
                self._set_profile(station, message_id, payload)
            case "ClearChargingProfile":
                criteria = payload.get("chargingProfileCriteria", {})
                gone = self.profiles.clear(
                    profile_id=payload.get("chargingProfileId"),
                    evse_id=criteria.get("evseId"),
                    purpose=criteria.get("chargingProfilePurpose"),
                    stack_level=criteria.get("stackLevel"),
                )
                station.answer(message_id, {"status": "Accepted" if gone else "Unknown"})
                self._look(datetime.now(UTC))
            case "GetCompositeSchedule":
                now, unit = datetime.now(UTC).replace(microsecond=0), payload.get("chargingRateUnit", "A")
                schedule = self.profiles.composite_schedule(
                    payload["evseId"], now, payload["duration"], unit, {1: self.transaction}, {1: RATED_A}
                )
                station.answer(message_id, {"status": "Accepted", "schedule": schedule})
            case "TriggerMessage" if payload["requestedMessage"] == "MeterValues":
                station.answer(message_id, {"status": "Accepted"})
                self._say("MeterValues", meter_values(self.car.draw_a))
            case "TriggerMessage" if payload["requestedMessage"] == "TransactionEvent":
                station.answer(message_id, {"status": "Accepted"})
                self.tell()
            case "TriggerMessage" if payload["requestedMessage"] == "StatusNotification":
                station.answer(message_id, {"status": "Accepted"})
                self.occupied()
            case _:
                answering(station, message_id, action, payload)

    def _set_profile(self, station: Station, message_id: str, payload: Mapping[str, Any]) -> None:
        now = datetime.now(UTC)
        try:
            self.profiles.install(payload["evseId"], payload["chargingProfile"], now, {1: self.transaction})
        except ProfileRejectedError as error:
            reason = {"reasonCode": error.reason_code, "additionalInfo": str(error)[:512]}
            station.answer(message_id, {"status": "Rejected", "statusInfo": reason})
        else:
            station.answer(message_id, {"status": "Accepted"})
            self._look(now)

    def _look(self, now: datetime) -> None:
        """Put the pilot where the profiles have it, and see when the next one lapses."""
        self.profiles.expire(now)
        limit_a = min(self.profiles.limit(1, now, self.transaction).limit_a, RATED_A)
        self.pilot_a = limit_a if limit_a >= LEAST_CURRENT_A else 0.0
        self._changes_at = min((one.valid_to for one in self.profiles.installed if one.valid_to is not None), default=FOREVER)

    def step(self, now: datetime, dt_s: float) -> None:
        """Let the car draw for a time."""
        if now >= self._changes_at:
            self._look(now)
        self.car = cars.step(self.spec, self.car, self.pilot_a, dt_s)

    def occupied(self) -> None:
        """Tell that a car is here."""
        self._say("StatusNotification", status() | {"connectorStatus": "Occupied"})

    def begin(self) -> None:
        """Begin the transaction."""
        self._look(datetime.now(UTC))
        event = transaction_event(self.transaction.transaction_id, 0, self.car.draw_a)
        self._frame(Request("TransactionEvent", event, FIRST_NUMBER - 1))

    def tell(self) -> None:
        """Tell of the transaction."""
        event = transaction_event(self.transaction.transaction_id, 1, self.car.draw_a)
        self._frame(Request("TransactionEvent", event, next(self._events)))

    def _say(self, action: str, payload: Mapping[str, Any]) -> None:
        self._frame(Request(action, payload, next(self._others)))

    def _frame(self, request: Request) -> None:
        assert self.station is not None
        self.station.request(request.frame())


class CarPark:
    """So many places behind one fuse, beside a building whose load is set from outside."""

    def __init__(self, places: int, seed: int) -> None:
        dice, begins = random.Random(seed), datetime.now(UTC)
        self.places = [Place(f"S{number}", dice.uniform(0.5, SLOWEST_CAR_S - STEP_S), begins) for number in range(places)]
        self.meter = MeterServer()
        self.building_a = 0.0
        self.stepped = asyncio.Event()
        """Set anew after each step."""

    @property
    def cars_a(self) -> float:
        """What the cars draw on each conductor."""
        return sum(place.car.draw_a for place in self.places)

    @property
    def total_a(self) -> float:
        """What flows through each conductor of the main fuse."""
        return self.building_a + self.cars_a

    @property
    def followed(self) -> bool:
        """Whether every car draws by its pilot as it is now."""
        return all(place.car.followed_a == place.pilot_a for place in self.places)

    async def connect(self, port: int) -> None:
        """Connect and boot all stations."""
        by_identity = {place.spec.name: place for place in self.places}

        def answer(station: Station, message_id: str, action: str, payload: Mapping[str, Any]) -> None:
            by_identity[station.identity].answer(station, message_id, action, payload)

        stations = await connected(port, list(by_identity), answer)
        for station in stations:
            by_identity[station.identity].station = station
        boot(stations)

    def begin(self) -> None:
        """Have all cars come."""
        for place in self.places:
            place.occupied()
            place.begin()

    async def run(self) -> None:
        """Let time pass, until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            for number, place in enumerate(self.places):
                tasks.create_task(self._report(place, EVENT_EVERY_S * number / len(self.places)))
            due = loop.time()
            while True:
                due = max(due + STEP_S, loop.time())
                await asyncio.sleep(due - loop.time())
                now = datetime.now(UTC)
                for place in self.places:
                    place.step(now, STEP_S)
                self.show()
                self.stepped.set()
                self.stepped = asyncio.Event()

    def show(self) -> None:
        """Have the meter show what flows now."""
        total_a = self.total_a
        watts = total_a * VOLTAGE_V
        self.meter.values = MeterValues(current_a=(total_a, total_a, total_a), power_w=(watts, watts, watts))

    async def _report(self, place: Place, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + delay_s
        while True:
            await asyncio.sleep(due - loop.time())
            place.tell()
            due += EVENT_EVERY_S
