"""The look-ahead: what should each session have now, so that as much as possible is charged until all have left?

A linear programme over the departures and needs that are known; of arrivals to come it knows nothing, and it is made anew every
few minutes and whenever something changes. Time is cut into **blocks**: the one that is decided now, then on to the departures.
Its variables are each session's current in each block while it is there. Its rows are what each session still needs, and each
row of the tree in each block (totals.py).

One tier is planned after the other, in what those before it leave. What is maximised is energy, in watts and not in amps, each
watt hour weighted by

    weight · (1 + SOON / (1 + hours left) + ready / energy left) · (1 + EARLY · share of the stay that is still to come)

- SOON prefers who leaves soon where not all can be served: those who can wait may still profit from what comes free.
- `ready`, in watt hours, is what a car that gets all it needs is worth beside its energy; dividing it by the energy left is the
  linear relaxation of counting the cars that are ready. It is what most cars ready and most energy differ in.
- EARLY charges early what could be charged late: a car may leave before its time, and others may come.
- CHEAP, times how dear energy is between the cheapest and the dearest hour of the plan, has what can wait for a cheaper hour wait;
  not more than that: energy that could not be had later is worth the dearest price.
- KEEP, on what a session has already, avoids changes that win nothing.

Where drivers do not leave when they say (departures.py), a current counts in reward and rows by how likely the car is to be there
still, for others have it once the car has left; but the car has no use for more than it needs if it does stay.

The first block is the target; `allocate` makes it exactly feasible, in whole steps. Where there is no solver, the target is what
earliest departure first gives, which lies between sharing alike and the optimum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt

from .blocks import PERIOD_S, Block, blocks_of
from .departures import Stay
from .model import Headroom, Phase, Request, Wiring
from .prices import Price, Tariff
from .programme import Programme
from .rows import Row, loads_of, put, room_a, rows_of
from .totals import FIRST_TANGENTS, LATER_TANGENTS, Group, Totals, scarce

USUAL_STAY_S = 4 * 3600.0
"""How long a session is planned for whose departure nobody knows."""
LONGEST_STAY_S = 7 * 86400.0
"""A longer stay counts as this."""
SOON = 0.15
EARLY = 0.2
EARLY_SLACK_S = 1800.0
"""By how much a stay may turn out longer than it was said: even its last minute is worth a little less than the next one."""
CHEAP = 0.5
KEEP = 0.03
LEAST_ENERGY_WH = 50.0
"""Less than this counts as this: the smallest rest must not outweigh everything."""
LEAST_WEIGHT = 1e-4
"""Less than this share of the heaviest weight in a tier counts as this: the solver sees no smaller ones."""
NEARLY = 0.99
"""A car that gets this share of what it needs is ready."""
STARTS = 3 / 4
"""A car starts where it is given this share of its least current."""
WORTH_IT = 1 / 3
"""Without a solver, less than this share of the least current is left to others."""
LEAST_PRESENT = 1e-3
"""A session that is there with less than this probability is not."""
SOMETHING_A = 0.5
"""Who is given this on the average of a later block charges some time in it, with more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a plan gives a session: its current for the first period, and, as things stand, what comes of it.

    `starts_at` is when it may start, `ready_at` by when it has all it needs; None where it does not come to that. `waits` says that
    more now would only be dearer: it is ready in time with what comes in a cheaper hour.
    """

    target_a: float
    waits: bool = False
    starts_at: float | None = None
    ready_at: float | None = None


@dataclass(slots=True, eq=False)
class Candidate:
    """A session as the plan sees it: its group, how long it stays, what it needs and what that is worth."""

    request: Request
    group: Group
    stay: Stay
    energy_wh: float
    worth: float
    """What each watt hour is worth beside another one of the same weight."""

    def energy_kwh(self, current_a: float, length_s: float) -> float:
        """Return what a current charges in a time."""
        return self.group.watts_per_a * current_a * length_s / 3.6e6


def plan(
    headrooms: Sequence[Headroom],
    requests: Sequence[Request],
    *,
    ready_wh: float,
    spare_s: float = 0.0,
    weighs_errors: bool = False,
    now: float,
    besides_a: Mapping[str, float] | None = None,
    prices: Sequence[Price] = (),
    solver: bool = True,
) -> dict[str, Planned]:
    """Return what each session whose need is known should have, by the request's id.

    `ready_wh` is what a car that gets all it needs is worth beside its energy, and `spare_s` by how much earlier than it leaves it
    is to have it; `weighs_errors` has a departure be as uncertain as such words were. `besides_a` is what is left to the sessions whose need is not known. `prices` are those of energy, as far as they
    are known: what can wait for a cheaper hour does. Without a solver the earliest departures come first. Raises NoOptimumError
    where HiGHS is not to be had, and ValueError as `rows_of`.
    """
    candidates = candidates_of(headrooms, requests, besides_a or {}, ready_wh, spare_s, weighs_errors, now)
    blocks = blocks_of([candidate.stay for candidate in candidates], Tariff.of(prices, now), now)
    wanted = ((candidate.group, candidate.request.max_a) for candidate in candidates)
    if not any(block.dearness for block in blocks) and not scarce(wanted, {}):
        currents = [[each.request.max_a * block.reached(each.stay) for block in blocks] for each in candidates]
    else:
        currents = optimum(candidates, blocks) if solver else by_departure(candidates)
    return {
        candidate.request.request_id: planned(candidate, blocks, current_a, now)
        for candidate, current_a in zip(candidates, currents, strict=True)
    }


def candidates_of(
    headrooms: Sequence[Headroom],
    requests: Sequence[Request],
    besides_a: Mapping[str, float],
    ready_wh: float,
    spare_s: float,
    weighs_errors: bool,
    now: float,
) -> list[Candidate]:
    """Return the sessions that want current and whose need is known, in the order of their ids; the rows carry the others'."""
    rows = rows_of(headrooms)
    wiring = {headroom.circuit_id: headroom.wiring for headroom in headrooms}
    groups: dict[tuple[str, tuple[Phase, ...], float], Group] = {}
    candidates: list[Candidate] = []
    for request in sorted(requests, key=lambda request: request.request_id):
        place = (request.circuit_id, request.phases, request.voltage_v)
        if place not in groups:
            groups[place] = Group(loads_of(rows[request.circuit_id], request.phases), watts_per_a(request, wiring[request.circuit_id]))
        need = request.need
        if need.energy_wh is None:
            put(groups[place].loads, besides_a.get(request.request_id, 0.0))
        elif request.max_a >= request.min_a:
            said_s = USUAL_STAY_S if need.departs_at is None else need.departs_at - now - spare_s
            stay = Stay.of(said_s, need.errors_s if weighs_errors else (), least_s=PERIOD_S, most_s=LONGEST_STAY_S)
            worth = 1 + SOON / (1 + stay.expected_s / 3600) + ready_wh / max(LEAST_ENERGY_WH, need.energy_wh)
            candidates.append(Candidate(request, groups[place], stay, max(0.0, need.energy_wh), worth))
    return candidates


def watts_per_a(request: Request, wiring: Wiring = Wiring.STAR) -> float:
    """Return the power of each amp that a session draws from each of its conductors."""
    if wiring is Wiring.STAR:
        return len(request.phases) * request.voltage_v
    return request.voltage_v * (1.0 if len(request.phases) == 2 else sqrt(3))


def optimum(candidates: Sequence[Candidate], blocks: Sequence[Block]) -> list[list[float]]:
    """Return each session's current in each block of its stay, if it is still there; NoOptimumError where HiGHS is not to be had."""
    taken: list[dict[Row, complex]] = [{} for _ in blocks]
    currents_a: dict[Candidate, list[float]] = {}
    for _, tier in groupby(sorted(candidates, key=tier_of), key=tier_of):
        members = list(tier)
        heaviest = max(candidate.request.weight for candidate in members)
        programme = Programme()
        totals = [
            Totals(programme, FIRST_TANGENTS if block is blocks[0] else LATER_TANGENTS, of_block)
            for block, of_block in zip(blocks, taken, strict=True)
        ]
        columns = [add(programme, candidate, heaviest, blocks, totals) for candidate in members]
        for total in totals:
            total.limit()
        values = programme.maximise()
        for total in totals:
            total.take(values)
        for candidate, of_session in zip(members, columns, strict=True):
            currents_a[candidate] = [
                sum(values[column] for column in of_block) * odds(candidate, block)
                for block, of_block in zip(blocks, of_session, strict=False)
            ]
    return [currents_a[candidate] for candidate in candidates]


def odds(candidate: Candidate, block: Block) -> float:
    """Return by how much more a session has in a block if it is there as long as it can be, than on the average."""
    return 1.0 if candidate.stay.known else block.reached(candidate.stay) / block.present(candidate.stay)


def tier_of(candidate: Candidate) -> int:
    """Return a session's tier."""
    return candidate.request.tier


def by_departure(candidates: Sequence[Candidate]) -> list[list[float]]:
    """Return each session's current in the first block, as much as it can use to who leaves first, then to the next."""
    currents_a: dict[str, float] = {}
    for candidate in sorted(candidates, key=lambda each: (each.request.tier, each.stay.expected_s, each.request.request_id)):
        request = candidate.request
        usable_a = min(request.max_a, candidate.energy_wh / 1000 / candidate.energy_kwh(1.0, PERIOD_S), room_a(candidate.group.loads))
        current_a = usable_a if usable_a >= WORTH_IT * request.min_a else 0.0
        put(candidate.group.loads, current_a)
        currents_a[request.request_id] = current_a
    return [[currents_a[candidate.request.request_id]] for candidate in candidates]


def add(programme: Programme, candidate: Candidate, heaviest: float, blocks: Sequence[Block], totals: Sequence[Totals]) -> list[list[int]]:
    """Add a session's currents and return their columns, block by block: in the first, what it has already, and more.

    `heaviest` is the greatest weight in its tier.
    """
    request = candidate.request
    worth = candidate.worth * max(LEAST_WEIGHT, request.weight / heaviest)
    need = programme.row(candidate.energy_wh / 1000)
    columns: list[list[int]] = []
    for block, total in zip(blocks, totals, strict=True):
        present = block.present(candidate.stay)
        if present < LEAST_PRESENT:
            break
        middle_s = block.start_s + block.reached(candidate.stay) * block.length_s / 2
        energy_kwh = candidate.energy_kwh(1.0, block.length_s)
        early = EARLY * (1 - middle_s / (candidate.stay.longest_s + EARLY_SLACK_S))
        reward = energy_kwh * worth * (1 + early - CHEAP * block.dearness)
        entries = [(need, energy_kwh * odds(candidate, block)), (total.row(candidate.group, request.max_a), 1.0)]
        if columns:
            columns.append([programme.column(request.max_a * present, reward, entries)])
        else:
            kept_a = min(request.past.limit_a, request.max_a)
            kept = programme.column(kept_a, reward + energy_kwh * worth * KEEP, entries)
            columns.append([kept, programme.column(request.max_a - kept_a, reward, entries)])
    return columns


def planned(candidate: Candidate, blocks: Sequence[Block], currents_a: Sequence[float], now: float) -> Planned:
    """Return what comes of a session's currents."""
    starts_at: float | None = None
    cheaper = False
    had_kwh, need_kwh = 0.0, candidate.energy_wh / 1000
    for block, current_a in zip(blocks, currents_a, strict=False):
        if starts_at is None and current_a >= (STARTS * candidate.request.min_a if block is blocks[0] else SOMETHING_A):
            starts_at = now + block.start_s
        more_kwh = candidate.energy_kwh(current_a, block.length_s)
        cheaper |= current_a >= SOMETHING_A and block.dearness < blocks[0].dearness
        if had_kwh + more_kwh >= NEARLY * need_kwh:
            share = (need_kwh - had_kwh) / more_kwh if more_kwh > 0 else 0.0
            ready_at = now + block.start_s + min(1.0, share) * block.length_s
            return Planned(target_a=currents_a[0], waits=cheaper, starts_at=starts_at, ready_at=ready_at)
        had_kwh += more_kwh
    return Planned(target_a=currents_a[0], starts_at=starts_at)
