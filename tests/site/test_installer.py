"""An installer whose station fails at once: nobody else may wait for it."""

import asyncio
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from custom_components.headroom.csms.authorization import IdToken
from custom_components.headroom.csms.dialect import Dialect, Handle, LeaseEnd
from custom_components.headroom.csms.errors import CallError, CallRejectedError, CallTimeoutError, StationOfflineError
from custom_components.headroom.csms.profiles import Placed, Role
from custom_components.headroom.csms.reconciliation import Held, Installed
from custom_components.headroom.csms.station import Started, Station
from custom_components.headroom.site.config import EvseConfig, EvseKey, Mode
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.evse_facts import Problem
from custom_components.headroom.site.installer import Installer
from custom_components.headroom.site.limits import Lease, LeaseOrder
from custom_components.headroom.site.orders import order_lease
from custom_components.headroom.site.others import next_correction
from custom_components.headroom.site.reconcile import adopt
from custom_components.headroom.site.remote_start import start, take_up
from custom_components.headroom.site.session import Session
from custom_components.headroom.site.turn import Turn
from custom_components.headroom.site.writes import clear_lease, install_fallback, install_lease, withdraw

TURNS = 1000


class Now:
    def monotonic(self) -> float:
        return 100.0

    def utcnow(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


class Deaf:
    """Every command to it fails before anything is sent, as at a station between its boot and its acceptance."""

    others = ()
    """It is not known to hold anything."""

    def __init__(self) -> None:
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        async def command(*args: Any, **more: Any) -> None:
            self.asked += 1
            raise StationOfflineError("not ready")

        return command


class Silent:
    def confirmed(self, evse: EvseState, latency_s: float) -> None: ...

    def renewed(self, evse: EvseState, latency_s: float) -> None: ...
    def failed(self, evse: EvseState) -> None: ...


@pytest.mark.parametrize("failed_before", [False, True])
async def test_a_station_that_fails_at_once_keeps_nobody_waiting(monkeypatch: Any, failed_before: bool) -> None:
    installer, deaf = Installer("CP1", Now(), Silent()), Deaf()
    installer.evses = [EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main")]
    monkeypatch.setattr(installer.obedience, "wants_proof", lambda evse, now: True)
    installer.evses[0].lease = Lease(transaction_id="1", limit_a=10.0, expires_at=160.0)
    installer.station = cast(Station, deaf)
    if failed_before:
        installer._backoff.failed((installer.evses[0].key, "proof"), 80.0)  # and its time is over
    running = asyncio.create_task(installer.run())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    running.cancel()
    assert 0 < deaf.asked < 3


class LateToTell:
    """It answers what it holds only later, and leases never."""

    others = ()

    def __init__(self) -> None:
        self.told: asyncio.Future[Installed] = asyncio.get_running_loop().create_future()
        self.asked = asyncio.Event()

    async def survey(self) -> Installed:
        self.asked.set()
        return await self.told

    async def install_lease(self, *args: Any, **more: Any) -> None:
        raise CallTimeoutError("SetChargingProfile")

    async def start_transaction(self, *args: Any, **more: Any) -> Started:
        return Started(transaction_id="2", with_limit=True)

    def led_over(self, evse_id: int) -> dict[int, float]:
        return {}

    def recognise(self, profile_ids: set[int]) -> None: ...


def _session(remote_start_id: int | None = None) -> Session:
    at = Now().utcnow()
    begun = Session(transaction_id="2", record_id="2", started_at=at, since=90.0, queued_at=90.0, last_at=at)
    return replace(begun, remote_start_id=remote_start_id)


async def _surveying() -> tuple[Installer, EvseState, LateToTell]:
    installer, late = Installer("CP1", Now(), Silent()), LateToTell()
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", ready=True)
    evse.fallback_a, evse.fallback_current, evse.wanted_fallback_a = 10.0, True, 10.0
    installer.evses, installer.station = [evse], cast(Station, late)
    installer.survey.want()
    return installer, evse, late


async def _run_while_told(installer: Installer, late: LateToTell, held: Installed) -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    late.told.set_result(held)
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_was_sent_and_not_answered_is_not_forgotten_for_a_report_of_before() -> None:
    installer, evse, late = await _surveying()
    evse.session = _session()
    running = asyncio.create_task(installer.run())
    await late.asked.wait()
    evse.wanted_lease = LeaseOrder(transaction_id="2", limit_a=20.0, length_s=60.0, urgent=True)
    installer.wake()
    before = Held(evse_id=1, limit_a=12.0, as_worded=True, placed=Placed(1, {"id": 2001}), handle=Handle.TRANSACTION, transaction_id="2")
    await _run_while_told(installer, late, Installed(leases=(before,)))
    running.cancel()
    assert evse.installed_a(100.0) >= 20.0


async def test_the_lease_of_a_start_that_was_taken_up_meanwhile_is_not_forgotten_for_a_report_of_before() -> None:
    installer, evse, late = await _surveying()
    running = asyncio.create_task(installer.run())
    await late.asked.wait()
    order = LeaseOrder(transaction_id="", limit_a=20.0, length_s=60.0, urgent=False)
    await start(cast(Station, late), evse, IdToken(value="x", type="Central"), 5, order, Now(), lambda: None)
    evse.session = _session(remote_start_id=5)
    assert evse.first_lease is not None
    take_up(evse, evse.first_lease, 100.0)
    assert evse.limit_a(100.0) == 20.0
    await _run_while_told(installer, late, Installed())
    running.cancel()
    assert evse.limit_a(100.0) == 20.0


async def test_a_cut_that_failed_is_tried_again_at_once_where_a_breaker_warms() -> None:
    installer, deaf = Installer("CP1", Now(), Silent()), Deaf()
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session())
    evse.fallback_a, evse.fallback_current, evse.wanted_fallback_a = 10.0, True, 10.0
    installer.evses, installer.station = [evse], cast(Station, deaf)
    place = (evse.key, "lease")
    for _ in range(5):
        installer._backoff.failed(place, 100.0)
    evse.wanted_lease = LeaseOrder(transaction_id="2", limit_a=20.0, length_s=60.0, urgent=False)
    installer.hurry()
    assert installer._backoff.holds_back(place, 129.9), "a raise waits"
    evse.wanted_lease = replace(evse.wanted_lease, urgent=True)
    installer.hurry()
    running = asyncio.create_task(installer.run())
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    assert deaf.asked == 1
    assert installer._backoff.failures(place) == 6, "and it is not forgotten how often it failed"


class TakesLimits(Deaf):
    """It takes every lease, and answers nothing else as it should."""

    def __init__(self) -> None:
        super().__init__()
        self.leases_a: list[float] = []

    async def install_lease(self, evse_id: int, transaction_id: str, limit_a: float, *args: Any, **more: Any) -> None:
        self.leases_a.append(limit_a)

    async def withdraw(self, *args: Any, **more: Any) -> None:
        self.asked += 1
        raise CallError("ClearChargingProfile", "InternalError")

    async def trigger(self, *args: Any) -> None:
        self.asked += 1
        raise CallTimeoutError("TriggerMessage")


@pytest.mark.parametrize("failing", ["clean-up", "question"])
async def test_a_cut_does_not_wait_for_something_else_that_failed(failing: str) -> None:
    installer, station = Installer("CP1", Now(), Silent()), TakesLimits()
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session())
    evse.fallback_a, evse.fallback_current, evse.wanted_fallback_a = 10.0, True, 10.0
    if failing == "clean-up":
        evse.withdraw = [(Handle.DEFAULT, False)]
    else:
        evse.sample_at = 90.0
    installer.evses, installer.station = [evse], cast(Station, station)
    running = asyncio.create_task(installer.run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert station.asked == 1, "it failed, and is not tried again at once"
    evse.wanted_lease = LeaseOrder(transaction_id="2", limit_a=6.0, length_s=60.0, urgent=True)
    installer.wake()
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    assert station.leases_a == [6.0]


class RefusesOne(Deaf):
    """It refuses either its leases or its fallbacks for now, and takes the others."""

    def __init__(self, refused: str) -> None:
        super().__init__()
        self.refused = refused
        self.taken: list[str] = []

    def led_over(self, _: int) -> Mapping[int, float]:
        return {}

    def __getattr__(self, name: str) -> Any:
        async def command(*args: Any, **more: Any) -> None:
            if name == self.refused:
                self.asked += 1
                raise CallTimeoutError("SetChargingProfile")
            self.taken.append(name)

        return command


@pytest.mark.parametrize(
    ("refused", "urgent", "goes_on"),
    [("install_fallback", False, "install_lease"), ("install_lease", True, "install_fallback"), ("install_lease", True, "trigger")],
)
async def test_what_fails_at_an_evse_holds_up_nothing_else_there(refused: str, urgent: bool, goes_on: str) -> None:
    """A lease is renewed though its fallback is not taken, a fallback is lowered though a cut is not, and what its car draws is asked."""
    installer, station = Installer("CP1", Now(), Silent()), RefusesOne(refused)
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session())
    evse.fallback_a, evse.fallback_current = 10.0, True
    evse.wanted_fallback_a = 10.0 if goes_on == "trigger" else 6.0
    evse.sample_at = 90.0 if goes_on == "trigger" else 200.0
    evse.wanted_lease = LeaseOrder(transaction_id="2", limit_a=6.0, length_s=60.0, urgent=urgent)
    installer.evses, installer.station = [evse], cast(Station, station)
    running = asyncio.create_task(installer.run())
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    assert (station.asked, station.taken) == (1, [goes_on])


async def test_a_lease_is_not_cleared_before_the_fallback_below_it_is_taken() -> None:
    installer, station = Installer("CP1", Now(), Silent()), RefusesOne("install_fallback")
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session())
    evse.fallback_a, evse.fallback_current, evse.wanted_fallback_a, evse.wanted_clear = 20.0, True, 6.0, True
    evse.withdraw = [(Handle.DEFAULT, False)]
    installer.evses, installer.station = [evse], cast(Station, station)
    running = asyncio.create_task(installer.run())
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    assert (station.asked, station.taken) == (1, [])


@pytest.mark.parametrize("step", ["fallback", "clear"])
async def test_a_station_that_answers_again_is_not_said_to_refuse_its_limits_any_more(step: str) -> None:
    installer = Installer("CP1", Now(), Silent())
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main")
    installer.evses = [evse]
    installer.obedience.unanswered(evse, 2)
    assert evse.problem is None, "a lost answer or two are no problem"
    installer.obedience.unanswered(evse, 3)
    assert evse.problem is Problem.UNANSWERED
    installer.obedience.confirmed(evse, step, 0.1)
    assert evse.problem is None
    for failures in (1, 2):
        installer.obedience.refused(evse, "lease", failures, CallRejectedError("SetChargingProfile", "Rejected"))
    installer.obedience.confirmed(evse, step, 0.1)
    assert evse.problem is Problem.REJECTS, "it takes that, and its leases it refuses"


class Clock(Now):
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


async def test_a_station_that_answers_no_question_for_samples_is_asked_twice_and_then_left_to_tell_them_by_itself() -> None:
    clock, station = Clock(), TakesLimits()
    installer = Installer("CP1", clock, Silent())
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session())
    evse.fallback_a, evse.fallback_current, evse.wanted_fallback_a = 10.0, True, 10.0
    installer.evses, installer.station = [evse], cast(Station, station)
    running = asyncio.create_task(installer.run())
    asked = []
    for _ in range(4):
        clock.now_s += 60.0
        evse.sample_at = clock.now_s
        installer.wake()
        for _ in range(20):
            await asyncio.sleep(0)
        asked.append(station.asked)
    running.cancel()
    assert asked == [1, 2, 2, 2], "each one holds up a cut until it has timed out"


@pytest.mark.parametrize("unknown", ["transaction_unknown", "status_unknown"])
async def test_a_station_that_does_not_answer_what_it_is_asked_of_an_evse_is_asked_twice_and_the_evse_stays_unheard(unknown: str) -> None:
    clock, station = Clock(), TakesLimits()
    installer = Installer("CP1", clock, Silent())
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", ready=True)
    evse.fallback_a, evse.fallback_current, evse.wanted_fallback_a = 10.0, True, 10.0
    setattr(evse, unknown, True)
    installer.evses, installer.station = [evse], cast(Station, station)
    running = asyncio.create_task(installer.run())
    asked = []
    for _ in range(4):
        clock.now_s += 60.0
        evse.take_silence(clock.now_s)
        setattr(evse, unknown, True)  # as by each word that its plug is in
        installer.wake()
        for _ in range(20):
            await asyncio.sleep(0)
        asked.append(station.asked)
    running.cancel()
    assert asked == [1, 2, 2, 2], "the first question may have been lost, and each one holds up a cut until it has timed out"
    assert not evse.heard


async def test_what_a_report_shows_to_be_gone_while_it_is_taken_away_is_gone() -> None:
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session())
    for _ in range(2):
        evse.leave(Handle.DEFAULT, fallback=False)
    assert evse.withdraw == [(Handle.DEFAULT, False)], "once is enough"

    class Reports(Deaf):
        async def withdraw(self, *args: Any, **more: Any) -> None:
            adopt(evse, Installed(), 100.0, Now().utcnow())
            raise CallRejectedError("ClearChargingProfile", "Unknown")

    await withdraw(evse, cast(Station, Reports()), Now())
    assert not evse.withdraw


async def test_a_lease_that_was_cleared_is_not_believed_again_for_a_report_of_before() -> None:
    installer, evse, late = await _surveying()
    evse.session = _session()
    evse.lease = Lease(transaction_id="2", limit_a=8.0, expires_at=160.0)

    class Clears(Deaf):
        async def clear_leases(self, evse_id: int) -> None: ...

    await clear_lease(evse, cast(Station, Clears()), Now())
    before = Held(evse_id=1, limit_a=8.0, as_worded=True, placed=Placed(1, {"id": 2001}), handle=Handle.TRANSACTION, transaction_id="2")
    installer._surveyed(Installed(leases=(before,)))
    assert evse.lease is None and evse.limit_a(100.0) == 10.0


class Odd(TakesLimits):
    """It holds something that nobody thought of."""

    others = (object(),)

    def correction(self, *args: Any, **more: Any) -> None:
        raise KeyError("chargingSchedule")


async def test_a_fault_over_what_else_a_station_holds_costs_nobody_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    installer, station = Installer("CP1", Now(), Silent()), Odd()
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session())
    evse.fallback_a, evse.fallback_current, evse.wanted_fallback_a = 10.0, True, 10.0
    installer.evses, installer.station = [evse], cast(Station, station)
    running = asyncio.create_task(installer.run())
    for limit_a in (6.0, 0.0):
        evse.wanted_lease = LeaseOrder(transaction_id="2", limit_a=limit_a, length_s=60.0, urgent=True)
        installer.turned(100.0)
        for _ in range(20):
            await asyncio.sleep(0)
    assert station.leases_a == [6.0, 0.0] and not running.done()
    running.cancel()
    assert len(caplog.records) == 1, "it is told once"


async def test_a_lease_that_ends_by_a_second_period_counts_with_what_that_says_until_it_is_told_anew() -> None:
    """The fallback that was lowered since does not lead at the lease's end: the lease's own second period does."""
    station, clock = cast(Station, RefusesOne("nothing")), Now()
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session(), ready=True)
    evse.dialect = Dialect(lease_end=LeaseEnd.PERIOD)
    evse.fallback_a, evse.fallback_current, evse.wanted_fallback_a = 16.0, True, 16.0
    order = LeaseOrder(transaction_id="2", limit_a=8.0, length_s=300.0, urgent=False)
    evse.wanted_lease = order
    await install_lease(evse, station, clock)
    leases = SimpleNamespace(may_lapse=(), tight=False, lease_s=300.0, length_s=lambda _: 300.0)
    turn = cast(Turn, SimpleNamespace(told_a={str(evse.key): 8.0}, leases=leases))
    order_lease(evse, turn, Mode.DYNAMIC, None, 100.0)
    assert evse.wanted_lease is None
    evse.wanted_fallback_a = 10.0
    await install_fallback(evse, station, clock)
    assert (evse.fallback_a, evse.held_fallback_a, evse.lasting_a) == (10.0, 16.0, 16.0)
    order_lease(evse, turn, Mode.DYNAMIC, None, 100.0)
    assert evse.wanted_lease == replace(order, urgent=True)
    away = copy(evse)
    away.ready = False
    away.forget_lapsed(1000.0)
    assert away.lease is None and (away.limit_a(1000.0), away.lasting_a) == (16.0, 16.0), "nor does it once that has ended"
    away.forget_lapsed(2000.0)
    assert away.lasting_a == 16.0
    kept = away.leased()
    assert kept is not None and kept.lasts and kept.falls_to_a == 16.0, "over a restart too"
    away.ready = True
    static = cast(Turn, SimpleNamespace(told_a={}))
    order_lease(away, static, Mode.STATIC, None, 2000.0)
    assert away.wanted_clear, "without leases it goes"
    await install_lease(evse, station, clock)
    assert (evse.held_fallback_a, evse.lasting_a) == (10.0, 10.0)
    order_lease(evse, turn, Mode.DYNAMIC, None, 100.0)
    assert evse.wanted_lease is None, "nothing is left to be told"


@pytest.mark.parametrize("judging", ["confirmed", "unanswered"])
async def test_a_fault_over_what_came_of_a_limit_ends_nobodys_limits(
    judging: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, told_a = Clock(), []

    class Takes(Deaf):
        async def install_lease(self, evse_id: int, transaction_id: str, limit_a: float, *args: Any, **more: Any) -> None:
            told_a.append(limit_a)
            if judging == "unanswered":
                raise CallTimeoutError("SetChargingProfile")

    def faulty(*args: Any) -> None:
        raise KeyError(judging)

    installer = Installer("CP1", clock, Silent())
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session())
    evse.fallback_a, evse.fallback_current, evse.wanted_fallback_a = 10.0, True, 10.0
    installer.evses, installer.station = [evse], cast(Station, Takes())
    monkeypatch.setattr(installer.obedience, judging, faulty)
    running = asyncio.create_task(installer.run())
    for limit_a in (8.0, 6.0):
        clock.now_s += 60.0
        evse.wanted_lease = LeaseOrder(transaction_id="2", limit_a=limit_a, length_s=60.0, urgent=True)
        installer.wake()
        for _ in range(20):
            await asyncio.sleep(0)
    assert told_a == [8.0, 6.0] and not running.done()
    running.cancel()
    assert len([record for record in caplog.records if record.exc_info]) == 1, "it is told once"


def test_whoever_makes_way_for_ours_is_told_which_of_them_are_for_one_phase() -> None:
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", session=_session(), ready=True)
    evse.wanted_fallback_a, evse.wanted_one_phase = 6.0, True
    evse.wanted_lease = LeaseOrder(transaction_id="2", limit_a=8.0, length_s=60.0, urgent=False)
    asked: list[Any] = []
    station = cast(Station, SimpleNamespace(others=(object(),), correction=lambda *args, one_phase: asked.append(list(one_phase))))
    next_correction(station, [evse], None)
    evse.wanted_lease = replace(evse.wanted_lease, one_phase=True)
    next_correction(station, [evse], None)
    assert asked == [[(Role.FALLBACK, 1)], [(Role.FALLBACK, 1), (Role.LEASE, 1)]]
