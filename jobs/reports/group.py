"""The profile of a school group on one page: its members and their sums."""

from __future__ import annotations

from jobs.publish.release import CITY, Release
from jobs.reports import fitness
from jobs.reports.book import Book, facts, school_year
from jobs.reports.district import chosen_year, finished
from jobs.reports.model import Block, Column, Piece, Report
from jobs.reports.scope import Part, Scope, notice
from jobs.reports.source import Row, Source, open_source

_MEMBERS, _GROUP, _PUPILS = "brg_school_group_member", "dim_school_group", "fct_enrollment_grade"
_ROLES = {"lead": "牵头校", "member": "成员校"}


def profile(release: Release, code: str, year: int | None = None) -> Report:
    """The profile of a group, by default for its newest school year. Raises UserError for an unknown group.

    A group with members in several districts is read from the city's file.
    """
    city = Source(release)
    found = city.unit("group", code)
    districts = {
        row["district_code"]
        for row in city.rows(
            f"select district_code from {_MEMBERS} where school_group_code = ?", found["code"]
        )
    }
    audience = f"district-{found['district_code']}" if districts <= {found["district_code"]} else CITY
    source = open_source(release, audience)
    chosen = chosen_year(release, _years(source, found["code"]), year, found["name"])
    scope = Scope("group", found["code"], found["name"], chosen, found["district_code"])
    book = Book(source)
    return finished(
        book,
        [part.section(book, scope) for part in PARTS],
        slug=f"group-{scope.code}-{chosen}",
        title=f"{scope.name}概况",
        subtitle=f"School group profile {chosen} · {scope.code}",
        columns=1,
    )


def _years(source: Source, code: str) -> list[int]:
    if not source.has(_PUPILS, _MEMBERS):
        return []
    rows = source.rows(
        f"""select distinct school_year_start as year from {_PUPILS} inner join {_MEMBERS} using (school_code)
            where school_group_code = ? order by all""",
        code,
    )
    return [row["year"] for row in rows]


def _facts(book: Book, scope: Scope) -> list[Block]:
    row = book.source.rows(f"select * from {_GROUP} where school_group_code = ?", scope.code)[0]
    partial = "" if row["is_complete"] else "有成员校未上报在校生，合计偏小。"
    return [
        facts(
            ("集团代码", scope.code),
            ("牵头校", row["lead_school_name"]),
            ("成员校", book.figure(f"{_GROUP}.school_count", row["school_count"], unit=True)),
            ("在校生", book.figure(f"{_GROUP}.pupil_count", row["pupil_count"], partial, unit=True)),
        )
    ]


def _members(book: Book, scope: Scope) -> list[Block]:
    rows = book.source.rows(
        f"""select member.school_code, member.school_name, member.group_role_code, school.school_type_zh,
                school.place_count, school.class_count, pupils.pupil_count
            from {_MEMBERS} as member left join dim_school as school using (school_code)
            left join (select school_code, sum(pupil_count)::bigint as pupil_count from {_PUPILS}
                where school_year_start = ? group by all) as pupils using (school_code)
            where member.school_group_code = ?
            order by member.group_role_code <> 'lead', member.school_code""",
        scope.year,
        scope.code,
    )
    if not rows:
        return [notice("集团没有成员校。")]
    names = ("dim_school.place_count", "dim_school.class_count", f"{_PUPILS}.pupil_count")
    lines = [
        [
            row["school_name"],
            _ROLES.get(row["group_role_code"], row["group_role_code"] or "—"),
            row["school_type_zh"] or "—",
            *_counts(book, names, row),
        ]
        for row in rows
    ]
    sums = {name.partition(".")[2]: _sum(rows, name.partition(".")[2]) for name in names}
    lines.append(["合计", "", "", *_counts(book, names, sums)])
    keys: list[str | Column] = [Column("角色"), Column("办学类型"), *names]
    return [book.table(f"成员校（在校生为{school_year(scope.year)}）", "学校", keys, lines)]


def _counts(book: Book, names: tuple[str, ...], row: Row) -> list[Piece]:
    return [book.figure(name, row[name.partition(".")[2]], why="未上报。") for name in names]


def _sum(rows: list[Row], name: str) -> int | None:
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else None


def _fitness(book: Book, scope: Scope) -> list[Block]:
    found = fitness.of_level(book, "school", scope.year)
    members = book.source.rows(
        f"""select school_code, school_name from {_MEMBERS} where school_group_code = ?
            order by group_role_code <> 'lead', school_code""",
        scope.code,
    )
    lines = [
        [row["school_name"], *fitness.figures(book, found[row["school_code"]])]
        for row in members
        if row["school_code"] in found
    ]
    if not lines:
        return [notice(f"没有{school_year(scope.year)}的体质健康测试结果。")]
    whole = fitness.of_level(book, "group", scope.year).get(scope.code)
    if whole is not None:
        lines.append(["集团合计", *fitness.figures(book, whole)])
    caption = f"{school_year(scope.year)}体质健康测试结果（不作排名）"
    return [book.table(caption, "学校", fitness.columns(book), lines)]


PARTS = (
    Part("facts", "基本情况 Facts", (_GROUP,), _facts),
    Part("members", "成员校 Members", (_MEMBERS, "dim_school", _PUPILS), _members),
    Part("fitness", "学生体质健康 Fitness", (*fitness.PART.tables, _MEMBERS), _fitness),
)
