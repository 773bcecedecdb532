"""The sites as networks of `acnportal`."""

from acnportal.acnsim import ChargingNetwork
from acnportal.acnsim.models import FiniteRatesEVSE
from acnportal.acnsim.network import Current
from acnportal.acnsim.network.sites import caltech_acn

from .sites import Site


def caltech_network(capacity_kw: float) -> ChargingNetwork:
    """Return the garage of Caltech as its authors model it, with the EVSEs' real steps."""
    return caltech_acn(basic_evse=False, transformer_cap=capacity_kw)


def caltech_copies(capacity_kw: float, copies: int) -> ChargingNetwork:
    """Return the garage several times behind one transformer: its EVSEs, and its limits on all of them together."""
    model, network = caltech_acn(basic_evse=False, transformer_cap=capacity_kw), ChargingNetwork()
    suffixes = [f"/{copy}" for copy in range(copies)]
    for suffix in suffixes:
        for name, steps_a in zip(model.station_ids, model.allowable_rates, strict=True):
            network.register_evse(FiniteRatesEVSE(name + suffix, steps_a.tolist()), model.voltages[name], model.phase_angles[name])
    for name, loads, limit_a in zip(model.constraint_index, model.constraint_matrix, model.magnitudes, strict=True):
        # A pod has its own 80 A; the transformer is one.
        for together in [[suffix] for suffix in suffixes] if name.endswith("Pod") else [suffixes]:
            below = {station + suffix: load for suffix in together for station, load in zip(model.station_ids, loads, strict=True) if load}
            network.add_constraint(Current(below), limit_a, name=f"{name}{together[0]}")
    return network


def star_network(site: Site) -> ChargingNetwork:
    """Return a site whose currents add up arithmetically: on each circuit and conductor, all that is below it."""
    network = ChargingNetwork()
    for name, station in site.stations.items():
        network.register_evse(FiniteRatesEVSE(name, station.steps_a), station.power_v, 0)
    parents = {circuit.circuit_id: circuit.parent_id for circuit in site.circuits}
    for circuit in site.circuits:
        for phase, limit_a in enumerate(circuit.limits_a):
            below = [
                name
                for name, station in site.stations.items()
                if phase in station.phases and circuit.circuit_id in (station.circuit_id, parents[station.circuit_id])
            ]
            network.add_constraint(Current(below), limit_a, name=f"{circuit.circuit_id} L{phase + 1}")
    return network
