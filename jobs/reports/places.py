"""The outlook of places of a district by stage, and of a school, with intervals."""

from __future__ import annotations

from jobs.reports import charts
from jobs.reports.book import Book, school_year
from jobs.reports.model import Block, Column, Piece
from jobs.reports.scope import STAGE_ORDER, STAGES, Part, Scope, Sentence, notice, word
from jobs.reports.source import Row

TABLE, OUTLOOK = "fct_places_gap", "fct_school_outlook"
_FIGURES = ("forecast_count", "lower_80_count", "upper_80_count", "supply_count", "surplus_count")
_WARNINGS = {"red": "红", "orange": "橙", "yellow": "黄", "blue": "蓝"}
_DIRECTIONS = {"shortage": "短缺", "surplus": "富余"}
# Years ahead that are named where there is no room for all.
_LEADS = (1, 5)
_UNMAPPED = "有代码未识别，学位数可能偏小。"


def _rows(book: Book, scope: Scope) -> list[Row]:
    return book.source.rows(
        f"""select * from {TABLE} where unit_level = 'district' and unit_code = ?
            order by {STAGE_ORDER}, school_year_start""",
        scope.district_code,
    )


def sentence(book: Book, scope: Scope) -> Sentence | None:
    """The greatest shortage ahead, or that there is none; None without a forecast."""
    rows = (
        [row for row in _rows(book, scope) if row["surplus_count"] is not None]
        if book.source.has(TABLE)
        else []
    )
    if not rows:
        return None
    worst = min(rows, key=lambda row: (row["surplus_count"], row["school_year_start"], row["stage_code"]))
    of = _stage(worst)
    if worst["surplus_count"] >= 0:
        return (
            f"预测期内各学段学位供给均不少于预测在校生，余量最小的是{school_year(worst['school_year_start'])}{of}，余缺",
            book.figure(f"{TABLE}.surplus_count", worst["surplus_count"], unit=True),
            "。",
        )
    return (
        f"学位短缺最大的是{school_year(worst['school_year_start'])}{of}：余缺",
        book.figure(f"{TABLE}.surplus_count", worst["surplus_count"], unit=True),
        "，短缺概率",
        book.figure(f"{TABLE}.shortage_probability", worst["shortage_probability"], unit=True),
        "。",
    )


def _blocks(book: Book, scope: Scope) -> list[Block]:
    return _shown(book, scope, _rows(book, scope))


def _brief(book: Book, scope: Scope) -> list[Block]:
    return _shown(book, scope, _rows(book, scope), leads=_LEADS)


def _shown(book: Book, scope: Scope, rows: list[Row], *, leads: tuple[int, ...] | None = None) -> list[Block]:
    if not rows:
        return [notice(f"{scope.name}没有学位预测。")]
    lines = [
        [
            _stage(row),
            _years(row),
            *_figures(book, TABLE, row),
            _probability(book, row),
            _warning(row),
        ]
        for row in rows
        if leads is None or row["lead_years"] in leads
    ]
    keys = [f"{TABLE}.{name}" for name in _FIGURES] + [f"{TABLE}.shortage_probability"]
    table = book.table("各学段学位余缺预测", "学段", [Column("学年"), *keys, Column("预警")], lines)
    chart = _fans(book, rows, scope, brief=leads is not None)
    return [*([chart] if chart else []), table]


def _stage(row: Row) -> str:
    return word(STAGES, row["stage_code"])


def _years(row: Row) -> str:
    return school_year(row["school_year_start"]).removesuffix("学年")


def _warning(row: Row) -> str:
    if not row["warning_level"]:
        return "—"
    level = word(_WARNINGS, row["warning_level"])
    return f"{level}·{_DIRECTIONS.get(row['warning_direction'], '')}"


def _probability(book: Book, row: Row) -> Piece:
    return book.figure(f"{TABLE}.shortage_probability", row["shortage_probability"])


def _figures(book: Book, table: str, row: Row) -> list[Piece]:
    notes = {"supply_count": (_UNMAPPED,)} if row.get("unmapped_count") else {}
    return [book.figure(f"{table}.{name}", row[name], *notes.get(name, ())) for name in _FIGURES]


def _fans(book: Book, rows: list[Row], scope: Scope, *, brief: bool) -> charts.Chart | None:
    past = []
    if book.source.has("fct_enrollment_grade"):
        past = book.source.rows(
            """select stage_code, school_year_start, sum(pupil_count)::bigint as pupils
               from fct_enrollment_grade where district_code = ? group by all order by all""",
            scope.district_code,
        )
    shown = []
    for stage, name in STAGES.items():
        ahead = [row for row in rows if row["stage_code"] == stage and row["forecast_count"] is not None]
        line = [(float(r["school_year_start"]), float(r["pupils"])) for r in past if r["stage_code"] == stage]
        if ahead:
            shown.append(_fan(name, line, ahead))
    return charts.panels(
        "各学段在校生（实线）、预测（虚线，阴影为80%区间）与学位供给（点线）",
        "；".join(
            f"{_stage(row)}{school_year(row['school_year_start'])}预测{row['forecast_count']:,.0f}人，学位{row['supply_count']:,.0f}个"
            for row in rows
            if row["forecast_count"] is not None
            and row["supply_count"] is not None
            and row["lead_years"] in _LEADS
        )
        + "。数值见下表。",
        shown,
        across=2,
        width=charts.HALF if brief else charts.WIDTH,
        is_synthetic=book.source.release.is_synthetic,
    )


def _fan(name: str, line: list[charts.Point], ahead: list[Row]) -> charts.Panel:
    start = [(*line[-1], line[-1][1])] if line else []
    band = [
        (float(row["school_year_start"]), float(row["lower_80_count"]), float(row["upper_80_count"]))
        for row in ahead
        if row["lower_80_count"] is not None
    ]
    supply = [
        (float(row["school_year_start"]), float(row["supply_count"]))
        for row in ahead
        if row["supply_count"] is not None
    ]
    expected = [(float(row["school_year_start"]), float(row["forecast_count"])) for row in ahead]
    return charts.Panel(
        f"{name}（人）",
        line,
        bands=[(charts.PALER, [*start, *band])],
        expected=[*line[-1:], *expected],
        supply=supply,
        from_zero=True,
    )


def outlook(book: Book, scope: Scope) -> list[Block]:
    """A school's outlook as chart and table; empty where it has no forecast."""
    rows = book.source.rows(
        f"select * from {OUTLOOK} where school_code = ? order by school_year_start", scope.code
    )
    if not rows:
        return []
    past = []
    if book.source.has("fct_enrollment_grade"):
        past = book.source.rows(
            """select school_year_start, sum(pupil_count)::bigint as pupils from fct_enrollment_grade
               where school_code = ? group by all order by all""",
            scope.code,
        )
    line = [(float(row["school_year_start"]), float(row["pupils"])) for row in past]
    chart = charts.panels(
        "在校生（实线）、预测（虚线，阴影为80%区间）与学位供给（点线）",
        "；".join(
            f"{school_year(row['school_year_start'])}预测{row['forecast_count']:,.0f}人" for row in rows
        )
        + "。数值见下表。",
        [_fan("在校生", line, rows)],
        across=1,
        width=charts.HALF,
        is_synthetic=book.source.release.is_synthetic,
    )
    lines = [[_years(row), *_figures(book, OUTLOOK, row)] for row in rows]
    table = book.table("学位余缺预测", "学年", [f"{OUTLOOK}.{name}" for name in _FIGURES], lines)
    return [*([chart] if chart else []), table]


PART = Part("places", "学位余缺展望 Places ahead", (TABLE,), _blocks)
BRIEF = Part("places", PART.title, PART.tables, _brief)
