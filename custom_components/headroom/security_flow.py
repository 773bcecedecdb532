"""The steps of the config flow that ask for the site's security: the least profile, TLS and with whose certificate."""

from abc import abstractmethod
import asyncio
import ipaddress
from pathlib import Path
import re
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.helpers.selector import BooleanSelector, TextSelector, TextSelectorConfig
from homeassistant.util import dt as dt_util
import probatio as vol

from . import fields
from .addresses import own_names
from .const import (
    CONF_CERTIFICATE,
    CONF_CLIENT_ROOT,
    CONF_PRIVATE_KEY,
    CONF_PROFILE,
    CONF_SECURITY,
    CONF_SERVER_NAMES,
    CONF_TLS,
    CONF_TLS_PORT,
    CONF_UNKNOWN_STATIONS,
    DEFAULT_SECURITY_PROFILE,
    DEFAULT_TLS_PORT,
    SUBENTRY_STATION,
    TLS_FILES,
    TLS_NONE,
    TLS_OWN,
)
from .csms.security import authority
from .csms.security.own_files import FileProblem, Finding, check_roots, check_server
from .csms.security.recognition import PASSWORD_OVER_TLS
from .security import vault_of
from .security_settings import station_security

HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE)
PROFILE_NAMES = {"0": "0", "1": "1", "2": "2", "3": "3"}
TLS_CHOICES = {TLS_NONE: "Off", TLS_OWN: "Certificate made here", TLS_FILES: "Own files"}


def profile_field() -> object:
    """Ask for the security profile that stations are to come on."""
    return fields.choice(PROFILE_NAMES, translation_key="security_profile")


def security_schema(names: list[str]) -> vol.Schema:
    """Return the form about the site's security. `names`: what stations may find Home Assistant by."""
    return vol.Schema(
        {
            vol.Required(CONF_PROFILE, default=str(DEFAULT_SECURITY_PROFILE)): profile_field(),
            vol.Required(CONF_UNKNOWN_STATIONS, default=True): BooleanSelector(),
            vol.Required(CONF_TLS, default=TLS_NONE): fields.choice(TLS_CHOICES, translation_key="tls"),
            # Each of these can be wrong, and a field in a section can't show an error of its own.
            vol.Required(CONF_TLS_PORT, default=DEFAULT_TLS_PORT): fields.whole(1, 65535),
            vol.Optional(CONF_SERVER_NAMES, default=names): TextSelector(TextSelectorConfig(multiple=True)),
            vol.Optional(CONF_CLIENT_ROOT): TextSelector(),
        }
    )


FILES_SCHEMA = vol.Schema({vol.Required(CONF_CERTIFICATE): TextSelector(), vol.Required(CONF_PRIVATE_KEY): TextSelector()})

FIELDS = {
    FileProblem.KEY_UNREADABLE: CONF_PRIVATE_KEY,
    FileProblem.KEY_INVALID: CONF_PRIVATE_KEY,
    FileProblem.KEY_MISMATCH: CONF_PRIVATE_KEY,
}
"""Where a problem of the files is shown; any other at the certificate."""


def cleaned(user_input: dict[str, Any]) -> dict[str, Any]:
    """Return the site's security settings as they are kept, without blanks."""
    names = [name for name in (name.strip() for name in user_input.get(CONF_SERVER_NAMES, ())) if name]
    return user_input | {
        CONF_PROFILE: int(user_input[CONF_PROFILE]),
        CONF_SERVER_NAMES: list(dict.fromkeys(names)),
        CONF_CLIENT_ROOT: user_input.get(CONF_CLIENT_ROOT, "").strip(),
    }


def is_name(name: str) -> bool:
    """Return whether a certificate can be for this host name or address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return HOST_NAME.fullmatch(name) is not None
    return True


class SecuritySteps(ConfigFlow):
    """Asks for the security of a site, a new one or one that is changed."""

    _security: dict[str, Any]
    """What is being chosen."""

    @property
    @abstractmethod
    def stored(self) -> dict[str, Any]:
        """The data of the entry that is being changed, with what this flow has changed so far."""

    @abstractmethod
    async def async_keep(self, security: dict[str, Any]) -> ConfigFlowResult:
        """Keep what was chosen."""

    async def async_step_security(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the least profile and for TLS."""
        known = self.stored.get(CONF_SECURITY, {})
        errors: dict[str, str] = {}
        cause = ""
        if user_input:
            chosen = cleaned(user_input)
            errors, cause = await self._errors(chosen)
            if not errors:
                self._security = known | chosen
                if chosen[CONF_TLS] == TLS_FILES:
                    return await self.async_step_certificate_files()
                return await self.async_keep(self._security)
        suggested = user_input or {key: value for key, value in known.items() if value not in ("", [])} | {
            CONF_PROFILE: str(known.get(CONF_PROFILE, 0))
        }
        return self.async_show_form(
            step_id="security",
            data_schema=self.add_suggested_values_to_schema(security_schema(own_names(self.hass)), suggested),
            errors=errors,
            description_placeholders={"cause": cause},
            last_step=False,
        )

    async def _errors(self, chosen: dict[str, Any]) -> tuple[dict[str, str], str]:
        """Return what can't be, by field, with what there is to say of it."""
        if chosen[CONF_TLS] == TLS_NONE and (cut_off := self._encrypted_stations()):
            return {CONF_TLS: "tls_in_use"}, ", ".join(cut_off)
        if chosen[CONF_TLS] == TLS_NONE:
            return ({CONF_TLS: "tls_needed"}, "") if chosen[CONF_PROFILE] >= PASSWORD_OVER_TLS else ({}, "")
        wrong = [name for name in chosen[CONF_SERVER_NAMES] if not is_name(name)]
        if wrong or not chosen[CONF_SERVER_NAMES]:
            return {CONF_SERVER_NAMES: "server_names_invalid"}, ", ".join(wrong) or "–"
        if chosen[CONF_CLIENT_ROOT] and (finding := await self._run(check_roots, Path(chosen[CONF_CLIENT_ROOT]))) is not None:
            return {CONF_CLIENT_ROOT: finding.problem.value}, finding.detail
        stored, port = self.stored, chosen[CONF_TLS_PORT]
        if port == stored[CONF_PORT]:
            return {CONF_TLS_PORT: "tls_port_is_port"}, ""
        before = stored.get(CONF_SECURITY, {})
        # The port that this site serves TLS on already is taken: by itself.
        if before.get(CONF_TLS, TLS_NONE) == TLS_NONE or before.get(CONF_TLS_PORT) != port:
            try:
                server = await asyncio.get_running_loop().create_server(asyncio.Protocol, stored[CONF_HOST], port)
            except OSError as error:
                return {CONF_TLS_PORT: "tls_port_taken"}, str(error)
            server.close()
            await server.wait_closed()
        return {}, ""

    def _encrypted_stations(self) -> list[str]:
        """Name the stations that are let in with encryption only."""
        if self.source != SOURCE_RECONFIGURE:
            return []
        stations = self._get_reconfigure_entry().get_subentries_of_type(SUBENTRY_STATION)
        return [station.title for station in stations if station_security(station.data).profile >= PASSWORD_OVER_TLS]

    async def _run(self, check: Any, *args: Any) -> Finding | None:
        finding: Finding | None = await self.hass.async_add_executor_job(check, *args)
        return finding

    async def async_step_certificate_files(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a person's own certificate and key, and look at them."""
        errors: dict[str, str] = {}
        cause = ""
        if user_input:
            files = {key: user_input[key].strip() for key in (CONF_CERTIFICATE, CONF_PRIVATE_KEY)}
            paths = (Path(files[CONF_CERTIFICATE]), Path(files[CONF_PRIVATE_KEY]))
            finding = await self._run(check_server, *paths, self._security[CONF_SERVER_NAMES], dt_util.utcnow())
            if finding is None:
                return await self.async_keep(self._security | files)
            errors, cause = {FIELDS.get(finding.problem, CONF_CERTIFICATE): finding.problem.value}, finding.detail
        return self.async_show_form(
            step_id="certificate_files",
            data_schema=self.add_suggested_values_to_schema(FILES_SCHEMA, user_input or self._security),
            errors=errors,
            description_placeholders={"cause": cause, "names": ", ".join(self._security[CONF_SERVER_NAMES])},
        )

    async def async_step_root_certificate(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the root certificate that stations have to trust."""
        if user_input is not None:
            return self.async_abort(reason="root_shown")
        entry = self._get_reconfigure_entry()
        vault = vault_of(self.hass, entry.entry_id)
        try:
            root = await self.hass.async_add_executor_job(vault.root, entry.title, dt_util.utcnow())
        except (OSError, ValueError) as error:
            return self.async_abort(reason="root_unreadable", description_placeholders={"error": str(error)})
        return self.async_show_form(
            step_id="root_certificate",
            data_schema=vol.Schema({}),
            description_placeholders={
                "certificate": root.certificate.strip(),
                "fingerprint": authority.fingerprint(root.certificate),
                "valid_until": f"{authority.expires_at(root.certificate):%Y-%m-%d}",
            },
        )
