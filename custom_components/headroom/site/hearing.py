"""What meters and stations say, taken into the state that the next turn goes by."""

import asyncio
from dataclasses import replace
import math

from ..csms.authorization import ReservationEnded
from ..csms.events import (
    Booted,
    ChargingLimit,
    ClockSet,
    Connected,
    Disconnected,
    EventsLost,
    InventoryRead,
    Metered,
    Ready,
    StationEvent,
    StatusChanged,
    TransactionEvent,
)
from ..csms.needs import EvNeeds
from ..csms.values import Admission
from ..engine.urgency import large
from ..metering.reading import MeterError, Reading
from ..metering.reorder import placed
from .dead_man import DeadManWatch
from .grounds import Grounds
from .intake import Intake
from .stations import StationState


class Hearing(Grounds):
    """A site as it hears of things. Each of them asks for a turn, but for one more sample of a car that goes on as before."""

    _intake: Intake
    _alarm: asyncio.Event
    _dead_man: DeadManWatch

    # What meters say.

    def update_reading(self, measured_id: str, reading: Reading) -> None:
        """Take in a reading of a circuit, or of a PV system or battery; its conductors are those of the meter."""
        if (state := self._circuits.get(measured_id)) is None:
            if self.resources.update_reading(measured_id, reading, self.config.voltage_v):
                self.request_turn("resource")
            return
        now = self._clock.monotonic()
        reading = replace(reading, current_a=placed(reading.current_a, state.circuit.phases))
        state.take(reading, self.config, now)
        if not reading.spread and large(state.circuit, reading.current_a):
            self._alarm.set()
        if measured_id == self.config.root.circuit_id:
            self.peak.read(reading, self.config, now, self._posix_zero_s())
        self.request_turn("reading")

    def meter_health(self, measured_id: str, error: MeterError | None) -> None:
        """Take note that a meter broke or is heard again; its readings' age is what counts."""
        if (state := self._circuits.get(measured_id)) is not None:
            state.meter_error = None if error is None else error.trouble
        self.resources.meter_health(measured_id, error)

    def meter_changed(self, measured_id: str) -> None:
        """Take note that another meter speaks from now on, or the same one read otherwise: what the one before showed is forgotten."""
        if (state := self._circuits.get(measured_id)) is not None:
            state.forget_meter(self._clock.monotonic())
            self._phase_maps.meter_changed(measured_id)
        self.resources.meter_changed(measured_id, self._clock.monotonic())

    def tell_peak(self, window_average_w: float | None, month_peak_w: float | None) -> None:
        """Take in what the meter itself tells of the running quarter-hour and of the month's highest one; None is not told now."""
        self.peak.tell(window_average_w=window_average_w, month_peak_w=month_peak_w, utcnow=self._clock.utcnow(), zone=self.config.zone)

    # What stations say.

    def admit(self, identity: str) -> Admission:
        """Tell how a station that connects is to be answered."""
        return Admission.ACCEPTED if identity in self.config.stations and self.leaving.admits(identity) else Admission.PENDING

    def handle(self, identity: str, event: StationEvent) -> None:
        """Take in what a station said."""
        state = self._stations.setdefault(identity, StationState(identity=identity, since=self._clock.utcnow()))
        state.last_heard = self._clock.utcnow()
        if self.authorization.take(identity, event):
            self._on_memory()
        match event:
            case Connected(remote=remote):
                state.online, state.remote, state.booted, state.away_since = True, remote, False, None
            case Booted(info=info):
                state.info = info
                if info.boot_reason != "Triggered":
                    self._rebooted(identity, state)
            case InventoryRead(info=info, inventory=inventory):
                state.info, state.inventory = info, inventory
            case Ready(info=info, inventory=inventory):
                state.info, state.inventory = info, inventory
                self._ready(identity, state)
            case Disconnected():
                state.online, state.away_since = False, self._clock.utcnow()
                self._gone(identity)
                if self.leaving.disconnected(identity) or state.config is None:
                    del self._stations[identity]
            case StatusChanged() | TransactionEvent() | Metered():
                if not self._intake.take(identity, event) and self._dead_man.health.holds:
                    return
            case ChargingLimit():
                self._intake.limit(identity, event, state.external)
            case EvNeeds():
                self._intake.needs(identity, event)
                self._on_memory()
            case ClockSet(by_s=by_s) if by_s < 0:
                self._clock_set_back(identity, -by_s)
            case EventsLost():
                self._intake.lost(identity, event)
            case ReservationEnded():
                pass  # taken above
            case _:
                return
        self.request_turn("station")

    def _clock_set_back(self, identity: str, by_s: float) -> None:
        """Reckon with leases that end later by so much, and have all told anew that may begin only now by the station's clock.

        Where it has begun for another hour that is done all the same: the clock may go back again, and some reckon from when they were told.
        """
        for evse in self._of(identity):
            evse.set_clock_back(by_s)
        if (installer := self._installers.get(identity)) is not None and by_s >= min(
            (evse.dialect.backdate_of_periods_s for evse in self._of(identity)), default=0.0
        ):
            installer.station_current = False

    def _rebooted(self, identity: str, state: StationState) -> None:
        state.booted = True
        # Who set limits there tells them anew (K11, K12); one that went meanwhile is told of by nobody.
        state.external.clear()
        for evse in self._of(identity):
            evse.external.clear()
            # TxProfiles need not survive a reboot (K01.FR.27): the lease may hold or not.
            if evse.lease is not None:
                evse.doubt(evse.lease.limit_a, evse.lease.expires_at)
            evse.lease, evse.fallback_current = None, False

    def _ready(self, identity: str, state: StationState) -> None:
        if (installer := self._installers.get(identity)) is None or (station := self._station(identity)) is None:
            return
        for evse in self._of(identity):
            if evse.new:
                evse.new = False
                self._on_memory()
            evse.ready = evse.status_unknown = True
            evse.sample_at = self._clock.monotonic()
        self.standing.reconnected(identity)
        installer.connected(station, booted=state.booted)
        self._keeper.connected(identity, station)
        state.booted = False

    def _gone(self, identity: str) -> None:
        now = self._clock.monotonic()
        for evse in self._of(identity):
            evse.gone_at = now if evse.ready else evse.gone_at
            if evse.ready and evse.heard and evse.session is None:
                evse.idle_at = now
            else:
                evse.keep_found()
            evse.ready = evse.heard = evse.transaction_unknown = False
            evse.heard_at = math.inf
            evse.connectors_heard.clear()
            evse.session = None if evse.session is None else replace(evse.session, live=False)
        if (installer := self._installers.get(identity)) is not None:
            installer.disconnected()
        self._keeper.disconnected(identity)
