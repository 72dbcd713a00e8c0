"""The decision-services API and the one-stop portal, read only from the published release.

    releases/CURRENT -> Shelf -> Snapshot -> bytes kept by (release, audience, query) -> /api/v1/… -> the page

The page, its charts and the API's documentation are files of this package. Nothing comes from outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from jobs import origin
from jobs.publish import release as releases
from jobs.settings import Settings
from portal import api, problems
from portal.downloads import Downloads
from portal.guard import Guard
from portal.replies import API
from portal.snapshot import QUERY_SECONDS, Shelf

STATIC = Path(__file__).parent / "static"
LOOPBACK = "127.0.0.1"


def create_app(
    settings: Settings,
    audience: str = releases.CITY,
    hosts: tuple[str, ...] = (LOOPBACK, "localhost"),
    seconds: float = QUERY_SECONDS,
) -> FastAPI:
    """The application for one site and one audience; answers 503 until something is published.

    The queries of one request may take `seconds`.

    Requests for any other Host than `hosts` are refused. There is no login, and a foreign web page must not
    be able to read data by pointing its own name at this machine.
    """
    app = FastAPI(
        title=f"{settings.title_en} — edulake API",
        version="1",
        description="Decision services and published tables, read from one release at a time.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.shelf = Shelf(settings, audience, seconds)
    app.state.downloads = Downloads()
    app.add_middleware(Guard, hosts=hosts)
    problems.handle(app)
    app.include_router(api.router)

    # HEAD too: that is how a browser or a monitor asks whether the page is there.
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def page() -> HTMLResponse:
        return _page(app, "index.html")

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    def api_page() -> HTMLResponse:
        return _page(app, "docs.html")

    describe = app.openapi

    def openapi() -> dict[str, Any]:
        made_up = app.state.shelf.is_synthetic
        told = describe()
        about = f"{origin.LINE} {app.description}" if made_up else app.description
        return {**told, "info": {**told["info"], "description": about}, "x-synthetic": made_up}

    app.openapi = openapi  # type: ignore[method-assign]
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _page(app: FastAPI, name: str) -> HTMLResponse:
    """A page; of a made-up city it says so by itself, before any script has run."""
    page = (STATIC / name).read_text(encoding="utf-8")
    banner = f'<p class="origin" role="note"><span class="frame">{origin.LINE}</span></p>'
    return HTMLResponse(page.replace("<!--origin-->", banner if app.state.shelf.is_synthetic else ""))
