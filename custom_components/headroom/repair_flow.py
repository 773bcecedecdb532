"""What the repairs of one thing have in common: the site, what the repair is about, and that it begins with its one page."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState

if TYPE_CHECKING:  # the coordinator raises these repairs
    from .coordinator import HeadroomConfigEntry


class OnePageFlow(RepairsFlow):
    """A repair of one page."""

    def __init__(self, entry: HeadroomConfigEntry | None, about: str) -> None:
        """Take the site (None: it is gone), and what the repair is about, as its issue names it."""
        self._entry = entry
        self._about = about

    @property
    def _running(self) -> HeadroomConfigEntry | None:
        """The site, None where it is gone or does not run."""
        return self._entry if self._entry is not None and self._entry.state is ConfigEntryState.LOADED else None

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.page(None)

    @abstractmethod
    async def page(self, user_input: dict[str, Any] | None) -> RepairsFlowResult:
        """Show the page, or do what was asked on it."""
