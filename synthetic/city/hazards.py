"""Hazards found and mended, and the incidents that an open hazard causes.

Rates are assumptions; the forms are the reference's register and the four 100 % of the action plan. A school
has one hidden `risk`, which moves its hazards and its incidents: what an inspection plan has to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from synthetic.city.calendar import days_of_term
from synthetic.city.figures import districts
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.schools import Schools, year_index
from synthetic.city.words import NAME_NUMBERS, person_names
from synthetic.city.workbook import Cell, Table
from synthetic.city.writers import csv_bytes, xlsx_bytes

_RISK_SHAPE = 3.0
_HAZARDS_A_YEAR, _PUPILS_PER_HAZARD = 1.5, 350
_MAJOR_SHARE = 0.07
_DAYS_TO_MEND = {"重大": (20, 60), "一般": (10, 30)}
_IN_TIME, _NEVER = 0.95, 0.006
# Chance that a hazard, while open, ends in an incident.
_HARM = {"重大": 0.20, "一般": 0.05}
# Category, the school's kind, what was seen, the kind of incident it may lead to, and how often compared with
# other hazards: an extinguisher past its date burns nothing.
_HAZARDS = (
    ("设备设施", "校舍建筑", "吊顶松动", "facility", "设施设备事故", 1.5),
    ("设备设施", "体育器材", "单杠底座松动", "sports_injury", "体育运动伤害", 3.0),
    ("消防安全", "消防设施", "灭火器过期", "fire", "火灾", 0.01),
    ("电气安全", "电气设备", "配电箱未上锁", "electric_shock", "触电", 0.03),
    ("环境安全", "校园周边", "校门口机动车占道", "traffic", "交通事故", 1.0),
    ("环境安全", "食堂食品", "留样冰箱温度不符", "food_borne", "食源性疾病", 0.01),
    ("安全管理", "应急处置", "疏散通道堆物", "other_accident", "其他意外", 2.0),
    ("违章行为", "校舍建筑", "走廊违规存放实验药品", "laboratory", "实验实训事故", 0.1),
)
_REGISTER = (
    *(
        "隐患编号",
        "学校标识码",
        "排查日期",
        "排查人",
        "隐患部位/地点",
        "隐患描述",
        "隐患类别",
        "学校隐患八大类",
    ),
    *("隐患等级", "整改措施", "整改责任人", "整改资金", "计划完成日期", "状态", "实际完成日期", "复查人"),
    *("复查日期", "复查意见"),
)


@dataclass(frozen=True)
class Hazard:
    """One hazard: found, due, mended (None: not yet), and the incident it led to, if any."""

    school: int
    code: str
    category: str
    school_category: str
    seen: str
    grade: str
    found: date
    due: date
    done: date | None
    incident_day: date | None
    incident_kind: str
    incident_kind_zh: str
    is_serious: bool  # the incident hurt several


def school_risk(schools: Schools, seed: int) -> NDArray[np.float64]:
    """Each school's own rate of hazards and incidents, 1 on average."""
    rng = stream(seed, Stream.HAZARD, 0)
    return rng.gamma(_RISK_SHAPE, 1 / _RISK_SHAPE, len(schools))


def make_hazards(schools: Schools, seed: int, number: int, year: int, newest: date) -> list[Hazard]:
    """All hazards found in one district and school year, by day; the same whoever asks."""
    risk = school_risk(schools, seed)
    days = [*days_of_term(year, 1, newest), *days_of_term(year, 2, newest)]
    rng = stream(seed, Stream.HAZARD, 1, number, year)
    found: list[Hazard] = []
    for school in open_schools(schools, number, year) if days else []:
        pupils = int(schools.pupils[school, year_index(year)].sum())
        mean = (_HAZARDS_A_YEAR + pupils / _PUPILS_PER_HAZARD) * risk[school] * len(days) / 190
        for _ in range(int(rng.poisson(mean))):
            found.append(_hazard(rng, school, len(found) + 1, days, newest))
    return sorted(found, key=lambda h: (h.found, h.school, h.code))


def open_schools(schools: Schools, district: int, year: int) -> list[int]:
    """Schools of a district that have pupils in a school year."""
    at = year_index(year)
    return [int(s) for s in schools.of_district(district) if schools.pupils[s, at].sum() > 0]


def _hazard(rng: np.random.Generator, school: int, serial: int, days: Sequence[date], newest: date) -> Hazard:
    category, kind, seen, incident, incident_zh, often = _HAZARDS[int(rng.integers(len(_HAZARDS)))]
    grade = "重大" if rng.random() < _MAJOR_SHARE else "一般"
    day = days[int(rng.integers(len(days)))]
    low, high = _DAYS_TO_MEND[grade]
    due = day + timedelta(days=int(rng.integers(low, high + 1)))
    in_time, late, never, harm, when = rng.random(5).tolist()
    last = due if in_time < _IN_TIME else due + timedelta(days=3 + int(late * 45))
    done = day + timedelta(days=max(1, int((last - day).days * (0.5 + late / 2))))
    if in_time >= _IN_TIME:
        done = last
    mended = None if never < _NEVER or done > newest else done
    until = [d for d in days if day <= d <= (mended or newest)]
    likely = _HARM[grade] * often
    struck = until[int(when * len(until))] if harm < likely and until else None
    return Hazard(
        school,
        f"YH-{day:%Y%m%d}-{serial % 10_000:04d}",
        category,
        kind,
        seen,
        grade,
        day,
        due,
        mended,
        struck,
        incident,
        incident_zh,
        grade == "重大" and harm < 0.3 * likely,
    )


def write_hazards(part: Part, hazards: Sequence[Hazard]) -> None:
    """The register of one school year, with the hazards still open in the last register."""
    number, year = part.number, part.year
    district, received = districts()[number], _received(part)
    risks = school_risk(part.schools, part.seed)
    here = part.schools.of_district(number).tolist() if part.is_last else []
    part.truth.write(
        "school_risk", ("school_code", "risk"), [(part.schools.codes[s], f"{risks[s]:.4f}") for s in here]
    )
    carried: list[Hazard] = []
    if not part.is_first:
        before = min(part.newest, date(year, 7, 10))
        earlier = make_hazards(part.schools, part.seed, number, year - 1, part.newest)
        carried = [h for h in earlier if h.done is None or h.done > before]
    rng = stream(part.seed, Stream.HAZARD, 2, number, year)
    rows = [
        _register_row(part.schools, h, received, rng) for h in (*carried, *hazards) if h.found <= received
    ]
    if not rows:
        return
    name = f"隐患排查治理台账_{year}-{year + 1}"
    if number % 2 == 0:
        title = f"{district.name_zh}教委 {name.replace('_', ' ')}"
        data, file = xlsx_bytes(Table("台账", _REGISTER, rows, title=title)), f"{name}.xlsx"
    else:
        data, file = csv_bytes(_REGISTER, rows, "gb18030"), f"{name}.csv"
    part.landing.put("campus_safety", district.code, received, file, data, len(rows))


def _received(part: Part) -> date:
    return min(part.newest, date(part.year + 1, 7, 10))


def _register_row(schools: Schools, hazard: Hazard, received: date, rng: np.random.Generator) -> list[Cell]:
    finder, answers, reviewer = person_names(rng.integers(0, NAME_NUMBERS, 3))
    done = hazard.done if hazard.done is not None and hazard.done <= received else None
    started = (received - hazard.found).days > 3
    return [
        hazard.code,
        schools.codes[hazard.school],
        hazard.found.isoformat(),
        finder,
        f"{int(rng.integers(1, 5))}层",
        f"{hazard.seen}, {finder}老师巡查时发现",
        hazard.category,
        hazard.school_category,
        hazard.grade,
        f"由{answers}负责整改",
        answers,
        f"{int(rng.integers(2, 300)) * 100}",
        hazard.due.isoformat(),
        "已闭环" if done else ("整改中" if started else "待整改"),
        done.isoformat() if done else None,
        reviewer if done else None,
        done.isoformat() if done else None,
        "已整改到位" if done else None,
    ]
