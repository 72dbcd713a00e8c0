"""Schools found by name: what fits best comes first, former names too; one school's page."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import Role
from portal.api.search import Entry, folded, rank
from portal.replies import API

from .conftest import DISTRICT


def entry(code: str, *names: str, is_open: bool = True) -> Entry:
    return Entry({"school_code": code, "is_open": is_open}, (), tuple((name, folded(name)) for name in names))


NAMES = [
    entry("1", "北京市第五小学"),
    entry("2", "北京市第五小学东校区"),
    entry("3", "中国人民大学附属中学"),
    entry("4", "北京市第十二中学"),
    entry("5", "北京市第一百零三中学"),
    entry("6", "景山学校", "第五小学（旧）"),
    entry("7", "清华大学附属小学"),
    entry("8", "北京市第五小学分校", is_open=False),
]


@pytest.mark.parametrize(
    ("q", "codes"),
    [
        ("第五小学", ["1", "2", "6", "8"]),
        ("北京市第五小学", ["1", "2", "6", "8"]),
        ("第5小学", ["1", "2", "6", "8"]),
        ("五小", ["1", "2", "6", "8"]),
        ("人大附中", ["3"]),
        ("12中", ["4"]),
        ("第103中学", ["5"]),
        ("３", ["3", "5"]),
        ("清华大学付属小学", ["7"]),
        ("没有这所学校", []),
        ("%", []),
        (" ", ["1", "2", "3", "4", "5", "6", "7", "8"]),
    ],
)
def test_the_best_fit_comes_first(q: str, codes: list[str]) -> None:
    found = [one.row["school_code"] for one, _ in rank(NAMES, q)]
    if q == "第五小学":
        assert found[0] == "1"
    assert sorted(found) == sorted(codes) if codes else found == []
    assert found[:2] == codes[:2]


def test_a_former_name_is_told() -> None:
    (best, name), *_ = rank(NAMES, "第五小学旧")
    assert (best.row["school_code"], name) == ("6", "第五小学（旧）")


def test_schools_are_found_by_part_of_the_name_within_the_scope(
    callers: dict[Role, TestClient], opened: Callable[[str], duckdb.DuckDBPyConnection], own_school: str
) -> None:
    count = "select count(*) from dim_school where district_code = ?"
    there = opened("city").execute(count, [DISTRICT]).fetchall()[0][0]
    city = callers[Role.CITY].get(f"{API}/schools", params={"district_code": DISTRICT, "limit": 1}).json()
    assert (city["found_count"], len(city["schools"])) == (there, 1)
    assert callers[Role.DISTRICT].get(f"{API}/schools").json()["found_count"] == there
    own = callers[Role.SCHOOL].get(f"{API}/schools").json()["schools"]
    assert [one["school_code"] for one in own] == [own_school]
    name = own[0]["school_name"]
    for q in (name, name.removeprefix("北京市"), own_school):
        found = callers[Role.CITY].get(f"{API}/schools", params={"q": q}).json()["schools"]
        assert found[0]["school_code"] == own_school, q
    stage = own[0]["stage_codes"][0]
    staged = callers[Role.CITY].get(f"{API}/schools", params={"stage_code": stage, "limit": 200}).json()
    assert all(stage in one["stage_codes"] for one in staged["schools"])
    assert callers[Role.CITY].get(f"{API}/schools", params={"name": "x"}).status_code == 422
    unknown = callers[Role.CITY].get(f"{API}/schools", params={"district_code": "110199"})
    assert (unknown.status_code, unknown.json()["type"]) == (422, "urn:edulake:problem:unknown-code")
    assert (
        callers[Role.DISTRICT].get(f"{API}/schools", params={"district_code": "110101"}).json()["schools"]
        == []
    )
    assert callers[Role.PUBLIC].get(f"{API}/schools").status_code == 401


def test_one_school_has_its_facts_with_meanings_and_units(
    callers: dict[Role, TestClient], opened: Callable[[str], duckdb.DuckDBPyConnection], own_school: str
) -> None:
    told = callers[Role.CITY].get(f"{API}/schools/{own_school}").json()
    (places,) = (
        opened("city")
        .execute("select place_count from dim_school where school_code = ?", [own_school])
        .fetchall()[0]
    )
    assert told["school"]["place_count"] == places
    assert told["columns"]["place_count"]["unit_en"] == "places"
    assert told["profile"]["school_code"] == own_school
    assert sum(row["pupil_count"] for row in told["enrollment"]) == told["profile"]["pupil_count"]
    assert callers[Role.CITY].get(f"{API}/schools/9999999999").status_code == 404
    others = callers[Role.CITY].get(f"{API}/schools", params={"district_code": "110101"}).json()["schools"]
    assert callers[Role.DISTRICT].get(f"{API}/schools/{others[0]['school_code']}").status_code == 404
