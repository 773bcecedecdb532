"""Asking a station for samples that it sends to nobody unasked (F06, block J)."""

import asyncio
import logging

from ..errors import StationError, StationOfflineError
from ..quirks import known_of
from .link import Link

_LOGGER = logging.getLogger(__name__)


def interval_s(link: Link, wanted_s: int) -> int:
    """Return how often a station is to send samples: as is wanted, but no more often than it is known to."""
    return max(wanted_s, known_of(link.memory.info).habits.sample_interval_least_s)


async def ask(link: Link, wanted_s: int) -> None:
    """Ask for a sample of each transaction again and again; returns at once where the station sends them by itself, else when it is gone."""
    failing = broken = False
    while known_of(link.memory.info).habits.samples_only_on_request:
        await asyncio.sleep(interval_s(link, wanted_s))
        for evse_id in {one.evse_id for one in link.memory.transactions.running() if one.evse_id is not None}:
            try:
                await link.ready_calls.trigger("MeterValues", {"id": evse_id})
            except StationOfflineError:
                return
            except StationError as error:
                if not failing:
                    _LOGGER.info("%s sends no samples, not even when asked: %s", link.identity, error)
                failing = True
            except Exception:
                if not broken:
                    _LOGGER.exception("Asking %s for samples failed", link.identity)
                broken = True
            else:
                if failing or broken:
                    _LOGGER.info("%s sends samples again", link.identity)
                failing = broken = False
