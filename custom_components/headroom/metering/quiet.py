"""pymodbus writes a line for each failure; a meter of ours is told of once. So its lines about ours are kept back, unless somebody asks for them.

Whoever else uses pymodbus in this process has its lines as ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
import logging
from typing import override

LOGGERS = ("pymodbus", "pymodbus.logging")
"""Where a person sets a level for it; it writes to the last."""

_ours: ContextVar[bool] = ContextVar("headroom_meter", default=False)


class _Unasked(logging.Filter):
    @override
    def filter(self, record: logging.LogRecord) -> bool:
        asked = any(logging.getLogger(name).level != logging.NOTSET for name in LOGGERS)
        return asked or not _ours.get() or logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


_UNASKED = _Unasked()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what pymodbus writes of what is done inside, and of the connections that are made inside for as long as they live."""
    logging.getLogger(LOGGERS[-1]).addFilter(_UNASKED)
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)
