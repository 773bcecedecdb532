"""The page by which a person does at the simulated stations what has to be done there, in real time."""

import asyncio

import aiohttp

from simulator.factory import StationSpec
from simulator.live import live_site
from simulator.site import Visit
from simulator.yard import yard

from .csms import TinyCsms, listening
from .running import CAR, site_of

SITE = site_of(StationSpec(identity="CP1"), Visit(comes_s=0.0, station="CP1", evse_id=1, car=CAR, token=None))


async def test_a_password_is_entered_and_a_card_held_to_a_reader() -> None:
    csms = TinyCsms()
    async with listening(csms) as url, live_site(SITE, "ws://127.0.0.1:1") as driver, yard(driver, "ws://127.0.0.1:1") as page:
        living = asyncio.create_task(driver.run())
        async with aiohttp.ClientSession(raise_for_status=True) as browser, browser.get(page) as shown:
            assert "Not connected" in await shown.text()
            await browser.post(f"{page}/CP1/settings", data={"address": url, "password": " first-password-of-16 "})
            await csms.until(lambda: csms.count("BootNotification"))
            assert driver.site.stations["CP1"].network.password == "first-password-of-16"
            await csms.until(lambda: csms.count("StatusNotification"))
            card = {"card": "04A1C27B3E5A80"}
            await browser.post(f"{page}/CP1/1/card", data=card | {"meant": "start"})
            await csms.until(lambda: csms.events("Started"))
            await browser.post(f"{page}/CP1/1/card", data=card | {"meant": "start"})
            assert driver.site.stations["CP1"].evses[1].transaction is not None, "an old page stops nothing"
            assert ("Authorize", {"idToken": {"idToken": "04A1C27B3E5A80", "type": "ISO14443"}}) in csms.heard
            async with browser.get(page) as shown_later:
                text = await shown_later.text()
            assert "Connected (accepted), security profile 1" in text
            assert "first-password-of-16" not in text
            for path in ("CP2/settings", "CP1/2/card"):
                async with browser.post(f"{page}/{path}", data={"card": "A", "meant": "start"}, raise_for_status=False) as refused:
                    assert refused.status == 404
            assert "Hold it there to stop" in text
            await browser.post(f"{page}/CP1/1/card", data=card | {"meant": "stop"})
            await csms.until(lambda: csms.events("Ended"))
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
