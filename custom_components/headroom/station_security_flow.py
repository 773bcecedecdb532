"""The steps about how one station shows who it is, wherever they are walked: in the subentry flow and in the repairs.

A password is shown on one step and nowhere else; whoever missed it makes a new one.
"""

from abc import abstractmethod
import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import callback
from homeassistant.data_entry_flow import FlowContext, FlowHandler, FlowResult
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.selector import BooleanSelector
import probatio as vol

from . import fields
from .const import CONF_PROFILE
from .csms.errors import StationOfflineError
from .csms.events import Connected, StationEvent
from .csms.security.recognition import CERTIFICATE, PASSWORD
from .csms.security.upgrade import UpgradeError, UpgradeStep
from .csms.security_commands import INTERFACES
from .errors import translated_errors
from .station_access import (
    address_of,
    async_rotate_password,
    async_set_new_password,
    async_upgrade,
    higher_profiles,
    kept_of,
    live_profile,
    new_password_of,
    shown_address,
    station_subentry,
    tls_is_missing,
)

if TYPE_CHECKING:  # the coordinator raises the repairs, and they are made of these steps
    from .coordinator import HeadroomConfigEntry, HeadroomCoordinator

CONF_AUTHENTICATION = "authentication"
CONF_AT_ONCE = "at_once"
CONF_INTERFACE = "interface"
CONF_RESTART = "restart"
AUTHENTICATION_PASSWORD, AUTHENTICATION_NONE = "password", "none"

RETURN_S = 300.0
"""How long a station may take to come back on its new profile: a charging session may have to end first, and then it boots."""

UPGRADE_ERRORS: Mapping[UpgradeStep, str] = {
    UpgradeStep.PASSWORD: "upgrade_password_failed",
    UpgradeStep.ROOT: "upgrade_root_failed",
    UpgradeStep.CERTIFICATE: "upgrade_certificate_failed",
    UpgradeStep.NETWORK: "upgrade_network_failed",
    UpgradeStep.PRIORITY: "upgrade_priority_failed",
    UpgradeStep.RESTART: "upgrade_restart_failed",
}
"""The error that a form shows for each step that failed."""

PROFILE_ERRORS = ("tls_not_served", "password_first")
"""Errors of the profile that was chosen; any other is shown above the form."""

AUTHENTICATION_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_AUTHENTICATION, default=AUTHENTICATION_PASSWORD): fields.choice(
            {AUTHENTICATION_PASSWORD: "Password", AUTHENTICATION_NONE: "None"}, translation_key="authentication"
        )
    }
)


class StationSecuritySteps[ContextT: FlowContext, ResultT: FlowResult[Any, Any], HandlerT](FlowHandler[ContextT, ResultT, HandlerT]):
    """Passwords and profiles of one station."""

    security: Mapping[str, Any] = MappingProxyType({})
    """What is kept of a new station to recognise it."""
    _wish: Mapping[str, Any] | None = None
    _upgrading: asyncio.Task[None] | None = None
    _watching: asyncio.Task[bool] | None = None
    _error: tuple[str, str] | None = None
    """Why the upgrade failed: error and cause."""

    @property
    @abstractmethod
    def site_entry(self) -> HeadroomConfigEntry:
        """The site."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """The station's identity."""

    @property
    def station_name(self) -> str:
        """What people call the station; its identity as long as it has no name."""
        subentry = station_subentry(self.site_entry, self.identity)
        return self.identity if subentry is None else subentry.title

    @abstractmethod
    def finish(self, outcome: str) -> ResultT:
        """End the flow; `outcome` is a reason that has a text."""

    @callback
    @override
    def async_remove(self) -> None:
        """Nobody waits for the station any more; what was begun at it goes on."""
        if self._watching is not None:
            self._watching.cancel()

    # Passwords

    def password_form(self, secret: str, address: str) -> ResultT:
        """Show a password, once."""
        identity = self.identity
        return self.async_show_form(
            step_id="password",
            data_schema=vol.Schema({}),
            description_placeholders={
                "station": self.station_name,
                "identity": identity,
                "password": secret,
                "address": address,
                "full_address": f"{address}{identity}",
            },
        )

    async def async_step_authentication(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask how a new station shows who it is; a password is made here and shown."""
        if user_input is None:
            return self.async_show_form(
                step_id="authentication",
                data_schema=AUTHENTICATION_SCHEMA,
                description_placeholders={"station": self.station_name},
                last_step=False,
            )
        if user_input[CONF_AUTHENTICATION] == AUTHENTICATION_NONE:
            self.security = {}
            return self.after_password()
        secret, self.security = new_password_of(self.site_entry)
        return self.password_form(secret, address_of(self.hass, self.site_entry, self.security["profile"]))

    async def async_step_new_password(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask whether the old password ends at once, then make a new one to be entered at the station."""
        if user_input is None:
            schema = vol.Schema({vol.Required(CONF_AT_ONCE, default=False): BooleanSelector()})
            return self.async_show_form(
                step_id="new_password", data_schema=schema, description_placeholders={"station": self.station_name}, last_step=False
            )
        secret = await async_set_new_password(self.hass, self.site_entry, self.identity, at_once=user_input[CONF_AT_ONCE])
        return self.password_form(secret, shown_address(self.hass, self.site_entry, self.identity))

    async def async_step_password(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Go on once the password was written down."""
        return self.after_password()

    def after_password(self) -> ResultT:
        """End the flow of a station that there is already; one that adds a station adds it."""
        return self.finish("password_changed")

    async def async_step_rotate_password(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Give the station a new password over the air."""
        errors: dict[str, str] = {}
        cause = ""
        if user_input is not None and self.site_entry.state is not ConfigEntryState.LOADED:
            errors = {"base": "upgrade_offline"}
        elif user_input is not None:
            try:
                await async_rotate_password(self._coordinator, self.identity)
            except HomeAssistantError as error:
                errors, cause = {"base": "rotation_failed"}, str(error)
            else:
                return self.finish("password_rotated")
        return self.async_show_form(
            step_id="rotate_password",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={"station": self.station_name, "cause": cause},
        )

    # Security profiles

    @property
    def _coordinator(self) -> HeadroomCoordinator:
        return self.site_entry.runtime_data

    async def async_step_upgrade(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask for the profile, and see whether there is all it takes."""
        entry, identity = self.site_entry, self.identity
        offered = higher_profiles(entry, identity)
        if not offered:
            return self.finish("highest_profile")
        error = self._error
        self._error = None
        if user_input:
            profile = int(user_input[CONF_PROFILE])
            if (error := self._missing(profile)) is None:
                self._wish = dict(user_input) | {CONF_PROFILE: profile}
                return await self.async_step_upgrading()
        schema = vol.Schema(
            {
                vol.Required(CONF_PROFILE, default=str(offered[0])): fields.choice(
                    {str(profile): str(profile) for profile in offered}, translation_key="security_profile"
                ),
                vol.Required(CONF_INTERFACE, default=INTERFACES[0]): fields.choice({name: name for name in INTERFACES}),
                vol.Required(CONF_RESTART, default=True): BooleanSelector(),
            }
        )
        return self.async_show_form(
            step_id="upgrade",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors={} if error is None else {CONF_PROFILE if error[0] in PROFILE_ERRORS else "base": error[0]},
            description_placeholders={"station": self.station_name, "cause": "" if error is None else error[1]},
            last_step=False,
        )

    def _missing(self, profile: int) -> tuple[str, str] | None:
        """Return what a profile wants that there is not."""
        entry, identity = self.site_entry, self.identity
        live = live_profile(entry, identity)
        if live is None:
            return "upgrade_offline", ""
        if tls_is_missing(entry, profile):
            return "tls_not_served", ""
        # Whoever has not shown who it is is signed nothing for.
        if profile >= CERTIFICATE and live < PASSWORD and not kept_of(entry, identity).has_certificate:
            return "password_first", ""
        return None

    async def async_step_upgrading(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Do it, one step after the other."""
        assert self._wish is not None
        if self._upgrading is None:
            self._upgrading = self.hass.async_create_background_task(self._upgrade(self._wish), f"upgrade {self.identity}")
        if not self._upgrading.done():
            return self.async_show_progress(
                step_id="upgrading",
                progress_action="upgrading",
                progress_task=self._upgrading,
                description_placeholders={"station": self.station_name},
            )
        await self._upgrading
        self._upgrading = None
        if self._error is not None:
            return self.async_show_progress_done(next_step_id="upgrade")
        return self.async_show_progress_done(next_step_id="returning" if self._wish[CONF_RESTART] else "prepared")

    async def _upgrade(self, wish: Mapping[str, Any]) -> None:
        try:
            # It may be back before its last answer is looked at.
            self._watching = self.hass.async_create_background_task(self._returns(wish[CONF_PROFILE]), f"watch {self.identity}")
            await async_upgrade(
                self.hass,
                self._coordinator,
                self.identity,
                profile=wish[CONF_PROFILE],
                interface=wish[CONF_INTERFACE],
                restart=wish[CONF_RESTART],
            )
        except UpgradeError as error:
            self._error = (UPGRADE_ERRORS[error.step], self._said(error)) if error.cause else ("no_free_slot", "")
        except StationOfflineError:
            self._error = ("upgrade_offline", "")
        finally:
            if (self._error or not wish[CONF_RESTART]) and self._watching is not None:
                self._watching.cancel()

    def _said(self, failed: UpgradeError) -> str:
        assert failed.cause is not None
        try:
            with translated_errors(self.identity):
                raise failed.cause
        except HomeAssistantError as error:
            return str(error)

    async def _returns(self, profile: int) -> bool:
        """Return whether the station comes on the profile in time; a lower one before may be a flap before its restart, or a first try."""
        back: asyncio.Future[bool] = self.hass.loop.create_future()

        def look(event: StationEvent) -> None:
            live = live_profile(self.site_entry, self.identity)
            if isinstance(event, Connected) and live is not None and live >= profile and not back.done():
                back.set_result(True)

        unfollow = self._coordinator.async_follow_station(self.identity, look)
        try:
            async with asyncio.timeout(RETURN_S):
                return await back
        except TimeoutError:
            return False
        finally:
            unfollow()

    async def async_step_returning(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Wait for the station to come back."""
        assert self._watching is not None
        if not self._watching.done():
            return self.async_show_progress(
                step_id="returning",
                progress_action="returning",
                progress_task=self._watching,
                description_placeholders={"station": self.station_name},
            )
        return self.async_show_progress_done(next_step_id="upgraded" if self._watching.result() else "not_upgraded")

    async def async_step_upgraded(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """The station came back on its new profile."""
        return self.finish("upgraded")

    async def async_step_prepared(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """All is set for the station's next restart."""
        return self.finish("upgrade_prepared")

    async def async_step_not_upgraded(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """The station came back as before, or did not come back yet."""
        came_back = live_profile(self.site_entry, self.identity) is not None
        return self.finish("upgrade_fell_back" if came_back else "upgrade_not_seen")
