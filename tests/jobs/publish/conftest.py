"""A site with nothing published, and runs to publish: a small build over two districts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from jobs import settings as site
from jobs.publish import publication
from jobs.publish.published_models import Column, Model
from jobs.publish.release import CITY, Release
from jobs.settings import Settings

MODELS = {
    model.name: model
    for model in (
        Model("fct_pupil_fitness", scope="district_code", platform="management", pupil_rows=True),
        Model(
            "fct_school_fitness",
            scope="district_code",
            platform="management",
            title_zh="学校体质结果",
            columns={"pass_share": Column("及格率", "share of pupils, 0 to 1", additive_over=())},
        ),
        Model("dim_indicator", scope=CITY, platform="management"),
        Model(
            "rpt_public__outlook",
            scope="district_code",
            platform="services",
            public=True,
            protect={"key": ["district_code", "place_count"], "harmless": {"place_count": "no persons"}},
        ),
    )
}
DISTRICT = "['110101', '110108'][1 + i % 2]"


def build(path: Path, *, pupils: int = 60, order: str = "asc") -> Path:
    """A build file such as dbt leaves it, over two districts."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as con:
        con.execute(f"""
            create table fct_pupil_fitness as
                select 'P' || i as pupil_key, {DISTRICT} as district_code, i % 101 as score
                from range({pupils}) t(i) order by i {order};
            create table fct_school_fitness as
                select {DISTRICT} as district_code, '学校' || i as school_name,
                    (i / {pupils})::decimal(5, 4) as pass_share,
                    case when i % 3 > 0 then i end as tested_count
                from range({pupils}) t(i) order by i {order};
            create table dim_indicator as select '毛入园率' as title_zh, 90.5::decimal(5, 1) as target;
            create table rpt_public__outlook as
                select {DISTRICT} as district_code, 2027 as school_year_start, 10 * i as place_count
                from range(4) t(i) order by i {order};
            create table stg_not_published as select 1 as pupil_key;
        """)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return site.load("beijing", tmp_path / "home")


@pytest.fixture
def publish(settings: Settings, tmp_path: Path) -> Callable[..., Release]:
    def publish_run(run_id: str, build_file: Path | None = None, **changed: object) -> Release:
        said = {
            "models": MODELS,
            "inputs": {"clean_fitness__test_result": 3},
            # Each run shows another day: equal releases are not published twice.
            "as_of_date": f"2026-09-{9 + int(run_id.rpartition('.')[2]):02}",
            "known_at": "2026-09-10",
            "code_version": "0.1.0",
            **changed,
        }
        return publication.publish(settings, run_id, build_file or build(tmp_path / "build.duckdb"), **said)

    return publish_run
