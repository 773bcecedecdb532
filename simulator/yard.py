"""Standing before the simulated stations: a web page with each one's own settings and its card readers, for whoever tries the site by hand."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from html import escape

from aiohttp import web

from .driver import SiteDriver
from .evse import Evse, token
from .station import StationModel

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The yard</title>
<style>
  body {{ font: 16px/1.5 sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em }}
  main {{ display: grid; gap: 1em; grid-template-columns: repeat(auto-fill, minmax(26em, 1fr)) }}
  section {{ border: 1px solid #ccc; border-radius: 12px; padding: 0 1.2em 1.2em }}
  label {{ display: block; margin: .5em 0 }}
  input {{ box-sizing: border-box; display: block; font: inherit; padding: .3em; width: 100% }}
  button {{ font: inherit; margin-top: .3em }}
</style>
<h1>The yard</h1>
<p>What you would do at the stations themselves: enter what Home Assistant shows you once, and hold cards to the readers.</p>
<main>{stations}</main>
</html>
"""
STATION = """
<section id="{identity}" aria-label="{identity}">
<h2>{identity}</h2>
<p>{state}</p>
<form method="post" action="/{identity}/settings" autocomplete="off">
<label>Address of the central system <input name="address" value="{address}" required></label>
<label>Password <input name="password" required></label>
<button>Save</button>
</form>
{readers}
</section>
"""
READER = """
<form method="post" action="/{identity}/{evse_id}/card" autocomplete="off">
<label>Card at reader {evse_id} <input name="card" value="{card}" required></label>
<input type="hidden" name="meant" value="{meant}">
<button>Hold it there to {meant}</button> {state}
</form>
"""


@asynccontextmanager
async def yard(driver: SiteDriver, csms_url: str, port: int = 0) -> AsyncGenerator[str]:
    """Serve the page on 127.0.0.1; gives its address."""
    stations = driver.site.stations

    def station_of(request: web.Request) -> StationModel:
        if (station := stations.get(request.match_info["identity"])) is None:
            raise web.HTTPNotFound
        return station

    async def show(_: web.Request) -> web.Response:
        page = "".join(_station(station, csms_url, connected=driver.clients[identity].connected) for identity, station in stations.items())
        return web.Response(text=PAGE.format(stations=page), content_type="text/html")

    async def settings(request: web.Request) -> web.Response:
        form, station = await request.post(), station_of(request)
        station.network.enter(str(form["address"]).strip(), str(form["password"]).strip())
        raise web.HTTPSeeOther(f"/#{station.spec.identity}")

    async def card(request: web.Request) -> web.Response:
        form, station = await request.post(), station_of(request)
        evse_id = int(request.match_info["evse_id"])
        if evse_id not in station.evses:
            raise web.HTTPNotFound
        # Who held a card to start is not to stop what began since the page was shown: drivers try again by themselves.
        if form["meant"] == _meant(station.evses[evse_id]):
            station.present(evse_id, token(str(form["card"]).strip(), "ISO14443"))
        raise web.HTTPSeeOther(f"/#{station.spec.identity}")

    application = web.Application()
    application.add_routes(
        [
            web.get("/", show),
            web.post("/{identity}/settings", settings),
            web.post(r"/{identity}/{evse_id:\d+}/card", card),
        ]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        host, bound, *_ = runner.addresses[0]
        yield f"http://{host}:{bound}"
    finally:
        await runner.cleanup()


def _station(station: StationModel, csms_url: str, *, connected: bool) -> str:
    identity, profile = escape(station.spec.identity), station.network.current
    state = f"Connected ({station.outbox.registration})" if connected else "Not connected"
    readers = "".join(_reader(identity, evse_id, evse) for evse_id, evse in station.evses.items())
    return STATION.format(
        identity=identity,
        state=f"{state}, security profile {profile.security_profile}",
        address=escape(profile.url or csms_url),
        readers=readers,
    )


def _reader(identity: str, evse_id: int, evse: Evse) -> str:
    held = evse.transaction.id_token if evse.transaction else evse.token
    car = f"{evse.car.name}, {evse.status.lower()}" if evse.car else "no car"
    card = escape(held["idToken"]) if held else ""
    return READER.format(identity=identity, evse_id=evse_id, card=card, meant=_meant(evse), state=escape(car))


def _meant(evse: Evse) -> str:
    """What a card does at the reader now."""
    return "start" if evse.transaction is None else "stop"
