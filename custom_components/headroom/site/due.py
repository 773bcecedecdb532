"""When is something due that asks for a turn by itself?"""

from collections.abc import Callable, Iterable, Mapping

from .circuit import CircuitState
from .config import EvseKey, SiteConfig
from .evse import EvseState
from .orders import pause_lasts_s, renew_s
from .stations import StationState


def of_evses(
    evses: Iterable[EvseState], lengths_s: Mapping[EvseKey, float], latency_s: Callable[[EvseState], float | None], now: float
) -> list[float]:
    """Return when leases of EVSEs are to be renewed or lapse, when limits on them change, and when a pause has lasted (monotonic)."""
    due = []
    for evse in evses:
        if evse.lease is not None and evse.ready:
            due.append(evse.lease.expires_at - renew_s(lengths_s.get(evse.key, 0.0), latency_s(evse)))
        due.append(evse.paused_at + pause_lasts_s(evse))
        due += [each.expires_at for each in (evse.lease, evse.first_lease) if each is not None]
        due += [each.next_change(now) for each in (evse.standing, evse.profile, *evse.external.values()) if each is not None]
    return due


def of_stations(stations: Iterable[StationState], now: float) -> list[float]:
    """Return when limits that somebody set on whole stations change."""
    return [each.next_change(now) for state in stations for each in state.external.values()]


def of_circuits(circuits: Iterable[CircuitState], config: SiteConfig, now: float) -> list[float]:
    """Return when a meter's silence begins to count, and when an overload has lasted."""
    due = []
    for state in circuits:
        due.append(state.strain.next_change)
        taken_at = state.since if state.reading is None else state.reading.taken_at
        due += [taken_at + age_s for age_s in (config.meter_stale_after_s, state.lost_after_s(config)) if taken_at + age_s > now]
    return due
