"""The flow that adds and changes charging stations. What it stores is applied without a reload."""

from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentryFlow, SubentryFlowContext, SubentryFlowResult

from .const import CONF_IDENTITY, CONF_SECURITY
from .station_form import StationDraft
from .station_security_flow import StationSecuritySteps

if TYPE_CHECKING:
    from .coordinator import HeadroomConfigEntry


class StationFlow(StationSecuritySteps[SubentryFlowContext, SubentryFlowResult, tuple[str, str]], ConfigSubentryFlow):
    """Add or change a charging station, its EVSEs, and how it shows who it is."""

    _draft: StationDraft | None = None

    @property
    def draft(self) -> StationDraft:
        """The station as described so far."""
        if self._draft is None:
            self._draft = StationDraft(self._get_entry())
            if self.source == SOURCE_RECONFIGURE:
                subentry = self._get_reconfigure_subentry()
                self._draft = StationDraft(self._get_entry(), subentry.data[CONF_IDENTITY], subentry.title, subentry.data)
        return self._draft

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about a new station."""
        return await self._ask(user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Let a person choose what to change."""
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=["station", "new_password", "rotate_password", "upgrade"],
            description_placeholders={"station": self.station_name},
        )

    async def async_step_station(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask again about a station that there is."""
        return await self._ask(user_input)

    async def _ask(self, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        errors = self.draft.submit_station(user_input) if user_input else {}
        if user_input and not errors:
            return await self.async_step_evse()
        schema = self.draft.station_schema()
        changing = self.source == SOURCE_RECONFIGURE
        return self.async_show_form(
            step_id="station" if changing else "user",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders={"station": self.station_name} if changing else None,
            last_step=False,
        )

    async def async_step_evse(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about one EVSE after the other."""
        draft = self.draft
        errors = draft.submit_evse(user_input) if user_input else {}
        if draft.complete and self.source != SOURCE_RECONFIGURE:
            return await self.async_step_authentication()
        if draft.complete:
            subentry = self._get_reconfigure_subentry()
            return self.async_update_and_abort(draft.entry, subentry, title=draft.name, data={**subentry.data, **draft.data})
        return self.async_show_form(
            step_id="evse",
            data_schema=self.add_suggested_values_to_schema(draft.evse_schema(), user_input if errors else None),
            errors=errors,
            description_placeholders=draft.evse_placeholders(),
            last_step=False if self.source != SOURCE_RECONFIGURE else None,
        )

    @property
    @override
    def site_entry(self) -> HeadroomConfigEntry:
        """The site."""
        return self._get_entry()

    @property
    @override
    def identity(self) -> str:
        """The station's identity."""
        return self.draft.identity

    @property
    @override
    def station_name(self) -> str:
        """What the station is called, or is going to be."""
        return self.draft.name or self.draft.identity

    @override
    def after_password(self) -> SubentryFlowResult:
        """Add the station, with what it is to be recognised by."""
        if self.source == SOURCE_RECONFIGURE:
            return super().after_password()
        data = self.draft.data | ({CONF_SECURITY: dict(self.security)} if self.security else {})
        return self.async_create_entry(title=self.draft.name, data=data, unique_id=self.draft.identity)

    @override
    def finish(self, outcome: str) -> SubentryFlowResult:
        """End the flow."""
        return self.async_abort(reason=outcome)
