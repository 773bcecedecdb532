"""Block N's customer information (N09, N10): what the station remembers of a person, told and forgotten on request."""

from collections.abc import Mapping
from typing import Any, override

from ..evse import Token
from ..timestamps import written
from .block import Answer, Block, Handler, Payload, accepted

PAGE_LENGTH = 512
IDENTIFIERS = ("customerIdentifier", "idToken", "customerCertificate")


class Customers(Block):
    """Which token charged when; the cache and the local list are the tokens' own."""

    def __init__(self, *arguments: Any) -> None:
        """Remember nobody."""
        super().__init__(*arguments)
        self.visits: dict[str, list[str]] = {}
        """What is kept of each token's transactions."""

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {"CustomerInformation": self._inform}

    def seen(self, id_token: Token, transaction_id: str) -> None:
        """Remember a transaction."""
        self.visits.setdefault(id_token["idToken"], []).append(f"{written(self.station.now)} transaction {transaction_id}")

    def known_of(self, value: str) -> str:
        """Return all that is kept of a token, as text; "" where that is nothing."""
        tokens = self.station.tokens
        lines = [f"{value}: {line}" for line in self.visits.get(value, ())]
        if cached := tokens.cache.get(value):
            lines.append(f"{value}: authorization cache {cached.info['status']}")
        if listed := tokens.listed.get(value):
            lines.append(f"{value}: local authorization list {listed['idTokenInfo']['status']}")
        return "\n".join(lines)

    def _inform(self, payload: Payload) -> Answer:
        named = [name for name in IDENTIFIERS if name in payload]
        if len(named) > 1 or not (payload["report"] or payload["clear"]):
            return {"status": "Invalid"}
        if not named and payload["clear"]:
            return {"status": "Rejected"}  # whose?
        value = payload["idToken"]["idToken"] if "idToken" in payload else str(payload.get("customerIdentifier", ""))
        text = self.known_of(value)
        if payload["clear"]:
            self.visits.pop(value, None)
            self.station.tokens.cache.pop(value, None)
        pages = [text[first : first + PAGE_LENGTH] for first in range(0, len(text), PAGE_LENGTH)] or [""]
        for number, data in enumerate(pages) if payload["report"] else ():
            page = {
                "data": data,
                "seqNo": number,
                "generatedAt": written(self.station.now),
                "requestId": payload["requestId"],
                "tbc": number < len(pages) - 1,
            }
            self.station.say("NotifyCustomerInformation", page, asked=True)
        return accepted()
