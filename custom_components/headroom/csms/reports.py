"""Reports that a station sends in pages after it accepted a request for them: NotifyReport, ReportChargingProfiles."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from .frames import Payload

MOST_ITEMS = 20_000
"""A report that goes on longer is cut here: anyone may connect, and memory is not theirs."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report under way. `pages` holds (items, whether more is to come)."""

    request_id: int
    pages: asyncio.Queue[tuple[Sequence[Payload], bool]] = field(default_factory=asyncio.Queue)

    async def collect(self, *, idle_s: float, total_s: float) -> tuple[list[Payload], bool]:
        """Return the items of all pages, and whether any page came.

        Ends with the page that has tbc false, or when none comes for `idle_s`, or after `total_s`, or with MOST_ITEMS: stations forget the last one.
        """
        items: list[Payload] = []
        any_page = False
        try:
            async with asyncio.timeout(total_s):
                while True:
                    async with asyncio.timeout(idle_s):
                        page, more = await self.pages.get()
                    any_page = True
                    items += page
                    if not more or len(items) >= MOST_ITEMS:
                        break
        except TimeoutError:
            pass  # what has come is what there is
        return items, any_page


class Reports:
    """The reports of one connection, told apart by their requestId."""

    def __init__(self, first_id: int) -> None:
        """Number requests from `first_id`, another for each connection, so that late pages of an earlier one are not mistaken."""
        self._next_id = first_id
        self._open: dict[int, Report] = {}

    @contextmanager
    def expect(self) -> Iterator[Report]:
        """Give a report to ask for by its request id; pages that come later are dropped."""
        report = Report(self.number())
        self._open[report.request_id] = report
        try:
            yield report
        finally:
            del self._open[report.request_id]

    def number(self) -> int:
        """Return an id for a request, each only once."""
        self._next_id += 1
        return self._next_id - 1

    def add(self, request_id: int, items: Sequence[Payload], *, more: bool) -> bool:
        """Take a page in; False where nobody asked for it (any more)."""
        if request_id not in self._open:
            return False
        self._open[request_id].pages.put_nowait((items, more))
        return True
