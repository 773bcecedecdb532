"""Which EVSEs are kept free for whom (block H). The station holds a reservation too; this is what the site goes by."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
import secrets
from typing import Any

from ..csms.authorization import IdToken
from ..csms.errors import CallRejectedError
from ..csms.inventory import lacks_connector
from ..csms.station import Station
from .taking_up import taking_up
from .tokens import read, written


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """An EVSE of a station, or any of them (None), kept for a token, and for those of its group, until `expires_at`."""

    reservation_id: int
    station: str
    evse_id: int | None
    token: IdToken
    group: str | None
    expires_at: datetime
    excluded: frozenset[int] = frozenset()
    """The station's EVSEs that it is not for: they are known to have no connector of its type."""

    def is_for(self, token: IdToken, group: str | None, same: Callable[[IdToken, IdToken], bool]) -> bool:
        """Tell whether a token may charge there (H03)."""
        return same(self.token, token) or (self.group is not None and self.group == group)


@dataclass(slots=True)
class Reservations:
    """All that hold. Times are the site's."""

    _held: dict[int, Reservation] = field(default_factory=dict)

    def new_id(self) -> int:
        """Return an id that no reservation has: OCPP tells them apart by it over restarts too."""
        while (reservation_id := secrets.randbelow(2**31 - 1) + 1) in self._held:
            pass
        return reservation_id

    def add(self, reservation: Reservation) -> None:
        """Take a reservation that the station accepted."""
        self._held[reservation.reservation_id] = reservation

    def get(self, reservation_id: int) -> Reservation | None:
        """Return a reservation."""
        return self._held.get(reservation_id)

    def end(self, reservation_id: int, station: str) -> bool:
        """Let a station's reservation go; False where there was none."""
        found = self._held.get(reservation_id)
        if found is None or found.station != station:
            return False
        del self._held[reservation_id]
        return True

    def at(self, station: str) -> Iterable[Reservation]:
        """Return a station's reservations, the oldest first."""
        return [reservation for reservation in self._held.values() if reservation.station == station]

    def expire(self, now: datetime) -> bool:
        """Let go of those whose time is over; True where there were any."""
        over = [reservation_id for reservation_id, reservation in self._held.items() if now >= reservation.expires_at]
        for reservation_id in over:
            del self._held[reservation_id]
        return bool(over)

    def of_stations(self, identities: Collection[str]) -> None:
        """Let go of those at stations that are none of the site's any more."""
        self._held = {key: reservation for key, reservation in self._held.items() if reservation.station in identities}

    def document(self) -> list[dict[str, Any]]:
        """Return them as JSON-able data."""
        return [
            {
                "id": reservation.reservation_id,
                "station": reservation.station,
                "evse_id": reservation.evse_id,
                "group": reservation.group,
                "until": reservation.expires_at.isoformat(),
                "excluded": sorted(reservation.excluded),
                **written(reservation.token),
            }
            for reservation in self._held.values()
        ]

    def recall(self, document: Iterable[Mapping[str, Any]]) -> None:
        """Take over what `document` gave."""
        for row in document:
            with taking_up("a reservation"):
                self.add(
                    Reservation(
                        reservation_id=row["id"],
                        station=row["station"],
                        evse_id=row["evse_id"],
                        token=read(row),
                        group=row["group"],
                        expires_at=datetime.fromisoformat(row["until"]),
                        excluded=frozenset(row.get("excluded", ())),
                    )
                )


def closed_to(
    reservations: Iterable[Reservation],
    evses: Mapping[int, bool],
    token: IdToken,
    group: str | None,
    same: Callable[[IdToken, IdToken], bool],
) -> frozenset[int]:
    """Return the EVSEs of a station that are kept free for others; `evses` tells of each whether it is free.

    A reservation for any EVSE closes none as long as one is left for whoever it is for; then it closes all that are free and
    have its type of connector.
    """
    others = [reservation for reservation in reservations if not reservation.is_for(token, group, same)]
    closed = {reservation.evse_id for reservation in others if reservation.evse_id is not None}
    free = {evse_id for evse_id, is_free in evses.items() if is_free and evse_id not in closed}
    anywhere = [places for one in others if one.evse_id is None and (places := free - one.excluded)]
    full = [places for places in anywhere if len(places) <= sum(other <= places for other in anywhere)]
    return frozenset(closed.union(*full))


async def reserve(
    station: Station,
    reservations: Reservations,
    token: IdToken,
    expires_at: datetime,
    *,
    evse_id: int | None,
    connector_type: str | None,
    group: str | None,
) -> Reservation:
    """Have a station keep an EVSE free, and go by it. Raises StationError."""
    inventory = station.inventory
    excluded = (
        evse for evse in inventory.evse_connectors if connector_type is not None and lacks_connector(inventory, evse, connector_type)
    )
    reservation = Reservation(
        reservation_id=reservations.new_id(),
        station=station.identity,
        evse_id=evse_id,
        token=token,
        group=group,
        expires_at=expires_at,
        excluded=frozenset(excluded),
    )
    await station.authorization.reserve_now(
        reservation.reservation_id, token, expires_at, evse_id=evse_id, connector_type=connector_type, group=group
    )
    reservations.add(reservation)
    return reservation


async def cancel(station: Station, reservations: Reservations, reservation_id: int) -> None:
    """Have a station let a reservation go. Raises StationError, but not where the station has let it go already."""
    try:
        await station.authorization.cancel_reservation(reservation_id)
    except CallRejectedError:
        if not reservations.end(reservation_id, station.identity):
            raise
    reservations.end(reservation_id, station.identity)
