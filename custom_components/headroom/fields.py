"""The fields that the forms are made of."""

from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import probatio as vol

from .circuit_tree import WIRINGS
from .configuration import IMBALANCES_A, PRIORITIES, ROTATIONS, evse_rotations
from .const import CONF_FUSE_A, CONF_IMBALANCE, CONF_LIMIT_KW, CONF_MARGIN_A, CONF_WIRED_TO, IMBALANCE_OFF, SECTION_ADVANCED
from .engine.model import ALL_PHASES

FUSE_MOST_A = 6300.0
"""The largest rating of a low-voltage circuit breaker in common use."""
POWER_MOST_KW = 5000.0
"""What three phases of that rating carry is less."""


def amps(least: float, most: float, step: float = 0.5) -> NumberSelector:
    """Ask for a current per phase."""
    return NumberSelector(NumberSelectorConfig(min=least, max=most, step=step, unit_of_measurement="A", mode=NumberSelectorMode.BOX))


def whole(least: int, most: int, unit: str | None = None) -> vol.All[Any]:
    """Ask for a whole number."""
    config = NumberSelectorConfig(min=least, max=most, step=1, mode=NumberSelectorMode.BOX)
    if unit:
        config["unit_of_measurement"] = unit
    return vol.All(NumberSelector(config), vol.Coerce(int))


def kilowatts(most: float) -> NumberSelector:
    """Ask for a power."""
    return NumberSelector(NumberSelectorConfig(min=0.1, max=most, step=0.1, unit_of_measurement="kW", mode=NumberSelectorMode.BOX))


def choice(labels: Mapping[str, str], *, custom: bool = False, listed: bool = False, translation_key: str | None = None) -> SelectSelector:
    """Ask for one of some values, given with their labels; the translation's label goes first where there is one.

    `listed`: all are seen at once, to compare them.
    """
    config = SelectSelectorConfig(
        options=[SelectOptionDict(value=value, label=label) for value, label in labels.items()],
        custom_value=custom,
        mode=SelectSelectorMode.LIST if listed else SelectSelectorMode.DROPDOWN,
    )
    if translation_key:
        config["translation_key"] = translation_key
    return SelectSelector(config)


def hangs_on(key: str, circuits: Mapping[str, str], circuit_id: str) -> dict[vol.Marker, object]:
    """Ask which of some circuits feeds something. `circuit_id` is proposed; nothing is where it was deleted."""
    proposed = {"default": circuit_id} if circuit_id in circuits else {}
    return {vol.Required(key, **proposed): choice(circuits)}


def phases() -> SelectSelector:
    """Ask for one phase or three."""
    return choice({"3": "3", "1": "1"}, translation_key="phases")


def supply() -> SelectSelector:
    """Ask what kind of connection to the grid there is, by its conductors."""
    return choice({"3": "3", "1": "1", "2": "2"}, translation_key="supply")


def rotation(phases: int) -> SelectSelector:
    """Ask which conductors of a grid with so many are behind the terminals."""
    return choice(
        {value: ", ".join(value[at : at + 2] for at in range(0, len(value), 2)) for value in evse_rotations(phases)},
        translation_key="rotation",
    )


def phase_order() -> SelectSelector:
    """Ask which grid conductors a meter's L1, L2 and L3 are wired to."""
    return choice({value: ", ".join(value[at : at + 2] for at in range(0, len(value), 2)) for value in ROTATIONS[3][:-1]})


def wired_to(phases: int) -> dict[vol.Marker, object]:
    """Ask which conductors of a grid with so many something hangs on; nothing where there is one."""
    if phases == 1:
        return {}
    there = {value: [phase.name for phase in wired if phase in ALL_PHASES[:phases]] for value, wired in WIRINGS.items()}
    return {vol.Required(CONF_WIRED_TO, default="L1L2L3"): choice({value: ", ".join(names) for value, names in there.items() if names})}


def token_type(kinds: Iterable[str]) -> SelectSelector:
    """Ask what kind of token it is."""
    return choice({kind: kind for kind in kinds}, translation_key="id_token_type")


def priority() -> SelectSelector:
    """Ask where a token's car stands among the others."""
    return choice({value: value for value in PRIORITIES}, translation_key="priority")


def advanced(schema: Mapping[vol.Marker, object]) -> section:
    """Put fields that few people need into a section that is closed at first."""
    return section(vol.Schema(schema), {"collapsed": True})


def constraints(phases: int) -> dict[vol.Marker, object]:
    """Ask what else a circuit with so many phases is kept within, beside its fuse."""
    schema: dict[vol.Marker, object] = {vol.Optional(CONF_LIMIT_KW): kilowatts(POWER_MOST_KW)}
    if phases == len(ALL_PHASES):
        schema[vol.Required(CONF_IMBALANCE, default=IMBALANCE_OFF)] = choice(
            {value: value for value in IMBALANCES_A}, translation_key="imbalance"
        )
    return schema


def flat(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers with those of the section among the others."""
    return {key: value for key, value in user_input.items() if key != SECTION_ADVANCED} | dict(user_input[SECTION_ADVANCED])


def circuit_errors(user_input: Mapping[str, Any], worst_key: str) -> dict[str, str]:
    """Return what can't be in a circuit's numbers, by field."""
    errors = {}
    if user_input[CONF_MARGIN_A] >= user_input[CONF_FUSE_A]:
        errors[CONF_MARGIN_A] = "margin_reaches_fuse"
    if user_input[worst_key] >= user_input[CONF_FUSE_A]:
        errors[worst_key] = "worst_case_reaches_fuse"
    return errors
