"""Classes watched by syndrome: the chance of so many, and what a class's part of its school is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from jobs.decide.safety import classes

DAYS = pd.bdate_range("2025-09-01", "2026-01-16")


def test_the_chance_is_the_mid_p_of_a_negative_binomial() -> None:
    mean = np.array([0.02, 0.3, 4.0, 4.0])
    count = np.array([3.0, 0.0, 4.0, 20.0])
    phi = classes._DISPERSION
    model = stats.nbinom(mean / (phi - 1), 1 / phi)
    assert np.allclose(classes.mid_p(count, mean), model.sf(count) + model.pmf(count) / 2, rtol=1e-9)
    assert (classes.mid_p(np.array([400.0]), np.array([1e-4])) >= 0).all()


def test_a_class_stands_out_among_the_classes_of_its_school() -> None:
    rng = np.random.default_rng(3)
    rows = [
        ("S1", f"C{k}", day, "rash", int(rng.poisson(0.05 * (3 if k == 0 else 1))))
        for k in range(10)
        for day in DAYS
    ]
    rows += [("S1", "C4", DAYS[60], "rash", 5), ("S1", "C5", DAYS[60], "fever", 5)]
    columns = ["school_code", "class_name", "date", "condition_code", "absent_count"]
    illness = pd.DataFrame(rows, columns=columns)
    answers = pd.DataFrame(
        {"level": "rash", "unit": "S1", "date": DAYS[40:], "expected": 0.6, "upper_bound": 3.0}
    )
    found = classes.judged(illness, answers, alpha=3e-4, least=3)
    assert (found["count"] >= 3).all()
    sick = found[(found["class_name"] == "C4") & (found["date"] == DAYS[60])].iloc[0]
    assert sick["p_value"] < 3e-4
    assert sick["upper_bound"] < sick["count"]
    assert 0.03 < sick["expected"] < 0.08
    assert set(found["level"]) == {"rash"}, "no answer of the school, none of the class"
    assert found["date"].min() >= DAYS[40]
    bound = classes.mid_p(found["upper_bound"].to_numpy(), found["expected"].to_numpy())
    assert ((bound >= 3e-4) | (found["upper_bound"] == 0)).all()
