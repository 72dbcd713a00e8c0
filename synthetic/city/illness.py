"""Daily absence by illness, with outbreaks hidden in it.

Illness is counted per school, class, school day and leading symptom, and sent only where somebody is absent.
Counts are negative binomial: Poisson around a rate that moves with the season, the day of the week and the
school's days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthetic.city.alert_states import write_alert_states
from synthetic.city.calendar import days_of_term
from synthetic.city.figures import districts
from synthetic.city.ladder import P1, STAGE_OF, class_name, grades
from synthetic.city.life import Population
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.schools import Schools, year_index
from synthetic.city.writers import ndjson_bytes

# Assumptions, all of them: no public series of absence by illness was found.
_RATE = (0.0100, 0.0050, 0.0030, 0.0022)  # absent of a day, by stage, in a mean season
_SEASON = {1: 1.7, 2: 1.3, 3: 1.2, 4: 1.0, 5: 0.8, 6: 0.7, 7: 0.6, 8: 0.6, 9: 0.7, 10: 0.9, 11: 1.25, 12: 1.8}
_WEEKDAY = (1.22, 1.05, 0.98, 0.95, 0.92, 0.60, 0.55)  # Monday holds the weekend's; a make-up Saturday few
_SCHOOL_SHAPE, _SCHOOL_DAY_SHAPE = 12.0, 5.0
# Leading symptom -> its part of all absence, and its Chinese name.
_SYMPTOM_TABLE = (
    ("fever", 0.30, "发热"),
    ("cough", 0.29, "咳嗽"),
    ("sore_throat", 0.11, "咽痛"),
    ("vomiting", 0.06, "呕吐"),
    ("abdominal_pain", 0.06, "腹痛"),
    ("diarrhea", 0.05, "腹泻"),
    ("headache", 0.05, "头痛"),
    ("fatigue", 0.03, "乏力"),
    ("rash", 0.02, "皮疹"),
    ("dizziness", 0.01, "头晕"),
    ("parotid_swelling", 0.01, "腮腺肿大"),
    ("conjunctival_redness", 0.01, "结膜充血"),
)
SYMPTOMS = {code: part for code, part, _ in _SYMPTOM_TABLE}
_SYMPTOM_ZH = {code: zh for code, _, zh in _SYMPTOM_TABLE}
# Diseases that a doctor names from the third day on, by the symptom they begin with, and how often one does.
_DISEASES = {
    "rash": (("varicella", "水痘"), ("scarlet_fever", "猩红热"), ("hfmd", "手足口病")),
    "parotid_swelling": (("mumps", "流行性腮腺炎"),),
    "diarrhea": (("infectious_diarrhea", "感染性腹泻"),),
}
_CONDITIONS = [*SYMPTOMS, *(code for named in _DISEASES.values() for code, _ in named)]
_CONDITION_ZH = _SYMPTOM_ZH | dict(pair for named in _DISEASES.values() for pair in named)
_NAMED_SHARE, _NAMED_AFTER = 0.5, 2
_OUTBREAK_SYMPTOMS = ("fever", "vomiting", "rash", "diarrhea", "parotid_swelling")
_STAGES = np.array(STAGE_OF)
_OUTBREAKS_PER_TERM = 120  # over the whole city at scale 1
_ILLNESS_KEYS_ZH = ["学校标识码", "班级", "年级", "报告日期", "症状", "因病缺勤人数", "新增病例数"]
_ILLNESS_KEYS = ["school_code", "class", "grade", "reported_on", "symptom", "absent", "new_cases"]
_NEW_SHARE = 0.55  # of the absent of a day: a sick child stays away about two days


@dataclass(frozen=True)
class Outbreak:
    """One injected outbreak: what the services are asked to find."""

    district_code: str
    school_code: str
    class_names: tuple[str, ...]
    symptom: str  # what it began with; a disease may be named later
    first_day: date
    last_day: date
    extra_absent: int


@dataclass(frozen=True)
class _Classes:
    """All classes of one district in one autumn."""

    school: NDArray[np.int64]
    grade: NDArray[np.int64]
    klass: NDArray[np.int64]
    size: NDArray[np.int64]


def terms(years: tuple[int, int], newest: date) -> list[tuple[int, int, list[date], date]]:
    """(year, term, school days, day received) of every term up to the newest delivery."""
    found = []
    for year in range(years[0], years[1] + 1):
        for term in (1, 2):
            days = days_of_term(year, term, newest)
            if days:
                found.append((year, term, days, min(newest, days[-1] + timedelta(days=4))))
    return found


def write_illness(part: Part) -> list[Outbreak]:
    """Write one file per district and term. Returns the outbreaks hidden in them."""
    outbreaks: list[Outbreak] = []
    schools, seed, year, number = part.schools, part.seed, part.year, part.number
    classes = part.once("classes", lambda: _classes(schools, part.population, year))
    here = np.flatnonzero(schools.district[classes.school] == number)
    for _, term, days, received in terms((year, year), part.newest):
        sick = _choose_outbreaks(classes, days, seed, part.scale, year, term)
        counts = _absent(classes, here, days, stream(seed, Stream.ILLNESS, number, year, term))
        added: list[tuple[int, int, int, int]] = []
        for case in sick:
            if schools.district[classes.school[case]] != number:
                continue
            # One is still going on when the newest delivery comes in.
            is_current = days[-1] >= part.newest - timedelta(days=3) and case == sick[0]
            rng = stream(seed, Stream.OUTBREAK, year, term, case)
            outbreak, rows = _break_out(schools, classes, case, days, rng, is_current)
            outbreaks.append(outbreak)
            added += rows
        rng = stream(seed, Stream.ILLNESS, number, year, term, 1)
        reports = _illness_reports(schools, classes, here, counts, added, days, rng)
        records = _illness_records(reports, in_words=number % 2 == 0)
        name = f"因病缺勤日报_{year}-{year + 1}-{term}.ndjson"
        data = ndjson_bytes(records)
        part.landing.put("campus_safety", districts()[number].code, received, name, data, len(records))
        write_alert_states(part, term, received, reports, _class_sizes(schools, classes, here))
    return outbreaks


def _classes(schools: Schools, population: Population, year: int) -> _Classes:
    """Classes of the autumn roll; kindergartens, which have no roll, are dealt out evenly."""
    roll = population.rolls[year, 1]
    key = (roll.school * 15 + roll.grade) * 1000 + roll.klass
    cells, sizes = np.unique(key, return_counts=True)
    parts = [(cells // 15_000, cells // 1000 % 15, cells % 1000, sizes)]
    at = year_index(year)
    for grade in range(P1):
        school = np.flatnonzero(schools.pupils[:, at, grade] > 0)
        count = schools.classes[school, at, grade]
        of = np.repeat(school, count)
        klass = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
        whole, rest = np.divmod(schools.pupils[of, at, grade], np.repeat(count, count))
        parts.append((of, np.full(len(of), grade), klass + 1, whole + (klass < rest)))
    columns = [np.concatenate([part[n] for part in parts]) for n in range(4)]
    order = np.lexsort((columns[2], columns[1], columns[0]))
    return _Classes(*(column[order] for column in columns))


def _absent(
    classes: _Classes, here: NDArray[np.int64], days: Sequence[date], rng: np.random.Generator
) -> NDArray[np.int32]:
    """Absent children by [class of `here`, day, symptom]."""
    school = classes.school[here]
    at = school - school.min() if len(school) else school
    width = int(at.max()) + 1 if len(at) else 0
    of_school = rng.gamma(_SCHOOL_SHAPE, 1 / _SCHOOL_SHAPE, width)
    of_day = rng.gamma(_SCHOOL_DAY_SHAPE, 1 / _SCHOOL_DAY_SHAPE, (width, len(days)))
    of_city = rng.gamma(60.0, 1 / 60.0, len(days))
    season = np.array([_season(day) * _WEEKDAY[day.weekday()] for day in days]) * of_city
    base = np.array(_RATE)[_STAGES[classes.grade[here]]] * classes.size[here] * of_school[at]
    rate = base[:, None] * season * of_day[at]
    parts = np.array(list(SYMPTOMS.values()))
    counts = np.empty((len(here), len(days), len(parts)), np.int32)
    for begin in range(0, len(here), 500):  # a large district at once would take a gigabyte
        some = slice(begin, begin + 500)
        counts[some] = rng.poisson(rate[some, :, None] * parts / parts.sum())
    return counts


def _season(day: date) -> float:
    """The seasonal factor of a day, interpolated between the middles of months."""
    middle = day.day - 15
    other = (day.replace(day=15) + timedelta(days=30 if middle >= 0 else -30)).month
    weight = abs(middle) / 30
    return _SEASON[day.month] * (1 - weight) + _SEASON[other] * weight


def _choose_outbreaks(
    classes: _Classes, days: Sequence[date], seed: int, scale: float, year: int, term: int
) -> list[int]:
    rng = stream(seed, Stream.OUTBREAK, year, term)
    count = max(2, round(_OUTBREAKS_PER_TERM * scale * min(1.0, len(days) / 90)))
    large = np.flatnonzero(
        (classes.size >= min(20, int(np.percentile(classes.size, 70)))) & (_STAGES[classes.grade] < 3)
    )
    return sorted(rng.choice(large, min(count, len(large)), replace=False).tolist())


def _break_out(
    schools: Schools,
    classes: _Classes,
    case: int,
    days: Sequence[date],
    rng: np.random.Generator,
    is_current: bool,
) -> tuple[Outbreak, list[tuple[int, int, int, int]]]:
    """An epidemic curve in one class, at times in its neighbour too: (class, day, symptom, extra absent)."""
    symptom = list(SYMPTOMS).index(_OUTBREAK_SYMPTOMS[int(rng.integers(len(_OUTBREAK_SYMPTOMS)))])
    length = int(rng.integers(4, 9))
    start = int(rng.integers(5, max(6, len(days) - length)))
    if is_current:
        start = len(days) - length + 1
    neighbours = [
        c
        for c in (case - 1, case + 1)
        if 0 <= c < len(classes.school)
        and classes.school[c] == classes.school[case]
        and classes.grade[c] == classes.grade[case]
    ]
    struck = [case, *neighbours[: int(rng.random() < 0.4)]]
    rows = []
    for c in struck:
        ill = classes.size[c] * rng.uniform(0.22, 0.40) * (1.0 if c == case else 0.6)
        curve = np.exp(-(((np.arange(length) - length * 0.4) / (length * 0.3)) ** 2))
        # A sick child stays away about two days.
        extra = rng.poisson(curve / curve.sum() * ill * 2)
        extra = np.minimum(extra, classes.size[c] // 2)
        days_of = range(start, min(start + length, len(days)))
        rows += [(c, d, symptom, int(n)) for d, n in zip(days_of, extra, strict=False) if n]
    # Drawn last, so that what went before does not depend on it.
    diseases = _DISEASES.get(list(SYMPTOMS)[symptom], ())
    if diseases and rng.random() < _NAMED_SHARE:
        named = _CONDITIONS.index(diseases[int(rng.integers(len(diseases)))][0])
        rows = [(c, d, named if d >= start + _NAMED_AFTER else s, n) for c, d, s, n in rows]
    outbreak = Outbreak(
        district_code=districts()[schools.district[classes.school[case]]].code,
        school_code=schools.codes[classes.school[case]],
        class_names=tuple(class_name(int(classes.grade[c]), int(classes.klass[c])) for c in struck),
        symptom=list(SYMPTOMS)[symptom],
        first_day=days[start],
        last_day=days[min(start + length, len(days)) - 1],
        extra_absent=sum(n for *_, n in rows),
    )
    return outbreak, rows


def _class_names(classes: _Classes, here: NDArray[np.int64]) -> list[str]:
    return [class_name(int(g), int(k)) for g, k in zip(classes.grade[here], classes.klass[here], strict=True)]


def _class_sizes(schools: Schools, classes: _Classes, here: NDArray[np.int64]) -> dict[tuple[str, str], int]:
    """Class sizes, for the classes that rolls contain."""
    codes = [schools.codes[s] for s in classes.school[here].tolist()]
    sizes = zip(codes, _class_names(classes, here), classes.size[here].tolist(), strict=True)
    grades_of = classes.grade[here].tolist()
    return {
        (code, name): size for (code, name, size), grade in zip(sizes, grades_of, strict=True) if grade >= P1
    }


def _illness_reports(
    schools: Schools,
    classes: _Classes,
    here: NDArray[np.int64],
    counts: NDArray[np.int32],
    added: Sequence[tuple[int, int, int, int]],
    days: Sequence[date],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """`school_code, class_name, grade, date, condition_code, absent_count, case_count`, by day and class."""
    position = {int(c): n for n, c in enumerate(here)}
    named = len(_CONDITIONS) - counts.shape[2]
    counts = np.concatenate([counts, np.zeros((*counts.shape[:2], named), counts.dtype)], axis=2)
    for c, day, symptom, extra in added:
        counts[position[c], day, symptom] += extra
    counts = np.minimum(counts, np.maximum(classes.size[here], 1).astype(np.int32)[:, None, None])
    day_at, class_at, symptom_at = np.nonzero(counts.transpose(1, 0, 2))
    absent = counts[class_at, day_at, symptom_at]
    codes = np.array(schools.codes, dtype=object)[classes.school[here]]
    return pd.DataFrame(
        {
            "school_code": codes[class_at],
            "class_name": np.array(_class_names(classes, here), dtype=object)[class_at],
            "grade": classes.grade[here][class_at],
            "date": np.array([day.isoformat() for day in days], dtype=object)[day_at],
            "condition_code": np.array(_CONDITIONS, dtype=object)[symptom_at],
            "absent_count": absent,
            "case_count": rng.binomial(absent, _NEW_SHARE),
        }
    )


def _illness_records(reports: pd.DataFrame, *, in_words: bool) -> list[dict[str, str | int]]:
    keys = _ILLNESS_KEYS_ZH if in_words else _ILLNESS_KEYS
    grade_words = [g.jyt_code or g.meaning_zh for g in grades()]
    conditions = reports["condition_code"]
    columns = (
        reports["school_code"].tolist(),
        reports["class_name"].tolist(),
        [grade_words[g] for g in reports["grade"].tolist()],
        reports["date"].tolist(),
        (conditions.map(_CONDITION_ZH) if in_words else conditions).tolist(),
        reports["absent_count"].tolist(),
        reports["case_count"].tolist(),
    )
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]
