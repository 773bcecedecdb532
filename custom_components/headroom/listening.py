"""Where stations are listened for, as the entry says: at the start, and anew whenever that changes while connections stay.

Below the coordinator, which owns the central system.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN
from .csms.server import CentralSystem
from .security import Listen, SiteSecurity

_LOGGER = logging.getLogger(__name__)

LISTEN_AGAIN_S = 60.0


class Listening:
    """Has one central system listen. Why it can't is in the site's security."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, security: SiteSecurity, system: CentralSystem, *, on_change: Callable[[], None]
    ) -> None:
        """Touch nothing yet. `on_change` is called whenever it listens anew, or could not."""
        self._hass = hass
        self._entry = entry
        self._security = security
        self._system = system
        self._on_change = on_change
        self._at = (entry.data[CONF_HOST], entry.data[CONF_PORT])
        self._listens_by: object = None
        self._stopped = False
        self._cancel: Callable[[], None] = lambda: None
        self._anew = asyncio.Lock()

    @property
    def moved(self) -> bool:
        """Whether the entry names another place by now, which takes a reload."""
        return self._at != (self._entry.data[CONF_HOST], self._entry.data[CONF_PORT])

    async def async_begin(self) -> None:
        """Listen for the first time: in the clear alone where TLS fails and stations may come so.

        Raises ConfigEntryNotReady, translated, where nobody could come.
        """
        self._listens_by = self._security.listens_by()
        try:
            listen = await self._security.async_prepare()
        except (OSError, ValueError) as error:
            await self._begin_in_the_clear(error, "certificate_failed", {"error": str(error)})
            return
        try:
            await self._start(listen)
        except OSError as error:
            ports = " or ".join(str(port) for port in (listen[1], listen[2]) if port is not None)
            await self._begin_in_the_clear(error, "port_in_use", {"port": ports, "error": str(error)})

    async def _start(self, listen: Listen) -> None:
        host, port, tls_port, tls = listen
        await self._system.start(host, port, tls_port=tls_port, tls=tls)

    async def _begin_in_the_clear(self, error: Exception, key: str, placeholders: dict[str, str]) -> None:
        not_ready = ConfigEntryNotReady(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)
        if (listen := self._security.in_the_clear()) is None:
            raise not_ready from error
        try:
            await self._start(listen)
        except OSError:
            raise not_ready from error
        self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Tell that it is not listened as it is set up, and try once more in a while."""
        if self._security.listening_failure is None:
            _LOGGER.error("Stations can't be listened for as it is set up: %s", error)
        self._security.listening_failure = str(error)
        self._listens_by = None
        self._listen_again()

    @callback
    def async_apply(self) -> None:
        """Listen anew where the entry says otherwise now."""
        if self._security.listens_by() != self._listens_by:
            self._entry.async_create_task(self._hass, self._async_listen(), f"{DOMAIN} listen")

    def stop(self) -> None:
        """Listen anew no more."""
        self._stopped = True
        self._cancel()

    async def _async_listen(self) -> None:
        """Listen as the entry says now; connections stay."""
        security = self._security
        async with self._anew:
            if (wanted := security.listens_by()) == self._listens_by or self._stopped:
                return
            self._listens_by = wanted
            try:
                host, port, tls_port, tls = await security.async_prepare()
                if not self._stopped:
                    await self._system.listen(host, port, tls_port=tls_port, tls=tls)
            except (OSError, ValueError) as error:
                self._failed(error)
            else:
                if security.listening_failure is not None:
                    _LOGGER.info("Stations are listened for as it is set up")
                security.listening_failure = None
            self._on_change()

    @callback
    def _listen_again(self) -> None:
        """Try once more in a while: a port comes free, a file is put right."""

        @callback
        def listen(now: datetime) -> None:
            self._entry.async_create_task(self._hass, self._async_listen(), f"{DOMAIN} listen")

        self._cancel()
        if not self._stopped:
            self._cancel = async_call_later(self._hass, LISTEN_AGAIN_S, listen)
