"""What the site keeps is on the disk soon, however much goes on, and not with every lease."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.firmware import Upgrades
from custom_components.headroom.site.config import EvseKey

LEFT = EvseKey("CP1", 1)


async def test_a_site_that_never_rests_is_kept_all_the_same(
    hass: HomeAssistant, init_integration: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    """Of a crash in the midst of it the next start knows what stations hold."""
    site, key = init_integration.runtime_data.site, f"{DOMAIN}.{init_integration.entry_id}"
    assert key not in hass_storage
    async with asyncio.timeout(10):
        while key not in hass_storage:
            site.set_allowed(LEFT, not site.memory().evses["CP1/1"].allowed)
            await asyncio.sleep(0)
    assert "CP1/1" in hass_storage[key]["data"]["evses"]


async def test_an_offer_of_firmware_that_nobody_understands_costs_no_other(hass: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    offer = {"version": "2", "location": "https://127.0.0.1/2.bin", "new": 1}
    hass_storage[f"{DOMAIN}_site_firmware"] = {"version": 1, "data": {"CP1": {"nonsense": 1}, "CP2": offer}}
    upgrades = Upgrades(hass, "site")
    await upgrades.async_load()
    found = upgrades.offered("CP2")
    assert upgrades.offered("CP1") is None and found is not None and found.version == "2"
