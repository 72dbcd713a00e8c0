"""What a table refuses, in words that name what it knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import Caller, Role
from jobs.settings import Settings
from portal import app as portal
from portal.access.gate import EverybodyIs


@pytest.fixture(scope="module")
def city(published: Settings) -> Iterator[TestClient]:
    app = portal.create_app(published, EverybodyIs(Caller(Role.CITY, "official")))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize(
    ("address", "status", "kind"),
    [
        ("dim_school?limit=1001", 422, "invalid-parameter"),
        ("dim_school?limit=0", 422, "invalid-parameter"),
        ("dim_school?format=docx", 422, "invalid-parameter"),
        ("dim_school?cursor=1;drop", 422, "invalid-parameter"),
        ("dim_school?cursor=1-50", 422, "invalid-parameter"),
        ("dim_school?cursor=MS4xLjE", 422, "invalid-parameter"),
        ("dim_school?limit=1&limit=2", 422, "invalid-parameter"),
        ("dim_school?limit=%C2%B2", 422, "invalid-parameter"),
        ("dim_school?district=110105", 422, "unknown-parameter"),
        ("dim_school?district_code__like=1", 422, "unknown-parameter"),
        ("dim_school?district_code=", 422, "invalid-parameter"),
        ("dim_school?district_code=999999", 422, "unknown-code"),
        ("dim_school?run_number=two", 422, "invalid-parameter"),
        ("dim_school?run_number__gt=1&run_number__gt=2", 422, "invalid-parameter"),
        ("fct_school_fitness?tested_on=2025-02-30", 422, "invalid-parameter"),
        ("fct_school_fitness?pass_share__gte=NaN", 422, "invalid-parameter"),
        ("fct_place_outlook?is_complete=maybe", 422, "invalid-parameter"),
        ("fct_place_outlook?is_complete__gt=true", 422, "unknown-parameter"),
        ("dim_school?sort=nothing", 422, "invalid-parameter"),
        ("dim_school?sort=school_code,-school_code", 422, "invalid-parameter"),
        ("dim_school?fields=school_code,secret", 422, "invalid-parameter"),
        ("dim_school?table_version=2.*", 409, "other-table-version"),
        ("dim_school?table_version=two", 422, "invalid-parameter"),
    ],
)
def test_what_cannot_be_answered_is_refused(city: TestClient, address: str, status: int, kind: str) -> None:
    told = city.get(f"/api/v1/tables/{address}")
    assert (told.status_code, told.json()["type"]) == (status, f"urn:edulake:problem:{kind}"), told.text
    assert told.headers["content-type"] == "application/problem+json"


def test_a_refusal_names_what_is_known(city: TestClient) -> None:
    detail = city.get("/api/v1/tables/dim_school?district=110105").json()["detail_en"]
    for known in ("district_code", "school_code", "sort", "fields", "table_version", "__gte"):
        assert known in detail
    assert "110101" in city.get("/api/v1/tables/dim_school?district_code=1").json()["detail_zh"]
    strange = city.get("/api/v1/tables/dim_school", params={"<script>": "1"})
    assert "script" not in strange.text, "what was sent is not repeated unless it looks like a name"
