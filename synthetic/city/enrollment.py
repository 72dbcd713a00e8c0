"""Yearly grade returns and school groups."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from synthetic.city.faults import LEAST_ROWS_RETURN
from synthetic.city.figures import FIRST_YEAR, districts
from synthetic.city.forms import Around, fill, office, send
from synthetic.city.ladder import grades
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.past import count, returned
from synthetic.city.schools import Schools
from synthetic.city.words import place_words
from synthetic.city.workbook import Cell
from synthetic.city.writers import csv_bytes

GROUP_HEADINGS = ("集团编号", "集团名称", "学校标识码", "集团角色")


@dataclass(frozen=True)
class Habit:
    """How a district's office writes: codes or Chinese words, with a byte-order mark or without."""

    in_words: bool
    has_bom: bool

    @property
    def encoding(self) -> str:
        return "utf-8-sig" if self.has_bom else "gb18030"


def habit(seed: int, district: int) -> Habit:
    """How the education office of a district writes its returns, drawn once."""
    rng = stream(seed, Stream.DISTRICT, district, 1)
    in_words, has_bom = rng.random(2)
    return Habit(in_words < 0.4, has_bom < 0.3)


def write_returns(part: Part) -> None:
    """Pupils by school and grade: the years before the first in one file, then a file a year.

    The history was handed in on 30 June of the first year, each year's return on 25 September. Offices that
    fill in the ministry's workbook (教基3112) send its title, its two lines of headings and the line that
    numbers the columns too.
    """
    code = districts()[part.number].code
    dress = office(part.seed, part.number, "grade_return")
    form = replace(dress, has_title=True) if dress.is_workbook else dress
    around = Around((_RETURN_GROUPS,), (_RETURN_NUMBERS,)) if form.is_workbook else Around()
    files = [(range(part.year, part.year + 1), date(part.year, 9, 25), f"分年级在校生数_{part.year}")]
    if part.is_first:
        history = range(FIRST_YEAR, part.year)
        name = f"分年级在校生数_{history.start}-{history.stop - 1}"
        files.insert(0, (history, date(part.year, 6, 30), name))
    for of_years, day, name in files:
        filled = fill("grade_return", return_columns(part.schools, part.number, of_years), form)
        file = f"enrollment/{code}/{day}_1/{name}.{form.ending}"
        part.faults.damage(
            "return_letters_in_count",
            file,
            filled.rows,
            len(filled.headings) - 1,
            lambda count: f"{count}O",
            LEAST_ROWS_RETURN,
            surely=len(of_years) > 1 and part.number == _LETTERS_IN_COUNT,
            first_line=form.first_line(len(around.above) + len(around.below)),
        )
        send(part.landing, "grade_return", code, day, name, filled, form, around=around, sheet="教基3112")


_LETTERS_IN_COUNT = 3  # the district by number in whose history the fault surely occurs
_RETURN_GROUPS: list[Cell] = ["机构", None, "时期", "分年级学生数", None]
_RETURN_NUMBERS: list[Cell] = ["甲", "乙", "丙", "丁", 1]


def return_columns(schools: Schools, number: int, years: range) -> dict[str, list[Any]]:
    """Returns of one district by the contract's names: a row a school, year and grade with pupils.

    Each school as it was then: under its code and district of that year.
    """
    district, keys = districts()[number], [grade.key for grade in grades()]
    rows = [
        (code, district.code, year, keys[grade], pupils)
        for year in years
        for code, own in returned(schools, number, year)
        for grade, pupils in enumerate(count(schools, own, year))
        if pupils
    ]
    names = ("unit_code", "parent_unit_code", "school_year_start", "grade_key", "pupil_count")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def write_groups(part: Part) -> None:
    """School groups of a district in the last year, on 15 September: a lead school and its members."""
    if not part.is_last:
        return
    schools, number, year = part.schools, part.number, part.year
    district, own = districts()[number], habit(part.seed, number)
    rng = stream(part.seed, Stream.SCHOOL, number, 2)
    candidates = [
        s
        for s in schools.of_district(number).tolist()
        if schools.kinds[s] != "kindergarten" and not schools.is_private[s] and schools.is_open(s, year)
    ]
    order = [candidates[i] for i in rng.permutation(len(candidates))]
    rows: list[list[Cell]] = []
    group_count = max(1, round(len(order) * 0.6 / 4.5))
    names = place_words(rng, group_count)
    for group in range(group_count):
        members = order[group::group_count][: int(rng.integers(3, 7))]
        code = f"{district.code}G{group + 1:02d}"
        for nth, school in enumerate(members):
            role = (
                ("牵头校" if nth == 0 else "成员校") if own.in_words else ("lead" if nth == 0 else "member")
            )
            name = f"{district.name_zh}{names[group]}教育集团"
            rows.append([code, name, schools.codes[school], role])
    data = csv_bytes(GROUP_HEADINGS, rows, own.encoding)
    day = date(year, 9, 15)
    part.landing.put("resources", district.code, day, f"教育集团成员校_{year}.csv", data, len(rows))
