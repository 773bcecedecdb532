"""Home Assistant's frontend as a person uses it: forms by their labels, buttons by their words."""

from pathlib import Path
import re

from playwright.async_api import Error as PlaywrightError, Locator, Page, expect

LOAD_MS = 30_000
"""How long a page may take on a slow machine the first time."""
expect.set_options(timeout=LOAD_MS)


class Frontend:
    """A logged-in browser page. Screenshots go to `pictures`, numbered in the order they were taken."""

    def __init__(self, page: Page, url: str, pictures: Path) -> None:
        self.page = page
        self.url = url
        self.pictures = pictures
        page.set_default_timeout(LOAD_MS)

    async def log_in(self, username: str, password: str) -> None:
        await self.page.goto(self.url)
        await self.page.locator("input[name=username]").fill(username)
        await self.page.locator("input[name=password]").fill(password)
        await self.page.keyboard.press("Enter")
        await expect(self.page.get_by_text("Settings", exact=True).first).to_be_visible()

    async def open(self, path: str) -> None:
        """Go to a page; once more where the frontend went somewhere itself just then, as it does when a flow ends."""
        try:
            await self.page.goto(f"{self.url}{path}")
        except PlaywrightError as error:
            if "ERR_ABORTED" not in error.message:
                raise
            await self.page.goto(f"{self.url}{path}")

    async def picture(self, name: str) -> Path:
        path = self.pictures / f"{len(list(self.pictures.glob('*.png'))) + 1:02}-{name}.png"
        await self.page.screenshot(path=path, animations="disabled")  # dialogs and gauges are where they move to
        return path

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog-data-entry-flow")

    async def expect_step(self, title: str) -> None:
        await expect(self.dialog.get_by_text(title, exact=True).first).to_be_visible()

    async def fill(self, label: str, value: str) -> None:
        box = self.dialog.locator("wa-input").filter(has_text=re.compile(rf"^\s*{re.escape(label)}\b"))
        await box.first.locator("input").fill(value)

    async def choose(self, label: str, option: str | re.Pattern[str]) -> None:
        """Pick an option of a dropdown, by its words or by what they are like."""
        select = self.dialog.locator("ha-select", has=self.page.locator(f'[data-aria-label="{label}"]'))
        await select.locator(f'[data-aria-label="{label}"]').click()
        words = re.compile(rf"^\s*{re.escape(option)}\s*$") if isinstance(option, str) else option
        await select.locator("ha-dropdown-item").filter(has_text=words).click()

    async def press(self, words: str) -> None:
        """Press a button of the flow, or choose an entry of its menu."""
        await self.dialog.get_by_text(words, exact=True).last.click()

    async def open_device(self, name: str, model: str) -> None:
        """Go to a device from the integration's page."""
        await self.open("/config/integrations/integration/headroom")
        await self.page.get_by_role("button", name=re.compile(rf"^{re.escape(name)} {re.escape(model)}\b")).first.click()

    def row_of(self, name: str) -> Locator:
        """The row of an entity on its device's page, with its state."""
        return self.page.locator("hui-generic-entity-row", has=self.page.locator(f'[title="{name}"]'))

    async def at_the_station(self, yard: str, identity: str) -> Locator:
        """Go to a simulated station, in a tab of its own: its settings, and its readers."""
        tab = await self.page.context.new_page()
        await tab.goto(yard)
        return tab.locator(f"#{identity}")

    async def confirm(self) -> None:
        """Say OK to a question that Home Assistant itself asks."""
        await self.page.get_by_text("OK", exact=True).first.click()
