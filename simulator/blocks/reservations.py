"""Block H of OCPP 2.0.1: an EVSE kept for a token until a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from ..evse import Token
from ..timestamps import read
from .block import Answer, Block, Handler, Payload, accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """One reservation. `evse_id` None: any EVSE, as long as one stays free for it (H03)."""

    reservation_id: int
    evse_id: int | None
    id_token: Token
    group: Token | None
    expires: datetime

    def for_token(self, id_token: Token, group: Token | None) -> bool:
        """Return whether a token, or one of its group (H04), may use it."""
        return id_token["idToken"] == self.id_token["idToken"] or (
            self.group is not None and group is not None and group["idToken"] == self.group["idToken"]
        )


class Reservations(Block):
    """The reservations of the station."""

    def __init__(self, *arguments: Any) -> None:
        """Start with none."""
        super().__init__(*arguments)
        self.made: dict[int, Reservation] = {}

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {"CancelReservation": self._cancel, "ReserveNow": self._reserve}

    @override
    def step(self, dt_s: float) -> None:
        for reservation in list(self.made.values()):
            if reservation.expires <= self.station.now:
                self._drop(reservation, "Expired")
            elif reservation.evse_id is not None and not self.station.evses[reservation.evse_id].operative:
                self._drop(reservation, "Removed")

    def blocks(self, evse_id: int, id_token: Token, group: Token | None) -> bool:
        """Return whether a token may not use an EVSE because it is kept for another."""
        evse = self.station.evses[evse_id]
        if evse.reserved_for is None:
            return False
        return not self.made[evse.reserved_for].for_token(id_token, group)

    def used(self, evse_id: int, id_token: Token) -> int | None:
        """Take the reservation a starting transaction uses; returns its id."""
        reservation_id = self.station.evses[evse_id].reserved_for
        if reservation_id is None:
            group = (self.station.tokens.known(id_token) or {}).get("groupIdToken")
            reservation_id = next((one.reservation_id for one in self._unplaced() if one.for_token(id_token, group)), None)
        if reservation_id is not None:
            del self.made[reservation_id]
            self._place()
        return reservation_id

    def _reserve(self, payload: Payload) -> Answer:
        evse_id = payload.get("evseId")
        if evse_id is not None and evse_id not in self.station.evses:
            return {"status": "Rejected"}
        if self.station.device.text("ReservationCtrlr", "Enabled") != "true":
            return {"status": "Rejected"}
        expires = read(payload["expiryDateTime"])
        if expires <= self.station.now or payload.get("connectorType", "cType2") != "cType2":
            return {"status": "Rejected"}
        reservation_id = payload["id"]
        others = {number: one for number, one in self.made.items() if number != reservation_id}  # H01.FR.02: the same id replaces
        taken = {one.evse_id for one in others.values()}
        chosen = {one: evse for one, evse in self.station.evses.items() if evse_id in {None, one}}
        free = [one for one, evse in chosen.items() if evse.usable and not evse.car and one not in taken]
        unplaced = sum(one.evse_id is None for one in others.values())
        if len(free) <= (unplaced if evse_id is None else 0):
            states = {evse.status for evse in chosen.values()}
            return {"status": "Unavailable" if states == {"Unavailable"} else "Occupied"}
        self.made = others | {
            reservation_id: Reservation(
                reservation_id=reservation_id,
                evse_id=evse_id,
                id_token=dict(payload["idToken"]),
                group=payload.get("groupIdToken"),
                expires=expires,
            )
        }
        self._place()
        return accepted()

    def _cancel(self, payload: Payload) -> Answer:
        if self.made.pop(payload["reservationId"], None) is None:
            return {"status": "Rejected"}
        self._place()
        return accepted()

    def _drop(self, reservation: Reservation, status: str) -> None:
        del self.made[reservation.reservation_id]
        self._place()
        update = {"reservationId": reservation.reservation_id, "reservationUpdateStatus": status}
        self.station.say("ReservationStatusUpdate", update)

    def _unplaced(self) -> list[Reservation]:
        return [one for one in self.made.values() if one.evse_id is None]

    def _place(self) -> None:
        """Mark the EVSEs kept free: those named, and every free one once there are no more than the reservations of any."""
        placed = {one.evse_id: one.reservation_id for one in self.made.values() if one.evse_id is not None}
        free = [one for one, evse in self.station.evses.items() if evse.usable and not evse.car and one not in placed]
        unplaced = self._unplaced()
        if len(free) <= len(unplaced):
            placed |= dict(zip(free, (one.reservation_id for one in unplaced), strict=False))
        for evse_id, evse in self.station.evses.items():
            evse.reserved_for = placed.get(evse_id)
        self.station.availability.tell_changes()
