"""What a driver reads of a site under control, and the rules that say who comes first."""

from custom_components.headroom.engine.priority import Rule
from simulator.virtual import run

from .harness import Place, scenario, steps


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
        async with scenario(Place(), Place(), Place(), fuse_a=18, worst_case_a=2, over_limit_s=0.0) as s:
            await s.until(120)
            texts = [s.evse(number).reason_text for number in (1, 2, 3)]
            assert texts[0] == "8 A: Main L1 is full (16 A): the building 8 A"
            for text in texts[1:]:
                assert text.startswith("0 A: waits its turn")
                assert text.endswith("Main L1 (16 A: the building 8 A, 1 other car) has no room for its least current of 6 A")

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
