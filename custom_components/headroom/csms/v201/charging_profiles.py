"""The messages of block K of OCPP 2.0.1 that the house begins, and what the station holds by them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
import logging
from typing import Any, override

from .. import profiles
from ..composite import ALL_PHASES, NOMINAL_VOLTAGE_V, CompositeSchedule, SchedulePeriod, Situation, Supply, Transaction, composite_schedule
from ..errors import CallError, StationError
from ..fields import optional_moment, optional_number, optional_record, optional_text, optional_whole, records
from ..frames import Payload
from ..inventory import evse_phases
from ..prediction import CompositeCheck, check_composite, situation
from ..profiles import Placed
from .link import Block, Handler, Link, without_none
from .negotiation import SOURCES

_LOGGER = logging.getLogger(__name__)

NO_SMART_CHARGING = frozenset({"NotImplemented", "NotSupported"})


class ChargingProfiles(Block):
    """Charging profiles as they are sent, cleared and reported, and the composite schedules they come to."""

    def __init__(self, link: Link) -> None:
        """Take the connection; nothing is sent."""
        super().__init__(link)
        self._on_its_way: dict[object, Placed] = {}
        """What was sent and not answered yet, whether or not anybody still waits for the answer."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"ReportChargingProfiles": self._on_profiles}

    async def get_charging_profiles(self, evse_id: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the installed profiles (K09), each with its "evseId" and "chargingLimitSource".

        Raises CallTimeoutError where the station promises a report and sends none: that is not the same as no profiles.
        """
        with self._link.reports.expect() as report:
            criterion = {"chargingLimitSource": list(SOURCES)}
            payload = without_none({"requestId": report.request_id, "evseId": evse_id, "chargingProfile": criterion})
            response = await self._link.ready_calls.command("GetChargingProfiles", payload, ("Accepted", "NoProfiles"))
            if response["status"] == "NoProfiles":
                return []
            items = await report.promised("GetChargingProfiles")
        return [dict(item) for item in items]

    async def _on_profiles(self, payload: Payload) -> Payload:
        where: dict[str, Any] = {"evseId": optional_whole(payload, "evseId") or 0}
        if source := optional_text(payload, "chargingLimitSource"):
            where["chargingLimitSource"] = source
        found = [dict(profile) | where for profile in records(payload, "chargingProfile")]
        self._link.reports.add(payload, found)
        return {}

    async def _install(self, placed: Placed) -> None:
        payload = {"evseId": placed.evse_id, "chargingProfile": placed.profile}
        sending = object()

        def over(outcome: Payload | StationError | None) -> None:
            self._on_its_way.pop(sending, None)
            accepted = isinstance(outcome, Mapping) and outcome.get("status") == "Accepted"
            if accepted and (profile_id := placed.profile_id) is not None:
                self._link.memory.told = {**self._link.memory.told, profile_id: placed}

        calls = self._link.ready_calls
        self._on_its_way[sending] = placed
        try:
            await calls.command("SetChargingProfile", payload, over=over)
        except CallError as error:
            if error.code in NO_SMART_CHARGING and self._link.inventory.smart_charging.available:
                _LOGGER.warning("%s has no smart charging: it answered %s", self._link.identity, error.code)
                self._link.memory.inventory = replace(
                    self._link.inventory, smart_charging=replace(self._link.inventory.smart_charging, available=False)
                )
                self._link.inventory_changed()
            raise
        except Exception:  # a caller that is cancelled is none: the station may take it all the same
            self._on_its_way.pop(sending, None)
            raise

    async def clear_charging_profile(
        self, *, profile_id: int | None = None, evse_id: int | None = None, purpose: str | None = None, stack_level: int | None = None
    ) -> bool:
        """Clear profiles by id, or by criteria (K10); False where none matched. Raises ValueError without either, or for a foreign purpose."""
        if purpose == profiles.EXTERNAL:
            raise ValueError("K10.FR.06: external constraints are not cleared by a central system")
        payload: dict[str, Any]
        if profile_id is not None:
            payload = {"chargingProfileId": profile_id}
        else:
            criteria = without_none({"evseId": evse_id, "chargingProfilePurpose": purpose, "stackLevel": stack_level})
            if not criteria:
                raise ValueError("name a profile, or what profiles to clear")
            payload = {"chargingProfileCriteria": criteria}
        response = await self._link.ready_calls.command("ClearChargingProfile", payload, ("Accepted", "Unknown"))
        self._forget(profile_id, evse_id, purpose, stack_level)
        return optional_text(response, "status") == "Accepted"

    def _forget(self, profile_id: int | None, evse_id: int | None, purpose: str | None, stack_level: int | None) -> None:
        def matches(one: Placed) -> bool:
            if profile_id is not None:
                return one.profile_id == profile_id
            return (
                evse_id in (None, one.evse_id)
                and purpose in (None, one.purpose)
                and stack_level in (None, one.stack_level)
                and one.purpose != profiles.EXTERNAL
            )

        self._link.memory.told = {held_id: one for held_id, one in self._link.memory.told.items() if not matches(one)}

    def _situation(self, held: Sequence[Placed]) -> Situation:
        memory, inventory = self._link.memory, self._link.inventory
        running = {
            evse_id: Transaction(transaction_id=one.transaction_id, started_at=one.started_at or self._link.by_its_clock(self._link.now()))
            for evse_id in inventory.evse_connectors
            if (one := memory.transactions.running_on(evse_id)) is not None
        }
        supplies = {evse_id: Supply(phases=evse_phases(inventory, evse_id) or ALL_PHASES) for evse_id in inventory.evse_connectors}
        voltage_v = min(map(self._link.voltage_v, supplies), default=NOMINAL_VOLTAGE_V)
        return situation(held, running, supplies, voltage_v)

    async def get_composite_schedule(self, evse_id: int, duration_s: int, unit: str | None = None) -> CompositeSchedule:
        """Return what the station reckons it will allow (K08); without periods where it answered without a schedule."""
        payload = without_none({"evseId": evse_id, "duration": duration_s, "chargingRateUnit": unit})
        response = await self._link.ready_calls.command("GetCompositeSchedule", payload)
        schedule = optional_record(response, "schedule")
        return CompositeSchedule(
            evse_id=evse_id,
            start=optional_moment(schedule, "scheduleStart"),
            duration_s=optional_whole(schedule, "duration") or duration_s,
            unit=optional_text(schedule, "chargingRateUnit") or unit or "A",
            periods=tuple(
                SchedulePeriod(start_s=start_s, limit=limit, phases=optional_whole(period, "numberPhases"))
                for period in records(schedule, "chargingSchedulePeriod")
                if (start_s := optional_number(period, "startPeriod")) is not None
                and (limit := optional_number(period, "limit")) is not None
            ),
        )

    async def check_composite(self, evse_id: int, duration_s: int, unit: str | None = None) -> CompositeCheck:
        """Return GetCompositeSchedule's answer beside what the profiles it holds should come to (K08)."""
        told = await self.get_composite_schedule(evse_id, duration_s, unit)
        start = told.start or self._link.by_its_clock(self._link.now())
        held = self._situation(list(self._link.memory.told.values()))
        return check_composite(told, composite_schedule(held, evse_id, start, told.duration_s, told.unit))
