"""What a person asks of a station from Home Assistant, with errors in words a person understands."""

import secrets

from .coordinator import HeadroomCoordinator
from .csms.authorization import IdToken
from .errors import invalid, translated_errors
from .site.config import EvseKey
from .site.snapshot import EvseSnapshot


def evse_snapshot(coordinator: HeadroomCoordinator, key: EvseKey) -> EvseSnapshot:
    """Return an EVSE's newest snapshot; raises ServiceValidationError where the site has no such EVSE."""
    if (evse := coordinator.data.evses.get(key)) is None:
        raise invalid("evse_unknown", evse=str(key))
    return evse


async def start_charging(coordinator: HeadroomCoordinator, key: EvseKey, id_token: str | None = None) -> None:
    """Ask for a transaction, with the driver's token or one that the site issues."""
    if evse_snapshot(coordinator, key).transaction_id is not None:
        raise invalid("already_charging", evse=str(key))
    token = coordinator.site.issue_token(None if id_token is None else IdToken(value=id_token, type="Central"))
    with translated_errors(key.station):
        await coordinator.station(key.station).start_transaction(key.evse_id, token, secrets.randbelow(2**31))


async def stop_charging(coordinator: HeadroomCoordinator, key: EvseKey) -> None:
    """Ask for the end of the EVSE's transaction."""
    if (transaction_id := evse_snapshot(coordinator, key).transaction_id) is None:
        raise invalid("not_charging", evse=str(key))
    with translated_errors(key.station):
        await coordinator.station(key.station).stop_transaction(transaction_id)


async def unlock_connector(coordinator: HeadroomCoordinator, key: EvseKey) -> None:
    """Release the plug of the EVSE's first connector."""
    with translated_errors(key.station):
        station = coordinator.station(key.station)
        connectors = station.inventory.evse_connectors.get(key.evse_id) or (1,)
        await station.unlock_connector(key.evse_id, connectors[0])


async def reset_station(coordinator: HeadroomCoordinator, identity: str) -> None:
    """Restart a station at once."""
    with translated_errors(identity):
        await coordinator.station(identity).reset(immediate=True)
