"""The query engine: every filter, order and page, against the same rows taken by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from openpyxl import load_workbook
from pyarrow import parquet

from jobs.access.caller import Caller, Role
from jobs.settings import Settings
from portal import app as portal
from portal import workbook
from portal.access.gate import EverybodyIs

TABLE = "/api/v1/tables/fct_school_fitness"
OFFICIAL = Caller(Role.CITY, "official")


def asked(settings: Settings, caller: Caller = OFFICIAL) -> TestClient:
    return TestClient(portal.create_app(settings, EverybodyIs(caller)), base_url="http://127.0.0.1")


@pytest.fixture(scope="module")
def city(published: Settings) -> Iterator[TestClient]:
    with asked(published) as client:
        yield client


@pytest.fixture(scope="module")
def every(city: TestClient) -> list[dict[str, Any]]:
    """All rows of the table, to be filtered by hand."""
    return city.get(f"{TABLE}?limit=1000").json()["rows"]


def is_none_last(value: Any) -> tuple[bool, Any]:
    return (value is None, value if value is not None else 0)


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("district_code=110102", lambda r: r["district_code"] == "110102"),
        ("district_code=110102&district_code=110103", lambda r: r["district_code"] in ("110102", "110103")),
        ("district_code__in=110102,110104", lambda r: r["district_code"] in ("110102", "110104")),
        ("district_code__ne=110102", lambda r: r["district_code"] != "110102"),
        ("pass_share__gte=0.85", lambda r: r["pass_share"] >= 0.85),
        ("pass_share__gt=0.85&pass_share__lt=0.86", lambda r: 0.85 < r["pass_share"] < 0.86),
        ("pass_share__lte=0.8005", lambda r: r["pass_share"] <= 0.8005),
        ("tested_on__null=true", lambda r: r["tested_on"] is None),
        ("tested_on__null=false", lambda r: r["tested_on"] is not None),
        ("tested_on__gte=2026-01-01", lambda r: r["tested_on"] is not None and r["tested_on"] >= "2026"),
        ("tested_on__ne=2025-10-09", lambda r: r["tested_on"] != "2025-10-09"),
        ("school_name__contains=小学,", lambda r: "小学," in r["school_name"]),
        ("school_name__contains=第2&district_code=110101", lambda r: "第2" in r["school_name"]
         and r["district_code"] == "110101"),
        ("run_number=1", lambda r: True),
        ("run_number=7", lambda r: False),
        ("school_code=2111019999", lambda r: False),
        ("district_code=110119", lambda r: False),
    ],
)  # fmt: skip
def test_a_filter_keeps_the_rows_that_fit(city: TestClient, every: list, query: str, fits: Any) -> None:
    told = city.get(f"{TABLE}?limit=1000&{query}")
    assert told.status_code == 200, told.text
    wanted = [row for row in every if fits(row)]
    assert told.json()["rows"] == wanted
    assert told.json()["row_count"] == len(wanted)


@pytest.mark.parametrize("sort", ["-pass_share", "tested_on", "-tested_on", "district_code,-pass_share"])
@pytest.mark.parametrize("query", {"": "", "filtered": "district_code__ne=110102&"}.values())
def test_pages_of_any_order_are_the_whole_order(city: TestClient, every: list, sort: str, query: str) -> None:
    wanted = [row for row in every if not query or row["district_code"] != "110102"]
    for word in reversed(sort.split(",")):
        name = word.removeprefix("-")
        wanted.sort(key=lambda row: row[name] if row[name] is not None else "", reverse=word[0] == "-")
        wanted.sort(key=lambda row: row[name] is None)
    found, address, firsts = [], f"{TABLE}?{query}limit=37&sort={sort}", []
    while address:
        page = city.get(address)
        found += page.json()["rows"]
        firsts.append(page.json()["first"])
        address = page.json()["next"]
    assert found == wanted
    assert firsts == [*range(1, len(wanted) + 1, 37)]


def test_fields_are_the_columns_in_that_order(city: TestClient) -> None:
    told = city.get(f"{TABLE}?fields=pass_share,school_code&sort=-school_code&limit=1").json()
    assert [column["name"] for column in told["columns"]] == ["pass_share", "school_code"]
    assert told["rows"] == [{"pass_share": 0.9195, "school_code": "2111010239"}]


@pytest.mark.parametrize(
    "changed", ["sort=school_code", "district_code=110101", "district_code__ne=110102&limit=5"]
)
def test_a_cursor_holds_for_its_own_question_only(city: TestClient, changed: str) -> None:
    following = city.get(f"{TABLE}?limit=5&district_code=110102").json()["next"]
    cursor = following.rpartition("cursor=")[2]
    assert city.get(f"{TABLE}?limit=9&district_code=110102&cursor={cursor}").json()["first"] == 6
    told = city.get(f"{TABLE}?{changed}&cursor={cursor}")
    assert (told.status_code, told.json()["type"]) == (422, "urn:edulake:problem:other-cursor")


def test_a_cursor_of_one_scope_is_none_of_another(published: Settings, city: TestClient) -> None:
    cursor = city.get(f"{TABLE}?limit=5").json()["next"].rpartition("cursor=")[2]
    with asked(published, Caller(Role.DISTRICT, "a", unit_code="110101")) as district:
        assert district.get(f"{TABLE}?limit=5&cursor={cursor}").status_code == 422


SCHOOL = Caller(Role.SCHOOL, "s", unit_code="2111010001", district_code="110102")


def test_a_school_sees_its_own_rows_in_every_format(published: Settings) -> None:
    with asked(published, SCHOOL) as school:
        told = school.get(f"{TABLE}?limit=1000").json()
        assert [row["school_code"] for row in told["rows"]] == ["2111010001"]
        assert told["row_count"] == 1
        assert school.get(f"{TABLE}?school_code=2111010005").json()["rows"] == []
        listed = {t["name"]: t["row_count"] for t in school.get("/api/v1/tables").json()["tables"]}
        assert listed["fct_school_fitness"] == 1
        for output in ("csv", "xlsx", "parquet", "arrow"):
            codes = [
                row["school_code"] for row in read(school.get(f"{TABLE}?format={output}").content, output)
            ]
            assert codes == ["2111010001"], output


def read(body: bytes, output: str) -> list[dict[str, Any]]:
    if output == "csv":
        return [*csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""))]
    if output == "xlsx":
        titles, *rows = load_workbook(io.BytesIO(body)).worksheets[0].iter_rows(values_only=True)
        names = {"学校标识码": "school_code", "及格率": "pass_share", "学校名称": "school_name"}
        return [dict(zip((names.get(t, t) for t in titles), row, strict=True)) for row in rows]
    table = (
        parquet.read_table(io.BytesIO(body)) if output == "parquet" else pa.ipc.open_stream(body).read_all()
    )
    return table.to_pylist()


MEDIA = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}


@pytest.mark.parametrize("output", MEDIA)
def test_a_file_has_the_rows_of_the_pages(city: TestClient, every: list, output: str) -> None:
    query = urlencode({"district_code": "110103", "sort": "-pass_share"})
    told = city.get(f"{TABLE}?format={output}&{query}")
    assert told.headers["content-type"].startswith(MEDIA[output])
    rows = read(told.content, output)
    wanted = [row for row in every if row["district_code"] == "110103"][::-1]
    assert [row["school_code"] for row in rows] == [row["school_code"] for row in wanted]
    assert [round(float(row["pass_share"]), 4) for row in rows] == [row["pass_share"] for row in wanted]
    assert {str(row.get("is_synthetic", row.get("合成数据"))).lower() for row in rows} == {"true"}
    by_accept = city.get(f"{TABLE}?{query}", headers={"accept": MEDIA[output]})
    assert by_accept.headers["etag"] == told.headers["etag"]
    known = city.get(f"{TABLE}?format={output}&{query}", headers={"if-none-match": told.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    few = read(city.get(f"{TABLE}?format={output}&limit=2&{query}").content, output)
    assert len(few) == 2
    none = read(city.get(f"{TABLE}?format={output}&run_number=9").content, output)
    assert none == []


def test_a_workbook_says_what_it_holds(city: TestClient) -> None:
    told = city.get(f"{TABLE}?format=xlsx&district_code=110102")
    book = load_workbook(io.BytesIO(told.content))
    assert book.sheetnames == ["学校体质结果", "说明"]
    about = {row[0]: row[1] for row in book["说明"].iter_rows(values_only=True)}
    assert about["行数"] == "60"
    assert about["筛选条件"] == "district_code=110102"
    assert about["数据截至"] == "2026-09-10"
    assert about["school_code"] == "学校标识码"
    titles = [cell.value for cell in book.worksheets[0][1]]
    assert titles[3:5] == ["区代码", "区代码（名称）"]
    assert book.worksheets[0]["E2"].value == "西城区"
    formula = city.get(f"{TABLE}?format=xlsx&school_code=2111010003").content
    cell = load_workbook(io.BytesIO(formula)).worksheets[0]["C2"]
    assert (cell.value, cell.data_type) == ('=HYPERLINK("http://x")', "s")


def test_a_workbook_of_too_many_rows_is_refused_with_a_way_out(
    city: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 100)
    told = city.get(f"{TABLE}?format=xlsx")
    assert (told.status_code, told.json()["type"]) == (413, "urn:edulake:problem:too-many-rows")
    assert "format=csv" in told.json()["detail_zh"]
    assert city.get(f"{TABLE}?format=xlsx&limit=100").status_code == 200


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("*/*", 200, "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200, "application/json"),
        ("application/json;q=0.5, text/csv", 200, "text/csv"),
        ("text/csv;q=0, application/*", 200, "application/json"),
        ("image/png", 406, "application/problem+json"),
    ],
)
def test_accept_says_the_format(city: TestClient, accept: str, status: int, kind: str) -> None:
    told = city.get(f"{TABLE}?limit=1", headers={"accept": accept})
    assert (told.status_code, told.headers["content-type"].partition(";")[0]) == (status, kind)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br"])
@pytest.mark.parametrize("query", ["?limit=100", "?format=csv", "?format=arrow"])
def test_an_answer_is_packed_as_asked(city: TestClient, encoding: str, query: str) -> None:
    plain = city.get(f"{TABLE}{query}", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    request = city.build_request("GET", f"{TABLE}{query}", headers={"accept-encoding": encoding})
    told = city.send(request, stream=True)
    packed = b"".join(told.iter_raw())
    assert told.headers["content-encoding"] == encoding
    assert told.headers["etag"] != plain.headers["etag"]
    assert "Accept-Encoding" in told.headers["vary"]
    codec = {"br": "brotli"}.get(encoding, encoding)
    with pa.CompressedInputStream(pa.BufferReader(packed), codec) as unpacked:
        assert unpacked.read() == plain.content
    assert len(packed) < len(plain.content) / 3


def test_a_problem_is_told_in_both_languages(city: TestClient) -> None:
    for language, title in (
        ("", "没有这个参数"),
        ("en-US,zh;q=0.5", "Unknown parameter"),
        ("zh-CN", "没有这个参数"),
    ):
        told = city.get(f"{TABLE}?district=1", headers={"accept-language": language}).json()
        assert told["title"] == title
        assert told["title_en"] == "Unknown parameter"
        assert "district_code" in told["detail_zh"]
        assert "district_code" in told["detail_en"]
        assert told["detail"] == told["detail_zh" if language == "zh-CN" else "detail_en"]
    whole = city.get(f"{TABLE}?release=0", headers={"accept-language": "zh"}).json()
    assert whole["detail"] == "release：不能小于 1"
