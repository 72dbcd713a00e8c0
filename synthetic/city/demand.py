"""Children registered in spring for the first grade of autumn, by weeks, and the audit of their papers."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from synthetic.city.figures import districts
from synthetic.city.identities import dates_of, identity_numbers
from synthetic.city.ladder import P1
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.planning import CITY
from synthetic.city.words import person_names
from synthetic.city.workbook import Cell
from synthetic.city.writers import csv_bytes

HEADINGS = (
    *("入学年份", "儿童姓名", "身份证件类型", "身份证件号", "出生日期", "性别", "登记区", "街道", "入学学段"),
    *("登记日期", "是否本市户籍", "务工就业证明", "实际住所居住证明", "全家户口簿", "居住证"),
    *("户籍地无监护条件证明", "审核状态"),
)
OPENS, WEEKS = (5, 1), 5
# Assumptions: who has registered by the end of each week, and who enters in autumn without ever registering.
WEEK_SHARES = (0.30, 0.29, 0.21, 0.13, 0.07)
UNREGISTERED_SHARE = 0.02
_YEAR_SPREAD = 0.12  # of the weeks' weights from one year to the next: no spring fills like the one before
# A paper in the first file that names the child, and after the audit of June.
_FIRST_STATES = (("待审核", 0.70), ("审核通过", 0.22), ("未提交", 0.05), ("退回补正", 0.03))
_LAST_STATES = (("审核通过", 0.965), ("未提交", 0.012), ("退回补正", 0.023))


def write_school_age_registrations(part: Part) -> None:
    """A file at the end of each week of May with the children of that week, and the audit's end on 20 June.

    They are the children who stand in the first grade in autumn, less a few who come unannounced."""
    roll = part.population.rolls[part.year, 1]
    mine = roll.take(np.flatnonzero(roll.grade == P1))
    rng = stream(part.seed, Stream.PLANNING, 4, part.year)
    known = rng.random(len(mine)) >= UNREGISTERED_SHARE
    weights = np.array(WEEK_SHARES) * np.exp(rng.normal(0, _YEAR_SPREAD, WEEKS))
    week = rng.choice(WEEKS, len(mine), p=weights / weights.sum())
    first_day = date(part.year, *OPENS)
    days = week * 7 + rng.integers(0, 7, len(mine))
    people, person = part.people, mine.person
    rows = np.flatnonzero(known)
    rows = rows[np.lexsort((person[rows], days[rows]))]
    numbers = identity_numbers(people, person[rows])
    names = person_names(people.name[person[rows]])
    births = dates_of(people.birth[person[rows]])
    lines: list[list[Cell]] = []
    finals: list[list[Cell]] = []
    draws = rng.random((len(rows), 2, 5))
    for n, row in enumerate(rows.tolist()):
        who = int(person[row])
        card, migrant = bool(people.has_card[who]), bool(people.is_migrant[who])
        school = int(mine.school[row])
        head: list[Cell] = [
            part.year,
            names[n],
            "1" if card else "A",
            numbers[n] if card else f"XX{int(people.number[who]):07d}",
            births[n].isoformat(),
            "男" if people.is_male[who] else "女",
            districts()[int(part.schools.district[school])].code,
            part.schools.areas[school],
            "小学",
            (first_day + timedelta(days=int(days[row]))).isoformat(),
            "否" if migrant else "是",
        ]
        lines.append(head + _papers(migrant, draws[n, 0].tolist(), _FIRST_STATES))
        if migrant:
            finals.append(head + _papers(migrant, draws[n, 1].tolist(), _LAST_STATES))
    of_week = week[rows]
    for number in range(WEEKS):
        of_this_week = [line for line, w in zip(lines, of_week.tolist(), strict=True) if w == number]
        _put(
            part,
            first_day + timedelta(days=7 * number + 6),
            f"学龄人口信息登记_{part.year}_第{number + 1}周",
            of_this_week,
        )
    _put(part, date(part.year, 6, 20), f"学龄人口信息登记_{part.year}_审核结果", finals)


def _papers(migrant: bool, draws: list[float], states: tuple[tuple[str, float], ...]) -> list[Cell]:
    """States of the five papers and of the whole: the worst of them."""
    if not migrant:
        return [*["无需提供"] * 5, "审核通过"]
    ends = np.cumsum([share for _, share in states])
    found: list[Cell] = [states[min(int(np.searchsorted(ends, d)), len(states) - 1)][0] for d in draws]
    worst: Cell = next(s for s in ("退回补正", "未提交", "待审核", "审核通过") if s in found)
    return [*found, worst]


def _put(part: Part, day: date, name: str, rows: list[list[Cell]]) -> None:
    if rows:
        part.landing.put(
            "place_demand", CITY, day, f"{name}.csv", csv_bytes(HEADINGS, rows, "utf-8-sig"), len(rows)
        )
