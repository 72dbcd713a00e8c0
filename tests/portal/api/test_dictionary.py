"""The dictionary, lineage and releases, on a small release."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.declare import metrics
from jobs.publish import lineage
from jobs.publish.lineage_sql import Point
from jobs.publish.release import Release
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app
from portal.replies import API


def client(settings: Settings, caller: Caller = ANYBODY) -> TestClient:
    return TestClient(create_app(settings, EverybodyIs(caller)), base_url="http://127.0.0.1")


CITY = Caller(Role.CITY, "c")


def test_words_find_tables_within_what_the_caller_may_open(published: Settings) -> None:
    city = client(published, CITY).get(f"{API}/dictionary/search", params={"q": "及格率"}).json()
    assert city["tables"][0]["table"] == "fct_school_fitness"
    assert [column["name"] for column in city["tables"][0]["columns"]] == ["pass_share"]
    assert city["tables"][0]["columns"][0]["title_zh"] == "及格率"
    assert client(published).get(f"{API}/dictionary/search", params={"q": "及格率"}).json()["tables"] == []
    assert client(published).get(f"{API}/dictionary/search").status_code == 422


def test_codes_metrics_and_terms_are_those_declared(published: Settings) -> None:
    public = client(published)
    stages = public.get(f"{API}/dictionary/codes/stage").json()
    assert ("primary", "小学") in {(one["code"], one["meaning_zh"]) for one in stages["codes"]}
    for name in public.get(f"{API}/dictionary/codes").json()["lists"]:
        assert public.get(f"{API}/dictionary/codes/{name}").json()["codes"], name
    assert public.get(f"{API}/dictionary/codes/sender").status_code == 404
    told = public.get(f"{API}/dictionary/metrics").json()["metrics"]
    assert [one["metric_code"] for one in told] == list(metrics.load())
    assert all(one["definition_zh"] and one["unit_zh"] for one in told)
    terms = {one["term"]: one for one in public.get(f"{API}/dictionary/glossary").json()["terms"]}
    assert terms["district"]["zh"] == "区"
    assert len(terms) > 100


def test_lineage_is_told_up_and_down(published: Settings) -> None:
    heading = Point("test_result", "身高")
    clean = Point("clean_fitness__test_result", "height_cm")
    mart = Point("fct_fitness_result", "height_cm")
    made = lineage.Lineage({clean: {heading: "copied"}, mart: {clean: "renamed"}}, {})
    lineage.keep(published.prepare(), made)
    city = client(published, CITY)
    up = city.get(f"{API}/lineage/fct_fitness_result/height_cm").json()
    assert (up["direction"], [one["name"] for one in up["steps"]]) == ("up", [str(clean)])
    assert [one["name"] for one in up["sources"]] == ["test_result.身高"]
    down = city.get(f"{API}/lineage/test_result/身高").json()
    assert (down["direction"], len(down["columns"])) == ("down", 2)
    assert city.get(f"{API}/lineage/fct_x/nothing").status_code == 404
    assert client(published).get(f"{API}/lineage/fct_fitness_result/height_cm").status_code == 401


def test_releases_are_listed_with_what_changed(settings: Settings, publish: Callable[..., Release]) -> None:
    publish(1)
    publish(2)
    city, public = client(settings, CITY), client(settings)
    listed = city.get(f"{API}/releases").json()["releases"]
    assert [(one["release"], one["is_current"]) for one in listed] == [(2, True), (1, False)]
    assert city.get(f"{API}/releases/1").json() == listed[1]
    told = city.get(f"{API}/releases/2/changes").json()
    assert told["compared_with"] == 1
    changed = {one["table"]: one for one in told["changes"]}
    assert {name: one["kind"] for name, one in changed.items()} == {
        "dim_school": "values",
        "fct_school_fitness": "values",
    }
    assert changed["dim_school"]["zh"].startswith("数值更新")
    same = city.get(f"{API}/releases/2/changes", params={"since": 1}).json()
    assert {one["table"] for one in same["changes"]} == {*changed}
    assert [one["table"] for one in public.get(f"{API}/releases/2/changes").json()["changes"]] == []
    district = client(settings, Caller(Role.DISTRICT, "d", unit_code="110101", district_code="110101"))
    own = district.get(f"{API}/releases/2/changes").json()["changes"]
    assert {(one["before"], one["after"]) for one in own} == {("", "")}
    assert city.get(f"{API}/releases/9").status_code == 404
    assert city.get(f"{API}/releases/9/changes").status_code == 404


@pytest.mark.parametrize("path", ["releases", "dictionary/codes", "dictionary/metrics"])
def test_an_unknown_parameter_is_refused(published: Settings, path: str) -> None:
    assert client(published).get(f"{API}/{path}", params={"district": "110105"}).status_code == 422
