"""Classes watched by syndrome: most outbreaks begin in one class, where few children are many.

A class's expected count is its part of what the school method expects of the school that day. So the season,
the weekday and an epidemic come from all schools, and only the part is the class's own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from jobs import clock
from jobs.decide.safety.outbreaks import syndromes_of_reports

# Absences by which a class's part of its school's is drawn towards an even part.
_EVEN = 20.0
# Variance over mean of a class's day; in quiet classes of the synthetic city it is 1.0 to 1.2.
_DISPERSION = 1.3


def judged(illness: pd.DataFrame, school_answers: pd.DataFrame, alpha: float, least: int) -> pd.DataFrame:
    """Class-days with at least `least` absent of a syndrome, and how unlikely these are.

    Rows in: reports (`school_code, class_name, date, condition_code, absent_count`); answers of the school
    method by syndrome (`level, unit, date, expected`). Rows out: `level, unit, class_name, date, count,
    expected, upper_bound, p_value`; a mid-p of a negative binomial, and the largest count that would not
    pass `alpha`. A class whose school has no answer that day has none.
    """
    reports = illness.assign(
        level=syndromes_of_reports(illness),
        year=clock.school_years(pd.to_datetime(illness["date"])),
    )
    of_class = reports.groupby(["school_code", "year", "class_name"])["absent_count"].sum().rename("sum")
    part = of_class.astype(float) + _EVEN
    part = (part / part.groupby(level=["school_code", "year"]).transform("sum")).rename("part")
    keys = ["level", "school_code", "year", "class_name", "date"]
    days = reports.groupby(keys)["absent_count"].sum().rename("count").reset_index()
    days = days[days["count"] >= least].merge(part.reset_index(), on=["school_code", "year", "class_name"])
    expected = school_answers[["level", "unit", "date", "expected"]].dropna()
    days = days.rename(columns={"school_code": "unit"}).merge(expected, on=["level", "unit", "date"])
    count, mean = days["count"].to_numpy(dtype=float), (days["expected"] * days["part"]).to_numpy()
    return days.assign(
        expected=mean, p_value=mid_p(count, mean), upper_bound=_largest_quiet(count, mean, alpha)
    )[["level", "unit", "class_name", "date", "count", "expected", "upper_bound", "p_value"]]


def mid_p(count: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance of more cases than `count`, and half of that of as many; negative binomial around `mean`."""
    size = np.maximum(mean, 1e-9) / (_DISPERSION - 1)
    share = 1 - 1 / _DISPERSION
    more = special.betainc(count + 1, size, share)
    as_many = np.where(count > 0, special.betainc(np.maximum(count, 1), size, share), 1.0)
    found: NDArray[np.float64] = (more + as_many) / 2
    return found


def _largest_quiet(
    count: NDArray[np.float64], mean: NDArray[np.float64], alpha: float
) -> NDArray[np.float64]:
    """The largest count, up to the one seen, that would not pass `alpha`."""
    bound = count.copy()
    while (passes := (bound > 0) & (mid_p(bound, mean) < alpha)).any():
        bound[passes] -= 1
    return bound
