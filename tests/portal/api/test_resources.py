"""Every resource on a finished lake: the right table, its filters, the caller's rows, and no dead address."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.settings import Settings
from portal.access.gate import EVERYBODY, EverybodyIs
from portal.api import evaluation, fitness, places, reporting, resources, safety, schools
from portal.app import create_app
from portal.replies import API
from portal.resources import READERS, Resource

from .conftest import DISTRICT

ROOMS = (places, evaluation, fitness, safety, schools, resources, reporting)
ALL = [resource for room in ROOMS for resource in room.RESOURCES]
# Published tables that computed answers show, or that are about single pupils or the portal itself.
ELSEWHERE = {
    *("dim_school", "fct_safety_inspection_plan"),
    *("dim_pupil", "fct_fitness_result", "rpt_services__fitness_report"),
    *("rpt_portal__platform_item", "rpt_portal__service_card"),
}
Opened = Callable[[str], duckdb.DuckDBPyConnection]


def test_every_published_table_has_an_address(opened: Opened) -> None:
    shown = opened("full").execute(
        "select table_name from duckdb_tables() where not starts_with(table_name, '_')"
    )
    assert {name for (name,) in shown.fetchall()} == {
        t for one in ALL for t in (one.table, one.public) if t
    } | ELSEWHERE
    assert len({one.path for one in ALL}) == len(ALL) > 70


@pytest.mark.parametrize("resource", ALL, ids=lambda one: one.path)
def test_a_resource_shows_the_city_its_table_and_filters_it(
    callers: dict[Role, TestClient], opened: Opened, resource: Resource
) -> None:
    table, city = resource.table, opened("city")
    (count,) = city.execute(f"select count(*) from {table}").fetchall()[0]
    got = callers[Role.CITY].get(f"{API}{resource.path}", params={"limit": 3})
    assert got.status_code == 200, got.text
    told = got.json()
    assert (told["name"], told["row_count"], len(told["rows"])) == (table, count, min(count, 3))
    assert told["synthetic"] is True
    if not count:
        return
    key = next(name for name, value in told["rows"][0].items() if value is not None)
    value = told["rows"][0][key]
    held = str(value).lower() if isinstance(value, bool) else value
    fewer = callers[Role.CITY].get(f"{API}{resource.path}", params={key: held, "fields": key}).json()
    assert {str(row[key]) for row in fewer["rows"]} == {str(value)}
    assert (
        fewer["row_count"]
        == city.execute(f"select count(*) from {table} where {key}::varchar = ?", [str(held)]).fetchall()[0][
            0
        ]
    )


@pytest.mark.parametrize("resource", ALL, ids=lambda one: one.path)
def test_others_see_their_own_rows_or_the_public_twin(
    callers: dict[Role, TestClient], opened: Opened, own_school: str, resource: Resource
) -> None:
    path = f"{API}{resource.path}"
    district = callers[Role.DISTRICT].get(path, params={"limit": 1000}).json()
    file = opened(f"district-{DISTRICT}")
    assert district["row_count"] == file.execute(f"select count(*) from {district['name']}").fetchall()[0][0]
    if not district["name"].startswith(("pub_", "brg_school_as")) and "district_code" in (
        names := [column["name"] for column in district["columns"]]
    ):
        scoped = {row["district_code"] for row in district["rows"]}
        assert "district_code" in names
        assert scoped <= {DISTRICT, None}
    school = callers[Role.SCHOOL].get(path, params={"limit": 1000})
    if school.status_code == 200 and not school.json()["name"].startswith("pub_"):
        assert {row.get("school_code", own_school) for row in school.json()["rows"]} <= {own_school}
    else:
        assert school.status_code in (200, 403)
    public = callers[Role.PUBLIC].get(path)
    if resource.roles == EVERYBODY:
        assert public.json()["name"].startswith("pub_")
    else:
        assert (public.status_code, resource.roles) == (401, READERS)


def test_a_release_without_the_table_says_so(published: Settings) -> None:
    city = TestClient(create_app(published, EverybodyIs(Caller(Role.CITY, "c"))), base_url="http://127.0.0.1")
    found = city.get(f"{API}/places/gap")
    assert (found.status_code, found.json()["type"]) == (404, "urn:edulake:problem:not-in-release")
    public = TestClient(create_app(published, EverybodyIs(ANYBODY)), base_url="http://127.0.0.1")
    assert public.get(f"{API}/places/gap").json()["type"] == "urn:edulake:problem:sign-in-needed"


def test_parameters_that_a_resource_does_not_have_are_refused_and_its_own_order_holds(
    callers: dict[Role, TestClient],
) -> None:
    city = callers[Role.CITY]
    assert city.get(f"{API}/places/gap", params={"district": DISTRICT}).status_code == 422
    ranks = [row["risk_rank"] for row in city.get(f"{API}/safety/risk").json()["rows"]]
    assert ranks == sorted(ranks)
    following = city.get(f"{API}/places/gap", params={"limit": 2}).json()["next"]
    assert following.startswith(f"{API}/places/gap?")
    assert city.get(following).json()["first"] == 3
