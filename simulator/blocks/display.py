"""Blocks I and O of OCPP 2.0.1: what the station shows its driver."""

from collections.abc import Iterable, Mapping
from typing import Any, override

from ..timestamps import read
from .block import Answer, Block, Handler, Payload, accepted, rejected

FORMATS = frozenset({"ASCII", "UTF8"})
MESSAGES_PER_PAGE = 5
FRONT = ("AlwaysFront", "InFront")


class Display(Block):
    """Messages by their id, and costs by transaction."""

    def __init__(self, *arguments: Any) -> None:
        """Show nothing."""
        super().__init__(*arguments)
        self.messages: dict[int, Mapping[str, Any]] = {}
        self.costs: dict[str, float] = {}
        """The running or final cost of each transaction."""

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {
            "ClearDisplayMessage": self._clear,
            "CostUpdated": self._cost_updated,
            "GetDisplayMessages": self._get,
            "SetDisplayMessage": self._set,
        }

    @property
    def state(self) -> str:
        """What the station is doing, as a MessageStateEnumType."""
        evses = self.station.evses.values()
        if any(evse.charging_state == "Charging" for evse in evses if evse.transaction):
            return "Charging"
        return "Unavailable" if all(evse.status == "Unavailable" for evse in evses) else "Idle"

    @property
    def shown(self) -> list[str]:
        """Texts on the display now: a message that is always in front alone, then those in front, then the others."""
        due = [one for one in self.messages.values() if self._is_due(one)]
        for priority in (*FRONT, "NormalCycle"):
            if texts := [str(one["message"]["content"]) for one in due if one["priority"] == priority]:
                return texts[-1:] if priority == "AlwaysFront" else texts
        return []

    def told_of_cost(self, transaction_id: str, reply: Payload) -> None:
        """Take the cost and the personal message out of an answer to a TransactionEvent (I02, I03)."""
        if "totalCost" in reply:
            self.costs[transaction_id] = reply["totalCost"]

    def transaction_ended(self, transaction_id: str) -> None:
        """Forget its messages (O02.FR.02)."""
        self.messages = {number: one for number, one in self.messages.items() if one.get("transactionId") != transaction_id}

    @override
    def step(self, dt_s: float) -> None:
        if not self.messages:
            return
        self.messages = {
            number: one for number, one in self.messages.items() if "endDateTime" not in one or read(one["endDateTime"]) > self.station.now
        }

    def _is_due(self, message: Mapping[str, Any]) -> bool:
        began = "startDateTime" not in message or read(message["startDateTime"]) <= self.station.now
        return began and message.get("state", self.state) == self.state

    def _set(self, payload: Payload) -> Answer:
        message = payload["message"]
        if message["message"]["format"] not in FORMATS:
            return {"status": "NotSupportedMessageFormat"}
        transaction_id = message.get("transactionId")
        if transaction_id is not None and transaction_id not in {one.transaction_id for one in self.station.transactions.values()}:
            return {"status": "UnknownTransaction"}
        if (
            len(self.messages) >= self.station.device.number("DisplayMessageCtrlr", "DisplayMessages")
            and message["id"] not in self.messages
        ):
            return rejected("TooManyElements")
        self.messages[message["id"]] = message
        return accepted()

    def _get(self, payload: Payload) -> Answer:
        found = list(self._matching(payload))
        if not found:
            return {"status": "Unknown"}
        pages = [found[first : first + MESSAGES_PER_PAGE] for first in range(0, len(found), MESSAGES_PER_PAGE)]
        for number, page in enumerate(pages, 1):
            self.station.say(
                "NotifyDisplayMessages", {"requestId": payload["requestId"], "messageInfo": page, "tbc": number < len(pages)}, asked=True
            )
        return accepted()

    def _matching(self, payload: Payload) -> Iterable[Mapping[str, Any]]:
        for number, message in self.messages.items():
            if (
                number in payload.get("id", [number])
                and payload.get("priority", message["priority"]) == message["priority"]
                and payload.get("state") in {None, message.get("state")}
            ):
                yield message

    def _clear(self, payload: Payload) -> Answer:
        return {"status": "Accepted" if self.messages.pop(payload["id"], None) else "Unknown"}

    def _cost_updated(self, payload: Payload) -> Answer:
        self.costs[payload["transactionId"]] = payload["totalCost"]
        return {}
