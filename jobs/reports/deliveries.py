"""Data quality of a district: who handed in what, and what became of it."""

from __future__ import annotations

from jobs import declare
from jobs.reports.book import Book
from jobs.reports.model import Block, Piece
from jobs.reports.scope import Part, Scope, notice

TABLE = "fct_feed_quality"
_COUNTS = (
    *("file_count", "held_file_count", "refused_file_count"),
    *("accepted_row_count", "flagged_row_count", "refused_row_count"),
)


def _blocks(book: Book, scope: Scope) -> list[Block]:
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in _COUNTS)
    rows = book.source.rows(
        f"""select dataset, count(distinct sender_code) as sender_count, {sums}
            from {TABLE} where district_code = ? group by dataset order by dataset""",
        scope.district_code,
    )
    if not rows:
        return [notice(f"{scope.name}没有报送过数据。")]
    names = ["sender_count", *_COUNTS]
    contracts = declare.load()
    lines: list[list[Piece]] = [
        [
            contracts[row["dataset"]].zh if row["dataset"] in contracts else "未识别的文件",
            *(book.figure(f"{TABLE}.{name}", row[name]) for name in names),
        ]
        for row in rows
    ]
    return [
        book.table(
            f"各数据表报送情况（截至{book.source.as_of}，含各年度）",
            "数据表",
            [f"{TABLE}.{n}" for n in names],
            lines,
        )
    ]


PART = Part("quality", "数据质量 Data quality", (TABLE,), _blocks)
