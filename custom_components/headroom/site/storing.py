"""Has a station hold a copy of a person's limit, so that it holds while nobody leads the station."""

from dataclasses import replace

from ..csms.errors import CallError, CallRejectedError
from ..csms.station import Station
from .standing_limit import StandingLimit, Storing


async def store(station: Station, limit: StandingLimit) -> StandingLimit:
    """Return a limit once its station holds it, with the level it has there.

    Raises ValueError where it may not be sent (ProfileRefusedError, ProfileRaisesError says why) and StationError where the station
    does not take it. A copy of it from before is taken away then: it would say something else.
    """
    try:
        sent = await station.set_charging_profile(limit.evse_id, limit.profile)
    except ValueError, CallRejectedError, CallError:
        if "stackLevel" in limit.profile:
            await station.clear_charging_profile(profile_id=limit.profile_id)
        raise
    return replace(limit, profile=sent, storing=Storing.STORED)


async def take_away(station: Station, limit: StandingLimit) -> None:
    """Have a station forget its copy of a limit; that it has none is no error. Raises StationError."""
    await station.clear_charging_profile(profile_id=limit.profile_id)
