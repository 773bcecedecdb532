"""Who may connect to a site, as Home Assistant keeps it: settings in the entry, what a station is recognised by in its subentry, keys in files.

Below the coordinator: it knows the entry and the central system's security, and nothing of entities or repairs.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
import logging
from pathlib import Path
import ssl

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .const import CONF_IDENTITY, CONF_SECURITY, DOMAIN, SUBENTRY_STATION, TLS_NONE, TLS_OWN
from .csms.security import authority
from .csms.security.access import Access
from .csms.security.authority import WARN_BEFORE_DAYS, Credential
from .csms.security.desk import SiteDesk
from .csms.security.events import SecurityEvent, SecurityEventKind, SecurityWatch
from .csms.security.recognition import CERTIFICATE, PASSWORD_OVER_TLS, StationSecurity
from .csms.security.renewal import CertificateRenewal
from .csms.security.throttle import Limits
from .csms.security.tls import ClientCertificates, RenewableContext, server_context
from .csms.security.vault import OWNED, Vault
from .csms.station import Station
from .security_settings import SecuritySettings, station_document, station_security

_LOGGER = logging.getLogger(__name__)

CHECK_EVERY = timedelta(hours=1)
"""A clock that was put right, or a machine that slept, may have passed an end."""
TELL_EVERY = timedelta(days=1)
"""What is to be told of an end that nears, and asked of stations, is no news every hour."""
FRAMES_PER_S = 50.0
"""No station that waits for its answers has so much to say for long."""
FRAMES_BURST = 1000.0
CONNECTIONS_BESIDE, STRANGERS_BESIDE = 128, 64
"""Beside those of the site's stations."""

type Listen = tuple[str, int | None, int | None, ssl.SSLContext | None]


def vault_of(hass: HomeAssistant, entry_id: str) -> Vault:
    """Return where a site's certificates and keys are."""
    return Vault(Path(hass.config.path(".storage", f"{DOMAIN}_{entry_id}_certificates")))


def context_of(
    settings: SecuritySettings,
    vault: Vault,
    title: str,
    clients: ClientCertificates,
    now: datetime,
    report: Callable[[str], None] = lambda reason: None,
) -> tuple[ssl.SSLContext, Credential, datetime, bool]:
    """Return the context, our root, when the server's certificate ends, and whether it was made anew. Blocking.

    Raises OSError or ValueError where a file is not what it should be.
    """
    with OWNED:
        if settings.tls == TLS_OWN:
            issued = vault.issue(title, settings.server_names, now)
            root, pairs, ends, renewed = issued.root, issued.servers, issued.expires_at, issued.renewed
        else:
            pairs = ((Path(settings.certificate), Path(settings.private_key)),)
            ends, renewed = authority.expires_at(pairs[0][0].read_text(encoding="utf-8")), False
            root = vault.root(title, now)
        roots = [root.certificate]
        if settings.client_root:
            roots.append(Path(settings.client_root).read_text(encoding="utf-8"))
        return server_context(pairs, clients=clients, client_roots=roots, report=report), root, ends, renewed


class SiteSecurity:
    """Who may connect to one site, for as long as it is loaded."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, station: Callable[[str], Station | None]) -> None:
        """Touch nothing yet. `station` returns a station's open connection."""
        self._hass = hass
        self._entry = entry
        self._followers: list[Callable[[SecurityEvent], None]] = []
        self.watch = SecurityWatch(hass.loop.time, self._told)
        self.access = Access(
            monotonic=hass.loop.time,
            sleep=asyncio.sleep,
            watch=self.watch,
            keep=self._keep,
        )
        self.root: Credential | None = None
        self.expires_at: datetime | None = None
        """When the server's certificate ends; None where there is none."""
        self.listening_failure: str | None = None
        """Why stations can't be listened for as it is set up."""
        self._renewal_failure: str | None = None
        self._root_ahead: str | None = None
        self._told_at: datetime | None = None
        self.desk = SiteDesk(self.access, lambda: self.root, dt_util.utcnow)
        self.renewal = CertificateRenewal(self.access, station=station, root=lambda: self.root, now=dt_util.utcnow)
        self._context: RenewableContext | None = None
        self._built: object = None
        self.configure()

    @property
    def settings(self) -> SecuritySettings:
        """What the person chose."""
        return SecuritySettings.of(self._entry.data)

    @property
    def failure(self) -> str | None:
        """Why TLS can't be served as it is set up, or not for much longer; None where it can."""
        return self.listening_failure or self._renewal_failure or self._root_ahead

    @property
    def clients(self) -> ClientCertificates:
        """Whether stations are asked for a certificate: no sooner than one has one, for some show one that leads nowhere."""
        stations = [self.access.security(identity) for identity in self._identities()]
        if self.settings.profile == CERTIFICATE and all(kept is not None and kept.profile == CERTIFICATE for kept in stations) and stations:
            return ClientCertificates.REQUIRED
        wanted = self.settings.profile == CERTIFICATE or self.settings.client_root
        return ClientCertificates.ASKED if wanted or any(kept and kept.certificates for kept in stations) else ClientCertificates.IGNORED

    def configure(self) -> None:
        """Take over what the entry says."""
        stations = {
            subentry.data[CONF_IDENTITY]: station_security(subentry.data)
            for subentry in self._entry.get_subentries_of_type(SUBENTRY_STATION)
        }
        root = None if self.root is None else self.root.certificate
        limits = Limits(
            connections=CONNECTIONS_BESIDE + 4 * len(stations),
            strangers_per_address=STRANGERS_BESIDE + 2 * len(stations),
            frames_per_s=FRAMES_PER_S,
            frames_burst=FRAMES_BURST,
        )
        self.access.configure(required=self.settings.asked_of_strangers, stations=stations, root=root, limits=limits)

    async def async_prepare(self) -> Listen:
        """Return where to listen: in the clear as long as anyone may come so, with TLS where it is set up.

        Raises OSError or ValueError where the certificates can't be used.
        """
        settings = self.settings
        host, port = self._entry.data[CONF_HOST], self._entry.data[CONF_PORT]
        if settings.tls == TLS_NONE:
            self.root = self.expires_at = self._context = self._built = None
            return (host, port, None, None)
        await self._async_build(settings)
        return (host, port if self._in_the_clear() else None, settings.tls_port, self._context)

    def in_the_clear(self) -> Listen | None:
        """Return where to listen without TLS alone, where that is not all that is set up; None where everybody has to come with it."""
        if self.settings.tls == TLS_NONE or not self._in_the_clear():
            return None
        return (self._entry.data[CONF_HOST], self._entry.data[CONF_PORT], None, None)

    def listens_by(self) -> object:
        """Return what decides where and how to listen: listening anew is called for when it is another."""
        return (self.settings, self.clients, self._in_the_clear())

    def _in_the_clear(self) -> bool:
        """Whether anyone may come without TLS."""
        kept = [self.access.security(identity) for identity in self._identities()]
        return self.settings.profile < PASSWORD_OVER_TLS or any(one is None or one.profile < PASSWORD_OVER_TLS for one in kept)

    async def _async_build(self, settings: SecuritySettings, *, anew: bool = False) -> None:
        wanted = (settings, self.clients)
        if self._context is not None and self._built == wanted and not anew:
            return
        context, root, self.expires_at, renewed = await self._hass.async_add_executor_job(
            context_of,
            settings,
            vault_of(self._hass, self._entry.entry_id),
            self._entry.title,
            self.clients,
            dt_util.utcnow(),
            self._report,
        )
        if self._renewal_failure is not None:
            _LOGGER.info("The certificates can be renewed again")
        self._renewal_failure = None
        self.root = root
        if self._context is None:
            self._context = RenewableContext(context)
        else:
            self._context.current = context
            if renewed:
                detail = f"valid until {self.expires_at:%Y-%m-%d}"
                self.watch.tell(SecurityEvent(kind=SecurityEventKind.CERTIFICATE_RENEWED, detail=detail))
        self._built = wanted
        begins_at = authority.begins_at(root.certificate)
        self._root_ahead = None
        if settings.tls == TLS_OWN and begins_at > dt_util.utcnow():
            # Stations may trust it already, so nobody but a person replaces it.
            self._root_ahead = f"the root begins on {begins_at:%Y-%m-%d}: the clock is wrong now, or was when it was made"
        self.configure()

    @callback
    def async_watch_certificates(self) -> Callable[[], None]:
        """Look at the server's certificates and the stations' every hour; returns how to end that."""
        return async_track_time_interval(self._hass, self._async_check, CHECK_EVERY, name=f"{DOMAIN} certificates")

    async def _async_check(self, now: datetime) -> None:
        """Serve what was renewed, here or by whoever renews the person's own files; tell where an end is near."""
        tells = self._told_at is None or abs(now - self._told_at) >= TELL_EVERY
        if tells:
            self._told_at = now
            for identity in self._identities():
                self.async_renew(identity)
        if self.settings.tls == TLS_NONE:
            return
        try:
            await self._async_build(self.settings, anew=True)
        except (OSError, ValueError) as error:
            if self._renewal_failure is None:
                _LOGGER.warning("The certificates can't be renewed: %s", error)
            self._renewal_failure = str(error)
            return
        if tells and self.expiring(now):
            detail = f"valid until {self.expires_at:%Y-%m-%d}"
            self.watch.tell(SecurityEvent(kind=SecurityEventKind.CERTIFICATE_EXPIRING, detail=detail))

    @callback
    def async_renew(self, identity: str) -> None:
        """Have a station renew its own certificate where that is due."""
        self._entry.async_create_background_task(self._hass, self.renewal.renew(identity), f"{DOMAIN} renew {identity}")

    def expiring(self, now: datetime) -> bool:
        """Return whether the server's certificate nears its end, and nobody has renewed it."""
        return self.expires_at is not None and self.expires_at - now < timedelta(days=WARN_BEFORE_DAYS)

    @callback
    def async_follow(self, follower: Callable[[SecurityEvent], None]) -> Callable[[], None]:
        """Call `follower` with all that happens; returns how to end that."""
        self._followers.append(follower)
        return lambda: self._followers.remove(follower)

    def _identities(self) -> list[str]:
        return [subentry.data[CONF_IDENTITY] for subentry in self._entry.get_subentries_of_type(SUBENTRY_STATION)]

    def _told(self, event: SecurityEvent) -> None:
        for follower in tuple(self._followers):
            follower(event)

    def _report(self, reason: str) -> None:
        self.watch.tell(SecurityEvent(kind=SecurityEventKind.CERTIFICATE_REFUSED, detail=reason))

    def _keep(self, identity: str, security: StationSecurity) -> None:
        for subentry in self._entry.get_subentries_of_type(SUBENTRY_STATION):
            if subentry.data[CONF_IDENTITY] == identity:
                data = {**subentry.data, CONF_SECURITY: station_document(security)}
                self._hass.config_entries.async_update_subentry(self._entry, subentry, data=data)
