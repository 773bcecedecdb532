"""A story: a site, who comes, what breaks when, and what is expected. Values only; `told.py` reads them from YAML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .place import READY_S
from .setting import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event of the story: a fault, or something that somebody does. With `lasts_s` it is over again then."""

    at_s: float
    what: str
    of: str | None = None
    """The station, EVSE or circuit that it befalls."""
    lasts_s: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else belongs to it, by the event's own words."""

    def __str__(self) -> str:
        """Return it in words."""
        return self.what if self.of is None else f"{self.what}, {self.of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a figure is to be: between `least` and `most`, or one of `words`."""

    text: str
    least: float | None = None
    most: float | None = None
    words: Sequence[str | None] = ()

    def holds(self, found: float | str | None) -> bool:
        """Tell whether a figure is that."""
        if self.words:
            return found in self.words
        if not isinstance(found, (int, float)):
            return False
        return (self.least is None or found >= self.least - 1e-6) and (self.most is None or found <= self.most + 1e-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is expected of a subject at each second from `from_s` to `to_s`, or with `once` at one of them at least."""

    from_s: float
    to_s: float
    once: bool = False
    of: str
    """An EVSE, a station, a circuit, or "site"."""
    figures: Mapping[str, Comparison]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Always:
    """What is expected of the whole run."""

    overload_s: float = 6.0
    """No conductor is over its limit for longer."""
    trips: int = 0
    dead_man_from_s: float | None = READY_S
    """From then on the dead-man rule holds; None: the story breaks what it rests on."""
    complains: bool = False
    """Something is to be logged as an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A whole story."""

    name: str
    title: str
    why: str = ""
    row: int | None = None
    """Of the failure modes that a load manager must survive."""
    elsewhere: Sequence[str] = ()
    """Tests that show over sockets, or with Home Assistant, what simulated time can't."""
    starts: datetime
    lasts_s: float
    step_s: float = 0.2
    noise_a: float = 0.0
    """How far a meter is off."""
    setting: Setting
    events: Sequence[Told] = ()
    expected: Sequence[Expected] = ()
    always: Always = Always()
