"""Who may charge, and when."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from custom_components.headroom.csms.authorization import AuthorizationStatus, IdToken, IdTokenInfo
from custom_components.headroom.csms.station import Inventory
from custom_components.headroom.site.authorization import Authorization
from custom_components.headroom.site.config import AuthorizationPolicy, EvseConfig, EvseKey, KnownToken
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.judging import Judgement
from custom_components.headroom.site.reservations import Reservation, Reservations, closed_to
from custom_components.headroom.site.snapshot import EvseStatus
from custom_components.headroom.site.tokens import Stranger, TokenBook
from simulator.evse import token
from simulator.virtual import START, run

from .harness import Place, Scenario, car, scenario


def test_no_car_is_let_in_before_the_fallback_is_installed() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0, dead_man_from_s=None) as s:
            await s.fault("rejecting:CP1")
            await s.until(90)
            assert s.transaction_ids()[0] is None and s.fallback_a(1) is None
            assert s.charges(2)
            await s.fault("rejecting:CP1", on=False)
            await s.until(180)
            assert s.fallback_a(1) is not None and s.charges(1)

    run(story())


def test_no_car_is_let_in_while_somebody_elses_profile_may_lead_over_the_fallback() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0, dead_man_from_s=None) as s:
            await s.until(8)
            evse = s.site._evses[s.key(1)]
            assert evse.fallback_current
            evse.foreign = True
            await s.until(60)
            assert s.transaction_ids()[0] is None and s.charges(2)
            evse.foreign = False
            await s.until(120)
            assert s.charges(1)

    run(story())


def test_unknown_tokens_are_refused() -> None:
    async def story() -> None:
        good, bad, free = token("GOOD"), token("BAD"), {"idToken": "", "type": "NoAuthorization"}
        policy = AuthorizationPolicy(tokens=(KnownToken(value="GOOD"),))
        async with scenario(Place(token=good), Place(token=bad), Place(token=free), policy=policy, over_limit_s=0.0) as s:
            await s.until(60)
            assert [s.charges(number) for number in (1, 2, 3)] == [True, False, False]
            assert s.transaction_ids()[1:] == [None, None]
            issued = s.site.issue_token(s.key(2))
            s.unplug(2)
            s.world.stations["CP2"].plug_in(1, car(), {"idToken": issued.value, "type": issued.type})
            await s.until(90)
            assert s.charges(2), "a token the site issued itself may charge"

    run(story())


def test_a_token_for_a_remote_start_is_good_at_its_own_evse_alone() -> None:
    first, second, elsewhere = EvseKey("CP2", 1), EvseKey("CP2", 2), EvseKey("CP1", 1)
    evses = {key: EvseState(key=key, config=EvseConfig(evse_id=key.evse_id), circuit_id="main") for key in (elsewhere, first, second)}
    site = Authorization(evses=evses, inventory_of=lambda _: Inventory(), now=lambda: START, policy=policy_of())
    card = IdToken(value="04A1B2C3", type="ISO14443")
    for issued in (site.issue(second), site.issue(second, card)):
        refused = [site.judge(*place, issued) for place in (("CP1", 1), ("CP1", None), ("CP2", 1))]
        assert [judgement.info.status for judgement in refused] == [AuthorizationStatus.INVALID] * 3
        assert site.judge("CP2", 2, issued).accepted
        asked = site.judge("CP2", None, issued)
        assert asked.accepted and asked.info.evse_ids == (2,), "the station may start it nowhere else"
    # One card for two cars is two permissions, and each ends by itself.
    site.issue(elsewhere, card)
    assert site.judge("CP1", 1, card).accepted and site.judge("CP2", 2, card).accepted
    recalled = TokenBook()
    recalled.recall(site.book.document())
    assert [recalled.issued_at(card, station, START) for station in ("CP1", "CP2")] == [{1}, {2}]
    site.book.use(card, elsewhere)
    assert not site.judge("CP1", 1, card).accepted and site.judge("CP2", 2, card).accepted


def test_where_charging_is_free_nobody_needs_a_token() -> None:
    async def story() -> None:
        async with scenario(Place(token={"idToken": "", "type": "NoAuthorization"}), over_limit_s=0.0) as s:
            await s.until(30)
            assert s.charges(1)

    run(story())


def listed(s: Scenario, number: int) -> set[str]:
    """The tokens in a station's local list."""
    return set(s.model(number).tokens.listed)


def judged(s: Scenario, number: int, value: str) -> str | None:
    """What a station was told of a token last; None: nothing."""
    return s.model(number).tokens.shown.get(value)


def known(value: str, **more: Any) -> KnownToken:
    """A token of the site's, by default somebody's."""
    return KnownToken(value=value, **{"name": f"{value}'s driver", **more})


def policy_of(*tokens: KnownToken, **more: Any) -> AuthorizationPolicy:
    return AuthorizationPolicy(tokens=tokens, **more)


def test_a_token_is_good_where_and_while_the_site_says_so() -> None:
    async def story() -> None:
        policy = policy_of(
            known("BLOCKED", blocked=True),
            known("OLD", valid_until=START),
            known("ELSEWHERE", stations=frozenset({"CP1"})),
            known("HERE", stations=frozenset({"CP4"})),
        )
        cards = ("BLOCKED", "OLD", "ELSEWHERE", "HERE")
        async with scenario(*(Place(token=token(card)) for card in cards), policy=policy, over_limit_s=0.0) as s:
            await s.until(60)
            assert [s.charges(number) for number in (1, 2, 3, 4)] == [False, False, False, True]
            answers = [judged(s, number, card) for number, card in enumerate(cards, 1)]
            assert answers == ["Blocked", "Expired", "NotAtThisLocation", "Accepted"]
            assert s.evse(4).driver == "HERE's driver"

    run(story())


def test_a_blocked_card_is_refused_even_where_charging_is_free() -> None:
    async def story() -> None:
        policy = policy_of(known("BLOCKED", blocked=True), known("OLD", valid_until=START), free=True)
        places = (Place(token=token("BLOCKED")), Place(token=token("OLD")), Place(token=token("ANY")))
        async with scenario(*places, policy=policy, over_limit_s=0.0) as s:
            await s.until(60)
            assert [s.charges(number) for number in (1, 2, 3)] == [False, True, True]

    run(story())


@pytest.mark.parametrize(("free", "no_authorization", "charges"), [(True, False, False), (False, True, True), (False, None, False)])
def test_whether_a_token_is_needed_at_all_is_decided_by_itself(free: bool, no_authorization: bool | None, charges: bool) -> None:
    async def story() -> None:
        policy = AuthorizationPolicy(free=free, no_authorization=no_authorization)
        async with scenario(Place(token={"idToken": "", "type": "NoAuthorization"}), policy=policy, over_limit_s=0.0) as s:
            await s.until(60)
            assert s.charges(1) is charges

    run(story())


@pytest.mark.parametrize("concurrent", [False, True])
def test_a_card_charges_one_car_at_a_time_unless_it_may_more(concurrent: bool) -> None:
    async def story() -> None:
        policy = policy_of(known("CARD", concurrent=concurrent))
        async with scenario(Place(), Place(comes_s=40.0), policy=policy, over_limit_s=0.0) as s:
            await s.until(90)
            assert [s.charges(1), s.charges(2)] == [True, concurrent]
            s.unplug(1)
            await s.until(200)
            assert s.charges(2), "the first car has left"

    run(story())


def test_a_card_whose_station_went_away_may_charge_elsewhere() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(car=None), policy=policy_of(known("CARD")), over_limit_s=0.0, dead_man_from_s=None) as s:
            await s.until(40)
            assert s.charges(1)
            await s.fault("offline:CP1")
            s.plug_in(2, car())
            await s.until(100)
            assert s.charges(2), "nobody knows whether the first transaction still runs"

    run(story())


def test_a_transaction_goes_on_when_its_card_is_taken_away() -> None:
    async def story() -> None:
        async with scenario(Place(), policy=policy_of(known("CARD")), over_limit_s=0.0) as s:
            await s.until(40)
            transactions = s.transaction_ids()
            s.configure(authorization=policy_of())
            await s.until(60)
            station = s.model(1)
            assert station.tokens.known(token("CARD")) is None, "the cache forgot what was withdrawn"
            station.tokens.shown.clear()
            station.transactions_block.tell(1, "Updated", "Authorized", "TxUpdated", id_token=token("CARD"))
            await s.until(80)
            assert s.charges(1) and s.transaction_ids() == transactions
            assert judged(s, 1, "CARD") == "Accepted"

    run(story())


def test_an_issued_token_is_good_for_one_transaction_also_over_a_restart() -> None:
    async def story() -> None:
        async with scenario(Place(car=None), policy=policy_of(), dead_man_from_s=None) as s:
            await s.until(20)
            issued = s.site.issue_token(s.key(1))
            given = {"idToken": issued.value, "type": issued.type}
            memory = s.memory()
            await s.vanish()
            await s.wait(5)
            await s.come_back(memory)
            await s.wait(30)
            s.model(1).plug_in(1, car(), given)
            await s.until_true(lambda: s.charges(1), 120)
            memory = s.memory()
            await s.vanish()
            await s.wait(5)
            await s.come_back(memory)
            await s.wait(30)
            s.model(1).transactions_block.tell(1, "Updated", "Authorized", "TxUpdated", id_token=given)
            await s.wait(20)
            assert s.charges(1), "it is the token of this transaction still"
            s.unplug(1)
            await s.wait(10)
            s.model(1).plug_in(1, car(), given)
            await s.wait(60)
            assert not s.charges(1), "it was good for one transaction"

    run(story())


def test_who_charges_is_known_after_a_restart() -> None:
    async def story() -> None:
        async with scenario(Place(), policy=policy_of(known("CARD")), dead_man_from_s=None) as s:
            await s.until(40)
            memory = s.memory()
            await s.vanish()
            await s.wait(5)
            await s.come_back(memory)
            await s.until_true(lambda: s.evse(1).transaction_id is not None, 60)
            assert s.evse(1).driver == "CARD's driver"

    run(story())


def test_stations_hold_the_list_whatever_changes_and_whenever_they_come_back() -> None:
    async def story() -> None:
        soon = START + timedelta(seconds=60)
        policy = policy_of(known("A"), known("B", valid_until=soon), known("C", stations=frozenset({"CP2"})), known("D", blocked=True))
        async with scenario(Place(car=None), Place(car=None), policy=policy, dead_man_from_s=None) as s:
            await s.until(30)
            assert (listed(s, 1), listed(s, 2)) == ({"A", "B"}, {"A", "B", "C"})
            await s.until(75)
            assert (listed(s, 1), listed(s, 2)) == ({"A"}, {"A", "C"}), "one of them is over"
            await s.fault("offline:CP2")
            s.configure(authorization=policy_of(known("E")))
            await s.until(100)
            assert (listed(s, 1), listed(s, 2)) == ({"E"}, {"A", "C"})
            await s.fault("offline:CP2", on=False)
            await s.until(200)
            assert listed(s, 2) == {"E"}

    run(story())


def test_a_listed_card_charges_at_a_station_that_is_alone_and_no_other_does() -> None:
    async def story() -> None:
        places = (Place(token=token("A"), comes_s=50.0), Place(token=token("X"), comes_s=50.0))
        async with scenario(*places, policy=policy_of(known("A")), over_limit_s=60.0, dead_man_from_s=None) as s:
            await s.until(30)
            await s.fault("offline:CP1")
            await s.fault("offline:CP2")
            await s.until(120)
            assert [transaction is not None for transaction in s.transaction_ids()] == [True, False]
            before = s.transaction_ids()[0]
            await s.fault("offline:CP1", on=False)
            await s.until(200)
            assert s.transaction_ids()[0] == before, "what began while it was alone goes on"

    run(story())


def test_a_reserved_place_is_kept_for_its_card_and_its_group() -> None:
    async def story() -> None:
        policy = policy_of(known("A"), known("B", group="family"), known("C", group="family"))
        async with scenario(Place(car=None), policy=policy, over_limit_s=0.0) as s:
            await s.until(20)
            await s.site.reserve("CP1", IdToken(value="B", type="KeyCode"), START + timedelta(minutes=30), evse_id=1, group="family")
            await s.until(25)
            assert s.evse(1).status is EvseStatus.RESERVED
            s.plug_in(1, car(), "A")
            await s.until(60)
            assert not s.charges(1)
            assert judged(s, 1, "A") == "NotAtThisTime"
            s.unplug(1)
            await s.until(70)
            s.plug_in(1, car(), "C")
            await s.until(120)
            assert s.charges(1)
            assert s.evse(1).reserved_until is None, "it is used up"

    run(story())


def test_a_reservation_ends_by_time_or_when_it_is_taken_back_and_outlives_a_restart() -> None:
    async def story() -> None:
        async with scenario(Place(car=None), policy=policy_of(known("A"), known("B")), dead_man_from_s=None) as s:
            await s.until(20)
            mine = IdToken(value="B", type="KeyCode")
            reservation = await s.site.reserve("CP1", mine, START + timedelta(minutes=30), evse_id=1)
            await s.site.cancel_reservation("CP1", reservation.reservation_id)
            await s.until(22)
            assert s.evse(1).reserved_until is None and s.model(1).evses[1].reserved_for is None
            await s.site.reserve("CP1", mine, START + timedelta(seconds=120), evse_id=1)
            memory = s.memory()
            await s.vanish()
            await s.until(30)
            await s.come_back(memory)
            await s.until(60)
            assert s.evse(1).reserved_until == START + timedelta(seconds=120)
            s.plug_in(1, car(), "A")
            await s.until(100)
            assert not s.charges(1)
            await s.until(240)
            assert s.charges(1), "its time is over"

    run(story())


def test_a_reservation_for_any_place_leaves_the_others_their_own() -> None:
    def same(one: IdToken, other: IdToken) -> bool:
        return one == other

    mine, other = IdToken(value="A", type="Central"), IdToken(value="B", type="Central")
    anywhere = Reservation(reservation_id=1, station="CP1", evse_id=None, token=mine, group=None, expires_at=START)
    second = replace(anywhere, reservation_id=2, evse_id=2)
    assert closed_to([anywhere], {1: True, 2: True}, other, None, same) == frozenset()
    assert closed_to([anywhere], {1: False, 2: True}, other, None, same) == {2}
    assert closed_to([anywhere], {1: False, 2: True}, mine, None, same) == frozenset()
    assert closed_to([anywhere, second], {1: True, 2: True}, other, None, same) == {1, 2}


def test_a_reservation_of_a_connector_closes_the_last_place_that_has_it() -> None:
    def same(one: IdToken, other: IdToken) -> bool:
        return one == other

    mine, other = IdToken(value="A", type="Central"), IdToken(value="B", type="Central")
    plug = Reservation(reservation_id=1, station="CP1", evse_id=None, token=mine, group=None, expires_at=START, excluded=frozenset({1, 2}))
    anywhere = replace(plug, reservation_id=2, excluded=frozenset())
    free = {1: True, 2: True, 3: True}
    assert closed_to([plug], free, other, None, same) == {3}
    assert closed_to([plug], free, mine, None, same) == frozenset()
    assert closed_to([plug], free | {3: False}, other, None, same) == frozenset()
    assert closed_to([plug, anywhere], free, other, None, same) == {3}
    assert closed_to([plug, anywhere], free | {1: False}, other, None, same) == {2, 3}
    assert closed_to([plug, anywhere], free | {3: False}, other, None, same) == frozenset()
    kept = Reservations()
    kept.add(plug)
    again = Reservations()
    again.recall(kept.document())
    assert again.get(1) == plug


def test_a_card_that_is_learnt_at_a_reader_is_listed_there_as_that_reader_told_it() -> None:
    book = TokenBook()
    shown = IdToken(value="GARAGE-7", type="KeyCode")
    book.met(Stranger(token=shown, station="CP1", at=START))
    card = KnownToken(value="GARAGE-7")
    book.learn([card])
    assert book.spelling("CP1", card) == shown
    assert not book.strangers


def test_a_card_is_known_however_its_reader_tells_it_and_listed_as_the_station_tells_it() -> None:
    book = TokenBook()
    card = KnownToken(value="04:A2:B3:C4", type="ISO14443")
    book.learn([card, KnownToken(value="0011223344556677", type="Central")])
    backwards = IdToken(value="c4b3a204", type="ISO15693")
    assert book.find(IdToken(value="04a2b3c4", type="ISO14443")) is card
    assert book.find(backwards) is card
    assert book.find(IdToken(value="04A2B3C4", type="Central")) is None
    assert book.find(IdToken(value="7766554433221100", type="ISO14443")) is None, "no card was entered with that number"
    assert book.spelling("CP1", card) == IdToken(value="04:A2:B3:C4", type="ISO14443")
    assert book.spelt("CP1", card, backwards) and not book.spelt("CP1", card, backwards)
    again = TokenBook()
    again.recall(book.document())
    again.learn([card])
    assert again.spelling("CP1", card) == backwards
    assert again.spelling("CP2", card).value == "04:A2:B3:C4"


def test_no_token_is_in_any_text() -> None:
    secret = "04A2B3C4"
    card = known(secret, name="Ann")
    judgement = Judgement(
        at=START,
        station="CP1",
        evse_id=None,
        info=IdTokenInfo(status=AuthorizationStatus.ACCEPTED),
        token=IdToken(value=secret, type="ISO14443"),
        known=card,
    )
    for value in (card, policy_of(card), judgement, Stranger(token=judgement.token, station="CP1", at=START)):
        assert secret not in repr(value)
