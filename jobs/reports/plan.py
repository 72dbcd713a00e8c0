"""The plan's indicators of a district: value, target, path, status."""

from __future__ import annotations

from jobs.reports import charts
from jobs.reports.book import Book, printed
from jobs.reports.model import Block, Column, Figure, Piece
from jobs.reports.scope import Part, Scope, Sentence, notice
from jobs.reports.source import Row

TABLE = "fct_plan_indicator"
_OF_DISTRICT = "unit_level = 'district' and district_code = ?"


def _rows(book: Book, scope: Scope) -> list[Row]:
    return book.source.rows(
        f"""select indicator_code as metric_code, indicator_zh as metric_zh, indicator_unit_zh as unit_zh,
            2 as decimals,
            '“十四五”规划主要指标第' || indicator_no || '项。' as definition_zh,
            'fct_plan_indicator.indicator_value' as source_tables,
            *
            from {TABLE} where {_OF_DISTRICT} and indicator_year = ? order by indicator_no, indicator_code""",
        scope.code,
        scope.year,
    )


def sentence(book: Book, scope: Scope) -> Sentence | None:
    """How many indicators meet their target; None without any value."""
    if not book.source.has(TABLE):
        return None
    known = [row for row in _rows(book, scope) if row["indicator_value"] is not None]
    if not known:
        return None
    met = sum(row["is_met"] is True for row in known)
    return (
        f"{scope.year}年规划主要指标中有值",
        book.figure(f"{TABLE}.known_count", len(known), unit=True),
        "，达到目标",
        book.figure(f"{TABLE}.met_count", met, unit=True),
        "。",
    )


def _blocks(book: Book, scope: Scope) -> list[Block]:
    rows = _rows(book, scope)
    if not rows:
        return [notice(f"{scope.name}没有{scope.year}年的规划指标值。")]
    table = book.table(
        f"{scope.year}年规划主要指标",
        "指标",
        [
            Column("单位"),
            *(
                f"{TABLE}.{name}"
                for name in ("base_value", "indicator_value", "target_value", "gap_to_target")
            ),
            f"{TABLE}.progress_share",
            Column("状态"),
            f"{TABLE}.computed_value",
        ],
        [_line(book, row) for row in rows],
    )
    chart = _chart(book, scope, rows)
    return [table, *([chart] if chart else [])]


def _line(book: Book, row: Row) -> list[Piece]:
    number = book.metric_number(row)
    differs = row["is_computed_different"]
    why = row["missing_reason"]
    return [
        Figure(f"{row['indicator_no']} {row['metric_zh']}", None, number),
        row["unit_zh"],
        book.figure(f"{TABLE}.base_value", row["base_value"], why="该指标没有基期值。"),
        book.metric(row, row["indicator_value"], why=f"无值：{why}。" if why else "该年度未报送。"),
        book.figure(f"{TABLE}.target_value", row["target_value"]),
        book.figure(f"{TABLE}.gap_to_target", row["gap_to_target"]),
        book.figure(
            f"{TABLE}.progress_share", row["progress_share"], why="没有基期值或基期已达标，不计算进度。"
        ),
        {True: "已达标", False: "未达标"}.get(row["is_met"], "—"),
        book.figure(
            f"{TABLE}.computed_value",
            row["computed_value"],
            "湖内核算值与上报值不一致，待核。" if differs else "",
            why="该指标或该年度不能由湖内记录核算。",
        ),
    ]


def _brief(book: Book, scope: Scope) -> list[Block]:
    rows = _rows(book, scope)
    if not rows:
        return _blocks(book, scope)
    keys: list[str | Column] = [
        Column("单位"),
        f"{TABLE}.indicator_value",
        f"{TABLE}.target_value",
        Column("状态"),
    ]
    lines = [[line[0], line[1], line[3], line[4], line[7]] for line in (_line(book, row) for row in rows)]
    return [book.table(f"{scope.year}年规划主要指标", "指标", keys, lines)]


def _chart(book: Book, scope: Scope, rows: list[Row]) -> charts.Chart | None:
    history = book.source.rows(
        f"""select indicator_code, indicator_year, indicator_value from {TABLE}
            where {_OF_DISTRICT} and indicator_value is not null and indicator_year <= ? order by all""",
        scope.code,
        scope.year,
    )
    shown = []
    for row in rows:
        line = [
            (float(one["indicator_year"]), float(one["indicator_value"]))
            for one in history
            if one["indicator_code"] == row["metric_code"]
        ]
        target = row["target_value"]
        path = (
            []
            if target is None or not line
            else [(line[0][0], float(target)), (float(scope.year), float(target))]
        )
        shown.append(charts.Panel(f"{row['indicator_no']} {row['metric_zh']}", line, path))
    told = "；".join(
        f"{row['metric_zh']}{printed(row['indicator_value'], 2)}{row['unit_zh']}"
        for row in rows
        if row["indicator_value"] is not None
    )
    return charts.panels(
        f"规划主要指标历年值（实线）与目标（虚线），至{scope.year}年",
        f"{scope.year}年各指标：{told}。数值见下表。",
        shown,
        across=4,
        is_synthetic=book.source.release.is_synthetic,
    )


PART = Part("plan", "规划主要指标 Plan indicators", (TABLE,), _blocks)
BRIEF = Part("plan", PART.title, PART.tables, _brief)
