"""The profile of a school on one page."""

from __future__ import annotations

from jobs.publish.release import Release
from jobs.reports import balance, enrollment, fitness, places, similar
from jobs.reports.book import Book, day, declared, facts, yes_no
from jobs.reports.district import chosen_year, finished
from jobs.reports.model import Block, Column, Facts, Report, Table
from jobs.reports.scope import Part, Scope, notice
from jobs.reports.source import Source, open_source

_PROFILE, _SAFETY = "rpt_services__school_profile", "rpt_services__school_safety"


def profile(release: Release, code: str, year: int | None = None) -> Report:
    """The profile of a school, by default for its newest school year. Raises UserError for an unknown one."""
    found = Source(release).unit("school", code)
    source = open_source(release, f"district-{found['district_code']}")
    chosen = chosen_year(release, _years(source, found["code"]), year, found["name"])
    scope = Scope("school", found["code"], found["name"], chosen, found["district_code"])
    book = Book(source)
    return finished(
        book,
        [part.section(book, scope) for part in PARTS],
        slug=f"school-{scope.code}-{chosen}",
        title=f"{scope.name}概况",
        subtitle=f"School profile {chosen} · {scope.code}",
        columns=2,
    )


def _years(source: Source, code: str) -> list[int]:
    if not source.has(enrollment.TABLE):
        return []
    rows = source.rows(
        f"""select distinct school_year_start as year from {enrollment.TABLE}
            where school_code = ? order by all""",
        code,
    )
    return [row["year"] for row in rows]


def _facts(book: Book, scope: Scope) -> list[Block]:
    row = book.source.rows("select * from dim_school where school_code = ?", scope.code)[0]
    group = []
    if book.source.has("brg_school_group_member"):
        group = book.source.rows(
            """select distinct school_group_name from brg_school_group_member
               where school_code = ? order by all""",
            scope.code,
        )
    blocks: list[Block] = [
        facts(
            ("学校代码", scope.code),
            ("区", row["district_name_zh"]),
            ("学区", row["area_name"]),
            ("办学类型", row["school_type_zh"]),
            ("办别", row["ownership_zh"]),
            ("教育集团", "、".join(one["school_group_name"] for one in group)),
            ("开办日期", day(row["opened_date"])),
            ("在办", yes_no(row["is_open"])),
            ("学位数", book.figure("dim_school.place_count", row["place_count"], unit=True)),
            ("班级数", book.figure("dim_school.class_count", row["class_count"], unit=True)),
        )
    ]
    if row["closed_date"]:
        blocks.append(notice(f"该校已于{day(row['closed_date'])}停办。"))
    return blocks


def _one(made: Table | None, missing: str) -> list[Block]:
    return [made] if made is not None else [notice(missing)]


def _pupils(book: Book, scope: Scope) -> list[Block]:
    return _one(_lying(enrollment.grades(book, scope)), "没有分年级在校生上报。")


def _lying(table: Table | None) -> Table | None:
    """A table of one figure a row as one row of figures: it takes less room."""
    if table is None:
        return None
    column = table.columns[1]
    names = [Column(str(row[0]), column.definition, is_number=True) for row in table.rows]
    return Table(table.caption, (Column("项目"), *names), ((column.label, *(row[1] for row in table.rows)),))


def _safety(book: Book, scope: Scope) -> list[Block]:
    rows = book.source.rows(f"select * from {_SAFETY} where school_code = ?", scope.code)
    if not rows:
        return [notice("没有平安校园核查结果。")]
    row = rows[0]
    counts = ("criterion_count", "met_criterion_count", "open_hazard_count", "overdue_hazard_count")
    shown: Facts = facts(
        ("平安校园达标", yes_no(row["is_safe_campus_met"])),
        *(
            (declared()[f"{_SAFETY}.{name}"].zh, book.figure(f"{_SAFETY}.{name}", row[name], unit=True))
            for name in counts
        ),
        ("未达标项", row["failed_criteria_zh"]),
        ("最近演练", day(row["newest_drill_date"])),
    )
    return [shown]


def _label(book: Book, name: str) -> str:
    return declared()[f"{_SAFETY}.{name}"].zh


PARTS = (
    Part("facts", "基本情况 Facts", ("dim_school",), _facts),
    Part("pupils", "在校生 Pupils", (enrollment.TABLE,), _pupils),
    similar.PART,
    Part("balance", balance.PART.title, (balance.INDICATOR,), balance.of_school),
    Part("fitness", fitness.PART.title, fitness.PART.tables, fitness.of_school),
    Part(
        "places",
        "学位余缺展望 Places ahead",
        (places.OUTLOOK,),
        lambda book, scope: places.outlook(book, scope) or [notice("没有学位预测。")],
    ),
    Part("safety", "校园安全 Safety", (_SAFETY,), _safety),
)
