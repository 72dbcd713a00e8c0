"""The city's yearly bulletin of education statistics (教育事业统计公报): totals by district, stage and year.

It prints what is true of the city, to the person, the spring after; what districts hand in may fall short.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from synthetic.city.figures import FIRST_YEAR, districts
from synthetic.city.forms import Dress, fill, send
from synthetic.city.ladder import GRADES_OF, STAGES
from synthetic.city.part import Part
from synthetic.city.past import counted_in, district_in
from synthetic.city.schools import Schools, year_index
from synthetic.city.staff import staff_of

CITY = "110000"
_DRESS = Dress("xlsx", in_words=True, days="dashed", has_title=True)
_WHOLE = "全市"


def published_on(year: int) -> date:
    """The day on which the bulletin of the school year that began in `year` comes out."""
    return date(year + 1, 3, 28)


def write_bulletins(part: Part) -> None:
    """The bulletin of a school year on its day; before the first one all earlier years, in one file.

    A bulletin that would come out after the newest delivery is not there yet.
    """
    files = [(range(part.year, part.year + 1), published_on(part.year))]
    if part.is_first:
        files.insert(0, (range(FIRST_YEAR, part.year), published_on(part.year - 1)))
    for years, day in files:
        if day > part.newest or not years:
            continue
        span = f"{years[0]}" if len(years) == 1 else f"{years[0]}-{years[-1]}"
        filled = fill("control_total", bulletin_columns(part.schools, part.seed, years), _DRESS)
        send(part.landing, "control_total", CITY, day, f"北京市教育事业统计公报_{span}", filled, _DRESS)


def bulletin_columns(schools: Schools, seed: int, years: range) -> dict[str, list[Any]]:
    """The bulletins of some school years by the contract's names: by year and stage, the city goes first."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            *("unit_code", "school_year_start", "stage_code"),
            *("published_school_count", "published_pupil_count", "published_teacher_count"),
            *("source_document", "published_date"),
        )
    }
    kinds = np.array(schools.kinds)
    for year in years:
        stood, district_of = counted_in(schools, year), district_in(schools, year)
        staff = [staff_of(schools, seed, number, year) for number in range(len(districts()))]
        for at, stage in enumerate(STAGES):
            pupils = schools.pupils[:, year_index(year), list(GRADES_OF[stage])].sum(axis=1)
            teaches = np.concatenate([of.school[of.is_teacher & (of.stage == at)] for of in staff])
            counts = [
                (
                    int((stood & (kinds == stage) & (district_of == number)).sum()),
                    int(pupils[district_of == number].sum()),
                    int((district_of[teaches] == number).sum()),
                )
                for number in range(len(districts()))
            ]
            whole = tuple(sum(each) for each in zip(*counts, strict=True))
            units = [_WHOLE, *(district.name_zh for district in districts())]
            for unit, row in zip(units, (whole, *counts), strict=True):
                document = f"{year}-{year + 1}学年度北京市教育事业统计公报"
                told = (unit, f"{year}-{year + 1}", stage, *row, document, published_on(year))
                for column, value in zip(columns.values(), told, strict=True):
                    column.append(value)
    return columns
