"""Block D of OCPP 2.0.1: how a station's local authorization list is brought from what it holds to what it is to hold. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
import json
from typing import Any

from ..frames import Payload

LARGEST_VERSION = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a station holds as far as it confirmed it. `entries` are OCPP's AuthorizationData by token; version 0: nothing (D02)."""

    version: int = 0
    entries: Mapping[str, Payload] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One SendLocalList, and what the station holds once it accepted it."""

    payload: Payload
    then: Held


def is_known(held: Held, reported_version: int) -> bool:
    """Return whether a station is known to hold what we think it does: it reports the version that it confirmed last."""
    return 0 < held.version == reported_version


def updates(
    held: Held, reported_version: int, wanted: Mapping[str, Payload], *, items: int, most_bytes: int | None, whole: bool = False
) -> Iterator[Update]:
    """Yield the requests that bring a station to `wanted`, each to be sent once the one before it is accepted.

    What changed is enough where it is known what the station holds. Any other station gets the whole list, and with `whole` any. No request holds more than `items` tokens, or more than `most_bytes` where it can be helped.
    """
    known = is_known(held, reported_version) and not whole
    if known and held.entries == wanted:
        return
    if not known and reported_version <= 0 and not wanted and not whole:
        return
    before = held.entries if known else {}
    removed = {key: {"idToken": entry["idToken"]} for key, entry in before.items() if key not in wanted}
    changed = {key: entry for key, entry in wanted.items() if before.get(key) != entry}
    version, entries, kind = max(held.version, reported_version, 0), dict(before), "Differential" if known else "Full"
    for part in _parts([*removed.items(), *changed.items()], items, most_bytes):
        version = 1 if version >= LARGEST_VERSION else version + 1
        for key, entry in part:
            entries.pop(key, None)
            if "idTokenInfo" in entry:
                entries[key] = entry
        payload: dict[str, Any] = {"versionNumber": version, "updateType": kind}
        if part:
            payload["localAuthorizationList"] = [entry for _, entry in part]
        yield Update(payload=payload, then=Held(version=version, entries=dict(entries)))
        kind = "Differential"


def _parts(entries: Iterable[tuple[str, Payload]], items: int, most_bytes: int | None) -> Iterator[list[tuple[str, Payload]]]:
    """Yield the entries in parts; one empty part where there are none, for a whole list that is empty (D01.FR.03).

    What is taken off as of one type and put on as of another is in two parts: no token stands twice in a request (D01.FR.11), and many
    stations look at the value alone.
    """
    part: list[tuple[str, Payload]] = []
    values: set[str] = set()
    size = frame = 200  # the frame around the list
    for key, entry in entries:
        entry_size, value = len(json.dumps(entry)) + 1, entry["idToken"]["idToken"].casefold()
        if part and (len(part) >= items or value in values or (most_bytes is not None and size + entry_size > most_bytes)):
            yield part
            part, size, values = [], frame, set()
        part.append((key, entry))
        values.add(value)
        size += entry_size
    yield part
