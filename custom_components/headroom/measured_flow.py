"""What the flows share that add or change something with a meter of its own: a circuit, a PV system, a battery."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentryFlow, SubentryFlowContext, SubentryFlowResult
from homeassistant.const import CONF_NAME

from .const import CONF_METER
from .meter_flow import MeterSteps
from .meter_settings import NO_METER


class MeasuredFlow(MeterSteps[SubentryFlowContext, SubentryFlowResult, tuple[str, str]], ConfigSubentryFlow):
    """Describes a thing, then its meter. What it stores is applied by the entry's update listener."""

    _described: dict[str, Any] | None = None
    """The thing as described so far, its name included; None before anybody said anything."""

    @property
    def described(self) -> Mapping[str, Any]:
        """The thing as described so far, or as it is stored."""
        return self._described or self._get_reconfigure_subentry().data

    def keep(self, **more: Any) -> SubentryFlowResult:
        """Store the thing as described, or what is changed of it."""
        described = dict(self._described or {})
        name = described.pop(CONF_NAME, None)
        if self.source != SOURCE_RECONFIGURE:
            return self.async_create_entry(title=str(name), data={**described, **more})
        subentry = self._get_reconfigure_subentry()
        return self.async_update_and_abort(
            self._get_entry(), subentry, title=name or subentry.title, data={**subentry.data, **described, **more}
        )

    @property
    @override
    def stored_meter(self) -> Mapping[str, Any]:
        """Its meter so far."""
        changing = self.source == SOURCE_RECONFIGURE
        return self._get_reconfigure_subentry().data.get(CONF_METER, NO_METER) if changing else NO_METER

    @override
    async def async_keep_meter(self, meter: dict[str, Any]) -> SubentryFlowResult:
        """Keep the meter with what it measures."""
        return self.keep(**{CONF_METER: meter})
