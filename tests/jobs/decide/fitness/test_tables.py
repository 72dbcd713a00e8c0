"""The scoring core against a second implementation that knows only the tables, fractions and loops."""

import csv
import random
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pyarrow as pa
import pytest

from jobs.decide.fitness import standard as st
from jobs.decide.fitness.score import ITEM_CODES, MEASURE_COLUMNS, OUTPUT_SCHEMA, score
from jobs.settings import EXPECTATIONS

TABLES = EXPECTATIONS / "standards" / "fitness" / "2014"
COLUMN = {
    "vital_capacity": "vital_capacity_ml",
    "run_50m": "run_50m_s",
    "sit_and_reach": "sit_and_reach_cm",
    "rope_skip_1min": "rope_skip_1min_count",
    "sit_up_1min": "sit_up_1min_count",
    "standing_long_jump": "standing_long_jump_cm",
    "pull_up": "pull_up_count",
    "shuttle_run_50x8": "shuttle_run_50x8_s",
    "run_1000m": "run_1000m_s",
    "run_800m": "run_800m_s",
    "bmi": "bmi",
}
UNIT = {"run_50m": Fraction(1, 10), "sit_and_reach": Fraction(1, 10), "bmi": Fraction(1, 10)}
GRADES = (11, 12, 13, 14, 15, 16, 21, 22, 23, 31, 32, 33, 41, 42, 43, 44)

Row = dict[str, str]


# --- the second implementation


@cache
def table(name: str) -> dict[tuple[int, int, str], list[Row]]:
    found: dict[tuple[int, int, str], list[Row]] = {}
    with (TABLES / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for code in row["grade_codes"].split("|"):
                key = (int(code), int(row["sex_code"]), row.get("item_code", "bmi"))
                found.setdefault(key, []).append(row)
    return found


def tenths(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.1"), ROUND_HALF_UP)


@cache
def steps(name: str, earns: str, grade: int, sex: int, code: str) -> list[tuple[Fraction, bool, int]]:
    rows = table(name).get((grade, sex, code), [])
    return [
        (Fraction(row["threshold"]), row["comparison"] == "<=", int(row[earns]))
        for row in rows
        if row["threshold"]
    ]


def best(value: Fraction, ladder: list[tuple[Fraction, bool, int]]) -> int:
    """The most that is earned by any step met."""
    met = (earned for at, is_lower, earned in ladder if (value <= at if is_lower else value >= at))
    return max(met, default=0)


def naive(row: Row) -> dict[str, Any]:
    """Points, bonus and totals of one row, read straight off the CSV tables."""
    grade, sex = int(row["grade_code"]), int(row["sex_code"])
    values = {code: Fraction(row[column]) for code, column in COLUMN.items() if row.get(column)}
    if row.get("height_cm") and row.get("weight_kg"):
        values["bmi"] = Fraction(row["weight_kg"]) * 10000 / Fraction(row["height_cm"]) ** 2
    out: dict[str, Any] = dict.fromkeys(OUTPUT_SCHEMA.names)
    if "bmi" in values:
        out["bmi"] = tenths(values["bmi"])
        values["bmi"] = Fraction(out["bmi"])
    total, bonus_total, is_complete = Fraction(0), 0, True
    for code in ITEM_CODES:
        weight = table("weights.csv").get((grade, sex, code))
        if not weight:
            continue
        if code not in values:
            is_complete = False
            continue
        value = values[code]
        if code == "bmi":
            (points,) = (
                int(band["points"])
                for band in table("bmi.csv")[grade, sex, "bmi"]
                if (not band["lower"] or value >= Fraction(band["lower"]))
                and (not band["upper"] or value <= Fraction(band["upper"]))
            )
        else:
            points = best(value, steps("scoring.csv", "points", grade, sex, code))
        bonus = best(value, steps("bonus.csv", "bonus_points", grade, sex, code))
        out[f"points_{code}"], out[f"bonus_{code}"] = points, bonus
        total += points * Fraction(int(weight[0]["weight_pct"]), 100)
        bonus_total += bonus
    if is_complete:
        rounded = tenths(total)
        out["standard_score"], out["bonus_total"] = rounded, bonus_total
        out["total_score"] = rounded + bonus_total
        levels = (("优秀", 90), ("良好", 80), ("及格", 60), ("不及格", 0))
        out["level"] = next(level for level, least in levels if out["total_score"] >= least)
    return out


# --- help


def as_table(rows: list[Row]) -> pa.Table:
    names = ["grade_code", "sex_code", *MEASURE_COLUMNS]
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})


def scored(*rows: Row, **settings: Any) -> list[dict[str, Any]]:
    return score(as_table(list(rows)), st.ScoringOptions(**settings)).to_pylist()


def text(value: Fraction) -> str:
    return str(Decimal(value.numerator) / Decimal(value.denominator))


def assert_equal_to_naive(rows: list[Row]) -> None:
    said = ("status", "status_reason", "standard_version")
    for row, found in zip(rows, scored(*rows), strict=True):
        expected = naive(row)
        differing = {
            name: (expected[name], found[name])
            for name in OUTPUT_SCHEMA.names
            if name not in said and expected[name] != found[name]
        }
        assert not differing, f"{row}: expected and found {differing}"


# --- the tables


def around_every_threshold(name: str) -> list[Row]:
    rows = []
    for (grade, sex, code), ladder in table(name).items():
        unit = UNIT.get(code, Fraction(1))
        for step in ladder:
            if step["threshold"] == "":
                continue
            threshold = Fraction(step["threshold"])
            for shift in (-1, Fraction(-1, 2), Fraction(-1, 100), 0, Fraction(1, 100), Fraction(1, 2), 1):
                value = text(threshold + shift * unit)
                rows.append({"grade_code": str(grade), "sex_code": str(sex), COLUMN[code]: value})
    return rows


@pytest.mark.parametrize(("name", "thresholds"), [("scoring.csv", 3547), ("bonus.csv", 640)])
def test_every_threshold_and_either_side(name: str, thresholds: int) -> None:
    rows = around_every_threshold(name)
    assert len(rows) == 7 * thresholds
    assert_equal_to_naive(rows)


def test_every_bmi_edge_and_either_side() -> None:
    edges = 0
    rows = []
    for (grade, sex, _), bands in table("bmi.csv").items():
        for band in bands:
            for edge in filter(None, (band["lower"], band["upper"])):
                edges += 1
                for hundredths in range(-11, 12):
                    bmi = Fraction(edge) + Fraction(hundredths, 100)
                    rows.append({"grade_code": str(grade), "sex_code": str(sex), "bmi": text(bmi)})
                    # 1 m: the weight in kg is the BMI, down to the half that is rounded up
                    rows.append({"grade_code": str(grade), "sex_code": str(sex), "height_cm": "100"})
                    rows[-1]["weight_kg"] = text(bmi)
    assert edges == 16 * 2 * 6
    assert_equal_to_naive(rows)


def test_full_rows_at_random_are_equal() -> None:
    random.seed(20261124)
    rows = []
    for _ in range(15_000):
        grade, sex = random.choice(GRADES), random.choice((1, 2))
        row = {"grade_code": str(grade), "sex_code": str(sex)}
        # Around a common level of fitness, so that all points and all levels come up.
        fitness = random.random()
        for code, column in COLUMN.items():
            ladder = steps("scoring.csv", "points", grade, sex, code)
            if not ladder:
                if code != "bmi" and random.random() < 0.1:
                    row[column] = "100"  # an item of another grade or sex
                continue
            at = min(19.0, max(0.0, random.gauss(20 * (1 - fitness), 3))) / 20 * len(ladder)
            value = ladder[int(at)][0] + random.randint(-3, 3) * UNIT.get(code, Fraction(1))
            if random.random() < 0.1:
                value += random.choice((Fraction(1, 20), Fraction(1, 2), Fraction(3, 1000)))
            if random.random() < 0.98:
                row[column] = text(value if code == "sit_and_reach" else abs(value))
        row["height_cm"] = f"{random.uniform(105, 190):.1f}"
        row["weight_kg"] = f"{random.gauss(19, 3) * (float(row['height_cm']) / 100) ** 2:.1f}"
        rows.append(row)
    assert_equal_to_naive(rows)
    assert {r["level"] for r in scored(*rows)} == {"优秀", "良好", "及格", "不及格", None}
