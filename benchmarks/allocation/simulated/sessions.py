"""The sessions that every policy is given: Caltech's in March 2019, or a month drawn by a seed that resembles it.

Time is counted in periods of five minutes. As in the published comparison a stay is cut to twelve hours, and a request to what
the EVSE can deliver in the stay.
"""

from collections.abc import Iterable, Mapping, Sequence
import csv
from dataclasses import dataclass
from pathlib import Path
from random import Random

PERIOD_MIN = 5
LONGEST_STAY_MIN = 720
VOLTAGE_V = 208.0
MOST_A = 32.0
MOST_KW = VOLTAGE_V * MOST_A / 1000
DAY_MIN = 1440
TUNING_DAYS = 5
"""Constants are tuned on so many days, and scored on the rest."""

CC_POD = ("CA-322", "CA-493", "CA-496", "CA-320", "CA-495", "CA-321", "CA-323", "CA-494")
AV_POD = ("CA-324", "CA-325", "CA-326", "CA-327", "CA-489", "CA-490", "CA-491", "CA-492")
BETWEEN_A_AND_B = tuple(f"CA-{number}" for number in (308, 508, 303, 513, 310, 506, 316, 500, 318, 498)) + AV_POD + CC_POD
BETWEEN_B_AND_C = tuple(f"CA-{number}" for number in (304, 512, 305, 511, 313, 503, 311, 505, 317, 499, 148, 149, 212, 213))
BETWEEN_C_AND_A = tuple(f"CA-{number}" for number in (307, 509, 309, 507, 306, 510, 315, 501, 319, 497, 312, 504, 314, 502))
STATIONS = BETWEEN_A_AND_B + BETWEEN_B_AND_C + BETWEEN_C_AND_A
"""The EVSEs of Caltech's garage."""


@dataclass(frozen=True)
class Visit:
    """A car's stay as the data have it, in minutes since the first midnight."""

    arrival_min: float
    departure_min: float
    requested_kwh: float
    station: str


@dataclass(frozen=True)
class Session:
    """A car's stay as it is simulated: plugged in from the period `arrival` until the period `departure`, which it has no part of.

    `expected_departure` is what the algorithms are told of the departure.
    """

    session_id: str
    station: str
    arrival: int
    departure: int
    need_kwh: float
    expected_departure: int

    @property
    def day(self) -> int:
        """Return the number of the day on which the car came, from 0."""
        return self.arrival * PERIOD_MIN // DAY_MIN


def read(path: Path) -> list[Visit]:
    """Return the visits of a file of ACN-Data."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Visit(float(row["arrival_min"]), float(row["departure_min"]), float(row["requested_kwh"]), row["station"])
            for row in csv.DictReader(file)
        ]


# When cars come: (share of a working day's, mean and deviation of the hour, mean stay in hours and its deviation).
ARRIVALS = ((0.42, 8.2, 0.9, 8.2, 2.4), (0.26, 10.2, 1.4, 5.5, 2.8), (0.16, 13.7, 1.2, 3.2, 1.8), (0.16, 18.0, 1.8, 3.0, 2.5))
WORKING_DAY_CARS, WEEKEND_CARS = 38, 13
FIRST_SATURDAY = 1


def generate(days: int = 31, seed: int = 2019) -> list[Visit]:
    """Return a month that resembles Caltech's: cars come in the morning and stay for the day, fewer at the weekend."""
    random = Random(seed)
    visits: list[Visit] = []
    free_from = dict.fromkeys(STATIONS, 0.0)
    for day in range(days):
        weekend = (day - FIRST_SATURDAY) % 7 in (0, 1)
        cars = round(random.gauss(WEEKEND_CARS if weekend else WORKING_DAY_CARS, 2.5 if weekend else 5.0))
        arrivals: list[tuple[float, float]] = []
        for _ in range(cars):
            _, hour, hours, stay, stays = random.choices(ARRIVALS, [share for share, *_ in ARRIVALS])[0]
            arrivals.append((day * DAY_MIN + 60 * max(0.0, random.gauss(hour, hours)), 60 * max(0.5, random.gauss(stay, stays))))
        for arrival_min, stay_min in sorted(arrivals):
            vacant = [station for station in STATIONS if free_from[station] <= arrival_min]
            if vacant:
                station = random.choice(vacant)
                free_from[station] = arrival_min + stay_min + PERIOD_MIN
                requested_kwh = 0.8 + random.gammavariate(1.4, 6.9)
                visits.append(Visit(round(arrival_min), round(arrival_min + stay_min), round(requested_kwh, 3), station))
    return visits


def prepare(
    visits: Iterable[Visit], most_kw: Mapping[str, float], *, days: str = "all", noise_min: int = 0, seed: int = 0
) -> list[Session]:
    """Return the sessions to simulate: of `all` days, of those to `tune` on, or of the others (`score`).

    `most_kw` is what each station delivers. With noise, the departure that is told is wrong by up to so many minutes, evenly.
    """
    random = Random(seed)
    sessions: list[Session] = []
    for number, visit in enumerate(visits):
        arrival = int(visit.arrival_min // PERIOD_MIN)
        departure = int(min(visit.departure_min, visit.arrival_min + LONGEST_STAY_MIN) // PERIOD_MIN)
        wrong = round(random.uniform(-noise_min, noise_min) / PERIOD_MIN) if noise_min else 0
        if departure <= arrival:
            continue
        need_kwh = min(visit.requested_kwh, deliverable_kwh(most_kw[visit.station], arrival, departure))
        expected = max(arrival + 1, departure + wrong)
        sessions.append(Session(f"s{number}", visit.station, arrival, departure, need_kwh, expected))
    return [session for session in sessions if days == "all" or (session.day < TUNING_DAYS) == (days == "tune")]


def deliverable_kwh(power_kw: float, arrival: int, departure: int) -> float:
    """Return what a power delivers from one period to another."""
    return power_kw * (departure - arrival) * PERIOD_MIN / 60


def moved(visits: Iterable[Visit], most_kw: Mapping[str, float], seed: int = 50) -> list[Visit]:
    """Return the visits on other stations: each car takes one that is free, by a seed; it drives on where none is.

    What it asks for grows with the station's power, so that a stay is as long for its energy as it was.
    """
    random = Random(seed)
    free_from = dict.fromkeys(most_kw, 0.0)
    placed: list[Visit] = []
    for visit in sorted(visits, key=lambda visit: (visit.arrival_min, visit.departure_min, visit.station)):
        vacant = [station for station in most_kw if free_from[station] <= visit.arrival_min]
        if vacant:
            station = random.choice(vacant)
            free_from[station] = min(visit.departure_min, visit.arrival_min + LONGEST_STAY_MIN) + PERIOD_MIN
            requested_kwh = visit.requested_kwh * most_kw[station] / MOST_KW
            placed.append(Visit(visit.arrival_min, visit.departure_min, requested_kwh, station))
    return placed


def crowd(stations: Sequence[str], active: int, periods: int, seed: int) -> list[Session]:
    """Return so many sessions that are all there for so many periods, and say that they stay longer: for timing."""
    random = Random(seed)
    return [
        Session(f"s{number}", station, 0, periods, random.uniform(8.0, 25.0), random.randint(3 * 12, 10 * 12))
        for number, station in enumerate(random.sample(stations, active))
    ]
