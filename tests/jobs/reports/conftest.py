"""A small release made by hand: two districts, one without schools, and names that no markup survives."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from jobs import settings as site
from jobs.publish import publication
from jobs.publish.published_models import Model
from jobs.publish.release import CITY, Release

# What HTML, Typst, XML and Word would each read as something else.
NASTY = "<b>甲&乙</b> #let $x$ *粗* @引 _下_ [框] `码` \\ ]]> \"引号\" '单' {{7*7}} \x0b\u202e%"
SHOWN = "<b>甲&乙</b> #let $x$ *粗* @引 _下_ [框] `码` \\ ]]> \"引号\" '单' {{7*7}} %"
LONG = "北京市朝阳区" + "很长的名字" * 30 + "实验学校"
RARE = "北京市𠮷𬭼学校"


def make(path: Path, run_id: str = "2025-11-20.1", *, without: tuple[str, ...] = ()) -> Release:
    """Publish the release; `without`: tables that it has not."""
    path.mkdir(parents=True, exist_ok=True)
    build = path / "build.duckdb"
    with duckdb.connect(str(build)) as con:
        con.execute(Path(__file__).with_name("release.sql").read_text(encoding="utf-8"))
        con.execute("insert into dim_school select '2110500001', $1, * from school_rest", [NASTY])
        con.execute("insert into dim_school select '2110500002', $1, * from school_rest", [LONG])
        con.execute("insert into dim_school select '2110500003', $1, * from school_rest", [RARE])
        con.execute("drop table school_rest")
        con.execute(
            "update brg_school_group_member set school_name = d.school_name from dim_school as d"
            " where d.school_code = brg_school_group_member.school_code"
        )
        tables = [name for (name,) in con.execute("select table_name from duckdb_tables()").fetchall()]
        columns = {
            name: {
                c
                for (c,) in con.execute(
                    "select column_name from duckdb_columns() where table_name = ?", [name]
                ).fetchall()
            }
            for name in tables
        }
    models = {
        name: Model(
            name,
            scope="district_code" if "district_code" in columns[name] else CITY,
            platform="management",
            city_rows=True,
        )
        for name in tables
        if name not in without
    }
    return publication.publish(
        site.load("beijing", path / "home"),
        run_id,
        build,
        models,
        {},
        as_of_date="2025-11-20",
        known_at="2025-11-20T15:59:59+00:00",
        code_version="0.1.0",
    )


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return make(tmp_path_factory.mktemp("reports"))
