"""Risk of incidents by school, shrunk by empirical Bayes, and the visits that lower it most.

*Rates.* Incidents of a school in a year are Poisson around exposure × rate; rates of schools of one kind are
gamma around their kind's mean, with one shape for all, fitted by the marginal (negative binomial) likelihood.
A school's rate is then the gamma posterior: its own where it has many pupil-years, its kind's where it has
few, so that small schools are not always first and last (Clayton and Kaldor 1987).

*Visits.* Incidents expected within a horizon = base (rate × pupils) + open hazards × their days open ×
incidents a day. A visit takes a share off each part (`inspection_model.csv`); a second one the same share of
what is left. Gains of a school fall with each visit, so taking the largest gains one by one is the best plan
for every number of visits: the first k rows are the plan of k visits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from jobs.decide.safety.hazards import is_open
from jobs.declare import standards

_LOG_SHAPE = (-3.0, 7.0)
_LEAST_OF_KIND = 5  # incidents, below which a kind of school takes the mean of all


@dataclass(frozen=True)
class InspectionModel:
    """The plan's assumptions: dated data, none of them measured here."""

    horizon_days: float
    look_back_days: float
    incidents_per_day_general: float
    incidents_per_day_major: float
    days_open_if_overdue: float
    visit_lowers_base_share: float
    visit_closes_hazard_share: float
    most_visits_per_school: float
    interval: float

    @classmethod
    def of(cls, day: pd.Timestamp) -> InspectionModel:
        """The model in force on a day."""
        rows = standards.frame("safety/inspection_model", day, needed=True)
        return cls(
            **{name: float(value) for name, value in zip(rows["parameter"], rows["value"], strict=True)}
        )


def fit_shape(counts: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """The most likely gamma shape given the counts; a large one means that schools differ by chance alone."""
    some = expected > 0
    y, m = counts[some], expected[some]
    if not len(y) or y.sum() == 0:
        return float(np.exp(_LOG_SHAPE[1]))

    def unlikely(log_shape: float) -> float:
        a = np.exp(log_shape)
        each = special.gammaln(a + y) - special.gammaln(a) + a * np.log(a / (a + m)) + y * np.log(m / (a + m))
        return -float(each.sum())

    return float(np.exp(optimize.minimize_scalar(unlikely, bounds=_LOG_SHAPE, method="bounded").x))


def rates(schools: pd.DataFrame, interval: float = 0.9) -> pd.DataFrame:
    """Rows in: `school_code, kind, incident_count, pupil_years`. Rows out: the same with `raw_rate, rate,
    lower, upper` per 1,000 pupil-years and `shrinkage` (share of the kind's mean in `rate`).

    Without exposure the kind's mean stands, with its spread.
    """
    y = schools["incident_count"].to_numpy(dtype=float)
    e = schools["pupil_years"].to_numpy(dtype=float)
    total = schools.groupby("kind")[["incident_count", "pupil_years"]].transform("sum")
    enough = (total["incident_count"] >= _LEAST_OF_KIND) & (total["pupil_years"] > 0)
    overall = y.sum() / e.sum() if e.sum() > 0 else 0.0
    of_kind = total["incident_count"] / total["pupil_years"].where(total["pupil_years"] > 0)
    mean = np.where(enough, of_kind.fillna(0), overall)
    shape = fit_shape(y, e * mean)
    a, b = shape + y, shape + e * mean
    tail = (1 - interval) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = np.where(e > 0, 1000 * y / e, np.nan)
    return schools.assign(
        raw_rate=raw,
        rate=1000 * mean * a / b,
        lower=1000 * mean * special.gammaincinv(a, tail) / b,
        upper=1000 * mean * special.gammaincinv(a, 1 - tail) / b,
        shrinkage=shape / b,
    )


def expected_incidents(
    schools: pd.DataFrame, hazards: pd.DataFrame, model: InspectionModel, as_of: pd.Timestamp
) -> pd.DataFrame:
    """`base` and `from_hazards`, incidents expected within the horizon, for the rows of `rates` (with
    `pupil_count`); with `open_hazard_count, overdue_hazard_count`."""
    open_ = hazards[is_open(hazards, as_of)]
    left = (open_["hazard_due_date"] - as_of).dt.days.clip(lower=0)
    is_late = open_["hazard_due_date"] < as_of
    days = left.where(~is_late, model.days_open_if_overdue).clip(upper=model.horizon_days)
    per_day = np.where(
        open_["hazard_grade_code"] == "major", model.incidents_per_day_major, model.incidents_per_day_general
    )
    by = pd.DataFrame({"school_code": open_["school_code"], "load": days * per_day, "late": is_late})
    sums = by.groupby("school_code").agg(load=("load", "sum"), count=("load", "size"), late=("late", "sum"))
    sums = sums.reindex(schools["school_code"]).fillna(0)
    return schools.assign(
        base=schools["rate"] / 1000 * schools["pupil_count"] * model.horizon_days / 365,
        from_hazards=sums["load"].to_numpy(),
        open_hazard_count=sums["count"].to_numpy(dtype=int),
        overdue_hazard_count=sums["late"].to_numpy(dtype=int),
    )


def plan(schools: pd.DataFrame, model: InspectionModel) -> pd.DataFrame:
    """Visits in order of what each lowers: `visit_rank, school_code, visit_number, risk_before, risk_lowered,
    risk_lowered_total`, incidents within the horizon.

    Rows in: `expected_incidents`. The first k rows are the best k visits; ties go to the lower school code.
    """
    visits = []
    base, load = schools["base"].to_numpy(), schools["from_hazards"].to_numpy()
    for number in range(1, int(model.most_visits_per_school) + 1):
        kept_base = (1 - model.visit_lowers_base_share) ** (number - 1)
        kept_load = (1 - model.visit_closes_hazard_share) ** (number - 1)
        lowered = (
            base * kept_base * model.visit_lowers_base_share
            + load * kept_load * model.visit_closes_hazard_share
        )
        visits.append(
            pd.DataFrame(
                {
                    "school_code": schools["school_code"].to_numpy(),
                    "visit_number": number,
                    "risk_before": base * kept_base + load * kept_load,
                    "risk_lowered": lowered,
                }
            )
        )
    order = pd.concat(visits).sort_values(
        ["risk_lowered", "school_code", "visit_number"], ascending=[False, True, True], ignore_index=True
    )
    order.insert(0, "visit_rank", np.arange(1, len(order) + 1))
    return order.assign(risk_lowered_total=order["risk_lowered"].cumsum())
