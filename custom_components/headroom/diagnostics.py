"""What a bug report needs, without what it must not tell: tokens, addresses, serial numbers, passwords."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
import math
import re
from typing import Any

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import AnyDeviceEntry
from yarl import URL

from .configuration import authorization_policy
from .const import CONF_ID_TOKENS, CONF_METER, CONF_SECURITY
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .csms.frame_log import SECRET_VARIABLE, Line
from .csms.log_text import tail
from .csms.url_secrets import without_url_secrets
from .csms.values import Inventory
from .site.config import EvseKey
from .subjects import EvseSubject, StationSubject, subjects

DECISIONS = 20

TO_REDACT = {
    CONF_HOST,
    CONF_ID_TOKENS,
    CONF_SECURITY,
    "id_token",
    "password",
    "remote",
    "serial_number",
    "token",
    "tokens",
    "url",
    "username",
}
"""Keys whose values are left out wherever they are found."""

NETWORK_VARIABLE = re.compile(r"address|url|ssid|apn", re.IGNORECASE)
"""Variables of a station's device model that name its network: left out beside its secrets."""


def as_json(value: Any) -> Any:
    """Return a value of ours as JSON: dataclasses as objects, keys as strings, times in ISO 8601."""
    match value:
        case Enum():
            return value.value if isinstance(value.value, str) else value.name
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case datetime():
            return value.isoformat()
        case EvseKey():
            return str(value)
        case Mapping():
            return {(key if isinstance(key, str) else str(as_json(key))): as_json(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted((as_json(item) for item in value), key=str)
        case list() | tuple():
            return [as_json(item) for item in value]
        case _ if is_dataclass(value):
            return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
        case _:
            return str(value)


def _is_secret(variable: str) -> bool:
    return (SECRET_VARIABLE.search(variable) or NETWORK_VARIABLE.search(variable)) is not None


def _redacted(entry: HeadroomConfigEntry, data: Any) -> Any:
    """Redact by key, by a variable's name, and wherever a text repeats an address or a token (an error's, a source's)."""
    site = entry.runtime_data.data if entry.state is ConfigEntryState.LOADED else None
    remotes = [] if site is None else [*(each.remote for each in site.stations.values()), *(each.remote for each in site.pending.values())]
    described = [entry.data, *(subentry.data for subentry in entry.subentries.values())]
    meters = [data.get(CONF_METER, {}) for data in described]
    hosts = [entry.data.get(CONF_HOST), *(meter.get(CONF_HOST) or URL(meter.get(CONF_URL, "")).host for meter in meters)]
    tokens = [token.value for token in authorization_policy(entry).tokens]
    words = [*remotes, *hosts, *tokens]
    secret = re.compile("|".join(re.escape(word) for word in sorted(filter(None, words), key=len, reverse=True)) or r"(?!)")

    def scrub(value: Any) -> Any:
        match value:
            case str():
                return secret.sub(REDACTED, without_url_secrets(value))
            case dict():
                return {key: REDACTED if item and "." in key and _is_secret(key) else scrub(item) for key, item in value.items()}
            case list():
                return [scrub(item) for item in value]
            case _:
                return value

    return scrub(async_redact_data(as_json(data), TO_REDACT))


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: HeadroomConfigEntry) -> dict[str, Any]:
    """Return the site: how it is configured and, where it runs, what it shows and what it decided last."""
    coordinator = entry.runtime_data if entry.state is ConfigEntryState.LOADED else None
    data: dict[str, Any] = _redacted(
        entry,
        {
            "data": entry.data,
            "options": entry.options,
            "subentries": [
                {"type": subentry.subentry_type, "title": subentry.title, "data": subentry.data} for subentry in entry.subentries.values()
            ],
            "state": entry.state,
            "snapshot": None,
        }
        | ({} if coordinator is None else _running(coordinator)),
    )
    return data


def _running(coordinator: HeadroomCoordinator) -> dict[str, Any]:
    """Return what there is to tell of a site that runs."""
    return {
        "inventories": {identity: _summary(station.inventory) for identity, station in coordinator.data.stations.items()},
        "look_ahead": {"solver": coordinator.solver},
        "snapshot": coordinator.data,
        "decisions": coordinator.site.documents(DECISIONS),
    }


async def async_get_device_diagnostics(hass: HomeAssistant, entry: HeadroomConfigEntry, device: AnyDeviceEntry) -> dict[str, Any]:
    """Return what the site knows of one device, a station with its EVSEs, and what it decided last; nothing where it does not run."""
    if entry.state is not ConfigEntryState.LOADED:
        return {"snapshot": None, "state": entry.state.value}
    coordinator = entry.runtime_data
    site = coordinator.data
    subject = next((subject for subject in subjects(site) if subject.identifier(entry) in device.identifiers), None)
    data: dict[str, Any] = _redacted(
        entry,
        {
            "snapshot": subject.snapshot(site) if subject else None,
            "evses": [
                evse
                for key, evse in site.evses.items()
                if (isinstance(subject, StationSubject) and key.station == subject.identity)
                or (isinstance(subject, EvseSubject) and key == subject.key)
            ],
            "log": await hass.async_add_executor_job(_log, coordinator, subject.identity) if isinstance(subject, StationSubject) else None,
            "frames": _frames(coordinator, subject.identity) if isinstance(subject, StationSubject) else [],
            "decisions": coordinator.site.documents(DECISIONS),
        },
    )
    return data


def _summary(found: Inventory) -> dict[str, Any]:
    """Return what a station's device model comes to."""
    return {
        "variables": len(found.device),
        "writable": sum(variable.writable for variable in found.device.values()),
        "connectors": {str(evse_id): len(connectors) for evse_id, connectors in found.evse_connectors.items()},
        "smart_charging": found.smart_charging,
        "awaiting_reboot": found.awaiting_reboot,
    }


def _frames(coordinator: HeadroomCoordinator, identity: str) -> list[Line]:
    """Return a station's last frames, redacted; a capture for tests/replay is made of them."""
    memory = coordinator.central_system.memories.get(identity)
    return [] if memory is None else memory.frames.lines()


def _log(coordinator: HeadroomCoordinator, identity: str) -> Mapping[str, Any] | None:
    """Return the end of the newest log that a station uploaded, redacted; None where there is none. Blocking."""
    if (file := coordinator.logs.newest(identity)) is None:
        return None
    content = file.read_bytes()
    return {"file": file.name, "size_bytes": len(content), "tail": tail(content)}
