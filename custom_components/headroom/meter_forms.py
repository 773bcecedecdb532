"""The forms about a meter, by its kind, and which of what is typed in there can't be."""

from collections.abc import Mapping
from typing import Any

from homeassistant.const import CONF_DEVICE, CONF_HOST, CONF_MODEL, CONF_PASSWORD, CONF_PORT, CONF_TOKEN, CONF_URL, CONF_USERNAME
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio as vol

from . import fields
from .const import (
    CONF_BAUD_RATE,
    CONF_CURRENT,
    CONF_CURRENT_UNIT,
    CONF_ENERGY_UNIT,
    CONF_EXPORT_ENERGY,
    CONF_EXPORTED,
    CONF_EXPORTED_TOTAL,
    CONF_FRAMING,
    CONF_IMPORT_ENERGY,
    CONF_INVERT,
    CONF_ONLY_CHANGES,
    CONF_PARITY,
    CONF_POWER,
    CONF_POWER_TOTAL,
    CONF_POWER_UNIT,
    CONF_STOP_BITS,
    CONF_UNIT_ID,
    DEFAULT_MODBUS_PORT,
    DEFAULT_UNIT_ID,
    METER_ENTITIES,
    METER_MODBUS,
    METER_REST,
    METER_SERIAL,
    MODEL_AUTO,
    SECTION_ADVANCED,
)
from .metering.maps import METERS

SECRETS = (CONF_PASSWORD, CONF_TOKEN)
NEEDED = (CONF_DEVICE, CONF_HOST, CONF_URL)
"""What no meter can do without, and may be of blanks only all the same."""


def meter_schema(kind: str, phases: int) -> vol.Schema:
    """Return the form about a meter of this kind at a place with so many phases."""
    forms = {METER_MODBUS: _modbus, METER_SERIAL: _serial, METER_ENTITIES: _entities, METER_REST: _rest}
    schema, more = forms[kind](phases)
    return vol.Schema({**schema, vol.Required(SECTION_ADVANCED): fields.advanced(more)})


def unmeasured(kind: str, meter: Mapping[str, Any], phases: int) -> dict[str, str]:
    """Return why a meter does not measure all phases of its place, each by numbers of its own, by field."""
    if kind in (METER_MODBUS, METER_SERIAL):
        layout = METERS.get(meter[CONF_MODEL])
        return {CONF_MODEL: "too_few_phases"} if layout is not None and not layout.models and layout.phases < phases else {}
    given = [sum(bool(meter.get(f"{key}{phase}")) for phase in (1, 2, 3)) for key in (CONF_CURRENT, CONF_POWER)]
    if not {*given} <= {0, phases} or not (any(given) or meter.get(CONF_POWER_TOTAL)):
        return {"base": "entities_incomplete" if kind == METER_ENTITIES else "paths_incomplete"}
    exported = sum(bool(meter.get(f"{CONF_EXPORTED}{phase}")) for phase in (1, 2, 3))
    alike = (
        [f"{CONF_CURRENT}{phase}" for phase in (1, 2, 3)],
        [f"{key}{phase}" for key in (CONF_POWER, CONF_EXPORTED) for phase in (1, 2, 3)],
        [CONF_POWER_TOTAL, CONF_EXPORTED_TOTAL],
        [CONF_IMPORT_ENERGY, CONF_EXPORT_ENERGY],
    )
    if any(len({*names}) < len(names) for names in ([meter[key] for key in keys if meter.get(key)] for keys in alike)):
        return {"base": "chosen_twice"}
    unpaired = exported not in (0, given[1]) or (bool(meter.get(CONF_EXPORTED_TOTAL)) and not meter.get(CONF_POWER_TOTAL))
    return {"base": "exported_unpaired"} if unpaired else {}


type _Form = tuple[dict[vol.Marker, object], dict[vol.Marker, object]]
"""The fields, and those of the closed section."""


def _modbus(phases: int) -> _Form:
    framings = {"tcp": "Modbus TCP", "rtu": "Modbus RTU over TCP"}
    return {
        vol.Required(CONF_MODEL, default=MODEL_AUTO): _model(),
        vol.Required(CONF_HOST): TextSelector(),
        vol.Required(CONF_PORT, default=DEFAULT_MODBUS_PORT): fields.whole(1, 65535),
        vol.Required(CONF_UNIT_ID, default=DEFAULT_UNIT_ID): fields.whole(0, 255),
    }, {vol.Required(CONF_FRAMING, default="tcp"): fields.choice(framings), vol.Required(CONF_INVERT, default=False): BooleanSelector()}


def _serial(phases: int) -> _Form:
    rates = {str(rate): str(rate) for rate in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)}
    return {
        vol.Required(CONF_MODEL, default=MODEL_AUTO): _model(),
        vol.Required(CONF_DEVICE): TextSelector(),
        vol.Required(CONF_BAUD_RATE, default="9600"): fields.choice(rates),
        vol.Required(CONF_PARITY, default="n"): fields.choice({key: key for key in ("n", "e", "o")}, translation_key="parity"),
        vol.Required(CONF_UNIT_ID, default=DEFAULT_UNIT_ID): fields.whole(0, 255),
    }, {
        vol.Required(CONF_STOP_BITS, default="1"): fields.choice({"1": "1", "2": "2"}),
        vol.Required(CONF_INVERT, default=False): BooleanSelector(),
    }


def _model() -> object:
    return fields.choice({MODEL_AUTO: MODEL_AUTO} | {key: meter.name for key, meter in METERS.items()}, translation_key="meter_model")


def _entities(phases: int) -> _Form:
    def sensor(device_class: str) -> EntitySelector:
        return EntitySelector(EntitySelectorConfig(filter={"domain": "sensor", "device_class": device_class}))

    schema, more = _numbers(phases, current=sensor("current"), power=sensor("power"), energy=sensor("energy"))
    return schema, {**more, vol.Required(CONF_ONLY_CHANGES, default=False): BooleanSelector()}


def _rest(phases: int) -> _Form:
    secret = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))
    schema, more = _numbers(phases, current=TextSelector(), power=TextSelector(), energy=TextSelector())
    return {vol.Required(CONF_URL): TextSelector(TextSelectorConfig(type=TextSelectorType.URL)), **schema}, {
        vol.Required(CONF_CURRENT_UNIT, default="A"): fields.choice({"A": "A", "mA": "mA"}),
        vol.Required(CONF_POWER_UNIT, default="W"): fields.choice({"W": "W", "kW": "kW"}),
        vol.Required(CONF_ENERGY_UNIT, default="kWh"): fields.choice({"Wh": "Wh", "kWh": "kWh"}),
        **more,
        vol.Optional(CONF_USERNAME): TextSelector(),
        vol.Optional(CONF_PASSWORD): secret,
        vol.Optional(CONF_TOKEN): secret,
    }


def _numbers(phases: int, *, current: object, power: object, energy: object) -> _Form:
    """Ask where each number is, for a meter that is put together of single ones."""
    numbers = range(1, phases + 1)
    schema: dict[vol.Marker, object] = {vol.Optional(f"{CONF_CURRENT}{number}"): current for number in numbers}
    schema |= {vol.Optional(f"{CONF_POWER}{number}"): power for number in numbers}
    schema[vol.Optional(CONF_POWER_TOTAL)] = power
    more: dict[vol.Marker, object] = {vol.Required(CONF_INVERT, default=False): BooleanSelector()}
    more |= {vol.Optional(f"{CONF_EXPORTED}{number}"): power for number in numbers}
    more[vol.Optional(CONF_EXPORTED_TOTAL)] = power
    return schema, {**more, vol.Optional(CONF_IMPORT_ENERGY): energy, vol.Optional(CONF_EXPORT_ENERGY): energy}


def kept(kind: str, user_input: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a meter as it is stored.

    A secret that is left empty stays as it was, as long as the address does: a password with its user, a token unless a user is named.
    """
    typed = {
        key: value.strip() if isinstance(value, str) and key not in SECRETS else value for key, value in fields.flat(user_input).items()
    }
    meter = {key: value for key, value in typed.items() if value not in ("", None) or key in NEEDED}
    if kind == METER_REST and meter.get(CONF_URL) == known.get(CONF_URL):
        user = meter.get(CONF_USERNAME)
        secret = CONF_TOKEN if user is None else CONF_PASSWORD
        if known.get(secret) and user == known.get(CONF_USERNAME):
            meter = {secret: known[secret]} | meter
    return meter


def suggested(known: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a form shows of a meter that there is: everything but its secrets."""
    open_ones = {key: value for key, value in known.items() if key not in SECRETS}
    return {**open_ones, SECTION_ADVANCED: open_ones} if open_ones else None
