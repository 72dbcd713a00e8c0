"""Where a district stands on the supervision ladder, metric by metric, and why."""

from __future__ import annotations

from jobs.reports.book import Book, day
from jobs.reports.model import Block, Column, Piece
from jobs.reports.scope import Part, Scope, notice

TABLE = "fct_supervision_ladder"


def _blocks(book: Book, scope: Scope) -> list[Block]:
    rows = book.source.rows(
        f"""select * from {TABLE} where district_code = ?
            order by step_number desc, step_since_date, supervised_metric_code""",
        scope.district_code,
    )
    if not rows:
        return [notice(f"到{book.source.as_of}，{scope.name}没有处于督导措施中的指标。")]
    lines: list[list[Piece]] = [
        [
            row["supervised_metric_zh"] or row["supervised_metric_code"],
            row["supervision_step_zh"] or row["supervision_step_code"],
            day(row["step_since_date"]),
            book.figure(f"{TABLE}.days_on_step", row["days_on_step"]),
            row["reason_zh"] or "—",
            row["next_step_zh"] or "—",
        ]
        for row in rows
    ]
    keys: list[str | Column] = [
        Column("措施"),
        Column("起始"),
        f"{TABLE}.days_on_step",
        Column("理由"),
        Column("下一措施"),
    ]
    return [book.table(f"督导措施（截至{book.source.as_of}）", "指标", keys, lines)]


PART = Part("ladder", "督导措施 Supervision ladder", (TABLE,), _blocks)
