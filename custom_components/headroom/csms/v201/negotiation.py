"""Block K of OCPP 2.0.1, as stations begin it: limits of others (K11 to K14), and what an EV needs and plans (K15 to K17)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
import logging
from typing import override

from .. import background, profiles, schedules
from ..composite import Situation, schedule_of
from ..dialect import Handle
from ..errors import StationError
from ..events import ChargingLimit, Noticed
from ..fields import optional_moment, optional_whole, record, records, text, unknown_value, whole
from ..frames import Payload
from ..needs import read_needs
from ..prediction import exceeded_at
from ..profiles import Placed
from .link import Block, Handler, Link

_LOGGER = logging.getLogger(__name__)

SOURCES = ("EMS", "Other", "SO", "CSO")
SCHEDULE_TOLERANCE_A = 0.5
"""How far an EV's own schedule may lie above its lease before it is sent back."""


class Negotiation(Block):
    """Takes in limits that are not ours, and has an EV plan by its lease."""

    def __init__(
        self,
        link: Link,
        *,
        install: Callable[[Placed], Awaitable[None]],
        on_its_way: Mapping[object, Placed],
        situation: Callable[[Sequence[Placed]], Situation],
    ) -> None:
        """`install` sends a profile, `on_its_way` are those not answered yet, `situation` is what some come to at this station now."""
        super().__init__(link)
        self._install = install
        self._on_its_way = on_its_way
        self._situation = situation
        self._offers: set[asyncio.Task[None]] = set()

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {
            "ClearedChargingLimit": self._on_cleared_charging_limit,
            "NotifyChargingLimit": self._on_charging_limit,
            "NotifyEVChargingNeeds": self._on_charging_needs,
            "NotifyEVChargingSchedule": self._on_charging_schedule,
        }

    async def _on_charging_limit(self, payload: Payload) -> Payload:
        evse_id = optional_whole(payload, "evseId")
        limit = record(payload, "chargingLimit")
        source = _source(text(limit, "chargingLimitSource"))
        told, voltage_v = records(payload, "chargingSchedule"), self._link.voltage_v(evse_id or 0)
        ahead = schedules.limits_over_time(told, self._link.by_its_clock(self._link.now()), voltage_v)
        behind = timedelta(seconds=self._link.clock_offset_s)
        self._link.emit(
            ChargingLimit(
                source=source,
                evse_id=evse_id,
                limit_a=ahead[0][1],
                schedule=tuple((at - behind, limit_a) for at, limit_a in ahead) if told else (),
                is_grid_critical=limit.get("isGridCritical") is True,
            )
        )
        return {}

    async def _on_cleared_charging_limit(self, payload: Payload) -> Payload:
        source = _source(text(payload, "chargingLimitSource"))
        self._link.emit(ChargingLimit(source=source, evse_id=optional_whole(payload, "evseId"), cleared=True))
        return {}

    async def _on_charging_needs(self, payload: Payload) -> Payload:
        evse_id = whole(payload, "evseId")
        record(payload, "chargingNeeds")
        running = self._link.memory.transactions.running_on(evse_id)
        if running is None or not self._link.inventory.smart_charging.available:
            return {"status": "Rejected"}  # no TxProfile can follow (K15.FR.02)
        if (needs := read_needs(payload, evse_id, running.transaction_id)) is None:
            raise unknown_value("requestedEnergyTransfer")
        self._link.memory.needs[evse_id] = needs
        self._link.emit(needs)
        if not self._link.ready:
            return {"status": "Processing"}
        self._offer(evse_id)
        return {"status": "Accepted"}

    async def _on_charging_schedule(self, payload: Payload) -> Payload:
        evse_id = whole(payload, "evseId")
        plan = schedule_of(record(payload, "chargingSchedule"))
        base = plan.start or optional_moment(payload, "timeBase") or self._link.by_its_clock(self._link.now())
        self._link.emit(Noticed(action="NotifyEVChargingSchedule", payload=payload))
        lease = self._told_lease(evse_id)
        if lease is None:
            return {"status": "Accepted"}
        # Compared for as long as the lease lasts; what comes after is the next one's business.
        now = self._link.by_its_clock(self._link.now())
        ends = optional_moment(lease.profile, "validTo") or now + timedelta(days=1)
        held = self._situation(list(self._link.memory.told.values()))
        if exceeded_at(held, evse_id, replace(plan, start=base), now, ends, tolerance_a=SCHEDULE_TOLERANCE_A) is None:
            return {"status": "Accepted"}
        self._offer(evse_id)  # K17: negotiate anew
        return {"status": "Rejected"}

    def _told_lease(self, evse_id: int) -> Placed | None:
        """Return the TxProfile of ours that the transaction on an EVSE has."""
        running = self._link.memory.transactions.running_on(evse_id)
        lease = self._link.memory.told.get(profiles.lease_id(evse_id, Handle.TRANSACTION))
        if running is None or lease is None or lease.profile.get("transactionId") != running.transaction_id:
            return None
        return lease

    def _offer(self, evse_id: int) -> None:
        """Send the TxProfile of an EVSE's transaction (once more): what an EV plans by is what came after its needs (K15.FR.07).

        It has one schedule, however many the EV would take (maxScheduleTuples): the lease is all that the site gives this car now, so
        an alternative could only give less. An EV chooses among schedules by price, and what the site gives has none here. When the
        limit changes, the next lease replaces it, and the station negotiates anew with its EV (K17).
        """
        task = background.begin(self._offered(evse_id), f"Offering {self._link.identity} a profile")
        self._offers.add(task)
        task.add_done_callback(self._offers.discard)

    async def _offered(self, evse_id: int) -> None:
        # Looked up as it is sent: behind a lease that is on its way, the one before it would undo a cut.
        if (lease := self._told_lease(evse_id)) is None or not self._link.ready:
            return  # the site's next lease is the first
        if any(one.profile_id == lease.profile_id for one in self._on_its_way.values()):
            return  # that one is what comes after its needs
        try:
            await self._install(lease)
        except StationError as error:
            _LOGGER.info("%s does not take the profile its EV waits for: %s", self._link.identity, error)


def _source(source: str) -> str:
    """Return one of OCPP's sources of a limit: each has one limit at a time, and there are no others."""
    return source if source in SOURCES else "Other"
