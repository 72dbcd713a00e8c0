"""Declared routes, the parameters of every route, and HEAD of every address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI, Query
from fastapi.testclient import TestClient

from jobs.access.caller import Caller, Role
from jobs.settings import Settings
from portal import app as portal
from portal.access.gate import EVERYBODY, OFFICIALS, EverybodyIs, opened_to
from portal.openapi import completed
from portal.resources import Resource, router_of

OURS = [
    Resource("/tried/fitness", "fct_school_fitness", "学校体质", "Fitness of schools", sort="-pass_share"),
    Resource("/tried/schools/{school_code}", "dim_school", "学校", "One school"),
    Resource("/places/outlook", "fct_place_outlook", "展望", "Outlook", fixed={"is_complete": True}),
    Resource("/schools-or-outlook", "dim_school", "名录", "Schools", public="fct_place_outlook"),
    Resource("/for-officials", "dim_school", "名录", "Schools", roles=OFFICIALS),
]


def app_of(settings: Settings, caller: Caller) -> FastAPI:
    app = portal.create_app(settings, EverybodyIs(caller))
    app.include_router(router_of(OURS))
    plain = APIRouter(prefix="/api/v1")

    @plain.get("/plain", **opened_to(*EVERYBODY))
    def _(n: int = 0, many: Annotated[list[str] | None, Query()] = None) -> dict[str, int]:
        return {"n": n, "many": len(many or [])}

    app.include_router(plain)
    return app


@pytest.fixture(scope="module")
def city(published: Settings) -> Iterator[TestClient]:
    with TestClient(app_of(published, Caller(Role.CITY, "official")), base_url="http://127.0.0.1") as client:
        yield client


def test_a_resource_is_its_table_in_its_order_with_its_filters(city: TestClient) -> None:
    told = city.get("/api/v1/tried/fitness?limit=2&district_code=110101").json()
    assert [row["school_code"] for row in told["rows"]] == ["2111010236", "2111010232"]
    following = city.get(told["next"]).json()
    assert told["next"].startswith("/api/v1/tried/fitness?limit=2&district_code=110101&cursor=")
    assert [row["school_code"] for row in following["rows"]] == ["2111010228", "2111010224"]
    risen = city.get("/api/v1/tried/fitness?limit=1&sort=pass_share").json()["rows"]
    assert [row["school_code"] for row in risen] == ["2111010000"], "a request may sort otherwise"
    one = city.get("/api/v1/tried/schools/2111010007").json()
    assert [row["school_code"] for row in one["rows"]] == ["2111010007"]
    assert city.get("/api/v1/tried/schools/2111010007?school_code=2111010008").json()["rows"] == []
    outlook = city.get("/api/v1/places/outlook?limit=100").json()
    assert {row["is_complete"] for row in outlook["rows"]} == {True}
    assert outlook["row_count"] == 6
    assert city.get("/api/v1/places/outlook?is_complete=false").json()["rows"] == []
    assert city.get("/api/v1/tried/fitness?format=csv&limit=3").text.count("\r\n") == 4


def test_the_public_reads_the_public_table(published: Settings) -> None:
    with TestClient(app_of(published, Caller()), base_url="http://127.0.0.1") as public:
        assert public.get("/api/v1/schools-or-outlook").json()["name"] == "fct_place_outlook"
        assert public.get("/api/v1/tried/fitness").status_code == 403
        assert public.get("/api/v1/for-officials").status_code == 401


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("plain?m=1", "unknown-parameter"),
        ("plain?n=1&n=2", "invalid-parameter"),
        ("cards?district=110105", "unknown-parameter"),
        ("release?releases=1", "unknown-parameter"),
        ("healthz?x", "unknown-parameter"),
        ("tables?limit=3", "unknown-parameter"),
        ("tried/fitness?district=1", "unknown-parameter"),
    ],
)
def test_no_route_ignores_a_parameter(city: TestClient, address: str, kind: str) -> None:
    told = city.get(f"/api/v1/{address}")
    assert (told.status_code, told.json()["type"]) == (422, f"urn:edulake:problem:{kind}")
    if address.startswith("plain?m"):
        assert "Known: n, many" in told.json()["detail_en"]


def test_a_list_may_be_given_again(city: TestClient) -> None:
    assert city.get("/api/v1/plain?many=a&many=b").json() == {"n": 0, "many": 2}


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/api/v1/cards", "/api/v1/tables/dim_school?format=csv", "/api/v1/nothing",
     "/api/v1/plain", "/api/v1/openapi.json", "/static/style.css", "/api/v1/tables/dim_school?x=1",
     "/api/v1/tried/fitness"],
)  # fmt: skip
def test_head_says_what_get_says_without_the_body(city: TestClient, path: str) -> None:
    got, head = city.get(path), city.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


def test_openapi_has_the_columns_of_the_table(published: Settings) -> None:
    told = completed(FastAPI.openapi(app_of(published, Caller())))
    operation = told["paths"]["/api/v1/tried/schools/{school_code}"]["get"]
    named = [one.get("name") for one in operation["parameters"]]
    assert named.count("school_code") == 1, "the one of the path"
    assert "district_code" in named
    assert {"$ref": "#/components/parameters/sort"} in operation["parameters"]
    shape = told["components"]["schemas"]["dim_school"]["properties"]
    assert shape["place_count"]["type"] == ["integer", "null"]
