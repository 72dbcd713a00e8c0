"""The physical fitness feed: each school's yearly upload, in the headings and notations that schools use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from synthetic.city.calendar import days_of_term
from synthetic.city.eyesight import HEADINGS as EYE_HEADINGS
from synthetic.city.eyesight import REFRACTION_HEADINGS
from synthetic.city.fabrications import fabricate
from synthetic.city.faults import LEAST_ROWS_RESULT, Faults
from synthetic.city.figures import districts
from synthetic.city.identities import pupil_numbers
from synthetic.city.ladder import P6, class_name, grades
from synthetic.city.life import Roll
from synthetic.city.numbers import Stream, stream
from synthetic.city.old_workbook import old_workbook
from synthetic.city.part import Part
from synthetic.city.people import People
from synthetic.city.recheck import write_recheck
from synthetic.city.result_habits import (
    Habit,
    habit,
    heading,
    written,
    written_day,
)
from synthetic.city.schools import Schools
from synthetic.city.sittings import EXCUSES, Sittings, first_sittings, with_retests
from synthetic.city.words import address, person_names
from synthetic.city.workbook import Cell, Table
from synthetic.city.writers import Landing, csv_bytes, xlsx_bytes

_SURELY_IN = 2  # the district by number in which the kinds that count files surely occur

_IDENTITY = ["年级编号", "班级编号", "班级名称", "学籍号", "民族代码", "姓名", "性别", "出生日期", "家庭住址"]
_PRIMARY_ITEMS = [
    "height",
    "weight",
    "vital_capacity",
    "run_50m",
    "sit_and_reach",
    "rope_skip_1min",
    "sit_up_1min",
    "shuttle_run_50x8",
]
_SECONDARY_ITEMS = [
    "height",
    "weight",
    "vital_capacity",
    "run_50m",
    "standing_long_jump",
    "sit_and_reach",
    "run_800m",
    "run_1000m",
    "sit_up_1min",
    "pull_up",
]

_NUMERALS = "〇一二三四五六七八九"

INFO_HEADINGS = [
    "年级编号",
    "班级编号",
    "班级名称",
    "项目名称",
    "测试老师",
    "测试时间",
    "测试地点",
    "测试器材",
]


def write_results(part: Part) -> None:
    """One file a school of the district and autumn, and the recheck of the district; the last year all are in
    by the newest delivery."""
    roll = part.roll()
    assert roll is not None
    titled = _titled_schools(part, roll)
    first = first_sittings(part.people, roll, part.schools, part.seed, part.number)
    write_recheck(part, first)
    handed_in = fabricate(part, first)
    sittings = with_retests(part.people, handed_in, part.schools, part.seed, part.number)
    here = part.schools.of_district(part.number)
    bounds = np.searchsorted(sittings.roll.school, np.append(here, here[-1] + 1))
    for nth, school in enumerate(here.tolist()):
        rows = np.arange(bounds[nth], bounds[nth + 1])
        if len(rows):
            own = sittings.take(rows)
            upload = _Upload(part.schools, part.people, school, own, part.seed, part.newest)
            upload.write(part.landing, habit(part.seed, school, school in titled), part.faults)


def _titled_schools(part: Part, roll: Roll) -> set[int]:
    """Schools whose workbook has a title; the largest junior school of one district surely."""
    surely = -1
    if part.number == _SURELY_IN:
        counts = np.bincount(roll.school, minlength=len(part.schools))
        surely = int((counts * (np.array(part.schools.kinds) == "junior")).argmax())
    return {
        school
        for school in part.schools.of_district(part.number).tolist()
        if part.faults.hits("result_title_row", part.schools.codes[school], surely=school == surely)
    }


class _Upload:
    """One school's file of one year."""

    def __init__(
        self, schools: Schools, people: People, school: int, sittings: Sittings, seed: int, newest: date
    ) -> None:
        self.schools, self.people, self.school = schools, people, school
        self.sittings, self.roll = sittings, sittings.roll
        roll = sittings.roll
        self.rng = stream(seed, Stream.FITNESS_FILE, school, roll.year)
        last_year = newest.year == roll.year
        earliest = date(roll.year, 11, 3) if last_year else date(roll.year, 11, 20)
        latest = newest if last_year else date(roll.year, 12, 15)
        self.received = earliest + timedelta(days=int(self.rng.integers((latest - earliest).days + 1)))
        days = [d for d in days_of_term(roll.year, 1) if date(roll.year, 9, 20) <= d]
        self.days = [d for d in days if d <= self.received - timedelta(days=3)]
        self.sender = schools.codes[school]
        self.newest = newest

    def write(self, landing: Landing, own: Habit, faults: Faults) -> None:
        year = self.roll.year
        name = f"体质健康测试成绩_{year}-{year + 1}"
        ending = own.container if own.container in ("xlsx", "xls") else "csv"
        file = f"physical_fitness/{self.sender}/{self.received}_1/{name}.{ending}"
        items = _PRIMARY_ITEMS if self.roll.grade[0] <= P6 else _SECONDARY_ITEMS
        rows = self._rows(items, own)
        is_last = self.newest.year == year
        self._damage(rows, items, own, faults, file, is_last)
        headings = [*_IDENTITY, *(heading(code, own) for code in items)]
        headings += EYE_HEADINGS if own.has_eyesight else ()
        headings += REFRACTION_HEADINGS if own.has_eyesight and own.has_refraction else ()
        headings += ["免测缓测", "补测"]
        headings += ["测试日期"] if own.has_test_date else []
        data = self._dress(headings, rows, own)
        landing.put("physical_fitness", self.sender, self.received, f"{name}.{ending}", data, len(rows))
        if faults.on and is_last:
            self._send_more(landing, headings, rows, own, data, f"{name}.{ending}", faults)

    def _rows(self, items: Sequence[str], own: Habit) -> list[list[Cell]]:
        people, roll = self.people, self.roll
        persons = roll.person
        codes = [g.fitness_code for g in grades()]
        births = people.birth[persons].astype("datetime64[D]").tolist()
        spans = np.sort(self.rng.permutation(len(self.days))[: max(1, min(8, len(self.days)))])
        tested = {
            (g, k): self.days[int(spans[self.rng.integers(len(spans))])]
            for g, k in sorted(set(zip(roll.grade.tolist(), roll.klass.tolist(), strict=True)))
        }
        self.tested = tested
        cells = [written(code, self.sittings.measures[code], own) for code in items]
        if own.has_eyesight:
            cells += self.sittings.eyes.cells(own.has_refraction)
        cells.append([EXCUSES[n] for n in self.sittings.excuse.tolist()])
        retests = self.sittings.is_retest.tolist()
        cells.append(["是" if again else None for again in retests])
        district = districts()[self.schools.district[self.school]].name_zh
        rows: list[list[Cell]] = []
        for n, (number, person, name, male, ethnic, grade, klass) in enumerate(
            zip(
                pupil_numbers(people, persons, roll.year, 1),
                people.number[persons].tolist(),
                person_names(people.name[persons]),
                people.is_male[persons].tolist(),
                people.ethnic[persons].tolist(),
                roll.grade.tolist(),
                roll.klass.tolist(),
                strict=True,
            )
        ):
            row: list[Cell] = [
                codes[grade],
                f"{codes[grade]}{klass:02d}",
                class_name(grade, klass),
                number,
                f"{ethnic:02d}",
                name,
                ("男" if male else "女") if own.sex_in_words else ("1" if male else "2"),
                written_day(births[n], own),
                address(district, person),
                *(cell[n] for cell in cells),
            ]
            if own.has_test_date:
                day = tested[grade, klass]
                row.append(
                    written_day(min(day + timedelta(days=12), self.days[-1]) if retests[n] else day, own)
                )
            rows.append(row)
        return rows

    def _damage(
        self,
        rows: list[list[Cell]],
        items: Sequence[str],
        own: Habit,
        faults: Faults,
        file: str,
        is_last: bool,
    ) -> None:
        """Heights in metres, counts in Chinese numerals; in the last year in certain schools surely."""
        if own.has_title:
            faults.note("result_title_row", file)
        first = len(_IDENTITY)
        offset = 3 if own.has_title else 2
        # Among the first three of a district's schools, so that every city has one.
        own_number = self.school - int(self.schools.of_district(int(self.schools.district[self.school]))[0])
        surely = is_last and own_number == 1
        surely_here = self.schools.kinds[self.school] == "senior"
        metres = faults.lines("result_height_in_metres", file, len(rows), LEAST_ROWS_RESULT, surely)
        for line in metres:
            tall = rows[line][first]
            if tall is not None:
                rows[line][first] = f"{float(tall) / 100:.2f}"
                faults.note("result_height_in_metres", file, line + offset)
        if "run_1000m" in items:
            boys, girls = first + items.index("run_1000m"), first + items.index("run_800m")
            for line in faults.lines(
                "result_other_sex_column", file, len(rows), LEAST_ROWS_RESULT, surely=is_last and surely_here
            ):
                row = rows[line]
                if row[boys] is not None or row[girls] is not None:
                    row[boys], row[girls] = row[girls], row[boys]
                    faults.note("result_other_sex_column", file, line + offset)
        at = first + items.index("sit_up_1min")
        counted = [n for n, row in enumerate(rows) if row[at] is not None and n not in metres]
        least = min(LEAST_ROWS_RESULT, len(counted)) if len(rows) >= LEAST_ROWS_RESULT else len(rows) + 1
        for nth in faults.lines(
            "result_letters_in_count", file, len(counted), least, is_last and own_number == 2
        ):
            line = counted[nth]
            rows[line][at] = "".join(_NUMERALS[int(digit)] for digit in str(rows[line][at]))
            faults.note("result_letters_in_count", file, line + offset)

    def _dress(self, headings: Sequence[str], rows: Sequence[Sequence[Cell]], own: Habit) -> bytes:
        if own.container not in ("xlsx", "xls"):
            return csv_bytes(headings, rows, own.container)
        year = self.roll.year
        title = (
            f"{self.schools.names[self.school]}{year}-{year + 1}学年体质健康测试成绩"
            if own.has_title
            else None
        )
        codes = [g.fitness_code for g in grades()]
        info: list[list[Cell]] = [
            [
                codes[g],
                f"{codes[g]}{k:02d}",
                class_name(g, k),
                "全部项目",
                "体育组",
                written_day(day, own),
                "操场",
                "标准器材",
            ]
            for (g, k), day in self.tested.items()
        ]
        sheet = "国家体测成绩表"
        tables = (Table(sheet, headings, rows, title), Table("测试信息", INFO_HEADINGS, info))
        return xlsx_bytes(*tables) if own.container == "xlsx" else old_workbook(tables)

    def _send_more(
        self,
        landing: Landing,
        headings: Sequence[str],
        rows: list[list[Cell]],
        own: Habit,
        data: bytes,
        name: str,
        faults: Faults,
    ) -> None:
        """The first district's primary school sends its file again; its senior school corrects five rows."""
        kind, district = self.schools.kinds[self.school], int(self.schools.district[self.school])
        first_of_kind = next(
            s for s in self.schools.of_district(district).tolist() if self.schools.kinds[s] == kind
        )
        is_first = district == _SURELY_IN and self.school == first_of_kind
        # A later delivery of the same file; on the newest day, which no first upload may pass.
        if faults.hits("result_sent_again", f"{self.sender}/{name}", is_first and kind == "primary"):
            landing.put("physical_fitness", self.sender, self.newest, name, data, 0, number=2)
            faults.note("result_sent_again", f"physical_fitness/{self.sender}/{self.newest}_2/{name}")
        elif faults.hits("result_withdrawn", f"{self.sender}/{name}", is_first and kind == "junior"):
            gone = [[*row, "撤销"] for row in rows[:: max(1, len(rows) // 3)][:3]]
            changed = name.replace(".", "_撤销.")
            again = self._dress([*headings, "操作"], gone, own)
            landing.put("physical_fitness", self.sender, self.newest, changed, again, len(gone), number=2)
            offset = 3 if own.has_title else 2
            for line in range(len(gone)):
                file = f"physical_fitness/{self.sender}/{self.newest}_2/{changed}"
                faults.note("result_withdrawn", file, line + offset)
        elif faults.hits("result_corrected", f"{self.sender}/{name}", is_first and kind == "senior"):
            at = len(_IDENTITY) + 2
            sound = [row for row in rows[:: max(1, len(rows) // 8)] if row[at] is not None][:5]
            fixed = [[*row[:at], int(float(str(row[at]))) + 100, *row[at + 1 :]] for row in sound]
            changed = name.replace(".", "_更正.")
            again = self._dress(headings, fixed, own)
            landing.put("physical_fitness", self.sender, self.newest, changed, again, len(fixed), number=2)
            for line in range(len(fixed)):
                faults.note(
                    "result_corrected", f"physical_fitness/{self.sender}/{self.newest}_2/{changed}", line + 2
                )
