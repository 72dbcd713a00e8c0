"""The decision-services API and the one-stop portal, read only from the published release.

    Keeper: who asks -> scope_of: which file and rows -> Library -> Shelf -> Snapshot -> /api/v1/… -> page

The page, its charts and the API's documentation are files of this package. Nothing comes from outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from jobs import origin
from jobs.access.caller import ANYBODY
from jobs.access.trail import Trail
from jobs.settings import Settings
from portal import problems
from portal.access import barred, gate, sign_in
from portal.access.gate import EverybodyIs, Keeper
from portal.api import builder, calendar, family_codes, release, tables, themes
from portal.door import events
from portal.door import routes as door
from portal.door.desk import Desk
from portal.door.writes import Writes
from portal.downloads import Downloads
from portal.guard import Guard
from portal.heads import Heads
from portal.kept import Kept
from portal.library import Library
from portal.openapi import completed
from portal.parameters import only_known
from portal.replies import API
from portal.share import routes as share
from portal.share.links import Links
from portal.snapshot import QUERY_SECONDS
from portal.watch import routes as watch
from portal.watch.watching import Watch, Watching

# Each module has one router.
ROOMS = (release, tables, builder, sign_in, family_codes, share, calendar, watch, door, events, *themes.ROOMS)
STATIC = Path(__file__).parent / "static"
LOOPBACK = "127.0.0.1"
OWN_HOSTS = (LOOPBACK, "localhost")


def create_app(
    settings: Settings,
    keeper: Keeper | None = None,
    hosts: tuple[str, ...] = OWN_HOSTS,
    seconds: float = QUERY_SECONDS,
) -> FastAPI:
    """The application for one site; answers 503 until something is published.

    `keeper` says who asks; without one everybody is the public. The queries of one request may
    take `seconds`.

    Requests for any other Host than `hosts` are refused. A foreign web page must not be able to
    read data by pointing its own name at this machine.
    """
    app = FastAPI(
        title=f"{settings.title_en} — edulake API",
        version="1",
        description="Decision services and published tables, read from one release at a time.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(only_known)],
    )
    app.state.settings = settings
    app.state.keeper = keeper or EverybodyIs(ANYBODY)
    app.state.trail = Trail(settings)
    app.state.writes = Writes(settings, app.state.trail)
    app.state.library = Library(settings, seconds)
    app.state.downloads = Downloads()
    app.state.desk = Desk(settings, app.state.trail)
    app.state.links = Links()
    _surround(app, hosts)
    problems.handle(app)
    barred.handle(app)
    for room in ROOMS:
        app.include_router(room.router)

    _add_pages(app)
    _describe(app)
    app.mount("/static", StaticFiles(directory=STATIC))
    gate.rules(app)
    return app


def _describe(app: FastAPI) -> None:
    """Serve the description of the API with the columns of each table; of a made-up city it says so."""
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(completed(FastAPI.openapi(app)))
        made_up = app.state.library.is_synthetic
        about = f"{origin.LINE} {app.description}" if made_up else app.description
        return {**described, "info": {**described["info"], "description": about}, "x-synthetic": made_up}

    app.openapi = openapi  # type: ignore[method-assign]


def _surround(app: FastAPI, hosts: tuple[str, ...]) -> None:
    """What stands around every request."""
    app.state.watching = Watching(app.state.library)
    gauge = app.state.watching.figures.gauge
    gauge("audit_queue", "Lines of the trail that wait for the disk", app.state.trail.waiting)
    app.state.watching.at_end += [app.state.desk.close, app.state.trail.close]
    app.add_middleware(Guard, hosts=hosts)
    app.add_middleware(Heads)
    # The last one is the outermost.
    app.add_middleware(Kept, library=app.state.library)
    app.add_middleware(Watch, watching=app.state.watching)


def _add_pages(app: FastAPI) -> None:
    opened: dict[str, Any] = gate.opened_to(*gate.EVERYBODY)

    # HEAD too: that is how a browser or a monitor asks whether the page is there.
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False, **opened)
    def page() -> HTMLResponse:
        return _page(app, "index.html")

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False, **opened)
    def api_page() -> HTMLResponse:
        return _page(app, "docs.html")

    @app.api_route("/hand-in", methods=["GET", "HEAD"], include_in_schema=False, **opened)
    def hand_in_page() -> HTMLResponse:
        return _page(app, "hand-in.html")


def _page(app: FastAPI, name: str) -> HTMLResponse:
    """A page; of a made-up city it says so by itself, before any script has run."""
    page = (STATIC / name).read_text(encoding="utf-8")
    banner = f'<p class="origin" role="note"><span class="frame">{origin.LINE}</span></p>'
    return HTMLResponse(page.replace("<!--origin-->", banner if app.state.library.is_synthetic else ""))
