"""The station's ways to its CSMS: connection profiles (B09, B10), its password (A01), and upgrades of its security (A05)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, override
from urllib.parse import urlsplit

from ..device_model import Key
from .block import Answer, Block, Handler, Payload, accepted, rejected

if TYPE_CHECKING:
    from ..station import StationModel

PASSWORD = Key("SecurityCtrlr", "BasicAuthPassword")
PRIORITY = Key("OCPPCommCtrlr", "NetworkConfigurationPriority")
SECURITY_PROFILE = Key("SecurityCtrlr", "SecurityProfile")
PASSWORD_LENGTHS = range(16, 41)
SLOTS = range(1, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkProfile:
    """Where a CSMS is, and how the station shows itself there."""

    url: str
    """"" is where the simulator was told that the CSMS is."""
    security_profile: int = 0


class Network(Block):
    """Network profiles by their slot, and the one in use."""

    def __init__(self, station: StationModel) -> None:
        """Have one profile, in slot 1."""
        super().__init__(station)
        self.profiles = {1: NetworkProfile(url="", security_profile=station.spec.security_profile)}
        self.slot = 1
        self._order = [1]
        self._failures = 0
        self._redial = False
        station.device.update(SECURITY_PROFILE, str(station.spec.security_profile))

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {"SetNetworkProfile": self._set_profile}

    @property
    def current(self) -> NetworkProfile:
        """The profile it dials by."""
        return self.profiles[self.slot]

    @property
    def password(self) -> str:
        """What it shows by Basic auth."""
        return self.station.device.variables[PASSWORD].value

    def failed(self) -> None:
        """Count a connection that did not come about; after some the next profile's turn comes (B10)."""
        self._failures += 1
        if self._failures >= max(1, self.station.device.number("OCPPCommCtrlr", "NetworkProfileConnectionAttempts")):
            self._failures = 0
            self.slot = self._order[(self._order.index(self.slot) + 1) % len(self._order)]

    def succeeded(self) -> None:
        """Stay with the profile in use. Once it is a safer one, the less safe ones are gone (A05.FR.06)."""
        self._failures = 0
        level = self.current.security_profile
        if level > self.station.device.number("SecurityCtrlr", "SecurityProfile"):
            self.profiles = {slot: profile for slot, profile in self.profiles.items() if profile.security_profile >= level}
            self._order = [slot for slot in self._order if slot in self.profiles]
            self.station.device.update(PRIORITY, ",".join(map(str, self._order)))
        self.station.device.update(SECURITY_PROFILE, str(level))

    def enter(self, url: str, password: str, *, security_profile: int = 1) -> None:
        """Take what a person enters in the station's own settings, and dial anew with it."""
        self.profiles[self.slot] = NetworkProfile(url=url, security_profile=security_profile)
        self.station.device.update(PASSWORD, password)
        self._failures, self._redial = 0, True
        self.station.on_change()

    def certificate_renewed(self) -> None:
        """Show the new certificate at a new connection (A02.FR.08)."""
        self._redial = self.current.security_profile == 3

    @override
    def refuses(self, key: Key, value: str) -> bool:
        if key == PASSWORD:
            return len(value) not in PASSWORD_LENGTHS
        if key != PRIORITY:
            return False
        slots = value.split(",")
        return not all(slot.isdecimal() and self._is_possible(int(slot)) for slot in slots) or len(slots) != len(set(slots))

    @override
    def variable_set(self, key: Key, value: str) -> None:
        if key == PASSWORD:
            self.station.security.event("ReconfigurationOfSecurityParameters", "the password was changed")
            self._redial = self.current.security_profile in {1, 2}

    @override
    def step(self, dt_s: float) -> None:
        """Dial anew once that is called for, and any answer that made it so is out (A01.FR.10)."""
        if self._redial:
            self._redial = False
            self.station.redial = True
            self.station.on_change()

    @override
    def rebooted(self) -> None:
        """Dial by the order that was set, and by the profile in use before where none of it works."""
        wanted = [int(slot) for slot in self.station.device.members(*PRIORITY[:2]) if int(slot) in self.profiles]
        self._order = list(dict.fromkeys([*wanted, self.slot]))
        self.slot, self._failures = self._order[0], 0

    def _is_possible(self, slot: int) -> bool:
        """Return whether the station has what a slot's profile takes (A05.FR.02–FR.04)."""
        if (profile := self.profiles.get(slot)) is None:
            return False
        certificates = self.station.certificates
        if profile.security_profile >= 2 and not certificates.root_pem:
            return False
        return profile.security_profile < 3 or certificates.own_pem is not None

    def _set_profile(self, payload: Payload) -> Answer:
        slot, data = payload["configurationSlot"], payload["connectionData"]
        if slot not in SLOTS:
            return rejected("InvalidConfSlot", f"slots reach from {SLOTS[0]} to {SLOTS[-1]}")
        if data["ocppVersion"] != "OCPP20" or data["ocppTransport"] != "JSON":
            return rejected("InvalidNetworkConf", "it speaks OCPP 2.0.1 over JSON")
        level, scheme = data["securityProfile"], urlsplit(data["ocppCsmsUrl"]).scheme
        if scheme != ("wss" if level >= 2 else "ws") or not 0 <= level <= 3:
            return rejected("InvalidNetworkConf", f"{scheme} is not for security profile {level}")
        if level < self.current.security_profile:
            return rejected("NoSecurityDowngrade", "B09.FR.04")
        if slot == self.slot:
            return rejected("InvalidConfSlot", "the slot is in use")
        self.profiles[slot] = NetworkProfile(url=data["ocppCsmsUrl"], security_profile=level)
        return accepted()
