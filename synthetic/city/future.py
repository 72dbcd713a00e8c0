"""Enrollment of future years, which the generator knows and no sender does: the truth for forecasts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from synthetic.city.figures import FUTURE_YEARS, districts
from synthetic.city.ladder import grades
from synthetic.city.part import Part

COLUMNS = ("level", "unit_code", "school_year_start", "grade_key", "pupil_count")


def write_future(part: Part) -> None:
    """truth/future_enrollment.csv: pupils by school, district and city, autumn after the last and grade."""
    part.truth.write("future_enrollment", COLUMNS, _rows(part))


def _rows(part: Part) -> Iterator[tuple[str, str, int, str, int]]:
    schools = part.schools
    keys = [grade.key for grade in grades()]
    of_district = np.stack(
        [schools.future[schools.district == number].sum(axis=0) for number in range(len(districts()))]
    )
    levels = (
        ("city", ["110000"], of_district.sum(axis=0, keepdims=True)),
        ("district", [d.code for d in districts()], of_district),
        ("school", schools.codes, schools.future),
    )
    for level, codes, counts in levels:
        for code, of_years in zip(codes, counts.tolist(), strict=True):
            for year, of_grades in zip(FUTURE_YEARS, of_years, strict=True):
                for key, count in zip(keys, of_grades, strict=True):
                    if count:
                        yield level, code, year, key, count
