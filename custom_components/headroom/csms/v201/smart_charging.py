"""Block K of OCPP 2.0.1: smart charging. The house's limits as charging profiles, in the dialect of the station."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
import math
from typing import Any, override

from .. import profiles
from ..correction import Drop, Put, Step, about_others, corrections, leads_over, most_a
from ..dialect import Dialect, Handle
from ..errors import CallError, CallRejectedError, ProfileRefusedError
from ..fields import optional_text, optional_whole
from ..frames import Payload
from ..inventory import is_direct
from ..learnt import Learnt
from ..profile_guard import raising, restricting
from ..profile_rules import problems
from ..profiles import Ours, Placed, Role, Wording
from ..reconciliation import Installed, installed
from ..transactions import LONGEST_ID
from .charging_profiles import ChargingProfiles
from .link import SCHEMAS, Handler, Link
from .negotiation import Negotiation
from .words import Words


class SmartCharging(ChargingProfiles):
    """Limits as charging profiles, and what the station says of them. Times are corrected to the station's clock."""

    def __init__(self, link: Link) -> None:
        """Take the connection; nothing is sent."""
        super().__init__(link)
        self._words = Words(link)
        self._negotiation = Negotiation(link, install=self._install, on_its_way=self._on_its_way, situation=self._situation)
        self._surveyed = False
        """Whether what it holds was read on this connection; before, what others left on it since is not known."""
        self._sifted: Mapping[int, Placed] = {}
        """What was told when `others` were last picked out of it: every turn asks for them, and they seldom change."""
        self._others: Sequence[Placed] = ()

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {**super().requests(), **self._negotiation.requests()}

    @property
    def clock_offset_s(self) -> float:
        """The station's clock minus ours, at most (StationClock)."""
        return self._link.clock_offset_s

    @property
    def clock_sure(self) -> bool:
        """Whether that is settled (StationClock)."""
        return self._link.clock_sure

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
        return self._words.dialect

    async def install_station_limit(self, limit_a: float) -> bool:
        """Install the ceiling of the whole station (K01), overwriting the last one; False where its dialect has no place for one."""
        words = self._words.station()
        if not words.dialect.tells_station_limit:
            return False
        await self._install(profiles.station_limit(limit_a, words))
        return True

    async def install_fallback(self, evse_id: int, limit_a: float, *, one_phase: bool = False) -> None:
        """Install what holds on an EVSE without a lease (K01), for whatever car comes, overwriting the last one."""
        words = self._words.one_phase(evse_id) if one_phase else self._words.fallback(evse_id)
        await self._install(profiles.fallback(evse_id, limit_a, words))

    async def install_lease(
        self,
        evse_id: int,
        transaction_id: str,
        limit_a: float,
        valid_to: datetime,
        *,
        fallback_a: float | None = None,
        one_phase: bool = False,
    ) -> None:
        """Limit a transaction until `valid_to` by our clock (K01), overwriting the last one."""
        if len(transaction_id) > LONGEST_ID and self.dialect.handle is Handle.TRANSACTION:
            raise CallRejectedError("SetChargingProfile", "Rejected", "the transaction's id is too long for OCPP")
        ends = self._link.by_its_clock(valid_to)
        words = self._words.one_phase(evse_id) if one_phase else self._words.lease(evse_id)
        await self._install(profiles.lease(evse_id, transaction_id, limit_a, ends, words, fallback_a=fallback_a))

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
        """Take the lease of an EVSE away (K10), by its id: a TxProfile beside it is a person's and stays."""
        await self.withdraw(evse_id, self.dialect.handle)

    async def survey(self) -> Installed:
        """Return what the station holds (K09), each of ours set beside what would be sent now."""
        before = dict(self._link.memory.told)
        found = await self.get_charging_profiles()
        placed = [_placed(profile) for profile in found]
        reported = {profile_id: one for one in placed if (profile_id := one.profile_id) is not None}
        # What it took or let go of since it was asked, the report may not show.
        known = self._link.memory.told
        taken = {profile_id: one for profile_id, one in known.items() if before.get(profile_id) is not one}
        gone = before.keys() - known.keys()
        self._link.memory.told = {profile_id: one for profile_id, one in (reported | taken).items() if profile_id not in gone}
        self._surveyed = True
        self._link.memory.others.surveyed(self._link.memory.told)
        words = {0: self._words.station()}
        for evse_id in self._link.inventory.evse_connectors:
            words[evse_id] = self._words.fallback(evse_id)
        leases = {evse_id: self._words.lease(evse_id) for evse_id in self._link.inventory.evse_connectors}
        one_phase = {evse_id: self._words.one_phase(evse_id) for evse_id in self._link.inventory.evse_connectors}
        return installed(placed, words, leases, one_phase, clock_offset_s=self.clock_offset_s)

    def remote_start_profile(self, evse_id: int, limit_a: float, valid_to: datetime | None, fallback_a: float | None) -> Placed | None:
        """Return the first lease, which goes with a remote start (K05): a TxProfile without a transaction. None: it is told otherwise."""
        words = self._words.lease(evse_id)
        if words.dialect.handle is not Handle.TRANSACTION or not self.learnt.starts_with_limit:
            return None
        ends = None if valid_to is None else self._link.by_its_clock(valid_to)
        return profiles.lease(evse_id, None, limit_a, ends, words, fallback_a=fallback_a)

    async def set_charging_profile(self, evse_id: int, profile: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a profile of the caller's own that restricts; returns it as sent, on a free level where it names none.

        Raises ValueError where it breaks its schema, a rule of block K or raises what is installed (ProfileRefusedError), or is one of
        ours by its id; and StationError where the station does not say what is installed: what it does not report is not known to
        restrict anything.
        """
        inventory = self._link.inventory
        running = {one.evse_id: one.transaction_id for one in self._link.memory.transactions.running() if one.evse_id is not None}
        needs = self._link.memory.needs.get(evse_id)
        broken = partial(
            problems,
            evse_id,
            smart_charging=inventory.smart_charging,
            transactions=running,
            direct=is_direct(inventory, evse_id),
            after_needs=needs is not None and needs.transaction_id == running.get(evse_id),
        )
        levelled = {"stackLevel": 0, **profile}
        if found := broken(levelled):
            raise ProfileRefusedError(found)
        SCHEMAS.check_request("SetChargingProfile", {"evseId": evse_id, "chargingProfile": levelled})
        if profiles.ours(Placed(evse_id, levelled)) is not None:
            raise ValueError("a profile of this id and purpose is the house's own")
        if not self._surveyed:
            await self.survey()  # what it would stand beside
        held = list(self._link.memory.told.values())
        placed = restricting(
            Placed(evse_id, profile),
            held,
            rules=partial(broken, held=held, entries_most=self._entries_most),
            situation=self._situation,
            now=self._link.by_its_clock(self._link.now()),
            stack_level_most=self._words.can.stack_level_most,
        )
        # Known as a person's before it is answered: whoever looks right then would take it for another system's.
        self.recognise({placed.profile_id or 0})
        if placed not in held:
            try:
                await self._install(placed)
            except CallRejectedError, CallError:
                self._link.memory.others.set_here.discard(placed.profile_id or 0)
                raise
        return placed.profile

    # Others' profiles beside ours.

    @property
    def others(self) -> Sequence[Placed]:
        """What others left on it or a person set, as far as it told on this connection; external constraints are not among it."""
        if not self._surveyed:
            return ()
        if (told := self._link.memory.told) is not self._sifted:
            self._sifted, self._others = told, [one for one in told.values() if one.ours is None and _from_a_csms(one)]
        return self._others

    def recognise(self, profile_ids: Collection[int]) -> None:
        """Take note that these of `others` are a person's, set by us to restrict: they stay unless they would allow more."""
        self._link.memory.others.set_here.update(profile_ids)

    def led_over(self, evse_id: int) -> Mapping[int, float]:
        """Return others' profiles that may let an EVSE draw more than its fallback, by id: up to how many amps; infinite where nobody knows."""
        others = self.others
        fallbacks = [one for one in self._link.memory.told.values() if profiles.ours(one) == Ours(Role.FALLBACK, evse_id)] if others else []
        set_here = self._link.memory.others.set_here
        return {
            profile_id: most_a(one) if profile_id in set_here else math.inf
            for one in others
            if (profile_id := one.profile_id) is not None
            and (
                any(leads_over(one, fallback) for fallback in fallbacks)
                if fallbacks
                else one.purpose in (profiles.FALLBACK, profiles.LEASE) and one.evse_id in (0, evse_id)
            )
        }

    @property
    def kept(self) -> Collection[int]:
        """The ids of others' profiles that it did not let be cleared since it was last asked what it holds."""
        return self._link.memory.others.kept

    def correction(
        self,
        fallbacks: Mapping[int, float],
        leases: Mapping[int, tuple[str, float]],
        station_limit_a: float | None,
        *,
        one_phase: Collection[tuple[Role, int]] = (),
    ) -> Step | None:
        """Return what is to be done next with others' profiles so that ours lead, with no gap and the fewest writes (`correction.py`).

        The arguments are what of ours is about to be written, and which of it for the first terminal alone; what else of ours it holds
        is right as it is. None: there is nothing to be done, or ours has to be written first.
        """
        if not self.others:
            return None
        held = [one for one in self._link.memory.told.values() if _from_a_csms(one)]
        now = self._link.by_its_clock(self._link.now())

        def words(role: Role, evse_id: int) -> Wording:
            if (role, evse_id) in one_phase:
                return self._words.one_phase(evse_id)
            return self._words.lease(evse_id) if role is Role.LEASE else self._words.fallback(evse_id)

        about_to = [
            *(profiles.lease(evse_id, told[0], told[1], None, words(Role.LEASE, evse_id)) for evse_id, told in leases.items()),
            *(profiles.fallback(evse_id, limit_a, words(Role.FALLBACK, evse_id)) for evse_id, limit_a in fallbacks.items()),
            *([] if station_limit_a is None else [profiles.station_limit(station_limit_a, self._words.station())]),
        ]
        wanted = {one.profile_id: one for one in (*(one for one in held if profiles.ours(one) is not None), *about_to)}
        known = self._link.memory.others
        if known.set_here:
            after = [*wanted.values(), *self.others]
            known.raising = set(raising(after, known.set_here, situation=self._situation, now=now))
        return about_others(
            corrections(
                held,
                list(wanted.values()),
                now,
                stack_level_most=self._words.can.stack_level_most,
                entries_most=self._entries_most,
                others=known,
            )
        )

    async def correct(self, step: Step) -> bool:
        """Take a step of `correction`; False where the station knows no such profile, though it told of it: then it is to be surveyed.

        Raises CallRejectedError or CallError where it refuses; the next step is another one then.
        """
        others = self._link.memory.others
        match step:
            case Put(placed):
                try:
                    await self._install(placed)
                except CallRejectedError, CallError:
                    others.immovable.add(placed.profile_id or 0)
                    raise
                return True
            case Drop(profile_id):
                try:
                    cleared = await self.clear_charging_profile(profile_id=profile_id)
                except CallRejectedError, CallError:
                    others.kept.add(profile_id)
                    raise
                if not cleared:
                    others.denied.add(profile_id)
                return cleared

    @property
    def _entries_most(self) -> int | None:
        """How many profiles it keeps, where it says so."""
        entries = self._link.inventory.device.get("SmartChargingCtrlr.Entries[ChargingProfiles]")
        most = None if entries is None or entries.characteristics is None else entries.characteristics.max_limit
        return None if most is None else int(most)


def _from_a_csms(placed: Placed) -> bool:
    return placed.purpose != profiles.EXTERNAL and placed.source == "CSO"


def _placed(reported: Payload) -> Placed:
    profile = {key: value for key, value in reported.items() if key not in ("evseId", "chargingLimitSource")}
    return Placed(optional_whole(reported, "evseId") or 0, profile, optional_text(reported, "chargingLimitSource") or "CSO")
