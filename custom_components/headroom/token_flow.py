"""The flow that adds and changes a card or another token, and the options about who may charge. A token is a secret throughout."""

from collections.abc import Mapping
import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME, CONF_TYPE
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.selector import (
    BooleanSelector,
    DateTimeSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.util import dt as dt_util
import probatio as vol

from . import fields
from .configuration import TOKEN_TYPES
from .const import (
    CONF_BLOCKED,
    CONF_CONCURRENT,
    CONF_EVSE_ID,
    CONF_EVSES,
    CONF_FREE_CHARGING,
    CONF_GROUP,
    CONF_ID_TOKEN,
    CONF_ID_TOKENS,
    CONF_IDENTITY,
    CONF_KEEPS_PHASES,
    CONF_MASTER_PASS,
    CONF_NO_AUTHORIZATION,
    CONF_PLACES,
    CONF_PRESENTED,
    CONF_PRIORITY,
    CONF_UNKNOWN_OFFLINE,
    CONF_VALID_UNTIL,
    PRIORITY_OF_EVSE,
    SUBENTRY_ID_TOKEN,
    SUBENTRY_STATION,
    TYPE_ANY,
)
from .csms.authorization import normalised

if TYPE_CHECKING:  # the coordinator raises the repairs, which are made of forms
    from .coordinator import HeadroomConfigEntry
    from .site.tokens import Stranger

LONGEST_TOKEN = 36
"""OCPP's, in characters."""
LONGEST_GROUP = 36
SHORTEST_SHOWN = 8
"""Characters of a token whose last two may be shown: a card's number has as many or more (ISO/IEC 14443-3)."""

OPTIONS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_FREE_CHARGING, default=False): BooleanSelector(),
        vol.Required(CONF_NO_AUTHORIZATION, default=False): BooleanSelector(),
        vol.Required(CONF_UNKNOWN_OFFLINE, default=False): BooleanSelector(),
    }
)


def token_unique_id(entry: ConfigEntry, value: str) -> str:
    """Return what tells a token from the others of a site, and does not tell the token."""
    return hashlib.blake2b(normalised(value).encode(), key=entry.entry_id.encode()[:64], digest_size=16).hexdigest()


@callback
def async_adopt_tokens(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Make a subentry of each token that stands in the options, so that all are edited in one place."""
    if not (values := entry.options.get(CONF_ID_TOKENS)):
        return
    known = {subentry.unique_id for subentry in entry.get_subentries_of_type(SUBENTRY_ID_TOKEN)}
    for number, value in enumerate(values, len(known) + 1):
        if (unique_id := token_unique_id(entry, value)) in known:
            continue
        known.add(unique_id)
        # Of such a token nothing is known but that it may charge, anywhere and as often as it likes.
        data = {CONF_ID_TOKEN: value, CONF_TYPE: TYPE_ANY, CONF_CONCURRENT: True}
        subentry = ConfigSubentry(
            data=MappingProxyType(data), subentry_type=SUBENTRY_ID_TOKEN, title=f"Token {number}", unique_id=unique_id
        )
        hass.config_entries.async_add_subentry(entry, subentry)
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_ID_TOKENS: []})


class IdTokenFlow(ConfigSubentryFlow):
    """Add or change a card, a key fob or another token."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about the token."""
        entry = self._get_entry()
        strangers = self._strangers(entry)
        errors: dict[str, str] = {}
        if user_input is not None:
            data, errors = self._submitted(user_input, strangers)
            unique_id = "" if errors else token_unique_id(entry, data[CONF_ID_TOKEN])
            if not errors and self._taken(entry, unique_id):
                errors = {CONF_ID_TOKEN: "token_taken"}
            if not errors:
                return self._finish(entry, data, unique_id)
        changing = self.source == SOURCE_RECONFIGURE
        # What was typed as a token is not sent back to be shown.
        suggested = self._stored() if user_input is None else {key: value for key, value in user_input.items() if key != CONF_ID_TOKEN}
        return self.async_show_form(
            step_id="reconfigure" if changing else "user",
            data_schema=self.add_suggested_values_to_schema(self._schema(entry, strangers), suggested),
            errors=errors,
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask again."""
        return await self.async_step_user(user_input)

    def _schema(self, entry: ConfigEntry, strangers: Mapping[str, Stranger]) -> vol.Schema:
        schema: dict[vol.Marker, object] = {vol.Required(CONF_NAME): TextSelector()}
        if strangers:
            schema[vol.Optional(CONF_PRESENTED)] = fields.choice({key: self._label(entry, one) for key, one in strangers.items()})
        schema |= {
            vol.Optional(CONF_ID_TOKEN): TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD)),
            vol.Required(CONF_TYPE, default=TYPE_ANY): fields.token_type(TOKEN_TYPES),
            vol.Optional(CONF_GROUP): TextSelector(),
            vol.Optional(CONF_VALID_UNTIL): DateTimeSelector(),
        }
        if places := self._gone_places() | _places(entry):
            options = [SelectOptionDict(value=value, label=label) for value, label in places.items()]
            schema[vol.Optional(CONF_PLACES)] = SelectSelector(SelectSelectorConfig(options=options, multiple=True))
        schema[vol.Required(CONF_PRIORITY, default=PRIORITY_OF_EVSE)] = fields.priority()
        schema |= {
            vol.Required(flag, default=False): BooleanSelector()
            for flag in (CONF_CONCURRENT, CONF_KEEPS_PHASES, CONF_BLOCKED, CONF_MASTER_PASS)
        }
        return vol.Schema(schema)

    def _gone_places(self) -> dict[str, str]:
        """Return where the token was said to be good for, by itself: a station that is gone must not make it good everywhere."""
        return {place: place for place in self._stored().get(CONF_PLACES, ())}

    def _label(self, entry: ConfigEntry, stranger: Stranger) -> str:
        """Say which token it is to whoever has just held it to a reader, without saying the token.

        Of a long number the last two characters tell two cards that were held there one after the other apart; of a short one, a code
        that is typed, they would be half of it.
        """
        stations = {subentry.data[CONF_IDENTITY]: subentry.title for subentry in entry.get_subentries_of_type(SUBENTRY_STATION)}
        at, value = dt_util.as_local(stranger.at), stranger.token.value
        ending = f" …{value[-2:]}" if len(normalised(value)) >= SHORTEST_SHOWN else ""
        return f"{at:%H:%M:%S}, {stations.get(stranger.station, stranger.station)}, {stranger.token.type}{ending}"

    def _submitted(self, user_input: Mapping[str, Any], strangers: Mapping[str, Stranger]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the subentry's data, and the errors by field."""
        data = {key: value for key, value in user_input.items() if key not in (CONF_PRESENTED, CONF_ID_TOKEN)}
        typed = user_input.get(CONF_ID_TOKEN, "").strip()
        if typed:
            data[CONF_ID_TOKEN] = typed
        elif (stranger := strangers.get(user_input.get(CONF_PRESENTED, ""))) is not None:
            data[CONF_ID_TOKEN] = stranger.token.value
        elif self.source == SOURCE_RECONFIGURE:
            data[CONF_ID_TOKEN] = self._get_reconfigure_subentry().data[CONF_ID_TOKEN]
        else:
            return data, {CONF_ID_TOKEN: "token_missing"}
        if len(data[CONF_ID_TOKEN]) > LONGEST_TOKEN:
            return data, {CONF_ID_TOKEN: "token_too_long"}
        if len(data.get(CONF_GROUP, "")) > LONGEST_GROUP:
            return data, {CONF_GROUP: "group_too_long"}
        return data, {}

    def _taken(self, entry: ConfigEntry, unique_id: str) -> bool:
        own = self._get_reconfigure_subentry().subentry_id if self.source == SOURCE_RECONFIGURE else None
        others = entry.get_subentries_of_type(SUBENTRY_ID_TOKEN)
        return any(other.unique_id == unique_id and other.subentry_id != own for other in others)

    def _finish(self, entry: ConfigEntry, data: dict[str, Any], unique_id: str) -> SubentryFlowResult:
        title = data[CONF_NAME]
        if self.source == SOURCE_RECONFIGURE:
            return self.async_update_and_abort(entry, self._get_reconfigure_subentry(), title=title, data=data, unique_id=unique_id)
        return self.async_create_entry(title=title, data=data, unique_id=unique_id)

    def _stored(self) -> dict[str, Any]:
        """Return what is to be changed, without the token; nothing where one is added."""
        if self.source != SOURCE_RECONFIGURE:
            return {}
        subentry = self._get_reconfigure_subentry()
        return {CONF_NAME: subentry.title, **{key: value for key, value in subentry.data.items() if key != CONF_ID_TOKEN}}

    def _strangers(self, entry: HeadroomConfigEntry) -> Mapping[str, Stranger]:
        """Return the tokens nobody knows that were held to a reader lately, the newest first, by what doesn't tell them."""
        if entry.state is not ConfigEntryState.LOADED:
            return {}
        strangers = reversed(list(entry.runtime_data.site.authorization.book.strangers.values()))
        return {token_unique_id(entry, stranger.token.value): stranger for stranger in strangers}


def _places(entry: ConfigEntry) -> dict[str, str]:
    """Return where a token may be good for: stations, and the EVSEs of those that have several."""
    places: dict[str, str] = {}
    for station in entry.get_subentries_of_type(SUBENTRY_STATION):
        places[station.data[CONF_IDENTITY]] = station.title
        if len(evses := station.data[CONF_EVSES]) > 1:
            places |= {f"{station.data[CONF_IDENTITY]}/{evse[CONF_EVSE_ID]}": f"{station.title} {evse[CONF_EVSE_ID]}" for evse in evses}
    return places
