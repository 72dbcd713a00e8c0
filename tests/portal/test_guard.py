"""Bodies: only a route that says how large one may be takes any, and none that is larger."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.testclient import TestClient

from jobs.access.caller import Caller, Role
from jobs.settings import Settings
from portal.access.gate import EverybodyIs, taking
from portal.app import create_app


def test_a_body_is_taken_where_a_route_says_so_and_up_to_its_bound(settings: Settings) -> None:
    app = create_app(settings, EverybodyIs(Caller(Role.CITY, "official")))

    @app.post("/api/v1/echo/{name}", **taking(10, Role.CITY))
    async def echo(request: Request) -> int:
        return len(await request.body())

    def piecewise(count: int) -> Iterator[bytes]:
        yield from [b"x"] * count

    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.post("/api/v1/echo/a", content=b"x" * 10).json() == 10
        assert client.post("/api/v1/echo/a", content=piecewise(10)).json() == 10
        for told in (b"x" * 11, piecewise(11)):
            refused = client.post("/api/v1/echo/a", content=told)
            assert (refused.status_code, refused.json()["type"]) == (413, "urn:edulake:problem:too-large")
        for address in ("/api/v1/release", "/api/v1/unknown"):
            refused = client.post(address, content=b"x")
            assert (refused.status_code, refused.json()["type"]) == (413, "urn:edulake:problem:no-body")
