"""Drivers who say when they leave and that they want a full battery, as by the fields of a device page: half a minute after they came."""

from collections import deque
from datetime import timedelta

from custom_components.headroom.site.config import EvseKey
from simulator.site import Visit

from .running import RunningSite

TELLS_AFTER_S = 30.0


class Drivers:
    """Those of a site's visits; one who finds nobody to tell tries again."""

    def __init__(self, running: RunningSite) -> None:
        """Take the visits from the site's plan."""
        self._running = running
        self._to_tell = deque(sorted(running.world.spec.visits, key=lambda visit: visit.comes_s))
        running.on_second.append(self._tell)

    def _tell(self, now_s: float) -> None:
        while self._to_tell and self._to_tell[0].comes_s + TELLS_AFTER_S <= now_s and self._running.up:
            visit = self._to_tell.popleft()
            if visit.leaves_s is not None and visit.leaves_s > now_s:
                departs_at = self._running.world.epoch + timedelta(seconds=visit.leaves_s)
                self._running.site.set_need(EvseKey(visit.station, visit.evse_id), energy_wh=wanted_wh(visit), departs_at=departs_at)


def wanted_wh(visit: Visit) -> float:
    """Return what a car has to draw for a full battery, in Wh."""
    return (1.0 - visit.soc) * visit.car.battery_kwh * 1000.0 / visit.car.efficiency
