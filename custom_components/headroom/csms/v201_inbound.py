"""What stations of OCPP 2.0.1 send, turned into events and answered. BootNotification is the lifecycle's own (v201.py)."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from . import profiles
from .fields import (
    moment,
    optional_moment,
    optional_record,
    optional_text,
    optional_whole,
    record,
    records,
    text,
    unknown_value,
    whole,
    written,
)
from .frames import CallFailure, Payload
from .inventory import evse_phases
from .memory import Draw, Memory, StationClock
from .reports import Reports
from .sampled_values import samples
from .station import (
    AuthorizationStatus,
    ChargingLimit,
    ChargingState,
    ConnectorStatus,
    IdToken,
    Inventory,
    Metered,
    Noticed,
    StationEvent,
    StatusChanged,
    TransactionEvent,
    TransactionPhase,
)

NOTICES = frozenset(
    {
        "FirmwareStatusNotification",
        "LogStatusNotification",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyMonitoringReport",
        "PublishFirmwareStatusNotification",
        "ReservationStatusUpdate",
        "SecurityEventNotification",
    }
)
"""Answered with nothing and told as they are."""

REFUSALS: dict[str, Payload] = {
    "SignCertificate": {"status": "Rejected"},
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "GetCertificateStatus": {"status": "Failed"},
    "DataTransfer": {"status": "UnknownVendorId"},
}
"""What this central system does not do."""

ANSWERS = {
    AuthorizationStatus.ACCEPTED: "Accepted",
    AuthorizationStatus.INVALID: "Invalid",
    AuthorizationStatus.NOT_AT_THIS_TIME: "NotAtThisTime",
}
CHARGING_STATES = {
    "Idle": ChargingState.IDLE,
    "EVConnected": ChargingState.EV_CONNECTED,
    "Charging": ChargingState.CHARGING,
    "SuspendedEV": ChargingState.SUSPENDED_EV,
    "SuspendedEVSE": ChargingState.SUSPENDED_EVSE,
}
PHASES = {phase.value.capitalize(): phase for phase in TransactionPhase}
CONNECTOR_STATUSES = {status.value.capitalize(): status for status in ConnectorStatus}
SCHEDULE_TOLERANCE_A = 0.5
"""How far an EV's own schedule may lie above its lease before it is sent back."""


class Inbound:
    """Answers one connection's requests."""

    def __init__(
        self,
        *,
        memory: Memory,
        clock: StationClock,
        reports: Reports,
        emit: Callable[[StationEvent], None],
        authorize: Callable[[int | None, IdToken], Awaitable[AuthorizationStatus]],
        now: Callable[[], datetime],
        found_connector: Callable[[int, int], None],
        ready: Callable[[], bool],
    ) -> None:
        """Take what the connection shares; `found_connector` is told of every (EVSE, connector) that has a state."""
        self._memory = memory
        self._clock = clock
        self._reports = reports
        self._emit = emit
        self._authorize = authorize
        self._now = now
        self._found_connector = found_connector
        self._ready = ready
        self._handlers: dict[str, Callable[[Payload], Awaitable[Payload]]] = {
            "Authorize": self._on_authorize,
            "ClearedChargingLimit": self._on_cleared_charging_limit,
            "Heartbeat": self._on_heartbeat,
            "MeterValues": self._on_meter_values,
            "NotifyChargingLimit": self._on_charging_limit,
            "NotifyEVChargingNeeds": self._on_charging_needs,
            "NotifyEVChargingSchedule": self._on_charging_schedule,
            "NotifyEvent": self._on_event,
            "NotifyReport": self._on_report,
            "ReportChargingProfiles": self._on_profiles,
            "StatusNotification": self._on_status,
            "TransactionEvent": self._on_transaction,
        }

    async def answer(self, action: str, payload: Payload) -> Payload:
        """Return the response to a request. Raises CallFailure."""
        if (handler := self._handlers.get(action)) is not None:
            return await handler(payload)
        if action in NOTICES or action in REFUSALS:
            self._emit(Noticed(action=action, payload=payload))
            return REFUSALS.get(action, {})
        raise CallFailure("NotImplemented", "no such request")

    @property
    def _inventory(self) -> Inventory:
        return self._memory.inventory or Inventory()

    async def _on_heartbeat(self, payload: Payload) -> Payload:
        return {"currentTime": written(self._now())}

    async def _on_status(self, payload: Payload) -> Payload:
        status = CONNECTOR_STATUSES.get(text(payload, "connectorStatus"))
        if status is None:
            raise unknown_value("connectorStatus")
        evse_id, connector_id = whole(payload, "evseId"), whole(payload, "connectorId")
        self._found_connector(evse_id, connector_id)
        self._emit(StatusChanged(evse_id=evse_id, connector_id=connector_id, status=status))
        return {}

    async def _on_authorize(self, payload: Payload) -> Payload:
        return await self._authorization(None, _id_token(record(payload, "idToken")))

    async def _authorization(self, evse_id: int | None, id_token: IdToken) -> Payload:
        return {"idTokenInfo": {"status": ANSWERS[await self._authorize(evse_id, id_token)]}}

    async def _on_transaction(self, payload: Payload) -> Payload:
        event = self._transaction(payload)
        evse_id = self._memory.transactions.get(event.transaction_id) if event.evse_id is None else event.evse_id
        if not event.offline:
            self._clock.observe(event.at, self._now())
        if self._memory.seen.first(event):
            self._keep(event, evse_id)
            self._emit(event)
        # A repeated event may be the same question asked again.
        return {} if event.id_token is None else await self._authorization(evse_id, event.id_token)

    def _transaction(self, payload: Payload) -> TransactionEvent:
        info = record(payload, "transactionInfo")
        evse, token = optional_record(payload, "evse"), optional_record(payload, "idToken")
        transaction_id = text(info, "transactionId")
        if (phase := PHASES.get(text(payload, "eventType"))) is None:
            raise unknown_value("eventType")
        evse_id = optional_whole(evse, "id")
        known_evse_id = self._memory.transactions.get(transaction_id) if evse_id is None else evse_id
        phases_used = optional_whole(payload, "numberOfPhasesUsed")
        return TransactionEvent(
            phase=phase,
            transaction_id=transaction_id,
            seq_no=whole(payload, "seqNo"),
            at=moment(payload, "timestamp"),
            offline=payload.get("offline") is True,
            trigger_reason=optional_text(payload, "triggerReason") or "",
            evse_id=evse_id,
            connector_id=optional_whole(evse, "connectorId"),
            charging_state=CHARGING_STATES.get(optional_text(info, "chargingState") or ""),
            phases_used=phases_used,
            id_token=_id_token(token) if token else None,
            remote_start_id=optional_whole(info, "remoteStartId"),
            stopped_reason=optional_text(info, "stoppedReason"),
            samples=samples(
                records(payload, "meterValue"),
                evse_phases=self._phases_of(known_evse_id),
                phases_used=phases_used or self._drawn(known_evse_id),
            ),
        )

    def _phases_of(self, evse_id: int | None) -> int | None:
        return None if evse_id is None else evse_phases(self._inventory, evse_id)

    def _drawn(self, evse_id: int | None) -> int | None:
        return None if evse_id is None else self._memory.draw(evse_id).phases

    def _keep(self, event: TransactionEvent, evse_id: int | None) -> None:
        if evse_id is None:
            return
        if event.phase is TransactionPhase.STARTED:
            self._memory.draws[evse_id] = Draw(voltage_v=self._memory.draw(evse_id).voltage_v)
            self._memory.leases_a.pop(evse_id, None)
        if event.phase is TransactionPhase.ENDED:
            self._memory.transactions.pop(event.transaction_id, None)
        else:
            self._memory.transactions[event.transaction_id] = evse_id
        self._memory.draw(evse_id).observe(event.samples, event.phases_used)

    async def _on_meter_values(self, payload: Payload) -> Payload:
        evse_id = whole(payload, "evseId")
        found = samples(records(payload, "meterValue"), evse_phases=self._phases_of(evse_id), phases_used=self._drawn(evse_id))
        if evse_id:
            self._memory.draw(evse_id).observe(found)
        self._emit(Metered(evse_id=evse_id, samples=found))
        return {}

    async def _on_report(self, payload: Payload) -> Payload:
        if (generated := optional_moment(payload, "generatedAt")) is not None:
            self._clock.observe(generated, self._now())
        self._reports.add(whole(payload, "requestId"), records(payload, "reportData"), more=payload.get("tbc") is True)
        return {}

    async def _on_profiles(self, payload: Payload) -> Payload:
        where: dict[str, Any] = {"evseId": optional_whole(payload, "evseId") or 0}
        if source := optional_text(payload, "chargingLimitSource"):
            where["chargingLimitSource"] = source
        found = [dict(profile) | where for profile in records(payload, "chargingProfile")]
        self._reports.add(whole(payload, "requestId"), found, more=payload.get("tbc") is True)
        return {}

    async def _on_event(self, payload: Payload) -> Payload:
        if (generated := optional_moment(payload, "generatedAt")) is not None:
            self._clock.observe(generated, self._now())
        self._emit(Noticed(action="NotifyEvent", payload=payload))
        return {}

    async def _on_charging_limit(self, payload: Payload) -> Payload:
        evse_id = optional_whole(payload, "evseId")
        source = text(record(payload, "chargingLimit"), "chargingLimitSource")
        limit_a = profiles.limit_now_a(records(payload, "chargingSchedule"), self._now(), self._memory.draw(evse_id or 0).voltage_v)
        self._emit(ChargingLimit(source=source, evse_id=evse_id, limit_a=limit_a))
        return {}

    async def _on_cleared_charging_limit(self, payload: Payload) -> Payload:
        source = text(payload, "chargingLimitSource")
        self._emit(ChargingLimit(source=source, evse_id=optional_whole(payload, "evseId"), cleared=True))
        return {}

    async def _on_charging_needs(self, payload: Payload) -> Payload:
        evse_id = whole(payload, "evseId")
        record(payload, "chargingNeeds")
        if evse_id not in self._memory.transactions.values() or not self._inventory.smart_charging.available:
            return {"status": "Rejected"}  # no TxProfile can follow (K15.FR.02)
        self._emit(Noticed(action="NotifyEVChargingNeeds", payload=payload))
        return {"status": "Accepted" if self._ready() else "Processing"}

    async def _on_charging_schedule(self, payload: Payload) -> Payload:
        evse_id = whole(payload, "evseId")
        wanted_a = profiles.most_a(record(payload, "chargingSchedule"), self._memory.draw(evse_id).voltage_v)
        lease_a = self._memory.leases_a.get(evse_id)
        self._emit(Noticed(action="NotifyEVChargingSchedule", payload=payload))
        too_much = wanted_a is not None and lease_a is not None and wanted_a > lease_a + SCHEDULE_TOLERANCE_A
        return {"status": "Rejected" if too_much else "Accepted"}


def _id_token(token: Payload) -> IdToken:
    return IdToken(value=text(token, "idToken"), type=optional_text(token, "type") or "Central")
