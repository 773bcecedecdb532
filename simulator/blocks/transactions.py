"""Block E of OCPP 2.0.1, and its starts and stops from afar (F01–F03): transactions from their first event to their last."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
import itertools
from typing import Any, override

from custom_components.headroom.csms.composite import Transaction

from ..device_model import Key
from ..evse import ActiveTransaction, Token
from ..outbox import Outgoing, Registration
from ..profile_rules import ProfileRejectedError
from ..timestamps import written
from .block import Answer, Block, Handler, Payload, accepted, rejected

INTERVAL = Key("SampledDataCtrlr", "TxUpdatedInterval")


class Transactions(Block):
    """The transactions of all EVSEs."""

    def __init__(self, *arguments: Any) -> None:
        """Number them from 1."""
        super().__init__(*arguments)
        self._numbers = itertools.count(1)
        self._interval = self.station.device.variables[INTERVAL]

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {
            "GetTransactionStatus": self._get_status,
            "RequestStartTransaction": self._request_start,
            "RequestStopTransaction": self._request_stop,
        }

    @override
    def triggered(self, message: str, evse_ids: Collection[int]) -> bool:
        if message != "TransactionEvent":
            return False
        for evse_id in evse_ids:
            self.tell(evse_id, "Updated", "Trigger", "TxUpdated")
        return True

    @override
    def rebooted(self) -> None:
        self._numbers = itertools.count(1)

    @property
    def queued(self) -> list[Outgoing]:
        """Its events that the CSMS has not answered yet."""
        return [event for event in self.station.outbox.events if event.action == "TransactionEvent"]

    def start(
        self, evse_id: int, id_token: Token, trigger: str, remote_start_id: int | None = None, profile: Mapping[str, Any] | None = None
    ) -> str:
        """Begin a transaction with the car at an EVSE; returns its id. `profile` is the one of a start from afar (K05)."""
        station, evse = self.station, self.station.evses[evse_id]
        number = next(self._numbers)
        transaction_id = f"{station.spec.identity}-{station.now:%Y%m%d%H%M%S}-{number}"
        if station.spec.quirks.numbers_from_1:
            transaction_id = str(number)
        evse.authorize_at = None
        evse.transaction = ActiveTransaction(
            transaction_id=transaction_id,
            started_at=station.now,
            id_token=id_token,
            remote_start_id=remote_start_id,
            started_wh=evse.energy_wh,
        )
        if profile:
            station.profiles.install(evse_id, {**profile, "transactionId": transaction_id}, station.now, station.transactions)
        reservation_id = station.reservations.used(evse_id, id_token)
        self.tell(evse_id, "Started", trigger, "TxStarted", id_token=id_token, reservation_id=reservation_id)
        station.customers.seen(id_token, transaction_id)
        station.high_level.started(evse_id)
        return transaction_id

    def end(self, evse_id: int, trigger: str, reason: str, *, id_token: Token | None = None) -> None:
        """End it: the contactor opens, its profiles are gone, the car stays plugged in."""
        station, evse = self.station, self.station.evses[evse_id]
        if evse.transaction is None:
            return
        evse.cut_off()
        evse.transaction.state = "EVConnected"
        self.tell(evse_id, "Ended", trigger, "TxEnded", reason=reason, id_token=id_token)
        station.profiles.end_transaction(evse.transaction.transaction_id)
        station.display.transaction_ended(evse.transaction.transaction_id)
        station.high_level.ended(evse_id)
        evse.transaction, evse.authorize_at = None, None

    def tell(
        self,
        evse_id: int,
        kind: str,
        trigger: str,
        sampled: str,
        *,
        reason: str | None = None,
        id_token: Token | None = None,
        reservation_id: int | None = None,
    ) -> None:
        """Queue a TransactionEvent with the measurands the device model names for its kind (`sampled`: TxStarted, TxUpdated …)."""
        station, evse = self.station, self.station.evses[evse_id]
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
            "timestamp": written(station.now),
            "triggerReason": trigger,
            "seqNo": 0 if station.spec.quirks.seq_no_always_zero else transaction.seq_no,
            "transactionInfo": info,
            "evse": {"id": evse_id, "connectorId": 1},
        }
        context = {"TxStarted": "Transaction.Begin", "TxEnded": "Transaction.End"}.get(sampled, "Sample.Periodic")
        measurands = station.device.members("SampledDataCtrlr", f"{sampled}Measurands")
        if values := station.sampled_values(evse_id, measurands, context):
            payload["meterValue"] = [{"timestamp": written(station.now), "sampledValue": values}]
        if evse.phases:
            payload["numberOfPhasesUsed"] = evse.phases
        if id_token:
            payload["idToken"] = id_token
        if reservation_id is not None:
            payload["reservationId"] = reservation_id
        if not station.outbox.online:
            payload["offline"] = True
        transaction.seq_no += 1
        station.outbox.message_attempts = int(station.device.number("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent"))
        station.outbox.attempt_interval_s = station.device.number("OCPPCommCtrlr", "MessageAttemptInterval", "TransactionEvent")

        def replied(reply: Payload) -> None:
            station.display.told_of_cost(transaction.transaction_id, reply)
            if id_token and "idTokenInfo" in reply:
                self._judged(evse_id, transaction, id_token, reply["idTokenInfo"])

        station.outbox.put(Outgoing(action="TransactionEvent", payload=payload, persistent=True, on_reply=replied))
        station.on_change()

    def report(self, evse_id: int) -> None:
        """Tell the transaction's change of state and take its periodic samples."""
        station, evse = self.station, self.station.evses[evse_id]
        if (transaction := evse.transaction) is None:
            return
        state = evse.charging_state
        if state != transaction.state:
            if state == "Charging" and transaction.state.startswith("Suspended"):
                station.profiles.resumed(evse_id)
            transaction.state = state
            self.tell(evse_id, "Updated", "ChargingStateChanged", "TxUpdated")
        transaction.sampled_at = transaction.sampled_at or station.now
        interval_s = float(self._interval.value)
        if interval_s and (station.now - transaction.sampled_at).total_seconds() >= interval_s:
            late_s = (station.now - transaction.sampled_at).total_seconds() % interval_s
            transaction.sampled_at = station.now - timedelta(seconds=late_s)
            self.tell(evse_id, "Updated", "MeterValuePeriodic", "TxUpdated")

    def _judged(self, evse_id: int, transaction: ActiveTransaction, id_token: Token, info: Payload) -> None:
        self.station.tokens.learn(id_token, info)
        evse = self.station.evses[evse_id]
        stops = self.station.device.text("TxCtrlr", "StopTxOnInvalidId") == "true"
        if info["status"] != "Accepted" and evse.transaction is transaction and stops:
            self.end(evse_id, "Deauthorized", "DeAuthorized")

    def _get_status(self, payload: Payload) -> Answer:
        if (transaction_id := payload.get("transactionId")) is None:
            return {"messagesInQueue": bool(self.queued)}
        queued = any(event.payload["transactionInfo"]["transactionId"] == transaction_id for event in self.queued)
        ongoing = any(transaction.transaction_id == transaction_id for transaction in self.station.transactions.values())
        return {"messagesInQueue": queued, "ongoingIndicator": ongoing}

    def _request_start(self, payload: Payload) -> Answer:
        station = self.station
        if station.outbox.registration is not Registration.ACCEPTED:
            return rejected("NotEnabled", "not accepted yet")
        wanted, token = payload.get("evseId"), dict(payload["idToken"])
        idle = [evse_id for evse_id, evse in station.evses.items() if not evse.transaction and evse.usable and wanted in {None, evse_id}]
        if not idle:
            return rejected("TxInProgress" if wanted in station.evses else "UnknownEvse")
        group = payload.get("groupIdToken")
        free = [evse_id for evse_id in idle if not station.reservations.blocks(evse_id, token, group)]
        if not free:
            return rejected("Reserved", "reserved for another token")
        evse_id = next((evse_id for evse_id in free if station.evses[evse_id].car), free[0])
        evse, profile = station.evses[evse_id], payload.get("chargingProfile")
        if profile is not None:
            if profile["chargingProfilePurpose"] != "TxProfile" or "transactionId" in profile:
                return rejected("InvalidProfile", "K05: a TxProfile without a transactionId")
            placeholder = Transaction(transaction_id="", started_at=station.now)
            try:
                station.profiles.check(evse_id, {**profile, "transactionId": ""}, station.now, {evse_id: placeholder})
            except ProfileRejectedError as error:
                return rejected(error.reason_code, str(error))
        remote_start_id = payload["remoteStartId"]
        if evse.car is None:
            evse.remote_start = (remote_start_id, token, profile, self._waits_until())
            return accepted()
        if station.device.text("AuthCtrlr", "AuthorizeRemoteStart") == "true":
            station.tokens.ask(evse_id, token, lambda: self.start(evse_id, token, "RemoteStart", remote_start_id, profile))
            return accepted()
        return {"status": "Accepted", "transactionId": self.start(evse_id, token, "RemoteStart", remote_start_id, profile)}

    def _waits_until(self) -> datetime:
        return self.station.now + timedelta(seconds=self.station.device.number("TxCtrlr", "EVConnectionTimeOut"))

    def _request_stop(self, payload: Payload) -> Answer:
        for evse_id, transaction in self.station.transactions.items():
            if transaction.transaction_id == payload["transactionId"]:
                self.end(evse_id, "RemoteStop", "Remote")
                return accepted()
        return rejected("TxNotFound")
