"""Stations with several EVSEs: what one of them does is not held against the others."""

from dataclasses import replace
from typing import Any

import pytest

from custom_components.headroom.csms.values import UNKNOWN
from simulator.evse import Evse
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps
from .test_sessions import record, seconds, told

TWO = Place(beside=(car(),))


def sticks(s: Scenario, number: int, evse_id: int) -> None:
    """Let one EVSE of a station give what it gives now, whatever it is told."""
    model = s.model(number)
    offers, stuck_a = model.offers, s.pilot_a(number, evse_id)
    model.offers = lambda: {**offers(), evse_id: stuck_a}  # type: ignore[method-assign]


def test_two_evses_of_a_station_share_with_the_others_as_any_two() -> None:
    async def story() -> None:
        async with scenario(TWO, Place(), building=steps((0.0, 8.0), (70.3, 20.0))) as s:
            await s.until(60)
            draws_a = [s.draw_a(1, 1), s.draw_a(1, 2), s.draw_a(2)]
            assert max(draws_a) - min(draws_a) <= 1.1 and min(draws_a) > 16
            await s.until(100)
            assert max(s.main_a()) <= 61
            s.unplug(1, 2)
            await s.until(140)
            assert s.draw_a(1, 1) > 19 and s.draw_a(2) > 19

    run(story())


def test_one_evse_that_does_not_obey_is_reserved_for_and_the_other_of_its_station_goes_on_being_led() -> None:
    async def story() -> None:
        async with scenario(TWO, Place(), building=steps((0.0, 8.0), (70.3, 20.0), (300.3, 12.0)), over_limit_s=12.0) as s:
            await s.until(60)
            sticks(s, 1, 1)
            await s.until(100)
            assert s.reason(1, 1) == "disobedient" and s.problem(1) == "disobedient"
            assert s.evse(1, 1).reason_text
            assert s.reason(1, 2) == "circuit" and s.reason(2) == "circuit"
            assert s.draw_a(1, 1) > 17 and max(s.main_a()) <= 61
            assert abs(s.draw_a(1, 2) - s.draw_a(2)) <= 1.1 and s.draw_a(1, 2) > 10
            dialect = s.site.snapshot.stations["CP1"].obeying.dialect
            await s.until(290)
            obeying = s.site.snapshot.stations["CP1"].obeying
            assert obeying.dialect == dialect and not obeying.exhausted, "its words are not what is wrong"
            assert max(s.main_a()) <= 61 and abs(s.draw_a(1, 2) - s.draw_a(2)) <= 1.1
            await s.until(360)
            assert s.draw_a(1, 2) > 13 and s.draw_a(2) > 13, "what the building leaves is theirs again"
            assert s.reason(1, 1) == "disobedient" and max(s.main_a()) <= 61

    run(story())


def test_words_of_a_transaction_without_an_evse_find_theirs_also_after_a_restart() -> None:
    async def story() -> None:
        async with scenario(TWO, Place(car=None)) as s:
            await s.until(60)
            first, second = s.evse(1, 1).transaction_id, s.evse(1, 2).transaction_id
            assert first is not None and second is not None
            memory = s.memory()
            await s.vanish()
            await s.until(64)
            await s.come_back(memory)
            await s.until(80)
            assert (s.evse(1, 1).transaction_id, s.evse(1, 2).transaction_id) == (first, second)
            told(s, "Ended", "OLD", 2, 8, offline=True, evse=False)
            told(s, "Updated", second, 900, 80, evse=False, state="SuspendedEV")
            await s.until(80.2)
            assert s.evse(1, 2).charging_state == "suspended_ev" and s.evse(1, 1).charging_state == "charging"
            assert (s.evse(1, 1).transaction_id, s.evse(1, 2).transaction_id) == (first, second)
            assert seconds(record(s, "OLD"))[1] == 8 and record(s, "OLD").evse_id is None

    run(story())


def test_an_evse_that_is_added_to_a_running_station_is_asked_how_it_is() -> None:
    async def story() -> None:
        async with scenario(Place(beside=(None,)), Place(), dead_man_from_s=70.0) as s:
            both = s.config.stations["CP1"]
            s.configure(stations={**s.config.stations, "CP1": replace(both, evses=both.evses[:1])})
            await s.until(60)
            s.configure(stations={**s.config.stations, "CP1": both})
            await s.until(90)
            evse = s.site._evses[s.key(1, 2)]
            assert evse.idle(s.time_s) and evse.dialect == s.site._evses[s.key(1)].dialect
            assert s.evse(1, 2).status == "available"

    run(story())


def test_a_station_that_tells_no_power_draws_what_its_currents_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not shown as drawing nothing, in its first session or in a later one."""
    sampled = Evse.sampled_values

    def without_power(*args: Any, **options: Any) -> list[dict[str, Any]]:
        return [value for value in sampled(*args, **options) if value["measurand"] != "Power.Active.Import"]

    monkeypatch.setattr(Evse, "sampled_values", without_power)

    async def story() -> None:
        async with scenario(Place()) as s:
            for begins_s in (0.0, 100.0):
                await s.until(begins_s + 60)
                expected_w = 3 * 230.0 * s.draw_a(1)
                assert expected_w > 10_000
                assert s.evse(1).power_w == pytest.approx(expected_w, rel=0.02)
                assert s.site.snapshot.charging_power_w == pytest.approx(expected_w, rel=0.02)
                s.unplug(1)
                await s.until(begins_s + 90)
                assert s.evse(1).power_w == 0.0
                s.plug_in(1, car())

    run(story())


@pytest.mark.parametrize("left_out", ["Voltage", "SoC"])
def test_a_station_that_tells_no_amps_while_its_car_charges_is_not_believed(left_out: str) -> None:
    """Its car was held at 6 A for good, and what it drew was learnt as the building's."""

    async def story() -> None:
        async with scenario(Place(), Place(), worst_case_a=15.0, building=steps((0.0, 8.0))) as s:
            model = s.model(1)
            tells = model.sampled_values

            def nothing(*args: Any) -> list[dict[str, Any]]:
                told = [value for value in tells(*args) if value["measurand"] != left_out]
                return [value | {"value": 0.0} if value["measurand"] == "Current.Import" else value for value in told]

            model.sampled_values = nothing  # type: ignore[method-assign]
            for begins_s in (0.0, 300.0):
                await s.until(begins_s + 200)
                assert min(s.draws_a()) > 24, s.reason(1)
                assert s.reason(1) != "car" and max(s.main_a()) > 55
                main = s.site.snapshot.circuits["main"]
                assert max(main.worst_seen_a) == 0 and max(main.unmanaged_a) < 10
                s.unplug(1)
                await s.until(begins_s + 230)
                assert s.draw_a(2) > 31
                s.plug_in(1, car())

    run(story())


@pytest.mark.parametrize("wake_s", [2.0, 120.0])
def test_what_was_measured_before_a_car_drew_is_no_measure_of_what_its_power_tells(wake_s: float) -> None:
    """It tells its amps while it draws none, rightly, and from then on its power alone."""

    async def story() -> None:
        async with scenario(Place(car=car(wake_s=wake_s)), Place(), worst_case_a=15.0, building=steps((0.0, 8.0))) as s:
            model = s.model(1)
            tells = model.sampled_values

            def no_voltage(*args: Any) -> list[dict[str, Any]]:
                amps = any(value["measurand"] == "Power.Active.Import" and value["value"] == 0 for value in tells(*args))
                left = ("Voltage",) if amps else ("Voltage", "Current.Import")
                return [value for value in tells(*args) if value["measurand"] not in left]

            model.sampled_values = no_voltage  # type: ignore[method-assign]
            await s.until(400)
            assert s.draw_a(1) > 24, s.reason(1)
            assert max(s.site.snapshot.circuits["main"].worst_seen_a) == 0

    run(story())


def test_amps_that_a_station_tells_no_more_keep_no_building_where_it_was() -> None:
    """For the rest of the session its car counted as drawing what it had drawn, and what the building left was not handed on."""

    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, 24.0), (300.0, 8.0)), over_limit_s=0.0) as s:
            await s.until(150)
            model = s.model(1)
            tells = model.sampled_values

            def nothing(*args: Any) -> list[dict[str, Any]]:
                told = [value for value in tells(*args) if value["measurand"] != "Voltage"]
                return [value | {"value": 0.0} if value["measurand"] == "Current.Import" else value for value in told]

            model.sampled_values = nothing  # type: ignore[method-assign]
            for second in range(151, 300):
                await s.until(second)
                assert s.site.snapshot.circuits["main"].meter == "ok" and min(s.draws_a()) > 10
            assert s.evse(1).current_a == UNKNOWN, "an old current is none"
            await s.until(400)
            assert min(s.draws_a()) > 12.5, "some of what the building leaves; it was 11.8 A for good"

    run(story())


def test_a_transformer_of_a_station_the_wrong_way_round_puts_nothing_down_to_the_building() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, worst_case_a=15.0, building=steps((0.0, 8.0)), over_limit_s=0.0) as s:
            model = s.model(1)
            tells = model.sampled_values

            def one_reversed(*args: Any) -> list[dict[str, Any]]:
                told = [value for value in tells(*args) if value["measurand"] != "Power.Active.Import"]
                told = [value | {"value": -value["value"]} if value.get("phase") == "L3" else value for value in told]
                amps = [value for value in told if value["measurand"] == "Current.Import"]
                power = {"measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}}
                return [*told, *(value | power | {"value": 230.0 * value["value"]} for value in amps)]

            model.sampled_values = one_reversed  # type: ignore[method-assign]
            await s.until(200)
            main = s.site.snapshot.circuits["main"]
            assert max(main.unmanaged_a) < 10 and max(main.worst_seen_a) == 0
            assert min(s.draws_a()) > 24 and min(s.fallback_a(1), s.fallback_a(2)) > 20

    run(story())
