"""Two releases compared: rows, values beyond tolerance, members, districts, and the deliveries behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from jobs import settings as site
from jobs.cli.main import app
from jobs.lake import runs, tables
from jobs.publish import diff
from jobs.publish.published_models import Model
from jobs.publish.release import Release
from jobs.settings import Settings

from .conftest import MODELS, build

KEYS = {
    "fct_pupil_fitness": ("pupil_key",),
    "fct_school_fitness": ("school_name",),
    "dim_indicator": ("title_zh",),
    "rpt_public__outlook": ("district_code", "place_count"),
}
KEYED: dict[str, Model] = {name: replace(MODELS[name], grain=key) for name, key in KEYS.items()}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    return site.load("beijing")


@pytest.fixture
def pair(publish: Callable[..., Release], settings: Settings, tmp_path: Path) -> tuple[Release, Release]:
    """Two releases; between them a school came, one went, some values moved, and two files were taken."""
    for number, run in enumerate(("2026-09-10.1", "2026-09-10.2"), start=1):
        row = {"run_id": run, "site": "beijing", "state": runs.PUBLISHED, "inputs": "{}", "trigger": "test"}
        row |= {"code_version": "0.1.0", "as_of_date": date(2026, 9, 10), "known_at": datetime.now(UTC)}
        tables.append_rows(settings, runs.TABLE, [row | {"started_at": datetime(2026, 9, number)}], run, run)
    receipts = [
        ("2026-09-10.1", "pupil_roll", "110101", "accepted", 7),
        ("2026-09-10.2", "test_result", "110108", "accepted", 30),
        ("2026-09-10.2", "test_result", "110108", "accepted", 5),
        ("2026-09-10.2", "test_result", "110101", "held", 9),
    ]
    names = ("run_id", "dataset", "sender_code", "outcome", "accepted_count")
    rows = [dict(zip(names, row, strict=True)) for row in receipts]
    tables.append_rows(settings, "ops__receipt", rows, "t", "t")
    first = publish("2026-09-10.1", build(tmp_path / "a.duckdb"), models=KEYED)
    changed = build(tmp_path / "b.duckdb")
    with duckdb.connect(str(changed)) as con:
        con.execute("""
            delete from fct_school_fitness where school_name = '学校3';
            insert into fct_school_fitness values ('110108', '学校新', 0.5, 9);
            update fct_school_fitness set pass_share = pass_share + 0.0004 where school_name = '学校5';
            update fct_school_fitness set pass_share = pass_share + 0.2
            where school_name in ('学校7', '学校8');
            update fct_school_fitness set tested_count = null where school_name = '学校8';
            update fct_pupil_fitness set score = score + 1 where pupil_key = 'P9';
        """)
    return first, publish("2026-09-10.2", changed, models=KEYED)


def test_what_differs_is_told_by_column_and_district(
    pair: tuple[Release, Release], settings: Settings
) -> None:
    found = diff.compare(settings, *pair)
    assert [table.name for table in found.tables] == ["fct_pupil_fitness", "fct_school_fitness"]
    assert (found.equal, found.is_other_code, found.is_other_day) == (2, False, True)
    pupils, schools = found.tables
    assert schools.rows == diff.Rows(added=1, gone=1, changed=2)
    assert [(one.name, one.changed, one.greatest) for one in schools.columns] == [
        ("pass_share", 2, pytest.approx(0.2)),
        ("tested_count", 1, pytest.approx(0.0)),
    ]
    assert schools.districts == {"110101": diff.Rows(0, 0, 1), "110108": diff.Rows(1, 1, 1)}
    assert (schools.version_before, schools.version_after) == ("1.0.0", "1.0.1")
    shown = {(cell.key["school_name"], cell.column) for cell in schools.examples}
    assert {("学校7", "pass_share"), ("学校8", "tested_count")} <= shown
    assert pupils.rows == diff.Rows(changed=1)
    assert pupils.examples == (), "a pupil's row is counted and not shown"
    assert found.deliveries == (diff.Delivery("test_result", "110108", 2, 35),)


def test_a_release_and_itself_are_equal(pair: tuple[Release, Release], settings: Settings) -> None:
    found = diff.compare(settings, pair[1], pair[1])
    assert (found.tables, found.deliveries, found.equal) == ((), (), 4)


def test_columns_and_tables_that_only_one_side_has(
    pair: tuple[Release, Release], publish: Callable[..., Release], settings: Settings, tmp_path: Path
) -> None:
    other = build(tmp_path / "c.duckdb")
    with duckdb.connect(str(other)) as con:
        con.execute("alter table fct_school_fitness add column is_open boolean default true")
        con.execute("create table dim_new as select 1 as one")
    models = {**KEYED, "dim_new": Model("dim_new", "city", grain=("one",))}
    third = publish("2026-09-10.3", other, models={n: m for n, m in models.items() if n != "dim_indicator"})
    assert third.is_draft, "a table is gone"
    found = {table.name: table for table in diff.compare(settings, pair[0], third).tables}
    assert [change.kind for change in found["dim_new"].changes] == ["table_added"]
    assert [change.kind for change in found["dim_indicator"].changes] == ["table_gone"]
    assert found["fct_school_fitness"].changes[0].kind == "column_added"
    assert found["fct_school_fitness"].rows == diff.Rows()
    assert "fct_pupil_fitness" not in found


def test_the_deliveries_behind_a_table() -> None:
    handed = [diff.Delivery("test_result", "110108", 2, 35), diff.Delivery("hazard_register", "110108", 1, 3)]
    assert [one.dataset for one in diff._causes("fct_fitness_rate", handed)] == ["test_result"]
    assert [one.dataset for one in diff._causes("fct_safety_hazard", handed)] == ["hazard_register"]
    assert diff._causes("no_such_mart", handed) == ()


def test_as_a_table_and_as_json(
    pair: tuple[Release, Release], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    done = CliRunner().invoke(app, ["release", "diff", "1", "2"], catch_exceptions=False)
    assert done.exit_code == 0
    for words in ("fct_school_fitness", "1.0.0 → 1.0.1", "110108 3", "test_result", "pass_share: 2, ≤ 0.2"):
        assert words in done.output, done.output
    asked = ["release", "diff", "1", "2", "--table", "fct_pupil_fitness", "--format", "json"]
    told = json.loads(CliRunner().invoke(app, asked, catch_exceptions=False).stdout)
    assert [table["name"] for table in told["tables"]] == ["fct_pupil_fitness"]
    assert told["tables"][0]["rows"] == {"added": 0, "gone": 0, "changed": 1}
    assert told["is_equal"] is False
