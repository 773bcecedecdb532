"""Block K of OCPP 2.0.1: smart charging."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
import logging
from typing import Any, override

from .. import profiles
from ..abilities import Abilities, abilities, fitted, unit_of
from ..composite import ALL_PHASES, NOMINAL_VOLTAGE_V, CompositeSchedule, SchedulePeriod, Situation, Supply, Transaction, composite_schedule
from ..correction import leads_over
from ..dialect import Dialect, Handle
from ..errors import CallError, CallRejectedError
from ..fields import optional_moment, optional_number, optional_record, optional_text, optional_whole, records, written
from ..frames import Payload
from ..inventory import evse_phases, is_direct
from ..learnt import Learnt
from ..prediction import CompositeCheck, check_composite, raised_at, situation
from ..profile_rules import problems
from ..profiles import Ours, Placed, Role, Wording
from ..quirks import known_of
from ..reconciliation import Installed, installed
from ..transactions import LONGEST_ID
from .link import SCHEMAS, Block, Handler, Link
from .negotiation import SOURCES, Negotiation

_LOGGER = logging.getLogger(__name__)

NO_SMART_CHARGING = frozenset({"NotImplemented", "NotSupported"})


class SmartCharging(Block):
    """Limits as charging profiles, and what the station says of them. Times are corrected to the station's clock."""

    def __init__(self, link: Link) -> None:
        """Take the connection; nothing is sent."""
        super().__init__(link)
        self._on_its_way: list[Placed] = []
        """What was sent and not answered yet."""
        self._negotiation = Negotiation(link, install=self._install, on_its_way=self._on_its_way, situation=self._situation)
        self._surveyed = False
        """Whether what it holds was read on this connection; before, what others left on it since is not known."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"ReportChargingProfiles": self._on_profiles, **self._negotiation.requests()}

    @property
    def clock_offset_s(self) -> float:
        """The station's clock minus ours, at most (StationClock)."""
        return self._link.clock.offset_s

    @property
    def learnt(self) -> Learnt:
        """What was learnt of it; whoever changes it calls `learnt_changed`."""
        return self._link.memory.learnt

    def learnt_changed(self) -> None:
        """Have what was learnt kept."""
        self._link.memory.changed()

    @property
    def dialect(self) -> Dialect:
        """How it is told its limits now: as learnt, else as its quirks say, in either case no more than it takes."""
        known, memory = known_of(self._link.memory.info), self._link.memory
        return fitted(memory.learnt.dialect or known.dialect, self._can)

    @property
    def _can(self) -> Abilities:
        return abilities(self._link.inventory, known_of(self._link.memory.info).habits)

    def _words(self, evse_id: int, phases: int | None) -> Wording:
        inventory, draw, dialect = self._link.inventory, self._link.memory.draw(evse_id), self.dialect
        direct = is_direct(inventory, evse_id)
        unit = unit_of(dialect, self._can)
        if direct and dialect.unit is None and "W" in inventory.smart_charging.rate_units:
            unit = "W"  # what a DC EVSE gives is reckoned in watts
        rated = profiles.rate(
            unit,
            phases=phases,
            voltage_v=draw.voltage_v,
            direct=direct,
            decimals=dialect.decimals,
            phases_sent=dialect.phases_sent,
        )
        return Wording(dialect=dialect, rate=rated, now=self._link.by_its_clock(self._link.now()))

    def _station_words(self) -> Wording:
        supplied = {evse_phases(self._link.inventory, evse_id) for evse_id in self._link.inventory.evse_connectors}
        return self._words(0, 1 if supplied == {1} else 3)

    def _fallback_words(self, evse_id: int) -> Wording:
        # For whatever car comes.
        return self._words(evse_id, 1 if evse_phases(self._link.inventory, evse_id) == 1 else None)

    def _lease_words(self, evse_id: int) -> Wording:
        return self._words(evse_id, 1 if evse_phases(self._link.inventory, evse_id) == 1 else self._link.memory.draw(evse_id).phases)

    async def install_station_limit(self, limit_a: float) -> bool:
        """Install the ceiling of the whole station (K01), overwriting the last one; False where its dialect has no place for one."""
        words = self._station_words()
        if not words.dialect.tells_station_limit:
            return False
        await self._install(profiles.station_limit(limit_a, words))
        return True

    async def install_fallback(self, evse_id: int, limit_a: float) -> None:
        """Install what holds on an EVSE without a lease (K01), for whatever car comes, overwriting the last one."""
        await self._install(profiles.fallback(evse_id, limit_a, self._fallback_words(evse_id)))

    async def install_lease(
        self, evse_id: int, transaction_id: str, limit_a: float, valid_to: datetime, *, fallback_a: float | None = None
    ) -> None:
        """Limit a transaction until `valid_to` by our clock (K01), overwriting the last one."""
        if len(transaction_id) > LONGEST_ID and self.dialect.handle is Handle.TRANSACTION:
            raise CallRejectedError("SetChargingProfile", "Rejected", "the transaction's id is too long for OCPP")
        ends = self._link.by_its_clock(valid_to)
        placed = profiles.lease(evse_id, transaction_id, limit_a, ends, self._lease_words(evse_id), fallback_a=fallback_a)
        await self._install(placed)

    async def withdraw(self, evse_id: int, handle: Handle, *, fallback: bool = False) -> None:
        """Clear the lease of an EVSE that was told by a handle, or its fallback (K10); nothing there is no error.

        What took the same place since (the station's ceiling, a fallback in another dialect) stays.
        """
        profile_id = profiles.lease_id(evse_id, handle)
        if fallback:
            _, profile_id, _ = profiles.fallback_place(evse_id, handle)
            held = self._link.memory.told.get(profile_id)
            if held is not None and profiles.ours(held) != Ours(Role.FALLBACK, evse_id):
                return
        await self.clear_charging_profile(profile_id=profile_id)

    async def clear_leases(self, evse_id: int) -> None:
        """Take the leases of an EVSE away (K10)."""
        if (handle := self.dialect.handle) is not Handle.TRANSACTION:
            await self.withdraw(evse_id, handle)
            return
        await self.clear_charging_profile(evse_id=evse_id, purpose=profiles.LEASE)

    async def survey(self) -> Installed:
        """Return what the station holds (K09), each of ours set beside what would be sent now."""
        found = await self.get_charging_profiles()
        placed = [_placed(profile) for profile in found]
        self._link.memory.told = {profile_id: one for one in placed if (profile_id := one.profile_id) is not None}
        self._surveyed = True
        words = {0: self._station_words()}
        for evse_id in self._link.inventory.evse_connectors:
            words[evse_id] = self._fallback_words(evse_id)
        leases = {evse_id: self._lease_words(evse_id) for evse_id in self._link.inventory.evse_connectors}
        return installed(placed, words, leases, clock_offset_s=self.clock_offset_s)

    def remote_start_profile(self, evse_id: int, limit_a: float, valid_to: datetime | None) -> Payload | None:
        """Return the first lease, which goes with a remote start (K05): a TxProfile without a transaction. None: it is told otherwise."""
        words = self._lease_words(evse_id)
        if words.dialect.handle is not Handle.TRANSACTION:
            return None
        ends = None if valid_to is None else self._link.by_its_clock(valid_to)
        return profiles.lease(evse_id, None, limit_a, ends, words).profile

    async def set_charging_profile(self, evse_id: int, profile: Mapping[str, Any]) -> None:
        """Send a profile of the caller's own that restricts.

        Raises ValueError where it breaks its schema or a rule of block K, is one of ours by its id, or raises what is installed; and
        StationError where the station does not say what is: what it does not report is not known to restrict anything.
        """
        inventory, placed = self._link.inventory, Placed(evse_id, profile)
        running = {one.evse_id: one.transaction_id for one in self._link.memory.transactions.running() if one.evse_id is not None}
        needs = self._link.memory.needs.get(evse_id)
        broken = partial(
            problems,
            evse_id,
            profile,
            inventory.smart_charging,
            transactions=running,
            direct=is_direct(inventory, evse_id),
            after_needs=needs is not None and needs.transaction_id == running.get(evse_id),
        )
        if found := broken():
            raise ValueError("; ".join(found))
        SCHEMAS.check_request("SetChargingProfile", {"evseId": evse_id, "chargingProfile": profile})
        if profiles.ours(placed) is not None:
            raise ValueError("a profile of this id and purpose is the house's own")
        if not self._surveyed:
            await self.survey()  # what it would stand beside
        held = list(self._link.memory.told.values())
        if found := broken(held=held, entries_most=self._entries_most):
            raise ValueError("; ".join(found))
        before = self._situation(held)
        after = self._situation([*(one for one in held if one.profile_id != placed.profile_id), placed])
        if (at := raised_at(before, after, self._link.by_its_clock(self._link.now()))) is not None:
            raise ValueError(f"it would allow more than the house does, at {written(at)}")
        await self._install(placed)

    @property
    def _entries_most(self) -> int | None:
        """How many profiles it keeps, where it says so."""
        entries = self._link.inventory.device.get("SmartChargingCtrlr.Entries[ChargingProfiles]")
        most = None if entries is None or entries.characteristics is None else entries.characteristics.max_limit
        return None if most is None else int(most)

    def _situation(self, held: Sequence[Placed]) -> Situation:
        memory, inventory = self._link.memory, self._link.inventory
        running = {
            evse_id: Transaction(transaction_id=one.transaction_id, started_at=one.started_at or self._link.by_its_clock(self._link.now()))
            for evse_id in inventory.evse_connectors
            if (one := memory.transactions.running_on(evse_id)) is not None
        }
        supplies = {evse_id: Supply(phases=evse_phases(inventory, evse_id) or ALL_PHASES) for evse_id in inventory.evse_connectors}
        voltage_v = min((memory.draw(evse_id).voltage_v for evse_id in supplies), default=NOMINAL_VOLTAGE_V)
        return situation(held, running, supplies, voltage_v)

    async def check_composite(self, evse_id: int, duration_s: int, unit: str | None = None) -> CompositeCheck:
        """Return GetCompositeSchedule's answer beside what the profiles it holds should come to (K08)."""
        told = await self.get_composite_schedule(evse_id, duration_s, unit)
        start = told.start or self._link.by_its_clock(self._link.now())
        held = self._situation(list(self._link.memory.told.values()))
        return check_composite(told, composite_schedule(held, evse_id, start, told.duration_s, told.unit))

    async def _install(self, placed: Placed) -> None:
        payload = {"evseId": placed.evse_id, "chargingProfile": placed.profile}
        self._on_its_way.append(placed)
        try:
            await self._link.ready_calls.command("SetChargingProfile", payload)
        except CallError as error:
            if error.code in NO_SMART_CHARGING and self._link.inventory.smart_charging.available:
                _LOGGER.warning("%s has no smart charging: it answered %s", self._link.identity, error.code)
                self._link.memory.inventory = replace(
                    self._link.inventory, smart_charging=replace(self._link.inventory.smart_charging, available=False)
                )
                self._link.inventory_changed()
            raise
        finally:
            self._on_its_way.remove(placed)
        if (profile_id := placed.profile_id) is not None:
            self._link.memory.told[profile_id] = placed
        if profiles.ours(placed) is not None:
            await self._clear_what_leads_over(placed)

    async def _clear_what_leads_over(self, placed: Placed) -> None:
        """Take away what a person set and what now allows more than a new limit of ours: a restriction must not become a loophole."""
        for other in list(self._link.memory.told.values()):
            if other.source != "CSO" or profiles.ours(other) is not None or (profile_id := other.profile_id) is None:
                continue
            if leads_over(other, placed):
                try:
                    await self.clear_charging_profile(profile_id=profile_id)
                except CallRejectedError as error:
                    _LOGGER.warning("%s keeps profile %d, which leads over a limit: %s", self._link.identity, profile_id, error)

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

    async def get_charging_profiles(self, evse_id: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the installed profiles (K09), each with its "evseId" and "chargingLimitSource".

        Raises CallTimeoutError where the station promises a report and sends none: that is not the same as no profiles.
        """
        with self._link.reports.expect() as report:
            payload = {"requestId": report.request_id, "chargingProfile": {"chargingLimitSource": list(SOURCES)}} | (
                {} if evse_id is None else {"evseId": evse_id}
            )
            response = await self._link.ready_calls.command("GetChargingProfiles", payload, ("Accepted", "NoProfiles"))
            if response["status"] == "NoProfiles":
                return []
            items = await report.promised("GetChargingProfiles")
        return [dict(item) for item in items]

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
        self._link.reports.add(payload, found)
        return {}


def _placed(reported: Payload) -> Placed:
    profile = {key: value for key, value in reported.items() if key not in ("evseId", "chargingLimitSource")}
    return Placed(optional_whole(reported, "evseId") or 0, profile, optional_text(reported, "chargingLimitSource") or "CSO")
