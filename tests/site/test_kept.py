"""What was kept over a restart is taken up whatever wrote it: what can't be read costs itself alone, and never the site."""

import asyncio
from collections.abc import Mapping
from copy import deepcopy
import json
import math
from typing import Any

import pytest

from custom_components.headroom.site.config import EvseKey, Mode
from custom_components.headroom.site.limits import Lease
from custom_components.headroom.site.measure import Stage
from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.site import Site
from proving.place import Place
from proving.setting import Setting, main_fuse, numbered

KEY = EvseKey("CP1", 1)
TOKEN = {"value": "AA11BB22", "type": "ISO14443"}
WHOLE: Mapping[str, Any] = {
    "mode": "static",
    "policy": "equal_power",
    "evses": {
        "CP1/1": {
            "fallback_a": 6.0,
            "allowed": False,
            "user_max_a": 20.0,
            "lease_a": 12.0,
            "lease_until": 4e9,
            "wish": {"energy_wh": 5000.0},
            "word": {"needs": {"evse_id": 1, "transaction_id": "tx", "mode": "ac_three_phase", "energy_wh": 9000.0}, "from_wh": 0.0},
            "profile": {"starts_at": 0.0, "periods": [[0.0, 8.0]], "ends_at": None},
            "writes": {"left": 100.0, "at": 0.0},
        }
    },
    "standing": [],
    "authorization": {
        "tokens": {"issued": [], "spellings": [{"station": "CP1", "key": "aa11bb22", **TOKEN}]},
        "reservations": [{"id": 7, "station": "CP1", "evse_id": 1, "group": None, "until": "2100-01-01T00:00:00+00:00", **TOKEN}],
        "running": [{"station": "CP1", "transaction_id": "tx", **TOKEN}],
    },
    "visits": {"version": 1, "salt": "00", "stays": {"evse CP1/1": [[0.0, 3600.0, 1000.0]]}, "departure_errors_s": {"site": [60]}},
    "last_resort": {"CP1/1": {"stage": "out_of_service", "at": "2026-11-01T00:00:00+00:00", "times": 1}},
    "shadow": {
        "since": "2026-11-01T00:00:00+00:00",
        "energy_wh": 1.0,
        "would_energy_wh": 2.0,
        "circuits": {"main": {"over_limit_s": 1.0, "would_over_limit_s": 0.0, "highest_a": 1.0, "would_highest_a": 1.0}},
    },
    "peak": {"month": "2026-11", "month_peak_w": 5000.0, "window": [0.0, 1.0, 2.0, 3.0], "seen": [0.0, 1.0, 2.0]},
    "phase_maps": {"CP1/1": {"terminals": 1, "conductors": ["L1", "L2", "L3"], "steps": []}},
    "outside": [
        {
            "source": "dso",
            "circuit_id": "main",
            "limit_a": 20.0,
            "limit_w": None,
            "valid_from_s": None,
            "valid_to_s": None,
            "failsafe": None,
        }
    ],
    "writes_today": {"day": "2026-11-01", "stations": {"CP1": 4}},
}
"""All that a site keeps."""
NONSENSE: tuple[Any, ...] = (None, 1, "nonsense", [1], {"nonsense": 1}, [{"nonsense": 1}], {"CP1/1": {"nonsense": 1}}, {"CP1/1": 1})


def taken_up(document: Mapping[str, Any]) -> Site:
    """Return the site that goes on with a document, as it comes from the disk."""
    return with_its_memory(document)[0]


def with_its_memory(document: Mapping[str, Any]) -> tuple[Site, SiteMemory]:
    """Return it beside what it keeps from then on."""
    setting = Setting(circuits=(main_fuse(fuse_a=63.0, margin_a=2.0, worst_case_a=25.0),), places=numbered([Place()]), loads={})

    async def story() -> tuple[Site, SiteMemory]:
        kept = json.loads(json.dumps(document))
        site = Site(setting.config(), station=lambda identity: None, memory=SiteMemory.from_document(kept))
        return site, site.memory()

    return asyncio.run(story())


def test_all_of_it_is_taken_up() -> None:
    site = taken_up(WHOLE)
    assert site.mode is Mode.STATIC and str(site.policy) == "equal_power"
    measure = site.last_resort.measure(KEY)
    assert measure is not None and measure.stage is Stage.OUT
    assert [limit.limit_a for limit in site._external] == [20.0]
    assert [each.reservation_id for each in site.authorization.reservations.at("CP1")] == [7]


@pytest.mark.parametrize("part", sorted(WHOLE))
@pytest.mark.parametrize("nonsense", NONSENSE, ids=str)
def test_a_part_that_nobody_understands_costs_itself_alone(part: str, nonsense: Any) -> None:
    site = taken_up({**WHOLE, part: nonsense})
    if part != "outside":
        assert [limit.limit_a for limit in site._external] == [20.0]
    if part != "last_resort":
        assert site.last_resort.measure(KEY) is not None
    if part != "evses":
        assert not site._evses[KEY].allowed and site._evses[KEY].fallback_a == 6.0


@pytest.mark.parametrize("part", ["wish", "word", "profile", "writes"])
def test_of_an_evse_what_its_station_holds_counts_whatever_else_can_be_read(part: str) -> None:
    document = deepcopy(dict(WHOLE))
    document["evses"]["CP1/1"][part] = {"nonsense": [1]}
    evse = taken_up(document)._evses[KEY]
    assert evse.recalled is not None and evse.recalled.limit_a == 12.0 and evse.fallback_a == 6.0 and evse.user_max_a == 20.0


@pytest.mark.parametrize("limit_a", [0.0, 14.0])
def test_what_the_second_period_of_a_lease_leads_to_counts_after_a_restart_too(limit_a: float) -> None:
    """The fallback was lowered since it was told: at the lease's end what it says itself leads, that of a car that is paused too."""
    document = deepcopy(dict(WHOLE))
    first = {"first_lease_a": limit_a, "first_lease_until": 4e9, "first_lease_falls_to_a": 9.0}
    document["evses"]["CP1/1"] |= {"lease_a": limit_a, "lease_falls_to_a": 10.0, **first}
    site, memory = with_its_memory(document)
    evse = site._evses[KEY]
    assert evse.fallback_a == 6.0 and evse.held_fallback_a == 10.0 == evse.lasting_a
    assert evse.first_lease is not None and evse.first_lease.falls_to_a == 9.0
    kept = memory.document()["evses"]["CP1/1"]
    assert (kept["lease_falls_to_a"], kept["first_lease_falls_to_a"]) == (10.0, 9.0)
    evse.recalled = None
    assert evse.lasting_a == 9.0, "a car may have begun by it while nobody was there"


@pytest.mark.parametrize(("heard", "unproven", "until"), [(False, False, 160.0), (False, True, math.inf), (True, False, None)])
def test_a_lease_that_was_found_counts_while_its_station_is_away_again_unless_no_transaction_ran(
    heard: bool, unproven: bool, until: float | None
) -> None:
    site = taken_up(WHOLE)
    evse = site._evses[KEY]
    evse.ready, evse.heard, evse.unproven, evse.recalled = True, heard, unproven, None
    evse.found_lease = Lease(transaction_id="of before", limit_a=20.0, expires_at=160.0, falls_to_a=10.0)
    assert evse.held_fallback_a == 10.0

    async def away() -> None:
        site._gone("CP1")

    asyncio.run(away())
    assert ((20.0, until) in evse.held(100.0)) is (until is not None)


def test_one_row_that_nobody_understands_costs_no_other() -> None:
    document = deepcopy(dict(WHOLE))
    document["outside"].insert(0, {"source": "new", "circuit_id": "main", "limit_a": -1.0})
    document["last_resort"] = {"CP1/9": {"stage": "another", "at": "2026-11-01T00:00:00+00:00"}, "nonsense": {}} | document["last_resort"]
    document["authorization"]["reservations"].insert(0, {"id": 6})
    document["authorization"]["running"].insert(0, {"station": "CP1"})
    site, memory = with_its_memory(document)
    assert [limit.limit_a for limit in site._external] == [20.0] and site.last_resort.measure(KEY) is not None
    assert [each.reservation_id for each in site.authorization.reservations.at("CP1")] == [7]
    assert memory.document()["authorization"]["running"] == WHOLE["authorization"]["running"]


def test_what_a_newer_version_adds_costs_no_limit() -> None:
    """Whoever goes back to this version has the utility's limit hold on."""
    document = deepcopy(dict(WHOLE))
    document["outside"][0] |= {"new": 1, "failsafe": {"from_s": 5e9, "to_s": None, "limit_a": 8.0, "limit_w": None, "new": 1}}
    document["shadow"] |= {"new": 1}
    document["shadow"]["circuits"]["main"]["new"] = 1
    site, memory = with_its_memory(document)
    assert [(limit.limit_a, limit.failsafe is not None) for limit in site._external] == [(20.0, True)]
    assert memory.shadow is not None
