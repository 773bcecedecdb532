"""Firmware and logs: what a station fetches, verifies, installs and hands over."""

import asyncio
from base64 import b64encode
import hashlib
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
import pytest

from simulator.factory import StationSpec
from simulator.files import HttpFiles, MemoryFiles

from .authority import Authority
from .running import Run, simulate, site_of

IMAGE = b"headroom-firmware 2.5\n" + bytes(1000)
PLACE = "http://files.example/image.bin"
NOW = "2026-01-01T00:00:00Z"
MAKER = Authority("Maker")
IDLE = site_of(StationSpec(identity="CP1"))
"""A station nobody comes to."""


def statuses(one: Run, action: str = "FirmwareStatusNotification") -> list[str]:
    return [payload["status"] for payload in one.heard(action)]


async def update(one: Run, **more: Any) -> str:
    firmware = {"location": PLACE, "retrieveDateTime": NOW} | more.pop("firmware", {})
    return str((await one.call("UpdateFirmware", **({"requestId": 3, "firmware": firmware} | more)))["status"])


def signature(key_pem: str, content: bytes) -> str:
    key = load_pem_private_key(key_pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return b64encode(key.sign(content, ec.ECDSA(hashes.SHA256()))).decode()


def test_firmware_is_fetched_verified_installed_and_runs_after_a_reboot() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        one.station.files = MemoryFiles({PLACE: IMAGE})
        certificate, key = MAKER.issued("Maker")
        signed = {"signingCertificate": certificate, "signature": signature(key, IMAGE)}
        # The car that comes is served first; the installation waits for it.
        await one.charging()
        assert await update(one, firmware=signed) == "Accepted"
        await one.csms.until(lambda: "InstallScheduled" in statuses(one))
        assert one.station.evses[2].status == "Unavailable"
        one.site.unplug("CP1", 1)
        await one.csms.until(lambda: "Installed" in statuses(one), 120)
        assert statuses(one) == [
            "Downloading",
            "Downloaded",
            "SignatureVerified",
            "InstallScheduled",
            "Installing",
            "InstallRebooting",
            "Installed",
        ]
        first, second = one.heard("BootNotification")
        assert (first["chargingStation"]["firmwareVersion"], second["chargingStation"]["firmwareVersion"]) == ("1.0", "2.5")
        assert second["reason"] == "FirmwareUpdate"
        await asyncio.sleep(5)
        assert one.station.evses[2].status == "Available"
        assert "FirmwareUpdated" in [event["type"] for event in one.heard("SecurityEventNotification")]

    simulate(test)


def test_a_signature_over_something_else_is_refused_and_told() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        one.station.files = MemoryFiles({PLACE: IMAGE})
        certificate, key = MAKER.issued("Maker")
        await update(one, firmware={"signingCertificate": certificate, "signature": signature(key, b"other")})
        await one.csms.until(lambda: "InvalidSignature" in statuses(one))
        await one.csms.until(lambda: one.heard("SecurityEventNotification")[-1]["type"] == "InvalidFirmwareSignature")
        assert await update(one, firmware={"signingCertificate": "none", "signature": "x"}) == "InvalidCertificate"
        assert one.station.firmware.version == "1.0"

    simulate(test, spec=IDLE)


def test_a_download_is_tried_again_as_often_as_it_may_be() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        one.station.files = files = MemoryFiles({PLACE: IMAGE})
        files.broken = 2
        await update(one, retries=1, retryInterval=5)
        await one.csms.until(lambda: "DownloadFailed" in statuses(one))
        assert statuses(one) == ["Downloading", "Downloading", "DownloadFailed"]
        await update(one, requestId=4)
        await one.csms.until(lambda: "Installed" in statuses(one))
        assert {payload["requestId"] for payload in one.heard("FirmwareStatusNotification")} == {3, 4}

    simulate(test, spec=IDLE)


def test_a_newer_update_takes_the_place_of_one_that_waits_and_none_of_one_being_installed() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        one.station.files = MemoryFiles({PLACE: IMAGE})
        later = {"retrieveDateTime": "2026-01-01T01:00:00Z"}
        assert await update(one, firmware=later) == "Accepted"
        await one.csms.until(lambda: statuses(one) == ["DownloadScheduled"])
        assert await update(one, requestId=4) == "AcceptedCanceled"
        await one.csms.until(lambda: "Installing" in statuses(one))
        assert await update(one, requestId=5) == "Rejected"

    simulate(test, spec=IDLE)


def test_a_station_publishes_firmware_for_others() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        one.station.files = MemoryFiles({PLACE: IMAGE})
        checksum = hashlib.md5(IMAGE, usedforsecurity=False).hexdigest()
        assert (await one.call("PublishFirmware", location=PLACE, checksum="0" * 32, requestId=1))["status"] == "Accepted"
        await one.csms.until(lambda: "InvalidChecksum" in statuses(one, "PublishFirmwareStatusNotification"))
        await one.call("PublishFirmware", location=PLACE, checksum=checksum, requestId=2)
        await one.csms.until(lambda: "Published" in statuses(one, "PublishFirmwareStatusNotification"))
        assert checksum in one.heard("PublishFirmwareStatusNotification")[-1]["location"][0]
        one.station.publishing.fetched_by[checksum] = 1
        assert (await one.call("UnpublishFirmware", checksum=checksum))["status"] == "DownloadOngoing"
        one.station.publishing.fetched_by[checksum] = 0
        assert (await one.call("UnpublishFirmware", checksum=checksum))["status"] == "Unpublished"
        assert (await one.call("UnpublishFirmware", checksum=checksum))["status"] == "NoFirmware"

    simulate(test, spec=IDLE)


async def get_log(one: Run, location: str, **more: Any) -> dict[str, Any]:
    request = {"logType": "SecurityLog", "requestId": 8, "log": {"remoteLocation": location}} | more
    answer: dict[str, Any] = await one.call("GetLog", **request)
    return answer


def test_the_security_log_is_uploaded_with_what_happened() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        one.station.files = files = MemoryFiles()
        await one.driver.fault("tampered:CP1")
        await one.hear("SecurityEventNotification", 2)
        answer = await get_log(one, "http://files.example/logs/")
        await one.csms.until(lambda: "Uploaded" in statuses(one, "LogStatusNotification"))
        text = files.files[f"http://files.example/logs/{answer['filename']}"].decode()
        assert "StartupOfTheDevice" in text and "TamperDetectionActivated" in text
        assert {payload["requestId"] for payload in one.heard("LogStatusNotification")} == {8}
        early = {"remoteLocation": "http://files.example/", "latestTimestamp": "2025-01-01T00:00:00Z"}
        assert (await get_log(one, "", log=early))["status"] == "Rejected"

    simulate(test, spec=IDLE)


def test_an_upload_that_cannot_be_is_told() -> None:
    async def test(one: Run) -> None:
        await one.hear("StatusNotification")
        one.station.files = files = MemoryFiles()
        await get_log(one, "ftp://files.example/")
        await one.csms.until(lambda: "NotSupportedOperation" in statuses(one, "LogStatusNotification"))
        files.broken = 2
        await get_log(one, "http://files.example/", retries=1, retryInterval=3)
        await one.csms.until(lambda: "UploadFailure" in statuses(one, "LogStatusNotification"))
        assert files.files == {}

    simulate(test, spec=IDLE)


async def test_files_go_over_real_http() -> None:
    kept: dict[str, bytes] = {}

    async def put(request: web.Request) -> web.Response:
        kept[request.match_info["name"]] = await request.read()
        return web.Response(status=201)

    async def post(request: web.Request) -> web.Response:
        part = (await request.post())["file"]
        assert isinstance(part, web.FileField)
        kept[part.filename] = part.file.read()
        return web.Response()

    async def image(_: web.Request) -> web.Response:
        return web.Response(body=IMAGE)

    app = web.Application()
    app.add_routes([web.put("/put/{name}", put), web.post("/post", post), web.get("/image", image)])
    async with TestServer(app, host="127.0.0.1") as server:
        files, at = HttpFiles(), str(server.make_url("/"))
        await files.upload(f"{at}put/", "a.log", b"one")
        await files.upload(f"{at}post", "b.log", b"two")
        assert kept == {"a.log": b"one", "b.log": b"two"}
        assert await files.download(f"{at}image") == IMAGE
        with pytest.raises(OSError, match="404"):
            await files.download(f"{at}nothing")
        with pytest.raises(ValueError, match="HTTP"):
            await files.download("ftp://files.example/image")
    with pytest.raises(OSError):
        await files.download(f"{at}image")
