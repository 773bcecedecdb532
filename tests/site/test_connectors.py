"""What the connectors of one EVSE say: a free one tells nothing of a transaction that runs on the other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from custom_components.headroom.csms.events import StatusChanged
from custom_components.headroom.csms.values import ConnectorStatus
from custom_components.headroom.site.config import EvseConfig, EvseKey
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.intake import Intake
from custom_components.headroom.site.session import Session

OCCUPIED = StatusChanged(evse_id=1, connector_id=1, status=ConnectorStatus.OCCUPIED)
FREE = StatusChanged(evse_id=1, connector_id=1, status=ConnectorStatus.AVAILABLE)
OTHER_FREE = StatusChanged(evse_id=1, connector_id=2, status=ConnectorStatus.AVAILABLE)


class Now:
    def monotonic(self) -> float:
        return 100.0

    def utcnow(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def _evse() -> tuple[EvseState, Intake]:
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", ready=True)
    return evse, Intake({evse.key: evse}, Now(), None)


@pytest.mark.parametrize("told", [(OCCUPIED, OTHER_FREE), (OTHER_FREE, OCCUPIED)])
def test_a_free_connector_says_nothing_of_a_transaction_on_the_other_one(told: tuple[StatusChanged, ...]) -> None:
    evse, intake = _evse()
    for each in told:
        intake.take("CP1", each)
    assert not evse.idle(100.0) and evse.transaction_unknown, "it is to be asked"


def test_an_evse_whose_connectors_are_all_free_is_idle_and_stays_so_while_the_next_car_plugs_in() -> None:
    evse, intake = _evse()
    for each in (OTHER_FREE, FREE):
        intake.take("CP1", each)
    assert evse.idle(100.0)
    intake.take("CP1", OCCUPIED)
    assert evse.idle(100.0) and not evse.transaction_unknown, "what begins now is told as it begins"


def test_a_car_that_stayed_plugged_in_while_the_station_was_away_is_asked_for_before_its_connector_speaks() -> None:
    evse, intake = _evse()
    evse.connectors = {1: ConnectorStatus.OCCUPIED}
    intake.take("CP1", OTHER_FREE)
    assert not evse.idle(100.0)
    intake.take("CP1", FREE)
    assert evse.idle(100.0)


@pytest.mark.parametrize(("before_s", "goes_on"), [(5, True), (-5, False)])
def test_what_a_connector_was_before_its_transaction_began_ends_none(before_s: int, goes_on: bool) -> None:
    """A station that was away tells its events late: the car of before was unplugged, and the next one charges."""
    evse, intake = _evse()
    began = Now().utcnow()
    evse.session = Session(transaction_id="2", record_id="2", started_at=began, since=90.0, queued_at=90.0, last_at=began)
    intake.take("CP1", replace(FREE, at=began - timedelta(seconds=before_s)))
    assert (evse.session is not None) is goes_on
