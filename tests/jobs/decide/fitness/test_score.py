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


# A full set of results of a boy in grade 21: 100 points in each item, no bonus.
BOY = {
    "grade_code": "21",
    "sex_code": "1",
    "height_cm": "160",
    "weight_kg": "50",
    "vital_capacity_ml": "3640",
    "run_50m_s": "7.8",
    "sit_and_reach_cm": "17.6",
    "standing_long_jump_cm": "225",
    "pull_up_count": "13",
    "run_1000m_s": "235",
}


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


def test_official_blanks_are_no_steps() -> None:
    boys = [{"grade_code": "21", "sex_code": "1", "pull_up_count": str(count)} for count in range(6)]
    assert [row["points_pull_up"] for row in scored(*boys)] == [0, 30, 40, 50, 60, 64]


def test_bonus_counts_from_the_base_of_the_own_sex() -> None:
    pupil = {"grade_code": "12", "rope_skip_1min_count": "130"}
    boy, girl = scored({**pupil, "sex_code": "1"}, {**pupil, "sex_code": "2"})
    assert (boy["bonus_rope_skip_1min"], girl["bonus_rope_skip_1min"]) == (6, 1)


# --- rounding


def test_bmi_is_rounded_half_up_before_it_is_looked_up() -> None:
    pupils = [("119.7", "26.0"), ("119.9", "26.1"), ("119.75", "26.0")]
    rows = [{"grade_code": "11", "sex_code": "1", "height_cm": h, "weight_kg": w} for h, w in pupils]
    assert [(str(r["bmi"]), r["points_bmi"]) for r in scored(*rows)] == [
        ("18.1", 100),
        ("18.2", 80),
        ("18.1", 100),
    ]


def test_total_on_a_half_is_rounded_up_and_the_level_follows() -> None:
    # Points 100, 85, 90, 72, 90, 100, 90 by weights 15, 15, 20, 10, 10, 10, 20 make 89.95.
    row = {
        **BOY,
        "vital_capacity_ml": "3150",
        "run_50m_s": "8.0",
        "sit_and_reach_cm": "5.2",
        "standing_long_jump_cm": "211",
        "run_1000m_s": "255",
    }
    (rounded,) = scored(row)
    (exactly,) = scored(row, level_from="exact")
    assert (str(rounded["standard_score"]), str(rounded["total_score"]), rounded["level"]) == (
        "90.0",
        "90.0",
        "优秀",
    )
    assert (str(exactly["total_score"]), exactly["level"]) == ("90.0", "良好")


def test_times_between_units_take_the_slower_unit_unless_set() -> None:
    row = {"grade_code": "21", "sex_code": "1", "run_50m_s": "7.81", "run_1000m_s": "235.4"}
    (up,) = scored(row)
    (down,) = scored(row, run_50m="down", long_runs="down")
    assert (up["points_run_50m"], up["points_run_1000m"]) == (95, 95)
    assert (down["points_run_50m"], down["points_run_1000m"]) == (100, 100)


# --- status


def only(row: Row, *names: str) -> Row:
    return {name: cell for name, cell in row.items() if name not in names}


@pytest.mark.parametrize(
    ("row", "status", "reason"),
    [
        (BOY, "scored", None),
        (only(BOY, "run_50m_s", "weight_kg"), "incomplete", "missing:bmi,run_50m"),
        ({"grade_code": "21", "sex_code": "2"}, "missing", None),
        ({**BOY, "grade_code": "17"}, "invalid", "unknown:grade_code"),
        ({**BOY, "grade_code": "11.5"}, "invalid", "unknown:grade_code"),
        ({**BOY, "grade_code": ""}, "invalid", "missing:grade_code"),
        ({**BOY, "sex_code": "男"}, "invalid", "unknown:sex_code"),
        (
            {**BOY, "sex_code": "9", "grade_code": "99999999999999999999"},
            "invalid",
            "unknown:grade_code,sex_code",
        ),
        ({**BOY, "run_1000m_s": "3'45\""}, "invalid", "not_a_number:run_1000m_s"),
        ({**BOY, "run_1000m_s": "NaN"}, "invalid", "not_a_number:run_1000m_s"),
        ({**BOY, "pull_up_count": "-1"}, "invalid", "impossible:pull_up_count"),
        ({**BOY, "run_50m_s": "0"}, "invalid", "impossible:run_50m_s"),
        ({**BOY, "height_cm": "1.60"}, "invalid", "impossible:height_cm"),
        ({**BOY, "height_cm": "50", "weight_kg": "90"}, "invalid", "impossible:bmi"),
        ({**BOY, "run_50m_s": "7.800000000000001"}, "invalid", "too_many_decimals:run_50m_s"),
        ({**BOY, "run_50m_s": " 7.80000000 "}, "scored", None),
        ({**BOY, "run_800m_s": "nonsense"}, "scored", None),
    ],
)
def test_status_names_what_is_wrong(row: Row, status: str, reason: str | None) -> None:
    (found,) = scored(row)
    assert found["status"] == status
    if status != "missing":
        assert found["status_reason"] == reason
    has_total = [
        found[name] is not None for name in ("standard_score", "bonus_total", "total_score", "level")
    ]
    assert has_total == [status == "scored"] * 4


def test_a_bad_cell_leaves_the_other_items_their_points() -> None:
    (found,) = scored({**BOY, "run_50m_s": "fast"})
    assert found["points_run_50m"] is None
    assert (found["points_pull_up"], found["points_run_1000m"], found["points_bmi"]) == (100, 100, 100)


def test_zero_is_a_score_and_blank_is_not() -> None:
    zero, blank = scored({**BOY, "pull_up_count": "0"}, {**BOY, "pull_up_count": " "})
    assert (zero["points_pull_up"], zero["status"], str(zero["total_score"])) == (0, "scored", "90.0")
    assert (blank["points_pull_up"], blank["status"], blank["total_score"]) == (None, "incomplete", None)


def test_items_of_another_grade_or_sex_earn_nothing() -> None:
    (found,) = scored({**BOY, "run_800m_s": "200", "sit_up_1min_count": "60", "rope_skip_1min_count": "200"})
    assert found["status"] == "scored"
    assert {found[f"points_{code}"] for code in ("run_800m", "sit_up_1min", "rope_skip_1min")} == {None}
    assert {found[f"bonus_{code}"] for code in ("run_800m", "sit_up_1min", "rope_skip_1min")} == {None}
    assert found["bonus_total"] == 0


def test_bmi_stands_in_only_where_height_or_weight_is_blank() -> None:
    rows = [
        {**BOY, "bmi": "30"},
        {**only(BOY, "height_cm"), "bmi": "30"},
        {**BOY, "height_cm": "x", "bmi": "30"},
    ]
    assert [str(row["bmi"]) for row in scored(*rows)] == ["19.5", "30.0", "None"]


def test_missing_item_may_be_set_to_count_nothing() -> None:
    row = only(BOY, "pull_up_count")
    (found,) = scored(row, missing_item="zero")
    assert (str(found["total_score"]), found["status"], found["points_pull_up"]) == (
        "90.0",
        "incomplete",
        None,
    )
    (nothing,) = scored({"grade_code": "21", "sex_code": "1"}, missing_item="zero")
    assert (nothing["total_score"], nothing["status"]) == (None, "missing")


def test_a_code_without_column_may_be_given_one() -> None:
    row = {**BOY, "grade_code": "51"}
    assert scored(row)[0]["status_reason"] == "unknown:grade_code"
    assert scored(row, grade_columns={51: 21})[0]["total_score"] == Decimal("100.0")


def test_edition_is_the_one_in_force_on_the_test_date() -> None:
    rows = as_table([BOY] * 5)
    dates = ["2014-07-06", "2014-07-07", "2025-10-15", "", "15.10.2025"]
    found = score(rows.append_column("test_date", pa.array(dates))).to_pylist()
    assert [row["standard_version"] for row in found] == [None, "2014", "2014", "2014", None]
    assert [row["status_reason"] for row in found] == [
        "no_edition_in_force:test_date",
        None,
        None,
        None,
        "not_a_date:test_date",
    ]
    assert [row["total_score"] is None for row in found] == [True, False, False, False, True]


def test_exempt_deferred_and_retest_have_their_own_status() -> None:
    rows = as_table([BOY, BOY, BOY, only(BOY, "pull_up_count"), BOY, only(BOY, "run_1000m_s")])
    exemption = pa.array(["exempt", "缓测", None, "", "perhaps", None])
    retest = pa.array([None, None, "true", "1", None, "0"])
    reasons = pa.array([None, None, None, None, None, "免测"])
    rows = rows.append_column("exemption_status", exemption).append_column("is_retest", retest)
    found = score(rows.append_column("run_1000m_missing_reason", reasons)).to_pylist()
    assert [row["status"] for row in found] == [
        "exempt",
        "deferred",
        "retest",
        "incomplete",
        "invalid",
        "exempt",
    ]
    assert [row["total_score"] is None for row in found] == [True, True, False, True, True, True]
    assert found[5]["status_reason"] == "exempt:run_1000m"


# --- types


def test_decimals_integers_and_text_score_alike() -> None:
    given = as_table([BOY, {**BOY, "run_50m_s": None, "sit_and_reach_cm": "-3.5"}])
    typed = pa.table(
        {
            name: given[name].cast(pa.decimal128(7, 2) if name.endswith(("_s", "_cm", "_kg")) else pa.int32())
            for name in given.column_names
        }
    )
    assert score(typed).equals(score(given))


def test_slices_and_chunks_score_alike() -> None:
    given = as_table([{**BOY, "pull_up_count": str(count)} for count in range(30)])
    whole = score(given)
    chunked = pa.concat_tables([given.slice(0, 7), given.slice(7)])
    assert score(chunked).equals(whole)
    assert score(given.slice(5, 9)).equals(whole.slice(5, 9))


def test_no_rows_give_no_rows() -> None:
    assert score(as_table([])).num_rows == 0


def test_binary_floats_are_refused() -> None:
    given = as_table([BOY]).drop_columns("run_50m_s").append_column("run_50m_s", pa.array([7.8]))
    with pytest.raises(TypeError, match="not exact"):
        score(given)
