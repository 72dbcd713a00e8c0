"""Schools and pupils of a district by stage, and a school's pupils by grade."""

from __future__ import annotations

from decimal import Decimal

from jobs.reports.book import Book, school_year
from jobs.reports.model import Block, Piece, Table
from jobs.reports.scope import GRADE_ORDER, STAGES, Part, Scope, Sentence, grade, notice
from jobs.reports.source import Row

TABLE = "fct_enrollment_grade"
_INCOMPLETE = "有学校尚未上报，合计偏小。"


def _total(book: Book, scope: Scope, year: int) -> Row:
    return book.source.rows(
        f"""select sum(pupil_count)::bigint as pupils, count(distinct school_code) as schools,
            bool_and(is_district_complete) as is_complete
            from {TABLE} where district_code = ? and school_year_start = ?""",
        scope.district_code,
        year,
    )[0]


def _change(now: Row, before: Row) -> Decimal | None:
    if now["pupils"] is None or not before["pupils"]:
        return None
    return (Decimal(now["pupils"]) / Decimal(before["pupils"]) - 1).quantize(Decimal("0.0001"))


def sentence(book: Book, scope: Scope) -> Sentence | None:
    """Schools and pupils of the year, and the change; None where no school counted pupils."""
    if not book.source.has(TABLE):
        return None
    now, before = _total(book, scope, scope.year), _total(book, scope, scope.year - 1)
    if now["pupils"] is None:
        return None
    notes = [] if now["is_complete"] else [_INCOMPLETE]
    said: list[Piece] = [
        f"{school_year(scope.year)}，{scope.name}有学校和幼儿园",
        book.figure(f"{TABLE}.school_count", now["schools"], unit=True),
        "，在校生",
        book.figure(f"{TABLE}.pupil_count", now["pupils"], *notes, unit=True),
    ]
    change = _change(now, before)
    if change is not None:
        said += ["，比上学年增减", book.figure(f"{TABLE}.change_share", change, unit=True)]
    return (*said, "。")


def _blocks(book: Book, scope: Scope) -> list[Block]:
    rows = book.source.rows(
        f"""select stage_code, school_year_start, sum(pupil_count)::bigint as pupils,
            count(distinct school_code) as schools
            from {TABLE} where district_code = ? and school_year_start in (?, ?) group by all""",
        scope.district_code,
        scope.year,
        scope.year - 1,
    )
    found = {(row["stage_code"], row["school_year_start"]): row for row in rows}
    none = {"pupils": None, "schools": None}
    lines: list[list[Piece]] = []
    for stage, name in STAGES.items():
        now = found.get((stage, scope.year))
        if now:
            lines.append(_line(book, name, now, found.get((stage, scope.year - 1), none)))
    if not lines:
        return [notice(f"{scope.name}没有{school_year(scope.year)}的学校或在校生数据。")]
    lines.append(_line(book, "合计", _total(book, scope, scope.year), _total(book, scope, scope.year - 1)))
    keys = [f"{TABLE}.school_count", f"{TABLE}.pupil_count", f"{TABLE}.change_share"]
    return [book.table(f"{school_year(scope.year)}各学段学校与在校生", "学段", keys, lines)]


def _line(book: Book, name: str, now: Row, before: Row) -> list[Piece]:
    return [
        name,
        book.figure(f"{TABLE}.school_count", now["schools"]),
        book.figure(f"{TABLE}.pupil_count", now["pupils"]),
        book.figure(f"{TABLE}.change_share", _change(now, before), why="上一学年没有数据。"),
    ]


def grades(book: Book, scope: Scope) -> Table | None:
    """A school's pupils by grade in its newest school year up to the scope's; None where there are none."""
    rows = book.source.rows(
        f"""select grade_key, school_year_start, pupil_count from {TABLE}
            where school_code = ? and school_year_start = (
                select max(school_year_start) from {TABLE} where school_code = ? and school_year_start <= ?)
            order by {GRADE_ORDER}""",
        scope.code,
        scope.code,
        scope.year,
    )
    if not rows:
        return None
    return book.table(
        f"{school_year(rows[0]['school_year_start'])}各年级在校生",
        "年级",
        [f"{TABLE}.pupil_count"],
        [[grade(row["grade_key"]), book.figure(f"{TABLE}.pupil_count", row["pupil_count"])] for row in rows],
    )


PART = Part("enrollment", "学校与在校生 Schools and pupils", (TABLE,), _blocks)
