"""Reports of incidents on campus: drawn ones, those that an open hazard led to, and outbreaks as clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from synthetic.city.figures import districts
from synthetic.city.hazards import (
    Hazard,
    school_risk,
)
from synthetic.city.illness import (
    Outbreak,
    terms,
)
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.schools import Schools, year_index
from synthetic.city.words import NAME_NUMBERS, person_names
from synthetic.city.writers import ndjson_bytes

_INCIDENTS_PER_1000_TERM = 1.6
INCIDENTS = (
    ("sports_injury", "体育运动伤害", 0.34, "在体育课上扭伤"),
    ("campus_harm", "校园伤害", 0.16, "课间与同学碰撞受伤"),
    ("fight", "斗殴", 0.06, "与同学发生争执并动手"),
    ("bullying", "学生欺凌", 0.05, "反映受到同学孤立和辱骂"),
    ("traffic", "交通事故", 0.08, "放学途中与电动自行车剐蹭"),
    ("facility", "设施设备事故", 0.07, "被松动的柜门砸伤手指"),
    ("other_accident", "其他意外", 0.10, "上下楼梯时踩空"),
    ("food_borne", "食源性疾病", 0.03, "午餐后出现呕吐"),
    ("vaccination_reaction", "疫苗接种异常反应", 0.02, "接种后出现皮疹"),
    ("fire", "火灾", 0.02, "所在楼层垃圾桶起烟, 已疏散"),
    ("school_bus", "校车事故", 0.02, "所乘校车与前车追尾"),
    ("laboratory", "实验实训事故", 0.02, "实验时被烫伤"),
    ("missing_person", "失踪", 0.01, "放学后未按时到家, 后找到"),
    ("snow_cold_wind", "暴雪寒潮大风", 0.02, "被大风吹落的树枝擦伤"),
)
_INCIDENT_KEYS_ZH = [
    "事件编号",
    "报告类型",
    "学校标识码",
    "发生日期",
    "报告日期",
    "事件类型",
    "事件级别",
    "受伤人数",
    "情况说明",
]
_INCIDENT_KEYS = [
    "incident_code",
    "action",
    "school_code",
    "occurred_on",
    "reported_on",
    "incident_type",
    "level",
    "injured",
    "description",
]
_UNKNOWN_TYPE = 5  # the district by number in which an unmapped type surely occurs
_LEVEL_ZH = {4: "一般(IV级)", 3: "较大(III级)", 2: "重大(II级)"}


def write_incidents(part: Part, outbreaks: Sequence[Outbreak], hazards: Sequence[Hazard]) -> int:
    """Write one file per district and term with all reports. Returns the number of incidents.

    Incidents caused by an open hazard are noted in truth/hazard_incidents.csv."""
    incident_count = 0
    risk = school_risk(part.schools, part.seed)
    caused: list[tuple[str, str, str, str]] = []
    schools, year, number = part.schools, part.year, part.number
    district, at = districts()[number], year_index(year)
    for _, term, days, received in terms((year, year), part.newest):
        rng = stream(part.seed, Stream.INCIDENT, number, year, term)
        here = schools.of_district(number)
        size = schools.pupils[here, at].sum(axis=1) * risk[here]
        mean = size.sum() / 1000 * _INCIDENTS_PER_1000_TERM * len(days) / 90
        drawn = [_draw(rng, schools, here, size, days) for _ in range(max(1, int(rng.poisson(mean))))]
        drawn += [_cluster(o) for o in outbreaks if o.first_day in days]
        drawn += [
            _of_hazard(rng, schools, hazard)
            for hazard in hazards
            if hazard.incident_day and days[0] <= hazard.incident_day <= days[-1]
        ]
        drawn.sort(key=lambda i: (i.day, i.school_code))
        incident_count += len(drawn)
        records: list[dict[str, str | int]] = []
        for nth, incident in enumerate(drawn, 1):
            code = f"{district.code}-{year}-{term}-{nth:05d}"
            records += _reports(incident, code, rng, days[-1], number % 2 == 1)
            if incident.hazard_code:
                caused.append((district.code, code, incident.school_code, incident.hazard_code))
        name = f"校园安全事件_{year}-{year + 1}-{term}.ndjson"
        file = f"campus_safety/{district.code}/{received}_1/{name}"
        surely = part.is_last and number == _UNKNOWN_TYPE
        for line in part.faults.lines("incident_unmapped_type", file, len(records), surely=surely):
            key = "事件类型" if "事件类型" in records[line] else "incident_type"
            records[line][key] = "校门口围观"
            part.faults.note("incident_unmapped_type", file, line + 1)
        data = ndjson_bytes(records)
        part.landing.put("campus_safety", district.code, received, name, data, len(records))
    columns = ("district_code", "incident_code", "school_code", "hazard_code")
    part.truth.write("hazard_incidents", columns, caused)
    return incident_count


@dataclass(frozen=True)
class _Incident:
    school_code: str
    day: date
    kind: str
    kind_zh: str
    level: int
    injured: int
    text: str
    hazard_code: str = ""


def _draw(
    rng: np.random.Generator,
    schools: Schools,
    here: NDArray[np.int64],
    size: NDArray[np.int64],
    days: Sequence[date],
) -> _Incident:
    parts = np.array([part for _, _, part, _ in INCIDENTS])
    school = int(rng.choice(here, p=size / size.sum()))
    if schools.kinds[school] in ("kindergarten", "primary"):
        parts *= np.array([kind != "laboratory" for kind, *_ in INCIDENTS])
    kind, kind_zh, _, what = INCIDENTS[int(rng.choice(len(INCIDENTS), p=parts / parts.sum()))]
    level = 4 if rng.random() < 0.97 else 3
    injured = int(rng.integers(5, 9)) if level == 3 else int(rng.random() < 0.75) + int(rng.random() < 0.12)
    name = person_names(rng.integers(0, NAME_NUMBERS, 1))[0]
    child = "幼儿" if schools.kinds[school] == "kindergarten" else "学生"
    text = f"{child}{name}{what}。班主任已联系家长, 校医处置后{'送医' if injured else '返回班级'}。"
    return _Incident(
        schools.codes[school], days[int(rng.integers(len(days)))], kind, kind_zh, level, injured, text
    )


def _of_hazard(rng: np.random.Generator, schools: Schools, hazard: Hazard) -> _Incident:
    """The incident that a hazard caused while it was open."""
    assert hazard.incident_day is not None
    level = 3 if hazard.grade == "重大" and rng.random() < 0.3 else 4
    injured = int(rng.integers(5, 9)) if level == 3 else int(rng.random() < 0.6)
    name = person_names(rng.integers(0, NAME_NUMBERS, 1))[0]
    text = f"{name}因{hazard.seen}受影响, 隐患此前已登记。"
    return _Incident(
        schools.codes[hazard.school],
        hazard.incident_day,
        hazard.incident_kind,
        hazard.incident_kind_zh,
        level,
        injured,
        text,
        hazard.code,
    )


def _cluster(outbreak: Outbreak) -> _Incident:
    """The incident by which a school reports its outbreak, two days after it began."""
    day = outbreak.first_day + timedelta(days=2)
    text = f"{outbreak.class_names[0]}出现聚集性病例, 已报告疾控机构, 开展消毒和晨午检。"
    return _Incident(
        outbreak.school_code, min(day, outbreak.last_day), "infectious_cluster", "传染病聚集", 4, 0, text
    )


def _reports(
    incident: _Incident, code: str, rng: np.random.Generator, last: date, in_words: bool
) -> list[dict[str, str | int]]:
    """First report, perhaps a further one, and a closing one unless the term ends before it."""
    update, close, wait, rest = rng.random(2).tolist() + rng.integers(1, 8, 2).tolist()
    day = incident.day + timedelta(days=int(rng.random() < 0.2))
    reports = [("open", "新报", min(day, last))]
    if update < 0.35:
        day += timedelta(days=int(wait))
        reports.append(("update", "续报", day))
    if close < 0.9:
        reports.append(("close", "结案", day + timedelta(days=int(rest) + 2)))
    keys = _INCIDENT_KEYS_ZH if in_words else _INCIDENT_KEYS
    return [
        dict(
            zip(
                keys,
                (
                    code,
                    zh if in_words else action,
                    incident.school_code,
                    incident.day.isoformat(),
                    on.isoformat(),
                    incident.kind_zh if in_words else incident.kind,
                    _LEVEL_ZH[incident.level] if in_words else str(incident.level),
                    incident.injured,
                    incident.text,
                ),
                strict=True,
            )
        )
        for action, zh, on in reports
        if on <= last
    ]
