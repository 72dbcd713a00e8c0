"""The plan's twelve indicators, district by district, from base to what is reached, unevenly.

What a district's own registers can tell, it reports by them in the years that the city writes
(`synthetic.city.reported`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from jobs.declare import standards
from synthetic.city.figures import districts
from synthetic.city.fitness import GOOD_SHARE
from synthetic.city.numbers import Stream, stream

_INDICATORS = "evaluation/plan_indicators"
FIRST_INDICATOR_YEAR = 2020
# Where the plan prints no base: what is assumed of 2020 so that the way to the target has a start.
_ASSUMED_BASE = {"smart_campus_coverage": 55.0, "green_school_rate": 38.0}
# Means over the city in 2025 against the target: most are met, two just miss.
_REACHED = {
    "kindergarten_enrollment_rate": 92.4,
    "inclusive_kindergarten_coverage": 91.6,
    "nearby_enrollment_rate": 99.4,
    "preschool_teacher_professional_education": 85.6,
    "compulsory_teacher_bachelor_share": 97.3,
    "dual_qualified_vocational_teacher_share": 81.6,
    "new_labour_schooling_years": 15.83,
    "education_share_of_public_spending": 15.93,
    "smart_campus_coverage": 87.5,
    "green_school_rate": 76.0,
    "safe_campus_rate": 99.9,
}
_SPREAD = {
    "education_share_of_public_spending": 0.5,
    "new_labour_schooling_years": 0.18,
    "nearby_enrollment_rate": 0.3,
}
_SPREAD |= {"fitness_good_or_excellent_rate": 2.2, "safe_campus_rate": 0.3}
_SPREAD_DEFAULT = 1.8
# Denominators of the whole city: persons, schools, new workers, or 10,000 yuan.
_DENOMINATOR = {
    "kindergarten_enrollment_rate": 480_000,
    "inclusive_kindergarten_coverage": 433_000,
    "nearby_enrollment_rate": 330_000,
    "preschool_teacher_professional_education": 45_000,
    "compulsory_teacher_bachelor_share": 115_000,
    "dual_qualified_vocational_teacher_share": 6_000,
    "new_labour_schooling_years": 150_000,
    "education_share_of_public_spending": 71_000_000,
    "fitness_good_or_excellent_rate": 1_700_000,
    "smart_campus_coverage": 3_500,
    "green_school_rate": 1_600,
    "safe_campus_rate": 3_500,
}


# What districts report by their own registers and checks in the years that the city writes.
BY_REGISTERS = frozenset(
    {
        "inclusive_kindergarten_coverage",
        "nearby_enrollment_rate",
        "preschool_teacher_professional_education",
        "compulsory_teacher_bachelor_share",
        "smart_campus_coverage",
        "green_school_rate",
        "safe_campus_rate",
    }
)


@dataclass(frozen=True)
class Value:
    """One indicator of one district and year, with what it is made of."""

    district: int
    code: str
    name_zh: str
    year: int
    numerator: int
    denominator: int

    @property
    def value(self) -> float:
        ratio = self.numerator / self.denominator
        return ratio if self.code == "new_labour_schooling_years" else 100 * ratio


def indicator_values(seed: int, years: range) -> list[Value]:
    """The twelve indicators by year, district and plan order: from the base to what is reached, unevenly.

    Districts lie above and below the city, which itself meets base and end. Counts are the whole city's at
    any scale: a small city would make steps of several points.
    """
    plan = standards.rows(_INDICATORS)
    shares = np.array([d.shares["primary"] for d in districts()])
    rng = stream(seed, Stream.PLANNING, 1)
    start, gain = rng.standard_normal((2, len(shares), len(plan)))
    start, gain = start - shares @ start, gain - shares @ gain
    pace = rng.uniform(0.6, 1.5, start.shape)
    noise = rng.normal(0, 0.1, (len(years), *start.shape))
    values = []
    for at, year in enumerate(years):
        for number, share in enumerate(shares.tolist()):
            for nth, row in enumerate(plan):
                code = row["indicator_code"]
                if year == FIRST_INDICATOR_YEAR and not row["base_value"]:
                    continue
                passed = min(((year - FIRST_INDICATOR_YEAR) / 5) ** pace[number, nth], 1.0)
                apart = 0.8 * start[number, nth] + 0.5 * gain[number, nth] * passed + noise[at, number, nth]
                if code == "safe_campus_rate":  # every school kept the standard in 2020
                    apart *= passed
                value = _city_value(row, year, passed) + _SPREAD.get(code, _SPREAD_DEFAULT) * apart
                whole = round(_DENOMINATOR[code] * share)
                part = value if code == "new_labour_schooling_years" else min(value, 100.0) / 100
                values.append(Value(number, code, row["name_zh"], year, round(whole * part), whole))
    return values


def _city_value(row: dict[str, str], year: int, passed: float) -> float:
    code = row["indicator_code"]
    if code == "fitness_good_or_excellent_rate":
        return GOOD_SHARE[min(year, max(GOOD_SHARE))] * 100
    base = float(row["base_value"]) if row["base_value"] else _ASSUMED_BASE[code]
    return base + (_REACHED[code] - base) * passed


def first_figures_on(year: int) -> date:
    """The day on which districts send first figures of the newest year."""
    return date(year, 11, 10)


def reached(code: str, year: int) -> float:
    """The city's mean of an indicator in a year as a share, straight from base to end, flat beyond."""
    row = next(r for r in standards.rows(_INDICATORS) if r["indicator_code"] == code)
    return _city_value(row, year, min(max((year - FIRST_INDICATOR_YEAR) / 5, 0.0), 1.0)) / 100
