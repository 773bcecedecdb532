"""Logs: a station uploads one over HTTP to an address made for it, and whoever asked downloads it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from aiohttp import FormData
from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.headroom import log_views, logs
from custom_components.headroom.csms.log_text import TAIL_BYTES, tail
from custom_components.headroom.diagnostics import async_get_device_diagnostics
from simulator.files import HttpFiles

from .raw_station import RawStation, raw_station
from .test_device_actions import ask
from .test_services import device

LOG = b"2026-11-23T18:30:00Z the relay closed\n"

type Client = TestClient[Any, Any]
type Uploader = Callable[[str], Awaitable[Any]]


@pytest.fixture
async def client(hass: HomeAssistant, init_integration: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator) -> Client:
    """Home Assistant's HTTP, as a station sees it; stations are told its address."""
    client = await hass_client_no_auth()
    await hass.config.async_update(internal_url=str(client.make_url("/")).rstrip("/"))
    return client


@pytest.fixture
async def left(init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, ready for commands."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.hears("SetChargingProfile")
        station.answers["GetLog"] = {"status": "Accepted"}
        yield station


@pytest.fixture
def cp1(hass: HomeAssistant, init_integration: MockConfigEntry) -> str:
    """The left station's device."""
    return device(hass, init_integration, "CP1")


def uploads(station: RawStation, upload: Uploader, status: str = "Uploaded") -> None:
    """Have the station upload in its way, and say that it has."""

    async def follow(asked: dict[str, Any]) -> None:
        await station.call("LogStatusNotification", {"status": "Uploading", "requestId": asked["requestId"]})
        await upload(asked["log"]["remoteLocation"])
        await station.call("LogStatusNotification", {"status": status, "requestId": asked["requestId"]})

    station.after("GetLog", follow)


def put(client: Client, content: bytes = LOG, name: str = "") -> Uploader:
    async def upload(location: str) -> None:
        reply = await client.put(urlsplit(location).path + name, data=content)
        assert reply.status == 201

    return upload


def post_form(client: Client, content: bytes = LOG, name: str = "diagnostics.log") -> Uploader:
    async def upload(location: str) -> None:
        form = FormData()
        form.add_field("comment", "as asked")
        form.add_field("file", content, filename=name)
        reply = await client.post(urlsplit(location).path.rstrip("/"), data=form)
        assert reply.status == 201

    return upload


def folder(hass: HomeAssistant, entry: MockConfigEntry) -> Path:
    return Path(hass.config.path(".storage", f"headroom_{entry.entry_id}_logs"))


async def test_a_log_is_kept_and_downloaded(
    hass: HomeAssistant, client: Client, hass_client: ClientSessionGenerator, left: RawStation, cp1: str
) -> None:
    """The way a simulated station uploads; only who is signed in, or has the signed path, gets it."""
    uploads(left, lambda location: HttpFiles().upload(location, "CP1-security.log", LOG))
    response = await ask(hass, "get_log", cp1, kind="security", oldest="2026-11-23T00:00:00+00:00")
    asked = await left.hears("GetLog")
    assert asked["logType"] == "SecurityLog"
    assert asked["log"]["oldestTimestamp"]
    assert response["status"] == "uploaded"
    assert response["file"].endswith("-CP1-security.log")
    assert response["size"] == len(LOG)
    signed = await client.get(response["path"])
    assert (signed.status, await signed.read()) == (200, LOG)
    assert signed.headers["Content-Disposition"].startswith("attachment")
    path = urlsplit(response["path"]).path
    assert (await client.get(path)).status == 401
    assert await (await (await hass_client()).get(path)).read() == LOG
    elsewhere = path.rpartition("/")[0]
    for name in ("nothing.log", "..%2F..%2Fcore.config", "%2e%2e%2fcore.config_entries"):
        assert (await (await hass_client()).get(f"{elsewhere}/{name}", allow_redirects=False)).status in (400, 404)


async def test_a_form_is_not_read_without_a_bound(hass: HomeAssistant, client: Client, left: RawStation, cp1: str) -> None:
    """Neither one field before the file nor any number of them."""
    statuses: list[int] = []

    async def upload(location: str) -> None:
        for fields in (["x" * (log_views.LARGEST_FIELD_BYTES + 1)], ["x"] * log_views.MOST_FIELDS):
            form = FormData()
            for number, value in enumerate(fields):
                form.add_field(f"comment{number}", value)
            form.add_field("file", LOG, filename="diagnostics.log")
            reply = await client.post(urlsplit(location).path.rstrip("/"), data=form)
            statuses.append(reply.status)

    uploads(left, upload, "UploadFailure")
    with pytest.raises(HomeAssistantError):
        await ask(hass, "get_log", cp1)
    assert statuses == [400, 400]


@pytest.mark.parametrize("upload", [put, post_form])
async def test_ways_to_upload(
    hass: HomeAssistant, client: Client, left: RawStation, cp1: str, upload: Callable[[Client], Uploader]
) -> None:
    """To the address itself, or as a form."""
    uploads(left, upload(client))
    response = await ask(hass, "get_log", cp1)
    assert await (await client.get(response["path"])).read() == LOG


@pytest.mark.parametrize(
    "name", ["..%2f..%2fconfiguration.yaml", "a%5Cb%5C..%5Cconfiguration.yaml", ".hidden", "%00", "x" * 300, "Größe.log"]
)
async def test_names_lead_nowhere(
    hass: HomeAssistant, init_integration: MockConfigEntry, client: Client, left: RawStation, cp1: str, name: str
) -> None:
    """Whatever a station calls its file, it is in the station's folder, or refused."""

    async def upload(location: str) -> None:
        path = urlsplit(location).path
        if (await client.put(path + name, data=LOG)).status != 201:
            assert (await client.put(path, data=LOG)).status == 201

    uploads(left, upload)
    await ask(hass, "get_log", cp1)
    [station] = folder(hass, init_integration).iterdir()
    [file] = station.iterdir()
    assert file.read_bytes() == LOG
    assert len(file.name) < 120


async def test_a_form_with_an_evil_name(
    hass: HomeAssistant, init_integration: MockConfigEntry, client: Client, left: RawStation, cp1: str
) -> None:
    """A form's name is a name."""
    uploads(left, post_form(client, name="../../../configuration.yaml"))
    response = await ask(hass, "get_log", cp1)
    assert response["file"].endswith("-configuration.yaml")
    assert len(list(folder(hass, init_integration).glob("*/*-configuration.yaml"))) == 1


async def test_who_is_refused(hass: HomeAssistant, init_integration: MockConfigEntry, client: Client, left: RawStation, cp1: str) -> None:
    """A token that is wrong, used, too old, or whose request has ended."""
    locations: list[str] = []

    async def upload(location: str) -> None:
        path = urlsplit(location).path
        locations.append(path)
        wrong = path[:-5] + ("A" if path[-5] != "A" else "B") + path[-4:]
        assert (await client.put(wrong, data=LOG)).status == 404
        assert (await client.put(path, data=LOG)).status == 201
        assert (await client.put(path, data=LOG)).status == 404

    uploads(left, upload)
    await ask(hass, "get_log", cp1)
    assert (await client.put(locations[0], data=LOG)).status == 404
    shelf = init_integration.runtime_data.logs
    with patch.object(logs, "LIFE_S", -1.0):
        late = shelf.async_expect("CP1")
    assert (await client.put(f"{log_views.UPLOAD_PATH}/{late.token}/", data=LOG)).status == 404
    assert len(list(folder(hass, init_integration).glob("*/*"))) == 1


async def test_too_large(
    hass: HomeAssistant, init_integration: MockConfigEntry, client: Client, left: RawStation, cp1: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused, told beforehand or not, and nothing of it stays; what fits may come then."""
    monkeypatch.setattr(log_views, "LARGEST_LOG_BYTES", 1000)

    async def slowly() -> AsyncGenerator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    async def upload(location: str) -> None:
        path = urlsplit(location).path
        assert (await client.put(path, data=b"x" * 2000)).status == 413
        assert (await client.put(path, data=slowly())).status == 413
        assert (await client.put(path, data=b"x" * 1000)).status == 201

    uploads(left, upload)
    assert (await ask(hass, "get_log", cp1))["size"] == 1000
    assert len(list(folder(hass, init_integration).glob("*/*"))) == 1


async def test_the_oldest_go(
    hass: HomeAssistant, init_integration: MockConfigEntry, client: Client, left: RawStation, cp1: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By number and by size, never the newest."""
    monkeypatch.setattr(logs, "MOST_FILES", 3)
    for number in range(5):
        uploads(left, put(client, b"%d" % number))
        await ask(hass, "get_log", cp1)
    kept = sorted(folder(hass, init_integration).glob("*/*"))
    assert [file.read_bytes() for file in kept] == [b"2", b"3", b"4"]
    monkeypatch.setattr(logs, "MOST_BYTES", 3)
    uploads(left, put(client, b"large"))
    await ask(hass, "get_log", cp1)
    assert [file.read_bytes() for file in folder(hass, init_integration).glob("*/*")] == [b"large"]


async def test_what_goes_wrong_is_told(hass: HomeAssistant, client: Client, left: RawStation, cp1: str) -> None:
    """That the station failed, that it lied, that it would not."""

    async def nothing(location: str) -> None:
        await asyncio.sleep(0)

    for status, told in (("UploadFailure", "upload_failure"), ("Uploaded", "nothing_arrived")):
        uploads(left, nothing, status)
        with pytest.raises(HomeAssistantError) as failed:
            await ask(hass, "get_log", cp1)
        assert failed.value.translation_key == "log_failed"
        assert failed.value.translation_placeholders == {"station": "CP1", "status": told}
    left.answers["GetLog"] = {"status": "Rejected"}
    with pytest.raises(HomeAssistantError) as failed:
        await ask(hass, "get_log", cp1)
    assert failed.value.translation_key == "station_rejected"


async def test_elsewhere(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation, cp1: str) -> None:
    """A person's own server needs no address of Home Assistant's."""

    async def nothing(location: str) -> None:
        assert location == "ftp://files.example/logs/"

    uploads(left, nothing)
    response = await ask(hass, "get_log", cp1, location="ftp://files.example/logs/")
    assert response == {"status": "uploaded", "location": "ftp://files.example/logs/"}
    hass.config.api = None
    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "get_log", cp1)
    assert refused.value.translation_key == "no_upload_address"


async def test_diagnostics_and_the_end(
    hass: HomeAssistant, init_integration: MockConfigEntry, client: Client, left: RawStation, cp1: str
) -> None:
    """The device's diagnostics hold the end of the newest log; all of it goes with the entry."""
    uploads(
        left, put(client, LOG + b'sent [2,"1","Authorize",{"idToken":{"idToken":"04SECRET99","type":"ISO14443"}}]\npassword=hunter22\n')
    )
    await ask(hass, "get_log", cp1)
    entry_device = dr.async_get(hass).async_get(cp1)
    assert entry_device is not None
    told = (await async_get_device_diagnostics(hass, init_integration, entry_device))["log"]
    assert "the relay closed" in told["tail"]
    assert "Authorize" in told["tail"]
    assert "04SECRET99" not in told["tail"]
    assert "hunter22" not in told["tail"]
    assert folder(hass, init_integration).is_dir()
    assert await hass.config_entries.async_remove(init_integration.entry_id)
    await hass.async_block_till_done()
    assert not folder(hass, init_integration).exists()


def test_tails() -> None:
    """Bounded, redacted, and left out where they are no text."""
    assert tail(b"PK\x03\x04\0\0") is None
    assert tail(b"\xff\xfe\xfa") is None
    long = tail(b"first\n" + b"a line\n" * 10_000)
    assert long is not None
    assert len(long) <= TAIL_BYTES
    assert "first" not in long
    told = tail(b"card 04A1B2C3D4 at http://me:secret@host/x, mac 00:11:22:33:44:55\nkey: abc\n")
    assert told is not None
    assert all(secret not in told for secret in ("04A1B2C3D4", "me:secret", "00:11:22:33:44:55", "abc"))
    assert "card" in told
