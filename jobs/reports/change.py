"""What it would take a district to pass quality balance: the cheapest set of changes, by school."""

from __future__ import annotations

from jobs.reports.book import Book, school_year
from jobs.reports.model import Block, Column, Piece
from jobs.reports.scope import STAGE_ORDER, STAGES, Part, Scope, notice, word

CHANGE = "fct_balance_change"
_KINDS = {"add": "增加", "receive": "调入", "give": "调出"}
_RESOURCES = {
    "qualified_teachers": "高于规定学历教师",
    "backbone_teachers": "骨干教师",
    "pe_arts_teachers": "体育、艺术教师",
    "teaching_area_m2": "教学及辅助用房（平方米）",
    "sports_area_m2": "体育运动场馆（平方米）",
    "equipment_value_yuan": "教学仪器设备（元）",
    "multimedia_classrooms": "网络多媒体教室",
}
_MISSING = "没有可行方案，或没有在时限内得出。"


def _blocks(book: Book, scope: Scope) -> list[Block]:
    rows = book.source.rows(
        f"""select * from {CHANGE} where standard = 'quality_balance_2017' and district_code = ?
            order by {STAGE_ORDER}, school_code, resource, change_kind, other_school_code""",
        scope.district_code,
    )
    if not rows:
        return [notice(f"{scope.name}没有需要列出的调整，或没有计算。")]
    groups = {row["stage_code"]: row for row in rows}
    totals: list[list[Piece]] = [
        [
            word(STAGES, stage),
            book.figure(f"{CHANGE}.group_cost_yuan", row["group_cost_yuan"], why=_MISSING),
            book.figure(f"{CHANGE}.least_cost_yuan", row["least_cost_yuan"], why=_MISSING),
        ]
        for stage, row in groups.items()
    ]
    lines: list[list[Piece]] = [
        [
            row["school_name"] or row["school_code"] or "—",
            word(STAGES, row["stage_code"]),
            word(_KINDS, row["change_kind"]),
            word(_RESOURCES, row["resource"]),
            book.figure(f"{CHANGE}.amount", row["amount"], why=_MISSING),
            book.figure(f"{CHANGE}.cost_yuan", row["cost_yuan"], why=_MISSING),
        ]
        for row in rows
    ]
    year = school_year(rows[0]["school_year_start"])
    sums = [f"{CHANGE}.group_cost_yuan", f"{CHANGE}.least_cost_yuan"]
    keys: list[str | Column] = [
        Column("学段"),
        Column("方式"),
        Column("资源"),
        f"{CHANGE}.amount",
        f"{CHANGE}.cost_yuan",
    ]
    return [
        book.table(f"使资源配置达标的最低费用（{year}）", "学段", sums, totals),
        book.table("分校调整清单（按学校代码排列）", "学校", keys, lines),
    ]


PART = Part("change", "达标所需 What it would take", (CHANGE,), _blocks)
