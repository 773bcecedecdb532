"""What a person asks of a station from Home Assistant, with errors in words a person understands."""

from datetime import datetime, timedelta
import secrets

from homeassistant.util import dt as dt_util

from .coordinator import HeadroomCoordinator
from .csms.authorization import IdToken
from .csms.errors import CallError, CallRejectedError
from .csms.inventory import lacks_connector
from .csms.upkeep import Firmware, Retries
from .csms.validation import PayloadError
from .errors import invalid, translated_errors
from .site.config import EvseKey
from .site.reservations import Reservation
from .site.snapshot import EvseSnapshot
from .site.tokens import presumed_type


def evse_snapshot(coordinator: HeadroomCoordinator, key: EvseKey) -> EvseSnapshot:
    """Return an EVSE's newest snapshot; raises ServiceValidationError where the site has no such EVSE."""
    if (evse := coordinator.data.evses.get(key)) is None:
        raise invalid("evse_unknown", evse=str(key))
    return evse


def token_of(coordinator: HeadroomCoordinator, identity: str, value: str, kind: str | None) -> tuple[IdToken, str | None]:
    """Return a token as a station tells it, with its group; of one that the site does not know, only what the caller says."""
    book = coordinator.site.authorization.book
    known = book.find(IdToken(value=value, type=kind or presumed_type(value)))
    if known is None:
        return IdToken(value=value, type=kind or presumed_type(value)), None
    return book.spelling(identity, known), known.group


def set_need(
    coordinator: HeadroomCoordinator,
    key: EvseKey,
    *,
    energy_wh: float | None = None,
    departs_at: datetime | None = None,
    state_of_charge: float | None = None,
    pausable: bool | None = None,
) -> None:
    """Take down what a driver says, as `Site.set_need` does; raises ServiceValidationError for a departure that is not to come."""
    evse_snapshot(coordinator, key)
    if departs_at is not None and departs_at <= dt_util.utcnow():
        raise invalid("departure_passed", at=dt_util.as_local(departs_at).strftime("%Y-%m-%d %H:%M"))
    coordinator.site.set_need(key, energy_wh=energy_wh, departs_at=departs_at, state_of_charge=state_of_charge, pausable=pausable)


async def start_charging(
    coordinator: HeadroomCoordinator, key: EvseKey, id_token: str | None = None, *, kind: str | None = None, group: str | None = None
) -> None:
    """Ask for a transaction, with the driver's token or one that the site issues."""
    if evse_snapshot(coordinator, key).transaction_id is not None:
        raise invalid("already_charging", evse=str(key))
    given, own_group = (None, None) if id_token is None else token_of(coordinator, key.station, id_token, kind)
    with translated_errors(key.station):
        coordinator.station(key.station)
        token = coordinator.site.issue_token(key, given)
        try:
            await coordinator.site.start_transaction(key, token, secrets.randbelow(2**31), group=group or own_group)
        except CallRejectedError, CallError, PayloadError:
            # After any other error it may start all the same.
            coordinator.site.withdraw_token(key, token)
            raise


async def reserve(
    coordinator: HeadroomCoordinator,
    identity: str,
    evse_id: int | None,
    id_token: str,
    duration: timedelta,
    *,
    kind: str | None = None,
    group: str | None = None,
    connector_type: str | None = None,
) -> Reservation:
    """Keep an EVSE, or any of a station, free for a token and its group for so long.

    Raises ServiceValidationError where none of them has a connector of the type that is asked for.
    """
    token, own_group = token_of(coordinator, identity, id_token, kind)
    with translated_errors(identity):
        inventory = coordinator.station(identity).inventory
        places = inventory.evse_connectors if evse_id is None else (evse_id,)
        if connector_type is not None and places and all(lacks_connector(inventory, place, connector_type) for place in places):
            raise invalid("no_such_connector", station=identity, connector=connector_type)
        return await coordinator.site.reserve(
            identity, token, dt_util.utcnow() + duration, evse_id=evse_id, connector_type=connector_type, group=group or own_group
        )


async def cancel_reservations(
    coordinator: HeadroomCoordinator, identity: str, evse_id: int | None, reservation_id: int | None = None
) -> None:
    """Take back one reservation, or all of an EVSE or of a station; raises ServiceValidationError where there is none."""
    held = [
        reservation
        for reservation in coordinator.site.authorization.reservations.at(identity)
        if reservation_id in (None, reservation.reservation_id) and evse_id in (None, reservation.evse_id)
    ]
    if not held:
        raise invalid("not_reserved")
    for reservation in held:
        with translated_errors(identity):
            await coordinator.site.cancel_reservation(identity, reservation.reservation_id)


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


async def update_firmware(
    coordinator: HeadroomCoordinator,
    identity: str,
    *,
    while_charging: bool = False,
    retrieve_at: datetime | None = None,
    install_at: datetime | None = None,
    retries: Retries = Retries(),
) -> None:
    """Have a station fetch what was offered to it, at once where no time is given, and install it.

    Raises ServiceValidationError where nothing was offered, and, unless `while_charging`, where a transaction runs there.
    """
    if (offer := coordinator.upgrades.offered(identity)) is None:
        raise invalid("no_firmware_offered", station=identity)
    site = coordinator.data
    if not while_charging and any(evse.transaction_id is not None for key, evse in site.evses.items() if key.station == identity):
        raise invalid("firmware_while_charging", station=identity)
    firmware = Firmware(
        location=offer.location,
        retrieve_at=retrieve_at or dt_util.utcnow(),
        install_at=install_at,
        signing_certificate=offer.signing_certificate,
        signature=offer.signature,
    )
    known = coordinator.data.stations.get(identity)
    with translated_errors(identity):
        station = coordinator.station(identity)
        # The station may tell how it goes on before its answer was looked at.
        with coordinator.upgrades.begun(identity, known.info.firmware_version if known else None):
            await station.firmware.update(firmware, retries)
    coordinator.async_update_listeners()
