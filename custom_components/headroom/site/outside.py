"""Limits from outside as the site keeps them: over a restart, and with a word in the log where a source falls silent."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
import logging
from typing import Any, override

from ..demand_response.limits import ExternalLimit, ExternalLimits, Failsafe
from .snapshot import Silence
from .taking_up import known_fields, taking_up

_LOGGER = logging.getLogger(__name__)

type _Whose = tuple[str, str]
"""A source and the circuit that it limits."""


def order(
    source: str,
    circuit_id: str,
    now: float,
    *,
    limit_a: float | None,
    limit_w: float | None,
    duration_s: float | None,
    silent_after_s: float | None = None,
    failsafe_a: float | None = None,
    failsafe_w: float | None = None,
    failsafe_s: float | None = None,
) -> ExternalLimit:
    """Return a limit as its source orders it now; ValueError for what can't be meant.

    `duration_s` None: until it takes it back. `silent_after_s`: it speaks at least so often; once it does not, the failsafe holds for
    `failsafe_s`, None: until it speaks again.
    """
    if (silent_after_s is None) != (failsafe_a is None and failsafe_w is None):
        raise ValueError(f"{source} is to say both how often it speaks and what holds once it does not")
    failsafe = None
    if silent_after_s is not None:
        from_s = now + silent_after_s
        to_s = None if failsafe_s is None else from_s + failsafe_s
        failsafe = Failsafe(from_s=from_s, to_s=to_s, limit_a=failsafe_a, limit_w=failsafe_w)
    valid_to_s = None if duration_s is None else now + duration_s
    return ExternalLimit(source=source, circuit_id=circuit_id, limit_a=limit_a, limit_w=limit_w, valid_to_s=valid_to_s, failsafe=failsafe)


class OutsideLimits(ExternalLimits):
    """The limits from outside of a site that runs."""

    def __init__(self) -> None:
        """Start without any."""
        super().__init__()
        self._silent: set[_Whose] = set()
        self._gone: set[_Whose] = set()
        """Whose failsafe is over too, until they are heard again."""

    @override
    def clear(self, source: str, circuit_id: str) -> bool:
        """Take the source's limit off the circuit, and with it what is told of its silence; False where there was neither."""
        gone = (source, circuit_id) in self._gone
        self._gone.discard((source, circuit_id))
        return super().clear(source, circuit_id) or gone

    @property
    def silences(self) -> Sequence[Silence]:
        """The sources that were silent for too long when the last turn was made, until they are heard again or a person takes their limit back."""
        return [
            Silence(source=source, circuit_id=circuit_id, failsafe_holds=(source, circuit_id) in self._silent)
            for source, circuit_id in sorted(self._silent | self._gone)
        ]

    def turn(self, now: float) -> bool:
        """Tell of sources that fell silent or are heard again, and forget what is over; True where there is something else to be kept."""
        over = [limit for limit in self if limit.over_at(now)]
        for limit in over:
            self.clear(limit.source, limit.circuit_id)
            if limit.failsafe is not None:
                _LOGGER.warning("%s is silent still: its failsafe limit holds no longer", limit.source)
                self._gone.add((limit.source, limit.circuit_id))
        silent = {(limit.source, limit.circuit_id) for limit in self if limit.silent_at(now)}
        for source, circuit_id in sorted(silent - self._silent):
            _LOGGER.warning("%s has not said for too long how much %s may draw: its failsafe limit holds", source, circuit_id)
        heard = {(limit.source, limit.circuit_id) for limit in self if not limit.silent_at(now)}
        for source, circuit_id in sorted((self._silent | self._gone) & heard):
            _LOGGER.info("%s says again how much %s may draw", source, circuit_id)
        self._silent, self._gone = silent, self._gone - heard - silent
        return bool(over)

    def documents(self, posix_zero_s: float) -> list[dict[str, Any]]:
        """Return what outlives a restart, with POSIX times. `posix_zero_s` is when the monotonic clock was zero."""
        return [asdict(_moved(limit, posix_zero_s)) for limit in self]

    def recall(self, documents: Sequence[Mapping[str, Any]], posix_zero_s: float) -> None:
        """Take over what `documents` gave: what was allowed before holds on, and its source's silence goes on."""
        for document in documents:
            with taking_up("a limit from outside"):
                failsafe = document.get("failsafe")
                told = None if failsafe is None else Failsafe(**known_fields(Failsafe, failsafe))
                limit = ExternalLimit(**known_fields(ExternalLimit, document) | {"failsafe": told})
                self.set(_moved(limit, -posix_zero_s))


def _moved(limit: ExternalLimit, by_s: float) -> ExternalLimit:
    """Return a limit with its times by another clock."""

    def moved(time_s: float | None) -> float | None:
        return None if time_s is None else time_s + by_s

    failsafe = limit.failsafe
    return replace(
        limit,
        valid_from_s=moved(limit.valid_from_s),
        valid_to_s=moved(limit.valid_to_s),
        failsafe=None if failsafe is None else replace(failsafe, from_s=failsafe.from_s + by_s, to_s=moved(failsafe.to_s)),
    )
