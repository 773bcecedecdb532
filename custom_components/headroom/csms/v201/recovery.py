"""Taking a station's transactions up where they are: after a boot, a lost connection, a restart of ours, or lost events (E04, E14)."""

import asyncio
from dataclasses import replace
import logging

from .. import background
from ..errors import CallError, StationError, StationOfflineError
from ..events import EventsLost, TransactionEvent
from ..transactions import KnownTransaction
from ..values import TransactionPhase
from .link import Link

_LOGGER = logging.getLogger(__name__)

MOST_ASKINGS = 30
"""So often a station may say that messages wait in its queue before a gap is given up."""


class Recovery:
    """Asks one connection's station for what is missing. It never asks for a transaction's end."""

    def __init__(self, link: Link, *, gap_wait_s: float) -> None:
        """Take the connection; nothing is sent."""
        self._link = link
        self._gap_wait_s = gap_wait_s
        self._watching: asyncio.Task[None] | None = None
        self._probed_evse_id: int | None = None
        self._told = asyncio.Event()

    def close(self) -> None:
        """Ask no more: the connection is gone."""
        if self._watching is not None:
            self._watching.cancel()

    async def refresh(self) -> None:
        """Ask a station that was running all the time for what it would have told after a boot."""
        await self._ask_how_they_stand()
        await self._have_told(None)
        await self._locate()
        self.watch()
        for evse_id, connector_ids in self._link.inventory.evse_connectors.items():
            for connector_id in connector_ids:
                try:
                    await self._link.ready_calls.trigger("StatusNotification", {"id": evse_id, "connectorId": connector_id})
                except StationOfflineError:
                    raise
                except StationError as error:
                    _LOGGER.debug("%s does not tell the status of EVSE %d: %s", self._link.identity, evse_id, error)

    async def pick_up(self) -> None:
        """Ask how the transactions stand that were running when the station was heard last, and have those under way told."""
        await self._ask_how_they_stand()
        if self._link.memory.transactions.running():
            await self._have_told(None)
            await self._locate()
        self.watch()

    async def _ask_how_they_stand(self) -> None:
        for known in self._link.memory.transactions.running():
            if await self._status(known) == (False, False):
                self._presume_ended(known)

    def watch(self) -> None:
        """See to the events that are missing, in a while."""
        if self._gaps() and (self._watching is None or self._watching.done()):
            self._watching = background.begin(self._fill_gaps(), f"Asking {self._link.identity} for lost events")

    def told(self, event: TransactionEvent) -> TransactionEvent:
        """Return an event with the EVSE that was asked for it, where it does not say and nobody knows."""
        if event.evse_id is None and event.trigger_reason == "Trigger" and self._probed_evse_id is not None:
            event = replace(event, evse_id=self._probed_evse_id)
        self._told.set()
        return event

    async def _have_told(self, evse_id: int | None) -> bool:
        try:
            await self._link.ready_calls.trigger("TransactionEvent", None if evse_id is None else {"id": evse_id})
        except StationOfflineError:
            raise
        except StationError as error:
            _LOGGER.debug("%s tells of no transaction: %s", self._link.identity, error)
            return False
        return True

    async def _locate(self) -> None:
        """Find the EVSEs of transactions that are told of without one: ask EVSE by EVSE, and see which one speaks."""
        transactions = self._link.memory.transactions
        for evse_id in self._link.inventory.evse_connectors:
            if all(known.evse_id is not None for known in transactions.running()):
                return
            if transactions.running_on(evse_id) is not None:
                continue
            self._probed_evse_id = evse_id
            self._told.clear()
            try:
                if await self._have_told(evse_id):
                    async with asyncio.timeout(self._gap_wait_s):
                        await self._told.wait()
            except TimeoutError:
                pass  # nothing runs there
            finally:
                self._probed_evse_id = None

    def _gaps(self) -> list[KnownTransaction]:
        transactions = self._link.memory.transactions
        return [known for known in transactions if known.gaps] if transactions.numbered else []

    async def _fill_gaps(self) -> None:
        askings = 0
        while gaps := self._gaps():
            before = {known.transaction_id: known.gaps for known in gaps}
            await asyncio.sleep(self._gap_wait_s)
            askings += 1
            for known in self._gaps():
                if before.get(known.transaction_id) != known.gaps:
                    continue  # they are coming
                try:
                    status = await self._status(known)
                except StationOfflineError:
                    return
                if status is None or not status[1] or askings >= MOST_ASKINGS:
                    self._give_up(known)

    async def _status(self, known: KnownTransaction) -> tuple[bool | None, bool] | None:
        """Return whether a transaction goes on (None: not told) and whether messages of it wait; None where nothing is told (E14)."""
        if not known.can_be_named:
            return None
        try:
            answer = await self._link.ready_calls.ask("GetTransactionStatus", {"transactionId": known.transaction_id})
        except StationOfflineError:
            raise
        except (StationError, CallError) as error:
            _LOGGER.debug("%s does not tell how a transaction stands: %s", self._link.identity, error)
            return None
        ongoing = answer.get("ongoingIndicator")
        return (ongoing if isinstance(ongoing, bool) else None), answer.get("messagesInQueue") is True

    def _give_up(self, known: KnownTransaction) -> None:
        lost = tuple(known.gaps)
        known.given_up += lost
        del known.given_up[:-64]
        self._link.memory.changed()
        _LOGGER.info("%s lost events of transaction %r: %s", self._link.identity, known.transaction_id, lost)
        self._link.emit(EventsLost(transaction_id=known.transaction_id, evse_id=known.evse_id, gaps=lost))

    def _presume_ended(self, known: KnownTransaction) -> None:
        """The station knows no such transaction any more and has nothing to tell of it: its end was lost."""
        known.ended = known.denied = True
        self._link.memory.changed()
        _LOGGER.info("%s has forgotten transaction %r: its end was not told", self._link.identity, known.transaction_id)
        last = known.seen[-1][1] if known.seen else 0
        self._link.emit(
            TransactionEvent(
                phase=TransactionPhase.ENDED,
                transaction_id=known.transaction_id,
                seq_no=last + 1,
                at=known.last_at or self._link.now(),
                offline=True,
                evse_id=known.evse_id,
                connector_id=known.connector_id,
                started_at=known.started_at,
                energy_start_wh=known.energy_start_wh,
                given_anew=known.anew,
                presumed=True,
            )
        )
