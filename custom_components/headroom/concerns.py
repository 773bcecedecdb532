"""What stations themselves say is wrong with them, for as long as it is."""

from collections.abc import Collection, Iterator

from .csms.events import Booted, ClockChecked, Monitored, StationEvent
from .csms.upkeep import WORST_SEVERITY_OF_CONCERN, FirmwareState, FirmwareStatus

MOST_CONCERNS = 32
"""Of one station; more of them tell nobody anything new."""

type ConcernKey = tuple[str, str, int | None]


class Concerns:
    """Monitors that went off and are not cleared, clocks that are wrong, and firmware that was not installed, by station."""

    def __init__(self) -> None:
        """Know of none."""
        self._monitors: dict[str, dict[ConcernKey, Monitored]] = {}
        self._clocks: dict[str, float] = {}
        self._firmware: dict[str, FirmwareState] = {}

    def take(self, identity: str, event: StationEvent) -> bool:
        """Take what a station tells; returns whether what is wrong with it changed."""
        match event:
            case Monitored():
                return self._monitored(identity, event)
            case ClockChecked(offset_s=offset_s, wrong=wrong):
                if wrong:
                    self._clocks[identity] = offset_s
                return wrong or self._clocks.pop(identity, None) is not None
            case FirmwareStatus(state=state) if state.failed:
                changed = self._firmware.get(identity) is not state
                self._firmware[identity] = state
                return changed
            case FirmwareStatus(state=state) if state is not FirmwareState.IDLE:
                return self._firmware.pop(identity, None) is not None
            case Booted(info=info) if info.boot_reason != "Triggered":
                # After a reboot a monitor tells anew what still is.
                return self._monitors.pop(identity, None) is not None
        return False

    def _monitored(self, identity: str, event: Monitored) -> bool:
        key = (event.component, event.variable, event.monitor_id)
        known = self._monitors.setdefault(identity, {})
        if event.cleared:
            return known.pop(key, None) is not None
        if event.severity is None or event.severity > WORST_SEVERITY_OF_CONCERN or event.trigger == "Periodic":
            return False
        if key not in known and len(known) >= MOST_CONCERNS:
            return False
        known[key] = event
        return True

    def unwatched(self, identity: str, monitor_ids: Collection[int]) -> bool:
        """Let go of monitors that a station does not have any more, for it says no more of them; returns whether any had gone off."""
        known = self._monitors.get(identity, {})
        gone = [key for key in known if key[2] in monitor_ids]
        for key in gone:
            del known[key]
        return bool(gone)

    def forget(self, identity: str) -> None:
        """Let go of a station that is not served any more."""
        self._monitors.pop(identity, None)
        self._clocks.pop(identity, None)
        self._firmware.pop(identity, None)

    def monitors(self) -> Iterator[tuple[str, Monitored]]:
        """Name each monitor that went off, with its station."""
        for identity, known in self._monitors.items():
            for event in known.values():
                yield identity, event

    def clocks(self) -> Iterator[tuple[str, float]]:
        """Name each station whose clock is wrong, with its offset in seconds."""
        yield from self._clocks.items()

    def firmware(self) -> Iterator[tuple[str, FirmwareState]]:
        """Name each station whose last update came to nothing, with what became of it; until the next one gets on."""
        yield from self._firmware.items()
