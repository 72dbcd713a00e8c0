"""What schools have: the register with areas, rooms, equipment and recognitions, and the halls they share.

Areas and equipment are drawn for each pupil, of kindergartens around Beijing's place norms; `mended` then
moves what compulsory schools have to what the law of quality balance asks. None is published by school.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.city.balance import CENTRAL_SIX, facts_of
from synthetic.city.catchments import outlines, points
from synthetic.city.faults import REPORTING_TRUTH
from synthetic.city.figures import YEARS, districts
from synthetic.city.forms import fill, office, send
from synthetic.city.indicators import reached
from synthetic.city.mended import mend_premises
from synthetic.city.numbers import Stream, stream
from synthetic.city.part import Part
from synthetic.city.schools import KIND_CODE, PAST_YEAR, Schools, year_index
from synthetic.city.words import place_words

# For each pupil: campus, floor, teaching rooms without sports, sports ground (m²), equipment (yuan); then
# computers, books for each pupil; multimedia rooms for each hundred. Middle values, spread 22 %.
_EACH = {
    "kindergarten": (18.0, 14.0, 9.0, 4.2, 1800.0, 0.02, 12.0, 2.0),
    "primary": (16.0, 9.5, 5.6, 9.2, 3600.0, 0.16, 34.0, 3.4),
    "junior": (22.0, 14.0, 7.4, 12.6, 4300.0, 0.22, 46.0, 3.8),
    "senior": (26.0, 17.0, 8.0, 13.4, 5400.0, 0.26, 55.0, 4.0),
}
_SPREAD = 0.22
_LEVELS = (
    ("model", 0.07),
    ("11", 0.30),
    ("12", 0.12),
    ("21", 0.20),
    ("22", 0.15),
    ("31", 0.06),
    ("none", 0.10),
)


def write_registers(part: Part) -> None:
    """One file a district and autumn, received on 10 September; closed schools stay, with their last day."""
    code, year = districts()[part.number].code, part.year
    columns = register_columns(part.schools, part.seed, year, part.number, part.newest.year)
    _add_parted(part, columns)
    dress = office(part.seed, part.number, "school_register")
    filled = fill("school_register", columns, dress)
    send(part.landing, "school_register", code, date(year, 9, 10), f"学校名录_{year}", filled, dress)


def _add_parted(part: Part, columns: dict[str, list[Any]]) -> None:
    """Put the school that was parted at the end of its district's register: a name, and the days it stood."""
    schools, parted = part.schools, part.schools.parted
    if parted is None or parted.district != part.number:
        return
    first = parted.into[0]
    row = {
        "school_code": parted.code,
        "school_name": parted.name,
        "district_code": districts()[part.number].code,
        "area_name": schools.areas[first],
        "school_type_code": parted.code[:2],
        "ownership_code": "public",
        "place_count": 0,
        "class_count": 0,
        "opened_date": min(schools.opened[s] for s in parted.into),
        "closed_date": date(PAST_YEAR, 8, 31),
    }
    for name, values in columns.items():
        values.append(row.get(name))


def register_columns(
    schools: Schools, seed: int, year: int, number: int, newest: int | None = None
) -> dict[str, list[Any]]:
    """The register of one district in an autumn, by the contract's names.

    What schools have fits their pupils of the year `newest` (else of this one).
    """
    district, at = districts()[number], year_index(year)
    here = [s for s in schools.of_district(number).tolist() if schools.opened[s] <= date(year, 9, 1)]
    has = _premises(schools, seed, number, newest or year)
    areas = urban_rural(schools, seed, number, newest or year)
    ends = [schools.closed[s] for s in here]
    at_work = [end is None or end > date(year, 9, 1) for end in ends]
    nursery = [schools.kinds[s] == "kindergarten" for s in here]
    index = np.array(here) - schools.of_district(number)[0]
    chance = has["chance"][index]
    smart, green, safe = (
        (chance[:, n] < reached(code, year)).tolist()
        for n, code in enumerate(("smart_campus_coverage", "green_school_rate", "safe_campus_rate"))
    )
    regulated = inclusive(schools, seed, number)
    level_names, level_limits = [name for name, _ in _LEVELS], np.cumsum([share for _, share in _LEVELS])
    levels = np.minimum(np.searchsorted(level_limits, chance[:, 4]), len(_LEVELS) - 1).tolist()
    return {
        "school_code": [schools.codes[s] for s in here],
        "school_name": [schools.name_in(s, year) for s in here],
        "district_code": [district.code] * len(here),
        "area_name": [schools.areas[s] for s in here],
        "school_type_code": [KIND_CODE[schools.kinds[s]] for s in here],
        "ownership_code": ["private" if schools.is_private[s] else "public" for s in here],
        "place_count": [
            int(schools.places[s, 1 if year == YEARS[-1] else 0]) if works else 0
            for s, works in zip(here, at_work, strict=True)
        ],
        "class_count": schools.classes[here, at].sum(axis=1).tolist(),
        **{name: has[name][index].tolist() for name in has if name not in ("chance", "twelves")},
        "is_over_dense_center": [facts_of(schools, number, year).is_center] * len(here),
        "urban_rural_code": [areas[s] for s in here],
        "is_boarding_school": [
            None if n else schools.kinds[s] == "senior" and bool(c < 0.1)
            for s, n, c in zip(here, nursery, chance[:, 4].tolist(), strict=True)
        ],
        "is_teaching_point": [None if n else False for n in nursery],
        "built_year": [schools.opened[s].year for s in here],
        "kindergarten_level_code": [
            level_names[level] if n else None for level, n in zip(levels, nursery, strict=True)
        ],
        "is_inclusive_kindergarten": [
            regulated[s] if n else None for s, n in zip(here, nursery, strict=True)
        ],
        "is_smart_campus": smart,
        "is_green_school": [None if n else g for g, n in zip(green, nursery, strict=True)],
        "is_safe_campus": safe,
        **_coordinates(schools, seed, number, here),
        "opened_date": [schools.has_code_since(s) for s in here],
        "closed_date": [None if works else schools.closed[s] for s, works in zip(here, at_work, strict=True)],
    }


def _coordinates(schools: Schools, seed: int, number: int, here: list[int]) -> dict[str, list[str | None]]:
    """Where schools stand, as every second district states it: as its catchments have it."""
    if number % 2:
        return {"longitude": [None] * len(here), "latitude": [None] * len(here)}
    ring = outlines()[districts()[number].code][0]
    stage = [int(schools.kinds[s] in ("junior", "senior")) for s in here]
    found = [points(seed, ring, nth, [s])[0] for s, nth in zip(here, stage, strict=True)]
    return {"longitude": [f"{x:.5f}" for x, _ in found], "latitude": [f"{y:.5f}" for _, y in found]}


# Urban and rural areas of districts outside the six of the center (assumption), where schools stand.
_AREAS = (("111", 0.25), ("112", 0.10), ("121", 0.40), ("122", 0.10), ("210", 0.05), ("220", 0.10))
_INCLUSIVE = 0.7  # of private kindergartens


def urban_rural(schools: Schools, seed: int, number: int, newest: int) -> dict[int, str]:
    """The class of area in which each school of a district stands, the same every year."""
    here = schools.of_district(number).tolist()
    draws = stream(seed, Stream.BALANCE, number).random(len(here))
    limits = np.cumsum([share for _, share in _AREAS])
    classes = [_AREAS[int(np.searchsorted(limits, draw))][0] for draw in draws]
    if districts()[number].code in CENTRAL_SIX:
        classes = ["111"] * len(here)
    small = facts_of(schools, number, newest).small
    return {s: "220" if s == small else area for s, area in zip(here, classes, strict=True)}


def inclusive(schools: Schools, seed: int, number: int) -> dict[int, bool]:
    """School of a district -> whether it is, or as a kindergarten would be, one at a regulated fee."""
    here = schools.of_district(number).tolist()
    chance = stream(seed, Stream.BALANCE, number, 1).random(len(here)).tolist()
    return {s: not schools.is_private[s] or c < _INCLUSIVE for s, c in zip(here, chance, strict=True)}


def _premises(schools: Schools, seed: int, number: int, year: int) -> dict[str, NDArray[Any]]:
    """Columns of the register for all schools of a district, mended by the pupils of a year; under `chance`
    draws that stay, under `twelves` every twelve classes begun."""
    here = schools.of_district(number)
    rng = stream(seed, Stream.SCHOOL, number, 5)
    size = schools.pupils[here].sum(axis=2).max(axis=1)
    classes = schools.classes[here].sum(axis=2).max(axis=1)
    each = np.array([_EACH[schools.kinds[s]] for s in here.tolist()])
    each = each * np.exp(_SPREAD * rng.standard_normal(each.shape))
    total = each * np.maximum(size, 40)[:, None]
    indoor = np.rint(0.10 * total[:, 2] * rng.random(len(here)))
    teaching = np.rint(total[:, 2] + indoor)
    special = np.maximum(1, np.rint(classes / 12 * rng.uniform(0.85, 1.5, len(here)))).astype(np.int64)
    # Large schools, and those that took others over, teach in several places (shares are assumptions).
    several = rng.random(len(here)) < np.clip((size - 500) / 4000, 0.02, 0.4)
    has = {
        "campus_count": 1 + several * rng.integers(1, 3, len(here)),
        "campus_area_m2": np.rint(np.maximum(total[:, 0], 900)),
        "floor_area_m2": np.rint(np.maximum(total[:, 1], teaching * 1.15)),
        "teaching_area_m2": teaching,
        "indoor_sports_area_m2": indoor,
        "sports_area_m2": np.rint(total[:, 3]),
        "equipment_value_yuan": np.rint(total[:, 4] / 100) * 100,
        "multimedia_classroom_count": np.rint(total[:, 7] / 100).astype(np.int64),
        "computer_count": np.rint(total[:, 5]).astype(np.int64),
        "book_count": np.rint(total[:, 6]).astype(np.int64),
        "music_room_count": special,
        "music_room_area_m2": np.rint(special * rng.uniform(78, 125, len(here))),
        "art_room_count": special,
        "art_room_area_m2": np.rint(special * rng.uniform(72, 115, len(here))),
        "chance": rng.random((len(here), 5)),
        "twelves": np.ceil(classes / 12).astype(np.int64),
    }
    mend_premises(has, schools, number, year)
    return has


# Kind, word, share of schools that have and name it, middle area in m².
_FACILITIES = (
    ("track_field", "田径场", 0.62, 6200),
    ("court", "球场", 0.45, 900),
    ("gymnasium", "体育馆", 0.24, 1500),
    ("theatre", "报告厅", 0.16, 420),
    ("library", "图书馆", 0.14, 380),
    ("pool", "游泳馆", 0.04, 1100),
    ("practice_base", "劳动实践基地", 0.05, 1600),
)
_NEVER_SENT = 13  # the district by number that surely lists none
_OPEN_SHARE = {2019: 0.40, 2025: 0.66}  # of them that are open to the public (assumption)


def write_facilities(part: Part) -> None:
    """Halls and sites of a district's public schools, one snapshot a year, received on 18 October.

    A district that never lists them does so in no year.
    """
    number, year, kind = part.number, part.year, "facilities_never_sent"
    code, name = districts()[number].code, f"共享场馆设施_{year}"
    columns = facility_columns(part)
    never = part.faults.hits(kind, code, surely=number == _NEVER_SENT)
    told = [(kind, code, "shared_facility", f"{year}-{year + 1}", None)] if never else []
    part.truth.write("reporting", REPORTING_TRUTH, told)
    if columns["facility_code"] and not never:
        dress = office(part.seed, number, "shared_facility")
        filled = fill("shared_facility", columns, dress)
        send(part.landing, "shared_facility", code, date(year, 10, 18), name, filled, dress)


def facility_columns(part: Part) -> dict[str, list[Any]]:
    """The halls and sites of one district in a year, by the contract's names."""
    schools, number, year = part.schools, part.number, part.year
    rng = stream(part.seed, Stream.RESOURCE, number)
    here = schools.of_district(number).tolist()
    words = place_words(rng, len(here))
    has = rng.random((len(here), len(_FACILITIES)))
    spread, opens, hours = (rng.random(has.shape) for _ in range(3))
    open_share = np.interp(year, list(_OPEN_SHARE), list(_OPEN_SHARE.values()))
    rows = []
    for at, school in enumerate(here):
        if schools.kinds[school] == "kindergarten" or schools.is_private[school]:
            continue
        if not schools.is_open(school, year):
            continue
        for nth, (kind, word, share, area) in enumerate(_FACILITIES):
            if has[at, nth] >= share:
                continue
            is_open = bool(opens[at, nth] < open_share)
            low, high = min(_OPEN_SHARE), max(_OPEN_SHARE)
            since = next(
                y
                for y in range(low, high + 1)
                if opens[at, nth] < np.interp(y, list(_OPEN_SHARE), list(_OPEN_SHARE.values())) or y == high
            )
            rows.append(
                (
                    f"{schools.codes[school]}-{nth + 1:02d}",
                    f"{words[at]}{word}",
                    schools.codes[school],
                    kind,
                    float(round(area * (0.6 + 0.9 * spread[at, nth]))),
                    is_open,
                    float(round(4 + 24 * hours[at, nth])) if is_open else None,
                    date(since, 9, 1) if is_open else None,
                )
            )
    names = (
        *("facility_code", "facility_name", "school_code", "facility_kind_code", "facility_area_m2"),
        *("is_open_to_public", "weekly_open_h", "shared_since_date"),
    )
    columns = map(list, zip(*rows, strict=True)) if rows else ([] for _ in names)
    return dict(zip(names, columns, strict=True))
