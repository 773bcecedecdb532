"""The rows: whole, of one mind with themselves, and fetched in few requests."""

import pytest

from custom_components.headroom.metering.layout import MeterMap, Values
from custom_components.headroom.metering.maps import METERS


def rows() -> list[MeterMap]:
    return [row for row in METERS.values() if not row.models] + list(METERS["sunspec"].models.values())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.key)
def test_each_number_lies_whole_in_one_request_within_the_meters_limit(row: MeterMap) -> None:
    requests = row.requests()
    assert all(count <= row.max_registers for _, count, _ in requests)
    for values in (row.current, row.power, row.total_power, row.import_energy, row.export_energy):
        if values is None:
            continue
        for start, count, unit_id in values.spans():
            assert any(first <= start and start + count <= first + length and unit == unit_id for first, length, unit in requests)
    first, length, unit = requests[0]
    urgent = row.current if row.current.addresses else row.total_power
    assert isinstance(urgent, Values)
    assert first <= urgent.addresses[0] < first + length and unit == urgent.unit_id, "the currents come first"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.key)
def test_each_phase_has_a_current_and_a_power_or_all_share_one(row: MeterMap) -> None:
    phases = len(row.current.addresses)
    assert phases == len(row.power.addresses)
    assert phases in (1, 2, 3) or row.total_power is not None


@pytest.mark.parametrize(
    ("key", "requests"),
    [
        ("eastron_sdm630", ((0x06, 70),)),
        ("carlo_gavazzi_em340", ((0x0C, 12), (0x28, 2), (0x34, 2), (0x4E, 2))),
        ("abb_b23", ((0x5B0C, 16), (0x5000, 8))),
        ("shelly_pro_3em", ((1022, 4), (1042, 4), (1062, 4), (1013, 2), (1162, 4))),
    ],
)
def test_neighbours_share_a_request(key: str, requests: tuple[tuple[int, int], ...]) -> None:
    assert METERS[key].requests() == tuple((*request, None) for request in requests)


def test_a_request_never_grows_past_the_limit() -> None:
    row = METERS["eastron_sdm630"]
    narrow = MeterMap("narrow", "", 4, current=row.current, power=row.power, max_registers=5)
    assert [request[:2] for request in narrow.requests()] == [(0x06, 4), (0x0A, 4), (0x0E, 4)]
