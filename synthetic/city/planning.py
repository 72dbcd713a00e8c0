"""Births, building projects and homes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from synthetic.city.estates import Estate, make_estates
from synthetic.city.figures import births, districts
from synthetic.city.ladder import GRADES_OF
from synthetic.city.numbers import Stream, allocate, stream
from synthetic.city.part import Part
from synthetic.city.schools import Schools, areas_by_number, district_births
from synthetic.city.words import place_words
from synthetic.city.workbook import Cell
from synthetic.city.writers import csv_bytes

CITY = "110000"
BIRTH_HEADINGS = ("区", "出生年", "出生人数")
PROJECT_HEADINGS = (
    *("项目编号", "项目名称", "区", "街道", "学校标识码", "学段", "建设方式", "学位数", "优质学位数"),
    *("计划启用日期", "预计启用日期", "实际启用日期", "项目状态"),
)
HOUSING_HEADINGS = (
    "住房项目编号",
    "住房项目名称",
    "区",
    "街道",
    "住房类型",
    "住房套数",
    "交付日期",
    "交付状态",
)

# The plan: about 150 schools and 160,000 places over 2021–2025. What comes after is an assumption.
PLAN_PROJECTS, PLAN_PLACES, PLAN_YEARS = 150, 160_000, (2021, 2025)
_LATER_PROJECTS, _LATER_PLACES, _LATER_YEARS = 40, 45_000, (2026, 2028)
_LEAST_PROJECTS = 16
_STAGES = (("primary", "小学", 0.55), ("junior", "初中", 0.30), ("senior", "高中", 0.15))
QUALITY_PLACES = 50_000  # of the plan's places, in some 17 schools
_SLIP_SHARES = (0.72, 0.19, 0.07, 0.02)  # assumption: school years a project opens late
_EXTENSION = "改扩建"
_KINDS = (("新建", 0.5), (_EXTENSION, 0.27), ("接收配套", 0.15), ("腾退利用", 0.08))
_HOUSING_ZH = {"planned": "规划", "building": "在建", "delivered": "已交付"}
_STATUS_ZH = {"planned": "规划", "building": "在建", "opened": "已启用", "cancelled": "取消"}


def write_births(part: Part) -> None:
    """Births by district and calendar year, from the city, received on 31 March of the newest year."""
    scale, newest = part.scale, part.newest
    table = district_births(scale)
    rows: list[list[Cell]] = [
        [district.code, year, int(table[number, at])]
        for at, year in enumerate(births())
        if year < newest.year
        for number, district in enumerate(districts())
    ]
    day = date(newest.year, 3, 31)
    data = csv_bytes(BIRTH_HEADINGS, rows, "utf-8-sig")
    part.landing.put("place_demand", CITY, day, f"出生人口_{births_span(newest)}.csv", data, len(rows))


def births_span(newest: date) -> str:
    """First and last year of births that are published before `newest`."""
    years = [year for year in births() if year < newest.year]
    return f"{years[0]}-{years[-1]}"


@dataclass(frozen=True)
class Project:
    """One building project. `slip`: school years that it opens after the plan, known to nobody before."""

    code: str
    name: str
    district: str
    area: str
    stage: str
    stage_zh: str
    kind_zh: str
    places: int
    quality_places: int
    opening: date
    slip: int
    is_cancelled: bool

    @property
    def true_opening(self) -> date:
        return date(self.opening.year + self.slip, 9, 1)

    def expected(self, on: date) -> date:
        """What the senders say on a day: a delay is admitted in the year it shows, a year at a time."""
        opening = self.opening
        while opening < self.true_opening and on >= date(opening.year, 3, 1):
            opening = date(opening.year + 1, 9, 1)
        return opening

    def status(self, on: date) -> str:
        if self.is_cancelled and on.year >= self.opening.year - 1:
            return "cancelled"
        if on >= self.true_opening:
            return "opened"
        return "building" if (self.opening - on).days < 900 else "planned"


def make_projects(scale: float, seed: int, areas: Mapping[str, Sequence[str]]) -> list[Project]:
    """The plan's projects, places adding up to 160,000 × scale (50,000 of them of quality), and a tail of
    later ones. `areas`: district code -> its areas."""
    rng = stream(seed, Stream.PLANNING, 0)
    growth = np.array([d.shares["primary"] * (1 + 25 * max(d.yearly_drift, 0)) for d in districts()])
    projects: list[Project] = []
    for span, planned, places in (
        (PLAN_YEARS, PLAN_PROJECTS, PLAN_PLACES),
        (_LATER_YEARS, _LATER_PROJECTS, _LATER_PLACES),
    ):
        count = max(_LEAST_PROJECTS if span == PLAN_YEARS else 4, round(planned * scale))
        seats = allocate(np.array(round(places * scale)), rng.uniform(0.6, 1.6, count))
        of = rng.choice(len(growth), count, p=growth / growth.sum())
        kinds = rng.choice(len(_STAGES), count, p=[part for *_, part in _STAGES])
        years = rng.integers(span[0], span[1] + 1, count)
        words = place_words(rng, count)
        slips = rng.choice(len(_SLIP_SHARES), count, p=_SLIP_SHARES)
        cancelled = rng.random(count) < 0.03
        ways = rng.choice(len(_KINDS), count, p=[part for _, part in _KINDS])
        where = rng.random(count)
        quality = _quality(seats, round(QUALITY_PLACES * scale) if span == PLAN_YEARS else 0)
        for n in range(count):
            stage, stage_zh, _ = _STAGES[kinds[n]]
            district = districts()[of[n]]
            projects.append(
                Project(
                    code=f"XM{years[n]}{len(projects) + 1:04d}",
                    name=f"{district.name_zh}{words[n]}{stage_zh}建设项目",
                    district=district.code,
                    area=areas[district.code][int(where[n] * len(areas[district.code]))],
                    stage=stage,
                    stage_zh=stage_zh,
                    kind_zh=_KINDS[ways[n]][0],
                    places=int(seats[n]),
                    quality_places=quality[n],
                    opening=date(int(years[n]), 9, 1),
                    slip=int(slips[n]),
                    is_cancelled=bool(cancelled[n]) and span != PLAN_YEARS,
                )
            )
    return projects


def _quality(seats: NDArray[np.int64], wanted: int) -> list[int]:
    """Quality places of each project: whole projects, the largest first, until `wanted` is met."""
    out = [0] * len(seats)
    for n in np.argsort(-seats, kind="stable").tolist():
        out[n] = min(int(seats[n]), wanted)
        wanted -= out[n]
    return out


def areas_of_districts(schools: Schools) -> dict[str, list[str]]:
    """District code -> the areas in which it has schools, in order."""
    return {districts()[number].code: areas for number, areas in areas_by_number(schools).items()}


def write_projects(part: Part) -> None:
    """All projects as they stand on 10 April of each year asked for, and on 10 October of the last."""
    years = part.city.years
    projects = make_projects(part.scale, part.seed, areas_of_districts(part.schools))
    days = [date(year, 4, 10) for year in range(years[0], years[1] + 1)] + [date(years[1], 10, 10)]
    for day in days:
        rows: list[list[Cell]] = [_project_row(p, day, part.schools) for p in projects]
        data = csv_bytes(PROJECT_HEADINGS, rows, "gb18030")
        part.landing.put(
            "place_demand", CITY, day, f"学校建设项目_{day.year}-{day.month:02d}.csv", data, len(rows)
        )


def extended_school(schools: Schools, project: Project) -> int | None:
    """The school that a project extends: the fullest public one of its district and stage; None of others."""
    if project.kind_zh != _EXTENSION:
        return None
    number = [d.code for d in districts()].index(project.district)
    grades = GRADES_OF[project.stage]
    pupils = schools.pupils[:, -1]
    here = [
        s
        for s in schools.of_district(number).tolist()
        if not schools.is_private[s] and pupils[s, grades[0]] > 0
    ]
    return max(here, key=lambda s: (pupils[s].sum() / schools.places[s, 1], s), default=None)


def _project_row(p: Project, day: date, schools: Schools) -> list[Cell]:
    status, extended = p.status(day), extended_school(schools, p)
    return [
        p.code,
        p.name,
        p.district,
        p.area if extended is None else schools.areas[extended],
        "" if extended is None else schools.codes[extended],
        p.stage_zh,
        p.kind_zh,
        p.places,
        p.quality_places,
        p.opening.isoformat(),
        p.expected(day).isoformat() if status in ("planned", "building") else "",
        p.true_opening.isoformat() if status == "opened" else "",
        _STATUS_ZH[status],
    ]


def write_housing(part: Part) -> None:
    """Homes handed over and to come, by project, as they stand on 12 April of the newest year."""
    day = date(part.newest.year, 4, 12)
    rows: list[list[Cell]] = []
    for estate in make_estates(part.scale, part.seed, areas_by_number(part.schools)):
        rows.append(
            [
                estate.code,
                estate.name,
                districts()[estate.district].code,
                estate.area,
                estate.kind_zh,
                estate.homes,
                estate.handed.isoformat(),
                _HOUSING_ZH[housing_status(estate, day)],
            ]
        )
    data = csv_bytes(HOUSING_HEADINGS, rows, "utf-8-sig")
    part.landing.put("place_demand", CITY, day, f"住房交付_{day.year}.csv", data, len(rows))


def housing_status(estate: Estate, on: date) -> str:
    """What the senders say of an estate on a day."""
    if estate.handed <= on:
        return "delivered"
    return "building" if estate.handed.year <= on.year + 2 else "planned"
