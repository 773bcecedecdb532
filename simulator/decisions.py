"""The decisions of a running Home Assistant, fetched often enough that its death loses few of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from .homeassistant_api import ApiError, Client, HomeAssistantGoneError

FETCH_EVERY_S = 2.0
FETCHED = 200
LOADED = "loaded"
"""The state of a config entry whose actions have somebody to answer them."""


class DecisionCollector:
    """Keeps each decision in its newest form; it outlives restarts of Home Assistant."""

    def __init__(self, client: Callable[[], Client], entry_id: str) -> None:
        """`client` gives the connection of the moment, or raises HomeAssistantGoneError."""
        self._client = client
        self._entry_id = entry_id
        self._decisions: dict[str, Mapping[str, Any]] = {}
        self.refusals: list[str] = []
        """Why Home Assistant did not hand them out, each cause once."""

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            await self.fetch()
            await asyncio.sleep(FETCH_EVERY_S)

    async def fetch(self) -> None:
        """Fetch once; what can't be fetched now is fetched later, or lost with the process that had it."""
        try:
            client = self._client()
            entry = (await client.command("config_entries/get_single", entry_id=self._entry_id))["config_entry"]
            if entry["state"] != LOADED:
                return
            devices = await client.command("config/device_registry/list")
            device = next((row["id"] for row in devices if ["headroom", self._entry_id] in row["identifiers"]), None)
            if device is None:
                return
            answer = await client.call_action("headroom", "get_decisions", {"device_id": device, "count": FETCHED}, response=True)
        except HomeAssistantGoneError:
            return
        except ApiError as error:
            if str(error) not in self.refusals:
                self.refusals.append(str(error))
            return
        self._decisions |= {decision["at"]: decision for decision in answer["decisions"]}

    def since(self, at: datetime) -> list[Mapping[str, Any]]:
        """Return the decisions since a moment, in order."""
        return [decision for when, decision in sorted(self._decisions.items()) if datetime.fromisoformat(when) >= at]


def reactions_ms(decisions: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return how long each cut took that a reading made necessary: from its arrival to the last station's acknowledgement."""
    return [
        1000.0 * decision["acknowledged_s"]
        for decision in decisions
        if decision["cut"] and decision["trigger"] == "reading" and decision["acknowledged_s"] is not None
    ]


def percentile(values: list[float], share: float) -> float | None:
    """Return the nearest-rank percentile, None of nothing."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * int(share * 100) // 100) - 1)] if ranked else None
