"""`./edulake sql`: several questions, formats, files that are whole or not there, lists by meaning."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from jobs import settings as site_settings
from jobs.cli import answers
from jobs.cli.main import app
from jobs.publish import publication
from jobs.settings import Settings, UserError

from ..publish.conftest import MODELS, build

WIDE = "select " + ", ".join(f"'{'x' * 20}' as column_number_{i}" for i in range(9))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A site with one release, and the environment that names it."""
    folder = tmp_path_factory.mktemp("sql")
    made = site_settings.load("beijing", folder / "home")
    publication.publish(
        made, "2026-09-10.1", build(folder / "build.duckdb"), MODELS, {},
        as_of_date="2026-09-10", known_at="2026-09-10", code_version="0",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDULAKE_HOME", str(folder / "home"))
        patch.setenv("EDULAKE_SITE", "beijing")
        yield made


def sql(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["sql", *words], input=given, catch_exceptions=False)


def refused(*words: str) -> str:
    error = CliRunner().invoke(app, ["sql", *words]).exception
    assert isinstance(error, UserError), repr(error)
    return str(error)


def test_several_questions_come_from_words_a_file_or_a_pipe(site: Settings, tmp_path: Path) -> None:
    text = "select 41 + 1 as a;\n-- and\nselect 'b;c' as d;"
    (tmp_path / "asked.sql").write_text(text, encoding="utf-8-sig")
    told = [
        sql(text).stdout,
        sql("--file", str(tmp_path / "asked.sql")).stdout,
        sql(given=text).stdout,
    ]
    assert told[0] == told[1] == told[2]
    assert told[0].split() == ["a", "--", "42", "d", "---", "b;c"]
    assert "statement 2 is DROP" in refused("select 1; drop table dim_indicator")
    assert "two questions" in refused("select 1", "--file", str(tmp_path / "asked.sql"))


def test_each_format_has_the_rows_of_the_others(site: Settings, tmp_path: Path) -> None:
    query = "select school_name, tested_count, pass_share from fct_school_fitness order by 1"
    rows = list(csv.DictReader(io.StringIO(sql(query, "--format", "csv").stdout)))
    as_json = json.loads(sql(query, "--format", "json").stdout)
    sql(query, "--output", str(tmp_path / "a.parquet"))
    as_parquet = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert len(rows) == len(as_json) == len(as_parquet) == 60
    assert [row["tested_count"] for row in as_json] == [row["tested_count"] for row in as_parquet]
    assert [row["tested_count"] for row in rows] == [
        "" if row["tested_count"] is None else str(row["tested_count"]) for row in as_json
    ]
    assert [row["school_name"] for row in rows] == [row["school_name"] for row in as_parquet]
    assert "Synthetic" in pq.read_schema(tmp_path / "a.parquet").metadata[b"edulake.notes"].decode()
    for name in ("b.csv", "b.json"):
        sql(query, "--output", str(tmp_path / name))
    assert (tmp_path / "b.csv").read_text() == sql(query, "--csv").stdout
    assert json.loads((tmp_path / "b.json").read_text()) == as_json


def test_values_keep_their_digits_and_names_stay_apart_in_json() -> None:
    query = (
        "select 1.10::decimal(5, 2) as a, 170141183460469231731687303715884105727::hugeint as a,"
        " date '2025-09-01' as d, [1, null] as l, {'k': 'v'} as s, 'nan'::double as n, true as b"
    )
    (row,) = duckdb.execute(query).fetchall()
    out = io.BytesIO()
    answers._json(["a", "a", "d", "l", "s", "n", "b"], [row], out)
    assert out.getvalue() == (
        b'[\n{"a":1.10,"a_2":170141183460469231731687303715884105727,"d":"2025-09-01",'
        b'"l":[1,null],"s":{"k":"v"},"n":null,"b":true}\n]\n'
    )
    assert json.loads(sql_empty()) == []


def sql_empty() -> bytes:
    out = io.BytesIO()
    answers._json(["a"], [], out)
    return out.getvalue()


def test_no_text_is_run_by_the_spreadsheet_that_opens_the_file(site: Settings, tmp_path: Path) -> None:
    bad = ["=1+1", "@a", "-2+3+cmd|' /C calc'!A0", "＝HYPERLINK(1)", "\n=1"]
    values = ", ".join("('" + text.replace("'", "''") + "', -5.2)" for text in bad)
    for words in (["--format", "csv"], ["--output", str(tmp_path / "x.csv")]):
        told = sql(f"from (values {values}) as t(a, n)", *words).stdout or (tmp_path / "x.csv").read_text()
        rows = list(csv.reader(io.StringIO(told)))[1:]
        assert [row[0] for row in rows] == [f"'{text}" for text in bad]
        assert {row[1] for row in rows} == {"-5.2"}


def test_a_file_is_written_whole_or_not_at_all_and_replaced_on_request_only(
    site: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.csv"
    sql("select 1 as a", "--output", str(file))
    assert "is there already" in refused("select 2 as a", "--output", str(file))
    assert file.read_text() == "a\n1\n"
    for broken in ("select 1 / x from (values (1)) t(x), nothing", "select error('late') from range(100000)"):
        refused(broken, "--output", str(file), "--force")
        assert file.read_text() == "a\n1\n"
    sql("select 2 as a", "--output", str(file), "--force")
    assert file.read_text() == "a\n2\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert "tells no format" in refused("select 1", "--output", str(tmp_path / "out.doc"))
    assert "no format 'xml'" in refused("select 1", "--format", "xml")
    assert "one answer" in refused("select 1; select 2", "--format", "json")


def test_wide_rows_fit_on_eighty_columns(site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = sql(WIDE).stdout.splitlines()
    assert max(map(len, told)) <= 80
    assert told[1].split() == ["column_number_0", "x" * 20]
    assert sql("select 1 as a", "--vertical").stdout.splitlines()[1].split() == ["a", "1"]
    monkeypatch.delenv("COLUMNS")
    assert sql("select 1 as a", "--vertical").stdout.splitlines()[1].split() == ["a", "1"]
    assert len(sql(WIDE).stdout.splitlines()) == 3, "a pipe gets a row on a line"


def test_the_list_finds_tables_by_meaning(site: Settings) -> None:
    every = sql("--list").stdout
    assert {"fct_school_fitness", "dim_indicator"} <= {*every.split()}
    assert "学校体质结果" in every
    found = sql("--list", "及格").stdout
    assert "pass_share 及格率" in found
    assert "dim_indicator" not in found
    assert "没有找到" in sql("--list", "zzz").stdout
    assert "fct_pupil_fitness" not in sql("--list", "--audience", "public").stdout


def test_chinese_names_of_tables_and_columns_stand_beside_the_others(site: Settings) -> None:
    both = "select count(*) as n from 学校体质结果 where 及格率 >= 0 union all from (select 60)"
    assert sql("--zh", "--csv", both).stdout == "n\n60\n60\n"
    assert sql("--zh", "select pass_share from fct_school_fitness").exit_code == 0
    assert "学校体质结果" in sql("--zh", "--list").stdout
    assert "没有数据表" in refused("from 学校体质结果")


def test_uses_that_contradict_each_other_are_refused_in_words(site: Settings) -> None:
    assert "--lake" in refused("--lake", "--audience", "city", "select 1")
    assert "--every-statement" in refused("--every-statement", "select 1")
    assert "two formats" in refused("--csv", "--format", "json", "select 1")
    assert "nothing in it" in refused("")
