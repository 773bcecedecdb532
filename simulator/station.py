"""A charging station as a state machine: what it does with cars, tokens, profiles and a CSMS's requests. No sockets, no clock.

`step` gives it time; `handle` answers a request; what it has to say waits in its outbox. `client.py` carries both over a connection.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
import itertools
from typing import Any

from custom_components.headroom.csms.composite import Transaction

from .car import CarSpec
from .device_model import Key
from .electrical import VOLTAGE_V, PerPhase, added
from .evse import ActiveTransaction, Evse, Token
from .factory import StationSpec, device_model
from .outbox import OnReply, Outbox, Outgoing, Registration
from .profiles import ProfileStore
from .requests import ANSWERS, CallRefusedError
from .timestamps import written

REBOOT_S = 5.0
AUTHORIZE_AGAIN_S = 15.0
"""A driver who was turned away holds the card to the reader again after this."""


@dataclass(slots=True)
class Faults:
    """What is wrong with a station; each can be changed while it runs."""

    offline: bool = False
    """It drops its connection and stays away. Cars go on charging by what is installed."""
    answer_after_s: float = 0.0
    apply_after_s: float = 0.0
    rejecting: bool = False
    """It rejects every SetChargingProfile."""
    ignoring: bool = False
    """It accepts profiles and leaves every car's current as it was."""


class StationModel:
    """One station. Currents of its EVSEs are `grid_a`; `on_change` is called when there may be something to say."""

    def __init__(self, spec: StationSpec, now: datetime, voltage_v: float = VOLTAGE_V) -> None:
        """Power up a new station at `now`."""
        self.spec = spec
        self.voltage_v = voltage_v
        self.faults = Faults()
        self.device = device_model(spec)
        self.profiles = ProfileStore([evse.evse_id for evse in spec.evses], spec.abilities, voltage_v)
        self.evses = {evse.evse_id: Evse(evse) for evse in spec.evses}
        self.outbox = Outbox()
        self.now = now + timedelta(seconds=spec.clock_offset_s)
        self.powered = True
        self.restarts_at: datetime | None = None
        self.offline_since: datetime | None = self.now
        self.profile_writes = 0
        self.known_tokens: dict[str, str] = {}
        """Tokens the CSMS judged, by value: the authorization cache."""
        self.kept: dict[str, dict[str, Any]] = {"local_list": {"version": {"versionNumber": 0}}}
        """What requests leave with it: local list, certificates, messages, monitors."""
        self.on_change: Callable[[], None] = lambda: None
        self._numbers = itertools.count(1)
        self.outbox.boot(self.now, "PowerUp")

    # What drivers and cars do

    def plug_in(self, evse_id: int, car: CarSpec, id_token: Token | None, soc: float = 0.3) -> None:
        """Connect a car; its driver holds a token to the reader, or waits for a start from afar."""
        evse = self.evses[evse_id]
        evse.plug_in(car, soc)
        self._tell_status(evse_id)
        if evse.remote_start and evse.remote_start[3] > self.now:
            remote_start_id, remote_token, profile, _ = evse.remote_start
            evse.remote_start = None
            self.start_transaction(evse_id, remote_token, "RemoteStart", remote_start_id, profile)
        elif id_token is not None:
            self.present(evse_id, id_token)

    def present(self, evse_id: int, id_token: Token) -> None:
        """Hold a token to the reader: it starts a transaction, or ends the one it started."""
        evse = self.evses[evse_id]
        if evse.transaction and evse.transaction.id_token == id_token:
            self.end_transaction(evse_id, "StopAuthorized", "Local")
        elif evse.transaction is None:
            evse.token, evse.authorize_at = id_token, self.now
            self.on_change()

    def unplug(self, evse_id: int) -> None:
        """Take the car away; that ends its transaction."""
        evse = self.evses[evse_id]
        if evse.transaction:
            evse.cut_off()
            self.end_transaction(evse_id, "EVDeparted", "EVDisconnected")
        evse.unplug()
        self._tell_status(evse_id)

    # Time

    def step(self, now: datetime, dt_s: float, *, powered: bool = True) -> None:
        """Let `dt_s` pass, up to `now` (true time)."""
        self.now = now + timedelta(seconds=self.spec.clock_offset_s)
        if powered != self.powered:
            self._power(powered)
        if self.restarts_at and powered and self.now >= self.restarts_at:
            self.restarts_at = None
            self.on_change()
        self._obey_reset()
        self.profiles.expire(self.now)
        offers = self.offers()
        for evse_id, evse in self.evses.items():
            if not self.running:
                evse.cut_off()
            elif evse.transaction is None:
                evse.cut_off()
                self._authorize(evse_id)
            else:
                evse.offer(offers[evse_id], self.faults.apply_after_s, dt_s)
            evse.step(dt_s, self.voltage_v)
            if self.running and evse.transaction:
                self._report(evse_id, evse.transaction)
        self._align(dt_s)
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
        busy = {evse_id: evse for evse_id, evse in self.evses.items() if evse.transaction}
        if self.faults.ignoring:
            return {
                evse_id: evse.pilot_a if evse.transaction and evse.transaction.sampled_at else evse.spec.max_a
                for evse_id, evse in busy.items()
            }
        limits = {
            evse_id: min(evse.spec.max_a, self.profiles.evse_limit(evse_id, self.now, self.transactions[evse_id]).limit_a)
            for evse_id, evse in busy.items()
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
        self.outbox.connected()
        if self.spec.boots_on_reconnect and self.outbox.registration is Registration.ACCEPTED:
            self.outbox.boot(self.now, "Triggered")
        if self.outbox.registration is Registration.ACCEPTED:
            away_s = (self.now - (self.offline_since or self.now)).total_seconds()
            everything = away_s > self.device.number("OCPPCommCtrlr", "OfflineThreshold")
            for evse_id, evse in self.evses.items():
                if everything or evse.status != evse.told_status:
                    self._tell_status(evse_id)  # B04
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
            for evse_id in self.evses:
                self._tell_status(evse_id)
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
                self.end_transaction(evse_id, "ResetCommand", "ImmediateReset" if reason == "RemoteReset" else "Reboot")
        self.profiles.reboot()
        self.outbox.boot(self.now, reason)
        self.on_change()

    def _obey_reset(self) -> None:
        """Do the reset that was asked for, once its answer is out and, if so asked, no transaction is left (B11, B12)."""
        asked = self.kept.get("reset")
        if asked and (not asked.get("when_idle") or not self.transactions):
            del self.kept["reset"]
            self.reboot("RemoteReset", transactions_go_on=False)

    def _power(self, powered: bool) -> None:
        self.powered = powered
        if powered:
            self.reboot("PowerUp")
        self.on_change()

    # Transactions

    def _authorize(self, evse_id: int) -> None:
        evse = self.evses[evse_id]
        if evse.car is None or evse.token is None or evse.authorize_at is None or self.now < evse.authorize_at or not evse.operative:
            return
        id_token = evse.token
        if id_token["type"] == "NoAuthorization":
            self.start_transaction(evse_id, id_token, "CablePluggedIn")
        elif self.outbox.online and self.outbox.registration is Registration.ACCEPTED:
            evse.authorize_at = None
            self.say("Authorize", {"idToken": id_token}, lambda reply: self._authorized(evse_id, id_token, reply))
        elif not self.outbox.online and self._known_offline(id_token):
            self.start_transaction(evse_id, id_token, "Authorized")
        else:
            evse.authorize_at = self.now + timedelta(seconds=1)

    def _known_offline(self, id_token: Token) -> bool:
        listed = self.kept["local_list"].get(id_token["idToken"], {}).get("idTokenInfo", {}).get("status")
        known = "Accepted" in {self.known_tokens.get(id_token["idToken"]), listed}
        if known and self.device.text("AuthCtrlr", "LocalAuthorizeOffline") == "true":
            return True
        return self.device.text("AuthCtrlr", "OfflineTxForUnknownIdEnabled") == "true"

    def _authorized(self, evse_id: int, id_token: Token, reply: Mapping[str, Any]) -> None:
        evse = self.evses[evse_id]
        status = str(reply["idTokenInfo"]["status"])
        self.known_tokens[id_token["idToken"]] = status
        if evse.car is None or evse.transaction or evse.token != id_token:
            return
        if status == "Accepted":
            self.start_transaction(evse_id, id_token, "Authorized")
        else:
            evse.authorize_at = self.now + timedelta(seconds=AUTHORIZE_AGAIN_S)

    def start_transaction(
        self, evse_id: int, id_token: Token, trigger: str, remote_start_id: int | None = None, profile: Mapping[str, Any] | None = None
    ) -> str:
        """Begin a transaction with the car at an EVSE; returns its id. `profile` is the one of a start from afar (K05)."""
        evse = self.evses[evse_id]
        transaction_id = f"{self.spec.identity}-{self.now:%Y%m%d%H%M%S}-{next(self._numbers)}"
        evse.authorize_at = None
        evse.transaction = ActiveTransaction(
            transaction_id=transaction_id,
            started_at=self.now,
            id_token=id_token,
            remote_start_id=remote_start_id,
            started_wh=evse.energy_wh,
        )
        if profile:
            self.profiles.install(evse_id, {**profile, "transactionId": transaction_id}, self.now, self.transactions)
        self.tell_transaction(evse_id, "Started", trigger, "TxStarted", id_token=id_token)
        return transaction_id

    def end_transaction(self, evse_id: int, trigger: str, reason: str) -> None:
        """End it: the contactor opens, its profiles are gone, the car stays plugged in."""
        evse = self.evses[evse_id]
        if evse.transaction is None:
            return
        evse.cut_off()
        evse.transaction.state = "EVConnected"
        self.tell_transaction(evse_id, "Ended", trigger, "TxEnded", reason=reason)
        self.profiles.end_transaction(evse.transaction.transaction_id)
        evse.transaction, evse.authorize_at = None, None

    def tell_transaction(
        self, evse_id: int, kind: str, trigger: str, sampled: str, *, reason: str | None = None, id_token: Token | None = None
    ) -> None:
        """Queue a TransactionEvent with the measurands the device model names for its kind (`sampled`: TxStarted, TxUpdated …)."""
        evse = self.evses[evse_id]
        transaction = evse.transaction
        if transaction is None:
            return
        info: dict[str, Any] = {"transactionId": transaction.transaction_id, "chargingState": transaction.state}
        if reason:
            info["stoppedReason"] = reason
        if transaction.remote_start_id is not None:
            info["remoteStartId"] = transaction.remote_start_id
        payload: dict[str, Any] = {
            "eventType": kind,
            "timestamp": written(self.now),
            "triggerReason": trigger,
            "seqNo": transaction.seq_no,
            "transactionInfo": info,
            "evse": {"id": evse_id, "connectorId": 1},
        }
        context = {"TxStarted": "Transaction.Begin", "TxEnded": "Transaction.End"}.get(sampled, "Sample.Periodic")
        measurands = self.device.members("SampledDataCtrlr", f"{sampled}Measurands")
        if values := self._values(evse, measurands, context):
            payload["meterValue"] = [{"timestamp": written(self.now), "sampledValue": values}]
        if evse.phases:
            payload["numberOfPhasesUsed"] = evse.phases
        if id_token:
            payload["idToken"] = id_token
        if not self.outbox.online:
            payload["offline"] = True
        transaction.seq_no += 1
        self.outbox.message_attempts = int(self.device.number("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent"))
        self.outbox.attempt_interval_s = self.device.number("OCPPCommCtrlr", "MessageAttemptInterval", "TransactionEvent")

        def judged(reply: Mapping[str, Any]) -> None:
            status = reply.get("idTokenInfo", {}).get("status", "Accepted")
            self.known_tokens[transaction.id_token["idToken"]] = status
            if status != "Accepted" and evse.transaction is transaction and self.device.text("TxCtrlr", "StopTxOnInvalidId") == "true":
                self.end_transaction(evse_id, "Deauthorized", "DeAuthorized")

        self.outbox.put(Outgoing(action="TransactionEvent", payload=payload, persistent=True, on_reply=judged if id_token else None))
        self.on_change()

    def _report(self, evse_id: int, transaction: ActiveTransaction) -> None:
        state = self.evses[evse_id].charging_state
        if state != transaction.state:
            transaction.state = state
            self.tell_transaction(evse_id, "Updated", "ChargingStateChanged", "TxUpdated")
        transaction.sampled_at = transaction.sampled_at or self.now
        interval_s = self.device.number("SampledDataCtrlr", "TxUpdatedInterval")
        if interval_s and (self.now - transaction.sampled_at).total_seconds() >= interval_s:
            late_s = (self.now - transaction.sampled_at).total_seconds() % interval_s
            transaction.sampled_at = self.now - timedelta(seconds=late_s)
            self.tell_transaction(evse_id, "Updated", "MeterValuePeriodic", "TxUpdated")

    # What else it tells

    def say(self, action: str, payload: dict[str, Any], on_reply: OnReply | None = None, *, asked: bool = False) -> None:
        """Queue a request to the CSMS, which is lost while there is no connection."""
        self.outbox.put(Outgoing(action=action, payload=payload, on_reply=on_reply, asked=asked))
        self.on_change()

    def limit_externally(self, evse_id: int, limit_a: float | None, source: str = "SO") -> None:
        """Let somebody else put up a limit at the station, or take it away (None); it tells the CSMS (K11–K14)."""
        self.profiles.set_external(evse_id, limit_a, source, self.now)
        where: dict[str, Any] = {"evseId": evse_id} if evse_id else {}
        if limit_a is None:
            self.say("ClearedChargingLimit", {"chargingLimitSource": source, **where})
        else:
            limit: dict[str, Any] = {"chargingLimit": {"chargingLimitSource": source, "isGridCritical": True}, **where}
            if self.device.text("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules") == "true":
                limit["chargingSchedule"] = [one.profile["chargingSchedule"][0] for one in self.profiles.installed if one.source == source]
            self.say("NotifyChargingLimit", limit)
        for changed in self.transactions:
            if evse_id in {0, changed}:
                self.tell_transaction(changed, "Updated", "ChargingRateChanged", "TxUpdated")

    def tell_meter(self, evse_id: int, context: str, component: str = "AlignedDataCtrlr", *, asked: bool = False) -> None:
        """Queue MeterValues of one EVSE, with the measurands of a controller."""
        variable = "Measurands" if component == "AlignedDataCtrlr" else "TxUpdatedMeasurands"
        values = self._values(self.evses[evse_id], self.device.members(component, variable), context)
        if values:
            meter_value = [{"timestamp": written(self.now), "sampledValue": values}]
            self.say("MeterValues", {"evseId": evse_id, "meterValue": meter_value}, asked=asked)

    def tell_status(self, evse_id: int, *, asked: bool) -> None:
        """Queue a StatusNotification of an EVSE's connector."""
        evse = self.evses[evse_id]
        for key in (
            Key("Connector", "AvailabilityState", evse_id=evse_id, connector_id=1),
            Key("EVSE", "AvailabilityState", evse_id=evse_id),
        ):
            self.device.update(key, evse.status)
        if self.outbox.online:
            evse.told_status = evse.status
        status = {"timestamp": written(self.now), "connectorStatus": evse.status, "evseId": evse_id, "connectorId": 1}
        self.say("StatusNotification", status, asked=asked)

    def _tell_status(self, evse_id: int) -> None:
        self.tell_status(evse_id, asked=False)

    def _align(self, dt_s: float) -> None:
        interval_s = self.device.number("AlignedDataCtrlr", "Interval")
        if interval_s and self.running and self.now.timestamp() % interval_s < dt_s:
            for evse_id in self.evses:
                self.tell_meter(evse_id, "Sample.Clock")

    def _values(self, evse: Evse, measurands: Any, context: str) -> list[dict[str, Any]]:
        return evse.sampled_values(measurands, context, self.voltage_v, tells_soc=self.spec.tells_soc)

    def handle(self, action: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request of the CSMS (its JSON is valid); raises CallRefusedError."""
        if self.outbox.registration in {Registration.NONE, Registration.REJECTED}:
            raise CallRefusedError("SecurityError", "the station is not accepted")
        if (answer := ANSWERS.get(action)) is None:
            raise CallRefusedError("NotImplemented", action)
        return answer(self, payload)
