"""Changes on the rolls (transfers, leave, withdrawals), and schools that close or are renamed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.city.calendar import days_of_term
from synthetic.city.figures import districts
from synthetic.city.forms import fill, office, send
from synthetic.city.identities import pupil_numbers
from synthetic.city.ladder import J3, P6, S3, grades
from synthetic.city.life import Roll
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.schools import PAST_YEAR, Schools
from synthetic.city.words import person_names

_WITHDRAWN_SHARE = 0.03  # of those who leave the rolls within a stage; the others go to another city
_LAST_GRADES = (P6, J3, S3)
_Places = NDArray[np.int32]


def write_roll_changes(part: Part) -> None:
    """All changes of a school year in one file a district, received on 12 September after it.

    A transfer within the city stands in two districts' files, out of one school and into the other; of a
    move out of the city the other school is not known.
    """
    whole = part.population.rolls
    before, between = whole.get((part.year, 1)), whole.get((part.year, 2))
    after = whole.get((part.year + 1, 1))
    if before is None or between is None or after is None:
        return
    rng = stream(part.seed, Stream.MOVE, part.year, part.number + 1)
    winter = [d for d in days_of_term(part.year, 1) if d >= date(part.year, 10, 8)]
    winter += [d for d in days_of_term(part.year, 2) if d <= date(part.year + 1, 3, 1)] or winter[-5:]
    summer = [date(part.year + 1, 7, 10) + timedelta(days=n) for n in range(46)]
    lines: list[tuple[int, str, date, int, int | None, int]] = []
    for old, new, days, moves_up in ((before, between, winter, 0), (between, after, summer, 1)):
        lines += _compare(part, old, new, days, moves_up, rng)
    if not lines:
        return
    lines.sort(key=lambda line: (line[2], line[0], line[1]))
    persons = np.array([line[0] for line in lines], np.int64)
    codes = part.schools.codes
    keys = [grade.key for grade in grades()]
    columns: dict[str, list[Any]] = {
        "pupil_national_id": pupil_numbers(part.people, persons, part.year, 2),
        "pupil_name": person_names(part.people.name[persons]),
        "roll_change_kind_code": [line[1] for line in lines],
        "change_date": [line[2] for line in lines],
        "school_code": [codes[line[3]] for line in lines],
        "counterpart_school_code": [None if line[4] is None else codes[line[4]] for line in lines],
        "grade_key": [keys[line[5]] for line in lines],
    }
    dress = office(part.seed, part.number, "roll_change")
    code, day = districts()[part.number].code, date(part.year + 1, 9, 12)
    name = f"学籍异动_{part.year}-{part.year + 1}"
    send(part.landing, "roll_change", code, day, name, fill("roll_change", columns, dress), dress)


def _places(part: Part, roll: Roll) -> _Places:
    """The position of each person on a roll; -1 if absent."""

    def make() -> _Places:
        at = np.full(len(part.people), -1, np.int32)
        at[roll.person] = np.arange(len(roll), dtype=np.int32)
        return at

    return part.once(("places", roll.year, roll.term), make)


def _compare(
    part: Part, old: Roll, new: Roll, days: list[date], moves_up: int, rng: np.random.Generator
) -> list[tuple[int, str, date, int, int | None, int]]:
    """(person, kind, day, school, other school, grade) of what this district saw between two rolls."""
    district_of = part.schools.district
    in_old, in_new = _places(part, old), _places(part, new)

    def other(person: int, at: int, roll: Roll) -> int | None:
        return None if at < 0 else int(roll.school[at])

    lines: list[tuple[int, str, date, int, int | None, int]] = []
    # Out of this district's schools, and their leaves of absence.
    rows = np.flatnonzero(district_of[old.school] == part.number)
    at = in_new[old.person[rows]]
    ends = np.isin(old.grade[rows], _LAST_GRADES) & (moves_up == 1)
    gone = ~ends & ((at < 0) | (new.school[at] != old.school[rows]))
    for row, place in zip(rows[gone].tolist(), at[gone].tolist(), strict=True):
        person, grade = int(old.person[row]), int(old.grade[row])
        leaves = place < 0 and rng.random() < _WITHDRAWN_SHARE
        day = _day(person, days)
        kind = "withdraw" if leaves else "transfer_out"
        lines.append((person, kind, day, int(old.school[row]), other(person, place, new), grade))
    stays = ~gone & (at >= 0)
    was, now = old.suspended[rows[stays]], new.suspended[at[stays]]
    for kind, held in (("suspend", now & ~was), ("resume", was & ~now)):
        for row in rows[stays][held].tolist():
            person, grade = int(old.person[row]), int(old.grade[row])
            lines.append((person, kind, _day(person, days), int(old.school[row]), None, grade))
    # Into this district's schools.
    rows = np.flatnonzero(district_of[new.school] == part.number)
    at = in_old[new.person[rows]]
    starts = np.isin(new.grade[rows], [3, 9, 12]) & (moves_up == 1)
    came = ~starts & ((at < 0) | (old.school[at] != new.school[rows]))
    for row, place in zip(rows[came].tolist(), at[came].tolist(), strict=True):
        person = int(new.person[row])
        grade = int(new.grade[row]) - (moves_up if place >= 0 else 0)
        line = (
            person,
            "transfer_in",
            _day(person, days),
            int(new.school[row]),
            other(person, place, old),
            grade,
        )
        lines.append(line)
    return lines


def _day(person: int, days: list[date]) -> date:
    """The day of a person's move: both schools write the same."""
    return days[(person * 7919 + 13) % len(days)]


# truth/school_changes.csv: every change that a district stated, a row for each school that came of it.
_TRUTH = ("kind", "change_date", "old_school_code", "old_district_code", "school_code", "district_code")


def write_school_changes(part: Part) -> None:
    """Schools of a district that were renamed, merged or closed in the summer, received on 11 September.

    With the returns of earlier years, on 30 June of the first year, comes what changed in them.
    """
    days = [(part.year, date(part.year, 9, 11))]
    if part.is_first:
        days.insert(0, (PAST_YEAR, date(part.year, 6, 30)))
    dress, code = office(part.seed, part.number, "school_change"), districts()[part.number].code
    for year, day in days:
        columns = change_columns(part.schools, part.number, year)
        part.truth.write("school_changes", _TRUTH, _true_rows(part.schools, code, columns))
        if columns["from_school_code"]:
            filled = fill("school_change", columns, dress)
            send(part.landing, "school_change", code, day, f"学校变动_{year}", filled, dress)


def change_columns(schools: Schools, number: int, year: int) -> dict[str, list[Any]]:
    """Changes of one district's schools in the summer of a year, by the contract's names."""
    rows: list[tuple[str, str | None, str, str | None, str | None]] = []
    for school in schools.of_district(number).tolist():
        own, closed = schools.codes[school], schools.closed[school]
        if closed is not None and closed.year == year:
            into = schools.merged.get(school)
            kind = "close" if into is None else "merge"
            rows.append((own, None if into is None else schools.codes[into], kind, None, None))
        renamed = schools.renamed.get(school)
        if renamed and renamed[0] == year:
            rows.append((own, own, "rename", renamed[1], None))
        if year == PAST_YEAR and schools.moved and schools.moved.school == school:
            rows.append((own, own, "move", None, districts()[number].code))
    parted = schools.parted
    if year == PAST_YEAR and parted and parted.district == number:
        rows.append((parted.code, schools.codes[parted.into[0]], "split", None, None))
    columns: dict[str, list[Any]] = {
        "from_school_code": [row[0] for row in rows],
        "to_school_code": [row[1] for row in rows],
        "change_kind_code": [row[2] for row in rows],
        "change_date": [date(year, 9, 1)] * len(rows),
        "new_school_name": [row[3] for row in rows],
        "new_district_code": [row[4] for row in rows],
    }
    if not any(columns["new_district_code"]):
        del columns["new_district_code"]
    return columns


def _true_rows(schools: Schools, district: str, columns: dict[str, list[Any]]) -> list[tuple[Any, ...]]:
    """What really happened: of a parted school both that came of it, of a moved one where it was."""
    rows = []
    names = ("change_kind_code", "change_date", "from_school_code", "to_school_code")
    for kind, day, old, new in zip(*(columns[name] for name in names), strict=True):
        came, before = [new], district
        if kind == "split" and schools.parted:
            came = [schools.codes[s] for s in schools.parted.into]
        if kind == "move" and schools.moved:
            before = districts()[schools.moved.district_before].code
        rows += [(kind, day, old, before, code, district if code else None) for code in came]
    return rows
