"""Hazards and incidents of a school year in a district, and its campuses that are safe by the criteria."""

from __future__ import annotations

from jobs.clock import first_day
from jobs.reports.book import Book, school_year
from jobs.reports.model import Block, Column, Piece
from jobs.reports.scope import Part, Scope, Sentence, notice
from jobs.reports.source import Row

HAZARDS, INCIDENTS, CAMPUSES = "fct_safety_hazard", "fct_safety_incident_month", "fct_safety_campus_status"
_COUNTS = ("found_count", "open_count", "overdue_count", "late_count")
_HAZARD_COUNTS = """count(*) as found_count, count(*) filter (where is_hazard_open) as open_count,
    count(*) filter (where is_hazard_overdue) as overdue_count,
    count(*) filter (where hazard_done_date > hazard_due_date) as late_count"""
_HAPPENED = ("incident_count", "injured_count", "serious_incident_count")


def _hazards(book: Book, scope: Scope, by: str) -> list[Row]:
    return book.source.rows(
        f"""select {by} as name, {_HAZARD_COUNTS} from {HAZARDS}
            where district_code = ? and found_date >= ? and found_date < ?
            group by all having count(*) > 0 order by all""",
        scope.district_code,
        first_day(scope.year),
        first_day(scope.year + 1),
    )


def _incidents(book: Book, scope: Scope, by: str) -> list[Row]:
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in _HAPPENED)
    return book.source.rows(
        f"""select {by} as name, {sums} from {INCIDENTS} where district_code = ?
            and month_start_date >= ? and month_start_date < ?
            group by all having count(*) > 0 order by all""",
        scope.district_code,
        first_day(scope.year),
        first_day(scope.year + 1),
    )


def sentence(book: Book, scope: Scope) -> Sentence | None:
    """Hazards found and overdue, incidents; None where neither was told."""
    if not book.source.has(HAZARDS, INCIDENTS):
        return None
    hazards, incidents = _hazards(book, scope, "''"), _incidents(book, scope, "''")
    if not hazards and not incidents:
        return None
    said: list[Piece] = [f"{school_year(scope.year)}"]
    if hazards:
        said += ["登记安全隐患", book.figure(f"{HAZARDS}.found_count", hazards[0]["found_count"], unit=True)]
        said += [
            "，其中逾期未改",
            book.figure(f"{HAZARDS}.overdue_count", hazards[0]["overdue_count"], unit=True),
        ]
    if incidents:
        said += ["；" if hazards else "", "上报安全事件"]
        said += [book.figure(f"{INCIDENTS}.incident_count", incidents[0]["incident_count"], unit=True)]
    return (*said, "。")


def _blocks(book: Book, scope: Scope) -> list[Block]:
    blocks: list[Block] = []
    if hazards := _hazards(book, scope, "hazard_category_zh || '·' || hazard_grade_zh"):
        rows = [*hazards, *({**row, "name": "合计"} for row in _hazards(book, scope, "''"))]
        lines = [
            [row["name"] or "未识别", *(book.figure(f"{HAZARDS}.{one}", row[one]) for one in _COUNTS)]
            for row in rows
        ]
        keys = [f"{HAZARDS}.{one}" for one in _COUNTS]
        blocks.append(book.table(f"{school_year(scope.year)}安全隐患", "类别与等级", keys, lines))
    else:
        blocks.append(notice(f"{scope.name}没有{school_year(scope.year)}的隐患登记。"))
    if incidents := _incidents(book, scope, "incident_type_zh"):
        rows = [*incidents, *({**row, "name": "合计"} for row in _incidents(book, scope, "''"))]
        lines = [
            [row["name"] or "未识别", *(book.figure(f"{INCIDENTS}.{one}", row[one]) for one in _HAPPENED)]
            for row in rows
        ]
        keys = [f"{INCIDENTS}.{one}" for one in _HAPPENED]
        blocks.append(book.table(f"{school_year(scope.year)}安全事件", "类型", keys, lines))
    else:
        blocks.append(notice(f"{scope.name}没有{school_year(scope.year)}的安全事件上报。"))
    return [*blocks, *_campuses(book, scope)]


def _campuses(book: Book, scope: Scope) -> list[Block]:
    if not book.source.has(CAMPUSES):
        return []
    rows = book.source.rows(
        f"""select count(*) as schools, count(*) filter (where is_safe_campus_met) as met,
            bool_or(unmapped_count > 0) as is_unmapped from {CAMPUSES} where district_code = ?""",
        scope.district_code,
    )
    if not rows[0]["schools"]:
        return []
    notes = ["有代码未识别，达标数可能变化。"] if rows[0]["is_unmapped"] else []
    line: list[Piece] = [
        "全区",
        book.figure(f"{CAMPUSES}.school_count", rows[0]["schools"]),
        book.figure(f"{CAMPUSES}.met_count", rows[0]["met"], *notes),
    ]
    keys: list[str | Column] = [f"{CAMPUSES}.school_count", f"{CAMPUSES}.met_count"]
    return [book.table(f"平安校园核查（截至{book.source.as_of}）", "范围", keys, [line])]


PART = Part("safety", "校园安全 Safety", (HAZARDS, INCIDENTS), _blocks)
