"""A station boots and is made to hold what it should, over real sockets: with the fewest writes, and with no moment without a limit."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.headroom.csms.authorization import AuthorizationStatus, IdToken
from custom_components.headroom.csms.server import CentralSystem
from custom_components.headroom.engine.model import Circuit, ReasonCode
from custom_components.headroom.site.config import AuthorizationPolicy, EvseConfig, EvseKey, Mode, SiteConfig, StationConfig
from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.site import Site
from simulator.blocks.block import CallRefusedError
from simulator.client import Backoff, StationClient
from simulator.factory import EvseSpec, StationSpec
from simulator.station import StationModel
from simulator.transport import websocket

EVSES = (1, 2)
RATED_A, FALLBACK_A, CEILING_A = 32.0, 12.0, 61.0
QUICK = Backoff(first_s=0.01, most_s=0.02, random_s=0.0)
STEP_S = 0.02
WITHIN_S = 20.0


def profile(profile_id: int, purpose: str, level: int, limit_a: float, **more: Any) -> dict[str, Any]:
    """As another system would tell it, or we did."""
    return {
        "id": profile_id,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {
                "id": profile_id,
                "startSchedule": "2026-01-01T00:00:00Z",
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
            }
        ],
        **more,
    }


class Watched:
    """The simulator's station on a real socket: what was written to it, and what it reckoned it may give after each write."""

    def __init__(self, port: int) -> None:
        spec = StationSpec(identity="CP1", circuit_id="main", evses=tuple(EvseSpec(evse_id=each, max_a=RATED_A) for each in EVSES))
        self.model = StationModel(spec, datetime.now(UTC))
        self.client = StationClient(self.model, websocket(f"ws://127.0.0.1:{port}"), backoff=QUICK)
        self.writes: list[tuple[str, int]] = []
        self.samples: list[list[float]] = []
        self.refuses_to_clear: set[int] = set()
        self.denies: set[int] = set()
        self.surveys = 0
        get = self.model.answers["GetChargingProfiles"]

        def surveyed(payload: Any) -> dict[str, Any]:
            self.surveys += 1
            return get(payload)

        self.model.answers["GetChargingProfiles"] = surveyed
        for action in ("SetChargingProfile", "ClearChargingProfile"):
            self.model.answers[action] = self._watching(action, self.model.answers[action])

    def _watching(self, action: str, answer: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        def watched(payload: Any) -> dict[str, Any]:
            profile_id = payload.get("chargingProfileId") or payload["chargingProfile"]["id"]
            if action == "ClearChargingProfile" and profile_id in self.refuses_to_clear:
                raise CallRefusedError("SecurityError", "that is another's")
            if action == "ClearChargingProfile" and profile_id in self.denies:
                return {"status": "Unknown"}
            reply = answer(payload)
            self.writes.append((action.removesuffix("ChargingProfile"), profile_id))
            self.samples.append(self.allowed())
            return reply

        return watched

    def allowed(self) -> list[float]:
        """What its own composite schedule gives each EVSE now."""
        return [
            self.model.answers["GetCompositeSchedule"]({"evseId": each, "duration": 60})["schedule"]["chargingSchedulePeriod"][0]["limit"]
            for each in EVSES
        ]

    def hold(self, evse_id: int, told: dict[str, Any]) -> None:
        """Let somebody else write to it, whoever it is."""
        self.model.profiles.install(evse_id, told, self.model.now, {})

    def ids(self) -> list[int]:
        return sorted(one.profile["id"] for one in self.model.profiles.installed)


class Fixture:
    def __init__(self) -> None:
        self.turned = asyncio.Event()
        self.system: CentralSystem | None = None
        evses = tuple(EvseConfig(evse_id=each, max_a=RATED_A) for each in EVSES)
        config = SiteConfig(
            circuits=(Circuit(circuit_id="main", name="Main", fuse_a=63.0, margin_a=2.0, unmanaged_worst_a=(37.0, 37.0, 37.0)),),
            stations={"CP1": StationConfig(identity="CP1", name="CP1", circuit_id="main", evses=evses)},
            authorization=AuthorizationPolicy(free=True),
        )
        self.site = Site(config, station=self._station, memory=SiteMemory(mode=Mode.STATIC), on_turn=lambda trigger: self.turned.set())

    def _station(self, identity: str) -> Any:
        return None if self.system is None else self.system.stations.get(identity)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds after a turn."""
        async with asyncio.timeout(WITHIN_S):
            while not condition():
                self.turned.clear()
                self.site.request_turn("user")
                await self.turned.wait()
                await asyncio.sleep(0)

    @property
    def idle(self) -> bool:
        """Whether the station was read after its boot and nothing is left to be written."""
        installer = self.site._installers["CP1"]
        station = installer.station
        now = asyncio.get_running_loop().time()
        return station is not None and not installer.survey.under_way(now) and installer.next_step(now) is None


@asynccontextmanager
async def site_and_station() -> AsyncIterator[tuple[Fixture, Watched]]:
    house = Fixture()
    house.system = CentralSystem(
        admit=house.site.admit, authorize=house.site.authorize, on_event=house.site.handle, now=lambda: datetime.now(UTC)
    )
    await house.system.start("127.0.0.1", 0)
    watched = Watched(house.system.port)
    house.site.start()

    async def world() -> None:
        while True:
            await asyncio.sleep(STEP_S)
            watched.model.step(datetime.now(UTC), STEP_S)

    running = [asyncio.create_task(watched.client.run()), asyncio.create_task(world())]
    try:
        await house.until(lambda: house.idle and len(watched.ids()) == len(EVSES) + 1)
        yield house, watched
        assert watched.client.violations == []
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await house.site.stop()
        await house.system.stop()


async def reboot(house: Fixture, watched: Watched, change: Callable[[Watched], None]) -> list[float]:
    """Let the station boot with something changed; returns what it allowed before anybody wrote to it."""
    watched.model.reboot(duration_s=0.0)
    change(watched)
    watched.writes.clear()
    watched.samples.clear()
    before = watched.allowed()
    surveys = watched.surveys
    await watched.client.drop()
    await house.until(lambda: watched.surveys > surveys and house.idle)
    return before


def as_it_was(station: Watched) -> None:
    """Nothing happened."""


def one_differs(station: Watched) -> None:
    station.hold(2, profile(1002, "TxDefaultProfile", 0, 20.0))


def in_our_place(station: Watched) -> None:
    station.model.profiles.clear(profile_id=1001)
    station.hold(1, profile(77, "TxDefaultProfile", 0, 20.0))


def in_the_place_of_both(station: Watched) -> None:
    station.model.profiles.clear(purpose="TxDefaultProfile")
    station.hold(0, profile(77, "TxDefaultProfile", 0, 20.0))


def above_ours(station: Watched) -> None:
    station.hold(1, profile(77, "TxDefaultProfile", 2, 20.0))


def two_above_ours(station: Watched) -> None:
    station.hold(1, profile(77, "TxDefaultProfile", 3, 14.0))
    station.hold(0, profile(78, "TxDefaultProfile", 1, 32.0))


def a_ceiling_above_ours(station: Watched) -> None:
    station.hold(0, profile(79, "ChargingStationMaxProfile", 2, 10.0))


def a_stale_lease(station: Watched) -> None:
    valid_to = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    station.hold(2, profile(3002, "TxDefaultProfile", 1, 20.0, validTo=valid_to))


@pytest.mark.parametrize(
    ("change", "writes"),
    [
        (as_it_was, []),
        (one_differs, [("Set", 1002)]),
        (in_our_place, [("Set", 77), ("Set", 1001), ("Clear", 77)]),
        (in_the_place_of_both, [("Set", 77), ("Set", 1001), ("Set", 1002), ("Clear", 77)]),
        (above_ours, [("Clear", 77)]),
        (two_above_ours, [("Clear", 78), ("Clear", 77)]),
        (a_ceiling_above_ours, [("Clear", 79)]),
        (a_stale_lease, [("Clear", 3002)]),
    ],
)
async def test_a_boot_takes_the_fewest_writes_and_never_leaves_a_gap(
    change: Callable[[Watched], None], writes: list[tuple[str, int]]
) -> None:
    async with site_and_station() as (house, watched):
        after = watched.allowed()
        assert after == [FALLBACK_A, FALLBACK_A]
        before = await reboot(house, watched, change)
        assert watched.writes == writes
        assert watched.ids() == [1, 1001, 1002] and watched.allowed() == after
        for evse, (was_a, is_a) in enumerate(zip(before, after, strict=True)):
            course = [was_a, *(sample[evse] for sample in watched.samples)]
            assert max(course) <= max(was_a, is_a), course
            reached = [limit_a <= is_a for limit_a in course]
            assert reached == sorted(reached), f"once it is down to what it should be it stays there: {course}"


@pytest.mark.parametrize("keeps", ["refuses_to_clear", "denies"])
async def test_a_station_that_keeps_anothers_profile_says_so_and_lets_nobody_new_charge_until_it_is_gone(keeps: str) -> None:
    async with site_and_station() as (house, watched):
        key, quiet = EvseKey("CP1", 1), house.site.snapshot.evses[EvseKey("CP1", 2)].reason
        getattr(watched, keeps).add(77)
        await reboot(house, watched, above_ours)
        await house.until(lambda: house.site.snapshot.stations["CP1"].problem is not None)
        assert house.site.snapshot.stations["CP1"].problem == "keeps_other_profile"
        reason = house.site.snapshot.evses[key].reason
        assert reason is not None and reason.code is ReasonCode.OTHER_SYSTEM and quiet is not None
        assert "another system" in house.site.snapshot.evses[key].reason_text
        assert house.site.snapshot.evses[EvseKey("CP1", 2)].reason == quiet
        anyone = IdToken(value="A", type="Central")
        assert (await house.site.authorize("CP1", None, anyone)).status is AuthorizationStatus.NOT_AT_THIS_TIME
        assert watched.writes == [], "it is asked to let go of it once and no more"
        watched.model.profiles.clear(profile_id=77)
        await reboot(house, watched, as_it_was)
        assert house.site.snapshot.stations["CP1"].problem is None
        assert (await house.site.authorize("CP1", None, anyone)).status is AuthorizationStatus.ACCEPTED


async def test_a_profile_that_can_be_overwritten_and_not_cleared_says_what_ours_says() -> None:
    async with site_and_station() as (house, watched):
        watched.refuses_to_clear.add(77)
        await reboot(house, watched, in_our_place)
        assert watched.writes == [("Set", 77), ("Set", 1001)] and watched.allowed() == [FALLBACK_A, FALLBACK_A]
        assert house.site.snapshot.stations["CP1"].problem is None
        assert (await house.site.authorize("CP1", None, IdToken(value="A", type="Central"))).status is AuthorizationStatus.ACCEPTED
