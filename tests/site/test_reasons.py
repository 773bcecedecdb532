"""What a driver reads of a site under control, and the rules that say who comes first."""

from custom_components.headroom.engine.priority import Rule
from simulator.car import HighLevel
from simulator.virtual import run

from .harness import Place, car, scenario, steps


def test_a_full_circuit_with_its_limit_the_building_and_the_others() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), Place(), fuse_a=40, worst_case_a=15, building=steps((0, 8.0)), over_limit_s=0.0) as s:
            await s.until(120)
            assert s.evse(2).reason_text == "10 A: Main L1 is full (38 A): the building 8 A, 2 other cars"
            told = {"circuit": "Main", "phase": "L1", "others": 2, "limit": 38.0, "unmanaged": 8.0, "reserved": 0.0}
            assert s.evse(2).circumstances == told
            kept = s.records.decisions[-1].document["evses"]["CP2/1"]
            assert kept["circumstances"] == told and kept["text"] == s.evse(2).reason_text

    run(story())


def test_what_a_station_that_is_away_may_draw_is_in_reserve() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), Place(), fuse_a=62, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(60)
            assert s.evse(1).circumstances["reserved"] == 0
            await s.fault("offline:CP3")
            await s.until(90)
            assert s.evse(1).circumstances["reserved"] >= 6
            assert "in reserve, 1 other car" in s.evse(1).reason_text

    run(story())


def test_who_waits_reads_what_is_in_the_way() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), Place(), fuse_a=18, worst_case_a=8, over_limit_s=0.0) as s:
            await s.until(120)
            texts = [s.evse(number).reason_text for number in (1, 2, 3)]
            assert texts[0] == "8 A: Main L1 is full (16 A): the building 8 A"
            for text in texts[1:]:
                assert text.endswith("Main L1 (16 A: the building 8 A, 1 other car) has no room for its least current of 6 A")
            assert texts[1].startswith("0 A: waits its turn, next at about 00:30: ")
            assert texts[2].startswith("0 A: waits its turn, next at about 01:00: ")
            told = s.evse(2).circumstances["next_at"]
            await s.until(1780)
            assert s.evse(2).circumstances["next_at"] == told == "2026-01-01T00:30:00+00:00", "it does not slip"
            assert s.evse(2).limit_a == 0
            await s.until(1830)
            assert s.evse(2).limit_a == 8 and s.evse(3).limit_a == 0, "and is kept"
            assert s.evse(1).reason_text.startswith("0 A: waits its turn, next at about 01:30: ")

    run(story())


def test_a_rule_puts_a_car_first_and_both_read_of_it() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), fuse_a=42, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(60)
            assert s.evse(1).limit_a == s.evse(2).limit_a == 16
            s.configure(rules=(Rule(requests=frozenset({"CP2/1"}), tiers_behind=-1),))
            await s.until(120)
            assert (s.evse(1).limit_a, s.evse(2).limit_a) == (6, 26)
            assert s.evse(1).reason_text == "6 A: Main L1 is full (40 A): the building 8 A, 1 other car; tier 2 of 2"
            assert s.evse(2).circumstances["tier"] == 1
            s.configure(rules=())
            await s.until(180)
            assert s.evse(1).limit_a == s.evse(2).limit_a == 16

    run(story())


def test_a_planned_car_reads_when_it_leaves_what_it_needs_and_by_when_it_has_it() -> None:
    async def story() -> None:
        soon, late = (car(high_level=HighLevel(energy_wh=kwh * 1000, departs_after_s=hours * 3600)) for kwh, hours in ((6, 2), (12, 9)))
        async with scenario(Place(car=soon), Place(car=late), fuse_a=18, worst_case_a=8, over_limit_s=0.0) as s:
            await s.until(60)
            texts = [s.evse(number).reason_text for number in (1, 2)]
            assert texts[0].startswith(
                "8 A: Main L1 is full (16 A): the building 8 A; planned: leaves 02:00, needs 5.9 kWh more, will have it by"
            )
            assert texts[1].startswith("0 A: its time is later by the plan, from about 0")
            assert "; planned: leaves 09:0" in texts[1] and ", needs 12 kWh more, will have it by about 0" in texts[1]
            first, second = (s.evse(number).circumstances for number in (1, 2))
            assert s.reason(2) == "postponed" and first["energy_needed"] == 5900
            assert first["departs_at"] == "2026-01-01T02:00:00+00:00" and first["ready_at"] <= first["departs_at"]
            assert second["next_at"] < second["ready_at"] < second["departs_at"]

    run(story())
