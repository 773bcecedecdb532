"""A station on a real socket that keeps profiles by the standard's rules, in the simulator's store."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from custom_components.headroom.csms.composite import Transaction
from simulator.profile_rules import ProfileRejectedError
from simulator.profiles import Abilities, ProfileStore

from .client import Client

ACCEPTED = {"status": "Accepted"}
STARTED = {
    "eventType": "Started",
    "triggerReason": "CablePluggedIn",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "T1"},
    "evse": {"id": 1},
}


def soon(seconds: float = 300) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def answering_later(client: Client) -> asyncio.Event:
    """Have a station answer what it is told of profiles, and hold it, only once the event is set."""
    released, install = asyncio.Event(), cast(Callable[[dict[str, Any]], Any], client.answers["SetChargingProfile"])

    async def later(payload: dict[str, Any]) -> Any:
        await released.wait()
        return install(payload)

    client.answers["SetChargingProfile"] = later
    return released


def keeping(client: Client, *, levels: int = 5, store: ProfileStore | None = None) -> ProfileStore:
    """Have a station keep its profiles by the rules, with a transaction T1 on its EVSE."""
    store = store or ProfileStore((1,), Abilities(stack_level_max=levels))
    running = {1: Transaction(transaction_id="T1", started_at=datetime.now(UTC))}

    def install(payload: dict[str, Any]) -> dict[str, Any]:
        try:
            store.install(payload["evseId"], payload["chargingProfile"], datetime.now(UTC), running)
        except ProfileRejectedError as error:
            return {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidProfile", "additionalInfo": str(error)}}
        return ACCEPTED

    def clear(payload: dict[str, Any]) -> dict[str, str]:
        criteria = payload.get("chargingProfileCriteria", {})
        gone = store.clear(
            profile_id=payload.get("chargingProfileId"), evse_id=criteria.get("evseId"), purpose=criteria.get("chargingProfilePurpose")
        )
        return {"status": "Accepted" if gone else "Unknown"}

    async def report(request_id: int) -> None:
        for number, one in enumerate(store.installed, 1):
            page = {"requestId": request_id, "chargingLimitSource": one.source, "evseId": one.evse_id, "chargingProfile": [one.profile]}
            await client.call("ReportChargingProfiles", page | {"tbc": number < len(store.installed)})

    def get(payload: dict[str, Any]) -> dict[str, str]:
        if store.installed:
            client._later(report(payload["requestId"]))
        return ACCEPTED if store.installed else {"status": "NoProfiles"}

    def composite(payload: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).replace(microsecond=0)
        return ACCEPTED | {"schedule": store.composite_schedule(payload["evseId"], now, payload["duration"], "A", running, {1: 32.0})}

    client.answers |= {
        "SetChargingProfile": install,
        "ClearChargingProfile": clear,
        "GetChargingProfiles": get,
        "GetCompositeSchedule": composite,
    }
    return store
