"""The flows that describe the site: its connection, its meter, and where it listens for charging stations."""

import asyncio
from collections.abc import Mapping
import errno
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlowContext,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PORT, CONF_TYPE
from homeassistant.core import callback
from homeassistant.helpers.selector import BooleanSelector, TextSelector, TextSelectorConfig
from homeassistant.helpers.typing import UNDEFINED, UndefinedType
import probatio as vol

from . import fields
from .addresses import profile_address
from .circuit_flow import CircuitFlow
from .configuration import voltage_to_neutral
from .const import (
    CONF_FREE_CHARGING,
    CONF_FUSE_A,
    CONF_ID_TOKENS,
    CONF_LIMIT_KW,
    CONF_MARGIN_A,
    CONF_METER,
    CONF_METER_LOST_AFTER_S,
    CONF_NO_AUTHORIZATION,
    CONF_PHASES,
    CONF_PROFILE,
    CONF_SECURITY,
    CONF_SPARE_FLASH,
    CONF_TLS,
    CONF_VOLTAGE_V,
    CONF_WORST_CASE_A,
    DEFAULT_FUSE_A,
    DEFAULT_LISTEN_HOST,
    DEFAULT_LISTEN_PORT,
    DEFAULT_MARGIN_A,
    DEFAULT_METER_LOST_AFTER_S,
    DEFAULT_SECURITY_PROFILE,
    DEFAULT_VOLTAGE_V,
    DEFAULT_WORST_CASE_A,
    DOMAIN,
    METER_NONE,
    SECTION_ADVANCED,
    SUBENTRY_CIRCUIT,
    SUBENTRY_ID_TOKEN,
    SUBENTRY_RESOURCE,
    SUBENTRY_STATION,
    TLS_OWN,
)
from .csms.security.recognition import PASSWORD_OVER_TLS
from .engine.model import ALL_PHASES
from .meter_flow import MeterSteps
from .meter_settings import NO_METER, MeterPlace
from .peak_flow import PeakSteps
from .resource_flow import ResourceFlow
from .security_flow import SecuritySteps, profile_field
from .security_settings import SecuritySettings
from .subentry_flow import StationFlow
from .token_flow import OPTIONS_SCHEMA, IdTokenFlow

SITE_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_NAME, default="Home"): TextSelector(),
        vol.Required(CONF_PHASES, default="3"): fields.supply(),
        vol.Required(CONF_FUSE_A, default=DEFAULT_FUSE_A): fields.amps(1, fields.FUSE_MOST_A),
        vol.Required(CONF_MARGIN_A, default=DEFAULT_MARGIN_A): fields.amps(0, fields.FUSE_MOST_A),
        vol.Required(CONF_WORST_CASE_A, default=DEFAULT_WORST_CASE_A): fields.amps(0, fields.FUSE_MOST_A),
        vol.Required(SECTION_ADVANCED): fields.advanced(
            {
                **fields.constraints(len(ALL_PHASES)),
                vol.Required(CONF_SPARE_FLASH, default=True): BooleanSelector(),
                # It is stale before, after 10 s; and no lease runs for longer either.
                vol.Required(CONF_METER_LOST_AFTER_S, default=DEFAULT_METER_LOST_AFTER_S): fields.whole(15, 300, "s"),
                vol.Required(CONF_VOLTAGE_V, default=DEFAULT_VOLTAGE_V): fields.whole(100, 300, "V"),
            }
        ),
    }
)

AUTHORIZATION_FIELDS: dict[vol.Marker, object] = {
    vol.Required(CONF_FREE_CHARGING, default=False): BooleanSelector(),
    vol.Optional(CONF_ID_TOKENS, default=[]): TextSelector(TextSelectorConfig(multiple=True)),
}

PROFILE_FIELD: dict[vol.Marker, object] = {vol.Required(CONF_PROFILE, default=str(DEFAULT_SECURITY_PROFILE)): profile_field()}


def authorization(user_input: dict[str, Any]) -> dict[str, Any]:
    """Return the config entry's options from the answers: tokens without blanks, each once."""
    tokens = [token for token in (token.strip() for token in user_input.get(CONF_ID_TOKENS, ())) if token]
    return {CONF_FREE_CHARGING: user_input[CONF_FREE_CHARGING], CONF_ID_TOKENS: list(dict.fromkeys(tokens))}


class HeadroomConfigFlow(MeterSteps[ConfigFlowContext, ConfigFlowResult, str], PeakSteps, SecuritySteps, domain=DOMAIN):
    """Set up a site, or change one. The steps are the same; only what comes after them differs."""

    VERSION = 2

    def __init__(self) -> None:
        """Start with nothing known."""
        self._data: dict[str, Any] = {}
        self._options: dict[str, Any] = {}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the flow that changes who may charge."""
        return HeadroomOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        """Return what a site is made of."""
        return {
            SUBENTRY_STATION: StationFlow,
            SUBENTRY_CIRCUIT: CircuitFlow,
            SUBENTRY_RESOURCE: ResourceFlow,
            SUBENTRY_ID_TOKEN: IdTokenFlow,
        }

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Start to set up a site."""
        return await self.async_step_site()

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let a person choose what to change."""
        return self.async_show_menu(step_id="reconfigure", menu_options=["site", "meter", "peak", "ocpp", "security", "root_certificate"])

    @property
    def _stored(self) -> dict[str, Any]:
        """The data of the entry that is being changed."""
        return dict(self._get_reconfigure_entry().data) if self.source == SOURCE_RECONFIGURE else {}

    async def async_step_site(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask about the connection to the grid."""
        errors = fields.circuit_errors(user_input, CONF_WORST_CASE_A) if user_input else {}
        if user_input and not errors:
            site = fields.flat(user_input)
            # A limit that is no longer given is no longer there.
            phases = int(site[CONF_PHASES])
            voltage_v = voltage_to_neutral(phases, site[CONF_VOLTAGE_V])
            self._data |= {CONF_LIMIT_KW: None} | site | {CONF_PHASES: phases, CONF_VOLTAGE_V: voltage_v}
            if not (stored := self._stored):
                return await self.async_step_meter()
            if stored[CONF_PHASES] != self._data[CONF_PHASES] and stored[CONF_METER][CONF_TYPE] != METER_NONE:
                return await self.async_step_meter()  # the old one was asked for other phases
            return self._update()
        suggested = user_input
        if stored := self._stored:
            suggested = user_input or {
                **stored,
                CONF_NAME: self._get_reconfigure_entry().title,  # which may have been changed elsewhere
                CONF_PHASES: str(stored[CONF_PHASES]),
                SECTION_ADVANCED: stored,
            }
        return self.async_show_form(
            step_id="site", data_schema=self.add_suggested_values_to_schema(SITE_SCHEMA, suggested), errors=errors, last_step=False
        )

    async def async_step_ocpp(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask where to listen for charging stations, and in a new site who may charge."""
        errors: dict[str, str] = {}
        cause = ""
        new = self.source != SOURCE_RECONFIGURE
        if user_input:
            listen = {key: value for key, value in fields.flat(user_input).items() if key in (CONF_HOST, CONF_PORT)}
            listen[CONF_HOST] = listen[CONF_HOST].strip() or DEFAULT_LISTEN_HOST
            errors, cause = await self._listen_errors(listen[CONF_HOST], listen[CONF_PORT])
            if not errors:
                self._data |= listen
                return await self._go_on(user_input) if new else self._update(unique_id=str(listen[CONF_PORT]))
        stored = self._stored
        host = vol.Required(CONF_HOST, default=stored.get(CONF_HOST, DEFAULT_LISTEN_HOST))
        schema = vol.Schema(
            {
                vol.Required(CONF_PORT, default=stored.get(CONF_PORT, DEFAULT_LISTEN_PORT)): fields.whole(1, 65535),
                **(AUTHORIZATION_FIELDS | PROFILE_FIELD if new else {}),
                vol.Required(SECTION_ADVANCED): fields.advanced({host: TextSelector()}),
            }
        )
        return self.async_show_form(
            step_id="ocpp",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders={"cause": cause},
            last_step=True,
        )

    async def _listen_errors(self, host: str, port: int) -> tuple[dict[str, str], str]:
        """Return why the site can't listen there, by field, with the system's own words."""
        own = self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None
        # The port that this site uses already is taken: by itself. Another address is tried on any port.
        keeps_port = own is not None and own.data[CONF_PORT] == port
        if own is None or not keeps_port or own.data[CONF_HOST] != host:
            try:
                server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, 0 if keeps_port else port)
            except (OSError, ValueError) as error:  # the latter of a name that no host can have
                field, key = {
                    errno.EADDRINUSE: (CONF_PORT, "port_in_use"),
                    errno.EACCES: (CONF_PORT, "port_not_permitted"),
                }.get(getattr(error, "errno", None) or 0, ("base", "cannot_listen"))
                return {field: key}, str(error)
            server.close()
            await server.wait_closed()
        if any(entry is not own and entry.unique_id == str(port) for entry in self._async_current_entries()):
            return {CONF_PORT: "port_of_other_site"}, ""
        return {}, ""

    async def _go_on(self, user_input: dict[str, Any]) -> ConfigFlowResult:
        """Create the entry, or ask for what TLS takes where it is wanted."""
        self._options = authorization(user_input)
        security = {CONF_PROFILE: int(user_input[CONF_PROFILE])}
        if security[CONF_PROFILE] < PASSWORD_OVER_TLS:
            return await self.async_keep(security)
        self._data[CONF_SECURITY] = security | {CONF_TLS: TLS_OWN}
        return await self.async_step_security()

    @property
    @override
    def stored(self) -> dict[str, Any]:
        """The data of the entry that is being changed, with what this flow has changed so far."""
        return self._stored | self._data

    @property
    @override
    def meter_place(self) -> MeterPlace:
        """The connection to the grid."""
        return MeterPlace.of(self.stored, self.stored[CONF_FUSE_A])

    @property
    @override
    def stored_meter(self) -> Mapping[str, Any]:
        """The site's meter so far."""
        meter: Mapping[str, Any] = self.stored.get(CONF_METER, NO_METER)
        return meter

    @property
    @override
    def generates(self) -> bool | None:
        """Whether a PV system or battery was added to the site; None without one: nobody may have said so yet."""
        reconfigured = self.source == SOURCE_RECONFIGURE and self._get_reconfigure_entry().get_subentries_of_type(SUBENTRY_RESOURCE)
        return True if reconfigured else None

    @override
    async def async_keep_meter(self, meter: dict[str, Any]) -> ConfigFlowResult:
        """Keep the meter; a new site goes on."""
        self._data[CONF_METER] = meter
        return self._update() if self.source == SOURCE_RECONFIGURE else await self.async_step_ocpp()

    @override
    async def async_keep(self, security: dict[str, Any]) -> ConfigFlowResult:
        """Keep the site's security."""
        self._data[CONF_SECURITY] = security
        return self._update() if self.source == SOURCE_RECONFIGURE else await self._create(self._options)

    async def _create(self, options: dict[str, Any]) -> ConfigFlowResult:
        """Create the entry. The port is what tells one site from another."""
        await self.async_set_unique_id(str(self._data[CONF_PORT]), raise_on_progress=False)
        settings = SecuritySettings.of(self._data)
        return self.async_create_entry(
            title=self._data[CONF_NAME],
            data=self._data,
            options=options,
            description_placeholders={
                "address": profile_address(self.hass, self._data[CONF_HOST], self._data[CONF_PORT], settings, settings.profile)
            },
        )

    @override
    def keep(self, **changes: Any) -> ConfigFlowResult:
        self._data |= changes
        return self._update()

    def _update(self, *, unique_id: str | UndefinedType = UNDEFINED) -> ConfigFlowResult:
        """Store what was changed; the entry's update listener applies it."""
        entry = self._get_reconfigure_entry()
        title = self._data.get(CONF_NAME, entry.title)
        return self.async_update_and_abort(entry, unique_id=unique_id, title=title, data_updates=self._data)


class HeadroomOptionsFlow(OptionsFlow):
    """Change who may charge."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask it."""
        if user_input:
            return self.async_create_entry(data={**self.config_entry.options, **user_input})
        options = self.config_entry.options
        stored = {CONF_NO_AUTHORIZATION: options.get(CONF_FREE_CHARGING, False), **options}
        schema = self.add_suggested_values_to_schema(OPTIONS_SCHEMA, stored)
        return self.async_show_form(step_id="init", data_schema=schema)
