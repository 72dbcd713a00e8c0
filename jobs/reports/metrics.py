"""Values of metrics in a release: read from `fct_metric_value`, never computed again."""

from __future__ import annotations

from jobs.declare import missing
from jobs.reports.book import Book
from jobs.reports.model import Piece
from jobs.reports.source import Row

TABLE = "fct_metric_value"
TABLES = (TABLE, "dim_metric")
GOOD, PASSES, TESTED = "fitness_good_or_excellent_rate", "fitness_pass_share", "fitness_tested_share"
SMALL = "small_number"
_FEW = "人数过少，不予公布。"
_FLAGS = {"unmapped_code": "有代码未识别，数值可能变化。"}


def values(book: Book, code: str, level: str, year: int, *, basis: str = "counted") -> dict[str, Row]:
    """Unit -> the metric's row in a year, of all units of a level that the file has."""
    rows = book.source.rows(
        f"""select * from {TABLE} where metric_code = ? and value_basis = ? and unit_level = ?
            and period_year = ? order by unit_code""",
        *(code, basis, level, year),
    )
    return {row["unit_code"]: row for row in rows}


def is_small(row: Row) -> bool:
    """Whether the mart says that the figure is of few persons."""
    return SMALL in (row["metric_flags"] or "").split()


def is_shown(row: Row | None) -> bool:
    """Whether a value may be printed."""
    return row is not None and row["metric_value"] is not None and not is_small(row)


def reason(row: Row | None) -> str:
    """Why there is no value to print; blank where there is one."""
    if row is None:
        return "没有该年度的数据。"
    if is_small(row):
        return _FEW
    return "" if row["metric_value"] is not None else _told(row["missing_reason"])


def _told(code: str | None) -> str:
    return f"{missing.told(code)}。" if code else "没有数值。"


def figure(book: Book, code: str, row: Row | None, *, unit: bool = False) -> Piece:
    """The value of a metric, or a dash that says why."""
    if row is None or not is_shown(row):
        return book.metric(code, None, why=reason(row))
    return book.metric(code, row["metric_value"], *flags(row), unit=unit)


def count(book: Book, name: str, row: Row | None) -> Piece:
    """Numerator, denominator or an end of the interval (`low_value`, `high_value`) of a metric's row."""
    value = row[name] if row is not None and is_shown(row) else None
    return book.figure(f"{TABLE}.{name}", value, why=reason(row) or "该指标不计算区间。")


def flags(row: Row) -> list[str]:
    """What must be known of a value that is printed."""
    return [_FLAGS[flag] for flag in (row["metric_flags"] or "").split() if flag in _FLAGS]
