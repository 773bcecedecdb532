"""A demo of its own for the browser: the real Home Assistant with the simulated site, as `scripts/demo` starts it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
import os
from pathlib import Path
import re
import sys

from playwright.async_api import Browser, async_playwright
import pytest

from simulator.homeassistant import PASSWORD, USERNAME

from .frontend import Frontend

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
UP_WITHIN_S = 120.0

type OpenFrontend = Callable[[str], Awaitable[Frontend]]


@pytest.fixture
async def browser() -> AsyncGenerator[Browser]:
    path = os.environ.get("CHROMIUM", "")
    if not Path(path).is_file():
        pytest.skip("no Chromium: set CHROMIUM=/path/to/it, or run scripts/test, which finds one")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        await running.close()


@asynccontextmanager
async def demo(folder: Path, *options: str) -> AsyncIterator[str]:
    """Run a demo; gives what it printed until it was up."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator.demo", "--folder", str(folder / "config"), *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout
    printed = ""
    try:
        async with asyncio.timeout(UP_WITHIN_S):
            while "Ctrl-C ends it" not in printed:
                line = (await process.stdout.readline()).decode()
                assert line, printed
                printed += line
        yield printed
    finally:
        process.terminate()
        await process.communicate()


def address(printed: str) -> str:
    """Return the address a demo printed."""
    found = re.search(r"^  (http://127\.0\.0\.1:\d+)", printed, re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture
def log_in(browser: Browser, tmp_path: Path) -> OpenFrontend:
    """Open a fresh, logged-in page at an address."""

    async def open_page(url: str) -> Frontend:
        context = await browser.new_context(viewport={"width": 1440, "height": 1000})
        page = await context.new_page()
        frontend = Frontend(page, url, Path(os.environ.get("SCREENSHOTS", tmp_path)))
        await frontend.log_in(USERNAME, PASSWORD)
        return frontend

    return open_page
