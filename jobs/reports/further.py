"""What the lake counts of a district beyond plan and fitness, beside the city."""

from __future__ import annotations

from jobs.reports import metrics
from jobs.reports.book import Book
from jobs.reports.model import Block, Column, Figure, Piece
from jobs.reports.scope import Part, Scope, notice
from jobs.reports.source import Row

# Their metrics have sections of their own, as has what quality balance is judged by (`balance_…`).
_ELSEWHERE = "('evaluation', 'fitness')"


def _blocks(book: Book, scope: Scope) -> list[Block]:
    rows = book.source.rows(
        f"""select value.*, metric.sort_order from {metrics.TABLE} as value
            inner join dim_metric as metric using (metric_code)
            where value.unit_level = 'district' and value.unit_code = ? and value.value_basis = 'counted'
            and metric.service not in {_ELSEWHERE} and not starts_with(value.metric_code, 'balance_')
            and (value.period_year = ? or value.period_kind = 'date')
            order by metric.sort_order, value.metric_code, value.period_kind""",
        *(scope.district_code, scope.year),
    )
    if not rows:
        return [notice(f"{scope.name}没有其他指标的数值。")]
    lines = [_line(book, row) for row in rows]
    keys: list[str | Column] = [
        *(Column("单位"), Column("期间"), Column("本区", is_number=True)),
        *(f"{metrics.TABLE}.low_value", f"{metrics.TABLE}.high_value"),
        Column("全市", is_number=True),
    ]
    return [book.table("其他指标", "指标", keys, lines)]


def _line(book: Book, row: Row) -> list[Piece]:
    code = row["metric_code"]
    city = metrics.values(book, code, "city", row["period_year"], basis=row["value_basis"])
    beside = next((one for one in city.values() if one["period_kind"] == row["period_kind"]), None)
    return [
        Figure(book.metric_name(code), None, book.metric_number(code)),
        book.metric_unit(code),
        row["period"],
        metrics.figure(book, code, row),
        metrics.count(book, "low_value", row),
        metrics.count(book, "high_value", row),
        metrics.figure(book, code, beside),
    ]


PART = Part("further", "其他指标 Further metrics", metrics.TABLES, _blocks)
