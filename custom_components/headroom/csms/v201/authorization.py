"""Blocks C, D and H of OCPP 2.0.1: who may charge. Tokens are judged by the site; here they are carried."""

from collections.abc import Awaitable, Callable, Mapping
from typing import override

from ..fields import optional_text, record, text
from ..frames import Payload
from ..station import AuthorizationStatus, IdToken, Noticed
from .link import Block, Handler, Link

ANSWERS = {
    AuthorizationStatus.ACCEPTED: "Accepted",
    AuthorizationStatus.INVALID: "Invalid",
    AuthorizationStatus.NOT_AT_THIS_TIME: "NotAtThisTime",
}


class Authorization(Block):
    """Tokens and reservations."""

    def __init__(self, link: Link, judge: Callable[[int | None, IdToken], Awaitable[AuthorizationStatus]]) -> None:
        """`judge` answers a token that is shown at an EVSE, or at the station (None)."""
        super().__init__(link)
        self._judge = judge

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"Authorize": self._on_authorize, "ReservationStatusUpdate": self._on_reservation}

    async def answer(self, evse_id: int | None, id_token: IdToken) -> Payload:
        """Return the response to a token in Authorize or TransactionEvent."""
        return {"idTokenInfo": {"status": ANSWERS[await self._judge(evse_id, id_token)]}}

    async def _on_authorize(self, payload: Payload) -> Payload:
        return await self.answer(None, read_token(record(payload, "idToken")))

    async def _on_reservation(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="ReservationStatusUpdate", payload=payload))
        return {}


def read_token(token: Payload) -> IdToken:
    """Return the token a station read. Raises CallFailure."""
    return IdToken(value=text(token, "idToken"), type=optional_text(token, "type") or "Central")
