"""One EVSE: its plug, its car, its meter and the transaction on it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from custom_components.headroom.csms.composite import Transaction

from . import car as cars
from .car import CarSpec, CarState
from .electrical import LEAST_CURRENT_A, NONE_A, PerPhase, on_grid
from .factory import EvseSpec

type Token = dict[str, str]
"""OCPP's IdTokenType."""


def token(value: str, kind: str = "KeyCode") -> Token:
    """Return an IdTokenType."""
    return {"idToken": value, "type": kind}


@dataclass(slots=True, kw_only=True)
class ActiveTransaction:
    """A transaction under way."""

    transaction_id: str
    started_at: datetime
    id_token: Token
    remote_start_id: int | None = None
    started_wh: float = 0.0
    state: str = "EVConnected"
    seq_no: int = 0
    sampled_at: datetime | None = None
    """When its last periodic sample was taken, or was due."""
    identity: Transaction = field(init=False)
    """What profiles know of it."""

    def __post_init__(self) -> None:
        """Make once what is asked for at every step."""
        self.identity = Transaction(transaction_id=self.transaction_id, started_at=self.started_at)


@dataclass(slots=True)
class Evse:
    """The state of an EVSE. `pilot_a` is what it offers: 0 without a transaction."""

    spec: EvseSpec
    car: CarSpec | None = None
    car_state: CarState = field(default_factory=CarState)
    transaction: ActiveTransaction | None = None
    token: Token | None = None
    """What the driver holds to the reader."""
    authorize_at: datetime | None = None
    """When the driver does so (again)."""
    remote_start: tuple[int, Token, dict[str, Any] | None, datetime] | None = None
    """A start from afar that waits for a car until a time."""
    operative: bool = True
    held: bool = False
    """No transaction begins here for now."""
    reserved_for: int | None = None
    """The reservation it is kept for."""
    pilot_a: float = 0.0
    target_a: float = 0.0
    unapplied_s: float = 0.0
    one_phase: bool = False
    """Its contactor closes its first terminal alone."""
    switches: list[float] = field(default_factory=list)
    """What flowed, in amps, each time that its contactor was told to close more or fewer."""
    energy_wh: float = 0.0
    told_status: str = ""

    @property
    def phases(self) -> int:
        """How many phases the car at it uses."""
        return min(self.car.phases, 1 if self.one_phase else len(self.spec.conductors)) if self.car else 0

    @property
    def terminals_a(self) -> PerPhase:
        """Currents at its terminals L1, L2, L3."""
        draw_a, phases = self.car_state.draw_a, self.phases
        return (draw_a if phases > 0 else 0.0, draw_a if phases > 1 else 0.0, draw_a if phases > 2 else 0.0)

    @property
    def grid_a(self) -> PerPhase:
        """Currents it draws from the grid's conductors."""
        return on_grid(self.terminals_a, self.spec.conductors) if self.car_state.draw_a else NONE_A

    @property
    def wanted_a(self) -> float:
        """What the car would draw if the EVSE gave all it can."""
        return min(self.spec.max_a, cars.accepted_a(self.car, self.car_state)) if self.car else 0.0

    @property
    def usable(self) -> bool:
        """Whether a transaction may begin here."""
        return self.operative and not self.held

    @property
    def status(self) -> str:
        """Its connector's state, as OCPP's ConnectorStatusEnumType."""
        if self.transaction or (self.car and self.operative):
            return "Occupied"
        if not self.usable:
            return "Unavailable"
        return "Available" if self.reserved_for is None else "Reserved"

    @property
    def charging_state(self) -> str:
        """What energy does, as OCPP's ChargingStateEnumType."""
        if self.car_state.draw_a > 0.0:
            return "Charging"
        return "SuspendedEV" if self.pilot_a >= LEAST_CURRENT_A else "SuspendedEVSE"

    def plug_in(self, car: CarSpec, soc: float) -> None:
        """Connect a car."""
        self.car, self.car_state = car, CarState(soc=soc)

    def unplug(self) -> None:
        """Take the car away."""
        self.car, self.car_state, self.token, self.authorize_at = None, cars.unplugged(self.car_state), None, None
        self.pilot_a = self.target_a = self.unapplied_s = 0.0

    def offer(self, limit_a: float, apply_after_s: float, dt_s: float) -> None:
        """Put the pilot on a limit, after the time the station takes for it. Below 6 A nothing can be offered."""
        self.target_a = min(limit_a, self.spec.max_a) if limit_a >= LEAST_CURRENT_A else 0.0
        self.unapplied_s = self.unapplied_s + dt_s if self.target_a != self.pilot_a else 0.0
        if self.target_a != self.pilot_a and self.unapplied_s >= apply_after_s:
            self.pilot_a, self.unapplied_s = self.target_a, 0.0

    def connect(self, *, one_phase: bool) -> None:
        """Close one terminal or all."""
        if one_phase != self.one_phase:
            self.one_phase = one_phase
            self.switches.append(self.car_state.draw_a)

    def cut_off(self) -> None:
        """Open the contactor: what the car drew is gone at once."""
        self.pilot_a = self.target_a = self.unapplied_s = 0.0
        if self.car and (self.car_state.draw_a or self.car_state.followed_a):
            asleep = self.car.never_wakes and self.car_state.has_charged
            self.car_state = CarState(
                soc=self.car_state.soc, has_charged=self.car_state.has_charged, asleep=self.car_state.asleep or asleep
            )

    def step(self, dt_s: float, voltage_v: float) -> None:
        """Let the car draw for a time and count it."""
        if self.car is None:
            return
        self.car_state = cars.step(self.car, self.car_state, self.pilot_a, dt_s, voltage_v)
        self.energy_wh += self.car_state.draw_a * self.phases * voltage_v * dt_s / 3600.0

    def sampled_values(self, measurands: Collection[str], context: str, voltage_v: float, *, tells_soc: bool) -> list[dict[str, Any]]:
        """Return SampledValues of its meter."""
        values: list[dict[str, Any]] = []
        wired = range(0 if self.spec.between_legs else len(self.spec.conductors))

        def add(measurand: str, value: float, unit: str, **more: str) -> None:
            values.append({"value": round(value, 3), "context": context, "measurand": measurand, "unitOfMeasure": {"unit": unit}, **more})

        if "Energy.Active.Import.Register" in measurands:
            add("Energy.Active.Import.Register", self.energy_wh, "Wh", location="Outlet")
        if "Current.Import" in measurands:
            for index in wired:
                add("Current.Import", self.terminals_a[index], "A", phase=f"L{index + 1}", location="Outlet")
        if "Voltage" in measurands:
            for index in wired:
                add("Voltage", voltage_v, "V", phase=f"L{index + 1}-N", location="Outlet")
        if self.spec.between_legs and "Current.Import" in measurands:
            add("Current.Import", self.terminals_a[0], "A", location="Outlet")
        if self.spec.between_legs and "Voltage" in measurands:
            add("Voltage", 2 * voltage_v, "V", location="Outlet")
        if "Power.Active.Import" in measurands:
            add("Power.Active.Import", sum(self.terminals_a) * voltage_v, "W", location="Outlet")
        if "Current.Offered" in measurands:
            add("Current.Offered", self.pilot_a, "A")
        if "SoC" in measurands and tells_soc and self.car:
            add("SoC", round(self.car_state.soc * 100), "Percent", location="EV")
        return values
