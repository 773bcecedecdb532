"""A site that runs, seen by a test: what people and cars do there, and what the physics and the loop show of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from custom_components.headroom.site.config import EvseKey, SiteConfig
from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.snapshot import EvseSnapshot
from custom_components.headroom.site.wiring import PhaseMap
from simulator.car import CarSpec
from simulator.electrical import PerPhase
from simulator.evse import token
from simulator.faults import SLOW_ANSWER_S
from simulator.pace import Pace
from simulator.site import SimulatedSite, Visit
from simulator.station import StationModel

from .place import Place
from .running import RunningSite


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What physics and the loop looked like at a second. `limits_a` and `draws_a` by station, in the order of the places."""

    at_s: float
    main_a: PerPhase
    draws_a: tuple[float, ...]
    pilots_a: tuple[float, ...]
    limits_a: tuple[float | None, ...]


class Scenario(RunningSite):
    """A site at work. Stations are counted from 1: number 1 is "CP1"."""

    def __init__(
        self,
        world: SimulatedSite,
        config: SiteConfig,
        *,
        step_s: float,
        memory: SiteMemory | None = None,
        places: Sequence[Place] = (),
        pace: Pace | None = None,
    ) -> None:
        super().__init__(world, config, step_s=step_s, memory=memory, pace=pace)
        self.places = places
        self.moments: list[Moment] = []
        self.on_second.append(self._look)

    def _look(self, at_s: float) -> None:
        world, evses = self.world, self.site.snapshot.evses
        keys = [EvseKey(identity, 1) for identity in world.stations]
        self.moments.append(
            Moment(
                at_s=at_s,
                main_a=world.current_a["main"],
                draws_a=tuple(station.evses[1].car_state.draw_a for station in world.stations.values()),
                pilots_a=tuple(station.evses[1].pilot_a for station in world.stations.values()),
                limits_a=tuple(evses[key].limit_a if key in evses else None for key in keys),
            )
        )

    # What people and cars do

    async def approve(self, number: int) -> None:
        """The user adds a station that is waiting."""
        identity = f"CP{number}"
        self.configure(stations={**self.config.stations, identity: self.places[number - 1].config(identity)})
        assert self._central_system is not None
        await self._central_system.approve(identity)

    async def until_true(self, condition: Callable[[], bool], within_s: float) -> float:
        """Let time pass until something holds; returns how long it took, and fails where it takes longer."""
        began = asyncio.get_running_loop().time()
        while not condition():
            waited_s = asyncio.get_running_loop().time() - began
            assert waited_s < within_s, f"not within {within_s} s: {self.story()}"
            await self.wait(self.driver.step_s)
        return asyncio.get_running_loop().time() - began

    def slow(self, number: int, answers_s: float = SLOW_ANSWER_S, applies_s: float = 10.0) -> None:
        """Make a station slow."""
        faults = self.model(number).faults
        faults.answer_after_s, faults.apply_after_s = answers_s, applies_s

    def plug_in(self, number: int, spec: CarSpec, card: str | None = "CARD", evse_id: int = 1) -> None:
        """Let a car come now; without a card it waits for a start from afar."""
        self.driver.touch()
        shown = None if card is None else token(card)
        self.world.plug_in(Visit(comes_s=0.0, station=f"CP{number}", evse_id=evse_id, car=spec, token=shown, soc=0.2))

    def unplug(self, number: int, evse_id: int = 1) -> None:
        """Let it leave now."""
        self.driver.touch()
        self.world.unplug(f"CP{number}", evse_id)

    # What can be seen

    def model(self, number: int) -> StationModel:
        """The station itself."""
        return self.world.stations[f"CP{number}"]

    def key(self, number: int, evse_id: int = 1) -> EvseKey:
        """Its EVSE's name."""
        return EvseKey(f"CP{number}", evse_id)

    def evse(self, number: int, evse_id: int = 1) -> EvseSnapshot:
        """What the loop shows of it."""
        return self.site.snapshot.evses[self.key(number, evse_id)]

    def phase_map(self, number: int) -> PhaseMap:
        """What the loop shows of how its EVSE is wired."""
        shown = self.evse(number).phase_map
        assert shown is not None
        return shown

    def problem(self, number: int) -> str | None:
        """What the loop shows to be wrong with it."""
        return self.site.snapshot.stations[f"CP{number}"].problem

    def reason(self, number: int, evse_id: int = 1) -> str | None:
        """Why its limit is what it is."""
        reason = self.evse(number, evse_id).reason
        return None if reason is None else str(reason.code)

    def draw_a(self, number: int, evse_id: int = 1) -> float:
        """What its car really draws on each of its phases."""
        return self.model(number).evses[evse_id].car_state.draw_a

    def pilot_a(self, number: int, evse_id: int = 1) -> float:
        """What it really offers."""
        return self.model(number).evses[evse_id].pilot_a

    def draws_a(self) -> list[float]:
        """What all cars draw."""
        return [self.draw_a(number + 1) for number in range(len(self.world.stations))]

    def charges(self, number: int) -> bool:
        """Whether energy flows."""
        return self.draw_a(number) > 1.0

    def installed(self, number: int, purpose: str) -> list[Mapping[str, Any]]:
        """The profiles of a purpose that a station holds."""
        return [one.profile for one in self.model(number).profiles.installed if one.purpose == purpose]

    def fallback_a(self, number: int) -> float | None:
        """The TxDefaultProfile a station holds, as the station has it; None where it has none."""
        limits = [
            period["limit"]
            for profile in self.installed(number, "TxDefaultProfile")
            for schedule in profile["chargingSchedule"]
            for period in schedule["chargingSchedulePeriod"]
        ]
        return max(limits, default=None)

    def lease_s(self) -> float:
        """How long leases run now."""
        return float(self.records.decisions[-1].document["lease_s"])

    def transaction_ids(self) -> list[str | None]:
        """The transactions under way, as the stations know them."""
        found = [station.evses[1].transaction for station in self.world.stations.values()]
        return [None if transaction is None else transaction.transaction_id for transaction in found]

    def writes(self) -> list[int]:
        """How many profiles each station has taken."""
        return [station.profile_writes for station in self.world.stations.values()]

    def main_a(self) -> PerPhase:
        """What flows through the main fuse."""
        return self.world.current_a["main"]

    def between(self, from_s: float, to_s: float) -> list[Moment]:
        """The seconds of a time."""
        return [moment for moment in self.moments if from_s <= moment.at_s <= to_s]

    def memory(self) -> SiteMemory:
        """What is stored now."""
        return self.site.memory()

    def story(self) -> str:
        """The state in a line, for when a test fails."""
        shown = ", ".join(
            f"{key.station} {evse.limit_a} A {None if evse.reason is None else evse.reason.code}"
            for key, evse in self.site.snapshot.evses.items()
        )
        return f"at {self.time_s:.1f} s main {[round(a, 1) for a in self.main_a()]}, cars {[round(a, 1) for a in self.draws_a()]}, {shown}"
