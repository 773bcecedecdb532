"""Taking up what was kept over a restart: a part that can't be read, for another version wrote it, costs itself alone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_LOGGER = logging.getLogger(__name__)

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""What reading raises of something that is not what it was taken for."""


@contextmanager
def taking_up(what: str) -> Iterator[None]:
    """Take up a part of it; where it can't be read that is said, and all goes on without."""
    try:
        yield
    except UNREADABLE as error:
        _LOGGER.warning("What was kept of %s can't be read, and is left out: %r", what, error)


def known_fields(of: type[DataclassInstance], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a value has a field for: what a newer version added must not cost the rest."""
    names = {field.name for field in fields(of)}
    return {key: value for key, value in document.items() if key in names}
