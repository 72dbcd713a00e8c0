"""A made-up city is never shown as a real one: every page, answer and download says what it is."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Callable, Iterator

import duckdb
import httpx
import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from jobs import origin
from jobs.access.caller import Caller, Role
from jobs.publish import questions
from jobs.publish.release import Release
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app

OFFICIAL = Caller(Role.CITY, "official")

MADE_UP = pytest.mark.parametrize("settings", [True, False], indirect=True, ids=["made up", "real"])

# Routes with their failures and each format. Of all others the header is asked for, which every answer has.
ASKED = {
    "/": ["/"],
    "/docs": ["/docs"],
    "/api/v1/release": ["/api/v1/release"],
    "/api/v1/cards": ["/api/v1/cards"],
    "/api/v1/platforms": ["/api/v1/platforms"],
    "/api/v1/tables": ["/api/v1/tables"],
    "/api/v1/tables/{name}/cells": ["/api/v1/tables/dim_school/cells"],
    "/api/v1/permalinks/{link}": ["/api/v1/permalinks/aaaaaaaaaaaaaaaa"],
    "/api/v1/tables/{name}": [
        "/api/v1/tables/dim_school",
        "/api/v1/tables/dim_school?limit=3&sort=-school_code&district_code=110101",
        "/api/v1/tables/dim_school?format=csv",
        "/api/v1/tables/dim_school?format=csv&header=zh",
        "/api/v1/tables/no_such_table",
        "/api/v1/tables/dim_school?cursor=9-1",
        "/api/v1/tables/dim_school?release=9",
        "/api/v1/tables/dim_school?district=1",
        "/api/v1/tables/dim_school?limit=0",
    ],
    "/hand-in": ["/hand-in"],
    "/api/v1/deliveries": ["/api/v1/deliveries", "/api/v1/deliveries?state=final"],
    "/api/v1/deliveries/due": ["/api/v1/deliveries/due"],
    "/api/v1/deliveries/senders": ["/api/v1/deliveries/senders"],
    "/api/v1/deliveries/{address}": ["/api/v1/deliveries/none"],
    "/api/v1/deliveries/{address}/files/{n}/{kind}": ["/api/v1/deliveries/none/files/1/report.xlsx"],
    "/api/v1/deliveries/{address}/withdrawal": ["/api/v1/deliveries/none/withdrawal"],
    "/api/v1/templates/{name}": ["/api/v1/templates/none.xlsx"],
    "/api/v1/healthz": ["/api/v1/healthz"],
    "/api/v1/openapi.json": ["/api/v1/openapi.json"],
    "nowhere": ["/nowhere"],
}


@pytest.fixture
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """A site that says of itself that it is made up, or that it is not."""
    return dataclasses.replace(settings, is_synthetic=request.param)


@pytest.fixture
def asked(settings: Settings, publish: Callable[..., Release]) -> Iterator[TestClient]:
    """Asks a release that was published by this site."""
    publish(1)
    with TestClient(create_app(settings, EverybodyIs(OFFICIAL)), base_url="http://127.0.0.1") as client:
        yield client


def says_so(answer: httpx.Response) -> set[str]:
    """Where an answer says that it is made up."""
    told = set()
    if answer.headers.get(origin.HEADER) == "true":
        told.add("header")
    kind = answer.headers["content-type"].split(";")[0]
    if kind in ("application/json", "application/problem+json"):
        content = answer.json()
        told |= {"body"} if content.get("synthetic") or content.get("x-synthetic") else set()
    elif kind == "text/csv":
        head, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
        marked = head[-1] in (origin.COLUMN, origin.COLUMN_ZH) and {row[-1] for row in rows} == {"true"}
        told |= {"body"} if marked else set()
        assert {len(row) for row in rows} == {len(head)}
    else:
        assert kind == "text/html"
        shown = answer.text.partition("<body>")[2]
        told |= {"body"} if shown.find("合成数据") < shown.find("<header") and "合成数据" in shown else set()
    return told


@MADE_UP
def test_every_answer_says_whether_it_is_made_up(asked: TestClient, settings: Settings) -> None:
    wanted = {"header", "body"} if settings.is_synthetic else set()
    for paths in ASKED.values():
        for path in paths:
            assert says_so(asked.get(path)) == wanted, path
    foreign = asked.get("/", headers={"host": "evil.example"})
    assert (foreign.status_code, says_so(foreign)) == (421, wanted)
    for path in ("/static/app.js", "/static/style.css"):
        assert (asked.get(path).headers.get(origin.HEADER) == "true") == settings.is_synthetic


@MADE_UP
def test_before_a_release_it_is_said_too(settings: Settings) -> None:
    with TestClient(create_app(settings, EverybodyIs(OFFICIAL)), base_url="http://127.0.0.1") as client:
        for path in ("/", "/api/v1/cards", "/api/v1/healthz"):
            assert says_so(client.get(path)) == ({"header", "body"} if settings.is_synthetic else set())


@MADE_UP
def test_no_route_is_forgotten(asked: TestClient, settings: Settings) -> None:
    routes = [route for route in asked.app.routes if isinstance(route, APIRoute)]  # type: ignore[attr-defined]
    others = {route.path for route in routes if "GET" in route.methods} - set(ASKED)
    for path in sorted(others):
        answer = asked.get(re.sub(r"{[^}]*}", "1", path), follow_redirects=False)
        assert (answer.headers.get(origin.HEADER) == "true") == settings.is_synthetic, path
    assert {*ASKED} - {route.path for route in routes} == {"/api/v1/openapi.json", "nowhere"}


@pytest.mark.parametrize("settings", [True], indirect=True)
def test_a_release_of_a_made_up_city_stays_one_whatever_the_site_says_later(
    settings: Settings, publish: Callable[..., Release]
) -> None:
    publish(1)
    real = dataclasses.replace(settings, is_synthetic=False)
    with TestClient(create_app(real, EverybodyIs(OFFICIAL)), base_url="http://127.0.0.1") as client:
        assert says_so(client.get("/api/v1/cards")) == {"header", "body"}
        assert says_so(client.get("/")) == {"header", "body"}
    with questions.on_release(real, "select 1") as answer:
        assert answer.notes == [origin.LINE]


@MADE_UP
def test_every_file_of_a_release_says_it(settings: Settings, publish: Callable[..., Release]) -> None:
    release = publish(1)
    assert release.manifest["is_synthetic"] is settings.is_synthetic
    files = sorted(release.folder.glob("*.duckdb"))
    assert len(files) > 3
    for file in files:
        with duckdb.connect(str(file), read_only=True) as opened:
            assert opened.execute("select is_synthetic from _release").fetchall() == [
                (settings.is_synthetic,)
            ]


@MADE_UP
def test_every_question_in_sql_is_answered_with_it(
    settings: Settings, publish: Callable[..., Release]
) -> None:
    publish(1)
    wanted = [origin.LINE] if settings.is_synthetic else []
    with questions.on_release(settings, "from dim_school") as answer:
        assert answer.notes == wanted
    with questions.on_lake(settings, "select 1") as answer:
        assert answer.notes == wanted
