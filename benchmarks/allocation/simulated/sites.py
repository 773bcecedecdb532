"""The two sites as values: circuits, limits, and what each EVSE can do. Both `acnportal` and the engine are told from these."""

from dataclasses import dataclass
from math import sqrt

from .sessions import AV_POD, BETWEEN_A_AND_B, BETWEEN_B_AND_C, CC_POD, MOST_A, STATIONS, VOLTAGE_V

L1, L2, L3 = 0, 1, 2
POD_A = 80.0
PRIMARY_V, SECONDARY_V = 277, 120
"""Between a conductor and neutral on either side of Caltech's transformer, as its published model reckons."""

MAIN_A, SUB_CIRCUIT_A = 60.0, 63.0
EVSES_ON_SUB_CIRCUIT = 10
SINGLE_PHASES = (L1, L1, L2, L1, L2, L3)
"""Where single-phase EVSEs hang, over and over: unevenly, as garages are."""


@dataclass(frozen=True)
class Circuit:
    """A node of the tree: its limits per conductor in amps, and how the currents below it add up (the engine's own words)."""

    circuit_id: str
    parent_id: "str | None"
    limits_a: tuple[float, float, float]
    wiring: str = "star"


@dataclass(frozen=True)
class Station:
    """An EVSE: its place, its conductors, its currents, and the voltage that makes power of a current."""

    circuit_id: str
    phases: tuple[int, ...]
    min_a: float
    step_a: float
    max_a: float
    voltage_v: float

    @property
    def power_v(self) -> float:
        """Return the watts of one ampere: three times the voltage to neutral on three phases."""
        return self.voltage_v * (3 if len(self.phases) == 3 else 1)

    @property
    def steps_a(self) -> list[float]:
        """Return the currents it can offer."""
        return [0.0, *(self.min_a + self.step_a * step for step in range(round((self.max_a - self.min_a) / self.step_a) + 1))]


@dataclass(frozen=True)
class Site:
    """A tree of circuits with EVSEs on it."""

    name: str
    circuits: tuple[Circuit, ...]
    stations: dict[str, Station]

    def most_kw(self) -> dict[str, float]:
        """Return the most power of each EVSE."""
        return {name: station.max_a * station.power_v / 1000 for name, station in self.stations.items()}


def caltech(capacity_kw: float, copies: int = 1) -> Site:
    """Return Caltech's garage: a transformer from delta to star, EVSEs between conductors of its secondary, two pods of 80 A.

    With `copies` the garage stands several times behind one transformer, which is how an algorithm's time is measured.
    """
    secondary_a = capacity_kw * 1000 / 3 / SECONDARY_V
    # The published model has (I3a − I3c) / 4 on the primary side; in amps of the secondary for the same power it is (I3a − I3c) / √3.
    primary_a = capacity_kw * 1000 / 3 / PRIMARY_V * 4 / sqrt(3)
    circuits = [
        Circuit("primary", None, (primary_a,) * 3, "delta_behind_transformer"),
        Circuit("secondary", "primary", (secondary_a,) * 3, "delta"),
    ]
    stations: dict[str, Station] = {}
    for copy in range(copies):
        suffix = f"/{copy}" if copies > 1 else ""
        circuits += [Circuit(f"{pod}{suffix}", "secondary", (POD_A,) * 3, "delta") for pod in ("cc_pod", "av_pod")]
        for name in STATIONS:
            phases = (L1, L2) if name in BETWEEN_A_AND_B else (L2, L3) if name in BETWEEN_B_AND_C else (L3, L1)
            circuit = f"cc_pod{suffix}" if name in CC_POD else f"av_pod{suffix}" if name in AV_POD else "secondary"
            least_a, step_a = (8.0, 8.0) if name in CC_POD else (6.0, 1.0)
            stations[f"{name}{suffix}"] = Station(circuit, phases, least_a, step_a, MOST_A, VOLTAGE_V)
    return Site("caltech", tuple(circuits), stations)


def europe(evses: int = 50) -> Site:
    """Return a European garage: of three EVSEs two with three phases, 11 kW, and one with a single phase, 7.4 kW."""
    circuits = [Circuit("main", None, (MAIN_A,) * 3)]
    circuits += [Circuit(f"board{board}", "main", (SUB_CIRCUIT_A,) * 3) for board in range(-(-evses // EVSES_ON_SUB_CIRCUIT))]
    stations: dict[str, Station] = {}
    for number in range(evses):
        single = SINGLE_PHASES[number // 3 % len(SINGLE_PHASES)]
        phases, most_a = ((single,), 32.0) if number % 3 == 0 else ((L1, L2, L3), 16.0)
        stations[f"E{number:02}"] = Station(f"board{number // EVSES_ON_SUB_CIRCUIT}", phases, 6.0, 1.0, most_a, 230.0)
    return Site("europe", tuple(circuits), stations)
