"""Shrunk rates and the inspection plan, against what is known in closed form and by trying all plans."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
import pytest

from jobs.decide.safety import risk

AS_OF = pd.Timestamp("2025-11-20")
MODEL = risk.InspectionModel.of(AS_OF)


def city(seed: int, schools: int = 800, shape: float = 3.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    pupils = np.round(np.exp(rng.normal(6.2, 0.9, schools)))
    true = 0.003 * rng.gamma(shape, 1 / shape, schools)
    return pd.DataFrame(
        {
            "school_code": [f"S{k:04d}" for k in range(schools)],
            "kind": "21",
            "pupil_count": pupils,
            "pupil_years": pupils,
            "true": 1000 * true,
            "incident_count": rng.poisson(pupils * true),
        }
    )


def test_the_shape_is_found_again() -> None:
    shapes = [
        risk.fit_shape(c["incident_count"].to_numpy(float), c["pupil_years"].to_numpy() * 0.003)
        for c in (city(seed) for seed in range(8))
    ]
    assert 2.2 < np.median(shapes) < 4.0


def test_schools_that_do_not_differ_are_all_given_the_mean() -> None:
    rng = np.random.default_rng(1)
    same = city(1).assign(incident_count=rng.poisson(city(1)["pupil_years"] * 0.003))
    rates = risk.rates(same)["rate"]
    assert rates.std() < 0.15 * rates.mean()


def test_shrunk_rates_are_nearer_the_truth_and_their_intervals_hold() -> None:
    found = risk.rates(city(3))
    raw = ((found["raw_rate"] - found["true"]) ** 2).mean()
    shrunk = ((found["rate"] - found["true"]) ** 2).mean()
    assert shrunk < 0.5 * raw
    covered = ((found["lower"] <= found["true"]) & (found["true"] <= found["upper"])).mean()
    assert 0.86 < covered < 0.94
    assert (found["lower"] < found["rate"]).all()
    assert (found["rate"] < found["upper"]).all()


def test_small_schools_are_not_always_first_and_last() -> None:
    found = risk.rates(city(4))
    small = found["pupil_count"] < found["pupil_count"].quantile(0.2)

    def share_of_small(column: str) -> float:
        ends = pd.concat([found.nlargest(40, column), found.nsmallest(40, column)])
        return float(small[ends.index].mean())

    # A fifth of the schools is small: as counted they take two fifths of both ends, by chance alone.
    assert share_of_small("raw_rate") > 0.33
    assert share_of_small("rate") < 0.1


def test_a_school_without_pupils_or_a_city_without_incidents_has_answers() -> None:
    found = risk.rates(city(5).assign(incident_count=0))
    assert (found["rate"] == 0).all()
    lonely = city(5)
    lonely.loc[0, ["pupil_years", "incident_count"]] = 0
    one = risk.rates(lonely).iloc[0]
    assert np.isnan(one["raw_rate"])
    assert one["lower"] < one["rate"] < one["upper"]
    assert one["shrinkage"] == pytest.approx(1)


def hazard(school: str, grade: str, due: str) -> dict[str, object]:
    return {
        "school_code": school,
        "hazard_grade_code": grade,
        "hazard_due_date": pd.Timestamp(due),
        "hazard_status_code": "open",
        "hazard_done_date": pd.NaT,
    }


def test_hazards_add_what_they_may_bring_while_open() -> None:
    rows = [hazard("S0000", "major", "2025-11-01"), hazard("S0000", "general", "2025-11-30")]
    told = risk.expected_incidents(risk.rates(city(6)), pd.DataFrame(rows), MODEL, AS_OF)
    first = told.iloc[0]
    assert first["from_hazards"] == pytest.approx(30 * 0.006 + 10 * 0.0025)
    assert (first["open_hazard_count"], first["overdue_hazard_count"]) == (2, 1)
    assert (told["from_hazards"].iloc[1:] == 0).all()
    assert first["base"] == pytest.approx(first["rate"] / 1000 * first["pupil_count"] * 90 / 365)


def test_the_first_k_rows_are_the_best_plan_of_k_visits() -> None:
    schools = pd.DataFrame(
        {
            "school_code": list("ABCD"),
            "base": [1.0, 0.9, 0.2, 0.05],
            "from_hazards": [0.0, 0.1, 0.4, 0.0],
        }
    )
    order = risk.plan(schools, MODEL)

    def left(visits: tuple[str, ...]) -> float:
        total = 0.0
        for row in schools.itertuples():
            n = visits.count(str(row.school_code))
            total += row.base * (1 - MODEL.visit_lowers_base_share) ** n  # type: ignore[operator]
            total += row.from_hazards * (1 - MODEL.visit_closes_hazard_share) ** n  # type: ignore[operator]
        return total

    for k in range(1, 6):
        plans = [p for p in combinations_with_replacement("ABCD", k) if all(p.count(s) <= 2 for s in p)]
        best = min(left(p) for p in plans)
        assert left(tuple(order["school_code"][:k])) == pytest.approx(best)
        lowered = schools[["base", "from_hazards"]].to_numpy().sum() - best
        assert order["risk_lowered_total"][k - 1] == pytest.approx(lowered)
    # A school's second visit never comes before its first.
    assert (order.groupby("school_code")["visit_number"].diff().dropna() == 1).all()


def test_ties_go_to_the_lower_code_whatever_the_order_of_rows() -> None:
    schools = pd.DataFrame({"school_code": list("CAB"), "base": 0.5, "from_hazards": 0.0})
    one = replace(MODEL, most_visits_per_school=1)
    assert list(risk.plan(schools, one)["school_code"]) == ["A", "B", "C"]
