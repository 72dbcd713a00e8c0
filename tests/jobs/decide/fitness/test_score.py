"""The rules around the tables: rounding, missing and wrong cells, editions, exemptions, kinds of columns."""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from jobs.decide.fitness import standard as st
from jobs.decide.fitness.score import MEASURE_COLUMNS, score

Row = dict[str, str]
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


def as_table(rows: list[Row]) -> pa.Table:
    names = ["grade_code", "sex_code", *MEASURE_COLUMNS]
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})


def scored(*rows: Row, **settings: Any) -> list[dict[str, Any]]:
    return score(as_table(list(rows)), st.ScoringOptions(**settings)).to_pylist()


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
