"""An event loop in simulated time."""

import asyncio
import time

import pytest

from simulator.virtual import START, NothingLeftError, run, wall_clock


def test_a_day_passes_in_no_time_and_in_order() -> None:
    async def day() -> tuple[list[str], float]:
        loop, order = asyncio.get_running_loop(), list[str]()
        now = wall_clock()
        begin = now()

        async def after(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        await asyncio.gather(after(7200.0, "late"), after(0.5, "soon"), after(3600.0, "middle"))
        await asyncio.sleep(86400 - 7200)
        assert (now() - begin).total_seconds() == pytest.approx(86400)
        assert begin == START
        return order, loop.time()

    began = time.monotonic()
    order, elapsed_s = run(day())
    assert order == ["soon", "middle", "late"]
    assert elapsed_s == pytest.approx(86400)
    assert time.monotonic() - began < 5.0


def test_what_is_ready_goes_before_time_does() -> None:
    async def main() -> float:
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def relay() -> int:
            for number in range(1000):
                queue.put_nowait(number)
                await asyncio.sleep(0)
            return await queue.get()

        async with asyncio.timeout(0.001):
            await relay()
        return asyncio.get_running_loop().time()

    assert run(main()) == 0.0


def test_timeouts_come_in_simulated_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 3600.0)
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(3600.0)


def test_waiting_for_what_never_comes_is_an_error() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingLeftError):
        run(main())
