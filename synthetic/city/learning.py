"""Digital resources and their use: catalogues of the city's platform and of some districts; daily counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from synthetic.city.calendar import days_of_term
from synthetic.city.figures import districts
from synthetic.city.forms import Dress, fill, send
from synthetic.city.ladder import J1, P1, S1, S3, grades
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.schools import year_index
from synthetic.city.words import place_words

CITY = "110000"
# Contributors beside the city: districts by number. Counts are assumptions.
CONTRIBUTING = (1, 2, 5, 8)
_EACH_YEAR = {"city": (60, 1500), "district": (20, 240)}  # least, and at scale 1
_USES_PER_SCHOOL_DAY = {"city": 0.9, "district": 0.35}  # rows, in 2025
_GROWTH = 0.82  # of use from one year to the year before it
_KINDS = (
    *(("lesson_video", 0.38), ("courseware", 0.20), ("lesson_plan", 0.10), ("exercise", 0.14)),
    *(("experiment", 0.04), ("ebook", 0.05), ("material", 0.06), ("tool", 0.03)),
)
_WORDS = {
    "lesson_video": "微课",
    "courseware": "课件",
    "lesson_plan": "教学设计",
    "exercise": "练习",
    "experiment": "虚拟实验",
    "ebook": "读物",
    "material": "素材",
    "tool": "学科工具",
}
_SUBJECTS = (
    *(("chinese", "语文", P1), ("mathematics", "数学", P1), ("foreign_language", "外语", P1)),
    *(("science", "科学", P1), ("physical_education", "体育与健康", P1), ("music", "音乐", P1)),
    *(("fine_arts", "美术", P1), ("moral", "道德与法治", P1), ("physics", "物理", J1 + 1)),
    *(
        ("chemistry", "化学", J1 + 2),
        ("biology", "生物学", J1),
        ("history", "历史", J1),
        ("geography", "地理", J1),
    ),
)
_USERS = (("pupil", 0.62), ("teacher", 0.28), ("parent", 0.10))
_FIRST_YEAR = 2019
_YEARS_IN_USE = 3  # that a resource is used for, beside the one that added it
# truth/unlisted_resources.csv: what the backlog left out, though it stands on the platform and is used.
_UNLISTED_TRUTH = ("contributor_code", "resource_code", "file")


@dataclass(frozen=True)
class Catalogue:
    """The resources of one contributor that a school year added."""

    columns: dict[str, list[object]]
    grade: np.ndarray


def write_city_learning(part: Part) -> None:
    """The city's platform, as programs write: NDJSON."""
    dress = Dress("ndjson", days="dashed", in_english=True)
    _write(part, CITY, "city", 99, dress, np.arange(len(part.schools)))


def write_district_learning(part: Part) -> None:
    """The teaching research centers of some districts: a workbook of the catalogue, text of the use."""
    if part.number not in CONTRIBUTING:
        return
    code = districts()[part.number].code
    here = part.schools.of_district(part.number)
    _write(part, code, "district", part.number, Dress("xlsx", in_words=True, days="dashed"), here)


def _write(part: Part, sender: str, level: str, number: int, dress: Dress, here: np.ndarray) -> None:
    year = part.year
    used = range(max(_FIRST_YEAR, year - _YEARS_IN_USE), year + 1)
    known = [_catalogue(part, sender, level, number, y) for y in used]
    _send_catalogue(part, sender, level, known, dress)
    codes = [str(code) for c in known for code in c.columns["resource_code"]]
    grade = np.concatenate([c.grade for c in known])
    schools = [s for s in here.tolist() if part.schools.kinds[s] != "kindergarten"]
    schools = [s for s in schools if part.schools.is_open(s, year)]
    for term in (1, 2):
        days = days_of_term(year, term, part.newest - timedelta(days=4))
        if not days:
            continue
        rng = stream(part.seed, Stream.RESOURCE, number, year, term)
        text = dress if dress.container == "ndjson" else Dress("utf-8-sig", in_words=True, days="dashed")
        columns = _use(part, level, schools, days, codes, grade, rng)
        if not columns["resource_code"]:
            continue
        received = min(part.newest, days[-1] + timedelta(days=6))
        name = f"数字资源使用_{year}-{year + 1}-{term}"
        filled = fill("resource_use", columns, text)
        file = f"resources/{sender}/{received}_1/{name}.{text.ending}"
        surely = part.is_last and level == "city"
        for at in part.faults.lines("use_repeated_line", file, len(filled.rows), surely=surely):
            filled.rows.append(list(filled.rows[at]))
            part.faults.note("use_repeated_line", file, len(filled.rows) - 1 + text.first_line())
        send(part.landing, "resource_use", sender, received, name, filled, text)


def _send_catalogue(part: Part, sender: str, level: str, known: list[Catalogue], dress: Dress) -> None:
    """What the year added; the first delivery brings the backlog, every resource that is still in use."""
    day, stem = date(part.year, 9, 22), f"数字资源目录_{part.year}"
    listed = known if part.is_first else known[-1:]
    columns = {name: [value for c in listed for value in c.columns[name]] for name in known[-1].columns}
    backlog = len(columns["resource_code"]) - len(known[-1].grade)
    file = f"resources/{sender}/{day}_1/{stem}.{dress.ending}"
    surely = part.is_first and level == "city"
    left_out = part.faults.lines("resource_not_catalogued", file, backlog, surely=surely) if backlog else []
    rows = []
    for at in reversed(left_out):
        rows.append((sender, str(columns["resource_code"][at]), file))
        part.faults.note("resource_not_catalogued", file)
        for values in columns.values():
            del values[at]
    part.truth.write("unlisted_resources", _UNLISTED_TRUTH, sorted(rows))
    send(part.landing, "digital_resource", sender, day, stem, fill("digital_resource", columns, dress), dress)


def _catalogue(part: Part, sender: str, level: str, number: int, year: int) -> Catalogue:
    rng = stream(part.seed, Stream.RESOURCE, number, year, 9)
    least, most = _EACH_YEAR[level]
    count = max(least, round(most * part.scale))
    kinds = rng.choice([k for k, _ in _KINDS], count, p=[p for _, p in _KINDS]).tolist()
    subject = rng.integers(len(_SUBJECTS), size=count)
    lowest = np.array([_SUBJECTS[s][2] for s in subject.tolist()])
    grade = lowest + (rng.random(count) * (S3 + 1 - lowest)).astype(np.int64)
    keys, words = [g.key for g in grades()], [g.meaning_zh for g in grades()]
    stages = np.where(grade >= S1, "senior", np.where(grade >= J1, "junior", "primary")).tolist()
    topics = place_words(rng, count)
    published = [date(year, 9, 1) + timedelta(days=int(d)) for d in rng.integers(0, 20, count)]
    # Of the backlog everything still stands: what was taken down before the first catalogue is in none.
    gone = (rng.random(count) < 0.02) & (part.city.years[0] <= year < part.city.years[1])
    columns: dict[str, list[object]] = {
        "resource_code": [f"R{sender}{year}{n:05d}" for n in range(1, count + 1)],
        "resource_title": [
            f"{words[g]}{_SUBJECTS[s][1]}《{topic}》{_WORDS[k]}"
            for g, s, topic, k in zip(grade.tolist(), subject.tolist(), topics, kinds, strict=True)
        ],
        "resource_kind_code": list(kinds),
        "stage_code": list(stages),
        "grade_key": [keys[g] for g in grade.tolist()],
        "subject_code": [_SUBJECTS[s][0] for s in subject.tolist()],
        "contributor_code": [sender] * count,
        "published_date": list(published),
        "unpublished_date": [date(year + 1, 7, 1) if g else None for g in gone.tolist()],
        "is_open_resource": (rng.random(count) < (0.9 if level == "city" else 0.55)).tolist(),
    }
    return Catalogue(columns, grade)


def _use(
    part: Part,
    level: str,
    schools: list[int],
    days: list[date],
    codes: list[str],
    grade: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, list[object]]:
    """Rows for some schools and days; few resources have most of the use, and use grows over the years."""
    rows = _USES_PER_SCHOOL_DAY[level] * _GROWTH ** (2025 - part.year)
    lively = rng.gamma(1.2, 1 / 1.2, len(schools))
    per_day = rng.poisson(rows * lively[:, None] * np.ones(len(days)))
    school_at, day_at = np.repeat(np.indices(per_day.shape).reshape(2, -1), per_day.ravel(), axis=1)
    popular = 1 / (1 + rng.permutation(len(codes))) ** 0.8
    resource = rng.choice(len(codes), len(school_at), p=popular / popular.sum())
    user = rng.choice(len(_USERS), len(school_at), p=[p for _, p in _USERS])
    # A resource of another stage is not used; one row for each resource, school, day and kind of user.
    kinds = np.array(part.schools.kinds)[np.array(schools)][school_at] if len(schools) else np.array([])
    fits = np.where(kinds == "primary", grade[resource] < J1, grade[resource] >= J1)
    key = np.stack([school_at, day_at, resource, user])[:, fits]
    school_at, day_at, resource, user = np.unique(key, axis=1)
    count = len(school_at)
    size = (
        part.schools.pupils[np.array(schools), year_index(part.year)].sum(axis=1)[school_at] if count else []
    )
    users = np.maximum(1, np.minimum(rng.geometric(0.06, count), size)) if count else np.array([], int)
    uses = users + rng.poisson(users * 0.4)
    return {
        "resource_code": [codes[r] for r in resource.tolist()],
        "school_code": [part.schools.codes[schools[s]] for s in school_at.tolist()],
        "use_date": [days[d] for d in day_at.tolist()],
        "user_kind_code": [_USERS[u][0] for u in user.tolist()],
        "use_count": uses.tolist(),
        "user_count": users.tolist(),
        "use_min": np.round(uses * rng.uniform(3, 22, count), 1).tolist(),
    }
