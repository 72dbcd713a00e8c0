"""The API on a small release: what it answers, that releases never mix, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import httpx
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from jobs import cells
from jobs.access.caller import Caller, Role
from jobs.publish import publication
from jobs.publish.published_models import Column, Model
from jobs.publish.release import CITY, Release
from jobs.settings import ROOT, Settings
from portal import app as portal
from portal import models, replies
from portal.access.gate import EverybodyIs

OFFICIAL = Caller(Role.CITY, "official")
Publish = Callable[..., Release]


@contextmanager
def asking(settings: Settings, asks: Caller = OFFICIAL) -> Iterator[TestClient]:
    # Entered, the client keeps one event loop for all requests, as a server does.
    with TestClient(portal.create_app(settings, EverybodyIs(asks)), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Asks a site on which the test publishes for itself."""
    with asking(settings) as client:
        yield client


@pytest.fixture(scope="session")
def served(published: Settings) -> Iterator[TestClient]:
    """Asks the site whose one release all tests share."""
    with asking(published) as client:
        yield client


def problem(response: httpx.Response, status: int, kind: str) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["type"] == f"urn:edulake:problem:{kind}"
    assert re.search(r"[\u4e00-\u9fff]", told["title"]), "the title is Chinese"
    assert told["status"] == status
    return told


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("release", models.ReleaseInfo),
        ("cards", models.Cards),
        ("platforms", models.Platforms),
        ("tables", models.Tables),
        ("tables/fct_school_fitness", models.Table),
        ("tables/fct_indicator_value", models.Table),
        ("healthz", models.Health),
    ],
)
def test_answers_have_the_shape_that_openapi_tells(served: TestClient, path: str, shape: type) -> None:
    told = served.get(f"/api/v1/{path}")
    assert told.status_code == 200
    answer = shape.model_validate_json(told.text, strict=True)
    assert set(json.loads(told.text)) == set(shape.model_fields), "nothing is told that is not documented"
    assert answer.release == 1
    documented = served.get("/api/v1/openapi.json").json()["paths"]
    assert (
        "/api/v1/" + path.replace("fct_school_fitness", "{name}").replace("fct_indicator_value", "{name}")
        in documented
    )


def test_cards_are_the_marts_rows(served: TestClient) -> None:
    cards = served.get("/api/v1/cards").json()["cards"]
    assert [card["service"] for card in cards] == ["places", "evaluation", "fitness", "safety"]
    assert cards[0] == {
        "service": "places",
        "sort_order": 1,
        "title_zh": "中小学学位预测",
        "title_en": "School places",
        "figure_value": 1084600.00,
        "figure_unit_zh": "人",
        "figure_label_zh": "2026 学年小学在校生预测",
        "figure_label_en": "Primary pupils forecast for 2026-2027",
        "definition_zh": "按年级升级率推算的全市小学在校生数，区间为过去五年同法回测误差。",
        "definition_en": "Primary pupils of the city by grade progression; the band is its real past error.",
        "period_label": "2026-2027 学年",
        "as_of_date": "2026-09-10",
        "status": "ok",
        "note_zh": None,
        "is_complete": False,
        "chart_kind": "fan",
        "detail_table": "fct_place_outlook",
        "series": cards[0]["series"],
    }
    assert cards[0]["series"][4] == {"x": 2026, "y": 1084600, "lower": 1072300, "upper": 1096900}
    assert (cards[3]["status"], cards[3]["figure_value"], cards[3]["series"]) == ("no_data", None, [])


def test_platforms_list_tables_and_link_only_those_one_may_open(served: TestClient) -> None:
    told = served.get("/api/v1/platforms").json()["platforms"]
    assert [platform["title_zh"] for platform in told] == ["教育公共管理", "教育公共服务", "教育公共资源"]
    links = {item["table_name"]: item["href"] for platform in told for item in platform["items"]}
    assert links.pop("fct_pupil_fitness") is None
    assert len(links) == 4
    for href in links.values():
        assert served.get(href).status_code == 200
    problem(served.get("/api/v1/tables/fct_pupil_fitness"), 404, "unknown-table")


def test_table_tells_columns_and_values_as_they_are(served: TestClient) -> None:
    told = served.get("/api/v1/tables/fct_school_fitness?limit=1")
    assert told.json()["columns"][1] == {
        "name": "school_code",
        "type": "VARCHAR",
        "title_zh": "学校标识码",
        "description": "ten digits, given by the Ministry",
        "additive_over": None,
    }
    assert told.json()["rows"] == [
        {
            "run_number": 1,
            "school_code": "2111010000",
            "school_name": "北京市第0小学",
            "district_code": "110101",
            "pass_share": 0.8,
            "tested_on": None,
            "scored_at": "2025-11-30T08:30:00Z",
        }
    ]
    assert '"pass_share":0.8000' in told.text, "a decimal keeps its own digits"


def test_pages_of_one_cursor_stay_in_their_release(client: TestClient, publish: Publish) -> None:
    publish(1)
    page = client.get("/api/v1/tables/dim_school?limit=100")
    publish(2, schools=10)
    rows = page.json()["rows"]
    while following := page.json()["next"]:
        assert page.headers["link"] == f'<{following}>; rel="next"'
        page = client.get(following)
        assert page.headers["x-data-release"] == "1"
        rows += page.json()["rows"]
    assert [row["school_code"] for row in rows] == [f"21110{10000 + i}" for i in range(240)]
    assert {row["run_number"] for row in rows} == {1}
    assert client.get("/api/v1/tables/dim_school").json()["row_count"] == 10


def test_a_page_of_a_release_that_is_gone_says_so(client: TestClient, publish: Publish) -> None:
    following = []
    for run in (1, 2, 3):
        publish(run, keep=2)
        following.append(client.get("/api/v1/tables/dim_school?limit=5").json()["next"])
    problem(client.get(following[0]), 410, "release-gone")
    problem(client.get("/api/v1/tables/dim_school?release=1"), 410, "release-gone")
    problem(client.get("/api/v1/tables/dim_school?release=9"), 404, "unknown-release")
    page = client.get(following[1])
    assert (page.status_code, page.json()["first"], page.json()["release"]) == (200, 6, 2)


def test_csv_is_the_whole_table_as_excel_wants_it(served: TestClient) -> None:
    told = served.get("/api/v1/tables/fct_school_fitness?format=csv&header=zh")
    assert told.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="fct_school_fitness-1.csv"' in told.headers["content-disposition"]
    assert told.content.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(told.content.decode("utf-8-sig")))
    titles = ["run_number", "学校标识码", "学校名称", "区代码", "及格率", "测试日期", "评分时间", "合成数据"]
    assert head == titles
    assert len(rows) == 240
    assert rows[0] == [
        "1",
        "2111010000",
        "北京市第0小学",
        "110101",
        "0.8000",
        "",
        "2025-11-30 08:30:00",
        "true",
    ]
    assert [row[2] for row in rows[3:6]] == ['\'=HYPERLINK("http://x")', "'-", '北京市"第五"小学,东校区']
    names = served.get("/api/v1/tables/fct_school_fitness?format=csv&limit=2").text.splitlines()
    assert names[0].endswith(
        "run_number,school_code,school_name,district_code,pass_share,tested_on,scored_at,is_synthetic"
    )
    assert len(names) == 3


CASE_24 = ROOT / "tests" / "cases" / "files" / "24-csv-injection" / "学校名录_2025_公式.csv"


def test_names_that_a_spreadsheet_runs_are_guarded_in_csv_and_numbers_are_not(
    client: TestClient, settings: Settings, tmp_path: Path
) -> None:
    """Case 24, and the other texts of its kind."""
    with CASE_24.open(encoding="utf-8-sig", newline="") as file:
        names = [row["学校名称"] for row in csv.DictReader(file)]
    names += ["=1", "+1", "-5.2", "@x", "＠x", "\t1", "\rx", "\nx", " -1", "\u200b=1", "\x00=1", "a\r=1"]
    table = pa.table(
        {
            "=name": names,
            "list": [[name] for name in names],
            "kind": pa.array(names).dictionary_encode(),
            "change": [-5.2] * len(names),
            "exact": pa.array([Decimal("-0.50")] * len(names)),
            "day": [date(2025, 9, 1)] * len(names),
        }
    )
    build = tmp_path / "build.duckdb"
    with duckdb.connect(str(build)) as con:
        con.register("given", table)
        con.execute("create table fct_named as from given")
    models = {"fct_named": Model("fct_named", scope=CITY, columns={"list": Column("-1+1", "")})}
    publication.publish(
        settings, "r.1", build, models, {}, as_of_date="2026-09-10", known_at="2026-09-10", code_version="1"
    )
    for header in ("name", "zh"):
        told = client.get(f"/api/v1/tables/fct_named?format=csv&header={header}")
        head, *rows = csv.reader(io.StringIO(told.content.decode("utf-8-sig"), newline=""))
        assert head[:2] == (["'=name", "list"] if header == "name" else ["'=name", "'-1+1"])
        assert [(row[0], row[2]) for row in rows] == [
            (cells.guarded(name), cells.guarded(name)) for name in names
        ]
        assert [row[0][0] for row in rows] == ["'"] * (len(names) - 1) + ["a"]
        assert {tuple(row[3:6]) for row in rows} == {("-5.2", "-0.50", "2025-09-01")}
        assert not [cell for row in rows for cell in row if cells.guarded(cell) != cell and "." not in cell]
    page = client.get("/api/v1/tables/fct_named?limit=1000").json()
    assert [row["=name"] for row in page["rows"]] == names, "JSON is no spreadsheet"


@pytest.mark.parametrize("path", ["cards", "tables/dim_school?limit=5", "tables/dim_school?format=csv"])
def test_what_is_known_is_not_sent_again(client: TestClient, publish: Publish, path: str) -> None:
    publish(1)
    first = client.get(f"/api/v1/{path}")
    assert (first.headers["x-data-release"], first.headers["cache-control"]) == ("1", "private, no-cache")
    known = {"if-none-match": f'"other", W/{first.headers["etag"]}'}
    again = client.get(f"/api/v1/{path}", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    publish(2)
    moved = client.get(f"/api/v1/{path}", headers=known)
    assert (moved.status_code, moved.headers["x-data-release"]) == (200, "2")


def test_the_audience_is_part_of_the_tag(served: TestClient, published: Settings) -> None:
    path = "/api/v1/tables/fct_indicator_value"
    with asking(published, Caller(Role.DISTRICT, "somebody", unit_code="110103")) as district:
        assert district.get(path).content == served.get(path).content
        assert district.get(path).headers["etag"] != served.get(path).headers["etag"]


def test_a_district_reads_its_own_rows_only(published: Settings) -> None:
    with asking(published, Caller(Role.DISTRICT, "somebody", unit_code="110103")) as district:
        names = [table["name"] for table in district.get("/api/v1/tables").json()["tables"]]
        assert "fct_pupil_fitness" not in names
        for name in ("fct_school_fitness", "fct_place_outlook", "dim_school"):
            told = district.get(f"/api/v1/tables/{name}?limit=1000").json()
            assert {row["district_code"] for row in told["rows"]} == {"110103"}
            assert told["row_count"] == len(told["rows"]), "the city's count would tell what others have"


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/static/../app.py", 404, "not-found"),
        ("GET", "/static/%2e%2e/app.py", 404, "not-found"),
        ("GET", "/api/v1/nothing", 404, "not-found"),
        ("GET", "/api/v1/tables/no_such_table", 404, "unknown-table"),
        ("GET", "/api/v1/tables/_release", 404, "unknown-table"),
        ("GET", "/api/v1/tables/dim_school%22%20--", 404, "unknown-table"),
        ("POST", "/api/v1/cards", 405, "method-not-allowed"),
    ],
)
def test_errors_are_problems(served: TestClient, method: str, path: str, status: int, kind: str) -> None:
    response = served.request(method, path)
    problem(response, status, kind)
    assert response.headers["content-security-policy"]
    if status == 405:
        assert response.headers["allow"] == "GET"


def test_a_surprise_is_a_problem_without_its_details(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> bytes:
        raise RuntimeError("P17 secret")

    monkeypatch.setattr(replies, "cards", fail)
    with asking(published) as client:
        response = client.get("/api/v1/cards")
    problem(response, 500, "internal")
    assert "P17" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"


def test_before_the_first_release_the_api_says_what_to_do(client: TestClient, publish: Publish) -> None:
    assert "./edulake run" in problem(client.get("/api/v1/cards"), 503, "no-release")["detail"]
    health = client.get("/api/v1/healthz")
    assert (health.status_code, health.json()["status"]) == (503, "no_release")
    assert client.get("/").status_code == 200, "the page itself can be opened, and shows the problem"
    publish(1)
    assert client.get("/api/v1/healthz").json() == {
        "status": "ok",
        "release": 1,
        "synthetic": True,
        "fault": None,
    }


def test_a_release_that_cannot_be_opened_is_not_served(
    client: TestClient, publish: Publish, settings: Settings
) -> None:
    publish(1)
    assert client.get("/api/v1/release").json()["release"] == 1
    broken = publish(2)
    (broken.folder / "city.duckdb").unlink()
    (broken.folder / "city.duckdb").write_bytes(b"not a database")
    assert client.get("/api/v1/release").json()["release"] == 1
    health = client.get("/api/v1/healthz").json()
    assert (health["status"], health["release"]) == ("stale", 1)
    publish(3)
    assert client.get("/api/v1/healthz").json() == {
        "status": "ok",
        "release": 3,
        "synthetic": True,
        "fault": None,
    }


def test_no_reply_fails_or_mixes_releases_while_they_are_swapped(
    client: TestClient, publish: Publish
) -> None:
    """Readers ask without pause while releases are published; every row says which release it is from."""
    publish(1)
    done = threading.Event()
    seen: set[int] = set()
    wrong: list[str] = []

    def read(path: str) -> None:
        while not done.is_set():
            reply = client.get(path)
            if reply.status_code != 200:
                wrong.append(reply.text)
                continue
            rows = (
                {int(line.split(",")[0]) for line in reply.text.splitlines()[1:]}
                if "csv" in path
                else {row["run_number"] for row in reply.json()["rows"]}
            )
            if rows != {int(reply.headers["x-data-release"])}:
                wrong.append(f"{path}: release {reply.headers['x-data-release']} with rows of {rows}")
            seen.update(rows)

    paths = ["/api/v1/tables/dim_school?limit=7", "/api/v1/tables/dim_school?format=csv"]
    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, path) for path in paths * 2]
        try:
            for run in range(2, 8):
                publish(run, keep=2)
        finally:
            done.set()
        for reader in readers:
            reader.result()
    assert not wrong, wrong[:3]
    assert len(seen) >= 3, f"only releases {seen} were seen: the swap was not tested"


def test_every_response_forbids_the_outside(served: TestClient) -> None:
    for path in ("/", "/docs", "/static/app.js", "/api/v1/cards", "/api/v1/openapi.json"):
        response = served.get(path)
        assert response.status_code == 200, path
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "http" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"


def test_another_sites_name_for_this_machine_is_refused(served: TestClient) -> None:
    problem(served.get("/api/v1/cards", headers={"host": "evil.example:8080"}), 421, "wrong-host")
    assert served.get("/api/v1/cards", headers={"host": "localhost:8080"}).status_code == 200
