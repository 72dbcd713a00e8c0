"""Reports of incidents on campus: drawn ones, those that an open hazard led to, and outbreaks as clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np

from synthetic.city.figures import data_rows, districts
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

_SCHOOL_DAYS = 190  # of a year, over which the rates are spread


@dataclass(frozen=True)
class Kind:
    """One kind of incident, and how often schools report it: infra/data/beijing/incident_rates.csv."""

    code: str
    zh: str
    per_1000_pupil_years: float
    kinds_of_school: tuple[str, ...]  # none: all
    several_share: float  # of them, with five or more injured: level III
    what: str


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds of incidents that are drawn; those of an outbreak or a hazard follow from these."""
    return tuple(
        Kind(
            row["incident_type_code"],
            row["incident_type_zh"],
            float(row["per_1000_pupil_years"]),
            tuple(filter(None, row["kinds_of_school"].split("|"))),
            float(row["several_share"]),
            row["what_zh"],
        )
        for row in data_rows("incident_rates.csv")
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
    caused: list[tuple[str, str, str, str]] = []
    schools, year, number = part.schools, part.year, part.number
    district = districts()[number]
    for _, term, days, received in terms((year, year), part.newest):
        rng = stream(part.seed, Stream.INCIDENT, number, year, term)
        drawn = _drawn(rng, schools, part.seed, number, year, days)
        drawn += [_cluster(o) for o in outbreaks if o.first_day in days]
        drawn += [
            _of_hazard(rng, schools, hazard)
            for hazard in hazards
            if hazard.incident_day and days[0] <= hazard.incident_day <= days[-1]
        ]
        surely = part.is_last and number == _UNKNOWN_TYPE
        if surely and not drawn:
            here = schools.of_district(number)
            drawn = [_draw(rng, schools, kinds()[0], int(here[0]), days)]
        if not drawn:
            continue
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


def serious_incidents(
    schools: Schools, seed: int, number: int, year: int, newest: date
) -> list[tuple[str, date]]:
    """School and day of each incident of level III that is drawn in a district and school year."""
    found = []
    for _, term, days, _ in terms((year, year), newest):
        rng = stream(seed, Stream.INCIDENT, number, year, term)
        found += [
            (i.school_code, i.day) for i in _drawn(rng, schools, seed, number, year, days) if i.level < 4
        ]
    return found


def _drawn(
    rng: np.random.Generator, schools: Schools, seed: int, number: int, year: int, days: Sequence[date]
) -> list[_Incident]:
    """A term's incidents of one district, kind by kind: the rate by pupils, and each school's own risk."""
    here = schools.of_district(number)
    size = schools.pupils[here, year_index(year)].sum(axis=1) * school_risk(schools, seed)[here]
    found = []
    for kind in kinds():
        fits = [not kind.kinds_of_school or schools.kinds[s] in kind.kinds_of_school for s in here.tolist()]
        own = size * np.array(fits)
        mean = own.sum() / 1000 * kind.per_1000_pupil_years * len(days) / _SCHOOL_DAYS
        for _ in range(int(rng.poisson(mean))):
            found.append(_draw(rng, schools, kind, int(rng.choice(here, p=own / own.sum())), days))
    return found


def _draw(
    rng: np.random.Generator, schools: Schools, kind: Kind, school: int, days: Sequence[date]
) -> _Incident:
    several = rng.random() < kind.several_share
    injured = int(rng.integers(5, 9)) if several else int(rng.random() < 0.75) + int(rng.random() < 0.12)
    if kind.code == "food_borne":
        injured = int(rng.integers(2, 20))
    name = person_names(rng.integers(0, NAME_NUMBERS, 1))[0]
    child = "幼儿" if schools.kinds[school] == "kindergarten" else "学生"
    end = "送医" if injured else "返回班级"
    text = f"{child}{name}{kind.what}。班主任已联系家长, 校医处置后{end}。"
    day = days[int(rng.integers(len(days)))]
    return _Incident(schools.codes[school], day, kind.code, kind.zh, 3 if injured >= 5 else 4, injured, text)


def _of_hazard(rng: np.random.Generator, schools: Schools, hazard: Hazard) -> _Incident:
    """The incident that a hazard caused while it was open."""
    assert hazard.incident_day is not None
    level = 3 if hazard.is_serious else 4
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
