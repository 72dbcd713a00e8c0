"""Similar schools, positions and the ladder in the marts of the small city."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rows = Callable[[str], list[tuple[Any, ...]]]


def test_the_ladder_shows_who_stands_where_and_each_change_once(rows: Rows) -> None:
    found = rows(
        "select district_code, supervised_metric_code, supervision_step_zh, step_number, days_on_step,"
        " condition_state from fct_supervision_ladder order by all"
    )
    assert found == [
        ("110101", "smart_campus_coverage", "预警", 1, 11, "ended"),
        ("110119", "overdue_hazards", "通报", 3, 0, "holds"),
    ]
    # The run of the tenth said the same again; the lifted one is history alone.
    changes = rows(
        "select district_code, supervised_metric_code, change_number, last_step_code, supervision_step_zh,"
        " condition_state, step_cause, supervision_document_number from fct_supervision_ladder_change"
        " order by all"
    )
    assert changes == [
        ("110101", "smart_campus_coverage", 1, None, "预警", "holds", "rule", None),
        ("110101", "smart_campus_coverage", 2, None, "预警", "ended", "rule", None),
        ("110119", "green_school_rate", 1, None, "预警", "holds", "rule", None),
        ("110119", "green_school_rate", 2, "warning", "解除", "ended", "rectified", "京教督〔2025〕1号"),
        ("110119", "overdue_hazards", 1, "reminder", "通报", "holds", "rule", None),
    ]
