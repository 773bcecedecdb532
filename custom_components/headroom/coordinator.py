"""Home Assistant around the control loop: the site, its central system, its meter and its records, as long as an entry is loaded."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
import logging
import math
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from .concerns import Concerns
from .configuration import site_config
from .const import CONF_IDENTITY, DOMAIN, SUBENTRY_STATION
from .csms.errors import StationOfflineError
from .csms.events import Noticed, Ready, StationEvent
from .csms.security.events import SecurityEvent, SecurityEventKind
from .csms.server import CentralSystem
from .csms.station import Station
from .firmware import Upgrades
from .ledger.ledger import Ledger
from .ledger.records import LedgerError
from .listening import Listening
from .logs import Logs
from .memories import StationMemories
from .meter_settings import settings_by_measured
from .meters import Meters
from .peak_settings import async_follow_peak, peak_entities
from .security import SiteSecurity
from .site.judging import Judgement
from .site.memory import SiteMemory
from .site.site import Site
from .site.snapshot import SiteSnapshot
from .solver import async_install_solver
from .storage import SiteKeeper, ledger_path

_LOGGER = logging.getLogger(__name__)

OPEN_AGAIN_S = 60.0
"""So often it is tried to open the records where that failed."""
READINGS_SHOWN_EVERY_S = 1.0
"""A fast meter is read four times a second: entities, and what records them, need not follow each of its readings."""

type HeadroomConfigEntry = ConfigEntry[HeadroomCoordinator]


class HeadroomCoordinator(DataUpdateCoordinator[SiteSnapshot]):
    """Pushes a snapshot after every turn of the loop; nothing is polled."""

    config_entry: HeadroomConfigEntry
    site: Site
    central_system: CentralSystem
    _listening: Listening
    _meters: Meters

    def __init__(self, hass: HomeAssistant, entry: HeadroomConfigEntry) -> None:
        """Touch nothing yet."""
        super().__init__(hass, _LOGGER, config_entry=entry, name=f"{DOMAIN} {entry.title}", always_update=True)
        self._keeper = SiteKeeper(hass, entry.entry_id, lambda: self.site.memory().document())
        self._ledger = Ledger(f"sqlite:///{ledger_path(hass, entry.entry_id)}", on_health=self._on_ledger_health)
        self._begun = AsyncExitStack()
        """How to let go of what was begun."""
        self.security = SiteSecurity(hass, entry, lambda identity: self.central_system.stations.get(identity))
        self._followers: dict[str, list[Callable[[StationEvent], None]]] = {}
        self._judgement_followers: list[Callable[[Judgement], None]] = []
        self._memories = StationMemories(hass, entry.entry_id)
        self.concerns = Concerns()
        self.upgrades = Upgrades(hass, entry.entry_id)
        self._shown_at = -math.inf
        self._to_show: asyncio.TimerHandle | None = None
        self.solver: bool | None = None
        """Whether plans are made by a solver, None until that is known."""
        self.logs = Logs(hass, entry.entry_id)
        self._vendor_takers: Counter[str] = Counter()
        """How many take what each station's vendor sends."""

    @override
    async def _async_setup(self) -> None:
        """Recall what was installed, open the records, listen for stations, read the meter and begin to turn."""
        try:
            await self._async_begin()
        except BaseException:
            await self.async_stop()
            raise

    async def _async_begin(self) -> None:
        entry = self.config_entry
        kept = await self._keeper.async_load()
        memories = await self._memories.async_load(self._approved())
        await self.upgrades.async_load()
        await self.hass.async_add_executor_job(self.logs.clear)
        self._begun.push_async_callback(self._close_ledger)
        try:
            await self._ledger.open()
        except LedgerError as error:
            self._on_ledger_health(error)
            opening = entry.async_create_background_task(self.hass, self._async_open_ledger(), f"{DOMAIN} records")
            self._begun.callback(opening.cancel)
        self.central_system = CentralSystem(
            admit=lambda identity: self.site.admit(identity),
            authorize=lambda identity, evse_id, token: self.site.authorize(identity, evse_id, token),
            on_event=self._on_event,
            now=dt_util.utcnow,
            access=self.security.access,
            desk=self.security.desk,
            takes_vendor=lambda identity, vendor_id: self._vendor_takers[identity] > 0,
            memories=memories,
            on_memory=self._memories.async_changed,
        )
        self._memories.follow(self.central_system.memories)
        self.site = Site(
            site_config(entry),
            station=lambda identity: self.central_system.stations.get(identity),
            memory=None if kept is None else SiteMemory.from_document(kept),
            journal=self._ledger,
            on_turn=self._on_turn,
            on_memory=self._keeper.async_changed,
            on_judgement=self._on_judgement,
        )
        self._begun.push_async_callback(self._keeper.async_save)
        self._begun.push_async_callback(self._memories.async_save)
        self._begun.push_async_callback(self.upgrades.async_save)
        self._begun.push_async_callback(self.central_system.stop)
        self._listening = Listening(self.hass, entry, self.security, self.central_system, on_change=self.async_update_listeners)
        self._begun.callback(self._listening.stop)
        await self._listening.async_begin()
        entry.async_on_unload(self.security.async_watch_certificates())
        self._begun.callback(self._show_nothing_more)
        self._begun.push_async_callback(self.site.stop)
        self.site.start()
        entry.async_create_background_task(self.hass, self._async_install_solver(), f"{DOMAIN} solver")
        self._meters = Meters(
            self.hass, entry, on_reading=self.site.update_reading, on_health=self.site.meter_health, on_change=self.site.meter_changed
        )
        self._begun.push_async_callback(self._meters.async_stop)
        self._meters.async_apply(settings_by_measured(entry))
        self._follow_peak()
        self._begun.callback(lambda: self._end_peak())
        entry.async_on_unload(self.hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._on_stop))

    @override
    async def _async_update_data(self) -> SiteSnapshot:
        """Return the newest snapshot; only asked for once, at the start."""
        return self.site.snapshot

    async def _async_install_solver(self) -> None:
        self.solver = await async_install_solver(self.hass)
        self.async_update_listeners()

    def station(self, identity: str) -> Station:
        """Return the open connection to a station; raises StationOfflineError."""
        if (station := self.central_system.stations.get(identity)) is None:
            raise StationOfflineError(f"{identity} is not connected")
        return station

    @callback
    def async_follow_station(self, identity: str, follower: Callable[[StationEvent], None]) -> Callable[[], None]:
        """Call `follower` with all that a station tells, in order, whatever connection it comes by; returns how to end that."""
        followers = self._followers.setdefault(identity, [])
        followers.append(follower)
        return lambda: followers.remove(follower)

    @callback
    def async_take_vendor(self, identity: str, follower: Callable[[StationEvent], None]) -> Callable[[], None]:
        """Follow a station and take the data transfers of its vendor, whichever they are (P02); returns how to end that."""
        end = self.async_follow_station(identity, follower)
        self._vendor_takers[identity] += 1

        @callback
        def let_go() -> None:
            self._vendor_takers[identity] -= 1
            end()

        return let_go

    @callback
    def async_follow_judgements(self, follower: Callable[[Judgement], None]) -> Callable[[], None]:
        """Call `follower` whenever somebody is let charge or refused; returns how to end that."""
        self._judgement_followers.append(follower)
        return lambda: self._judgement_followers.remove(follower)

    def _on_judgement(self, judgement: Judgement) -> None:
        for follower in tuple(self._judgement_followers):
            follower(judgement)

    @callback
    def async_apply(self) -> bool:
        """Take over a changed entry live; False where it listens elsewhere now, which takes a reload."""
        entry = self.config_entry
        if self._listening.moved:
            return False
        self.security.configure()
        self._listening.async_apply()
        known = set(self.site.approved)
        self.site.configure(site_config(entry))
        approved = set(self.site.approved)
        for identity, subentry_id in self._approved().items():
            if identity not in known:
                self._memories.async_add(identity, subentry_id)
        unproven = {identity for identity in approved if self._unproven(identity)}
        for identity in approved - known - unproven:
            entry.async_create_task(self.hass, self.central_system.approve(identity), f"{DOMAIN} approve {identity}")
        for identity in unproven:
            entry.async_create_task(
                self.hass, self.central_system.disconnect(identity, "it has to show who it is"), f"{DOMAIN} disconnect {identity}"
            )
        for identity in known - approved:
            entry.async_create_task(self.hass, self._async_remove(identity), f"{DOMAIN} remove {identity}")
        self._meters.async_apply(settings_by_measured(entry))
        if peak_entities(entry.data) != self._peak_entities:
            self._end_peak()
            self._follow_peak()
        return True

    def _follow_peak(self) -> None:
        data = self.config_entry.data
        self._peak_entities = peak_entities(data)
        self._end_peak = async_follow_peak(self.hass, data, self.site.tell_peak)

    def _unproven(self, identity: str) -> bool:
        """Whether somebody holds a station's connection who has not shown to be the station; that one comes back and does."""
        live, kept = self.central_system.profile(identity), self.security.access.security(identity)
        return live is not None and kept is not None and live < kept.profile

    def _approved(self) -> dict[str, str]:
        """Return the stations' subentries by identity."""
        stations = self.config_entry.get_subentries_of_type(SUBENTRY_STATION)
        return {station.data[CONF_IDENTITY]: station.subentry_id for station in stations}

    async def _async_remove(self, identity: str) -> None:
        await self.site.part(identity)
        if (subentry_id := self._approved().get(identity)) is not None:  # it was added again meanwhile
            await self._memories.async_forget(identity)
            self._memories.async_add(identity, subentry_id)
            return
        await self.central_system.disconnect(identity, "The station was removed")
        if identity not in self.site.approved:
            self.concerns.forget(identity)
            self.upgrades.async_forget(identity)
            self.async_update_listeners()
            self.central_system.forget(identity)
            await self._memories.async_forget(identity)
            await self.hass.async_add_executor_job(self.logs.forget, identity)

    async def async_stop(self) -> None:
        """Let go of everything, the last begun first; what is installed on the stations stays until it lapses."""
        await self._begun.aclose()

    async def _async_open_ledger(self) -> None:
        """Open the records once that can be; what is recorded until then waits in memory."""
        while True:
            await asyncio.sleep(OPEN_AGAIN_S)
            try:
                await self._ledger.open()
            except LedgerError as error:
                self._on_ledger_health(error)
            else:
                self._on_ledger_health(None)
                return

    async def _close_ledger(self) -> None:
        try:
            await self._ledger.close()
        except LedgerError as error:
            _LOGGER.error("The last records are lost: %s", error)
        self._on_ledger_health(None)  # it is told anew where it still can't be written after the next start

    async def _on_stop(self, event: Event) -> None:
        await self.async_stop()

    def _on_event(self, identity: str, event: StationEvent) -> None:
        if isinstance(event, Noticed) and event.action == "SecurityEventNotification":
            told = {key: str(event.payload.get(key, "")) or None for key in ("type", "techInfo")}
            self.security.watch.tell(
                SecurityEvent(kind=SecurityEventKind.STATION_EVENT, identity=identity, detail=told["type"], info=told["techInfo"])
            )
        if isinstance(event, Ready):
            self.security.async_renew(identity)
        self.site.handle(identity, event)
        concerned, upgraded = self.concerns.take(identity, event), self.upgrades.async_take(identity, event)
        if concerned or upgraded:
            self.async_update_listeners()
        for follower in tuple(self._followers.get(identity, ())):
            follower(event)

    def _on_turn(self, trigger: str) -> None:
        """Show what a turn came to: at once, but after no more than a reading within a second of the one before."""
        if self._to_show is not None:
            self._to_show.cancel()
            self._to_show = None
        waits_s = self._shown_at + READINGS_SHOWN_EVERY_S - self.hass.loop.time()
        if trigger == "reading" and waits_s > 0:
            self._to_show = self.hass.loop.call_later(waits_s, self._show)
        else:
            self._show()

    def _show(self) -> None:
        self._to_show, self._shown_at = None, self.hass.loop.time()
        self.async_set_updated_data(self.site.snapshot)

    def _show_nothing_more(self) -> None:
        if self._to_show is not None:
            self._to_show.cancel()

    def _on_ledger_health(self, error: LedgerError | None) -> None:
        issue_id = f"ledger_{self.config_entry.entry_id}"
        if error is None:
            ir.async_delete_issue(self.hass, DOMAIN, issue_id)
            return
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            issue_id,
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key="ledger_failed",
            translation_placeholders={"error": str(error)},
        )
