"""What districts report of the plan's indicators: by their own registers, but for causes that are planted.

In the years that the city writes, each district counts what its registers, staff, registrations and checks
hold; the other indicators and the years before are drawn. Some districts report otherwise than they
deliver. `truth/indicator_causes.csv` names district, year, indicator and cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthetic.city.checks import safe_campuses
from synthetic.city.figures import districts
from synthetic.city.forms import fill, office, send
from synthetic.city.indicators import (
    FIRST_INDICATOR_YEAR,
    Value,
    first_figures_on,
    indicator_values,
    reached,
)
from synthetic.city.ladder import K1, K3, STAGES
from synthetic.city.part import Part
from synthetic.city.premises import register_columns
from synthetic.city.registration import nearby_entrants, unregistered
from synthetic.city.schools import Schools, year_index
from synthetic.city.staff import degrees, staff_of

SMART, GREEN = "smart_campus_coverage", "green_school_rate"
INCLUSIVE, NEARBY = "inclusive_kindergarten_coverage", "nearby_enrollment_rate"
TRAINED, DEGREES = "preschool_teacher_professional_education", "compulsory_teacher_bachelor_share"
_UNMAPPED = 2  # the district whose register of staff has a degree that no list has
Counts = dict[str, tuple[int, int]]


def planted(schools: Schools, year: int) -> dict[int, str]:
    """District -> cause for which it reports otherwise than its deliveries say.

    The largest districts but the one with an unmapped degree, so that the cause shows at any scale: most
    kindergartens of either ownership, most schools.
    """
    here = [s for s in range(len(schools)) if schools.is_open(s, year)]
    count = len(districts())

    def of(schools_of: list[int]) -> NDArray[np.int64]:
        found = np.bincount(schools.district[np.array(schools_of, np.int64)], minlength=count)
        found[_UNMAPPED] = -1
        return found

    nursery = [s for s in here if schools.kinds[s] == "kindergarten"]
    private, public = (of([s for s in nursery if schools.is_private[s] is own]) for own in (True, False))
    scope = int(np.minimum(private, public).argmax())
    size = of(here)
    size[scope] = -1
    return {scope: "scope", int(size.argmax()): "date"}


def own_counts(part: Part, year: int, *, without_private: bool = False) -> Counts:
    """Numerator and denominator of what the district's registers and staff of an autumn can tell."""
    schools, at = part.schools, year_index(year)
    register = register_columns(schools, part.seed, year, part.number, part.newest.year)
    code_of = {code: n for n, code in enumerate(schools.codes)}
    works = [end is None for end in register["closed_date"]]
    here = [code_of[code] for code, open_ in zip(register["school_code"], works, strict=True) if open_]

    def flags(name: str) -> list[Any]:
        return [value for value, open_ in zip(register[name], works, strict=True) if open_]

    nursery = np.array([schools.kinds[s] == "kindergarten" for s in here], bool)
    smart = np.array(flags("is_smart_campus"), bool)
    green = np.array([bool(g) for g in flags("is_green_school")], bool)
    inclusive = np.array([bool(i) for i in flags("is_inclusive_kindergarten")], bool)
    children = schools.pupils[here][:, at, K1 : K3 + 1].sum(axis=1)
    kept = np.array([not (without_private and schools.is_private[s]) for s in here], bool)
    staff = staff_of(schools, part.seed, part.number, year)
    stage = np.array(STAGES, dtype=object)[staff.stage]
    in_kindergarten = staff.is_teacher & (stage == "kindergarten")
    if without_private:
        in_kindergarten &= ~np.array(schools.is_private, bool)[staff.school]
    compulsory = staff.is_teacher & np.isin(stage.astype(str), ("primary", "junior"))
    trained = staff.chance[:, 2] < reached(TRAINED, year)
    has_degree = np.isin(np.array(degrees(staff, year), dtype=str), ("bachelor", "master", "doctor"))
    return {
        SMART: (int(smart.sum()), len(here)),
        GREEN: (int(green[~nursery].sum()), int((~nursery).sum())),
        INCLUSIVE: (int(children[inclusive & kept].sum()), int(children[kept].sum())),
        TRAINED: (int((trained & in_kindergarten).sum()), int(in_kindergarten.sum())),
        DEGREES: (int((has_degree & compulsory).sum()), int(compulsory.sum())),
    }


def reported_counts(part: Part, day: date) -> tuple[Counts, list[tuple[str, str]]]:
    """What the district reports of its year by its registers, and (indicator, cause) of what is planted."""
    true = own_counts(part, part.year) | {NEARBY: nearby_entrants(part)}
    told, causes = dict(true), []
    cause = planted(part.schools, part.year).get(part.number)
    if cause == "date" and not part.is_first:
        told |= {code: own_counts(part, part.year - 1)[code] for code in (SMART, GREEN)}
        causes = [(code, "date:last_year") for code in (SMART, GREEN)]
    elif cause == "scope":
        told |= {
            code: own_counts(part, part.year, without_private=True)[code] for code in (INCLUSIVE, TRAINED)
        }
        causes = [(code, "scope:without_private") for code in (INCLUSIVE, TRAINED)]
    if unregistered(part) is not None:
        causes.append((NEARBY, "missing:included"))
    # What the district says of its safe campuses is what its own checks say. It looks at the end of the year.
    if safe := safe_campuses(part.schools, part.seed, part.number, day, part.newest):
        told["safe_campus_rate"] = safe
    told = {code: counts for code, counts in told.items() if counts[1]}
    kept = [(c, how) for c, how in causes if c in told and (told[c] != true[c] or c == NEARBY)]
    return told, kept


def write_indicators(part: Part) -> None:
    """A file a district and year, received the March after; the newest year's are first figures.

    In the first year also one file of the years before it, received that March.
    """
    newest, code = part.newest, districts()[part.number].code
    years = range(FIRST_INDICATOR_YEAR, newest.year + 1)
    drawn = part.once("indicators", lambda: indicator_values(part.seed, years))
    files = [([part.year], date(part.year + 1, 3, 15), f"规划指标_{part.year}")]
    if part.year == newest.year:
        files = [([part.year], first_figures_on(part.year), f"规划指标_{part.year}")]
    if part.is_first and part.year > FIRST_INDICATOR_YEAR:
        span = list(range(FIRST_INDICATOR_YEAR, part.year))
        files.insert(0, (span, date(part.year, 3, 15), f"规划指标_{span[0]}-{span[-1]}"))
    last_day = min(newest, files[-1][1], date(part.year, 12, 31))
    counts, causes = reported_counts(part, last_day)
    part.truth.write(
        "indicator_causes",
        ("district_code", "indicator_year", "indicator_code", "cause"),
        [(code, part.year, indicator, cause) for indicator, cause in causes],
    )
    values = [
        _by_registers(v, counts) if (v.district, v.year) == (part.number, part.year) else v for v in drawn
    ]
    dress = office(part.seed, part.number, "indicator_value")
    for of_years, day, name in files:
        here = [v for v in values if v.district == part.number and v.year in of_years]
        columns: dict[str, list[Any]] = {
            "district_code": [code] * len(here),
            "indicator_code": [v.code for v in here],
            "indicator_year": [v.year for v in here],
            "numerator": [v.numerator for v in here],
            "denominator": [v.denominator for v in here],
            "indicator_value": [f"{v.value:.2f}" for v in here],
        }
        filled = fill("indicator_value", columns, dress)
        send(part.landing, "indicator_value", code, day, name, filled, dress)


def _by_registers(value: Value, counts: Mapping[str, tuple[int, int]]) -> Value:
    if value.code not in counts:
        return value
    numerator, denominator = counts[value.code]
    return replace(value, numerator=numerator, denominator=denominator)
