"""A district's yearly report, and its profile on one page."""

from __future__ import annotations

from jobs import origin
from jobs.publish.release import Release
from jobs.reports import (
    balance,
    change,
    deliveries,
    enrollment,
    fitness,
    further,
    ladder,
    metrics,
    places,
    plan,
    safety,
)
from jobs.reports.book import Book, school_year
from jobs.reports.model import Block, Points, Report, Section
from jobs.reports.scope import Scope, notice
from jobs.reports.source import Source, open_source
from jobs.settings import UserError

PARTS = (
    *(enrollment.PART, plan.PART, balance.PART, change.PART, fitness.PART, places.PART),
    *(safety.PART, further.PART, ladder.PART, deliveries.PART),
)
ON_ONE_PAGE = (enrollment.PART, plan.BRIEF, balance.BRIEF, fitness.BRIEF, places.BRIEF)
GLANCES = (plan.sentence, balance.sentence, fitness.sentence, places.sentence, safety.sentence)
_GLANCE = "要点 At a glance"
# Where a year must have rows for a report to be about it.
_YEARS = {
    "fct_plan_indicator": (
        "select indicator_year from {} where district_code = ? and indicator_value is not null"
    ),
    "fct_enrollment_grade": "select school_year_start from {} where district_code = ?",
    # Of this metric alone: others are of years to come.
    "fct_metric_value": (
        "select period_year from {} where unit_level = 'district' and unit_code = ?"
        f" and metric_code = '{metrics.GOOD}'"
    ),
}


def years(source: Source, district_code: str) -> list[int]:
    """The years of which the release tells something about a district."""
    found = set()
    for table, query in _YEARS.items():
        if source.has(table):
            found |= {next(iter(row.values())) for row in source.rows(query.format(table), district_code)}
    return sorted(year for year in found if year is not None)


def report(release: Release, code: str, year: int) -> Report:
    """The yearly report of a district. Raises UserError for an unknown district, or a year without data."""
    source, scope = _opened(release, code, year)
    chosen_year(release, years(source, scope.code), year, scope.name)
    book = Book(source)
    sections = [glance(book, scope), *(part.section(book, scope) for part in PARTS), method(book, scope)]
    return finished(
        book,
        sections,
        slug=f"{scope.code}-{year}",
        title=f"{scope.name}{year}年教育评价年度报告",
        subtitle=f"Education report of the year {year} · district {scope.code}",
    )


def profile(release: Release, code: str, year: int | None = None) -> Report:
    """The profile of a district on one page, by default for its newest year. Raises UserError as `report`."""
    source, scope = _opened(release, code, year or 0)
    known = years(source, scope.code)
    chosen = chosen_year(release, known, year, scope.name)
    scope = Scope(scope.kind, scope.code, scope.name, chosen, scope.district_code)
    book = Book(source)
    sections = [glance(book, scope), *(part.section(book, scope) for part in ON_ONE_PAGE)]
    return finished(
        book,
        sections,
        slug=f"district-{scope.code}-{chosen}",
        title=f"{scope.name}教育概况（{chosen}年）",
        subtitle=f"District profile {chosen} · {scope.code}",
        columns=2,
    )


def chosen_year(release: Release, known: list[int], year: int | None, name: str) -> int:
    """The year asked for, else the newest one. Raises UserError for one without data."""
    if year is not None and known and year not in known:
        raise UserError(
            f"release {release.number} has no figures of {name} for {year}.",
            f"Years with figures: {spans(known)}.",
        )
    return year or (max(known) if known else int(str(release.manifest["as_of_date"])[:4]))


def _opened(release: Release, code: str, year: int) -> tuple[Source, Scope]:
    found = Source(release).unit("district", code)
    source = open_source(release, f"district-{found['code']}")
    return source, Scope("district", found["code"], found["name"], year, found["code"])


def glance(book: Book, scope: Scope) -> Section:
    """Sentences made of the figures; those without data are left out."""
    said = tuple(one for make in GLANCES if (one := make(book, scope)) is not None)
    blocks: tuple[Block, ...] = (Points(said),) if said else (notice("本发布版没有该年度的数据。"),)
    return Section("glance", _GLANCE, blocks)


def method(book: Book, scope: Scope) -> Section:
    """How the report came about, which is the same for all its figures."""
    about = (
        f"“{scope.year}年”：按年统计的指标为{scope.year}年值，按学年统计的为{school_year(scope.year)}（当年秋季开始）的值；"
        "隐患、平安校园、数据质量等为数据截至日的情况。",
        f"全部数值出自数据发布版第{book.source.release.number}号的{book.source.audience}文件，截至{book.source.as_of}；"
        "同一发布版生成的网页、PDF与文档数值、文字一致。",
        "数值先按原值比较、后四舍五入显示；“—”表示没有数值，原因见注释。人数过少的单元格按数据集市规则隐藏。",
        "带方括号的序号指向“口径与来源”，带圆括号的字母指向“注释”。",
    )
    return Section("method", "编制说明 Method", (Points(tuple((text,) for text in about)),))


def finished(
    book: Book, sections: list[Section], *, slug: str, title: str, subtitle: str, columns: int = 0
) -> Report:
    """The report of sections that are made, with the definitions and footnotes that they used."""
    release = book.source.release
    return Report(
        slug=slug,
        title=title,
        subtitle=subtitle,
        facts=(
            ("站点 site", str(release.manifest.get("title_zh") or release.manifest["site"])),
            ("发布版 release", str(release.number)),
            ("数据截至 as of", book.source.as_of),
            ("运行编号 run", release.run_id),
        ),
        banner=origin.LINE if release.is_synthetic else "",
        sections=tuple(sections),
        definitions=book.definitions,
        notes=book.notes,
        columns=columns,
    )


def spans(known: list[int]) -> str:
    """Years as spans: 2015–2020, 2022."""
    said: list[list[int]] = []
    for year in known:
        if said and year == said[-1][1] + 1:
            said[-1][1] = year
        else:
            said.append([year, year])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in said)
