"""What a person asks of a station from Home Assistant, with errors in words a person understands."""

from collections.abc import Iterator
from contextlib import contextmanager
import secrets

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN
from .coordinator import HeadroomCoordinator
from .csms.station import CallRejectedError, CallTimeoutError, StationError, StationOfflineError
from .site.config import EvseKey
from .site.snapshot import EvseSnapshot


@contextmanager
def translated_errors(station: str) -> Iterator[None]:
    """Turn a station's failure into a translated HomeAssistantError that names the station."""
    placeholders = {"station": station}
    try:
        yield
    except StationOfflineError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="station_offline", translation_placeholders=placeholders
        ) from error
    except CallTimeoutError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="station_timeout", translation_placeholders=placeholders
        ) from error
    except CallRejectedError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="station_rejected",
            translation_placeholders=placeholders | {"action": error.action, "status": error.status},
        ) from error
    except StationError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="station_failed",
            translation_placeholders=placeholders | {"error": str(error)},
        ) from error


def invalid(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the translated error for a mistake of the user's."""
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders or None)


def evse_snapshot(coordinator: HeadroomCoordinator, key: EvseKey) -> EvseSnapshot:
    """Return an EVSE's newest snapshot; raises ServiceValidationError where the site has no such EVSE."""
    if (evse := coordinator.data.evses.get(key)) is None:
        raise invalid("evse_unknown", evse=str(key))
    return evse


async def start_charging(coordinator: HeadroomCoordinator, key: EvseKey, id_token: str | None = None) -> None:
    """Ask for a transaction, with the driver's token or one that the site issues."""
    if evse_snapshot(coordinator, key).transaction_id is not None:
        raise invalid("already_charging", evse=str(key))
    token = coordinator.site.issue_token(id_token)
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
