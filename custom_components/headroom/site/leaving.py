"""Stations and EVSEs that were removed and may let something flow yet: it stays reserved until they hold nothing, or a person says that they are off.

Forgetting one does not switch it off: its cars go on by what it holds, for ever by its fallback. A station is known by its identity here,
and an EVSE that its station goes on without by its key's string.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..csms.values import Inventory
from ..engine.model import Phase
from .config import EvseConfig, EvseKey, SiteConfig, StationConfig
from .evse import EvseState
from .led import doubtful
from .taking_up import known_fields, taking_up


@dataclass(slots=True)
class _Leaving:
    config: StationConfig
    here: bool
    """Its connection is still the one of when it was removed: it is told to let nothing flow."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """It holds nothing any more and its cars were seen to follow, or it has come back, or can be told nothing."""


class Leaving:
    """Which they are. The site reckons with them as with its own."""

    def __init__(self) -> None:
        self._stations: dict[str, _Leaving] = {}
        self._evses: dict[EvseKey, EvseConfig] = {}
        """Those that stations of the site do not have any more."""
        self._recalled: dict[str, StationConfig] = {}
        """The stations of before a restart."""
        self.documents: Sequence[Mapping[str, Any]] = ()
        """All stations that the site reckons with, as JSON-able data: which were removed while nothing runs here is seen by these."""

    def __contains__(self, leaver: object) -> bool:
        """Tell whether a station leaves, or an EVSE, be it with its station."""
        return leaver in self._stations or (isinstance(leaver, EvseKey) and (leaver in self._evses or leaver.station in self._stations))

    @property
    def evses(self) -> Collection[EvseKey]:
        """The EVSEs that their stations go on without."""
        return self._evses.keys()

    @property
    def away(self) -> Mapping[str, StationConfig]:
        """Those that are told nothing any more: what they hold, they hold."""
        return {identity: each.config for identity, each in self._stations.items() if not each.here}

    def beside(self, before: Mapping[str, StationConfig], config: SiteConfig, online: Collection[str]) -> SiteConfig:
        """Return a changed site with what it reckons with besides: the stations and EVSEs of `before` that it does not have any more.

        `online` are those that are connected. What hung on a circuit that is deleted as well counts at the main fuse.
        """
        known = [*self._recalled.values(), *before.values(), *(each.config for each in self._stations.values())]
        self._recalled = {}
        for station in known:
            if station.identity in config.stations:
                self._evses |= {EvseKey(station.identity, evse.evse_id): evse for evse in station.evses}
                self.forget(station.identity)
            elif station.identity not in self._stations:
                self._stations[station.identity] = _Leaving(self._whole(station), station.identity in online)
        there = {EvseKey(identity, evse.evse_id) for identity, station in config.stations.items() for evse in station.evses}
        self._evses = {key: evse for key, evse in self._evses.items() if key.station in config.stations and key not in there}
        circuits = {circuit.circuit_id for circuit in config.circuits}
        for each in self._stations.values():
            if each.config.circuit_id not in circuits:
                each.config = replace(each.config, circuit_id=config.root.circuit_id)
        stations = {identity: self._whole(station) for identity, station in config.stations.items()}
        stations |= {identity: each.config for identity, each in self._stations.items()}
        self.documents = [asdict(station) for station in stations.values()]
        return replace(config, stations=stations)

    def _whole(self, station: StationConfig) -> StationConfig:
        """Return a station with those of its EVSEs that it goes on without."""
        left = [evse for key, evse in self._evses.items() if key.station == station.identity]
        return replace(station, evses=(*station.evses, *left))

    def staying(self, config: SiteConfig) -> dict[str, StationConfig]:
        """Return a site's stations without what leaves, by identity."""
        return {
            identity: replace(station, evses=tuple(evse for evse in station.evses if EvseKey(identity, evse.evse_id) not in self))
            for identity, station in config.stations.items()
            if identity not in self
        }

    def forget(self, leaver: str) -> None:
        """Reckon with it no more."""
        self._evses = {key: evse for key, evse in self._evses.items() if str(key) != leaver}
        if (leaving := self._stations.pop(leaver, None)) is not None:
            leaving.over.set()

    def admits(self, identity: str) -> bool:
        """Tell whether a station's connection is one that it may be told its limits by; whoever comes anew is a stranger."""
        return (leaving := self._stations.get(identity)) is None or leaving.here

    def disconnected(self, identity: str) -> bool:
        """Take note that a connection has closed; True where it was that of a station that leaves."""
        if (leaving := self._stations.get(identity)) is None:
            return False
        leaving.here = False
        leaving.over.set()
        return True

    async def wait(self, identity: str) -> None:
        """Return once a station that leaves holds nothing and its cars were seen to follow, or it can be told nothing any more."""
        if (leaving := self._stations.get(identity)) is not None and leaving.here:
            await leaving.over.wait()

    def gone(self, evses: Mapping[EvseKey, EvseState], inventory_of: Callable[[str], Inventory], now: float) -> Sequence[str]:
        """Return those that hold nothing any more, and whose cars have had the time to follow; as far as all is known.

        Nor does an EVSE hold anything that its station does not have, or that was never seen here: what it draws was the building's before.
        """
        dropped = [evses[key] for key in self._evses]
        gone = [
            str(evse.key)
            for evse in dropped
            if evse.new or not (holds_a(evse, now) or evse.reserved_a(now)) or _absent(evse, inventory_of(evse.key.station))
        ]
        for identity, leaving in self._stations.items():
            of_station = [evse for key, evse in evses.items() if key.station == identity and not evse.new]
            if any(holds_a(evse, now) for evse in of_station):
                continue
            reserved = [evse for evse in of_station if evse.reserved_a(now)]
            if not any(evse.session is not None for evse in reserved):
                leaving.over.set()  # no more is to be seen of it
            if not reserved:
                gone.append(identity)
        return gone

    def recall(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Take over the stations of before a restart: those that the site does not have any more were removed meanwhile, or leave yet."""
        for document in documents:
            with taking_up("a station"):
                station = _station_from(document)
                self._recalled[station.identity] = station


def _absent(evse: EvseState, inventory: Inventory) -> bool:
    """Tell whether its station tells of other EVSEs and nothing of this one."""
    told = {evse_id for evse_id in inventory.evse_connectors if evse_id > 0}
    return bool(told) and evse.key.evse_id not in told and evse.session is None


def _station_from(document: Mapping[str, Any]) -> StationConfig:
    evses = tuple(
        EvseConfig(
            **known_fields(EvseConfig, evse)
            | {conductors: tuple(Phase(phase) for phase in evse[conductors]) for conductors in ("grid_phases", "conductors")}
        )
        for evse in document["evses"]
    )
    return StationConfig(**known_fields(StationConfig, document) | {"evses": evses})


def holds_a(evse: EvseState, now: float) -> float:
    """Return the most that an EVSE lets flow or may, for good or by what runs yet; its rating where it does not heed what it holds."""
    return evse.rated_a if doubtful(evse) else max([evse.lasting_a, evse.inherited_a, *(limit_a for limit_a, _ in evse.held(now))])
