"""Places of schools by grade, and places that projects will add, with the chance for each autumn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs import clock
from jobs.decide.places.rows import rows_of
from jobs.declare import standards

Floats = NDArray[np.float64]

PLACE_COLUMNS = [
    *("school_code", "stage_code", "grade_key", "class_count"),
    *("class_place_count", "premises_place_count", "place_count"),
]
COMING_COLUMNS = [
    *("project_code", "school_code", "district_code", "area_name", "stage_code", "school_year_start"),
    *("place_count", "open_probability"),
]
EXPANSION = "expansion"  # adds places to a school; where it names none, to nobody's in particular
# A project this many years late, and later ones, are judged alike.
MOST_YEARS_LATE = 2


def parted(total: int, weights: Iterable[float]) -> list[int]:
    """Split a whole number into whole parts by weight, the largest remainders first; equal parts if all
    weights are 0."""
    share = np.asarray(list(weights), dtype=float)
    if len(share) == 0:
        return []
    if share.sum() <= 0:
        share = np.ones(len(share))
    exact = total * share / share.sum()
    floor = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(floor - exact, kind="stable")
    floor[order[: int(total - floor.sum())]] += 1
    return [int(n) for n in floor]


def class_sizes(day: date) -> dict[str, int]:
    """Grade -> the most pupils that a class of it may have on a day."""
    table = standards.frame("places/class_size", day, needed=True)
    return dict(zip(table["grade_key"], table["pupils_per_class"].astype(int), strict=True))


def school_places(
    schools: pd.DataFrame,
    pupils: pd.DataFrame,
    stage_of: Mapping[str, str],
    class_size: Mapping[str, int],
    premises: pd.DataFrame,
) -> pd.DataFrame:
    """Places of each school that has pupils, by stage and grade.

    Rows in: `schools` one a school with `school_code`, `place_count`, `class_count` and area columns (each
    may be null); `pupils` one a school and grade with `school_code`, `grade_key`, `pupil_count`. `stage_of`
    and `class_size` by grade; `premises` with `stage_code`, `area_column`, `m2_per_place`. Rows out
    (PLACE_COLUMNS): one a school and grade with pupils. Classes are parted by pupils over the class size;
    `class_place_count` is classes × size. `place_count` is what the register states (else the class places),
    parted by class places, adding up to the school. `premises_place_count` is what the buildings' area allows
    the stage, parted alike; null where no norm or no area is known.
    """
    norm = {row.stage_code: (row.area_column, float(row.m2_per_place)) for row in rows_of(premises)}
    by_code = schools.set_index("school_code").to_dict("index")
    rows = []
    present = pupils[(pupils["pupil_count"] > 0) & pupils["grade_key"].isin(list(class_size))]
    order = {grade: n for n, grade in enumerate(class_size)}
    for school, mine in present.groupby("school_code", sort=True):
        if school not in by_code:
            continue
        mine = mine.sort_values("grade_key", key=lambda keys: keys.map(order))
        grades = mine["grade_key"].tolist()
        counts = mine["pupil_count"].astype(int).tolist()
        stated = by_code[school]
        needed = [n / class_size[g] for n, g in zip(counts, grades, strict=True)]
        has_classes = pd.notna(stated.get("class_count")) and stated["class_count"] > 0
        classes = (
            parted(int(stated["class_count"]), needed) if has_classes else [int(np.ceil(n)) for n in needed]
        )
        by_class = [c * class_size[g] for c, g in zip(classes, grades, strict=True)]
        has_places = pd.notna(stated.get("place_count")) and stated["place_count"] > 0
        weights = by_class if sum(by_class) else counts
        places = parted(int(stated["place_count"]), weights) if has_places else by_class
        allowed = _premises(stated, grades, weights, stage_of, norm)
        rows += [
            (school, stage_of[g], g, c, by, a, p)
            for g, c, by, a, p in zip(grades, classes, by_class, allowed, places, strict=True)
        ]
    frame = pd.DataFrame(rows, columns=PLACE_COLUMNS)
    return frame.astype({"premises_place_count": "Int64"})


def _premises(
    stated: Mapping[Any, Any],
    grades: list[str],
    weights: list[int],
    stage_of: Mapping[str, str],
    norm: Mapping[str, tuple[str, float]],
) -> list[int | None]:
    """Places that the area allows each grade: the school's area is parted over grades as its places are."""
    total = sum(weights)
    found: list[int | None] = []
    for grade, weight in zip(grades, weights, strict=True):
        column, need = norm.get(stage_of[grade], ("", 0.0))
        area = stated.get(column)
        known = need > 0 and total > 0 and pd.notna(area)
        found.append(int(float(area or 0) * weight / total / need) if known else None)
    return found


def school_year_of(day: date) -> int:
    """The first school year that places opened on a day serve: the next to begin, that day or later."""
    return clock.school_year(day - timedelta(days=1)) + 1


def opening_shares(projects: pd.DataFrame, as_of: date, prior: pd.DataFrame) -> Floats:
    """Of the projects k years late (0, 1, … MOST_YEARS_LATE and more), the share that opens that autumn.

    Read from the projects themselves: those that have opened, in the autumn in which they did, and those that
    should have and have not; `prior` (`years_late`, `opening_share`, `weight_projects`) stands beside them as
    so many projects. Cancelled projects do not count.
    """
    opened, at_risk = np.zeros(MOST_YEARS_LATE + 1), np.zeros(MOST_YEARS_LATE + 1)
    last = school_year_of(as_of) - 1  # the newest school year that has begun
    for row in rows_of(projects):
        if row.project_status_code not in ("opened", "planned", "building"):
            continue
        planned = school_year_of(row.planned_opening_date)
        is_open = row.project_status_code == "opened" and pd.notna(row.actual_opening_date)
        if row.project_status_code == "opened" and not is_open:
            continue  # opened, nobody says when
        end = school_year_of(row.actual_opening_date) if is_open else last
        for late in range(end - planned + 1):
            at_risk[min(late, MOST_YEARS_LATE)] += 1
        if is_open and end <= last:
            opened[min(max(end - planned, 0), MOST_YEARS_LATE)] += 1
            at_risk[0] += end < planned  # earlier than planned counts as on time
    ahead = prior.set_index("years_late")
    share, weight = ahead["opening_share"].to_numpy(float), ahead["weight_projects"].to_numpy(float)
    found: Floats = (opened + share * weight) / (at_risk + weight)
    return found


def opens_school(projects: pd.DataFrame, schools: Collection[str]) -> pd.Series:
    """Which projects open a school: no extension does, nor one that names a school of `schools`."""
    named = projects["school_code"] if "school_code" in projects else pd.Series(None, index=projects.index)
    return (projects["project_kind_code"].fillna("") != EXPANSION) & ~named.isin(list(schools))


def coming_places(projects: pd.DataFrame, as_of: date, years: Iterable[int], shares: Floats) -> pd.DataFrame:
    """Places of projects to come, with the chance that each is open in each school year.

    Rows in: one a project. Rows out (COMING_COLUMNS): one a planned or building project and school year. The
    first year possible is that of the day the sender expects (else planned), the next school year at the
    earliest; from then on each autumn opens it with the share of its lateness. `school_code` is the school
    that the project names, blank where it names none.
    """
    rows = []
    next_year = school_year_of(as_of)
    for row in rows_of(projects):
        if row.project_status_code not in ("planned", "building"):
            continue
        planned = school_year_of(row.planned_opening_date)
        opening = (
            row.expected_opening_date if pd.notna(row.expected_opening_date) else row.planned_opening_date
        )
        first = max(next_year, school_year_of(opening))
        for year in years:
            closed = 1.0
            for autumn in range(first, year + 1):
                closed *= 1 - shares[min(max(autumn - planned, 0), MOST_YEARS_LATE)]
            school, area = (
                value if isinstance(value := getattr(row, name, None), str) else ""
                for name in ("school_code", "area_name")
            )
            key = (row.project_code, school, row.district_code, area, row.stage_code, int(year))
            rows.append((*key, int(row.place_count), float(1 - closed)))
    return pd.DataFrame(rows, columns=COMING_COLUMNS)


def standing_places(
    places: pd.DataFrame, pupils: pd.DataFrame, grades: Mapping[str, Sequence[str]], years: Iterable[int]
) -> pd.DataFrame:
    """Places of each school and stage in each coming year, without those that projects add.

    Rows in: `places` as of `school_places`; `pupils` one a school, year and grade with `school_code`, `year`,
    `grade_key`, `pupil_count`; `grades`: each stage's, lowest first. Rows out: `school_code`, `stage_code`,
    `school_year_start`, `place_count`. A school that is filling up from its first grade gets each year as
    many class places more as its classes have now a grade, as far as its stated places do not hold them
    already: what it states are the places of the classes that it has."""
    order = {grade: (stage, n) for stage, own in grades.items() for n, grade in enumerate(own)}
    last = int(pupils["year"].max())
    top = _tops(pupils[pupils["pupil_count"] > 0], order)
    known_since = int(pupils["year"].min())
    found = []
    for (school, stage), mine in places.groupby(["school_code", "stage_code"], sort=True):
        stated, by_class = int(mine["place_count"].sum()), int(mine["class_place_count"].sum())
        steps, whole = len(mine), len(grades[str(stage)])
        filling = _is_filling(top.get((str(school), str(stage)), {}), last, known_since)
        for year in years:
            taught = min(steps + max(year - last, 0), whole) if filling and steps < whole else steps
            count = max(stated, round(by_class / steps * taught)) if taught > steps else stated
            found.append((school, stage, int(year), count))
    return pd.DataFrame(found, columns=["school_code", "stage_code", "school_year_start", "place_count"])


def _tops(
    pupils: pd.DataFrame, order: Mapping[str, tuple[str, int]]
) -> dict[tuple[str, str], dict[int, int]]:
    """(school, stage) -> year -> how far up the stage its pupils stand: 0 is the first grade."""
    found: dict[tuple[str, str], dict[int, int]] = {}
    for row in rows_of(pupils[["school_code", "year", "grade_key"]]):
        if row.grade_key in order:
            stage, n = order[row.grade_key]
            of_year = found.setdefault((str(row.school_code), stage), {})
            of_year[int(row.year)] = max(of_year.get(int(row.year), 0), n)
    return found


def _is_filling(top: Mapping[int, int], last: int, known_since: int) -> bool:
    """Whether a stage began with its first grade in a year on record, and grew by one a year since."""
    begun = min(top, default=last)
    return (
        begun > known_since and len(top) == last - begun + 1 and all(n == y - begun for y, n in top.items())
    )
