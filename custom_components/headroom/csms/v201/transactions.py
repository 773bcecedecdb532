"""Blocks E, F, G and J of OCPP 2.0.1: transactions, their remote control, availability and meter values."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
import logging
from typing import Any, override

from ..authorization import IdToken
from ..errors import CallError, CallRejectedError
from ..events import Metered, StatusChanged, TransactionEvent
from ..fields import (
    LONGEST_KEPT,
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
)
from ..frames import CallFailure, Payload
from ..inventory import evse_phases, with_connector
from ..profiles import Placed
from ..quirks import known_of
from ..sampled_values import samples
from ..values import ChargingState, ConnectorStatus, Started, TransactionPhase
from .authorization import read_token, written_group, written_token
from .link import Block, Handler, Link, without_none

_LOGGER = logging.getLogger(__name__)

CHARGING_STATES = {
    "Idle": ChargingState.IDLE,
    "EVConnected": ChargingState.EV_CONNECTED,
    "Charging": ChargingState.CHARGING,
    "SuspendedEV": ChargingState.SUSPENDED_EV,
    "SuspendedEVSE": ChargingState.SUSPENDED_EVSE,
}
PHASES = {phase.value.capitalize(): phase for phase in TransactionPhase}
CONNECTOR_STATUSES = {status.value.capitalize(): status for status in ConnectorStatus}


class Transactions(Block):
    """Transactions, meter values and the state of connectors."""

    def __init__(self, link: Link, judge: Callable[[int | None, IdToken], Awaitable[Payload]]) -> None:
        """`judge` returns the response to a token that a transaction event carries."""
        super().__init__(link)
        self._judge = judge
        self.on_gap: Callable[[], None] = lambda: None
        """Called when events of a transaction are missing."""
        self.first_lease: Callable[[int, float, datetime | None, float | None], Placed | None] = lambda *limit: None
        """Gives the profile that goes with a remote start (K05)."""
        self.on_told: Callable[[TransactionEvent], TransactionEvent] = lambda event: event
        """Fills in what an event leaves out and others know."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {
            "MeterValues": self._on_meter_values,
            "StatusNotification": self._on_status,
            "TransactionEvent": self._on_transaction,
        }

    async def start_transaction(
        self,
        evse_id: int,
        id_token: IdToken,
        remote_start_id: int,
        *,
        group: str | None = None,
        limit_a: float | None = None,
        valid_to: datetime | None = None,
        fallback_a: float | None = None,
    ) -> Started:
        """Ask for a transaction (F01, F02), with its first lease (K05) unless the station is known to refuse a start for that."""
        payload = {
            "evseId": evse_id,
            "idToken": written_token(id_token),
            "groupIdToken": written_group(group),
            "remoteStartId": remote_start_id,
        }
        first, learnt = None if limit_a is None else self.first_lease(evse_id, limit_a, valid_to, fallback_a), self._link.memory.learnt
        if first is not None:
            try:
                response = await self._link.ready_calls.command(
                    "RequestStartTransaction", without_none(payload | {"chargingProfile": first.profile})
                )
            except (CallRejectedError, CallError) as error:
                # Perhaps it is the profile that it will not have (K05 is not for every station): the fallback holds then.
                _LOGGER.debug("%s does not start with a limit: %s", self._link.identity, error)
            else:
                if (profile_id := first.profile_id) is not None:
                    self._link.memory.told = {**self._link.memory.told, profile_id: first}
                if learnt.starts_refused:
                    learnt.starts_refused = 0
                    self._link.memory.changed()
                return Started(transaction_id=optional_text(response, "transactionId"), with_limit=True)
        response = await self._link.ready_calls.command("RequestStartTransaction", without_none(payload))
        if first is not None:
            learnt.starts_refused += 1
            if not learnt.starts_with_limit:
                _LOGGER.info("%s takes no limit along with a start from afar", self._link.identity)
            self._link.memory.changed()
        return Started(transaction_id=optional_text(response, "transactionId"))

    async def stop_transaction(self, transaction_id: str) -> None:
        """Ask for a transaction's end (F03)."""
        await self._link.ready_calls.command("RequestStopTransaction", {"transactionId": transaction_id})

    async def trigger(self, message: str, evse_id: int | None = None) -> None:
        """Ask for a message (F06); a StatusNotification of an EVSE is asked for connector by connector (F06.FR.12).

        Raises CallRejectedError for the samples of a station that is known to take it amiss.
        """
        if message == "MeterValues" and not known_of(self._link.memory.info).habits.samples_on_request:
            raise CallRejectedError(
                "TriggerMessage", "Rejected", "it is known to take being asked for samples amiss; it sends them by itself"
            )
        if message == "StatusNotification" and evse_id:
            for connector_id in self._link.inventory.evse_connectors.get(evse_id, (1,)):
                await self._link.ready_calls.trigger(message, {"id": evse_id, "connectorId": connector_id})
        else:
            await self._link.ready_calls.trigger(message, None if evse_id is None else {"id": evse_id})

    async def change_availability(self, *, operative: bool, evse_id: int | None = None) -> None:
        """Put in or out of service (G03, G04)."""
        payload: dict[str, Any] = {"operationalStatus": "Operative" if operative else "Inoperative"}
        if evse_id:
            payload["evse"] = {"id": evse_id}
        await self._link.ready_calls.command("ChangeAvailability", payload, ("Accepted", "Scheduled"))

    async def unlock_connector(self, evse_id: int, connector_id: int) -> None:
        """Release the plug (F05)."""
        await self._link.ready_calls.command("UnlockConnector", {"evseId": evse_id, "connectorId": connector_id}, ("Unlocked",))

    def _found_connector(self, evse_id: int, connector_id: int) -> None:
        known = self._link.memory.inventory
        if known is not None and (grown := with_connector(known, evse_id, connector_id)) is not None:
            self._link.memory.inventory = grown
            self._link.inventory_changed()

    async def _on_status(self, payload: Payload) -> Payload:
        status = CONNECTOR_STATUSES.get(text(payload, "connectorStatus"))
        if status is None:
            raise unknown_value("connectorStatus")
        evse_id, connector_id = whole(payload, "evseId"), whole(payload, "connectorId")
        self._found_connector(evse_id, connector_id)
        self._link.emit(
            StatusChanged(evse_id=evse_id, connector_id=connector_id, status=status, timestamp=optional_moment(payload, "timestamp"))
        )
        return {}

    async def _on_transaction(self, payload: Payload) -> Payload:
        event = self.on_told(self._transaction(payload))
        transactions = self._link.memory.transactions
        if transactions.take(event):
            if not event.offline:  # nor a repeated one, which may be as old
                self._link.observe_clock(event.at, may_have_waited=True)
            if not transactions.is_of_former(event):
                self._keep(event)
            self._link.emit(transactions.told(event))
            if transactions.numbered and (known := transactions.get(event.transaction_id)) and known.gaps:
                self.on_gap()
        # A repeated event may be the same question asked again.
        return {} if event.id_token is None else await self._judge(event.evse_id, event.id_token)

    def _transaction(self, payload: Payload) -> TransactionEvent:
        info = record(payload, "transactionInfo")
        evse, token = optional_record(payload, "evse"), optional_record(payload, "idToken")
        transaction_id = text(info, "transactionId")
        if len(transaction_id) > LONGEST_KEPT:
            raise CallFailure("PropertyConstraintViolation", "transactionId is too long")
        if (phase := PHASES.get(text(payload, "eventType"))) is None:
            raise unknown_value("eventType")
        evse_id = optional_whole(evse, "id") or self._link.memory.transactions.evse_of(transaction_id)
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
            id_token=read_token(token) if token else None,
            remote_start_id=optional_whole(info, "remoteStartId"),
            reservation_id=optional_whole(payload, "reservationId"),
            stopped_reason=optional_text(info, "stoppedReason"),
            samples=samples(
                records(payload, "meterValue"),
                evse_phases=self._phases_of(evse_id),
                phases_used=phases_used or self._drawn(evse_id),
            ),
        )

    def _phases_of(self, evse_id: int | None) -> int | None:
        return None if evse_id is None else evse_phases(self._link.inventory, evse_id)

    def _drawn(self, evse_id: int | None) -> int | None:
        return None if evse_id is None else self._link.memory.draw(evse_id).phases

    def _keep(self, event: TransactionEvent) -> None:
        if event.phase is not TransactionPhase.UPDATED:
            self._link.memory.changed()
        if event.phase is TransactionPhase.ENDED:
            told = self._link.memory.told
            self._link.memory.told = {key: one for key, one in told.items() if one.profile.get("transactionId") != event.transaction_id}
        if (evse_id := event.evse_id) is None:
            return
        if event.phase is TransactionPhase.STARTED:
            self._link.memory.draw(evse_id).phases = None
        self._link.memory.draw(evse_id).observe(event.samples, event.phases_used)

    async def _on_meter_values(self, payload: Payload) -> Payload:
        evse_id = whole(payload, "evseId")
        found = samples(records(payload, "meterValue"), evse_phases=self._phases_of(evse_id), phases_used=self._drawn(evse_id))
        if evse_id:
            self._link.memory.draw(evse_id).observe(found)
        self._link.emit(Metered(evse_id=evse_id, samples=found))
        return {}


def status_of(event: Payload, since: datetime) -> StatusChanged | None:
    """Return the state of a connector that an eventData tells (Connector.AvailabilityState): some stations say it so, and in no other way.

    None where it is about something else, or from before `since` (by the station's clock): what waited in a queue is not how it is.
    """
    component, at = optional_record(event, "component"), optional_moment(event, "timestamp")
    evse, status = optional_record(component, "evse"), CONNECTOR_STATUSES.get(optional_text(event, "actualValue") or "")
    evse_id, connector_id = optional_whole(evse, "id"), optional_whole(evse, "connectorId")
    if (component.get("name"), optional_record(event, "variable").get("name")) != ("Connector", "AvailabilityState"):
        return None
    if status is None or not evse_id or not connector_id or at is None or at < since:
        return None
    return StatusChanged(evse_id=evse_id, connector_id=connector_id, status=status, at=at, timestamp=at)
