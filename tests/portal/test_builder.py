"""The table builder: only combinations that exist, only allowed sums; and links that never change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.access.store import open_store
from jobs.publish import publication
from jobs.publish.published_models import Column, Model
from jobs.settings import Settings
from jobs.site import KeptReleases
from portal import app as portal
from portal import permalinks
from portal.access.gate import EverybodyIs

CITY = Caller(Role.CITY, "official")
HERE = Caller(Role.DISTRICT, "a", unit_code="110101")
THERE = Caller(Role.DISTRICT, "b", unit_code="110102")
SUMS = Column("人数", "pupils", ("unit_code", "grade_key"))
NEVER = Column("及格率", "share", ())
GRAIN = ("unit_level", "unit_code", "school_year_start", "grade_key")
COLUMNS = {
    "unit_level": Column("层级"),
    "is_grade_total": Column("各年级合计"),
    "pupil_count": SUMS,
    "pass_share": NEVER,
}
PROTECTED = {"key": [*GRAIN], "harmless": {"pupil_count": "made", "pass_share": "made"}}
MODELS = {
    "fct_cells": Model("fct_cells", "district_code", "management", columns=COLUMNS, grain=GRAIN),
    "pub_cells": Model(
        "pub_cells", "city", "services", public=True, columns=COLUMNS, grain=GRAIN, protect=PROTECTED
    ),
    "dim_plain": Model("dim_plain", "city", "management", grain=("n",)),
}
# Pupils by school and grade in 2025; of one school a grade is suppressed. 2024 has the first grade alone.
ROWS = {
    ("A1", "P1"): 10,
    ("A1", "P2"): 20,
    ("A2", "P1"): 5,
    ("A2", "P2"): None,
    ("B1", "P1"): 7,
    ("B1", "P2"): 8,
}


def publish(settings: Settings, folder: Path, run: int, more: int = 0) -> int:
    """Publish the made cells, each count with `more` added."""
    lines: list[tuple[Any, ...]] = []
    for year in (2024, 2025):
        for (unit, grade), count in ROWS.items():
            if year == 2025 or grade == "P1":
                lines.append((unit, year, grade, False, None if count is None else count + more))
        for unit, total in (("A1", 30), ("A2", 11), ("B1", 15)):
            lines.append((unit, year, "all", True, total + more))
    build = folder / f"cells-{run}.duckdb"
    with duckdb.connect(str(build)) as con:
        con.execute("""create table lines (unit_code varchar, school_year_start integer, grade_key varchar,
            is_grade_total boolean, pupil_count integer)""")
        con.executemany("insert into lines values (?, ?, ?, ?, ?)", lines)
        for name in ("fct_cells", "pub_cells"):
            con.execute(f"""
                create table {name} as select 'school' as unit_level, unit_code,
                    case when unit_code like 'A%' then '110101' else '110102' end as district_code,
                    school_year_start, grade_key, is_grade_total, pupil_count, 0.5::decimal(6, 4) pass_share,
                    case when pupil_count is null then 'suppressed' end as pupil_count_missing_reason
                from lines
                union all select 'city', 'city', null, 2025, 'all', true, 56, 0.4, null
            """)
        con.execute("create table dim_plain as select 1 as n")
        con.execute("drop table lines")
    site = replace(settings, kept_releases=KeptReleases(newest=2, last_of_month=False))
    made = publication.publish(
        site,
        f"cells.{run}",
        build,
        MODELS,
        {},
        as_of_date="2026-09-10",
        known_at="2026-09-10",
        code_version="1",
    )
    return publication.approve(site, made.number, "test", "changed").number if made.is_draft else made.number


@contextmanager
def asking(settings: Settings, caller: Caller = CITY) -> Iterator[TestClient]:
    with TestClient(portal.create_app(settings, EverybodyIs(caller)), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    from jobs import settings as site_settings

    folder = tmp_path_factory.mktemp("cells")
    made = site_settings.load("beijing", folder / "home")
    publish(made, folder, 1)
    return made


@pytest.fixture(scope="module")
def city(site: Settings) -> Iterator[TestClient]:
    with asking(site) as client:
        yield client


def cells(client: TestClient, query: str, table: str = "fct_cells") -> dict[str, Any]:
    told = client.get(f"/api/v1/tables/{table}/cells?{query}")
    assert told.status_code == 200, told.text
    found: dict[str, Any] = told.json()
    return found


def values(told: dict[str, Any], measure: str = "pupil_count") -> dict[tuple[Any, ...], Any]:
    return {(*cell["at"].values(),): cell["values"][measure] for cell in told["cells"]}


SCHOOLS = "unit_level=school&school_year_start=2025"


def test_a_key_that_is_not_shown_takes_its_released_total(city: TestClient) -> None:
    told = cells(city, f"measures=pupil_count&rows=unit_code&{SCHOOLS}")
    assert values(told) == {("A1",): 30, ("A2",): 11, ("B1",): 15}
    assert told["ways"] == {
        "unit_level": "filter", "unit_code": "shown", "school_year_start": "filter", "grade_key": "total",
    }  # fmt: skip


def test_members_and_totals_stand_beside_each_other_when_shown(city: TestClient) -> None:
    told = cells(city, f"measures=pupil_count&rows=unit_code&columns=grade_key&{SCHOOLS}")
    assert values(told)[("A1", "all")] == 30
    totals = {cell["at"]["grade_key"]: cell["total_over"] for cell in told["cells"]}
    assert totals == {"P1": [], "P2": [], "all": ["grade_key"]}
    assert [one["value"] for one in told["members"]["grade_key"]] == ["P1", "P2", "all"]
    assert told["members"]["grade_key"][0]["name_zh"] == "小学一年级"


def test_a_sum_over_a_suppressed_cell_is_missing_with_its_reason(city: TestClient) -> None:
    told = cells(city, f"measures=pupil_count&columns=grade_key&{SCHOOLS}&grade_key__ne=all")
    assert values(told) == {("P1",): 22, ("P2",): None}
    assert told["cells"][1]["reasons"] == {"pupil_count": "suppressed"}
    assert told["cells"][1]["row_count"] == 3
    assert told["ways"]["unit_code"] == "sum"
    one = cells(city, f"measures=pupil_count&{SCHOOLS}&unit_code=A2&grade_key=P2")
    assert (one["cells"][0]["values"], one["cells"][0]["reasons"]) == (
        {"pupil_count": None},
        {"pupil_count": "suppressed"},
    )


def test_members_that_a_filter_leaves_are_summed_without_their_total(city: TestClient) -> None:
    told = cells(city, f"measures=pupil_count&{SCHOOLS}&unit_code=A1&grade_key=P1&grade_key=P2")
    assert (values(told), told["ways"]["grade_key"]) == ({(): 30}, "sum")
    left = cells(city, f"measures=pupil_count&{SCHOOLS}&unit_code=A1&grade_key__ne=P1")
    assert values(left) == {(): 20}, "never the total of all"


@pytest.mark.parametrize(
    ("query", "kind", "named"),
    [
        (f"measures=pass_share&{SCHOOLS}", "choice-needed", "unit_code"),
        ("measures=pupil_count&rows=unit_code&unit_level=school", "choice-needed", "school_year_start"),
        ("measures=pupil_count&rows=unit_code&school_year_start=2025", "choice-needed", "unit_level"),
        (f"measures=pupil_count,pass_share&columns=grade_key&{SCHOOLS}", "choice-needed", "unit_code"),
        (f"measures=grade_key&{SCHOOLS}", "invalid-parameter", "pupil_count"),
        (f"rows=unit_code&{SCHOOLS}", "invalid-parameter", "pupil_count"),
        (f"measures=pupil_count&rows=pass_share&{SCHOOLS}", "invalid-parameter", "grade_key"),
        (
            f"measures=pupil_count&rows=unit_code&columns=unit_code&{SCHOOLS}",
            "invalid-parameter",
            "grade_key",
        ),
        (f"measures=pupil_count&sort=unit_code&{SCHOOLS}", "unknown-parameter", "measures"),
        (f"measures=pupil_count&rows=unit_code&rows=grade_key&{SCHOOLS}", "invalid-parameter", "rows"),
        (f"measures=pupil_count&rows=unit_code&{SCHOOLS}&grade_key=X9", "unknown-code", "grade_key"),
    ],
)
def test_what_may_not_be_added_must_be_chosen(city: TestClient, query: str, kind: str, named: str) -> None:
    told = city.get(f"/api/v1/tables/fct_cells/cells?{query}")
    assert (told.status_code, told.json()["type"]) == (422, f"urn:edulake:problem:{kind}"), told.text
    assert named in told.json()["detail_en"]
    assert named in told.json()["detail_zh"]


def test_only_what_exists_can_be_chosen(city: TestClient) -> None:
    told = city.get("/api/v1/tables/fct_cells/options?measures=pupil_count&school_year_start=2024").json()
    keys = {key["name"]: key for key in told["keys"]}
    assert [one["value"] for one in keys["grade_key"]["values"]] == ["P1", "all"], "2024 has no second grade"
    assert [one["is_total"] for one in keys["grade_key"]["values"]] == [False, True]
    assert [one["value"] for one in keys["unit_level"]["values"]] == ["school"], "the city has 2025 alone"
    assert [one["value"] for one in keys["school_year_start"]["values"]] == [2024, 2025], (
        "its own filter aside"
    )
    assert keys["unit_level"]["pick_one"]
    whole = city.get("/api/v1/tables/fct_cells/options").json()
    assert [key["way"] for key in whole["keys"]] == ["choose", "choose", "choose", "total"]
    chosen = city.get(f"/api/v1/tables/fct_cells/options?{SCHOOLS}").json()
    assert {one["name"]: one["is_selectable"] for one in chosen["measures"]} == {
        "pupil_count": True,
        "pass_share": False,
    }
    assert city.get("/api/v1/tables/dim_plain/options").json()["type"].endswith("no-cells")


def link(client: TestClient, table: str, **more: Any) -> dict[str, Any]:
    question = {"table": table, "measures": ["pupil_count"], "rows": ["unit_code"], "columns": ["grade_key"],
                "filters": {"unit_level": "school", "school_year_start": "2025"}, **more}  # fmt: skip
    told = client.post("/api/v1/permalinks", json=question)
    assert told.status_code == 201, told.text
    made: dict[str, Any] = told.json()
    assert told.headers["location"] == made["href"]
    return made


def test_a_link_shows_the_same_three_releases_later(settings: Settings, tmp_path: Path) -> None:
    publish(settings, tmp_path, 1)
    with asking(settings, HERE) as here:
        made, of_public = link(here, "fct_cells"), link(here, "pub_cells")
        assert link(here, "fct_cells")["id"] == made["id"], "a question has one link"
        assert (made["is_public"], of_public["is_public"]) == (False, True)
        before = here.get(made["href"])
        suppressed = [cell for cell in before.json()["cells"] if cell["reasons"]]
        assert [cell["at"] for cell in suppressed] == [{"unit_code": "A2", "grade_key": "P2"}]
        assert {cell["at"]["unit_code"] for cell in before.json()["cells"]} == {"A1", "A2"}
    for run in (2, 3, 4):
        publish(settings, tmp_path, run, more=run)
    with asking(settings, HERE) as here:
        assert here.get("/api/v1/tables/fct_cells?release=1").status_code == 410
        after = here.get(made["href"])
        assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
        assert after.headers["x-data-release"] == "1"
        assert here.get(made["href"], headers={"if-none-match": after.headers["etag"]}).status_code == 304
        newest = cells(here, "measures=pupil_count&rows=unit_code&unit_level=school&school_year_start=2025")
        assert values(newest) == {("A1",): 34, ("A2",): 15}
    for other in (THERE, CITY, ANYBODY):
        with asking(settings, other) as asked:
            told = asked.get(made["href"])
            assert (told.status_code, told.json()["type"]) == (404, "urn:edulake:problem:unknown-permalink")
            assert asked.get(of_public["href"]).json()["release"] == 1
            assert asked.get("/api/v1/permalinks/aaaaaaaaaaaaaaaa").status_code == 404


def test_nobody_fills_the_store_with_links(settings: Settings, tmp_path: Path) -> None:
    publish(settings, tmp_path, 1)
    question = {
        "table": "pub_cells",
        "measures": ["pupil_count"],
        "rows": ["unit_code"],
        "columns": ["grade_key"],
        "filters": {"unit_level": "school", "school_year_start": "2025"},
    }
    with asking(settings, ANYBODY) as public:
        told = [public.post("/api/v1/permalinks", json=question) for _ in range(31)]
    assert [one.status_code for one in told] == [201] * 30 + [429]
    assert int(told[-1].headers["retry-after"]) > 0
    with asking(settings, HERE) as here:
        assert {here.post("/api/v1/permalinks", json=question).status_code for _ in range(40)} == {201}


def test_links_of_one_scope_leave_room_for_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permalinks, "MOST_OF_SCOPE", 1000)
    links = permalinks.Permalinks(open_store(settings.prepare()))
    links.keep("district-110101", 1, "a", b"x" * 900)
    with pytest.raises(permalinks.FullError):
        links.keep("district-110101", 1, "b", b"x" * 200)
    assert links.keep("district-110102", 1, "b", b"x" * 200).body == b"x" * 200


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ({"table": "fct_cells", "measures": ["pass_share"]}, 422),
        ({"table": "no_such", "measures": ["n"]}, 404),
        ({"table": "fct_cells"}, 422),
        ({"table": "fct_cells", "measures": ["pupil_count"], "secret": 1}, 422),
        ({"table": "fct_cells", "measures": ["pupil_count"], "filters": {"x": "1"}}, 422),
    ],
)
def test_a_link_to_what_cannot_be_built_is_refused(city: TestClient, question: Any, status: int) -> None:
    told = city.post(
        "/api/v1/permalinks", content=json.dumps(question), headers={"content-type": "application/json"}
    )
    assert told.status_code == status, told.text
    assert told.headers["content-type"] == "application/problem+json"


def test_a_school_chooses_among_its_own_rows(settings: Settings, tmp_path: Path) -> None:
    """A filter on its own key does not open the others' values as options."""
    build = tmp_path / "own.duckdb"
    with duckdb.connect(str(build)) as con:
        con.execute("""create table fct_own as
            select '211101000' || i as school_code, '110101' as district_code,
            2025 as school_year_start, i as pupil_count from range(3) t(i)""")
    columns = {"pupil_count": Column("人数", "", ("school_code",))}
    grain = ("school_code", "school_year_start")
    models = {"fct_own": Model("fct_own", "district_code", "management", columns=columns, grain=grain)}
    publication.publish(
        settings, "own.1", build, models, {}, as_of_date="2026-09-10", known_at="2026-09-10", code_version="1"
    )
    school = Caller(Role.SCHOOL, "s", unit_code="2111010001", district_code="110101")
    with asking(settings, school) as client:
        for query in ("", "?school_code=2111010001", "?school_code=2111010002"):
            told = client.get(f"/api/v1/tables/fct_own/options{query}").json()
            assert {one["value"] for one in told["keys"][0]["values"]} <= {"2111010001"}, query
        assert values(cells(client, "measures=pupil_count&rows=school_code", "fct_own")) == {
            ("2111010001",): 1
        }
