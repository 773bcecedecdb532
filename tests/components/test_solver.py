"""The look-ahead's solver, where it can be had and where not."""

from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.requirements import RequirementsNotFound
import pytest

from custom_components.headroom.solver import REQUIREMENT, async_install_solver

PROCESS = "custom_components.headroom.solver.async_process_requirements"


async def test_where_it_is_there_nothing_is_said(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    with patch(PROCESS) as process:
        assert await async_install_solver(hass)
    assert process.call_args.args[2] == [REQUIREMENT]
    assert "HiGHS" not in caplog.text


async def test_where_it_can_not_be_installed_that_is_said_once(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    missing = RequirementsNotFound("headroom", [REQUIREMENT])
    with patch(PROCESS, side_effect=missing), patch("custom_components.headroom.solver.available", return_value=False):
        assert not await async_install_solver(hass)
        assert not await async_install_solver(hass)
    assert caplog.text.count("HiGHS is not available") == 1
