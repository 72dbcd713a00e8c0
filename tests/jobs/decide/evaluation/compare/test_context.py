"""What schools are compared by, counted by hand from a few rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from jobs.decide.evaluation.compare.context import contexts

ON = date(2025, 11, 20)
PRIMARY, COMBINED, CLOSED, SPECIAL = "1100000001", "1100000002", "1100000003", "1100000004"


def frame(columns: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


REGISTER = frame(
    "school_code district_code school_type_code closed_date",
    (PRIMARY, "110101", "21", None),
    (COMBINED, "110102", "34", None),
    (CLOSED, "110101", "21", date(2025, 7, 31)),
    (SPECIAL, "110101", "51", date(2026, 7, 31)),
)
COUNTS = frame(
    "school_code school_year_start grade_key pupil_count",
    *[(PRIMARY, 2025, "P1", 60), (PRIMARY, 2025, "P2", 40), (PRIMARY, 2024, "P1", 50)],
    *[(COMBINED, 2024, "J1", 80), (COMBINED, 2024, "S1", 20)],
    (CLOSED, 2025, "P1", 10),
    (SPECIAL, 2025, "P1", 10),
    ("1100000009", 2025, "P1", 10),  # in no register
)
ROLL = frame(
    "school_code grade_key school_year_start term migrants migrants_known boarders boarders_known",
    *[(PRIMARY, "P1", 2025, 1, 6, 60, 0, 0), (PRIMARY, "P2", 2025, 1, 4, 40, 0, 0)],
    (PRIMARY, "P1", 2024, 2, 50, 50, 0, 0),  # an older term
    (COMBINED, "J1", 2025, 1, 8, 80, 20, 80),
)
TRANSFERS = frame(
    "sender_code school_code grade_key moves",
    *[("110102", COMBINED, "J1", 4), ("110102", COMBINED, "S1", 1), ("110102", COMBINED, None, 9)],
)


def found(transfers: pd.DataFrame = TRANSFERS) -> dict[Any, Any]:
    rows = contexts(REGISTER, COUNTS, ROLL, transfers, ON)
    return rows.astype(object).where(rows.notna(), None).set_index(["school_code", "stage_code"]).T.to_dict()


def test_pupils_shares_and_kind_are_of_the_stage() -> None:
    rows = found()
    expected = [(PRIMARY, "primary"), (COMBINED, "junior"), (COMBINED, "senior"), (SPECIAL, "primary")]
    assert sorted(rows) == sorted(expected)
    primary = rows[PRIMARY, "primary"]
    assert (primary["stage_pupil_count"], primary["migrant_share"]) == (100, 0.1)
    assert primary["boarding_share"] is None, "nobody's way of attending is known"
    assert primary["school_kind"] == "ordinary"
    assert rows[SPECIAL, "primary"]["school_kind"] == "51"


def test_a_late_districts_school_stays_with_its_pupils_of_last_year() -> None:
    junior = found()[COMBINED, "junior"]
    assert (junior["school_year_start"], junior["stage_pupil_count"]) == (2024, 80)
    assert (junior["migrant_share"], junior["boarding_share"]) == (0.1, 0.25)


def test_mobility_is_transfers_over_pupils_and_unknown_where_nobody_reported() -> None:
    rows = found()
    assert rows[COMBINED, "junior"]["mobility_share"] == pytest.approx(4 / 80)
    assert rows[COMBINED, "senior"]["mobility_share"] == pytest.approx(1 / 20)
    assert rows[PRIMARY, "primary"]["mobility_share"] is None, "its district sent none: unknown, not still"


def test_a_transfer_without_grade_is_of_the_only_stage() -> None:
    moves = frame("sender_code school_code grade_key moves", ("110101", PRIMARY, None, 5))
    assert found(transfers=moves)[PRIMARY, "primary"]["mobility_share"] == pytest.approx(5 / 50)


def test_an_empty_lake_has_no_schools() -> None:
    assert contexts(*(f.head(0) for f in (REGISTER, COUNTS, ROLL, TRANSFERS)), ON).empty
