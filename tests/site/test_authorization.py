"""Who may charge, and when."""

from custom_components.headroom.site.config import AuthorizationPolicy
from simulator.evse import token
from simulator.virtual import run

from .harness import Place, car, scenario


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


def test_unknown_tokens_are_refused() -> None:
    async def story() -> None:
        good, bad, free = token("GOOD"), token("BAD"), {"idToken": "", "type": "NoAuthorization"}
        policy = AuthorizationPolicy(tokens=frozenset({"GOOD"}))
        async with scenario(Place(token=good), Place(token=bad), Place(token=free), policy=policy, over_limit_s=0.0) as s:
            await s.until(60)
            assert [s.charges(number) for number in (1, 2, 3)] == [True, False, False]
            assert s.transaction_ids()[1:] == [None, None]
            issued = s.site.issue_token()
            s.unplug(2)
            s.world.stations["CP2"].plug_in(1, car(), {"idToken": issued.value, "type": issued.type})
            await s.until(90)
            assert s.charges(2), "a token the site issued itself may charge"

    run(story())


def test_where_charging_is_free_nobody_needs_a_token() -> None:
    async def story() -> None:
        async with scenario(Place(token={"idToken": "", "type": "NoAuthorization"}), over_limit_s=0.0) as s:
            await s.until(30)
            assert s.charges(1)

    run(story())
