"""A charging station as a state machine: what it does with cars, tokens, profiles and a CSMS's requests. No sockets, no clock.

It is put together of blocks, each its side of one functional block of OCPP 2.0.1. `step` gives it time; `handle` answers a request; what
it has to say waits in its outbox. `client.py` carries both over a connection.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from custom_components.headroom.csms.composite import Transaction

from .blocks.availability import Availability
from .blocks.block import Block, CallRefusedError, Handler
from .blocks.certificates import Certificates
from .blocks.charging import SmartCharging
from .blocks.customers import Customers
from .blocks.data_transfer import DataTransfer
from .blocks.display import Display
from .blocks.firmware import Firmware
from .blocks.high_level import HighLevelCommunication
from .blocks.logs import Logs
from .blocks.monitoring import Monitoring
from .blocks.network import Network
from .blocks.provisioning import Provisioning
from .blocks.publishing import Publishing
from .blocks.reservations import Reservations
from .blocks.security import Security
from .blocks.sensors import Sensors
from .blocks.tokens import Tokens
from .blocks.transactions import Transactions
from .car import CarSpec
from .device_model import Key
from .electrical import VOLTAGE_V, PerPhase, added
from .evse import Evse, Token, token
from .factory import StationSpec, device_model
from .files import Files, HttpFiles
from .outbox import OnReply, Outbox, Outgoing, Registration
from .profiles import ProfileStore

REBOOT_S = 5.0
TOUCHING = frozenset(
    {
        "ChangeAvailability",
        "ClearChargingProfile",
        "RequestStartTransaction",
        "RequestStopTransaction",
        "Reset",
        "SetChargingProfile",
        "SetVariables",
    }
)
"""Requests after which a car may draw something else."""


@dataclass(slots=True)
class Faults:
    """What is wrong with a station; each can be changed while it runs."""

    offline: bool = False
    """It drops its connection and stays away. Cars go on charging by what is installed."""
    silent: bool = False
    """It keeps its connection, says nothing and answers nothing, as behind a network that swallows frames."""
    hangs_up: bool = False
    """It takes a SetChargingProfile and drops its connection before it has answered."""
    answer_after_s: float = 0.0
    apply_after_s: float = 0.0
    rejecting: bool = False
    """It rejects every SetChargingProfile."""
    ignoring: bool = False
    """It accepts profiles and leaves every car's current as it was."""


class StationModel:
    """One station. Currents of its EVSEs are `grid_a`; `on_change` is called when there may be something to say."""

    def __init__(self, spec: StationSpec, now: datetime, voltage_v: float = VOLTAGE_V, files: Files | None = None) -> None:
        """Power up a new station at `now`."""
        self.spec = spec
        self.voltage_v = voltage_v
        self.files = files or HttpFiles()
        self.faults = Faults(apply_after_s=spec.quirks.follows_after_s)
        self.device = device_model(spec)
        evse_ids = [evse.evse_id for evse in spec.evses]
        self.profiles = ProfileStore(evse_ids, spec.abilities, voltage_v, spec.quirks)
        self.evses = {evse.evse_id: Evse(evse) for evse in spec.evses}
        self.outbox = Outbox()
        self.now = now + timedelta(seconds=spec.clock_offset_s)
        self.powered = True
        self.redial = False
        """It wants a new connection in place of the one it has."""
        self.restarts_at: datetime | None = None
        self.offline_since: datetime | None = self.now
        self.profile_writes = 0
        self.on_change: Callable[[], None] = lambda: None
        self.on_touch: Callable[[], None] = lambda: None
        """Called before a request is answered that may change what a car draws."""
        self._background: set[asyncio.Task[None]] = set()
        self._compose()
        self.outbox.boot(self.now, "PowerUp")
        self.security.event("StartupOfTheDevice")

    def _compose(self) -> None:
        """Put it together of its blocks."""
        self.provisioning = Provisioning(self)
        self.tokens = Tokens(self)
        self.transactions_block = Transactions(self)
        self.availability = Availability(self)
        self.reservations = Reservations(self)
        self.charging = SmartCharging(self)
        self.high_level = HighLevelCommunication(self)
        self.network = Network(self)
        self.certificates = Certificates(self)
        self.security = Security(self)
        self.firmware = Firmware(self)
        self.publishing = Publishing(self)
        self.logs = Logs(self)
        self.sensors = Sensors(self)
        self.monitoring = Monitoring(self)
        self.customers = Customers(self)
        self.display = Display(self)
        self.data_transfer = DataTransfer(self)
        self.blocks: list[Block] = [part for part in vars(self).values() if isinstance(part, Block)]
        self.answers: dict[str, Handler] = {action: answer for block in self.blocks for action, answer in block.answers().items()}
        self._stepping = [block for block in self.blocks if type(block).step is not Block.step]

    # What drivers and cars do

    def plug_in(self, evse_id: int, car: CarSpec, id_token: Token | None, soc: float = 0.3) -> None:
        """Connect a car; its driver holds a token to the reader, the car shows its contract, or it waits for a start from afar."""
        evse = self.evses[evse_id]
        evse.plug_in(car, soc)
        self.availability.tell_status(evse_id)
        self.high_level.plugged_in(evse_id)
        if id_token is None and car.high_level and car.high_level.emaid:
            id_token = token(car.high_level.emaid, "eMAID")
        if evse.remote_start and evse.remote_start[3] > self.now:
            remote_start_id, remote_token, profile, _ = evse.remote_start
            evse.remote_start = None
            self.transactions_block.start(evse_id, remote_token, "RemoteStart", remote_start_id, profile)
        elif id_token is not None:
            self.present(evse_id, id_token)

    def present(self, evse_id: int, id_token: Token) -> None:
        """Hold a token to the reader: it starts a transaction, or ends one that it may end."""
        evse = self.evses[evse_id]
        if evse.transaction is None:
            evse.token, evse.authorize_at = id_token, self.now
            self.on_change()
        elif self.tokens.may_stop(evse.transaction.id_token, id_token):
            self.transactions_block.end(evse_id, "StopAuthorized", "Local", id_token=id_token)

    def unplug(self, evse_id: int) -> None:
        """Take the car away; that ends its transaction."""
        evse = self.evses[evse_id]
        if evse.transaction:
            evse.cut_off()
            self.transactions_block.end(evse_id, "EVDeparted", "EVDisconnected")
        evse.unplug()
        self.availability.tell_status(evse_id)

    # Time

    def step(self, now: datetime, dt_s: float, *, powered: bool = True) -> None:
        """Let `dt_s` pass, up to `now` (true time)."""
        self.now = now + timedelta(seconds=self.spec.clock_offset_s)
        if powered != self.powered:
            self._power(powered)
        if self.restarts_at and powered and self.now >= self.restarts_at:
            self.restarts_at = None
            self.on_change()
        self.provisioning.obey_reset()
        self.profiles.expire(self.now)
        offers = self.offers()
        for evse_id, evse in self.evses.items():
            if not self.running:
                evse.cut_off()
            elif evse.transaction is None:
                evse.cut_off()
                self.tokens.authorize(evse_id)
            else:
                evse.offer(offers[evse_id], self.faults.apply_after_s, dt_s)
                if self.spec.abilities.phase_switching and not (self.faults.ignoring or self.spec.quirks.ignores_phases):
                    limit = self.profiles.evse_limit(evse_id, self.now, evse.transaction.identity)
                    evse.connect(one_phase=limit.phases == 1)
            evse.step(dt_s, self.voltage_v)
            if self.running and evse.transaction:
                self.transactions_block.report(evse_id)
        for block in self._stepping:
            block.step(dt_s)
        if self.outbox.next(self.now) or not self.linked:
            self.on_change()

    @property
    def running(self) -> bool:
        """Whether it has power and is not starting."""
        return self.powered and self.restarts_at is None

    @property
    def linked(self) -> bool:
        """Whether it may hold a connection."""
        return self.running and not self.faults.offline

    @property
    def grid_a(self) -> PerPhase:
        """What it draws from the grid's conductors."""
        return added(evse.grid_a for evse in self.evses.values())

    @property
    def transactions(self) -> dict[int, Transaction]:
        """Those under way, by EVSE."""
        return {evse_id: evse.transaction.identity for evse_id, evse in self.evses.items() if evse.transaction}

    @property
    def rated_a(self) -> dict[int, float]:
        """What each EVSE can give at all."""
        return {evse_id: evse.spec.max_a for evse_id, evse in self.evses.items()}

    def offers(self) -> dict[int, float]:
        """Return what each EVSE with a transaction may give: its composite limit, the station's own shared evenly among them.

        While the station ignores its profiles, a pilot stays where it is and a new transaction gets all there is.
        """
        if not (busy := {evse_id: evse for evse_id, evse in self.evses.items() if evse.transaction}):
            return {}
        if self.faults.ignoring:
            return {
                evse_id: evse.pilot_a if evse.transaction and evse.transaction.sampled_at else evse.spec.max_a
                for evse_id, evse in busy.items()
            }
        limits = {
            evse_id: min(evse.spec.max_a, self.profiles.evse_limit(evse_id, self.now, transaction.identity).limit_a)
            for evse_id, evse in busy.items()
            if (transaction := evse.transaction)
        }
        left_a, waiting = self.profiles.station_limit(self.now).limit_a, sorted(limits, key=lambda evse_id: limits[evse_id])
        shared: dict[int, float] = {}
        while waiting:
            evse_id = waiting.pop(0)
            shared[evse_id] = min(limits[evse_id], left_a / (len(waiting) + 1))
            left_a -= shared[evse_id]
        return shared

    # Its connection, its power, its boots

    def connected(self) -> None:
        """A connection is open."""
        self.redial = False
        self.outbox.connected()
        if self.spec.boots_on_reconnect and self.outbox.registration is Registration.ACCEPTED:
            self.outbox.boot(self.now, "Triggered")
        if self.outbox.registration is Registration.ACCEPTED:
            away_s = (self.now - (self.offline_since or self.now)).total_seconds()
            everything = away_s > self.device.number("OCPPCommCtrlr", "OfflineThreshold")
            for evse_id, evse in self.evses.items():
                if everything or evse.status != evse.told_status:
                    self.availability.tell_status(evse_id)  # B04
        self.offline_since = None
        self.on_change()

    def disconnected(self) -> None:
        """The connection is gone."""
        self.outbox.disconnected(self.now)
        self.offline_since = self.now

    def take_boot_reply(self, reply: Mapping[str, Any]) -> None:
        """Take the answer to BootNotification; once accepted it tells every connector's state."""
        self.outbox.booted(self.now, reply)
        if self.outbox.registration is Registration.ACCEPTED:
            if reply["interval"] > 0:
                self.device.update(Key("OCPPCommCtrlr", "HeartbeatInterval"), str(reply["interval"]))
            self.schedule_heartbeat()
            for block in self.blocks:
                block.registered()
        self.on_change()

    def schedule_heartbeat(self) -> None:
        """Beat again one interval from now."""
        self.outbox.heartbeat_at = self.now + timedelta(seconds=self.device.number("OCPPCommCtrlr", "HeartbeatInterval"))

    def reboot(self, reason: str = "LocalReset", *, duration_s: float = REBOOT_S, transactions_go_on: bool = True) -> None:
        """Start anew: TxProfiles are lost, what persists is kept, transactions go on afterwards or end."""
        self.restarts_at = self.now + timedelta(seconds=duration_s)
        for evse_id, evse in self.evses.items():
            evse.cut_off()
            if evse.transaction and not transactions_go_on:
                ended = "ImmediateReset" if reason == "RemoteReset" else "Reboot"
                self.transactions_block.end(evse_id, "ResetCommand", ended)
        self.profiles.reboot()
        for block in self.blocks:
            block.rebooted()
        self.outbox.boot(self.now, reason)
        self.security.event("StartupOfTheDevice" if reason == "PowerUp" else "ResetOrReboot", reason)
        self.on_change()

    def _power(self, powered: bool) -> None:
        self.powered = powered
        if powered:
            self.reboot("PowerUp")
        self.on_change()

    # What it says and answers

    def say(
        self,
        action: str,
        payload: dict[str, Any],
        on_reply: OnReply | None = None,
        *,
        on_lost: Callable[[], None] | None = None,
        asked: bool = False,
    ) -> None:
        """Queue a request to the CSMS, which is lost while there is no connection."""
        self.outbox.put(Outgoing(action=action, payload=payload, on_reply=on_reply, on_lost=on_lost, asked=asked))
        self.on_change()

    def handle(self, action: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request of the CSMS (its JSON is valid); raises CallRefusedError."""
        if self.outbox.registration in {Registration.NONE, Registration.REJECTED}:
            raise CallRefusedError("SecurityError", "the station is not accepted")
        if (answer := self.answers.get(action)) is None:
            raise CallRefusedError("NotImplemented", action)
        if action in TOUCHING and not (action == "SetChargingProfile" and self.profiles.says_already(payload)):
            self.on_touch()
        return answer(payload)

    def sampled_values(self, evse_id: int, measurands: Collection[str], context: str) -> list[dict[str, Any]]:
        """Return SampledValues of an EVSE's meter."""
        return self.evses[evse_id].sampled_values(measurands, context, self.voltage_v, tells_soc=self.spec.tells_soc)

    def limit_externally(self, evse_id: int, limit_a: float | None, source: str = "SO") -> None:
        """Let somebody else put up a limit at the station, or take it away (None); it tells the CSMS (K11–K14)."""
        self.charging.limit_externally(evse_id, limit_a, source)

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let work that takes time go on beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task
