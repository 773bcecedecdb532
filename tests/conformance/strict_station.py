"""The station of `station.js` as a test sees it: ocpp-rpc in strict mode, in a process of its own."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
import json
import os
from pathlib import Path
import shutil
from typing import Any

import pytest

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / ".node" / "node_modules"
ORDER_S = 30.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A frame that breaks its schema. `where` is as "received request"."""

    action: str
    where: str
    error: str
    payload: Any


class RefusedError(Exception):
    """What was ordered failed: a CALLERROR, a frame against its schema, no connection."""


class StrictStation:
    """A running station. `requests` are those it got, `failures` the frames that broke their schema, whoever sent them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = count(1)
        self._orders: dict[int, asyncio.Future[Any]] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[str] = []
        self.failures: list[Failure] = []
        self.bad: list[str] = []
        self.refused: list[str] = []
        """What it sent by itself and was not answered."""

    async def run(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            match json.loads(line):
                case {"done": int(number), "error": str(error)}:
                    self._orders.pop(number).set_exception(RefusedError(error))
                case {"done": int(number), "result": result}:
                    self._orders.pop(number).set_result(result)
                case {"request": str(action), "params": dict(params)}:
                    self.requests.append((action, params))
                case {"failure": str(action), "where": str(where), "error": str(error), "payload": payload}:
                    self.failures.append(Failure(action, where, error, payload))
                case {"bad": str(error)}:
                    self.bad.append(error)
                case {"refused": str(action), "error": str(error)}:
                    self.refused.append(f"{action}: {error}")
        for order in self._orders.values():
            order.set_exception(RefusedError("the station's process ended"))

    async def _order(self, what: str, **more: Any) -> Any:
        number = next(self._ids)
        done = self._orders[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "do": what, **more}).encode() + b"\n")
        async with asyncio.timeout(ORDER_S):
            return await done

    async def connect(self, url: str, identity: str = "CP1", password: str | None = None) -> None:
        await self._order("connect", url=url, identity=identity, password=password)

    async def call(self, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request; raises RefusedError where it or its answer breaks its schema, or the answer is a CALLERROR."""
        self.sent.append(action)
        return dict(await self._order("call", action=action, params=params))

    async def answer(self, action: str, params: Mapping[str, Any]) -> None:
        """Answer a request so from now on."""
        await self._order("answer", action=action, params=params)

    async def close(self) -> None:
        await self._order("close")


def node() -> str:
    """Return the way to Node; skips the test where there is none, or where its package could not be fetched."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed: the independent strict station (npm's ocpp-rpc) is not run")
    if not (MODULES / "ocpp-rpc").is_dir():
        if os.environ.get("CI"):
            pytest.fail("ocpp-rpc is not installed in .node: scripts/test fetches it by npm")
        pytest.skip("ocpp-rpc is not installed in .node (scripts/test fetches it by npm; no network?)")
    return found


@asynccontextmanager
async def strict_station() -> AsyncGenerator[StrictStation]:
    """Start the station's process; it is not connected yet."""
    process = await asyncio.create_subprocess_exec(
        node(),
        str(HERE / "station.js"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"NODE_PATH": str(MODULES)},
        limit=1 << 24,
    )
    station = StrictStation(process)
    reading = asyncio.create_task(station.run())
    try:
        yield station
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
