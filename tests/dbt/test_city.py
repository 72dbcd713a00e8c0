"""What the marts say of a small city whose answers can be counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from jobs import settings as site
from jobs.publish import marts, published_models
from jobs.publish.protect import archive, hide, rules
from jobs.sql import literals

PRIMARY, FAR = "2111000001", "2111000003"
Rows = Callable[[str], list[tuple[Any, ...]]]


def test_all_models_tests_and_unit_tests_ran_and_passed(city: marts.BuildResult) -> None:
    # Of so few pupils hardly any column may vary: tests/dbt/test_sane.py has that test.
    asked = [test for test in city.tests if test.name != "says_nothing"]
    failed = [test.explained(city.file) for test in asked if not test.is_success]
    assert not failed, "\n".join(failed)
    unit_tests = [test for test in city.tests if test.is_unit_test]
    assert len(unit_tests) >= 13
    assert len(city.tests) - len(unit_tests) > 55
    assert all(test.sql_file and test.sql_file.is_file() for test in city.tests if not test.is_unit_test)
    assert len(city.rows) >= 32
    assert all(city.rows.values()), f"a mart is empty: {city.rows}"


def test_a_class_to_be_reviewed_is_told_with_its_three_strongest_signs(rows: Rows) -> None:
    found = rows(
        "select review_level, class_code, district_code, grade_key, submitted_count, is_to_review,"
        " suspicion_score, main_test_zh, evidence, likely_repair from fct_fitness_review"
        " order by review_level, class_code"
    )
    assert found == [
        ("class", "1", "110101", "P1", 20, True, 9, "乙", "乙：二；甲：一；丙：三", "改"),
        ("class", "2", "110101", None, None, False, None, None, None, None),
        ("school", None, "110101", None, 20, True, 9, None, "1 个班中 1 个班待复核", None),
    ]


def test_a_pupils_report_places_the_items_and_says_what_to_train(rows: Rows) -> None:
    found = rows(
        "select school_year_start, total_score, total_change_score, percentile_vital_capacity,"
        " percentile_run_50m, percentile_pull_up, mean_percentile, mean_percentile_change, train_items_zh"
        " from rpt_services__fitness_report where pupil_key = '2111000001-01' order by school_year_start"
    )
    # one standard deviation more air than the median, one more second than the median
    placed = (Decimal("84.1"), Decimal("15.9"), None, Decimal("50.0"))
    assert found == [
        (2024, Decimal("75.0"), None, *placed, None, "50米跑、肺活量"),
        (2025, Decimal("95.0"), Decimal("20.0"), *placed, Decimal("0.0"), "50米跑、肺活量"),
    ]


def test_fitness_counts_over_both_denominators(rows: Rows) -> None:
    found = rows(
        "select school_code, on_roll_count, submitted_count, scored_count, good_or_excellent_share,"
        " pass_share, mean_total_score, scored_of_roll_share, scored_of_submitted_share"
        " from fct_fitness_school_year where school_year_start = 2025 order by school_code"
    )
    # (4 * 95 + 8 * 85 + 6 * 70 + 40) / 19; one of the twenty has no total, the suspended one is not enrolled.
    good, passed = Decimal("0.6316"), Decimal("0.9474")
    assert found == [
        ("2111000001", 19, 20, 19, good, passed, Decimal("80.00"), Decimal("0.9474"), Decimal("0.9500")),
        ("2111000003", 19, 5, 5, Decimal(1), Decimal(1), Decimal("82.00"), Decimal("0.2632"), Decimal(1)),
        ("3411000002", 19, 0, 0, None, None, None, Decimal(0), None),
    ]


def test_uploads_and_rechecks_are_two_figures(rows: Rows) -> None:
    found = rows(
        "select result_kind, scored_count, good_or_excellent_share, on_roll_count from fct_fitness_rate"
        " where unit_code = '2111000001' and grade_key = 'all' and sex_code = 'all'"
        " and school_year_start = 2025 order by result_kind"
    )
    assert found == [("recheck", 10, Decimal(0), None), ("upload", 19, Decimal("0.6316"), 19)]


def test_rates_have_wilson_intervals_statuses_and_the_distance_to_the_plan(rows: Rows) -> None:
    (found,) = rows(
        "select good_or_excellent_low_share, good_or_excellent_high_share, incomplete_count, excused_share,"
        " scored_of_roll_share, target_share, gap_to_target_share, is_met, rate_status from fct_fitness_rate"
        " where unit_code = '2111000001' and grade_key = 'P1' and sex_code = 'all' and result_kind = 'upload'"
        " and school_year_start = 2025"
    )
    # 12 of 19, as R's prop.test(correct = FALSE) has it
    assert found[:2] == (Decimal("0.4104"), Decimal("0.8085"))
    assert found[2:] == (1, 0, Decimal("0.9474"), Decimal("0.7"), Decimal("-0.0684"), False, "ok")


def test_items_that_hold_back_come_first_with_what_they_would_move(rows: Rows) -> None:
    found = rows(
        "select item_code, mean_points, good_or_excellent_gain_share, holding_back_rank from fct_fitness_item"
        " where unit_code = '2111000001' and result_kind = 'upload' and grade_key = 'all'"
        " and sex_code = 'all' and school_year_start = 2025 order by holding_back_rank limit 2"
    )
    # six at 70: sit and reach from 60 to 80 with weight 30 makes 76, still short of 80
    assert found[0] == ("sit_and_reach", Decimal(60), Decimal(0), 1)


def test_same_pupils_are_followed_from_year_to_year(rows: Rows) -> None:
    found = rows(
        "select followed_count, mean_before_score, mean_now_score, mean_change_score, level_up_count"
        " from fct_fitness_change where unit_level = 'city' and grade_key = 'all' and sex_code = 'all'"
    )
    assert found == [(3, Decimal(76), Decimal(95), Decimal(19), 3)]


def test_one_eye_below_the_bound_is_poor_vision(rows: Rows) -> None:
    found = rows(
        "select vision_examined_count, poor_vision_count, moderate_vision_share, refracted_count,"
        " myopic_share"
        " from fct_fitness_eyesight where unit_level = 'city' and grade_key = 'all' and sex_code = 'all'"
    )
    assert found == [(25, 7, Decimal("0.2800"), 0, None)]


def test_result_of_a_pupil_who_is_not_enrolled_is_marked(rows: Rows) -> None:
    assert rows(
        "select pupil_key from fct_fitness_result where not is_on_roll and school_year_start = 2025"
    ) == [("2111000001-19",)]


def test_gap_is_places_that_stand_then_less_forecast(rows: Rows) -> None:
    found = rows(
        "select district_code, school_year_start, existing_place_count, coming_place_count,"
        " round(expected_place_count::double, 1), forecast_count::double, surplus_count::double,"
        " warning_direction, warning_level from fct_places_gap"
        " where stage_code = 'primary' and unit_level in ('district', 'city') order by all"
    )
    # 30 late places may serve 2026 (68 of 100 do, then 75 of the rest), 50 more 2027 (14.4 + 0 of 20 + 1 on
    # time); opened and cancelled ones do not count again.
    assert found == [
        ("110101", 2026, 240, 30, 20.4, 223, 37.4, None, None),
        ("110101", 2027, 240, 80, 61.9, 225, 76.9, "surplus", "blue"),
        ("110119", 2026, 40, 0, 0, 111, -71, "shortage", "red"),
        ("110119", 2027, 40, 0, 0, 112, -72, "shortage", "red"),
        (None, 2026, 280, 30, 20.4, 334, -33.6, "shortage", "orange"),
        (None, 2027, 280, 80, 61.9, 337, 4.9, None, None),
    ]


def test_chances_of_the_gap_go_with_its_sign_and_its_width(rows: Rows) -> None:
    found = rows(
        "select district_code, shortage_probability, surplus_probability"
        " from fct_places_gap where stage_code = 'primary' and lead_years = 1"
        " and unit_level in ('district', 'city') order by all"
    )
    assert [name for name, _, _ in found] == ["110101", "110119", None]
    (_, near, near_idle), (_, far, far_idle), (_, city, _) = found
    assert near < 0.02 < 0.5 < near_idle < 0.8
    assert (far, far_idle) == (1, 0)
    assert 0.98 < city < 1


def test_plan_places_that_opened_are_progress_and_quality_places_apart(rows: Rows) -> None:
    found = rows(
        "select plan_measure, plan_year, plan_target_count, due_place_count, opened_place_count"
        " from fct_places_plan_progress where plan_year in (2022, 2023, 2025) order by all"
    )
    assert found == [
        ("places", 2022, 160000, 0, 0),
        ("places", 2023, 160000, 99, 99),
        ("places", 2025, 160000, 129, 99),
        ("quality_places", 2022, 50000, 0, 0),
        ("quality_places", 2023, 50000, 0, 0),
        ("quality_places", 2025, 50000, 0, 0),
    ]


def test_places_by_grade_are_parted_by_classes(rows: Rows) -> None:
    found = rows(
        "select school_code, grade_key, class_count, class_place_count, place_count from fct_places_supply"
        " where school_code = '3411000002' order by all"
    )
    # Six classes, 301 places: three classes of 40 and three of 45.
    assert found == [("3411000002", "J1", 3, 120, 142), ("3411000002", "S1", 3, 135, 159)]


def test_places_of_a_complete_school_are_parted_between_its_stages(rows: Rows) -> None:
    found = rows(
        "select stage_code, existing_place_count from fct_places_gap"
        " where unit_level = 'district' and stage_code != 'primary' and lead_years = 1 order by all"
    )
    # 301 places by three classes of 40 and three of 45.
    assert found == [("junior", 142), ("senior", 159)]


def test_forecast_is_of_the_newest_vintage_and_ten_is_newer_than_nine(rows: Rows) -> None:
    assert rows("select distinct decided_by_run_id from fct_places_forecast") == [("2025-11-20.10",)]


def test_alerts_have_the_state_that_came_back(rows: Rows) -> None:
    found = rows(
        "select alert_date::varchar, alert_state, alert_closed_date::varchar, days_to_close, is_pending,"
        " is_overdue, alert_level, owner from fct_safety_alert order by alert_date, alert_id"
    )
    assert found == [
        # over before it could be known: on record, and asks nobody
        ("2025-09-01", "over", None, None, False, False, "yellow", "学校"),
        # its outbreak went on for days after it was closed
        ("2025-10-01", "seen", None, None, True, True, "yellow", "学校"),
        # handled, opened again, handled, then called false: closed since the last opening
        ("2025-10-20", "false", "2025-10-26", 6, False, False, "yellow", "学校"),
        # a hazard's alert rises with its hazard, and closes with it
        ("2025-11-06", "new", None, None, True, True, "orange", "区教委"),
        ("2025-11-06", "handled", "2025-11-10", 4, False, False, "yellow", "学校"),
        ("2025-11-17", "handled", "2025-11-18", 1, False, False, "yellow", "学校"),
        ("2025-11-20", "new", None, None, True, False, "yellow", "学校"),
    ]


def test_a_safe_campus_meets_all_that_is_asked_of_it(rows: Rows) -> None:
    found = rows(
        "select school_code, criterion_count, met_criterion_count, failed_criterion_count,"
        " untold_criterion_count, failed_criteria_zh, is_safe_campus_met from fct_safety_campus_status"
        " order by all"
    )
    assert found == [
        (PRIMARY, 2, 1, 0, 0, None, True),
        (FAR, 3, 1, 2, 1, "patrols、video_cover", False),
    ]
    own = rows(
        "select school_code, is_safe_campus_met, open_hazard_count, overdue_hazard_count, newest_drill_date,"
        " pending_alert_count from rpt_services__school_safety order by school_code"
    )
    assert own == [(PRIMARY, True, 1, 1, None, 3), (FAR, False, 0, 0, date(2025, 10, 9), 0)]


def test_safe_campuses_as_counted_stand_beside_those_reported(rows: Rows) -> None:
    found = rows(
        "select district_code, indicator_year, indicator_value, value_source, computed_value,"
        " computed_source, is_computed_different from fct_plan_indicator"
        " where indicator_code = 'safe_campus_rate' order by all nulls first"
    )
    ours = "fct_safety_campus_status"
    assert found == [
        (None, 2025, None, "reported", Decimal(50), ours, None),
        (None, 2025, Decimal("99.96"), "reported", Decimal(100), ours, False),
        ("110101", 2024, Decimal(90), "reported", None, None, None),
        ("110101", 2025, Decimal("99.96"), "reported", Decimal(100), ours, False),
        ("110119", 2025, Decimal(100), "reported", Decimal(0), ours, True),
    ]
    others = "select count(*) from fct_plan_indicator where indicator_code <> 'safe_campus_rate'"
    assert rows(f"{others} and computed_value is not null") == [(0,)]


def test_profile_joins_what_a_family_asks_and_hides_a_rate_of_a_handful(rows: Rows) -> None:
    found = rows(
        "select school_name, school_group_name, existing_place_count, pupil_count, forecast_count,"
        " good_or_excellent_share from rpt_services__school_profile order by school_code"
    )
    assert [tuple(map(_plain, row)) for row in found] == [
        ("东一小学", "东城一集团", 240, 212, 223, 0.6316),
        ("山里小学", None, 40, 8, 111, None),
        ("东二中学", "东城一集团", 301, 212, 227, None),
    ]


def test_public_tables_of_a_build_are_exact_and_those_of_a_release_hide(
    city: marts.BuildResult, rows: Rows
) -> None:
    """dbt counts; `jobs.publish.protect` hides the small district and what would give it back."""
    enrollment = (
        "select district_code, pupil_count, pupil_count_missing_reason from {}pub_enrollment_district_year"
        " where stage_code = 'primary' and school_year_start = 2025 order by district_code nulls last"
    )
    assert rows(enrollment.format("")) == [("110101", 212, None), ("110119", 8, None), (None, 220, None)]
    declared = {name: meta["protect"] for name, meta in city.models.items() if meta.get("public")}
    with duckdb.connect() as writer:
        writer.execute(f"attach {literals(city.file)} as build (read_only)")
        asked = [rules.read_rule(name, told) for name, told in declared.items()]
        hide.protect(writer, "build.main", asked, archive.Archive(), site.load("beijing"))
        hidden = writer.execute(enrollment.format("memory.protected.")).fetchall()
        fitness = writer.execute(
            "select distinct good_or_excellent_share, pass_share"
            " from memory.protected.pub_fitness_district_year where school_year_start = 2025"
        ).fetchall()
    assert hidden == [("110101", None, "c"), ("110119", None, "k"), (None, 220, None)]
    # Of 24 in the city 7 are not good or excellent: too few to show either side of the rate.
    assert fitness == [(None, None)]


def test_cards_tell_the_four_services(rows: Rows) -> None:
    found = rows(
        "select service, status, figure_value, figure_label_zh, period_label, note_zh, chart_kind,"
        " series_json, as_of_date::varchar from rpt_portal__service_card order by sort_order"
    )
    cards = {row[0]: row[1:] for row in found}
    assert list(cards) == ["places", "evaluation", "fitness", "safety"]
    assert {card[-1] for card in cards.values()} == {"2025-11-20"}
    status, value, label, period, note, kind, series, _ = cards["places"]
    assert (status, value, label, period, kind) == (
        "ok",
        Decimal(561),
        "2026-2027 学年在校生预测",
        "2026-2027 学年",
        "fan",
    )
    assert note == (
        "2025-2026 学年在校 432 人；80% 区间 556–566 人。近 4 次提前一年的预测，总数平均误差 1.5%。"
    )
    assert json.loads(series) == [
        {"x": 2024, "y": 428, "lower": None, "upper": None},
        {"x": 2025, "y": 432, "lower": None, "upper": None},
        {"x": 2026, "y": 561, "lower": 556, "upper": 566},
        {"x": 2027, "y": 566, "lower": 561, "upper": 571},
    ]
    assert cards["evaluation"][:5] == (
        "ok",
        Decimal(1),
        "3 项规划指标中已达标",
        "2025 年",
        "1 项没有全市数值。",
    )
    assert json.loads(cards["evaluation"][6]) == [
        {"x": "智慧校园覆盖率", "y": 102.9},
        {"x": "绿色学校达标率", "y": 98.8},
    ]
    assert cards["fitness"][:2] == ("ok", Decimal("70.83"))
    assert json.loads(cards["fitness"][6]) == [{"x": "小学", "y": 70.8}]
    assert cards["safety"][:2] == ("ok", Decimal(2))
    months = json.loads(cards["safety"][6])
    assert [m["x"] for m in months][:1] == ["2024-12"]
    assert [m["y"] for m in months] == [0] * 10 + [1, 1]


def test_every_published_table_is_listed_once_with_its_true_rows(city: marts.BuildResult, rows: Rows) -> None:
    listed = rows("select platform, table_name, title_zh, row_count from rpt_portal__platform_item")
    meant = {name: meta["platform"] for name, meta in city.models.items() if meta["platform"] != "portal"}
    assert {table: platform for platform, table, *_ in listed} == meant
    assert len(listed) == len(meant) >= 30
    assert {table: count for _, table, _, count in listed} == {table: city.rows[table] for table in meant}
    assert all(title for *_, title, _ in listed)
    order = rows(
        "select platform, list(sort_order order by sort_order) from rpt_portal__platform_item group by all"
    )
    assert all(numbers == list(range(1, len(numbers) + 1)) for _, numbers in order)


def test_release_takes_every_mart_with_its_meaning(city: marts.BuildResult) -> None:
    models = published_models.read_models(city.file.with_name(f"{city.file.stem}.manifest.json"))
    assert set(models) == set(city.rows)
    assert {name for name, model in models.items() if model.pupil_rows} == {
        "dim_pupil",
        "fct_fitness_result",
        "rpt_services__fitness_report",
    }
    public = {name for name, model in models.items() if model.public}
    assert public == {name for name in models if name.startswith("pub_")}
    assert len(public) <= 15
    for name, model in models.items():
        assert all((model.title_zh, model.title_en, model.description)), name
        assert all(column.title_zh and column.description for column in model.columns.values()), name
        assert model.platform in ("management", "services", "resources", "portal"), name
        assert model.grain, f"{name} names no grain"
        assert set(model.grain) <= set(model.columns), name


def test_published_measures_are_no_binary_floats(rows: Rows) -> None:
    floats = rows(
        "select table_name, column_name from duckdb_columns() where data_type in ('DOUBLE', 'FLOAT')"
        " and schema_name = 'main' and not internal"
    )
    assert floats == []


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def test_registrations_are_those_of_the_newest_forecast(rows: Rows) -> None:
    found = rows(
        "select unit_level, stage_code, school_year, registered_count, registration_count,"
        " registration_remark from fct_places_registration"
    )
    assert found == [("city", "primary", "2026-2027", 90, Decimal("-5.0"), "combined")]
