"""The similar schools of a school: how many, the nearest ones, and where the school stands among them."""

from __future__ import annotations

from jobs.reports import metrics
from jobs.reports.book import Book
from jobs.reports.model import Block, Column, Figure, Paragraph, Piece
from jobs.reports.scope import STAGE_ORDER, STAGES, Part, Scope, notice, word

SET, MEMBER, POSITION = "fct_similar_set", "fct_similar_school", "fct_school_position"
_NAMED = 5


def _blocks(book: Book, scope: Scope) -> list[Block]:
    sets = book.source.rows(f"select * from {SET} where school_code = ? order by {STAGE_ORDER}", scope.code)
    if not sets:
        return [notice("没有同类学校的比较。")]
    blocks: list[Block] = []
    for row in sets:
        stage = word(STAGES, row["stage_code"])
        if not row["set_size"]:
            blocks.append(notice(f"{stage}：同类学校过少，不作比较。"))
            continue
        near = book.source.rows(
            f"""select comparator_school_name from {MEMBER} where school_code = ? and stage_code = ?
                order by similar_order limit {_NAMED}""",
            *(scope.code, row["stage_code"]),
        )
        whole = "本学段全部可比学校都在其中，未作挑选。" if row["is_whole_stage"] else ""
        said: list[Piece] = [
            f"{stage}：同类学校",
            book.figure(f"{SET}.set_size", row["set_size"], whole, unit=True),
            "，自",
            book.figure(f"{SET}.candidate_count", row["candidate_count"], unit=True),
            "可比学校中按规模、流动、功能区、随迁、寄宿选取；最近的是",
            f"{'、'.join(str(one['comparator_school_name']) for one in near)}。",
        ]
        blocks.append(Paragraph(tuple(said)))
    return blocks + _positions(book, scope)


def _positions(book: Book, scope: Scope) -> list[Block]:
    """Where the school stands among them, in the words of the mart; nothing of few persons."""
    if not book.source.has(POSITION):
        return []
    rows = book.source.rows(
        f"""select place.*, value.metric_flags from {POSITION} as place
            inner join {metrics.TABLE} as value
                on value.metric_code = place.metric_code and value.unit_code = place.school_code
                and value.period = place.period and value.unit_level = 'school'
                and value.value_basis = 'counted'
            where place.school_code = ? and place.position_zh is not null
            order by {STAGE_ORDER}, place.metric_code""",
        scope.code,
    )
    lines: list[list[Piece]] = [
        [
            Figure(book.metric_name(row["metric_code"]), None, book.metric_number(row["metric_code"])),
            row["period"],
            metrics.figure(book, row["metric_code"], row, unit=True),
            book.metric(row["metric_code"], row["set_median_value"], unit=True),
            row["position_zh"],
        ]
        for row in rows
        if not metrics.is_small(row)
    ]
    keys: list[str | Column] = [
        *(
            Column("期间"),
            Column("本校", is_number=True),
            Column("同类中位数", is_number=True),
            Column("位置"),
        )
    ]
    return [book.table("在同类学校中的位置", "指标", keys, lines)] if lines else []


PART = Part("similar", "同类学校 Similar schools", (SET, MEMBER, *metrics.TABLES), _blocks)
