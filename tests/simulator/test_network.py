"""How stations get through to a central system over real sockets: by each security profile, and by the profiles they are told."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
import ssl
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from simulator.client import Backoff, StationClient
from simulator.dialling import by_profile
from simulator.factory import StationSpec
from simulator.pki import serial_number
from simulator.station import StationModel

from .authority import Authority
from .csms import TinyCsms

OURS, STRANGER = Authority(), Authority("Stranger")
FIRST, SECOND = "first-password-of-16", "second-password-of-16"


@asynccontextmanager
async def door(csms: TinyCsms, password: Callable[[], str | None] = lambda: None, tls: ssl.SSLContext | None = None) -> AsyncGenerator[str]:
    """A way to a TinyCsms that wants Basic auth and TLS, or not; gives its URL."""

    def judged(connection: ServerConnection, request: Request) -> Response | None:
        wanted = password()
        identity = request.path.rsplit("/", 1)[-1]
        shown = request.headers.get("Authorization")
        right = None if wanted is None else f"Basic {b64encode(f'{identity}:{wanted}'.encode()).decode()}"
        return None if shown == right else connection.respond(HTTPStatus.UNAUTHORIZED, "")

    async def served(connection: ServerConnection) -> None:
        assert connection.request is not None
        await csms.serve(connection.request.path.rsplit("/", 1)[-1], connection)

    async with serve(served, "127.0.0.1", 0, subprotocols=["ocpp2.0.1"], close_timeout=1, process_request=judged, ssl=tls) as server:
        yield f"{'wss' if tls else 'ws'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def station(url: str, **spec: Any) -> AsyncGenerator[StationModel]:
    """A station whose time goes ten times as fast as ours."""
    start, loop = datetime.now(UTC), asyncio.get_running_loop()
    began_s = loop.time()
    model = StationModel(StationSpec(identity="CP1", **spec), start)
    client = StationClient(model, by_profile({"CP1": model}, url), backoff=Backoff(first_s=0.01, most_s=0.02, random_s=0.0))

    async def live() -> None:
        while True:
            model.step(start + timedelta(seconds=10 * (loop.time() - began_s)), 0.2)
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.run()), group.create_task(live())]
        async with asyncio.timeout(20.0):
            yield model
        for task in tasks:
            task.cancel()
    assert client.violations == []


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what no message tells of."""
    async with asyncio.timeout(20.0):
        while not condition():
            await asyncio.sleep(0.01)


def logged(model: StationModel) -> list[str]:
    return [line.split()[0] for _, line in model.logs.security.lines]


async def test_a_password_opens_the_door_and_a_wrong_one_is_a_security_event() -> None:
    csms = TinyCsms()
    async with door(csms, lambda: FIRST) as url:
        async with station(url, security_profile=1, password=FIRST):
            await csms.until(lambda: csms.count("StatusNotification"))
        async with station(url, security_profile=1, password=SECOND) as model:
            await until(lambda: "FailedToAuthenticateAtCsms" in logged(model))
        assert csms.connections == 1


async def test_a_changed_password_is_shown_at_a_new_connection_at_once() -> None:
    csms, wanted = TinyCsms(), [FIRST]
    async with door(csms, lambda: wanted[0]) as url, station(url, security_profile=1, password=FIRST) as model:
        await csms.until(lambda: csms.count("StatusNotification"))
        data = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
        short = await csms.call("CP1", "SetVariables", {"setVariableData": [data | {"attributeValue": "short"}]})
        assert short["setVariableResult"][0]["attributeStatus"] == "Rejected"
        wanted[0] = SECOND
        long = await csms.call("CP1", "SetVariables", {"setVariableData": [data | {"attributeValue": SECOND}]})
        assert long["setVariableResult"][0]["attributeStatus"] == "Accepted"
        await csms.until(lambda: csms.connections == 2)
        read = await csms.call("CP1", "GetVariables", {"getVariableData": [data]})
        assert read["getVariableResult"][0]["attributeStatus"] == "Rejected"  # write-only
        assert "FailedToAuthenticateAtCsms" not in logged(model)


async def test_tls_with_the_root_it_was_given_and_not_with_a_strangers(tmp_path: Path) -> None:
    csms = TinyCsms()
    async with door(csms, lambda: FIRST, OURS.server_context(tmp_path)) as url:
        async with station(url, security_profile=2, password=FIRST, roots=OURS.pem):
            await csms.until(lambda: csms.count("StatusNotification"))
        async with station(url, security_profile=2, password=FIRST, roots=STRANGER.pem) as model:
            await until(lambda: "InvalidCsmsCertificate" in logged(model))
        assert csms.connections == 1


async def test_a_client_certificate_is_shown_and_replaced_by_the_one_that_is_signed(tmp_path: Path) -> None:
    csms = TinyCsms()
    first = OURS.issued("CP1")
    async with (
        door(csms, tls=OURS.server_context(tmp_path, asks_certificate=True)) as url,
        station(url, security_profile=3, roots=OURS.pem, client_certificate=first) as model,
    ):
        await csms.until(lambda: csms.count("StatusNotification"))
        assert shown_serial(csms) == serial_number(first[0])
        await csms.call("CP1", "TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})
        await csms.until(lambda: csms.count("SignCertificate"))
        csr = next(payload["csr"] for action, payload in csms.heard if action == "SignCertificate")
        assert (await csms.call("CP1", "CertificateSigned", {"certificateChain": OURS.signed(csr)}))["status"] == "Accepted"
        await csms.until(lambda: csms.connections == 2)
        assert model.certificates.own_pem is not None
        assert shown_serial(csms) == serial_number(model.certificates.own_pem[0]) != serial_number(first[0])


async def test_a_station_moves_to_another_address_and_profile_and_cannot_go_back(tmp_path: Path) -> None:
    old, new = TinyCsms(), TinyCsms()
    async with (
        door(old, lambda: FIRST) as old_url,
        door(new, lambda: FIRST, OURS.server_context(tmp_path)) as new_url,
        station(old_url, security_profile=1, password=FIRST) as model,
    ):
        await old.until(lambda: old.count("StatusNotification"))
        assert (await old.call("CP1", "SetNetworkProfile", profile(2, new_url, 2)))["status"] == "Accepted"
        assert (await priority(old, "2,1")) == "Rejected"  # no root to know that CSMS by
        await old.call("CP1", "InstallCertificate", {"certificateType": "CSMSRootCertificate", "certificate": OURS.pem})
        assert (await priority(old, "2,1")) == "RebootRequired"
        assert (await old.call("CP1", "Reset", {"type": "Immediate"}))["status"] == "Accepted"
        await new.until(lambda: new.count("StatusNotification"))
        assert model.device.text("SecurityCtrlr", "SecurityProfile") == "2"
        assert model.device.text("OCPPCommCtrlr", "NetworkConfigurationPriority") == "2"
        assert (await new.call("CP1", "SetNetworkProfile", profile(1, old_url, 1)))["status"] == "Rejected"


async def test_a_station_comes_back_where_its_new_address_does_not_answer() -> None:
    csms = TinyCsms()
    async with door(csms) as url, station(url) as model:
        await csms.until(lambda: csms.count("StatusNotification"))
        assert (await csms.call("CP1", "SetNetworkProfile", profile(2, "ws://127.0.0.1:1", 0)))["status"] == "Accepted"
        assert (await priority(csms, "2")) == "RebootRequired"
        await csms.call("CP1", "Reset", {"type": "Immediate"})
        await csms.until(lambda: csms.count("BootNotification") == 2)
        assert csms.connections == 2 and model.network.slot == 1


async def priority(csms: TinyCsms, value: str) -> str:
    data = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "NetworkConfigurationPriority"}, "attributeValue": value}
    answer = await csms.call("CP1", "SetVariables", {"setVariableData": [data]})
    return str(answer["setVariableResult"][0]["attributeStatus"])


def profile(slot: int, url: str, security_profile: int) -> dict[str, Any]:
    data = {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": url,
        "messageTimeout": 30,
        "securityProfile": security_profile,
        "ocppInterface": "Wired0",
    }
    return {"configurationSlot": slot, "connectionData": data}


def shown_serial(csms: TinyCsms) -> int:
    shown = csms.links["CP1"].transport.get_extra_info("ssl_object").getpeercert()
    return int(shown["serialNumber"], 16)
