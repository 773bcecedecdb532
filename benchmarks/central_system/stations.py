"""How the stations of the benchmark answer, and how a central system under test is started and asked."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
import json
import sys
from typing import Any

from simulator.factory import StationSpec, device_model
from simulator.profile_rules import Abilities

from .load import BOOT, Request, Station, now
from .messages import PERIODS

SPEC = StationSpec(identity="S", abilities=Abilities(periods_per_schedule=PERIODS))
REPORT = device_model(SPEC).reports(device_model(SPEC).variables)
"""The inventory of the simulator's station, in pages as it sends them."""


def answering(station: Station, message_id: str, action: str, payload: Mapping[str, Any]) -> None:
    """Answer a request as a station does that can do what the standard asks for."""
    match action:
        case "GetBaseReport" | "GetReport":
            station.answer(message_id, {"status": "Accepted"})
            for seq_no, data in enumerate(REPORT):
                page = {"requestId": payload["requestId"], "generatedAt": now(), "seqNo": seq_no, "reportData": data}
                station.request(Request("NotifyReport", page | {"tbc": seq_no < len(REPORT) - 1}).frame())
        case "SetVariables":
            results = [
                {"attributeStatus": "Accepted", "component": item["component"], "variable": item["variable"]}
                for item in payload["setVariableData"]
            ]
            station.answer(message_id, {"setVariableResult": results})
        case "GetVariables":
            results = [
                {"attributeStatus": "UnknownVariable", "component": item["component"], "variable": item["variable"]}
                for item in payload["getVariableData"]
            ]
            station.answer(message_id, {"getVariableResult": results})
        case "TriggerMessage":
            if payload["requestedMessage"] == "BootNotification":
                station.answer(message_id, {"status": "Accepted"})
                station.request(Request("BootNotification", BOOT | {"reason": "Triggered"}).frame())
            elif payload["requestedMessage"] == "StatusNotification":
                station.answer(message_id, {"status": "Accepted"})
                station.request(Request("StatusNotification", status()).frame())
            else:
                station.answer(message_id, {"status": "Rejected"})
        case "SetChargingProfile":
            station.answer(message_id, {"status": "Accepted"})
        case "ClearChargingProfile":
            station.answer(message_id, {"status": "Unknown"})
        case "GetChargingProfiles":
            station.answer(message_id, {"status": "NoProfiles"})
        case _:
            station.refuse(message_id)


def status() -> dict[str, Any]:
    """Return a StatusNotificationRequest."""
    return {"timestamp": now(), "connectorStatus": "Available", "evseId": 1, "connectorId": 1}


class Subject:
    """A central system in its process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        """Take a started process."""
        self._process = process
        self.port = port

    async def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Give a command and return the answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do} | more).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return answer

    async def until_ready(self, count: int, within_s: float) -> None:
        """Wait until so many stations are ready. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while (await self.ask("usage"))["ready"] < count:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def subject(kind: str, *, site: int = 0) -> AsyncIterator[Subject]:
    """Start a central system; it is gone at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.central_system.serve",
        kind,
        "--site",
        str(site),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    try:
        assert process.stdout is not None
        yield Subject(process, json.loads(await process.stdout.readline())["port"])
    finally:
        process.kill()
        await process.wait()


def boot(stations: Sequence[Station]) -> None:
    """Have stations say that they were switched on."""
    request = Request("BootNotification", BOOT)
    for station in stations:
        station.request(request.frame())
