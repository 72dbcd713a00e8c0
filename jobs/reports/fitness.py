"""Rates of fitness of a district beside zone and city, by school and grade; small cells are hidden."""

from __future__ import annotations

from jobs.reports import charts, metrics
from jobs.reports.book import Book, school_year
from jobs.reports.metrics import GOOD, PASSES, TESTED
from jobs.reports.model import Block, Column, Piece, Table
from jobs.reports.scope import GRADE_ORDER, Part, Scope, Sentence, grade, notice
from jobs.reports.source import Row

TABLE = "fct_fitness_rate"
_FEW = "人数过少，不予公布。"
_STATUS = {"few_pupils": _FEW, "no_result": "没有测试成绩。", "unmapped": "有代码未识别，无法确定。"}
# A grade's figures, which are no metric: that is the whole school.
_OF_GRADE = ("scored_count", "good_or_excellent_share", "pass_share", "mean_total_score")


def columns(book: Book) -> list[str | Column]:
    """Headings of the figures of a unit."""
    ends: list[str | Column] = [
        f"{metrics.TABLE}.{name}" for name in ("denominator", "low_value", "high_value")
    ]
    codes = [book.metric_column(code) for code in (GOOD, PASSES, TESTED)]
    return [ends[0], codes[0], *ends[1:], *codes[1:]]


def figures(book: Book, rows: dict[str, Row | None]) -> list[Piece]:
    """The figures of a unit by metric: its pupils, rate and interval, and two more rates."""
    good = rows[GOOD]
    return [
        metrics.count(book, "denominator", good),
        metrics.figure(book, GOOD, good),
        metrics.count(book, "low_value", good),
        metrics.count(book, "high_value", good),
        metrics.figure(book, PASSES, rows[PASSES]),
        # A rate of tested pupils would tell how many a hidden rate is of.
        metrics.figure(book, TESTED, good if good is not None and metrics.is_small(good) else rows[TESTED]),
    ]


def of_level(book: Book, level: str, year: int) -> dict[str, dict[str, Row | None]]:
    """Unit of a level -> metric -> its row of the year."""
    found = {code: metrics.values(book, code, level, year) for code in (GOOD, PASSES, TESTED)}
    return {unit: {code: rows.get(unit) for code, rows in found.items()} for unit in found[GOOD]}


def _target(book: Book, year: int) -> float | None:
    """The plan's target of the rate in the school year, as the mart of rates has it."""
    rows = book.source.rows(
        f"select max(target_share) as share from {TABLE} where school_year_start = ? and unit_level = 'city'",
        year,
    )
    return float(rows[0]["share"]) * 100 if rows and rows[0]["share"] is not None else None


def sentence(book: Book, scope: Scope) -> Sentence | None:
    """The district's rate with its interval; None without a rate."""
    if not book.source.has(TABLE, *metrics.TABLES):
        return None
    row = metrics.values(book, GOOD, "district", scope.year).get(scope.district_code)
    if row is None or not metrics.is_shown(row):
        return None
    return (
        f"{school_year(scope.year)}学生体质健康优良率",
        metrics.figure(book, GOOD, row, unit=True),
        "（95%区间",
        metrics.count(book, "low_value", row),
        "至",
        metrics.count(book, "high_value", row),
        "）。",
    )


def _beside(book: Book, scope: Scope) -> list[tuple[str, dict[str, Row | None]]]:
    """The district, its zone and the city by name; empty where the district has no results."""
    own = of_level(book, "district", scope.year).get(scope.district_code)
    if own is None:
        return []
    good = own[GOOD] or {}
    named = [(scope.name, own)]
    zones = of_level(book, "zone", scope.year)
    if good.get("zone_code") in zones:
        found = []
        if book.source.has("dim_district"):
            found = book.source.rows(
                "select any_value(zone_name_zh) as name from dim_district where zone_code = ?",
                good["zone_code"],
            )
        named.append((found[0]["name"] if found else good["zone_code"], zones[good["zone_code"]]))
    return named + [("全市", rows) for rows in of_level(book, "city", scope.year).values()]


def _compared(book: Book, scope: Scope, named: list[tuple[str, dict[str, Row | None]]]) -> Table:
    lines = [[name, *figures(book, rows)] for name, rows in named]
    return book.table(f"{school_year(scope.year)}体质健康测试结果", "单位", columns(book), lines)


def _missing(scope: Scope) -> list[Block]:
    return [notice(f"{scope.name}没有{school_year(scope.year)}的体质健康测试成绩。")]


def _brief(book: Book, scope: Scope) -> list[Block]:
    named = _beside(book, scope)
    return [_compared(book, scope, named)] if named else _missing(scope)


def _blocks(book: Book, scope: Scope) -> list[Block]:
    named = _beside(book, scope)
    if not named:
        return _missing(scope)
    bars = []
    for name, rows in named:
        row = rows[GOOD]
        if row is not None and metrics.is_shown(row):
            low, high = (None if row[end] is None else float(row[end]) for end in ("low_value", "high_value"))
            bars.append(charts.Bar(name, float(row["metric_value"]), low, high, is_own=name == scope.name))
    chart = charts.bars(
        f"{school_year(scope.year)}体质健康优良率与95%区间",
        "；".join(f"{bar.label}{bar.value:.1f}%" for bar in bars) + "。数值见下表。",
        bars,
        target=_target(book, scope.year),
        is_synthetic=book.source.release.is_synthetic,
    )
    schools = _schools(book, scope)
    table = _compared(book, scope, named)
    return [*([chart] if chart else []), table, *([schools] if schools else [])]


def _schools(book: Book, scope: Scope) -> Table | None:
    """The district's schools in the order of their codes: they are not ranked."""
    if not book.source.has("dim_school"):
        return None
    found = of_level(book, "school", scope.year)
    names = book.source.rows(
        "select school_code, school_name from dim_school where district_code = ? order by school_code",
        scope.district_code,
    )
    lines = [
        [row["school_name"], *figures(book, found[row["school_code"]])]
        for row in names
        if row["school_code"] in found
    ]
    return (
        book.table("各校测试结果（按学校代码排列，不作排名）", "学校", columns(book), lines)
        if lines
        else None
    )


def of_school(book: Book, scope: Scope) -> list[Block]:
    """A school's rates, and by grade, in its newest year with results up to the scope's; else a notice."""
    rows = book.source.rows(
        f"""select max(period_year) as year from {metrics.TABLE}
            where metric_code = ? and unit_level = 'school' and unit_code = ? and period_year <= ?""",
        *(GOOD, scope.code, scope.year),
    )
    year = rows[0]["year"] if rows else None
    if year is None:
        return [notice("没有体质健康测试结果。")]
    whole = of_level(book, "school", year)[scope.code]
    title = f"{school_year(year)}体质健康测试结果"
    grades = _grades(book, scope, year)
    return [book.table(title, "范围", columns(book), [["全校", *figures(book, whole)]]), *grades]


def _grades(book: Book, scope: Scope, year: int) -> list[Block]:
    rows = book.source.rows(
        f"""select * from {TABLE} where result_kind = 'upload' and sex_code = 'all' and unit_level = 'school'
            and unit_code = ? and school_year_start = ? and grade_key <> 'all' order by {GRADE_ORDER}""",
        *(scope.code, year),
    )
    lines = [[grade(row["grade_key"]), *_of_grade(book, row)] for row in rows]
    keys = [f"{TABLE}.{name}" for name in _OF_GRADE]
    return [book.table(f"{school_year(year)}各年级体质健康测试结果", "年级", keys, lines)] if lines else []


def _of_grade(book: Book, row: Row) -> list[Piece]:
    """A grade's figures; all hidden where the mart says that its pupils are few."""
    is_hidden = row["rate_status"] == "few_pupils"
    why = "" if row["rate_status"] == "ok" else _STATUS.get(row["rate_status"], "结果不完整。")
    notes = (why,) if why and not is_hidden else ()
    return [
        book.figure(f"{TABLE}.{name}", None if is_hidden else row[name], *notes, why=why)
        for name in _OF_GRADE
    ]


PART = Part("fitness", "学生体质健康 Fitness", (TABLE, *metrics.TABLES), _blocks)
BRIEF = Part("fitness", PART.title, PART.tables, _brief)
