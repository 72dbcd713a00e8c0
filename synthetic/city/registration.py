"""The registration of new pupils (学籍导入表): a school's workbook of its first grade, before it has numbers.

The form is the national system's, with everything it asks for, in its order. What no service reads is there
all the same, made like the rest: telephone numbers begin with 10, which no telephone does.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.city.faults import as_day_number
from synthetic.city.figures import districts
from synthetic.city.forms import Dress, send, spell_filled
from synthetic.city.identities import identity_numbers
from synthetic.city.ladder import P1, class_name
from synthetic.city.life import Roll
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.premises import urban_rural
from synthetic.city.words import NAME_NUMBERS, address, person_names, phone

# The form's headings in its order (reference: feed_headers.md, enrollment import).
_MEMBER = [
    *("姓名", "关系", "关系说明", "现住址", "户口所在地", "联系电话", "是否监护人"),
    *("身份证件类型", "身份证件号", "民族", "工作单位", "职务"),
]
HEADINGS = [
    *(
        "学校标识码",
        "姓名",
        "性别",
        "出生日期",
        "出生地",
        "籍贯",
        "民族",
        "国籍/地区",
        "身份证件类型",
        "港澳台侨外",
    ),
    *(
        "健康状况",
        "政治面貌",
        "身份证件号",
        "户口性质",
        "户口所在地",
        "班级",
        "入学年月",
        "入学方式",
        "就读方式",
    ),
    *(
        "现住址",
        "通信地址",
        "家庭地址",
        "联系电话",
        "邮政编码",
        "是否独生子女",
        "是否受过学前教育",
        "是否留守儿童",
    ),
    *(
        "是否需要申请资助",
        "是否享受一补",
        "是否孤儿",
        "是否烈士或优抚子女",
        "上下学距离(公里)",
        "上下学交通方式",
    ),
    *(
        "是否需要乘坐校车",
        "曾用名",
        "身份证件有效期",
        "血型",
        "特长",
        "学籍辅号",
        "班内学号",
        "学生来源",
        "电子信箱",
    ),
    *(
        "主页地址",
        "残疾类型",
        "是否由政府购买学位",
        "随班就读",
        *_MEMBER,
        *_MEMBER,
        "是否进城务工人员随迁子女",
    ),
]
_PROVINCES = (
    "河北省",
    "河南省",
    "山东省",
    "安徽省",
    "山西省",
    "黑龙江省",
    "辽宁省",
    "湖北省",
    "四川省",
    "内蒙古自治区",
)


_SILENT = 5  # the district of which a school registers nobody in the newest year


def write_registrations(part: Part) -> None:
    """One workbook a school with a first grade, received between 4 and 12 September."""
    roll = part.roll()
    assert roll is not None
    first = roll.take(np.flatnonzero(roll.grade == P1))
    silent = unregistered(part)
    for school in np.unique(first.school).tolist():
        if school == silent:
            continue
        rows = first.take(np.flatnonzero(first.school == school))
        rng = stream(part.seed, Stream.REGISTRATION, int(school), part.year)
        container = "xls" if stream(part.seed, Stream.REGISTRATION, int(school)).random() < 0.15 else "xlsx"
        dress = Dress(container)
        filled = spell_filled(HEADINGS, _rows(part, rows, rng))
        day = date(part.year, 9, 4 + int(rng.integers(9)))
        name = f"学籍导入表_{part.year}"
        code = part.schools.codes[school]
        file = f"enrollment/{code}/{day}_1/{name}.{dress.ending}"
        surely = part.is_last and part.number == 2
        part.faults.damage("registration_date_as_number", file, filled.rows, 3, as_day_number, surely=surely)
        send(part.landing, "pupil_registration", code, day, name, filled, replace(dress))


def unregistered(part: Part) -> int | None:
    """The school of the district that registers nobody in the newest year; None elsewhere."""
    if not part.is_last or part.number != _SILENT:
        return None
    first = _first_grades(part)
    found = np.unique(first.school).tolist()
    return found[0] if len(found) > 1 else None


def nearby_entrants(part: Part) -> tuple[int, int]:
    """Entrants who came to a school nearby, and all, of all schools: also of one that registered nobody."""
    first = _first_grades(part)
    nearby = 0
    for school in np.unique(first.school).tolist():
        rows = first.take(np.flatnonzero(first.school == school))
        rng = stream(part.seed, Stream.REGISTRATION, int(school), part.year)
        nearby += len(rows) - sum(_goes_far(part, rows, _draws(rng, len(rows))[2]))
    return nearby, len(first)


def _first_grades(part: Part) -> Roll:
    roll = part.roll()
    assert roll is not None
    return roll.take(np.flatnonzero(roll.grade == P1))


def _draws(
    rng: np.random.Generator, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each child the province, whether it was in a kindergarten before the city began, and ten more."""
    return rng.integers(len(_PROVINCES), size=count), rng.random(count), rng.random((count, 10))


def _rows(part: Part, roll: Roll, rng: np.random.Generator) -> list[list[Any]]:
    people, persons, count = part.people, roll.person, len(roll)
    births = people.birth[persons].astype("datetime64[D]").tolist()
    district = districts()[part.number].name_zh
    local = ~people.is_migrant[persons]
    province, before, draws = _draws(rng, count)
    # Who is older than the city's first year was a child of a kindergarten then; of the others nine in ten.
    started = people.first_year[persons] == part.city.years[0]
    schooled = np.where(started & part.is_first, before < 0.93, people.first_year[persons] < part.year)
    goes_far = _goes_far(part, roll, draws)
    ways = np.round(0.3 + 2.2 * rng.gamma(1.5, 0.6, count), 1)
    numbers, names = identity_numbers(people, persons), person_names(people.name[persons])
    family = person_names(rng.integers(0, NAME_NUMBERS, 2 * count))
    rows = []
    for n, person in enumerate(persons.tolist()):
        has_card = bool(people.has_card[person])
        serial = int(people.number[person])
        home = address(district, serial)
        place = f"北京市{district}" if local[n] else _PROVINCES[province[n]]
        only, aid, bus, chronic, mainstreamed, bought, orphan, rural = (draws[n, :8] < _SHARES).tolist()
        ethnic = f"{int(people.ethnic[person]):02d}"
        members = [
            [
                *(name, relation, None, home, place, phone(serial * 2 + nth), "1" if nth == 0 else "0"),
                *("1", None, ethnic, None, None),
            ]
            for nth, (name, relation) in enumerate(zip(family[2 * n : 2 * n + 2], ("51", "52"), strict=True))
        ]
        rows.append(
            [
                part.schools.codes[int(roll.school[n])],
                names[n],
                "1" if people.is_male[person] else "2",
                f"{births[n]:%Y%m%d}",
                *(place, place, ethnic, "156"),
                *("1" if has_card else "A", "00"),
                *("30" if chronic else "10", "13"),
                numbers[n] if has_card else f"XX{serial:07d}",
                *("1" if rural and not local[n] else "2", place),
                class_name(int(roll.grade[n]), int(roll.klass[n])),
                f"{part.year}09",
                *("12" if goes_far[n] else "11", "2" if people.boarding[person] < 0.008 else "1"),
                *(home, home, home, phone(serial * 2), "100000"),
                *("1" if only else "0", "1" if schooled[n] else "0", "0"),
                *("1" if aid else "0", "0", "1" if orphan else "0", "0"),
                *(float(ways[n]), "01", "1" if bus else "0"),
                *(None, None, None, None, None, n + 1, "1", None, None, None),
                *("1" if bought else "0", "1" if mainstreamed else "0"),
                *members[0],
                *members[1],
                "1" if people.is_migrant[person] else "0",
            ]
        )
    return rows


def _goes_far(part: Part, roll: Roll, draws: NDArray[np.float64]) -> list[bool]:
    """Who lives elsewhere: a fifth of those in private and rural schools, which may take them."""
    area = urban_rural(part.schools, part.seed, part.number, part.newest.year)
    chooses = [part.schools.is_private[s] or area[s].startswith("2") for s in roll.school.tolist()]
    return [c and bool(draw >= 0.8) for c, draw in zip(chooses, draws[:, 9].tolist(), strict=True)]


# Only child, aid, bus, chronically ill, mainstreamed, bought place, orphan, rural household: assumptions.
_SHARES = np.array([0.52, 0.012, 0.03, 0.01, 0.004, 0.01, 0.0008, 0.6])
