"""Cases of the hotline 12345 about education: topics, time to answer, satisfaction.

Shares resolved and satisfied move as published, 53.1 to 96.5 % and 64.6 to 96.9 % from January 2019 to
September 2024, over all cases of the city; how many are about education, topics and seasons are assumptions.
Callers are nobody: names are made, telephone numbers begin with 10, which no telephone does.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

from synthetic.city.figures import districts
from synthetic.city.forms import Dress, fill, send
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.schools import Schools
from synthetic.city.words import NAME_NUMBERS, person_names, phone

CITY = "110000"
_CASES = 60_000  # a year at scale 1
# Topic, share, its weight from April to August against the other months, and what is said.
_TOPICS = (
    ("admission", 0.27, 2.2, "咨询孩子今年入学需要哪些材料, 学位是否紧张"),
    ("roll", 0.09, 1.3, "反映转学手续办理缓慢"),
    ("teaching", 0.12, 0.8, "反映作业量偏多"),
    ("conduct", 0.06, 0.9, "反映教师言语不当"),
    ("after_school", 0.08, 0.8, "建议延长课后服务时间"),
    ("fees", 0.07, 1.0, "咨询收费是否合规"),
    ("canteen", 0.09, 0.9, "反映学生餐口味和温度不佳"),
    ("safety", 0.07, 0.9, "反映放学时段校门口拥堵存在安全隐患"),
    ("facilities", 0.07, 0.9, "反映教室空调故障"),
    ("training", 0.05, 1.1, "反映培训机构退费困难"),
    ("fitness", 0.02, 0.8, "咨询体质健康测试补测安排"),
    ("other", 0.01, 1.0, "其他教育方面的咨询"),
)
_URGENCIES = (("general", 0.86), ("complex", 0.09), ("utility", 0.03), ("urgent", 0.02))
_LIMIT_HOURS = {"urgent": 2, "utility": 24, "general": 168, "complex": 360}
_MONTHS, _RESOLVED, _SATISFIED = (2019.0, 2024.67), (0.531, 0.965), (0.646, 0.969)


def write_hotline(part: Part) -> None:
    """Two files a school year: autumn on 10 January, the rest on 5 September; the last year so far."""
    year = part.year
    spans = [(date(year, 9, 1), date(year, 12, 31), date(year + 1, 1, 10))]
    spans += [(date(year + 1, 1, 1), date(year + 1, 8, 31), date(year + 1, 9, 5))]
    for first, last, received in spans:
        if received > part.newest:
            if first > part.newest:
                continue
            last, received = part.newest - timedelta(days=2), part.newest
        columns = cases(part.schools, part.scale, part.seed, (first, last), received)
        if columns["hotline_case_code"]:
            filled = fill("hotline_case", columns, _DRESS)
            name = f"接诉即办工单_{first:%Y%m}-{last:%Y%m}"
            send(part.landing, "hotline_case", CITY, received, name, filled, _DRESS)


_DRESS = Dress("utf-8-sig", in_words=True, days="dashed")


def cases(
    schools: Schools, scale: float, seed: int, span: tuple[date, date], received: date
) -> dict[str, list[Any]]:
    """Cases accepted in a span of days, by the contract's columns; open ones have no outcome yet."""
    first, last = span
    rng = stream(seed, Stream.HOTLINE, first.year, first.month)
    days = (last - first).days + 1
    count = int(rng.poisson(_CASES * scale * days / 365))
    # Weekends are quieter; admission and transfers swell before summer.
    all_days = [first + timedelta(days=n) for n in range(days)]
    weight = np.array([0.45 if day.weekday() >= 5 else 1.0 for day in all_days])
    shares = np.array([share for _, share, _, _ in _TOPICS])
    swell = np.array([s for _, _, s, _ in _TOPICS])
    in_season = np.array([day.month in (4, 5, 6, 7, 8) for day in all_days])
    rate = weight[:, None] * shares * np.where(in_season[:, None], swell, 1.0)
    cells = rng.choice(rate.size, count, p=(rate / rate.sum()).ravel())
    cells.sort()
    day_at, topic = np.divmod(cells, len(_TOPICS))
    accepted = [all_days[d] for d in day_at.tolist()]
    weights = np.array([d.shares["primary"] for d in districts()])
    district = rng.choice(len(districts()), count, p=weights / weights.sum())
    urgency = rng.choice([name for name, _ in _URGENCIES], count, p=[p for _, p in _URGENCIES]).tolist()
    limit = np.array([_LIMIT_HOURS[u] for u in urgency], float)
    hours = np.round(limit * np.exp(rng.normal(-0.95, 0.55, count)), 1)
    closed = [a + timedelta(days=int(h // 24)) for a, h in zip(accepted, hours.tolist(), strict=True)]
    is_closed = [c <= received - timedelta(days=1) for c in closed]
    at = np.array([a.year + (a.month - 0.5) / 12 for a in accepted])
    resolved = rng.random(count) < np.interp(at, _MONTHS, _RESOLVED)
    satisfied = np.where(resolved, rng.random(count) < 0.99, rng.random(count) < 0.5)
    satisfied &= rng.random(count) < np.interp(at, _MONTHS, (_SATISFIED[0] + 0.20, 0.995))
    named_schools: list[str | None] = []
    for d, named in zip(district.tolist(), (rng.random(count) < 0.7).tolist(), strict=True):
        here = schools.of_district(d)
        school = int(here[rng.integers(len(here))])
        is_told = named and schools.is_open(school, first.year if first.month >= 9 else first.year - 1)
        named_schools.append(schools.codes[school] if is_told else None)
    names = person_names(rng.integers(0, NAME_NUMBERS, count))
    phones = [phone(n) for n in rng.integers(0, 10**9, count).tolist()]

    def once_closed(values: list[bool]) -> list[bool | None]:
        return [v if c else None for v, c in zip(values, is_closed, strict=True)]

    return {
        "hotline_case_code": [f"GD{first:%Y%m}{n:07d}" for n in range(1, count + 1)],
        "accepted_date": accepted,
        "district_code": [districts()[d].code for d in district.tolist()],
        "school_code": named_schools,
        "hotline_urgency_code": urgency,
        "hotline_topic_code": [_TOPICS[t][0] for t in topic.tolist()],
        "closed_case_date": [c if ok else None for c, ok in zip(closed, is_closed, strict=True)],
        "handling_hours": [h if ok else None for h, ok in zip(hours.tolist(), is_closed, strict=True)],
        "is_responded": once_closed((hours <= limit).tolist()),
        "is_resolved": once_closed(resolved.tolist()),
        "is_satisfied": once_closed(satisfied.tolist()),
        "caller_name": names,
        "caller_phone": phones,
        "hotline_text": [
            f"来电人{name}{_TOPICS[t][3]}。" for name, t in zip(names, topic.tolist(), strict=True)
        ],
    }
