"""Drills, checks of guards, and what follows from them: which schools are safe campuses (平安校园).

A district states indicator 12 of the plan by its own checks, with the criteria by which the lake judges. How
rarely a school fails is an assumption: nearly all do what was asked of them by 2021.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from jobs.decide.safety import campus
from jobs.declare import standards
from synthetic.city.calendar import days_of_term, school_days
from synthetic.city.figures import FIRST_YEAR, districts
from synthetic.city.hazards import make_hazards, open_schools
from synthetic.city.incidents import serious_incidents
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.schools import KIND_CODE, Schools, year_index
from synthetic.city.words import NAME_NUMBERS, person_names
from synthetic.city.workbook import Cell, Table
from synthetic.city.writers import csv_bytes, xlsx_bytes

_DRILL = ("学校标识码", "演练日期", "演练类型", "参加人数", "疏散用时(秒)", "演练小结")
_GUARD = (
    *("学校标识码", "检查日期", "专职保安员人数", "封闭化管理", "一键式紧急报警和视频监控系统达标", "护学岗"),
    *("重点部位数", "视频覆盖重点部位数", "门卫每日值守小时", "每日巡逻次数", "检查人", "检查情况"),
)
_KEY_PARTS = 16
_YOUNG_MONTHS = (3, 5, 9, 11)
_CARE = (60.0, 0.05)  # beta: a school's chance to hold a drill that is due
_SHORT, _OPEN_GATE, _NO_ALARM, _NO_ESCORT, _BLIND = 0.003, 0.001, 0.002, 0.002, 0.004
_GATE_ALONE, _FEW_PATROLS = 0.001, 0.002
_OVER_THE_YEARS = 2  # of checks, drills and hazards, which is as far as a criterion looks back


def guards_due(pupils: int) -> int:
    """Guards that GB/T 29315-2022 asks of a school of so many pupils."""
    if pupils < 100:
        return 1
    return 2 if pupils < 1000 else 3 + (pupils - 1000) // 500


def drills(schools: Schools, seed: int, number: int, year: int, newest: date) -> list[list[Cell]]:
    """Rows of `_DRILL`: most schools hold theirs each month, kindergartens each quarter."""
    kinds = ("应急疏散", "消防", "防震", "防暴恐")
    rng = stream(seed, Stream.DRILL, number, year)
    months: dict[int, list[date]] = {}
    for day in (*days_of_term(year, 1, newest), *days_of_term(year, 2, newest)):
        months.setdefault(day.month, []).append(day)
    rows: list[list[Cell]] = []
    for school in open_schools(schools, number, year):
        pupils = int(schools.pupils[school, year_index(year)].sum())
        care = float(rng.beta(*_CARE))
        young = schools.kinds[school] == "kindergarten"
        for month, open_days in months.items():
            # A kindergarten's is due each quarter; most hold it in one month of it.
            if (young and month not in _YOUNG_MONTHS) or rng.random() > care:
                continue
            day = open_days[int(rng.integers(len(open_days)))]
            cells: list[Cell] = [
                schools.codes[school],
                day.isoformat(),
                kinds[int(rng.integers(len(kinds)))],
                int(pupils * rng.uniform(0.93, 1.05)),
                max(40, int(rng.normal(150 if young else 100, 15))),
                f"由{person_names(rng.integers(0, NAME_NUMBERS, 1))[0]}老师组织, 秩序良好",
            ]
            rows.append(cells)
    return rows


def write_drills(part: Part) -> None:
    """Drills of a district and school year."""
    rows = drills(part.schools, part.seed, part.number, part.year, part.newest)
    data = csv_bytes(_DRILL, rows, "utf-8-sig" if part.number % 3 else "gb18030")
    name = f"应急演练记录_{part.year}-{part.year + 1}.csv"
    _put(part, name, data, len(rows))


def guard_checks(schools: Schools, seed: int, number: int, year: int, newest: date) -> list[list[Cell]]:
    """Rows of `_GUARD`: one check of each school and term."""
    rng = stream(seed, Stream.GUARD, number, year)
    terms = [days for term in (1, 2) if (days := days_of_term(year, term, newest))]
    rows: list[list[Cell]] = []
    for school in open_schools(schools, number, year):
        pupils = int(schools.pupils[school, year_index(year)].sum())
        for days in terms:
            day = days[int(rng.integers(min(15, len(days))))]
            short, closed, alarm, escort, video = rng.random(5).tolist()
            parts = _KEY_PARTS + int(rng.integers(0, 9))
            cells: list[Cell] = [
                schools.codes[school],
                day.isoformat(),
                guards_due(pupils) + (-1 if short < _SHORT else int(rng.random() < 0.3)),
                "否" if closed < _OPEN_GATE else "是",
                "否" if alarm < _NO_ALARM else "是",
                "否" if escort < _NO_ESCORT else "是",
                parts,
                parts - int(rng.integers(1, 5)) if video < _BLIND else parts,
                16 if rng.random() < _GATE_ALONE else 24,
                5 + int(rng.integers(0, 3)) if rng.random() >= _FEW_PATROLS else 4,
                person_names(rng.integers(0, NAME_NUMBERS, 1))[0],
                None,
            ]
            rows.append(cells)
    return rows


def write_guard_checks(part: Part) -> None:
    """Checks of a district and school year."""
    rows = guard_checks(part.schools, part.seed, part.number, part.year, part.newest)
    name = f"校园安防检查_{part.year}-{part.year + 1}.xlsx"
    _put(part, name, xlsx_bytes(Table("安防检查", _GUARD, rows)), len(rows))


def _put(part: Part, name: str, data: bytes, count: int) -> None:
    received = min(part.newest, date(part.year + 1, 7, 10))
    part.landing.put("campus_safety", districts()[part.number].code, received, name, data, count)


def safe_campuses(
    schools: Schools, seed: int, number: int, day: date, newest: date
) -> tuple[int, int] | None:
    """Schools of a district that meet every required criterion on a day of autumn, and all of them; None
    before the criteria are all in force."""
    if not standards.rows("safety/guards_required", day):
        return None
    judged = campus.judge(_facts(schools, seed, number, day.year, newest), pd.Timestamp(day))
    required = judged[judged["is_required"]]
    failed = required["is_met"].eq(False).groupby(required["school_code"]).any()
    return int((~failed).sum()), len(failed)


def _facts(schools: Schools, seed: int, number: int, school_year: int, newest: date) -> campus.Facts:
    """What a district knows of its schools; later days stand in it too."""
    years = range(max(FIRST_YEAR, school_year - _OVER_THE_YEARS + 1), school_year + 1)
    here = open_schools(schools, number, school_year)
    checks = [row for year in years for row in guard_checks(schools, seed, number, year, newest)]
    held = [row for year in years for row in drills(schools, seed, number, year, newest)]
    found = [hazard for year in years for hazard in make_hazards(schools, seed, number, year, newest)]
    serious = [one for year in years for one in serious_incidents(schools, seed, number, year, newest)]
    struck = [(schools.codes[h.school], h.incident_day) for h in found if h.incident_day and h.is_serious]
    return campus.Facts(
        schools=_frame(
            [
                (
                    schools.codes[s],
                    KIND_CODE[schools.kinds[s]],
                    schools.opened[s],
                    float(schools.pupils[s, year_index(school_year)].sum()),
                )
                for s in here
            ],
            "school_code, school_type_code, opened_date, pupil_count",
        ),
        guard_checks=_frame(
            [
                (code, on, guards, *(word == "是" for word in words), parts, seen, hours, rounds)
                for code, on, guards, *words, parts, seen, hours, rounds, _, _ in checks
            ],
            "school_code, checked_date, guard_count, is_closed_campus, has_linked_alarm, has_escort_post,"
            " key_part_count, video_key_part_count, gatehouse_hours, patrol_count",
        ),
        drills=_frame(
            [(code, on, seconds) for code, on, _, _, seconds, _ in held],
            "school_code, drill_date, evacuation_seconds",
        ),
        hazards=_frame(
            [
                (
                    schools.codes[h.school],
                    "major" if h.grade == "重大" else "general",
                    h.due,
                    h.done,
                    "closed" if h.done else "open",
                )
                for h in found
            ],
            "school_code, hazard_grade_code, hazard_due_date, hazard_done_date, hazard_status_code",
        ),
        incidents=_frame(
            [(code, on, "3") for code, on in (*serious, *struck)],
            "school_code, occurred_date, incident_level_code",
        ),
        calendar=pd.DataFrame({"date": pd.to_datetime(sorted(school_days())), "is_open": True}),
    )


def _frame(rows: list[tuple[Any, ...]], columns: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns.split(", "))
    days = [name for name in frame.columns if name.endswith("_date")]
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in days})
