"""In what words a station is told its limits: its dialect, and the unit, the phases and the time that a profile is written by."""

from dataclasses import replace

from .. import profiles
from ..abilities import Abilities, abilities, fitted, unit_of
from ..dialect import Dialect
from ..inventory import evse_phases, is_direct
from ..profiles import Wording
from ..quirks import known_of
from .link import Link


class Words:
    """How one station is told its limits now."""

    def __init__(self, link: Link) -> None:
        """Take the connection; nothing is sent."""
        self._link = link

    @property
    def dialect(self) -> Dialect:
        """As learnt, else as its quirks say, in either case no more than it takes."""
        known, memory = known_of(self._link.memory.info), self._link.memory
        return fitted(memory.learnt.dialect or known.dialect, self.can)

    @property
    def can(self) -> Abilities:
        """What of the dialects it takes."""
        return abilities(self._link.inventory, known_of(self._link.memory.info).habits)

    def _of(self, evse_id: int, phases: int | None) -> Wording:
        inventory, dialect = self._link.inventory, self.dialect
        direct = is_direct(inventory, evse_id)
        unit = unit_of(dialect, self.can)
        if direct and dialect.unit is None and "W" in inventory.smart_charging.rate_units:
            unit = "W"  # what a DC EVSE gives is reckoned in watts
        rated = profiles.rate(
            unit,
            phases=phases,
            voltage_v=self._link.voltage_v(evse_id),
            direct=direct,
            decimals=dialect.decimals,
            phases_sent=dialect.phases_sent,
        )
        return Wording(dialect=dialect, rate=rated, now=self._link.by_its_clock(self._link.now()))

    def station(self) -> Wording:
        """Return how the ceiling of the whole station is told."""
        supplied = {evse_phases(self._link.inventory, evse_id) for evse_id in self._link.inventory.evse_connectors}
        return self._of(0, 1 if supplied == {1} else 3)

    def fallback(self, evse_id: int) -> Wording:
        """Return how an EVSE's fallback is told: it is for whatever car comes."""
        return self._of(evse_id, 1 if evse_phases(self._link.inventory, evse_id) == 1 else None)

    def one_phase(self, evse_id: int) -> Wording:
        """Return how a fallback or a lease is told that is for an EVSE's first terminal alone."""
        words = self._of(evse_id, 1)
        return replace(words, rate=replace(words.rate, phases=1, phase_to_use=1))

    def lease(self, evse_id: int) -> Wording:
        """Return how an EVSE's lease is told: by the phases that its car is seen to use."""
        return self._of(evse_id, 1 if evse_phases(self._link.inventory, evse_id) == 1 else self._link.memory.draw(evse_id).phases)
