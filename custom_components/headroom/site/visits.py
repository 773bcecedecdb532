"""Cars come and go: what each session needs is reckoned anew at every turn, a wish ends with its session, a stay that is over is learnt."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from ..csms.authorization import NO_AUTHORIZATION, IdToken
from .config import EvseKey
from .evse import EvseState
from .habits import VERSION, Habits, Stay, Usual
from .needs import WORDS, Needed, needed
from .punctuality import Punctuality
from .session import JUST_NOW, Session, energy_of
from .taking_up import taking_up
from .wish import kept

BROKEN_OFF = frozenset({"EmergencyStop", "DeAuthorized", "ImmediateReset", "PowerLoss", "PowerQuality", "Reboot", "GroundFault"})
"""Sessions that end so were not ended by who came to charge (OCPP 2.0.1, ReasonEnumType)."""
NOTHING_NEEDED = Needed()


@dataclass(frozen=True, slots=True)
class Guest:
    """Who charges, and what is usual for that: as long as its session and its token are the same."""

    session: str
    token: IdToken | None
    names: tuple[str, ...]
    usual: Usual


@dataclass(frozen=True, slots=True)
class Said:
    """When the car of a session is to leave by its driver's or its own word, and when it was last seen to be there, both by our clock."""

    session: str
    departs_at: datetime
    seen_at: datetime


@dataclass(slots=True)
class Visits:
    """The sessions of a site, as their drivers plan them.

    `token_of` gives the running session's token, `key_of` what a token is called however it is spelt, None for one that will not
    come again.
    """

    token_of: Callable[[EvseKey], IdToken | None]
    key_of: Callable[[IdToken], str | None]
    habits: Habits = field(default_factory=Habits)
    punctuality: Punctuality = field(default_factory=Punctuality)
    _said: dict[EvseKey, Said] = field(default_factory=dict)
    _guests: dict[EvseKey, Guest] = field(default_factory=dict)
    _learnt: dict[EvseKey, str] = field(default_factory=dict)
    """The last session at each EVSE that was learnt."""

    def turn(self, evses: Iterable[EvseState], zone: tzinfo, utcnow: datetime, now: float) -> bool:
        """Take note of who came and went, and write down what each needs; True where something is to be kept."""
        news = False
        for evse in evses:
            news |= self._learn(evse, utcnow)
            session = evse.session
            if session is None and evse.wish is None:
                evse.needed = NOTHING_NEEDED
                continue
            over = session is None and evse.ready and evse.heard
            wish = kept(evse.wish, None if session is None else session.record_id, over=over, utcnow=utcnow)
            news |= wish != evse.wish
            evse.wish = wish
            if session is None and wish is None:
                evse.needed = NOTHING_NEEDED
                continue
            guest = None if session is None else self._guest(evse.key, session, zone, utcnow)
            evse.needed = needed(
                wish=wish,
                session=session,
                had_wh=evse.session_energy_wh or 0.0,
                soc_pct=evse.soc_pct if session is not None else None,
                usual=Usual() if guest is None else guest.usual,
                errors_s=() if guest is None else self.punctuality.usual_s(guest.names[:-1]),
                utcnow=utcnow,
                now=now,
                before=evse.needed,
            )
            departs_at = evse.needed.departs_at
            if session is not None and departs_at is not None and evse.needed.departure_source in WORDS and evse.ready and evse.heard:
                self._said[evse.key] = Said(session.record_id, departs_at, utcnow)
        return news

    def _guest(self, key: EvseKey, session: Session, zone: tzinfo, utcnow: datetime) -> Guest:
        token = self.token_of(key)
        guest = self._guests.get(key)
        if guest is None or guest.session != session.record_id or guest.token != token:
            names = self._names(key, token)
            # A station whose clock is ahead has nobody arrive in the future.
            usual = self.habits.usual(names, min(session.started_at, utcnow), zone)
            guest = self._guests[key] = Guest(session.record_id, token, names, usual)
        return guest

    def _names(self, key: EvseKey, token: IdToken | None) -> tuple[str, ...]:
        """Return under which names a stay counts, the most telling first."""
        place = f"evse {key}"
        if token is None or token.type == NO_AUTHORIZATION or (token_key := self.key_of(token)) is None:
            return (place,)
        return (self.habits.driver(token_key), place)

    def _learn(self, evse: EvseState, utcnow: datetime) -> bool:
        """Learn the last session once its end was told."""
        last = evse.last_session
        if last is None or last.ended_at is None or self._learnt.get(evse.key) == last.record_id:
            return False
        self._learnt[evse.key] = last.record_id
        said = self._said.pop(evse.key, None)
        guest = self._guests.get(evse.key)
        if guest is None or guest.session != last.record_id or last.stopped_reason in BROKEN_OFF:
            return False  # it was over before anybody saw it run
        names = guest.names if last.id_token is None else self._names(evse.key, last.id_token)
        stay = Stay(
            arrived_s=last.started_at.timestamp(),
            stay_s=(last.ended_at - last.started_at).total_seconds(),
            energy_wh=energy_of(last, last.energy_end_wh),
        )
        learnt = self.habits.learn(names, stay)
        # Who left while nobody looked has left at a time that only the station knows, by its own clock.
        if said is not None and said.session == last.record_id and utcnow - said.seen_at < JUST_NOW:
            learnt |= self.punctuality.learn(names[:-1], (said.seen_at - said.departs_at).total_seconds())
        return learnt

    def of_evses(self, keys: Iterable[EvseKey]) -> None:
        """Forget the EVSEs that the site has no more."""
        present = set(keys)
        places = {f"evse {key}" for key in present}
        self.habits.keep(lambda name: not name.startswith("evse ") or name in places)
        self._guests = {key: guest for key, guest in self._guests.items() if key in present}
        self._learnt = {key: name for key, name in self._learnt.items() if key in present}
        self._said = {key: said for key, said in self._said.items() if key in present}

    def document(self) -> dict[str, Any]:
        """Return what outlives a restart, as JSON-able data."""
        return {**self.habits.document(), "departure_errors_s": self.punctuality.document()}

    def recall(self, document: Mapping[str, Any]) -> None:
        """Take over what `document` gave."""
        with taking_up("habits"):
            self.habits.recall(document)
        if document.get("version") == VERSION:
            self.punctuality.recall(document.get("departure_errors_s", {}))
