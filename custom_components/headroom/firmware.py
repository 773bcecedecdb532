"""Firmware of a site's stations: what a person offered, kept over a restart, and how updates go on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .csms.events import Booted, StationEvent
from .csms.upkeep import FirmwareState, FirmwareStatus
from .site.taking_up import known_fields, taking_up

STORAGE_VERSION = 1
SAVE_DELAY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Firmware that a person has for a station. The location may hold a password."""

    version: str
    location: str = field(repr=False)
    signing_certificate: str | None = field(default=None, repr=False)
    signature: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """An update under way. `before`: the version that ran when the station took it, None where that is not known."""

    state: FirmwareState | None = None
    """None until the station tells."""
    before: str | None = None


class Upgrades:
    """The offers and the updates of one entry's stations."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Touch nothing yet."""
        self._store = Store[dict[str, Any]](hass, STORAGE_VERSION, f"{DOMAIN}_{entry_id}_firmware", private=True)
        self._offers: dict[str, Offer] = {}
        self._under_way: dict[str, Progress] = {}

    async def async_load(self) -> None:
        """Recall what was offered."""
        kept: Mapping[str, Any] = await self._store.async_load() or {}
        for identity, offer in kept.items():
            with taking_up(f"the firmware offered to {identity}"):
                self._offers[identity] = Offer(**known_fields(Offer, offer))

    async def async_save(self) -> None:
        """Write what is offered now."""
        await self._store.async_save(self._document())

    async def async_remove(self) -> None:
        """Remove what was kept."""
        await self._store.async_remove()

    def offered(self, identity: str) -> Offer | None:
        """Return what a station may be updated to."""
        return self._offers.get(identity)

    def progress(self, identity: str) -> Progress | None:
        """Return how a station's update goes on, None where none does."""
        return self._under_way.get(identity)

    @callback
    def async_offer(self, identity: str, offer: Offer) -> None:
        """Take what a person offers, in place of what was offered before."""
        self._offers[identity] = offer
        self._store.async_delay_save(self._document, SAVE_DELAY_S)

    @contextmanager
    def begun(self, identity: str, before: str | None) -> Iterator[None]:
        """Take an update as under way while a station is asked for it, and from then on, unless the asking fails."""
        earlier = self._under_way.get(identity)
        self._under_way[identity] = Progress(before=before)
        try:
            yield
        except BaseException:
            self._under_way.pop(identity, None)
            if earlier is not None:
                self._under_way[identity] = earlier
            raise

    @callback
    def async_forget(self, identity: str) -> None:
        """Let go of a station that is not served any more."""
        self._under_way.pop(identity, None)
        self._withdraw(identity)

    @callback
    def async_take(self, identity: str, event: StationEvent) -> bool:
        """Take what a station tells; returns whether anything changed.

        An update has come to something once the station says so, or comes back with another version than before. Stations write
        their versions in ways of their own, so what was offered is done with then, whatever the new version is called.
        """
        under_way = self._under_way.get(identity)
        match event:
            case FirmwareStatus(state=state):
                if state.over:
                    self._under_way.pop(identity, None)
                    if under_way is not None and state is FirmwareState.INSTALLED:
                        self._withdraw(identity)
                else:
                    self._under_way[identity] = Progress(state=state, before=under_way.before if under_way else None)
                return self._under_way.get(identity) != under_way
            case Booted(info=info) if under_way is not None and info.boot_reason != "Triggered":
                # One that goes on in spite of a reboot is told of again.
                del self._under_way[identity]
                if under_way.before is not None and info.firmware_version not in (None, "", under_way.before):
                    self._withdraw(identity)
                return True
        return False

    def _withdraw(self, identity: str) -> None:
        if self._offers.pop(identity, None) is not None:
            self._store.async_delay_save(self._document, SAVE_DELAY_S)

    def _document(self) -> dict[str, Any]:
        return {identity: asdict(offer) for identity, offer in self._offers.items()}
