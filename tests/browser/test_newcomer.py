"""A newcomer with a browser: adds the integration, approves a station, learns a card, and watches the dashboard."""

from pathlib import Path
import re

from playwright.async_api import expect
import pytest

from .conftest import OpenFrontend, address, demo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


async def test_setting_up_by_hand(log_in: OpenFrontend, tmp_path: Path) -> None:
    async with demo(tmp_path, "--bare") as printed:
        meter_port = re.search(r"SDM630, 127\.0\.0\.1, port (\d+)", printed)
        ocpp_port = re.search(r"OCPP\s+port (\d+)", printed)
        yard = re.search(r"readers: (http://\S+)", printed)
        assert meter_port and ocpp_port and yard
        frontend = await log_in(address(printed))
        page = frontend.page

        await frontend.open("/config/integrations/dashboard/add?domain=headroom")
        await frontend.confirm()
        await frontend.expect_step("Grid connection")
        await frontend.fill("Name", "Home")
        await frontend.fill("Main fuse", "63")
        await frontend.fill("Worst-case building load", "25")
        await frontend.picture("site")
        await frontend.press("Next")

        await frontend.expect_step("Meter")
        await frontend.picture("meter")
        await frontend.press("Modbus meter")
        await frontend.expect_step("Modbus meter")
        await frontend.fill("Host", "127.0.0.1")
        await frontend.fill("Port", "1")
        await frontend.press("Next")
        await expect(frontend.dialog.get_by_text("The meter could not be read", exact=False)).to_be_visible()
        await frontend.fill("Port", meter_port[1])
        await frontend.picture("modbus")
        await frontend.press("Next")

        await frontend.expect_step("Which meter is it?")
        await expect(frontend.dialog.get_by_text(re.compile(r"Eastron SDM630.* L1 \d+\.\d A")).first).to_be_visible()
        await frontend.picture("meter-found")
        await frontend.press("Next")

        await frontend.expect_step("Is this right?")
        await expect(frontend.dialog.get_by_text(re.compile(r"L1 \d+\.\d A, L2 \d+\.\d A, L3 \d+\.\d A"))).to_be_visible()
        await frontend.picture("reading")
        await frontend.press("Yes, go on")

        await frontend.expect_step("Charging stations")
        await frontend.fill("Port", ocpp_port[1])
        await frontend.picture("ocpp")
        await frontend.press("Advanced")
        await frontend.fill("Listen on", "127.0.0.1")
        await frontend.press("Submit")
        await expect(frontend.dialog.get_by_text("ws://", exact=False).first).to_be_visible()
        await frontend.picture("done")

        await frontend.press("Skip and finish")

        await frontend.open("/config/repairs")
        for station in ("GARAGE", "CARPORT", "GATE", "YARD"):
            await expect(page.get_by_text(f"Charging station {station} waits for approval")).to_be_visible()
        await page.get_by_text("Charging station YARD waits for approval").click()
        await frontend.expect_step("Approve YARD?")
        await expect(frontend.dialog.get_by_text("127.0.0.1").first).to_be_visible()
        await frontend.fill("Name", "Yard")
        await frontend.picture("approve")
        await frontend.press("Next")
        await frontend.expect_step("EVSE 1 of Yard")
        await frontend.choose("Grid phases behind its terminals", "L3, L1, L2")
        await frontend.picture("evse")
        await frontend.press("Next")
        await frontend.expect_step("How Yard shows who it is")
        await frontend.picture("authentication")
        await frontend.press("Next")

        # The password is shown once, and goes into the station's own settings while it is.
        await frontend.expect_step("Password of Yard")
        await frontend.picture("password")
        shown = await frontend.dialog.locator("code").all_inner_texts()
        csms_url, password = shown[0], shown[-1]
        station = await frontend.at_the_station(yard[1], "YARD")
        await station.get_by_label("Address of the central system").fill(csms_url)
        await station.get_by_label("Password").fill(password)
        await station.get_by_role("button", name="Save").click()
        await frontend.press("Submit")
        await frontend.press("Finish")
        await expect(page.get_by_text("Charging station YARD waits for approval")).to_be_hidden()
        await expect(page.get_by_text("Charging station GATE waits for approval")).to_be_visible()

        await frontend.open_device("Yard", "Simulator")
        await expect(frontend.row_of("Online")).to_contain_text("Connected")
        await expect(frontend.row_of("Security profile")).to_contain_text("Password")
        await frontend.picture("station")
        assert password not in await page.content()

        # The car's driver is turned away until the card is known.
        await expect(frontend.row_of("Authorization")).not_to_contain_text("Unknown", timeout=60_000)
        await frontend.open("/config/integrations/integration/headroom")
        await page.get_by_role("button", name="Add card or token").click()
        await frontend.expect_step("Add a card or token")
        await frontend.fill("Driver", "Eve")
        await frontend.choose("Held to a reader", re.compile("Yard.*84"))
        await frontend.choose("Priority", "Before the others")
        await frontend.picture("card")
        await frontend.press("Submit")
        await frontend.press("Finish")
        reader = await frontend.at_the_station(yard[1], "YARD")
        # The driver may have tried again meanwhile: then it charges already.
        await reader.get_by_role("button", name=re.compile("Hold it there to (start|stop)")).wait_for()
        if await (start := reader.get_by_role("button", name="Hold it there to start")).count():
            await start.click()
        await frontend.open_device("EVSE 1", "Simulator")
        await expect(frontend.row_of("Status")).to_contain_text("Charging")
        await frontend.picture("charging")


async def test_watching_limits_and_reasons_change(log_in: OpenFrontend, tmp_path: Path) -> None:
    async with demo(tmp_path) as printed:
        frontend = await log_in(address(printed))
        page = frontend.page
        table = page.locator("hui-markdown-card table")
        await expect(page.locator("hui-gauge-card")).to_have_count(3)
        await expect(table.locator("tr")).to_have_count(7)

        # All six cars come within half a minute, and then the fuse is full.
        await expect(table.get_by_text("no car asks for current")).to_have_count(0, timeout=60_000)
        await expect(table.get_by_text("is full", exact=False).first).to_be_visible(timeout=60_000)
        garage = table.locator("tr", has_text=re.compile(r"Garage\s1"))
        before = await garage.inner_text()
        await frontend.picture("dashboard")

        # Charging is switched off by hand: the limit falls, and the reason says so.
        await page.locator("hui-tile-card", has_text="Allow charging").first.locator("ha-control-switch").click()
        await expect(garage).to_contain_text("charging is switched off here")
        await expect(garage).to_contain_text(re.compile(r"\b0\sA"))
        assert await garage.inner_text() != before
        await frontend.picture("switched-off")
