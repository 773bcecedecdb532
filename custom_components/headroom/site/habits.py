"""What is usual: how long drivers stay and how much they take, by driver and by EVSE, learnt from their last stays.

Drivers are known by a keyed digest of their token: a stay names nobody, and no token can be read from it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
import hashlib
import math
import secrets
from typing import Any

VERSION = 1
MOST_STAYS = 12
"""So many stays are remembered of each: older habits are no habits."""
LEAST_STAYS = 3
"""Fewer stays make no habit."""
MOST_NAMES = 1000
ALIKE_S = 2 * 3600.0
"""Stays that began within so much of the same time of day are alike."""
SATURDAY = 5
DAY_S = 86_400.0
LEAST_STAY_S = 300.0
"""Whoever leaves sooner did not come to charge."""
LONGEST_STAY_S = 14 * DAY_S
DEPARTURE_QUANTILE = 0.3
"""Rather early: who is ready before it is time loses nothing."""
ENERGY_QUANTILE = 0.7
"""Rather much: what is not needed in the end goes to the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One stay: when it began (POSIX time), how long it was and what it took (None: nobody knows)."""

    arrived_s: float
    stay_s: float
    energy_wh: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is to be expected of a stay; what is not usual is None."""

    departs_at: datetime | None = None
    energy_wh: float | None = None


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies, between two of them in proportion; at least one is needed."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(values: Sequence[float]) -> float:
    """Return how far values lie apart, the odd ones left aside."""
    return quantile(values, 0.75) - quantile(values, 0.25)


def later_s(stay: Stay, arrived_at: datetime) -> float:
    """Return by how much later in the day a stay began than `arrived_at`, −12 h to 12 h, by the clock of its zone."""
    began = datetime.fromtimestamp(stay.arrived_s, arrived_at.tzinfo)
    return (_of_day_s(began) - _of_day_s(arrived_at) + DAY_S / 2) % DAY_S - DAY_S / 2


def _of_day_s(at: datetime) -> float:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond).total_seconds()


def alike(stay: Stay, arrived_at: datetime) -> bool:
    """Tell whether a stay began at a similar time of day, both on a working day or both at a weekend."""
    began = datetime.fromtimestamp(stay.arrived_s, arrived_at.tzinfo)
    return (began.weekday() >= SATURDAY) == (arrived_at.weekday() >= SATURDAY) and abs(later_s(stay, arrived_at)) <= ALIKE_S


def usual(stays: Iterable[Stay], arrived_at: datetime) -> Usual:
    """Return what stays like the one that began at `arrived_at` (aware, by the place's clock) let expect.

    Some stay as long each time, others leave at the same time of day: what varies less is the habit.
    """
    similar = [stay for stay in stays if alike(stay, arrived_at)]
    if len(similar) < LEAST_STAYS:
        return Usual()
    lengths_s = [stay.stay_s for stay in similar]
    until_s = [later_s(stay, arrived_at) + stay.stay_s for stay in similar]
    if spread(lengths_s) <= spread(until_s):
        departs_at = arrived_at.astimezone(UTC) + timedelta(seconds=quantile(lengths_s, DEPARTURE_QUANTILE))
    else:
        departs_at = arrived_at + timedelta(seconds=quantile(until_s, DEPARTURE_QUANTILE))  # by the clock on the wall
    energies_wh = [stay.energy_wh for stay in similar if stay.energy_wh is not None]
    return Usual(
        departs_at=departs_at.astimezone(UTC),
        energy_wh=quantile(energies_wh, ENERGY_QUANTILE) if len(energies_wh) >= LEAST_STAYS else None,
    )


def _row(stay: Stay) -> list[float | None]:
    """Return a stay as it is stored: in whole seconds and watt hours."""
    return [round(stay.arrived_s), round(stay.stay_s), None if stay.energy_wh is None else round(stay.energy_wh)]


@dataclass(slots=True)
class Habits:
    """The last stays of drivers and at EVSEs, by name."""

    stays: dict[str, tuple[Stay, ...]] = field(default_factory=dict)
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def driver(self, token_key: str) -> str:
        """Return the name of the driver with a token, by its normalised value; it does not tell the token."""
        return "driver " + hashlib.blake2b(token_key.encode(errors="surrogatepass"), key=self.salt, digest_size=16).hexdigest()

    def learn(self, names: Iterable[str], stay: Stay) -> bool:
        """Take in a stay under each name; False where it tells nothing."""
        if not LEAST_STAY_S <= stay.stay_s <= LONGEST_STAY_S:
            return False
        for name in names:
            self.stays[name] = (*self.stays.pop(name, ()), stay)[-MOST_STAYS:]
        while len(self.stays) > MOST_NAMES:
            del self.stays[next(iter(self.stays))]  # who was not here for the longest time
        return True

    def usual(self, names: Iterable[str], arrived_at: datetime, zone: tzinfo) -> Usual:
        """Return what is usual by the first of the names whose stays tell it, energy and departure each by themselves."""
        found = [usual(self.stays.get(name, ()), arrived_at.astimezone(zone)) for name in names]
        return Usual(
            departs_at=next((each.departs_at for each in found if each.departs_at is not None), None),
            energy_wh=next((each.energy_wh for each in found if each.energy_wh is not None), None),
        )

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Forget what stands under other names."""
        self.stays = {name: stays for name, stays in self.stays.items() if wanted(name)}

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "version": VERSION,
            "salt": self.salt.hex(),
            "stays": {name: [_row(stay) for stay in stays] for name, stays in self.stays.items()},
        }

    def recall(self, document: Mapping[str, Any]) -> None:
        """Take over what `document` gave; what another version wrote is not read."""
        if document.get("version") != VERSION:
            return
        self.salt = bytes.fromhex(document["salt"])
        self.stays = {
            name: tuple(Stay(arrived_s=arrived_s, stay_s=stay_s, energy_wh=energy_wh) for arrived_s, stay_s, energy_wh in rows)
            for name, rows in document["stays"].items()
        }
