"""Sites to run: the demo."""

from .building import Appliance, BuildingLoad
from .car import CarSpec, HighLevel
from .evse import token
from .factory import EvseSpec, StationSpec
from .site import CircuitSpec, SiteSpec, Visit

DEMO_FUSE_A = 63.0
DEMO_WORST_CASE_A = 25.0
DEMO_NEEDS = HighLevel(energy_wh=60_000.0, departs_after_s=6 * 3600.0, wants_contract=True)
"""What the one car of the demo that speaks ISO 15118 tells."""
DEMO_CARDS = {
    "Anna": "04A1C27B3E5A80",
    "Bo": "04B7195C2D6F81",
    "Cy": "04C3486A1B7D82",
    "Dana": "04D95E7F3A1C83",
    "Eve": "04E26D8B4F5A84",
    "Finn": "04F1738C5B6D85",
}
"""The drivers of the demo, in the order in which they come, and the numbers on their cards."""


def demo_building(seed: int = 7) -> BuildingLoad:
    """A house that switches about eight times a minute, by up to 15 A, and never draws more than 25 A on a phase."""
    return BuildingLoad(
        base_a=(2.0, 2.0, 2.0),
        appliances=(
            Appliance(name="kettle", current_a=(9.0, 0.0, 0.0), on_s=25.0, period_s=90.0),
            Appliance(name="hob", current_a=(8.0, 0.0, 8.0), on_s=18.0, period_s=45.0),
            Appliance(name="oven", current_a=(0.0, 15.0, 0.0), on_s=25.0, period_s=60.0),
            Appliance(name="heat pump", current_a=(6.0, 6.0, 6.0), on_s=130.0, period_s=240.0),
            Appliance(name="dryer", current_a=(0.0, 0.0, 9.0), on_s=50.0, period_s=100.0),
        ),
        worst_case_a=(DEMO_WORST_CASE_A,) * 3,
        seed=seed,
    )


def demo_site(*, margin_a: float = 0.0) -> SiteSpec:
    """A house with a yard behind 3 × 63 A: six EVSEs of 32 A on four stations, and six different cars within half a minute.

    The cars could take up to 80 A on a phase beside the building, for hours. `margin_a` is what the circuit is to be kept below
    its fuse; it only says from where on `max_overload_s` counts.
    """
    cars = (
        CarSpec(name="3-phase 16 A", battery_kwh=100, phases=3, max_a=16.0, response_s=1.5),
        CarSpec(name="1-phase 32 A", battery_kwh=100, phases=1, max_a=32.0, response_s=2.0),
        CarSpec(name="3-phase 32 A, ISO 15118", battery_kwh=160, phases=3, max_a=32.0, response_s=1.0, high_level=DEMO_NEEDS),
        CarSpec(name="1-phase 16 A", battery_kwh=80, phases=1, max_a=16.0, response_s=2.5),
        CarSpec(name="2-phase 16 A", battery_kwh=80, phases=2, max_a=16.0, response_s=1.5),
        CarSpec(name="slow to wake, 3-phase 16 A", battery_kwh=100, phases=3, max_a=16.0, wake_s=20.0, response_s=3.0),
    )
    places = (("GARAGE", 1), ("GARAGE", 2), ("CARPORT", 1), ("CARPORT", 2), ("YARD", 1), ("GATE", 1))
    return SiteSpec(
        circuits=(CircuitSpec(circuit_id="main", fuse_a=DEMO_FUSE_A, limit_a=DEMO_FUSE_A - margin_a, load=demo_building()),),
        stations=(
            StationSpec(
                identity="GARAGE",
                serial_number="SIM-0001",
                tells_soc=True,
                evses=(EvseSpec(evse_id=1), EvseSpec(evse_id=2, rotation="L2L3L1")),
            ),
            StationSpec(identity="CARPORT", evses=(EvseSpec(evse_id=1, rotation="L3L1L2"), EvseSpec(evse_id=2, rotation="L3L2L1"))),
            StationSpec(identity="YARD", evses=(EvseSpec(evse_id=1, rotation="L3L1L2"),)),
            StationSpec(identity="GATE", evses=(EvseSpec(evse_id=1, rotation="L2L3L1"),)),
        ),
        visits=tuple(
            Visit(comes_s=4.0 + 4.5 * index, station=station, evse_id=evse_id, car=car, token=token(card, "ISO14443"))
            for index, ((station, evse_id), car, card) in enumerate(zip(places, cars, DEMO_CARDS.values(), strict=True))
        ),
    )
