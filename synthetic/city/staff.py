"""Staff of schools and kindergartens: posts that persons hold for some years, with degrees, subjects, titles.

A post's holder changes now and then; the person who comes is made for it, and about nobody. Teachers for each
pupil follow the published ratios of 2019; degrees and training move as the plan's indicators do. What is not
published (other staff, subjects, titles, turnover) is an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.city.balance import facts_of, profiles
from synthetic.city.figures import FIRST_YEAR, YEARS, districts
from synthetic.city.forms import fill, office, send
from synthetic.city.identities import numbers_of
from synthetic.city.indicators import reached
from synthetic.city.ladder import GRADES_OF, STAGES
from synthetic.city.mended import persons_within
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.people import NUMBERS
from synthetic.city.schools import Schools, year_index
from synthetic.city.words import NAME_NUMBERS, person_names

# Pupils for each full-time teacher: 2019, the last published (kindergarten: an assumption).
PUPILS_PER_TEACHER = {"kindergarten": 10.5, "primary": 13.58, "junior": 8.33, "senior": 7.41}
_RATIO_SPREAD = 0.08
_OTHER_STAFF = {"kindergarten": 0.75, "primary": 0.10, "junior": 0.16, "senior": 0.45}  # to each teacher
_OTHER_POSTS = (("administrative", 0.35), ("assistant", 0.25), ("worker", 0.40))
_FEMALE = {"kindergarten": 0.98, "primary": 0.83, "junior": 0.73, "senior": 0.66}
_TURNOVER = 0.045  # of posts a year
_SUBJECTS = {
    "kindergarten": (("preschool", 1.0),),
    "primary": (
        *(("chinese", 0.34), ("mathematics", 0.21), ("foreign_language", 0.10), ("physical_education", 0.09)),
        *(("music", 0.05), ("fine_arts", 0.05), ("science", 0.05), ("moral", 0.03), ("information", 0.03)),
        *(("labour", 0.02), ("practice", 0.01), ("other", 0.02)),
    ),
    "junior": (
        *(("chinese", 0.16), ("mathematics", 0.16), ("foreign_language", 0.15), ("physical_education", 0.09)),
        *(("physics", 0.08), ("chemistry", 0.05), ("biology", 0.06), ("history", 0.06), ("geography", 0.05)),
        *(("moral", 0.06), ("music", 0.03), ("fine_arts", 0.03), ("information", 0.02)),
    ),
    "senior": (
        *(("chinese", 0.15), ("mathematics", 0.15), ("foreign_language", 0.15), ("physics", 0.10)),
        *(("chemistry", 0.09), ("biology", 0.08), ("history", 0.06), ("geography", 0.06), ("moral", 0.06)),
        *(("physical_education", 0.05), ("music", 0.015), ("fine_arts", 0.015), ("information", 0.02)),
    ),
}
_DEGREES = ("doctor", "master", "bachelor", "associate", "senior_secondary")
# Shares of master and doctor among all, by stage; bachelor and above is the indicator's share.
_HIGHER = {
    "kindergarten": (0.0, 0.02),
    "primary": (0.002, 0.12),
    "junior": (0.008, 0.24),
    "senior": (0.02, 0.36),
}
_BACHELOR_KINDERGARTEN = 0.52
_BACKBONE = (("national", 0.001), ("city", 0.016), ("district", 0.135), ("school", 0.10))
_ABOVE_SCHOOL = ("national", "city", "district")
_LAST_BIRTH = date(1999, 12, 31)  # pupils are born later, so that no number can be one of theirs
_HOLDERS = 6  # most holders of one post in the years of the city
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Staff:
    """The holders of all posts of one district in one autumn, one element each."""

    school: NDArray[np.int64]
    stage: NDArray[np.int64]  # position in STAGES
    is_teacher: NDArray[np.bool_]
    serial: NDArray[np.int64]
    name: NDArray[np.int64]
    is_male: NDArray[np.bool_]
    birth: NDArray[np.int64]  # days since 1970-01-01
    joined: NDArray[np.int64]  # year
    chance: NDArray[np.float64]  # [person, six draws that stay]

    def __len__(self) -> int:
        return len(self.school)

    def take(self, rows: NDArray[np.int64]) -> Staff:
        return Staff(*(values[rows] for values in vars(self).values()))

    def numbers(self) -> list[str]:
        return numbers_of(self.serial, self.birth, self.is_male)


def staff_of(schools: Schools, seed: int, district: int, year: int) -> Staff:
    """Who works in a district in the autumn of a year; a person keeps a post until another one comes."""
    here = schools.of_district(district)
    rng = stream(seed, Stream.STAFF, district)
    ratio = np.exp(_RATIO_SPREAD * rng.standard_normal((len(here), len(STAGES))))
    wanted = np.zeros((len(here), len(STAGES), 2, len(YEARS)), np.int64)  # teachers, others
    for at, stage in enumerate(STAGES):
        pupils = schools.pupils[here][:, :, list(GRADES_OF[stage])].sum(axis=2)
        teachers = np.ceil(pupils / (PUPILS_PER_TEACHER[stage] * ratio[:, at, None]) - 0.5).astype(np.int64)
        wanted[:, at, 0] = np.maximum(teachers, pupils > 0)
        wanted[:, at, 1] = np.rint(wanted[:, at, 0] * _OTHER_STAFF[stage])
    most = wanted.max(axis=3).reshape(-1)
    post = np.repeat(np.arange(len(most)), most)
    within = np.arange(len(post)) - np.repeat(np.cumsum(most) - most, most)
    school_at, stage_at, kind = np.unravel_index(post, wanted.shape[:3])
    # Holder of a post in a year: how often it has changed hands since the first year.
    changes = rng.random((len(post), len(YEARS))) < _TURNOVER
    changes[:, 0] = True
    count = np.minimum(np.cumsum(changes, axis=1), _HOLDERS) - 1
    now = year_index(year)
    holder = count[:, now]
    since = FIRST_YEAR + (count == holder[:, None]).argmax(axis=1)
    persons = stream(seed, Stream.STAFF, district, 1).random((len(post), _HOLDERS, 10))
    chance = persons[np.arange(len(post)), holder]
    female = np.array([_FEMALE[stage] for stage in STAGES])
    first_year = np.where(holder == 0, FIRST_YEAR - (chance[:, 6] * 30).astype(np.int64), since)
    birth = (first_year - 1970) * 365.25 - (22 + 8 * chance[:, 7]) * 365.25 + chance[:, 8] * 365
    latest = (_LAST_BIRTH - _EPOCH).days - (chance[:, 8] * 300).astype(np.int64)
    serial = _first_post(schools, district) + np.arange(len(post))
    made = Staff(
        school=here[school_at],
        stage=stage_at.astype(np.int64),
        is_teacher=kind == 0,
        serial=(serial * _HOLDERS + holder) * 7 % NUMBERS,
        name=(chance[:, 9] * NAME_NUMBERS).astype(np.int64),
        is_male=chance[:, 5] >= female[stage_at],
        birth=np.minimum(birth.astype(np.int64), latest),
        joined=first_year,
        chance=chance[:, :6],
    )
    return made.take(np.flatnonzero(within < wanted[school_at, stage_at, kind, now]))


def _first_post(schools: Schools, district: int) -> int:
    """Where the running number of a district's posts begins: far enough from the others at any scale."""
    size = schools.pupils.sum(axis=2).max(axis=1)
    room = size // 4 + 20  # more posts than any school has; with all holders fewer than there are numbers
    return int(room[schools.district < district].sum())


def write_staff(part: Part) -> None:
    """One register a district and autumn, received on 28 September."""
    year, code = part.year, districts()[part.number].code
    staff = staff_of(part.schools, part.seed, part.number, year)
    if not len(staff):
        return
    stages = np.array(STAGES)[staff.stage]
    teaches = staff.is_teacher
    chance = staff.chance
    profile, small = _small_school(part)
    days = [_EPOCH.toordinal() + d for d in staff.birth.tolist()]
    columns = {
        "id_document_type_code": ["1"] * len(staff),
        "id_document_number": staff.numbers(),
        "staff_name": person_names(staff.name),
        "sex_code": np.where(staff.is_male, "1", "2").tolist(),
        "birth_date": [date.fromordinal(d) for d in days],
        "school_code": [part.schools.codes[s] for s in staff.school.tolist()],
        "staff_post_code": np.where(teaches, "teacher", _pick(_OTHER_POSTS, chance[:, 0])).tolist(),
        "stage_code": [s if t else None for s, t in zip(stages.tolist(), teaches.tolist(), strict=True)],
        "employment_kind_code": np.where(chance[:, 2] > 0.95, "contract", "in_post").tolist(),
        "subject_code": subjects(part.schools, staff, year, small),
        "education_level_code": degrees(staff, year),
        "professional_title_code": _titles(staff, year),
        "backbone_level_code": backbone(part.schools, staff, year),
        "has_teaching_certificate": _certified(staff, profile),
        "has_preschool_training": [
            bool(c < share) if t and s == "kindergarten" else None
            for c, t, s, share in zip(
                chance[:, 2].tolist(),
                teaches.tolist(),
                stages.tolist(),
                [reached("preschool_teacher_professional_education", year)] * len(staff),
                strict=True,
            )
        ],
        "training_hours": _training_hours(staff),
        "joined_date": [date(y, 9, 1) for y in staff.joined.tolist()],
    }
    if small is not None:
        _add_itinerant(columns, part.schools.codes[small])
    dress = office(part.seed, part.number, "staff_register")
    filled = fill("staff_register", columns, dress)
    name = f"教职工名册_{year}"
    file = f"enrollment/{code}/{date(year, 9, 28)}_1/{name}.{dress.ending}"
    at = filled.headings.index("学历")
    surely = part.is_last and part.number == 2
    part.faults.damage(
        "staff_unmapped_degree",
        file,
        filled.rows,
        at,
        lambda _: "大普",
        surely=surely,
        first_line=dress.first_line(),
    )
    send(part.landing, "staff_register", code, date(year, 9, 28), name, filled, dress)


_TRAINING_HOURS = 360  # in five years, which the law asks of every teacher
_PE_AND_ARTS = ("physical_education", "music", "fine_arts")


def _small_school(part: Part) -> tuple[str, int | None]:
    """The district's profile, and the school that lives on an itinerant teacher, where it is one of those."""
    newest = part.newest.year
    profile = profiles(part.schools, newest)[part.number].name
    is_one = profile == "small_rural"
    return profile, facts_of(part.schools, part.number, newest).small if is_one else None


def _certified(staff: Staff, profile: str) -> list[bool | None]:
    """Which teachers hold a certificate: all, but where the profile says that some of compulsory schools do
    not; null for who is no teacher."""
    certified = np.ones(len(staff), bool)
    compulsory = np.flatnonzero(staff.is_teacher & np.isin(staff.stage, (1, 2)))
    if profile == "no_certificate" and len(compulsory):
        last = compulsory[np.argsort(-staff.chance[compulsory, 3], kind="stable")]
        certified[last[: max(1, len(last) // 100)]] = False
    return [c if t else None for c, t in zip(certified.tolist(), staff.is_teacher.tolist(), strict=True)]


def _training_hours(staff: Staff) -> list[int | None]:
    """Of each teacher in five years: what the law asks, or somewhat more."""
    hours = (_TRAINING_HOURS + 150 * staff.chance[:, 2]).astype(np.int64).tolist()
    return [h if teaches else None for h, teaches in zip(hours, staff.is_teacher.tolist(), strict=True)]


def _add_itinerant(columns: dict[str, list[Any]], school: str) -> None:
    """A PE teacher of another school of the stage, listed once more: at the small school, as itinerant."""
    found = zip(columns["subject_code"], columns["stage_code"], columns["school_code"], strict=True)
    at = next(
        (
            n
            for n, (subject, stage, where) in enumerate(found)
            if subject in _PE_AND_ARTS and stage == "junior" and where != school
        ),
        None,
    )
    if at is not None:
        for name, values in columns.items():
            values.append({"school_code": school, "employment_kind_code": "itinerant"}.get(name, values[at]))


def subjects(schools: Schools, staff: Staff, year: int, without: int | None = None) -> list[str | None]:
    """What each teaches; null for who is no teacher. Compulsory schools have PE and arts teachers as R3 asks;
    the school `without` has none."""
    made = np.full(len(staff), "", dtype=object)
    for at, stage in enumerate(STAGES):
        rows = (staff.stage == at) & staff.is_teacher
        made[rows] = _pick(_SUBJECTS[stage], staff.chance[rows, 0])
    rows = np.flatnonzero(staff.is_teacher)
    of_kind, where = np.isin(made[rows], _PE_AND_ARTS), (staff.school[rows], staff.stage[rows])
    mended = persons_within(schools, *where, year, of_kind, staff.chance[rows, 2], "R3")
    if without is not None:
        mended &= staff.school[rows] != without
    comes, goes = rows[mended & ~of_kind], rows[of_kind & ~mended]
    made[comes] = np.array(_PE_AND_ARTS, dtype=object)[(staff.chance[comes, 2] * 3).astype(np.int64)]
    made[goes] = "chinese"
    return [subject or None for subject in made.tolist()]


def degrees(staff: Staff, year: int) -> list[str]:
    """Highest education in a year; the share with a bachelor's degree follows the plan's indicator."""
    draw = staff.chance[:, 1]
    compulsory = reached("compulsory_teacher_bachelor_share", year)
    made = np.full(len(staff), "", dtype=object)
    for at, stage in enumerate(STAGES):
        rows = np.flatnonzero(staff.stage == at)
        doctor, master = _HIGHER[stage]
        bachelor = {"kindergarten": _BACHELOR_KINDERGARTEN, "senior": 0.995}.get(stage, compulsory)
        limits = np.array([doctor, doctor + master, bachelor, bachelor + (1 - bachelor) * 0.9])
        made[rows] = np.array(_DEGREES, dtype=object)[np.searchsorted(limits, draw[rows])]
        others = rows[~staff.is_teacher[rows]]
        made[others] = np.where(
            draw[others] < 0.45, "bachelor", np.where(draw[others] < 0.8, "associate", "below")
        )
    return made.tolist()


def _titles(staff: Staff, year: int) -> list[str | None]:
    """By years of service, and a draw that stays."""
    served = year - staff.joined + 12 * (staff.chance[:, 4] - 0.5)
    title = np.select(
        [served > 27, served > 14, served > 4, served > 1],
        [np.where(staff.chance[:, 3] < 0.04, "professor_level", "senior"), "first", "second", "third"],
        "none",
    )
    return [
        t if teaches else None for t, teaches in zip(title.tolist(), staff.is_teacher.tolist(), strict=True)
    ]


def backbone(schools: Schools, staff: Staff, year: int) -> list[str | None]:
    """The level at which a teacher is named a backbone teacher, more of them with longer service; compulsory
    schools have as many of district level and above as R2 asks."""
    names = np.array([*(name for name, _ in _BACKBONE), "none"], dtype=object)
    limits = np.cumsum([share for _, share in _BACKBONE])
    level = names[np.searchsorted(limits, staff.chance[:, 4])]
    rows = np.flatnonzero(staff.is_teacher)
    named, where = np.isin(level[rows], _ABOVE_SCHOOL), (staff.school[rows], staff.stage[rows])
    mended = persons_within(schools, *where, year, named, staff.chance[rows, 4], "R2")
    level[rows[mended & ~named]], level[rows[named & ~mended]] = "district", "school"
    return [
        n if teaches else None for n, teaches in zip(level.tolist(), staff.is_teacher.tolist(), strict=True)
    ]


def _pick(parts: tuple[tuple[str, float], ...], draw: NDArray[np.float64]) -> NDArray[np.object_]:
    limits = np.cumsum([part for _, part in parts])
    names = np.array([name for name, _ in parts], dtype=object)
    return names[np.minimum(np.searchsorted(limits / limits[-1], draw), len(names) - 1)]


# Of teachers six years at their public compulsory school: the law asks for 10 % who rotate, and for 20 %
# backbone teachers among them.
_ROTATING, _BACKBONE_ROTATING = 0.13, 0.25
_YEARS_BEFORE = 6
_FORMS = (("full_time", 0.55), ("part_time", 0.25), ("support", 0.15), ("principal", 0.05))


def write_rotation(part: Part) -> None:
    """Teachers who go to another school of the district and stage in September, received on 20 September."""
    year, code, schools = part.year, districts()[part.number].code, part.schools
    staff = staff_of(schools, part.seed, part.number, year)
    taught = np.array(subjects(schools, staff, year, _small_school(part)[1]), dtype=object)
    named = np.array(backbone(schools, staff, year), dtype=object)
    rng = stream(part.seed, Stream.STAFF, part.number, 2, year)
    goes = _rotating(schools, staff, year, np.isin(named, _ABOVE_SCHOOL), rng)
    targets = []
    for school, stage in zip(staff.school[goes].tolist(), staff.stage[goes].tolist(), strict=True):
        others = np.unique(staff.school[(staff.stage == stage) & (staff.school != school)])
        targets.append(int(others[rng.integers(len(others))]))
    years = 1 + np.isin(named[goes], _ABOVE_SCHOOL)  # backbone teachers stay longer
    columns = {
        "id_document_number": staff.take(goes).numbers(),
        "staff_name": person_names(staff.name[goes]),
        "from_school_code": [schools.codes[s] for s in staff.school[goes].tolist()],
        "to_school_code": [schools.codes[s] for s in targets],
        "rotation_kind_code": _pick(_FORMS, rng.random(len(goes))).tolist(),
        "subject_code": taught[goes].tolist(),
        "backbone_level_code": named[goes].tolist(),
        "rotation_start_date": [date(year, 9, 1)] * len(goes),
        "rotation_end_date": [date(year + int(n), 7, 15) for n in years],
    }
    dress = office(part.seed, part.number, "teacher_rotation")
    filled = fill("teacher_rotation", columns, dress)
    send(part.landing, "teacher_rotation", code, date(year, 9, 20), f"教师交流轮岗_{year}", filled, dress)


def _rotating(
    schools: Schools, staff: Staff, year: int, is_backbone: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Who goes: enough of those who may, enough backbone teachers among them; only where there is another
    school of the stage."""
    private = np.array(schools.is_private, bool)[staff.school]
    compulsory = staff.is_teacher & np.isin(staff.stage, (1, 2)) & ~private
    served = compulsory & (year - staff.joined >= _YEARS_BEFORE)
    alone = [stage for stage in (1, 2) if len(np.unique(staff.school[staff.stage == stage])) < 2]
    may = is_backbone | (year - staff.joined >= 3)
    can = np.flatnonzero(compulsory & may & ~np.isin(staff.stage, alone))
    can = can[rng.permutation(len(can))]
    count = min(len(can), int(np.ceil(_ROTATING * served.sum())))
    first = can[is_backbone[can]][: int(np.ceil(_BACKBONE_ROTATING * count))]
    rest = np.setdiff1d(can, first, assume_unique=True)
    return np.sort(np.r_[first, rest[rng.permutation(len(rest))][: count - len(first)]])
