"""The meter that is a document on a web server, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
import json
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
import pytest

from custom_components.headroom.metering import polling, rest
from custom_components.headroom.metering.reading import MeterError, Reading
from custom_components.headroom.metering.rest import RestMeter, RestMeterConfig

PATHS = ("$.phases[0].amps", "$.phases[1].amps", "$.phases[2].amps")
WATTS = ("$.phases[0].watts", "$.phases[1].watts", "$.phases[2].watts")


class Device:
    """A web server with one document. `asked` are the requests' headers; `silent` holds every answer back until it is set."""

    def __init__(self) -> None:
        self.document: Any = {
            "phases": [{"amps": 10, "watts": 2300}, {"amps": 8, "watts": -1840}, {"amps": "5.0", "watts": 1150}],
            "total": 1.61,
            "energy": {"import": 4321, "export": 321},
        }
        self.body: bytes | None = None
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._server: TestServer | None = None
        self._port: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/api/meter?key=secret"

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/api/meter", self._answer)
        self._server = TestServer(application, host="127.0.0.1", port=self._port)
        await self._server.start_server()
        self._port = self._server.port

    async def stop(self) -> None:
        self.may_answer.set()
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.headers))
        await self.may_answer.wait()
        body = json.dumps(self.document).encode() if self.body is None else self.body
        return web.Response(body=body, status=self.status, headers=self.headers)


@pytest.fixture
async def device() -> AsyncIterator[Device]:
    device = Device()
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def probe(session: ClientSession, device: Device, **config: Any) -> Reading:
    return await RestMeter(session, RestMeterConfig(url=device.url, **config)).probe()


async def test_currents_powers_and_energies_by_their_paths(session: ClientSession, device: Device) -> None:
    before = asyncio.get_running_loop().time()
    reading = await probe(session, device, currents=PATHS, powers=WATTS, import_wh="$.energy.import", export_wh="$.energy['export']")
    assert reading.current_a == (10.0, -8.0, 5.0)
    assert reading.power_w == 1610.0
    assert (reading.import_wh, reading.export_wh) == (4_321_000.0, 321_000.0)
    assert before < reading.taken_at < asyncio.get_running_loop().time()
    assert reading.source == device.url.removesuffix("?key=secret"), "what may be secret is not in the name"


async def test_units_signs_and_pairs(session: ClientSession, device: Device) -> None:
    reading = await probe(session, device, phases=1, total_power="$.total", power_unit="kW")
    assert reading.power_w == pytest.approx(1610.0)
    reading = await probe(session, device, phases=1, total_power="$.total", power_unit="kW", export_positive=True)
    assert reading.current_a == pytest.approx((-7.0, 0.0, 0.0))
    device.document = {"ma": [1000, 2000, 3000], "drawn": 0.0, "fed": 460.0}
    reading = await probe(session, device, currents=("$.ma[0]", "$.ma[1]", "$.ma[2]"), current_unit="mA")
    assert reading.current_a == pytest.approx((1.0, 2.0, 3.0))
    reading = await probe(session, device, phases=1, total_power="$.drawn", exported_total="$.fed")
    assert reading.power_w == -460.0


async def test_a_value_is_picked_by_its_neighbour(session: ClientSession, device: Device) -> None:
    device.document = {"meters": [{"name": "pv", "power": -3000}, {"name": "grid", "power": 460}]}
    reading = await probe(session, device, phases=1, total_power="$.meters[?@.name == 'grid'].power")
    assert reading.power_w == 460.0


async def test_the_credentials_are_sent(session: ClientSession, device: Device) -> None:
    await probe(session, device, currents=PATHS, username="reader", password="open")
    assert device.asked[-1]["Authorization"] == "Basic cmVhZGVyOm9wZW4="
    config = RestMeterConfig(url=device.url, currents=PATHS, token="t0k3n", password="pass")
    await RestMeter(session, config).probe()
    assert device.asked[-1]["Authorization"] == "Bearer t0k3n"
    assert "t0k3n" not in repr(config)
    assert "pass'" not in repr(config)


async def test_credentials_in_the_address_are_sent_unless_others_are_given(session: ClientSession, device: Device) -> None:
    url = device.url.replace("http://", "http://other:one@")
    reading = await RestMeter(session, RestMeterConfig(url=url, currents=PATHS)).probe()
    assert device.asked[-1]["Authorization"] == "Basic b3RoZXI6b25l"
    assert "one" not in reading.source
    await RestMeter(session, RestMeterConfig(url=url, currents=PATHS, token="t0k3n")).probe()
    assert device.asked[-1]["Authorization"] == "Bearer t0k3n"
    await RestMeter(session, RestMeterConfig(url=url, currents=PATHS, username="reader", password="open")).probe()
    assert device.asked[-1]["Authorization"] == "Basic cmVhZGVyOm9wZW4="


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"url": "ftp://meter/x", "currents": PATHS}, "begins with http"),
        ({"url": "meter", "currents": PATHS}, "begins with http"),
        ({"url": "http://[meter/x", "currents": PATHS}, "is no address"),
        ({"url": "http://meter/x", "total_power": "total"}, "'total' is no JSON path"),
        ({"url": "http://meter/x", "total_power": "$.total["}, "is no JSON path"),
        ({"url": "http://meter/x"}, "needs the currents"),
        ({"url": "http://meter/x", "currents": PATHS[:2]}, "2 currents are given"),
        ({"url": "http://meter/x", "currents": PATHS, "username": "a:b", "password": "c"}, "can't be sent"),
        ({"url": "http://meter/x", "currents": PATHS, "token": "a\nb"}, "can't be sent"),
    ],
)
async def test_a_setting_that_makes_no_meter_is_refused(session: ClientSession, config: dict[str, Any], said: str) -> None:
    with pytest.raises(MeterError, match=said) as error:
        RestMeter(session, RestMeterConfig(**config))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, r"\$.total leads to no values"),
        ({"total": None}, r"\$.total is no number but null"),
        ({"total": True}, "is no number but true"),
        ({"total": "much"}, 'is no number but "much"'),
        ({"total": [1]}, r"is no number but \[1\]"),
        ({"total": float("nan")}, "is no number but NaN"),
        ({"total": 10**400}, "is no number but 1000"),
        ([], "leads to no values"),
    ],
)
async def test_a_document_without_the_number_is_no_reading(session: ClientSession, device: Device, document: Any, said: str) -> None:
    device.document = document
    with pytest.raises(MeterError, match=said):
        await probe(session, device, total_power="$.total")


async def test_a_path_to_several_values_is_refused(session: ClientSession, device: Device) -> None:
    with pytest.raises(MeterError, match="leads to 3 values"):
        await probe(session, device, total_power="$.phases[*].watts")


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b"[" * 100_000], ids=["html", "empty", "bytes", "deep"])
async def test_what_is_no_json_is_said_so(session: ClientSession, device: Device, body: bytes) -> None:
    device.body = body
    with pytest.raises(MeterError, match="is no JSON"):
        await probe(session, device, currents=PATHS)


async def test_a_document_without_end_is_given_up(session: ClientSession, device: Device) -> None:
    device.body = b" " * (rest.MOST_BYTES + 1)
    with pytest.raises(MeterError, match="sends more than 512 KiB"):
        await probe(session, device, currents=PATHS)


@pytest.mark.parametrize(
    ("status", "said"), [(401, "refuses the credentials"), (403, "refuses the credentials"), (404, "status 404"), (503, "status 503")]
)
async def test_what_the_server_answers_is_told(session: ClientSession, device: Device, status: int, said: str) -> None:
    device.status = status
    with pytest.raises(MeterError, match=said):
        await probe(session, device, currents=PATHS)


async def test_a_redirect_is_not_followed(session: ClientSession, device: Device) -> None:
    device.status, device.headers = 302, {"Location": device.url}
    with pytest.raises(MeterError, match="status 302"):
        await probe(session, device, currents=PATHS, token="t0k3n")
    assert len(device.asked) == 1


async def test_a_silent_server_and_a_dead_one(session: ClientSession, device: Device) -> None:
    device.may_answer.clear()
    with pytest.raises(MeterError, match=r"no answer within 0\.1 s"):
        await probe(session, device, currents=PATHS, timeout_s=0.1)
    await device.stop()
    with pytest.raises(MeterError, match="cannot connect"):
        await probe(session, device, currents=PATHS)


async def test_mixed_up_units_are_refused(session: ClientSession, device: Device) -> None:
    with pytest.raises(MeterError, match="are the units right"):
        await probe(session, device, currents=PATHS, powers=WATTS, power_unit="kW")


async def test_it_comes_back_after_the_server_died_and_tells_it_once(
    session: ClientSession, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "BACKOFF_FIRST_S", 0.05)
    told: asyncio.Queue[Reading | MeterError | None] = asyncio.Queue()
    meter = RestMeter(session, RestMeterConfig(url=device.url, currents=PATHS, interval_s=0.02, timeout_s=0.5))
    task = asyncio.create_task(meter.run(told.put_nowait, told.put_nowait))
    assert isinstance(await told.get(), Reading)
    await device.stop()
    while isinstance(one := await told.get(), Reading):
        pass
    assert "cannot connect" in str(one)
    await device.start()
    assert await told.get() is None
    assert isinstance(await told.get(), Reading)
    device.document = {}
    while isinstance(one := await told.get(), Reading):
        pass
    assert "leads to no values" in str(one)
    asked = len(device.asked)
    while len(device.asked) < asked + 3:
        await asyncio.sleep(0.01)
    assert told.empty(), "told once, and asked on at the same pace"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_refused_credentials_are_offered_less_and_less_often(
    session: ClientSession, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever offers them each second is soon locked out."""
    delays: list[float] = []
    enough = asyncio.Event()
    really_sleep = asyncio.sleep

    async def sleep(delay: float, result: None = None) -> None:
        delays.append(delay)
        if len(delays) == 7:
            enough.set()
        await really_sleep(0)

    device.status = 401
    told: asyncio.Queue[Reading | MeterError | None] = asyncio.Queue()
    meter = RestMeter(session, RestMeterConfig(url=device.url, currents=PATHS))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    task = asyncio.create_task(meter.run(told.put_nowait, told.put_nowait))
    await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert delays[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert "refuses the credentials" in str(await told.get()) and told.empty()
