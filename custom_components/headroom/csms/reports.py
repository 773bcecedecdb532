"""Reports that a station sends in pages after it accepted a request for them: NotifyReport, ReportChargingProfiles."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from .errors import CallTimeoutError
from .fields import whole
from .frames import Payload

MOST_ITEMS = 20_000
"""A report that goes on longer is cut here: anyone may connect, and memory is not theirs."""
PATIENCE = 6
"""A report may take so many times as long as it may pause."""
UNTOLD_IDLE_S = 1.0
"""How long a report may pause whose pages do not say whether more is to come. A page follows on the answer to the one before."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report under way. `pages` holds (items, whether more is to come, None where a page does not say)."""

    request_id: int
    idle_s: float
    """How long it may pause before it counts as ended."""
    pages: asyncio.Queue[tuple[Sequence[Payload], bool | None]] = field(default_factory=asyncio.Queue)

    async def promised(self, action: str) -> list[Payload]:
        """Return the items that an accepted request is answered with. Raises CallTimeoutError where nothing comes: that is not an empty report."""
        items, any_page = await self.collect()
        if not any_page:
            raise CallTimeoutError(f"{action}: accepted, but nothing was reported")
        return items

    async def collect(self, total_s: float | None = None) -> tuple[list[Payload], bool]:
        """Return the items of all pages, and whether any page came.

        Ends with the page that has tbc false, or when none comes for `idle_s`, or after `total_s` (PATIENCE), or with MOST_ITEMS: stations forget the last one.
        A page without tbc is the last, by the standard's default, where an earlier one has it. Where none has, it may mean nothing:
        some stations send several without. Then the report ends when none comes for UNTOLD_IDLE_S.
        """
        items: list[Payload] = []
        any_page = tells = False
        wait_s = self.idle_s
        try:
            async with asyncio.timeout(PATIENCE * self.idle_s if total_s is None else total_s):
                while True:
                    async with asyncio.timeout(wait_s):
                        page, more = await self.pages.get()
                    any_page, tells = True, tells or more is not None
                    items += page
                    if (tells and not more) or len(items) >= MOST_ITEMS:
                        break
                    wait_s = self.idle_s if tells else min(self.idle_s, UNTOLD_IDLE_S)
        except TimeoutError:
            pass  # what has come is what there is
        return items, any_page


class Reports:
    """The reports of one connection, told apart by their requestId."""

    def __init__(self, first_id: int, idle_s: float) -> None:
        """Number requests from `first_id`, another for each connection, so that late pages of an earlier one are not mistaken."""
        self._next_id = first_id
        self._idle_s = idle_s
        self._open: dict[int, Report] = {}

    @contextmanager
    def expect(self) -> Iterator[Report]:
        """Give a report to ask for by its request id; pages that come later are dropped."""
        report = Report(self.number(), self._idle_s)
        self._open[report.request_id] = report
        try:
            yield report
        finally:
            del self._open[report.request_id]

    def number(self) -> int:
        """Return an id for a request, each only once."""
        self._next_id += 1
        return self._next_id - 1

    def add(self, page: Payload, items: Sequence[Payload]) -> bool:
        """Take in a page, of which `items` were read; False where nobody asked for it (any more). Raises CallFailure without a requestId."""
        if (report := self._open.get(whole(page, "requestId"))) is None:
            return False
        more = page.get("tbc")
        report.pages.put_nowait((items, more if isinstance(more, bool) else None))
        return True
