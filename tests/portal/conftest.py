"""A small release to serve: the two portal marts and a few tables, made here and published in earnest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb
import pytest

from jobs import settings as site_settings
from jobs.publish import publication
from jobs.publish.published_models import Column, Model
from jobs.publish.release import CITY, Release
from jobs.settings import Settings
from jobs.site import KeptReleases

FORECAST = [
    {"x": 2022, "y": 1012300},
    {"x": 2023, "y": 1046800},
    {"x": 2024, "y": 1071500},
    {"x": 2025, "y": 1089200},
    {"x": 2026, "y": 1084600, "lower": 1072300, "upper": 1096900},
    {"x": 2027, "y": 1063100, "lower": 1038200, "upper": 1088000},
    {"x": 2028, "y": 1021700, "lower": 981400, "upper": 1062000},
]
INDICATORS = [
    {"x": "学前教育毛入园率", "y": 101.2},
    {"x": "义务教育毛入学率", "y": 100.0},
    {"x": "高中阶段毛入学率", "y": 99.6},
    {"x": "残疾儿童入学率", "y": 98.1},
    {"x": "新增劳动力受教育年限", "y": 96.7},
]
FITNESS = [
    {"x": year, "y": share} for year, share in ((2021, 41.3), (2022, 43.9), (2023, 47.2), (2024, 50.6))
]

CARDS = [
    {
        "service": "places",
        "sort_order": 1,
        "title_zh": "中小学学位预测",
        "title_en": "School places",
        "figure_value": "1084600",
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
        "series_json": json.dumps(FORECAST),
        "chart_kind": "fan",
        "detail_table": "fct_place_outlook",
    },
    {
        "service": "evaluation",
        "sort_order": 2,
        "title_zh": "教育评估监测",
        "title_en": "Evaluation",
        "figure_value": "9",
        "figure_unit_zh": "项",
        "figure_label_zh": "12 项规划指标中已达标",
        "figure_label_en": "Of the plan's 12 indicators, met",
        "definition_zh": "“十四五”教育规划主要指标中，最近一期数值达到 2025 年目标的项数。",
        "definition_en": "Indicators of the five-year plan whose latest value meets the 2025 target.",
        "period_label": "2025 年",
        "as_of_date": "2026-09-10",
        "status": "ok",
        "note_zh": "3 项数据尚未报送。",
        "is_complete": None,
        "series_json": json.dumps(INDICATORS, ensure_ascii=False),
        "chart_kind": "bar",
        "detail_table": "fct_indicator_value",
    },
    {
        "service": "fitness",
        "sort_order": 3,
        "title_zh": "学生体质健康",
        "title_en": "Pupils' fitness",
        "figure_value": "50.60",
        "figure_unit_zh": "%",
        "figure_label_zh": "体质健康优良率",
        "figure_label_en": "Share rated good or excellent",
        "definition_zh": "按测试当日有效的国家标准评分，总分 80 分及以上学生占参测学生的比例。",
        "definition_en": "Pupils with 80 points or more by the national standard in force, of all tested.",
        "period_label": "2025-2026 学年",
        "as_of_date": "2026-09-10",
        "status": "ok",
        "note_zh": None,
        "is_complete": True,
        "series_json": json.dumps(FITNESS),
        "chart_kind": "line",
        "detail_table": "fct_school_fitness",
    },
    {
        "service": "safety",
        "sort_order": 4,
        "title_zh": "校园安全稳定",
        "title_en": "Campus safety",
        "figure_value": None,
        "figure_unit_zh": "起",
        "figure_label_zh": "近 30 日校园安全事件",
        "figure_label_en": "Incidents on campus in the last 30 days",
        "definition_zh": "截至数据日期前 30 日内报告的事件数，撤销的不计。",
        "definition_en": "Incidents reported in the 30 days before the as-of date, withdrawn ones left out.",
        "period_label": None,
        "as_of_date": None,
        "status": "no_data",
        "note_zh": None,
        "is_complete": None,
        "series_json": None,
        "chart_kind": None,
        "detail_table": None,
    },
]

ITEMS = [
    ("management", 1, "学校体质结果", "Fitness by school", "fct_school_fitness", "学校 × 学年", 240, None),
    ("management", 2, "规划指标数值", "Indicator values", "fct_indicator_value", "指标 × 年", 5, None),
    (
        "management",
        3,
        "学生体质结果",
        "Fitness by pupil",
        "fct_pupil_fitness",
        "学生 × 学年",
        30,
        "仅限数据管理员",
    ),
    ("services", 1, "学位展望", "Outlook for places", "fct_place_outlook", "区 × 学年", 8, "含区间"),
    ("resources", 1, "学校名录", "Schools", "dim_school", "学校", 240, None),
]

COLUMNS = {
    "school_code": Column("学校标识码", "ten digits, given by the Ministry"),
    "school_name": Column("学校名称", "as registered"),
    "district_code": Column("区代码", "GB/T 2260"),
    "pass_share": Column("及格率", "share of tested pupils, 0 to 1"),
    "tested_on": Column("测试日期", "day of the test"),
    "scored_at": Column("评分时间", "instant in UTC"),
}

MODELS = {
    model.name: model
    for model in (
        Model("rpt_portal__service_card", scope=CITY),
        Model("rpt_portal__platform_item", scope=CITY),
        Model("fct_pupil_fitness", "district_code", "management", pupil_rows=True, title_zh="学生体质结果"),
        Model(
            "fct_school_fitness",
            "district_code",
            "management",
            title_zh="学校体质结果",
            title_en="Fitness by school",
            description="One row per school and school year.",
            columns=COLUMNS,
        ),
        Model(
            "fct_indicator_value", CITY, "management", title_zh="规划指标数值", title_en="Indicator values"
        ),
        Model(
            "fct_place_outlook",
            "district_code",
            "services",
            public=True,
            protect={
                "key": ["district_code", "school_year_start"],
                "harmless": {"place_count": "places, not persons", "is_complete": "a remark"},
            },
            title_zh="学位展望",
        ),
        Model(
            "dim_school",
            "district_code",
            "resources",
            title_zh="学校名录",
            title_en="Schools",
            columns=COLUMNS,
        ),
    )
}

_CARD_TYPES = {
    "sort_order": "integer",
    "figure_value": "decimal(18, 2)",
    "as_of_date": "date",
    "is_complete": "boolean",
}
_DISTRICT = "(110101 + i % 4)::varchar"


def _build(path: Path, run_number: int, schools: int) -> None:
    """Every table carries the run's number, so that a reply mixing two releases would show it."""
    with duckdb.connect(str(path)) as con:
        cards = ", ".join(f"{name} {_CARD_TYPES.get(name, 'varchar')}" for name in CARDS[0])
        con.execute(f"create table rpt_portal__service_card ({cards})")
        marks = ", ".join("?" for _ in CARDS[0])
        con.executemany(
            f"insert into rpt_portal__service_card values ({marks})", [list(card.values()) for card in CARDS]
        )
        con.execute("""
            create table rpt_portal__platform_item (
                platform varchar, sort_order integer, title_zh varchar, title_en varchar, table_name varchar,
                grain_zh varchar, row_count bigint, note_zh varchar)
        """)
        con.executemany("insert into rpt_portal__platform_item values (?, ?, ?, ?, ?, ?, ?, ?)", ITEMS)
        con.execute(f"""
            create table fct_pupil_fitness as
                select 'P' || i as pupil_key, {_DISTRICT} as district_code, i as score from range(30) t(i);
            create table fct_school_fitness as
                select {run_number} as run_number, '21110' || (10000 + i) as school_code,
                    case i when 3 then '=HYPERLINK("http://x")' when 4 then '-'
                        when 5 then '北京市"第五"小学,东校区' else '北京市第' || i || '小学'
                    end as school_name,
                    {_DISTRICT} as district_code, (0.8 + i / 2000)::decimal(5, 4) as pass_share,
                    case when i % 7 > 0 then date '2025-10-08' + i::integer end as tested_on,
                    timestamp '2025-11-30 08:30:00' as scored_at
                from range({schools}) t(i);
            create table fct_indicator_value as
                select i as indicator_no, sum(i) as total,
                    case i when 3 then 'not_told' when 4 then 'k' end as total_missing_reason
                from range(5) t(i) group by i order by i;
            create table fct_place_outlook as
                select {_DISTRICT} as district_code, 2026 + i // 4 as school_year_start,
                    1000 + i as place_count, i % 4 > 0 as is_complete
                from range(8) t(i);
            create table dim_school as
                select {run_number} as run_number, '21110' || (10000 + i) as school_code,
                    '北京市第' || i || '小学' as school_name, {_DISTRICT} as district_code
                from range({schools}) t(i);
        """)


def _publish(folder: Path, run_number: int, *, site: Settings, schools: int = 240, keep: int = 5) -> Release:
    site = replace(site, kept_releases=KeptReleases(newest=keep, last_of_month=False))
    build_file = folder / f"build-{run_number}.duckdb"
    _build(build_file, run_number, schools)
    made = publication.publish(
        site,
        f"2026-09-10.{run_number}",
        build_file,
        MODELS,
        {"clean_fitness__test_result": 3},
        as_of_date="2026-09-10",
        known_at="2026-09-10",
        code_version="0.1.0",
    )
    # With a tenth of the rows a person must say that it is right.
    return publication.approve(site, made.number, "test", "fewer schools") if made.is_draft else made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A site of this test alone, with nothing published."""
    return site_settings.load("beijing", tmp_path / "home")


@pytest.fixture
def publish(settings: Settings, tmp_path: Path) -> Callable[..., Release]:
    """Publish run n, with its number in every row of `fct_school_fitness` and `dim_school`."""
    return partial(_publish, tmp_path, site=settings)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A site with one release, for all tests that only read."""
    folder = tmp_path_factory.mktemp("published")
    settings = site_settings.load("beijing", folder / "home")
    _publish(folder, 1, site=settings)
    return settings
