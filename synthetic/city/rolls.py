"""The rolls: every pupil of a district on the statistic day of a term, and what goes wrong with such a list.

A roll of a large district is never held as lines of text: it is made and written some thousand at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from synthetic.city.enrollment import habit
from synthetic.city.faults import LEAST_ROWS_ROLL, REPORTING_TRUTH, as_day_number, in_full_width
from synthetic.city.figures import districts
from synthetic.city.identities import identity_numbers, pupil_numbers
from synthetic.city.ladder import class_name, grades
from synthetic.city.life import Population, Roll
from synthetic.city.part import Part
from synthetic.city.schools import Schools
from synthetic.city.words import person_names
from synthetic.city.workbook import Cell
from synthetic.city.writers import csv_bytes, text_bytes

ROLL_HEADINGS = [
    "学籍号",
    "姓名",
    "性别",
    "出生日期",
    "身份证件类型",
    "身份证件号",
    "学校标识码",
    "年级",
    "班级",
    "入学年月",
    "就读方式",
    "学籍状态",
    "是否随迁子女",
]
# truth/identities.csv: one person under two lines or two numbers.
IDENTITY_TRUTH = (
    "kind",
    "school_year_start",
    "term",
    "district_code",
    "pupil_number",
    "other_district_code",
    "other_pupil_number",
)
_AT_A_TIME = 10_000


def write_rolls(part: Part) -> None:
    """One file a district and term, GB18030: term 1 received on 20 September, term 2 on 5 March."""
    for term in (1, 2):
        roll = part.roll(term)
        if roll is None:
            continue
        if term == 1:
            _tell_temporary(part, roll)
        else:
            # Spring lists the newest first: a district where nobody moved does not send the same bytes twice.
            roll = roll.take(np.lexsort((-roll.person, roll.klass, roll.grade, roll.school)))
        _send(part, roll)


# Districts by number in which a kind of fault surely occurs in the last year: large ones, so that every scale
# has the rows for it.
_SURELY = {
    "roll_bad_check_digit": 2,
    "roll_lost_digits": 5,
    "roll_unmapped_sex": 3,
    "roll_double": 5,
    "roll_swapped_sex": 8,
    "roll_date_as_number": 9,
    "roll_full_width": 9,
    "roll_other_encoding": 4,
    "roll_text_as_workbook": 6,
    "roll_late": 7,
    "roll_sent_again": 11,
    "roll_corrected": 10,
}


@dataclass
class _Changed:
    """A roll with its faults: changed cells by line, and lines of pupils of other districts at the end."""

    roll: Roll
    cells: dict[int, list[tuple[str, int, Callable[[Cell], Cell]]]] = field(default_factory=dict)
    more: list[list[Cell]] = field(default_factory=list)

    def change(self, kind: str, line: int, column: int, to: Callable[[Cell], Cell]) -> None:
        self.cells.setdefault(line, []).append((kind, column, to))

    def __len__(self) -> int:
        return len(self.roll) + len(self.more)


def _lines(part: Part, changed: _Changed, file: str) -> Iterator[list[Cell]]:
    """The lines as they are sent; each change that is made is noted."""
    in_words = habit(part.seed, part.number).in_words
    for begin in range(0, len(changed.roll), _AT_A_TIME):
        some = changed.roll.take(np.arange(begin, min(begin + _AT_A_TIME, len(changed.roll))))
        for line, row in enumerate(roll_rows(part.schools, part.population, some, in_words), begin):
            for kind, column, to in changed.cells.get(line, ()):
                cell = to(row[column])
                if cell is not None:
                    row[column] = cell
                    part.faults.note(kind, file, line + 2)
            yield row
    for line, row in enumerate(changed.more, len(changed.roll)):
        part.faults.note("roll_double", file, line + 2)
        yield row


def _send(part: Part, roll: Roll) -> None:
    """Write the roll in the office's form, or in a faulty form."""
    faults, year, term, code = part.faults, part.year, roll.term, districts()[part.number].code
    day = date(year, 9, 20) if term == 1 else date(year + 1, 3, 5)
    stem = f"在籍学生名册_{year}-{year + 1}-{term}"

    def hits(kind: str) -> bool:
        surely = term == 1 and part.is_last and part.number == _SURELY[kind]
        return faults.hits(kind, f"{code}/{stem}", surely)

    late, as_workbook = hits("roll_late"), hits("roll_text_as_workbook")
    other_encoding = not as_workbook and hits("roll_other_encoding")
    if late:
        day += timedelta(days=16 + int(faults.random("roll_late", stem + code).integers(20)))
        told = ("roll_late", code, "pupil_roll", f"{year}-{year + 1}-{term}", day)
        part.truth.write("reporting", REPORTING_TRUTH, [told])
    name = f"{stem}.{'xls' if as_workbook else 'csv'}"
    file = f"enrollment/{code}/{day}_1/{name}"
    changed = _damaged(part, roll, file)
    lines = _lines(part, changed, file)
    if as_workbook:
        data = _tab_text(lines)
    else:
        data = csv_bytes(ROLL_HEADINGS, lines, "utf-16" if other_encoding else "gb18030")
    part.landing.put("enrollment", code, day, name, data, len(changed))
    for kind, made in (
        ("roll_late", late),
        ("roll_text_as_workbook", as_workbook),
        ("roll_other_encoding", other_encoding),
    ):
        if made:
            faults.note(kind, file)
    if hits("roll_sent_again"):
        again = day + timedelta(days=2)
        part.landing.put("enrollment", code, again, name, data, 0)
        faults.note("roll_sent_again", f"enrollment/{code}/{again}_1/{name}")
    if hits("roll_corrected"):
        _send_corrected(part, code, roll, day + timedelta(days=12), stem)


def _send_corrected(part: Part, code: str, roll: Roll, day: date, stem: str) -> None:
    """Send the whole roll again, sound, with a few pupils in another class of their grade."""
    rng = part.faults.random("roll_corrected", f"{code}/{stem}#rows")
    changed = _Changed(roll)
    for at in sorted(rng.choice(len(roll), min(3, len(roll)), replace=False).tolist()):
        grade, own = int(roll.grade[at]), int(roll.klass[at])
        same = (roll.school == roll.school[at]) & (roll.grade == grade)
        others = [k for k in np.unique(roll.klass[same]).tolist() if k != own]
        word = class_name(grade, others[0] if others else own)
        changed.change("roll_corrected", at, 8, lambda _, word=word: word)  # type: ignore[misc]
    name = f"{stem}_更正.csv"
    lines = _lines(part, changed, f"enrollment/{code}/{day}_1/{name}")
    data = csv_bytes(ROLL_HEADINGS, lines, "gb18030")
    part.landing.put("enrollment", code, day, name, data, len(changed))


def _tab_text(lines: Iterator[list[Cell]]) -> bytes:
    """What an old program saves as .xls: tabs, GBK, an apostrophe before long numbers, NULL for nothing."""
    texts = ("\t".join(map(_old_cell, line)) + "\r\n" for line in lines)
    return text_bytes(["\t".join(ROLL_HEADINGS) + "\r\n"], texts, encoding="gb18030")


def _old_cell(cell: Cell) -> str:
    text = "NULL" if cell is None or cell == "" else str(cell)
    return f"'{text}" if len(text) >= 10 and text[:-1].isdigit() else text


def _tell_temporary(part: Part, roll: Roll) -> None:
    """truth/identities.csv: the lasting number behind each temporary one."""
    people, year, code = part.people, part.year, districts()[part.number].code
    held = roll.person[people.is_temporary[roll.person] & (people.first_year[roll.person] == year)]
    pairs = zip(pupil_numbers(people, held, year, 1), pupil_numbers(people, held, year, 2), strict=True)
    rows = [("temporary_number", year, 1, code, first, code, later) for first, later in pairs]
    part.truth.write("identities", IDENTITY_TRUTH, rows)


def _damaged(part: Part, roll: Roll, file: str) -> _Changed:
    """Damage cells: the number is in column 0, the sex in 2, the birth date in 3."""
    changed = _Changed(roll)
    last_autumn = roll.term == 1 and part.is_last
    words = ("男", "女") if habit(part.seed, part.number).in_words else ("1", "2")
    exchanged = {words[0]: words[1], words[1]: words[0]}

    def lines(kind: str) -> list[int]:
        surely = last_autumn and part.number == _SURELY[kind]
        return part.faults.lines(kind, file, len(roll), LEAST_ROWS_ROLL, surely)

    changes: tuple[tuple[str, int, Callable[[Cell], Cell]], ...] = (
        ("roll_bad_check_digit", 0, lambda n: f"{n}"[:-1] + ("1" if f"{n}"[-1] == "0" else "0")),
        ("roll_lost_digits", 0, lambda n: f"{float(f'{n}'[1:18]):.11E}"),
        ("roll_unmapped_sex", 2, lambda _: "7"),
        ("roll_swapped_sex", 2, lambda sex: exchanged.get(f"{sex}")),
        ("roll_date_as_number", 3, as_day_number),
        ("roll_full_width", 0, lambda n: None if "." in f"{n}" else in_full_width(n)),
    )
    for kind, column, to in changes:
        for line in lines(kind):
            changed.change(kind, line, column, to)
    changed.more = _twins(part, roll, file, len(lines("roll_double")))
    return changed


def _twins(part: Part, own: Roll, file: str, count: int) -> list[list[Cell]]:
    """Lines for pupils of other districts: who they are from there, school and class from a pupil here."""
    if not count:
        return []
    rng = part.faults.random("roll_double", f"{file}#twins")
    here, in_words = districts()[part.number].code, habit(part.seed, part.number).in_words
    of_grade = {grade: np.flatnonzero(own.grade == grade) for grade in np.unique(own.grade).tolist()}
    made, identities = [], []
    others = (part.number + 1 + rng.integers(len(districts()) - 1, size=count)) % len(districts())
    for other in np.unique(others).tolist():
        roll = part.roll(own.term, district=other)
        assert roll is not None
        wanted = min(int((others == other).sum()), len(roll))
        there = roll.take(np.sort(rng.choice(len(roll), wanted, replace=False)))
        seats = [
            int(rows[rng.integers(len(rows))])
            for rows in (of_grade.get(grade, np.arange(len(own))) for grade in there.grade.tolist())
        ]
        pupils = roll_rows(part.schools, part.population, there, in_words)
        hosts = roll_rows(part.schools, part.population, own.take(np.array(seats)), in_words)
        for pupil, host in zip(pupils, hosts, strict=True):
            made.append([*pupil[:6], *host[6:]])
            identities.append(
                ("double_roll", part.year, own.term, here, pupil[0], districts()[other].code, pupil[0])
            )
    part.truth.write("identities", IDENTITY_TRUTH, identities)
    return made


def roll_rows(schools: Schools, population: Population, roll: Roll, in_words: bool) -> list[list[Cell]]:
    """The lines of a roll in the sender's columns; sex in words or as GB/T 2261.1 codes."""
    people, persons = population.people, roll.person
    births = np.datetime_as_string(people.birth[persons].astype("datetime64[D]"), unit="D")
    has_card = people.has_card[persons]
    papers = zip(
        has_card.tolist(),
        identity_numbers(people, persons),
        people.number[persons].tolist(),
        strict=True,
    )
    jyt = [grade.jyt_code for grade in grades()]
    classes = list(zip(roll.grade.tolist(), roll.klass.tolist(), strict=True))
    class_of = {(grade, klass): class_name(grade, klass) for grade, klass in set(classes)}
    columns: list[list[Cell]] = [
        [*pupil_numbers(people, persons, roll.year, roll.term)],
        [*person_names(people.name[persons])],
        np.where(people.is_male[persons], *(("男", "女") if in_words else ("1", "2"))).tolist(),
        [birth.replace("-", "") for birth in births.tolist()],
        np.where(has_card, "1", "A").tolist(),
        [number if card else f"XX{serial:07d}" for card, number, serial in papers],
        [schools.codes[school] for school in roll.school.tolist()],
        [jyt[grade] for grade in roll.grade.tolist()],
        [class_of[own] for own in classes],
        [str(entered) for entered in roll.entered.tolist()],
        np.where(people.boards(persons, roll.grade), "2", "1").tolist(),
        np.where(roll.suspended, "2", "1").tolist(),
        np.where(people.is_migrant[persons], "1", "0").tolist(),
    ]
    return [list(row) for row in zip(*columns, strict=True)]
