"""A check of a suite about some rows leaves the others alone."""

from __future__ import annotations

import pandas as pd
import pytest

from jobs.judging.audit import audit

CHECK = {
    "expect": "ExpectColumnValuesToBeBetween",
    "column": "mape_percent",
    "min_value": 0,
    "max_value": 50,
    "where": {"grade_span": "all"},
}


@pytest.mark.parametrize(("of_all", "holds"), [(10.0, True), (70.0, False)])
def test_a_check_with_where_is_about_those_rows(of_all: float, holds: bool) -> None:
    rows = pd.DataFrame({"grade_span": ["all", "S1"], "mape_percent": [of_all, 60.0]})
    assert [check["is_success"] for check in audit(rows, "t", [CHECK], "run", 2)] == [holds]
