"""The face every OCPP version shows: an open connection to one station as the rest of the house sees it.

Nothing here names a version. An adapter (`v201/`; 1.6 and 2.1 to come) turns its messages into `values.py` and `events.py`, and these
commands into its messages; what goes wrong with one is in `errors.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from .authorization import Authorizing, IdToken
from .composite import CompositeSchedule
from .correction import Step as Correction
from .dialect import Dialect, Handle
from .learnt import Learnt
from .prediction import CompositeCheck
from .profiles import Placed, Role
from .reconciliation import Installed
from .security_commands import SecurityCommands
from .upkeep import DiagnosticsCommands, DisplayCommands, FirmwareCommands
from .values import Inventory, Started, StationInfo
from .variables import AttributeType, DeviceVariable, VariableKey, VariableResult


class Station(Protocol):
    """An open connection to one station, whatever version it speaks.

    Every command raises StationError where it did not come to pass. One call is outstanding at a time (OCPP-J 4.1.1): calls wait
    for each other in the order in which they were made.
    """

    @property
    def identity(self) -> str:
        """The last part of the path it connected to."""

    @property
    def ocpp_version(self) -> str:
        """As "2.0.1"."""

    @property
    def commands(self) -> Collection[str]:
        """The requests that `call` knows."""

    @property
    def info(self) -> StationInfo:
        """What it said at its last boot."""

    @property
    def inventory(self) -> Inventory:
        """What was read of its device model."""

    @property
    def firmware(self) -> FirmwareCommands:
        """Its firmware."""

    @property
    def diagnostics(self) -> DiagnosticsCommands:
        """Its logs and monitors, and what it knows of a customer."""

    @property
    def display(self) -> DisplayCommands:
        """Its display, and what its vendor adds to the protocol."""

    @property
    def certificates(self) -> SecurityCommands:
        """Its password and certificates, and where it connects."""

    @property
    def clock_offset_s(self) -> float:
        """The station's clock minus ours, as far as it was seen; the times of what is installed are corrected by it."""

    @property
    def clock_sure(self) -> bool:
        """Whether that is settled; else its composite schedule says nothing of when a lease ends."""

    @property
    def authorization(self) -> Authorizing:
        """What it knows of tokens, and its reservations."""

    @property
    def learnt(self) -> Learnt:
        """What was learnt of how it takes limits, kept over restarts: whoever changes it calls `learnt_changed`."""

    def learnt_changed(self) -> None:
        """Have what was learnt kept."""

    @property
    def dialect(self) -> Dialect:
        """How it is told its limits now: as learnt, else as its quirks say, in either case no more than it takes."""

    async def install_station_limit(self, limit_a: float) -> bool:
        """Install the ceiling of the whole station, kept over reboots; overwrites the last one.

        False: nothing was sent, for its dialect has no place for one.
        """

    async def install_fallback(self, evse_id: int, limit_a: float, *, one_phase: bool = False) -> None:
        """Install what holds on an EVSE without a lease, kept over reboots; overwrites the last one.

        With `one_phase` it is for the first terminal alone, as a lease may be: the end of that one switches nothing then.
        """

    async def install_lease(
        self,
        evse_id: int,
        transaction_id: str,
        limit_a: float,
        valid_to: datetime,
        *,
        fallback_a: float | None = None,
        one_phase: bool = False,
    ) -> None:
        """Limit a transaction until `valid_to`; overwrites the last one.

        What the limit is then, and whether it ends by itself at all, is by its dialect: Dialect.holds_leases, Dialect.overwrites.
        `fallback_a` is the limit that holds afterwards, for a dialect that says it in a second period. With `one_phase` the station is to
        give it on its first terminal alone, which takes ACPhaseSwitchingSupported (K01.FR.20).
        """

    async def withdraw(self, evse_id: int, handle: Handle, *, fallback: bool = False) -> None:
        """Take away the lease of an EVSE that was told by a handle, or with `fallback` its fallback; nothing there is no error.

        For what a former dialect left: first install in the new one, then withdraw, so that there is no gap.
        """

    async def survey(self) -> Installed:
        """Return what the station holds, ours and others'. Raises StationError; one that does not report is not one that holds nothing."""

    @property
    def others(self) -> Sequence[Placed]:
        """The profiles of other systems, and those a person set, that it is known to hold."""

    def recognise(self, profile_ids: Collection[int]) -> None:
        """Take note that these of `others` are a person's, set by us to restrict: they stay unless they would allow more."""

    def led_over(self, evse_id: int) -> Mapping[int, float]:
        """Return those of `others` that may let an EVSE draw more than its fallback, by id: up to how many amps.

        Infinite where it is another system's, which may say something else at any time, or is told in watts.
        """

    @property
    def kept(self) -> Collection[int]:
        """The ids of those that it did not let be cleared."""

    def correction(
        self,
        fallbacks: Mapping[int, float],
        leases: Mapping[int, tuple[str, float]],
        station_limit_a: float | None,
        *,
        one_phase: Collection[tuple[Role, int]] = (),
    ) -> Correction | None:
        """Return what is to be done next with `others` so that ours lead; None: nothing, or ours has to be written first.

        The arguments are what of ours is about to be written, by EVSE: amps, and for a lease its transaction before. Those
        in `one_phase` are for the first terminal alone.
        """

    async def correct(self, step: Correction) -> bool:
        """Take a step of `correction`; False where what it holds is to be asked anew (`survey`)."""

    async def clear_leases(self, evse_id: int) -> None:
        """Take the leases of an EVSE away so that its fallback holds; nothing to clear is no error."""

    async def set_charging_profile(self, evse_id: int, profile: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a profile of the caller's own, in this version's JSON, which may only restrict what is installed; returns it as sent.

        Raises ValueError where it breaks a rule (ProfileRefusedError), or where the station would give more with it than without at
        any moment (ProfileRaisesError).
        """

    async def clear_charging_profile(
        self, *, profile_id: int | None = None, evse_id: int | None = None, purpose: str | None = None, stack_level: int | None = None
    ) -> bool:
        """Clear profiles by id or by criteria; False where none matched."""

    async def get_charging_profiles(self, evse_id: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the profiles installed on an EVSE (0: station, None: everywhere), each with its "evseId"."""

    async def get_composite_schedule(self, evse_id: int, duration_s: int, unit: str | None = None) -> CompositeSchedule:
        """Return what the station reckons it will allow."""

    async def check_composite(self, evse_id: int, duration_s: int, unit: str | None = None) -> CompositeCheck:
        """Return what the station reckons it will allow, what it should by the profiles it holds, and where they differ."""

    async def start_transaction(
        self,
        evse_id: int,
        id_token: IdToken,
        remote_start_id: int,
        *,
        group: str | None = None,
        limit_a: float | None = None,
        valid_to: datetime | None = None,
        fallback_a: float | None = None,
    ) -> Started:
        """Ask for a transaction.

        `limit_a`, until `valid_to`, goes along as its first lease (as `install_lease` has it); a station that will not have it is asked
        once more without, and never again with one once that was seen to help.
        """

    async def stop_transaction(self, transaction_id: str) -> None:
        """Ask for a transaction's end."""

    async def get_variables(
        self, keys: Sequence[VariableKey], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Read one kind of value of variables, each with its own status; what was read is in the inventory afterwards."""

    async def set_variables(
        self, values: Mapping[VariableKey, str], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Set one kind of value of variables, each with its own status; what was taken is in the inventory afterwards."""

    async def get_report(
        self, components: Sequence[tuple[str, str | None]] = (), criteria: Sequence[str] = ()
    ) -> Mapping[str, DeviceVariable]:
        """Return what it reports of components, by (component, variable or None) and OCPP's ComponentCriterionEnumType."""

    async def read_inventory(self) -> None:
        """Read its whole device model anew; it is in the inventory afterwards."""

    async def trigger(self, message: str, evse_id: int | None = None) -> None:
        """Ask for a message (OCPP's MessageTriggerEnumType)."""

    async def reset(self, *, immediate: bool, evse_id: int | None = None) -> None:
        """Restart the station or one EVSE, at once or when idle."""

    async def change_availability(self, *, operative: bool, evse_id: int | None = None) -> None:
        """Put the station or one EVSE in or out of service."""

    async def unlock_connector(self, evse_id: int, connector_id: int) -> None:
        """Release the plug."""

    async def call(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send any request of this version by its name and JSON; returns the response's JSON. Both are checked."""
