"""The plan's indicators of a district: value, path, target, forecast, status."""

from __future__ import annotations

from decimal import Decimal

from jobs.reports import charts, metrics
from jobs.reports.book import NONE, Book, printed
from jobs.reports.model import Block, Chart, Column, Figure, Piece
from jobs.reports.scope import Part, Scope, Sentence, notice
from jobs.reports.source import Row

TABLE, DIFFERENCE = "fct_plan_indicator", "fct_plan_difference"
_OF_DISTRICT = "unit_level = 'district' and unit_code = ?"
_VALUES = ("base_value", "path_value", "target_value", "gap_to_target", "forecast_value")
_CAUSES = ("by_date", "by_scope", "by_missing", "by_codes", "unexplained")
# Two decimals are printed: what rounds to nothing is no difference.
_LEAST = Decimal("0.005")
_NO_BASE = "本区没有报送基期值。"
_NO_FORECAST = "目标年已到，或历年值太少，不作预测。"


def _rows(book: Book, scope: Scope) -> list[Row]:
    """The plan's indicators of the year, each with its metric's reported and counted value."""
    rows = book.source.rows(
        f"""select * from {TABLE} where {_OF_DISTRICT} and indicator_year = ?
            order by indicator_no, indicator_code""",
        *(scope.code, scope.year),
    )
    for row in rows:
        for basis in ("reported", "counted"):
            found = metrics.values(book, row["indicator_code"], "district", scope.year, basis=basis)
            row[basis] = found.get(scope.code)
    return rows


def sentence(book: Book, scope: Scope) -> Sentence | None:
    """How many indicators meet their target; None without any value."""
    if not book.source.has(TABLE, *metrics.TABLES):
        return None
    known = [row for row in _rows(book, scope) if metrics.is_shown(row["reported"])]
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
    base, path, target, gap, forecast = (f"{TABLE}.{name}" for name in _VALUES)
    counted = Column("湖内核算值", is_number=True)
    keys: list[str | Column] = [
        Column("单位"),
        base,
        Column("年度值", is_number=True),
        path,
        target,
        gap,
        forecast,
    ]
    table = book.table(
        f"{scope.year}年规划主要指标",
        "指标",
        [*keys, Column("状态"), counted],
        [_line(book, row) for row in rows],
    )
    chart = _chart(book, scope, rows)
    return [table, *([chart] if chart else []), *_differences(book, scope)]


def _differences(book: Book, scope: Scope) -> list[Block]:
    """Where the reported value is not what the lake counts, and by what cause."""
    if not book.source.has(DIFFERENCE):
        return []
    rows = book.source.rows(
        f"""select * from {DIFFERENCE} where {_OF_DISTRICT} and indicator_year = ?
            and abs(value_difference) >= ? order by abs(value_difference) desc, indicator_code""",
        *(scope.code, scope.year, _LEAST),
    )
    if not rows:
        return []
    keys = [f"{DIFFERENCE}.{name}" for name in ("value_difference", *_CAUSES)]
    lines: list[list[Piece]] = []
    for row in rows:
        code = row["indicator_code"]
        name = Figure(book.metric_name(code), None, book.metric_number(code))
        lines.append(
            [name, book.metric_unit(code), *(book.figure(k, row[k.partition(".")[2]]) for k in keys)]
        )
    columns: list[str | Column] = [Column("单位"), *keys]
    return [book.table(f"{scope.year}年上报值与湖内核算值的差异及原因", "指标", columns, lines)]


def _line(book: Book, row: Row) -> list[Piece]:
    code = row["indicator_code"]
    base, path, target, gap, forecast = (f"{TABLE}.{name}" for name in _VALUES)
    counted = row["counted"]
    return [
        Figure(f"{row['indicator_no']} {book.metric_name(code)}", None, book.metric_number(code)),
        book.metric_unit(code),
        book.figure(base, row["base_value"], why=_NO_BASE),
        metrics.figure(book, code, row["reported"]),
        book.figure(path, row["path_value"], why="没有基期值，不计算应达值。"),
        book.figure(target, row["target_value"], why="规划没有目标值。"),
        book.figure(gap, row["gap_to_target"], why="没有指标值或目标值。"),
        book.figure(forecast, row["forecast_value"], why=_NO_FORECAST),
        row["status_zh"] or NONE,
        metrics.figure(book, code, counted)
        if counted is not None
        else book.metric(code, None, why="该指标或该年度不能由湖内记录核算。"),
    ]


def _brief(book: Book, scope: Scope) -> list[Block]:
    rows = _rows(book, scope)
    if not rows:
        return _blocks(book, scope)
    keys: list[str | Column] = [Column("年度值", is_number=True), f"{TABLE}.target_value", Column("状态")]
    lines = [[line[0], line[3], line[5], line[8]] for line in (_line(book, row) for row in rows)]
    return [book.table(f"{scope.year}年规划主要指标", "指标", keys, lines)]


def _chart(book: Book, scope: Scope, rows: list[Row]) -> Chart | None:
    history = book.source.rows(
        f"""select metric_code, period_year, metric_value from {metrics.TABLE}
            where value_basis = 'reported' and {_OF_DISTRICT} and metric_value is not null
            and period_year <= ? order by all""",
        *(scope.code, scope.year),
    )
    ways = book.source.rows(
        f"""select indicator_code, indicator_year, path_value from {TABLE}
            where {_OF_DISTRICT} and path_value is not null and indicator_year <= ? order by all""",
        *(scope.code, scope.year),
    )
    shown = []
    for row in rows:
        path = [
            (float(one["indicator_year"]), float(one["path_value"]))
            for one in ways
            if one["indicator_code"] == row["indicator_code"]
        ]
        line = [
            (float(one["period_year"]), float(one["metric_value"]))
            for one in history
            if one["metric_code"] == row["indicator_code"]
        ]
        if line:
            title = f"{row['indicator_no']} {book.metric_name(row['indicator_code'])}"
            shown.append(_panel(title, line, path, row))
    told = "；".join(
        f"{book.metric_name(row['indicator_code'])}{printed(row['reported']['metric_value'], 2)}"
        f"{book.metric_unit(row['indicator_code'])}，{row['status_zh'] or '无状态'}"
        for row in rows
        if metrics.is_shown(row["reported"])
    )
    return charts.panels(
        f"规划主要指标：历年值（实线）、到目标的路径（橙色虚线）、目标年预测与80%区间（蓝色），至{scope.year}年",
        f"{scope.year}年各指标：{told}。数值见上表。",
        shown,
        across=4,
        is_synthetic=book.source.release.is_synthetic,
    )


def _panel(title: str, line: list[charts.Point], path: list[charts.Point], row: Row) -> charts.Panel:
    """The indicator's years, the way to its target, and the forecast of the target year."""
    target_year, target = row["target_year"], row["target_value"]
    band: list[tuple[float, float, float]] = []
    expected: list[charts.Point] = []
    if target is not None and target_year is not None:
        end = (float(target_year), float(target))
        path = [*(path or [(line[0][0], float(target))]), *([end] if not path or path[-1] != end else [])]
    if row["forecast_value"] is not None and target_year is not None:
        expected = [line[-1], (float(target_year), float(row["forecast_value"]))]
        ends = [row["forecast_low_value"], row["forecast_high_value"]]
        if None not in ends:
            band = [(*line[-1], line[-1][1]), (float(target_year), float(ends[0]), float(ends[1]))]
    return charts.Panel(title, line, path, bands=[(charts.PALER, band)] if band else [], expected=expected)


PART = Part("plan", "规划主要指标 Plan indicators", (TABLE, *metrics.TABLES), _blocks)
BRIEF = Part("plan", PART.title, PART.tables, _brief)
