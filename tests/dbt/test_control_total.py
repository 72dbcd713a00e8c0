"""Official totals: a lost district or a wrong year stops a release; what is small or late does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs.publish import marts

from .conftest import ask

Built = Callable[[str], marts.BuildResult]
LOST, MISDATED, HALF, UNMAPPED, CLOSED = "110102", "110105", "110106", "110107", "110108"
REFUSED, LATE, REPEATS, SHORT, STAGE, RELABELED = "110109", "110111", "110112", "110113", "110114", "110115"
UNKNOWN_UNIT = "经济技术开发区"


@pytest.fixture(scope="module")
def case(built: Built) -> marts.BuildResult:
    return built("control_total")


def cells(case: marts.BuildResult, verdict: str, kind: str = "pupil") -> set[tuple[Any, ...]]:
    """District, stage, year, reason, the year that it is and how many, of each district with this verdict."""
    return set(
        ask(
            case.file,
            "select district_code, stage_code, school_year_start, control_reason, matched_school_year_start,"
            " control_reason_count from fct_control_total where unit_level = 'district'"
            f" and control_verdict = '{verdict}' and control_kind = '{kind}'",
        )
    )


def test_what_is_lost_stops_the_release_with_its_cause(case: marts.BuildResult) -> None:
    assert cells(case, "stops") == {
        (LOST, "primary", 2024, "district_missing", None, None),
        (LOST, "junior", 2024, "district_missing", None, None),
        (STAGE, "junior", 2024, "stage_missing", None, None),
        (HALF, "primary", 2024, "schools_missing", None, 1),
        (UNMAPPED, "primary", 2024, "stage_unmapped", None, 131),
        (CLOSED, "primary", 2024, "closed_counted", None, 272),
        (MISDATED, "primary", 2024, "wrong_year", 2023, None),
        (MISDATED, "junior", 2024, "wrong_year", 2023, None),
        # The newest year has no bulletin yet, and is that of the year before it all the same.
        (REPEATS, "primary", 2025, "wrong_year", 2024, None),
        (REPEATS, "junior", 2025, "wrong_year", 2024, None),
        # Under the wrong year, and so missing under its own.
        (RELABELED, "primary", 2023, "wrong_year", 2024, None),
        (RELABELED, "junior", 2023, "wrong_year", 2024, None),
        (RELABELED, "primary", 2024, "wrong_year", 2023, None),
        (RELABELED, "junior", 2024, "wrong_year", 2023, None),
    }
    assert cells(case, "stops", "teacher") == {(HALF, "primary", 2024, "schools_missing", None, 1)}


def test_what_is_small_late_or_known_to_its_sender_warns(case: marts.BuildResult) -> None:
    assert cells(case, "warns") == {
        (SHORT, "primary", 2024, "unexplained", None, None),
        (REFUSED, "primary", 2024, "lines_refused", None, 1),
        (LATE, "primary", 2025, "late_delivery", None, None),
        (LATE, "junior", 2025, "late_delivery", None, None),
        (UNKNOWN_UNIT, "primary", 2024, "unit_unknown", None, None),
    }
    warned = [test for test in case.tests if test.name == "control_total_warns"]
    assert [(test.is_stop, test.failures) for test in warned] == [(False, 5)]


def test_years_without_a_bulletin_or_without_data_are_neither(case: marts.BuildResult) -> None:
    verdicts = dict(
        ask(
            case.file,
            "select control_kind || school_year_start,"
            " list(distinct control_verdict order by control_verdict)"
            " from fct_control_total where district_code = '110101' group by all",
        )
    )
    assert verdicts == {
        "pupil2022": ["no_control"],
        "pupil2023": ["agrees"],
        "pupil2024": ["agrees"],  # the bulletin was wrong, and its correction came
        "pupil2025": ["not_published"],
        "school2024": ["no_control"],
        "school2025": ["no_control"],
        "teacher2023": ["not_held"],
        "teacher2024": ["agrees"],
    }
    document = ask(
        case.file,
        "select source_document from fct_control_total where district_code = '110101'"
        " and stage_code = 'primary' and school_year_start = 2024 and control_kind = 'pupil'",
    )
    assert document == [("2024-2025学年度公报（更正）",)]


def test_the_city_is_short_by_its_lost_districts(case: marts.BuildResult) -> None:
    found = ask(
        case.file,
        "select stage_code, control_verdict, control_reason, control_reason_count from fct_control_total"
        " where unit_level = 'city' and school_year_start = 2024 and control_kind = 'pupil' order by all",
    )
    assert found == [
        ("junior", "stops", "district_missing", 3),
        ("primary", "stops", "district_missing", 2),
    ]


def test_the_stop_names_each_cell_and_the_way_out(case: marts.BuildResult) -> None:
    (stop,) = [test for test in case.failed if test.name == "control_total_stops"]
    assert stop.table == "fct_control_total"
    told = stop.details()
    assert stop.failures == 18
    assert (
        "  西城区 110102, 小学, 2024-2025, 在校生数 pupils: ours none, published 482:"
        " nothing of the whole district is there"
    ) in told
    assert (
        "  朝阳区 110105, 小学, 2024-2025, 在校生数 pupils: ours 470, published 494:"
        " the figures are those of another school year (2023-2024)"
    ) in told
    assert told[-2] == "  and 6 more"
    assert "dataset control_total" in told[-1]


def test_the_public_table_has_it_in_words_and_no_count_of_few(case: marts.BuildResult) -> None:
    words = ask(
        case.file,
        "select control_verdict_zh, control_reason_zh, our_count, published_count from pub_control_total"
        f" where district_code = '{HALF}' and school_year_start = 2024 and stage_code = 'primary'"
        " and control_kind = 'pupil'",
    )
    assert words == [("差异过大, 停止发布", "名录中的在办学校无数据", 246, 506)]
    teachers = ask(
        case.file,
        "select our_count, published_count, difference_count, control_counts_missing_reason"
        f" from pub_control_total where district_code = '{HALF}' and school_year_start = 2024"
        " and stage_code = 'primary' and control_kind = 'teacher'",
    )
    assert teachers == [(None, None, None, "k")], "nineteen teachers are few"


def test_a_site_without_bulletins_has_nothing_to_stop(built: Built) -> None:
    late = built("late_district")
    held = {test.name: test.is_success for test in late.tests if test.name.startswith("control_total_")}
    assert held == {"control_total_stops": True, "control_total_warns": True}
    verdicts = ask(
        late.file, "select distinct control_verdict from fct_control_total where control_kind = 'pupil'"
    )
    assert verdicts == [("no_control",)]
