"""Changing over the air how a station shows who it is: its password (A01) and its security profile (A05 with B09 and B10).

An old password holds until the new one was used, and the slot by which a station connects now stays behind the new one, for the
station to fall back to. One that had no password before may fall back to none for a while only (Limits.switching_s): by then it has come
with the password that it took, or a person looks at it. Else whoever knows its name could be it for as long as it does not come.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
import logging
import re

from ..errors import CallError, CallRejectedError, StationError, StationOfflineError
from ..security_commands import CSMS_ROOT
from ..station import Station
from ..variables import VariableKey
from .access import Access
from .authority import hash_data
from .credentials import generate_password, hash_password
from .events import SecurityEvent, SecurityEventKind
from .recognition import CERTIFICATE, PASSWORD_OVER_TLS

_LOGGER = logging.getLogger(__name__)

PRIORITY: VariableKey = ("OCPPCommCtrlr", "NetworkConfigurationPriority")
ACTIVE: VariableKey = ("OCPPCommCtrlr", "ActiveNetworkProfile")
SLOTS_TRIED = range(1, 10)
"""The slots of a station that does not say which it has."""
SIGNING_S = 60.0
"""How long a station may take to make a key, ask for its certificate and take it."""


class UpgradeStep(StrEnum):
    """What is done for a higher profile, in this order."""

    PASSWORD = "password"
    ROOT = "root"
    CERTIFICATE = "certificate"
    NETWORK = "network"
    PRIORITY = "priority"
    RESTART = "restart"


class UpgradeError(Exception):
    """A step failed; everything is as before for the station's next connection. The cause is the station's."""

    def __init__(self, step: UpgradeStep, cause: StationError | None = None) -> None:
        """Keep both; no cause: the station has no slot that is free, or does not tell its slots."""
        super().__init__(f"{step}: {cause or 'no free slot'}")
        self.step = step
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What a station is to connect by. `root` is the root certificate (PEM) that it has to trust for `url`, None where it need not be sent."""

    profile: int
    url: str
    interface: str
    root: str | None = None
    restart: bool = True


async def rotate_password(station: Station, access: Access) -> None:
    """Give a station a new password over the air; the old one holds beside it until the new one was used.

    So does every one before that the station may have taken without its answer coming through, up to a few.
    Raises CallRejectedError where the station keeps the old one; after any other StationError it may have either.
    """
    identity = station.identity
    if (kept := access.security(identity)) is None:
        raise StationOfflineError(f"{identity} is not a station of this site")
    password = generate_password()
    hashed = hash_password(password)
    # First kept, then sent: it may come back with it before its answer is read.
    access.keep(identity, kept.with_sent_password(hashed))
    try:
        await station.certificates.set_password(password)
    except (CallRejectedError, CallError) as error:
        if isinstance(error, CallRejectedError) and (now := access.security(identity)) is not None:
            access.keep(identity, now.without_sent_password(hashed))
        detail = error.status if isinstance(error, CallRejectedError) else error.code
        access.watch.tell(SecurityEvent(kind=SecurityEventKind.PASSWORD_REFUSED, identity=identity, detail=detail))
        raise
    _expect_password(access, identity)


def _expect_password(access: Access, identity: str, due: bool = True) -> None:
    """Have a station that has not shown who it is yet come with its password from now on, or not any more."""
    if (kept := access.security(identity)) is not None:
        access.keep(identity, kept.owing_its_password(due))


def free_slot(priority: Sequence[int], offered: Sequence[int], active: int | None) -> int | None:
    """Return the slot to write: an unused one, else the last one that is not in use now; None where the station has but one."""
    unused = [slot for slot in offered or SLOTS_TRIED if slot not in priority]
    if unused:
        return unused[0]
    in_use = active if active is not None else priority[0]
    return next((slot for slot in reversed(priority) if slot != in_use), None)


async def upgrade(station: Station, access: Access, wish: Upgrade, on_step: Callable[[UpgradeStep], None] = lambda step: None) -> int:
    """Do what a higher profile takes, up to the restart; returns the slot that was written. Raises UpgradeError."""
    step = UpgradeStep.NETWORK

    def begin(next_step: UpgradeStep) -> None:
        nonlocal step
        step = next_step
        on_step(step)

    certificates = station.certificates
    kept = access.security(station.identity)
    try:
        # What can't be done is found out before anything is changed.
        begin(UpgradeStep.NETWORK)
        priority, slot = await _slots(station)
        if slot is None:
            raise UpgradeError(UpgradeStep.NETWORK)
        if wish.profile < CERTIFICATE and (kept is None or not kept.has_password):
            begin(UpgradeStep.PASSWORD)
            await rotate_password(station, access)
        if wish.profile >= PASSWORD_OVER_TLS and wish.root is not None:
            begin(UpgradeStep.ROOT)
            if not await _trusts(station, wish.root):
                await certificates.install(CSMS_ROOT, wish.root)
        if wish.profile >= CERTIFICATE and not (kept and kept.has_certificate):
            begin(UpgradeStep.CERTIFICATE)
            await certificates.ask_for_signing(timeout_s=SIGNING_S)
        begin(UpgradeStep.NETWORK)
        await certificates.set_network_profile(slot, wish.url, wish.profile, wish.interface)
        begin(UpgradeStep.PRIORITY)
        await _put_first(station, slot, priority)
        if wish.profile < CERTIFICATE:
            _expect_password(access, station.identity)
        if wish.restart:
            begin(UpgradeStep.RESTART)
            await station.reset(immediate=False)
    except StationError as error:
        if step is not UpgradeStep.RESTART:
            _expect_password(access, station.identity, due=False)  # it connects as before
        raise UpgradeError(step, error) from error
    return slot


async def try_first(station: Station, slot: int) -> None:
    """Have a station connect by a slot after its next restart, and fall back to the others. Raises StationError."""
    found = (await station.get_variables((PRIORITY,)))[PRIORITY]
    if not (priority := _numbers(found.value)):
        raise CallRejectedError("GetVariables", found.status, found.reason)
    await _put_first(station, slot, priority)


async def _put_first(station: Station, slot: int, priority: Sequence[int]) -> None:
    order = ",".join(map(str, (slot, *(other for other in priority if other != slot))))
    result = (await station.set_variables({PRIORITY: order}))[PRIORITY]
    if not result.taken:
        raise CallRejectedError("SetVariables", result.status, result.reason)


async def _trusts(station: Station, root: str) -> bool:
    """Return whether the root is installed; a station that can't say is sent it once more."""
    try:
        return await station.certificates.has_root(hash_data(root))
    except (CallError, CallRejectedError) as error:
        _LOGGER.debug("%s does not say what is installed: %s", station.identity, error)
        return False


async def _slots(station: Station) -> tuple[list[int], int | None]:
    """Return the slots in the order in which the station tries them, and the one to write."""
    found = await station.get_variables((PRIORITY, ACTIVE))
    priority, active = _numbers(found[PRIORITY].value), _numbers(found[ACTIVE].value)
    if not priority:
        return [], None
    described = station.inventory.device.get(".".join(PRIORITY))
    offered = described.characteristics.values if described and described.characteristics else ()
    return priority, free_slot(priority, [int(slot) for slot in offered if slot.isdecimal()], active[0] if active else None)


def _numbers(text: str | None) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text or "")]
