"""How long a station is given to answer: longer where its answers came late, and as long as others once they come in time again."""

import asyncio
import json

import pytest

from custom_components.headroom.csms.errors import CallTimeoutError
from custom_components.headroom.csms.patience import LONGEST_S
from custom_components.headroom.csms.rpc import Answer, Payload, Rpc
from custom_components.headroom.csms.v201.link import SCHEMAS
from simulator.virtual import run

from .test_connection import Pair

USUAL_S = 10.0


class Late(Pair):
    """A station that answers each request after `takes_s`, or never (None)."""

    def __init__(self, takes_s: float | None) -> None:
        super().__init__()
        self.takes_s = takes_s

    async def send(self, text: str) -> None:
        await super().send(text)
        if self.takes_s is not None:
            answer = json.dumps([3, json.loads(text)[1], {"status": "Accepted"}])
            asyncio.get_running_loop().call_later(self.takes_s, self.incoming.put_nowait, answer)


async def _handle(action: str, payload: Payload) -> Answer:
    raise AssertionError("it asks nothing")


async def _waited_s(rpc: Rpc, action: str = "ClearCache") -> float:
    began = asyncio.get_running_loop().time()
    await rpc.call(action, {})
    return asyncio.get_running_loop().time() - began


async def _given_up_after_s(rpc: Rpc, action: str = "ClearCache") -> float:
    began = asyncio.get_running_loop().time()
    with pytest.raises(CallTimeoutError):
        await rpc.call(action, {})
    return asyncio.get_running_loop().time() - began


def _connected(station: Late) -> Rpc:
    rpc = Rpc(station, SCHEMAS, _handle, name="CP1", call_timeout_s=USUAL_S)
    station.serving = asyncio.create_task(rpc.run())  # type: ignore[attr-defined]
    return rpc


@pytest.mark.parametrize("takes_s", [11.0, 15.0, 18.0])
def test_whose_answer_came_late_is_given_longer_from_then_on(takes_s: float) -> None:
    async def story() -> None:
        rpc = _connected(Late(takes_s))
        assert await _given_up_after_s(rpc) == pytest.approx(USUAL_S)
        assert await _waited_s(rpc) == pytest.approx(takes_s), "the one that was sent before the late answer came is given longer too"
        assert await _waited_s(rpc) == pytest.approx(takes_s)

    run(story())


def test_nobody_is_given_longer_than_half_a_minute_and_one_that_never_answers_no_longer_than_others() -> None:
    async def story() -> None:
        station = Late(65.0)
        rpc = _connected(station)
        for _ in range(7):
            await _given_up_after_s(rpc)
        assert await _given_up_after_s(rpc) == pytest.approx(LONGEST_S)
        deaf = _connected(Late(None))
        assert [await _given_up_after_s(deaf) for _ in range(30)] == pytest.approx([USUAL_S] * 30)

    run(story())


def test_who_answers_in_time_again_is_given_as_long_as_others() -> None:
    async def story() -> None:
        station = Late(12.0)
        rpc = _connected(station)
        await _given_up_after_s(rpc)
        assert await _waited_s(rpc) == pytest.approx(12.0)
        station.takes_s = 0.5
        for _ in range(8):
            await rpc.call("ClearCache", {})
        station.takes_s = None
        assert await _given_up_after_s(rpc) == pytest.approx(USUAL_S)

    run(story())


def test_what_takes_long_makes_nothing_else_wait_longer() -> None:
    async def story() -> None:
        station = Late(15.0)
        rpc = _connected(station)
        await _given_up_after_s(rpc, "ClearCache")
        await _waited_s(rpc, "ClearCache")
        station.takes_s = None
        assert await _given_up_after_s(rpc, "GetLocalListVersion") == pytest.approx(USUAL_S)

    run(story())
