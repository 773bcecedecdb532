"""Reports in pages."""

import asyncio
from typing import Any

import pytest

from custom_components.headroom.csms import reports
from custom_components.headroom.csms.reports import Reports

from .client import Client, station, variable
from .conftest import IMPATIENT, House, running
from .test_smart_charging import ACCEPTED, users


def page(request_id: int, *, tbc: bool | None = None) -> dict[str, Any]:
    return {"requestId": request_id} | ({} if tbc is None else {"tbc": tbc})


async def test_pages_of_other_requests_are_not_mixed_in() -> None:
    open_reports = Reports(10, 1)
    with open_reports.expect() as first, open_reports.expect() as second:
        assert (first.request_id, second.request_id) == (10, 11)
        open_reports.add(page(11, tbc=False), [{"b": 1}])
        open_reports.add(page(10, tbc=True), [{"a": 1}])
        open_reports.add(page(10, tbc=False), [{"a": 2}])
        open_reports.add(page(10, tbc=False), [{"a": 3}])
        assert await first.collect(1) == ([{"a": 1}, {"a": 2}], True)
        assert await second.collect(1) == ([{"b": 1}], True)
    open_reports.add(page(10, tbc=False), [{}])  # late: nobody waits for it


async def test_a_report_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_ITEMS", 3)
    open_reports = Reports(1, 1)
    with open_reports.expect() as report:
        for _ in range(5):
            open_reports.add(page(1, tbc=True), [{}, {}])
        items, any_page = await report.collect(1)
        assert len(items) == 4 and any_page


async def test_a_report_that_never_comes_is_told_from_an_empty_one() -> None:
    open_reports = Reports(1, 0.01)
    with open_reports.expect() as report:
        assert await report.collect(1) == ([], False)
        open_reports.add(page(1, tbc=False), [])
        assert await report.collect(1) == ([], True)


async def test_a_page_that_does_not_say_whether_it_is_the_last_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "UNTOLD_IDLE_S", 0.05)
    open_reports = Reports(1, 60)
    with open_reports.expect() as report:
        for number in range(3):
            open_reports.add(page(1), [{"number": number}])
        items, _ = await report.collect(60)  # it ends long before the test's patience
        assert [item["number"] for item in items] == [0, 1, 2]


async def test_a_station_that_says_more_is_to_come_ends_its_report_by_saying_nothing() -> None:
    open_reports = Reports(1, 60)
    with open_reports.expect() as report:
        open_reports.add(page(1, tbc=True), [{"number": 0}])
        open_reports.add(page(1), [{"number": 1}])
        collecting = asyncio.ensure_future(report.collect(60))
        async with asyncio.timeout(reports.UNTOLD_IDLE_S / 2):  # at once
            assert await collecting == ([{"number": 0}, {"number": 1}], True)


async def test_a_profile_on_a_later_page_without_a_word_is_found_and_judged_by(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "UNTOLD_IDLE_S", 0.3)
    _, foreign = users(6, level=3)
    _, ours = users(16, level=0)

    async def report(client: Client, request_id: int) -> None:
        for one in (ours | {"id": 1001}, foreign | {"id": 71}):
            told = {"requestId": request_id, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": [one]}
            await client.call("ReportChargingProfiles", told)

    async with station(house.port) as client:
        client.answers["GetChargingProfiles"] = lambda payload: client._later(report(client, payload["requestId"])) or ACCEPTED
        found = await house.boot(client)
        assert [one["id"] for one in await found.get_charging_profiles()] == [1001, 71]


async def test_a_device_model_in_pages_that_say_nothing_is_read_whole() -> None:
    async with running(House(timing=IMPATIENT)) as house, station(house.port) as client:

        async def pages(request_id: int) -> None:
            for seq_no in range(3):
                item = variable("EVSE", "SupplyPhases", "3", evse={"id": seq_no + 1})
                told = {"requestId": request_id, "generatedAt": "2026-01-01T00:00:00Z", "seqNo": seq_no, "reportData": [item]}
                await client.call("NotifyReport", told)

        client.answers["GetBaseReport"] = lambda payload: client._later(pages(payload["requestId"])) or ACCEPTED
        assert sorted((await house.boot(client)).inventory.evse_connectors) == [1, 2, 3]
