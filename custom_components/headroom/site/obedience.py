"""Whether one station does what it is told, and what is done where it does not: the ladder (`words.py`), step by step.

Nothing here makes the site less safe: from the first doubt on, what the car draws is reserved for it, and it is told the least it
can charge with; only a measured draw below that ends the doubt. Each step is taken when the one before was given the time a station of
this kind needs, is logged once, and is kept with its reason.
"""

from dataclasses import replace
import logging

from ..csms.abilities import fitted
from ..csms.composite import CompositeSchedule
from ..csms.dialect import Handle, LeaseEnd
from ..csms.errors import CallError, CallRejectedError
from ..csms.learnt import Attempt, Outcome
from ..engine.demand import Demand
from .evse import EvseState
from .evse_facts import IDLE_A, Problem
from .ladder import described
from .proof import ends, worth_asking
from .unheeded import AGAIN_S, Verdict, shows_fallback
from .words import RESENDS, RESENDS_WHERE_IT_WORKED, Trial, Words

_LOGGER = logging.getLogger(__name__)

UNANSWERED = 3
"""So many limits in a row that are not answered in time are a problem; one answer may be lost, and shows how long to wait for the next."""
REFUSALS = 2
"""So many refusals in a row of what was never seen to work lead to another dialect…"""
REFUSALS_WHERE_IT_WORKED = 4
"""…and so many where it worked before."""
GROSS = 1.5
GROSS_A = 1.0
"""A car may draw a little above its limit; what is above limit × 1.5 + 1 A does not listen."""
LASTS_S = 300.0
"""A car that follows, and draws more than it may for so long after it was told again, goes on like that: its transaction is to be
stopped. A meter that is 10 % wrong is inside what is called obeying (`holdings.OVERDRAW`), and what a car draws for a moment passes."""
RESUMED_S = 60.0
"""What is ignored so soon after a suspension is put down to it."""
NO_SUCH_TRANSACTION = frozenset({"TxNotFound", "InvalidTransaction", "UnknownTransaction", "UnknownEvse"})
NO_SMART_CHARGING = frozenset({"NotImplemented", "NotSupported"})


class Obedience(Words):
    """Whether one station does what it is told."""

    # What the installer tells.

    def confirmed(self, evse: EvseState, step: str, latency_s: float) -> None:
        """Take note that the station did as told with an EVSE's limits: a `step` is a lease, a fallback, or what takes one of them away."""
        self.learnt.acknowledges.observe(latency_s)
        trial = self._trial(evse)
        if step == "lease" and trial.since is None:
            trial.since = self._clock.monotonic()
        answers = trial.refused is None or step in (trial.refused, "lease")
        if evse.problem is Problem.UNANSWERED and not evse.unanswered_lease_a:
            evse.problem = None
            _LOGGER.info("Station %s answers its limits in time again", self._identity)
        if evse.problem is Problem.REJECTS and answers and not evse.unanswered_lease_a:
            if trial.refused is not None or step == "lease":
                self.learnt.exhausted = False  # it takes what it refused
            evse.problem, trial.refused, trial.stuck = None, None, False
            _LOGGER.info("Station %s takes %s", self._identity, described(self.dialect, self._can))
        self._keep()

    def unanswered(self, evse: EvseState, failures: int) -> None:
        """Take note that a limit was not answered in time, `failures` times in a row: nobody knows what holds."""
        if evse.problem is None and failures >= UNANSWERED:
            evse.problem = Problem.UNANSWERED
            _LOGGER.warning("Station %s does not answer its limits in time: what it may draw is reserved for it", self._identity)

    def refused(self, evse: EvseState, step: str, failures: int, error: CallRejectedError | CallError) -> bool:
        """Take note that it refused a lease or a fallback, `failures` times in a row; returns whether another dialect is tried now."""
        if failures < REFUSALS and not self._searches(evse):
            return False
        if evse.problem in (None, Problem.UNANSWERED):
            evse.problem = Problem.REJECTS
            words = described(self.dialect, self._can)
            _LOGGER.warning("Station %s does not take %s (%s): what it may draw is reserved for it", self._identity, words, error)
        trial = self._trial(evse)
        trial.refused = trial.refused or step
        code = error.reason if isinstance(error, CallRejectedError) else error.code
        if code in NO_SUCH_TRANSACTION or not self._searches(evse):
            return False
        if isinstance(error, CallError) and code in NO_SMART_CHARGING:
            self._give_up("it has no smart charging")
            return False
        if self.learnt.obeyed_by and failures < REFUSALS_WHERE_IT_WORKED and not self.learnt.attempts:
            return False
        outcome = Outcome.REFUSED_FALLBACK if step == "fallback" else Outcome.REFUSED_LEASE
        return self._climb(evse, outcome, str(error))

    def wants_proof(self, evse: EvseState, now: float) -> bool:
        """Tell whether a composite schedule would show now that a lease ends at this station."""
        if not evse.unproven or self._proofs_left <= 0 or evse.problem is not None:
            return False
        shown_at = self._attend(evse).shown_at
        # What leads once the lease is over may be a person's limit: the end shows nothing then.
        waits = evse.resend or evse.stored_limit or (shown_at is not None and now < shown_at + AGAIN_S)
        return not waits and self._may_climb(evse) and worth_asking(evse, now)

    def proof(self, evse: EvseState, schedule: CompositeSchedule | None, asked_at: float) -> None:
        """Judge by a composite schedule that reaches past the lease whether the lease ends; None: it gave none."""
        if schedule is not None and not self._attend(evse).heeded and shows_fallback(evse, schedule, asked_at):
            self._judge(evse, self._attend(evse).shown(asked_at), "its composite schedule shows the fallback instead of the lease")
            return
        shown = None if schedule is None else ends(evse, schedule, asked_at)
        if shown is None:
            self._proofs_left -= 1
            periods = fitted(replace(self.dialect, lease_end=LeaseEnd.PERIOD), self._can)
            silent = schedule is None or not schedule.periods
            if silent and self._proofs_left <= 0 and self.dialect.lease_end is LeaseEnd.VALID_TO and periods.lease_end is LeaseEnd.PERIOD:
                _LOGGER.info("Station %s does not show that its leases end: it is told so by a second period too", self._identity)
                self._speak(periods, outlasts=False)
        else:
            self.learnt.lease_ends = shown
            for each in self.evses:
                each.just_proven = shown and each.session is not None
            _LOGGER.debug("Station %s reckons %s the end of its leases", self._identity, "with" if shown else "without")
        if shown is False:
            self._climb(evse, Outcome.OUTLASTED, "its composite schedule goes on after the lease's end as before")
        self._keep()

    # What each turn sees.

    def watch(self, now: float) -> None:
        """Compare what each EVSE draws with what it was told, and take the next step where the time for it has come."""
        for evse in self.evses:
            if evse.followed_s is not None:
                self.learnt.follows.observe(evse.followed_s)
                self.learnt.obeyed_by.add(evse.key.evse_id)
                evse.followed_s = None
                self._attend(evse).came_down(evse, now)
                self._keep_heeded(evse)
                self._keep()
            if evse.unproven and evse.problem is None:
                self._watch_lapse(evse, now)
            if evse.problem is None and evse.overdraws() and not self._lapse(evse).awaited(evse, now):
                self._begin(evse, now)
            elif evse.problem is Problem.DISOBEDIENT and self._seen_to_obey(evse):
                self._healed(evse)
            elif evse.problem is Problem.DISOBEDIENT and evse.ready and evse.session is not None:
                self._step(evse, now)
            elif evse.problem is None and evse.ready and evse.session is not None:
                attention = self._attend(evse)
                verdict = attention.look(evse, now, self.patience_s)
                if attention.heeded:
                    self._keep_heeded(evse)
                if verdict is not Verdict.NOTHING:
                    self._judge(evse, verdict, f"{evse.draw_a:.1f} A at a limit of {evse.limit_a(now):.1f} A, as by the fallback alone")

    def overdrawn(self) -> list[EvseState]:
        """Return the EVSEs whose cars follow, and go on drawing more than they may; where a station heeds nothing, it is not its car's doing."""
        return [evse for evse in self.evses if self._goes_on(evse)]

    def _goes_on(self, evse: EvseState) -> bool:
        if evse.problem is not Problem.DISOBEDIENT or evse.uncontrolled:
            return False
        told_at, since = self._trial(evse).since, evse.overdraw_since
        if told_at is None or since is None:
            return False
        return evse.draw_a >= IDLE_A and evse.measured_at >= max(told_at, since) + LASTS_S

    def _keep_heeded(self, evse: EvseState) -> None:
        if self._attend(evse).heeded and evse.key.evse_id not in self.learnt.heeded_by:
            self.learnt.heeded_by.add(evse.key.evse_id)
            self._keep()

    def _watch_lapse(self, evse: EvseState, now: float) -> None:
        """See whether an unproven lease ends, and let one lapse for it where nothing else shows it."""
        ended = self._lapse(evse).look(evse, now, self.patience_s)
        if ended:
            self.learnt.lease_ends = evse.just_proven = True
            _LOGGER.info("Station %s lets its leases end: its car went by the fallback", self._identity)
            self._keep()
        elif ended is False:
            self._climb(
                evse, Outcome.OUTLASTED, f"{evse.draw_a:.1f} A after the lease's end, at a fallback of {evse.fallback_a or 0.0:.1f} A"
            )
            self._keep()
        self._apply_proof(evse)

    def _judge(self, evse: EvseState, verdict: Verdict, detail: str) -> None:
        """Act on what was seen of an EVSE that may go by its fallback alone."""
        if verdict is Verdict.NOTHING or not self._may_climb(evse):
            return
        if verdict is Verdict.TELL_AGAIN:
            evse.resend = True
            return
        # What its car drew was the fallback's doing, and says nothing of the car.
        evse.demand = Demand(terminals=evse.demand.terminals)
        self._climb(evse, Outcome.UNHEEDED, detail)
        self._keep()

    def _seen_to_obey(self, evse: EvseState) -> bool:
        if not evse.uncontrolled:
            return evse.overdraw_since is None
        since, charges = self._trial(evse).since, evse.draw_a >= IDLE_A
        return evse.overdraw_since is None and charges and since is not None and evse.measured_at >= since + evse.response_s

    def _begin(self, evse: EvseState, now: float) -> None:
        resumed = evse.resumed_at is not None and now - evse.resumed_at < RESUMED_S
        evse.problem, evse.resend = Problem.DISOBEDIENT, True
        self._trials[evse.key] = Trial(resends=1, resumed=resumed, stuck=self.learnt.exhausted)
        self._apply()
        _LOGGER.warning("EVSE %s draws %.1f A at a limit of %.1f A: its draw is reserved", evse.key, evse.draw_a, evse.limit_a(now))

    def _healed(self, evse: EvseState) -> None:
        trial, searched = self._trials.pop(evse.key, Trial()), self._searches(evse)
        evse.problem = None
        if trial.resumed and trial.resends == 1 and trial.since is not None and not self.dialect.resend_on_resume:
            self.learnt.dialect = replace(self.dialect, resend_on_resume=True)
            _LOGGER.info("Station %s forgets its limit over a suspension: it is told again each time", self._identity)
        elif searched and trial.resends > 1:
            self.learnt.note(Attempt(dialect=self.dialect, outcome=Outcome.OBEYED, at=self._clock.utcnow()))
        self.learnt.exhausted = False
        if self.dialect.handle is Handle.STATION:
            evse.leave(Handle.DEFAULT, fallback=True)  # a fallback that it may heed after all would lie below the leases
        _LOGGER.info("EVSE %s obeys %s", evse.key, described(self.dialect, self._can))
        self._keep()

    def _step(self, evse: EvseState, now: float) -> None:
        limit_a, trial = evse.limit_a(now), self._trial(evse)
        if trial.since is None or evse.measured_at < trial.since + self.patience_s or not self._searches(evse):
            return
        if evse.draw_a <= limit_a * GROSS + GROSS_A:
            return  # it follows, and draws a little more than it may: no other words would change that, and it is stopped if it goes on
        worked = bool(self.learnt.obeyed_by) and not self.learnt.attempts
        if trial.resends < (RESENDS_WHERE_IT_WORKED if worked else RESENDS):
            trial.resends, trial.since, evse.resend = trial.resends + 1, None, True
            return
        self._climb(evse, Outcome.IGNORED, f"{evse.draw_a:.1f} A at a limit of {limit_a:.1f} A")
        self._keep()
