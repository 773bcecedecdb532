"""Reports in pages."""

import pytest

from custom_components.headroom.csms import reports
from custom_components.headroom.csms.reports import Reports


async def test_pages_of_other_requests_are_not_mixed_in() -> None:
    open_reports = Reports(10)
    with open_reports.expect() as first, open_reports.expect() as second:
        assert (first.request_id, second.request_id) == (10, 11)
        open_reports.add(11, [{"b": 1}], more=False)
        open_reports.add(10, [{"a": 1}], more=True)
        open_reports.add(10, [{"a": 2}], more=False)
        open_reports.add(10, [{"a": 3}], more=False)
        assert await first.collect(idle_s=1, total_s=1) == ([{"a": 1}, {"a": 2}], True)
        assert await second.collect(idle_s=1, total_s=1) == ([{"b": 1}], True)
    open_reports.add(10, [{}], more=False)  # late: nobody waits for it


async def test_a_report_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_ITEMS", 3)
    open_reports = Reports(1)
    with open_reports.expect() as report:
        for _ in range(5):
            open_reports.add(1, [{}, {}], more=True)
        items, any_page = await report.collect(idle_s=1, total_s=1)
        assert len(items) == 4 and any_page


async def test_a_report_that_never_comes_is_told_from_an_empty_one() -> None:
    open_reports = Reports(1)
    with open_reports.expect() as report:
        assert await report.collect(idle_s=0.01, total_s=1) == ([], False)
        open_reports.add(1, [], more=False)
        assert await report.collect(idle_s=0.01, total_s=1) == ([], True)
