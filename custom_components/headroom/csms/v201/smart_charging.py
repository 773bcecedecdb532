"""Block K of OCPP 2.0.1: smart charging."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Any, override

from .. import profiles
from ..fields import optional_moment, optional_number, optional_record, optional_text, optional_whole, record, records, text, whole
from ..frames import Payload
from ..inventory import evse_phases, is_direct
from ..station import CallError, CallRejectedError, CallTimeoutError, ChargingLimit, CompositeSchedule, Noticed, SchedulePeriod
from .link import Block, Handler

_LOGGER = logging.getLogger(__name__)

SOURCES = ("EMS", "Other", "SO", "CSO")
NO_SMART_CHARGING = frozenset({"NotImplemented", "NotSupported"})
SCHEDULE_TOLERANCE_A = 0.5
"""How far an EV's own schedule may lie above its lease before it is sent back."""


class SmartCharging(Block):
    """Limits as charging profiles, and what the station says of them. Times are corrected to the station's clock."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {
            "ClearedChargingLimit": self._on_cleared_charging_limit,
            "NotifyChargingLimit": self._on_charging_limit,
            "NotifyEVChargingNeeds": self._on_charging_needs,
            "NotifyEVChargingSchedule": self._on_charging_schedule,
            "ReportChargingProfiles": self._on_profiles,
        }

    @property
    def clock_offset_s(self) -> float:
        """The station's clock minus ours, at most (StationClock)."""
        return self._link.clock.offset_s

    def _station_time(self, ours: datetime) -> datetime:
        return ours + timedelta(seconds=self._link.clock.offset_s)

    def _rate(self, evse_id: int, phases: int | None) -> profiles.Rate:
        draw = self._link.memory.draw(evse_id)
        direct = is_direct(self._link.inventory, evse_id)
        return profiles.rate(self._link.inventory.smart_charging, phases=phases, voltage_v=draw.voltage_v, direct=direct)

    async def install_station_limit(self, limit_a: float) -> None:
        """Install the ceiling of the whole station (K01), overwriting the last one."""
        supplied = {evse_phases(self._link.inventory, evse_id) for evse_id in self._link.inventory.evse_connectors}
        rated = self._rate(0, 1 if supplied == {1} else 3)
        await self._install(0, profiles.station_limit(limit_a, rated, self._station_time(self._link.now())))

    async def install_fallback(self, evse_id: int, limit_a: float) -> None:
        """Install what holds on an EVSE without a lease (K01), for whatever car comes, overwriting the last one."""
        rated = self._rate(evse_id, 1 if evse_phases(self._link.inventory, evse_id) == 1 else None)
        await self._install(evse_id, profiles.fallback(evse_id, limit_a, rated, self._station_time(self._link.now())))

    async def install_lease(self, evse_id: int, transaction_id: str, limit_a: float, valid_to: datetime) -> None:
        """Limit a transaction until `valid_to` by our clock (K01), overwriting the last one."""
        rated = self._rate(evse_id, 1 if evse_phases(self._link.inventory, evse_id) == 1 else self._link.memory.draw(evse_id).phases)
        ends = self._station_time(valid_to)
        await self._install(evse_id, profiles.lease(evse_id, transaction_id, limit_a, ends, rated, self._station_time(self._link.now())))
        self._link.memory.leases_a[evse_id] = limit_a

    async def clear_leases(self, evse_id: int) -> None:
        """Take the leases of an EVSE away (K10)."""
        await self.clear_charging_profile(evse_id=evse_id, purpose=profiles.LEASE)
        self._link.memory.leases_a.pop(evse_id, None)

    async def set_charging_profile(self, evse_id: int, profile: Mapping[str, Any]) -> None:
        """Send a profile of the caller's own. Raises ValueError where it breaks its schema or a rule of block K."""
        if found := profiles.problems(evse_id, profile, self._link.inventory.smart_charging):
            raise ValueError("; ".join(found))
        await self._install(evse_id, profile)

    async def _install(self, evse_id: int, profile: Mapping[str, Any]) -> None:
        try:
            await self._link.ready_calls.command("SetChargingProfile", {"evseId": evse_id, "chargingProfile": profile})
        except CallError as error:
            if error.code in NO_SMART_CHARGING and self._link.inventory.smart_charging.available:
                _LOGGER.warning("%s has no smart charging: it answered %s", self._link.identity, error.code)
                self._link.memory.inventory = replace(
                    self._link.inventory, smart_charging=replace(self._link.inventory.smart_charging, available=False)
                )
                self._link.inventory_changed()
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
            criteria = {"evseId": evse_id, "chargingProfilePurpose": purpose, "stackLevel": stack_level}
            payload = {"chargingProfileCriteria": {key: value for key, value in criteria.items() if value is not None}}
            if not payload["chargingProfileCriteria"]:
                raise ValueError("name a profile, or what profiles to clear")
        response = await self._link.ready_calls.command("ClearChargingProfile", payload, ("Accepted", "Unknown"))
        return optional_text(response, "status") == "Accepted"

    async def get_charging_profiles(self, evse_id: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the installed profiles (K09), each with its "evseId" and "chargingLimitSource".

        Raises CallTimeoutError where the station promises a report and sends none: that is not the same as no profiles.
        """
        return await self._installed(evse_id, SOURCES)

    async def _installed(self, evse_id: int | None, sources: Sequence[str]) -> list[Mapping[str, Any]]:
        with self._link.reports.expect() as report:
            payload = {"requestId": report.request_id, "chargingProfile": {"chargingLimitSource": list(sources)}} | (
                {} if evse_id is None else {"evseId": evse_id}
            )
            response = await self._link.ready_calls.command("GetChargingProfiles", payload, ("Accepted", "NoProfiles"))
            if response["status"] == "NoProfiles":
                return []
            items, any_page = await report.collect(idle_s=self._link.report_idle_s, total_s=6 * self._link.report_idle_s)
        if not any_page:
            raise CallTimeoutError("GetChargingProfiles: accepted, but nothing was reported")
        return [dict(item) for item in items]

    async def clear_foreign_profiles(self) -> int:
        """Clear the profiles some other central system left behind; returns how many went."""
        count = 0
        for profile in await self._installed(None, ("CSO",)):
            profile_id = optional_whole(profile, "id")
            purpose = optional_text(profile, "chargingProfilePurpose")
            if profile_id is None or purpose == profiles.EXTERNAL or profiles.is_ours(profile):
                continue
            try:
                count += await self.clear_charging_profile(profile_id=profile_id)
            except CallRejectedError as error:
                _LOGGER.warning("%s keeps the foreign profile %d: %s", self._link.identity, profile_id, error)
        return count

    async def get_composite_schedule(self, evse_id: int, duration_s: int, unit: str | None = None) -> CompositeSchedule:
        """Return what the station reckons it will allow (K08); without periods where it answered without a schedule."""
        payload: dict[str, Any] = {"evseId": evse_id, "duration": duration_s}
        if unit is not None:
            payload["chargingRateUnit"] = unit
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

    async def _on_profiles(self, payload: Payload) -> Payload:
        where: dict[str, Any] = {"evseId": optional_whole(payload, "evseId") or 0}
        if source := optional_text(payload, "chargingLimitSource"):
            where["chargingLimitSource"] = source
        found = [dict(profile) | where for profile in records(payload, "chargingProfile")]
        self._link.reports.add(whole(payload, "requestId"), found, more=payload.get("tbc") is True)
        return {}

    async def _on_charging_limit(self, payload: Payload) -> Payload:
        evse_id = optional_whole(payload, "evseId")
        source = text(record(payload, "chargingLimit"), "chargingLimitSource")
        limit_a = profiles.limit_now_a(
            records(payload, "chargingSchedule"), self._link.now(), self._link.memory.draw(evse_id or 0).voltage_v
        )
        self._link.emit(ChargingLimit(source=source, evse_id=evse_id, limit_a=limit_a))
        return {}

    async def _on_cleared_charging_limit(self, payload: Payload) -> Payload:
        source = text(payload, "chargingLimitSource")
        self._link.emit(ChargingLimit(source=source, evse_id=optional_whole(payload, "evseId"), cleared=True))
        return {}

    async def _on_charging_needs(self, payload: Payload) -> Payload:
        evse_id = whole(payload, "evseId")
        record(payload, "chargingNeeds")
        if self._link.memory.transactions.running_on(evse_id) is None or not self._link.inventory.smart_charging.available:
            return {"status": "Rejected"}  # no TxProfile can follow (K15.FR.02)
        self._link.emit(Noticed(action="NotifyEVChargingNeeds", payload=payload))
        return {"status": "Accepted" if self._link.ready else "Processing"}

    async def _on_charging_schedule(self, payload: Payload) -> Payload:
        evse_id = whole(payload, "evseId")
        wanted_a = profiles.most_a(record(payload, "chargingSchedule"), self._link.memory.draw(evse_id).voltage_v)
        lease_a = self._link.memory.leases_a.get(evse_id)
        self._link.emit(Noticed(action="NotifyEVChargingSchedule", payload=payload))
        too_much = wanted_a is not None and lease_a is not None and wanted_a > lease_a + SCHEDULE_TOLERANCE_A
        return {"status": "Rejected" if too_much else "Accepted"}
