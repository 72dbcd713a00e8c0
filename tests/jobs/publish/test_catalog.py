"""The search for tables by meaning, on a whole release; and names in Chinese that nobody can mistake."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from jobs import declare
from jobs.publish import catalog, release
from jobs.settings import Settings


@pytest.fixture(scope="module")
def opened(lake: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    current = release.current(lake)
    assert current is not None
    with duckdb.connect() as connection:
        connection.execute(f"attach '{current.file('full')}' as release (read_only)")
        yield connection


# A word, and a table that must be among the first three.
WANTED = {
    "随迁": "fct_similar_set",
    "boarders": "fct_similar_set",
    "学位": "fct_places_gap",
    "学位缺口": "fct_places_gap",
    "places gap": "fct_places_gap",
    "late": "fct_safety_hazard",
    "hazards overdue": "fct_safety_hazard",
    "近视": "fct_fitness_eyesight",
    "myopia": "fct_fitness_eyesight",
    "热线": "fct_hotline_clock",
    "800": "fct_fitness_result",
    "规划目标": "dim_metric_target",
    "检查计划": "fct_safety_inspection_plan",
    "births forecast": "fct_places_forecast_part",
    "pupils by grade": "fct_enrollment_grade",
}


def test_a_word_finds_the_tables_that_mean_it(opened: duckdb.DuckDBPyConnection) -> None:
    tables = catalog.of_release(opened, "release")
    found = {word: [one.table.name for one in catalog.search(tables, word)] for word in WANTED}
    # Marts that come later may mean the same, so a few places are left for them.
    assert {word: names for word, names in found.items() if WANTED[word] not in names[:6]} == {}
    assert catalog.search(tables, "zzzz") == []
    assert len(catalog.search(tables, "学位")) < len(tables) / 2


def test_tables_of_the_lake_are_found_by_their_declarations() -> None:
    tables = catalog.of_lake(declare.all_tables())
    assert len(tables) == len(declare.all_tables())
    found = [one.table.name for one in catalog.search(tables, "教师学历")]
    assert "clean_enrollment__staff" in found


def test_each_table_and_column_has_a_chinese_name_of_its_own(opened: duckdb.DuckDBPyConnection) -> None:
    tables = catalog.of_release(opened, "release")
    named = catalog.create_chinese_views(opened, tables, "release.main")
    views = [table.name_zh for table in named if table.name_zh]
    assert len({*views}) == len(views) == len([t for t in tables if not t.name.startswith("_")]) > 50
    for table in named:
        if table.name_zh:
            # Without quotes: a name that needs none.
            columns = [c[0] for c in opened.execute(f"describe memory.zh.{table.name_zh}").fetchall()]
            assert len({*columns}) == len(columns) == len(table.columns), table.name
            assert opened.execute(f"select {', '.join(columns)} from memory.zh.{table.name_zh} limit 1")


def test_names_that_would_be_one_are_told_apart() -> None:
    columns = [("a", "人数", ""), ("b", "人数", ""), ("c", "率(%)", ""), ("d", "", "")]
    tables = [catalog.Table("t", "表 T", "", columns), catalog.Table("u", "表 U", "", columns[:1])]
    with duckdb.connect() as connection:
        connection.execute("create table t as select 1 as a, 2 as b, 3 as c, 4 as d")
        connection.execute("create table u as select 1 as a")
        named = catalog.create_chinese_views(connection, tables, "memory.main")
        assert [table.name_zh for table in named] == ["表", "表_u"]
        found = connection.execute("select 人数, 人数_b, 率, d from memory.zh.表").fetchall()
    assert found == [(1, 2, 3, 4)]
