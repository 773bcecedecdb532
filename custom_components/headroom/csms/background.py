"""Work that goes on beside a connection's messages: an error that nobody foresaw is loud when it comes, not when a task is thrown away."""

import asyncio
from collections.abc import Coroutine
import logging
from typing import Any

_LOGGER = logging.getLogger(__name__)


def begin(work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
    """Begin a work that nobody waits for; `what` it is stands in the log where it fails."""
    return asyncio.create_task(_heard(work, what))


async def _heard(work: Coroutine[Any, Any, None], what: str) -> None:
    try:
        await work
    except Exception:
        _LOGGER.exception("%s failed", what)
