"""The similar schools of a school: how many, how they were found, and the nearest ones."""

from __future__ import annotations

from jobs.reports.book import Book
from jobs.reports.model import Block, Paragraph, Piece
from jobs.reports.scope import STAGE_ORDER, STAGES, Part, Scope, notice, word

SET, MEMBER = "fct_similar_set", "fct_similar_school"
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
            "可比学校中按规模、流动、功能区、随迁和寄宿情况选取；最近的是",
            f"{'、'.join(str(one['comparator_school_name']) for one in near)}。",
        ]
        blocks.append(Paragraph(tuple(said)))
    return blocks


PART = Part("similar", "同类学校 Similar schools", (SET, MEMBER), _blocks)
