"""Rates of fitness of a district beside zone and city, by school and grade; small cells are hidden."""

from __future__ import annotations

from jobs.reports import charts
from jobs.reports.book import Book, school_year
from jobs.reports.model import Block, Piece, Table
from jobs.reports.scope import GRADE_ORDER, Part, Scope, Sentence, grade, notice
from jobs.reports.source import Row

TABLE = "fct_fitness_rate"
_WHY = {
    "few_pupils": "人数过少，不予公布。",
    "no_result": "没有测试成绩。",
    "unmapped": "有代码未识别，无法确定。",
}
_ALL = "result_kind = 'upload' and grade_key = 'all' and sex_code = 'all' and school_year_start = ?"
_SHARES = (
    "good_or_excellent_share",
    "good_or_excellent_low_share",
    "good_or_excellent_high_share",
    "pass_share",
)
NAMES = ("scored_count", *_SHARES, "mean_total_score")
_KEYS = [f"{TABLE}.{name}" for name in NAMES]


def why(row: Row) -> str:
    """Why a rate is not shown; blank where it is."""
    return "" if row["rate_status"] == "ok" else _WHY.get(row["rate_status"], "结果不完整。")


def figures(book: Book, row: Row) -> list[Piece]:
    """The figures of a row; all hidden where the mart says that its pupils are few."""
    is_hidden = row["rate_status"] == "few_pupils"
    reason = why(row)
    marked = () if is_hidden or not reason else (reason,)
    return [
        book.figure(key, None if is_hidden else row[key.partition(".")[2]], *marked, why=reason)
        for key in _KEYS
    ]


def _of_district(book: Book, scope: Scope) -> Row | None:
    rows = book.source.rows(
        f"select * from {TABLE} where {_ALL} and unit_level = 'district' and unit_code = ?",
        scope.year,
        scope.district_code,
    )
    return rows[0] if rows else None


def sentence(book: Book, scope: Scope) -> Sentence | None:
    """The district's rate with interval and target; None without a rate."""
    row = _of_district(book, scope) if book.source.has(TABLE) else None
    if row is None or row["good_or_excellent_share"] is None or row["rate_status"] == "few_pupils":
        return None
    low, high = (
        book.figure(
            f"{TABLE}.good_or_excellent_{end}_share", row[f"good_or_excellent_{end}_share"], unit=True
        )
        for end in ("low", "high")
    )
    said: list[Piece] = [
        "学生体质健康优良率",
        book.figure(f"{TABLE}.good_or_excellent_share", row["good_or_excellent_share"], why(row), unit=True),
        "（95%区间",
        low,
        "至",
        high,
        "）",
    ]
    if row["target_share"] is not None:
        state = {True: "，已达到规划目标", False: "，未达到规划目标"}.get(row["is_met"], "，规划目标为")
        said += [state, book.figure(f"{TABLE}.target_share", row["target_share"], unit=True)]
    return (*said, "。")


def _beside(book: Book, scope: Scope) -> list[tuple[str, Row]]:
    """The district, its zones and the city by name; empty where the district has no results."""
    rows = book.source.rows(
        f"""select * from {TABLE} where {_ALL} and unit_level in ('district', 'zone', 'city')
            and (unit_level <> 'district' or unit_code = ?)
            order by case unit_level when 'district' then 1 when 'zone' then 2 else 3 end, unit_code""",
        scope.year,
        scope.district_code,
    )
    if not any(row["unit_level"] == "district" for row in rows):
        return []
    zones = {}
    if book.source.has("dim_district"):
        found = book.source.rows("select distinct zone_code, zone_name_zh from dim_district order by all")
        zones = {row["zone_code"]: row["zone_name_zh"] for row in found}
    shown = [row for row in rows if row["unit_level"] != "zone" or row["unit_code"] in zones]
    return [(_name(row, scope, zones), row) for row in shown]


def _compared(book: Book, scope: Scope, named: list[tuple[str, Row]]) -> Table:
    lines = [[name, *figures(book, row)] for name, row in named]
    return book.table(f"{school_year(scope.year)}体质健康测试结果", "单位", _KEYS, lines)


def _brief(book: Book, scope: Scope) -> list[Block]:
    named = _beside(book, scope)
    return [_compared(book, scope, named)] if named else _blocks(book, scope)


def _blocks(book: Book, scope: Scope) -> list[Block]:
    named = _beside(book, scope)
    if not named:
        return [notice(f"{scope.name}没有{school_year(scope.year)}的体质健康测试成绩。")]
    chart = charts.bars(
        f"{school_year(scope.year)}体质健康优良率与95%区间",
        "；".join(
            f"{name}{float(row['good_or_excellent_share']):.1%}" for name, row in named if _is_shown(row)
        )
        + "。数值见下表。",
        [
            charts.Bar(name, value, low, high, is_own=row["unit_level"] == "district")
            for name, row in named
            if _is_shown(row)
            for value, low, high in ([float(row[key]) * 100 for key in _SHARES[:3]],)
        ],
        target=next((float(row["target_share"]) * 100 for _, row in named if row["target_share"]), None),
        is_synthetic=book.source.release.is_synthetic,
    )
    schools = _schools(book, scope)
    return [*([chart] if chart else []), _compared(book, scope, named), *([schools] if schools else [])]


def _is_shown(row: Row) -> bool:
    return row["good_or_excellent_share"] is not None and row["rate_status"] != "few_pupils"


def _name(row: Row, scope: Scope, zones: dict[str, str]) -> str:
    if row["unit_level"] == "district":
        return scope.name
    return "全市" if row["unit_level"] == "city" else zones[row["unit_code"]]


def _schools(book: Book, scope: Scope) -> Table | None:
    """The district's schools in the order of their codes: they are not ranked."""
    if not book.source.has("dim_school"):
        return None
    rows = book.source.rows(
        f"""select school_name, rate.* from {TABLE} as rate inner join dim_school on school_code = unit_code
            where {_ALL} and unit_level = 'school' and rate.district_code = ? order by unit_code""",
        scope.year,
        scope.district_code,
    )
    if not rows:
        return None
    lines = [[row["school_name"], *figures(book, row)] for row in rows]
    return book.table("各校测试结果（按学校代码排列，不作排名）", "学校", _KEYS, lines)


def grades(book: Book, scope: Scope) -> Table | None:
    """A school's rates by grade in its newest school year up to the scope's; None without results."""
    rows = book.source.rows(
        f"""select * from {TABLE} where result_kind = 'upload' and sex_code = 'all' and unit_level = 'school'
            and unit_code = ? and school_year_start = (select max(school_year_start) from {TABLE}
                where unit_level = 'school' and unit_code = ? and school_year_start <= ?)
            order by grade_key <> 'all', {GRADE_ORDER}""",
        scope.code,
        scope.code,
        scope.year,
    )
    if not rows:
        return None
    lines = [
        ["全校" if row["grade_key"] == "all" else grade(row["grade_key"]), *figures(book, row)]
        for row in rows
    ]
    return book.table(f"{school_year(rows[0]['school_year_start'])}体质健康测试结果", "年级", _KEYS, lines)


PART = Part("fitness", "学生体质健康 Fitness", (TABLE,), _blocks)
BRIEF = Part("fitness", PART.title, PART.tables, _brief)
