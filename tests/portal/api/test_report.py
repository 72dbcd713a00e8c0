"""One pupil's fitness report: the mart's figures, own pupils only, no names."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import Caller, Role
from jobs.declare import standards
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app
from portal.replies import API

from .conftest import DISTRICT

Opened = Callable[[str], duckdb.DuckDBPyConnection]


@pytest.fixture(scope="module")
def pupils(opened: Opened, own_school: str) -> tuple[str, str]:
    """A pupil of the school with a total and something to train, and one of another school."""
    asked = (
        "select min(pupil_key) from rpt_services__fitness_report where total_score is not null"
        " and train_items_zh is not null and (school_code = ?) = ?"
    )
    file = opened(f"district-{DISTRICT}-pupils")
    own, other = (file.execute(asked, [own_school, mine]).fetchall()[0][0] for mine in (True, False))
    return own, other


def test_a_school_reads_the_report_of_its_own_pupil(
    callers: dict[Role, TestClient], opened: Opened, pupils: tuple[str, str]
) -> None:
    own, other = pupils
    told = callers[Role.SCHOOL].get(f"{API}/fitness/report", params={"pupil_key": own}).json()
    file = opened(f"district-{DISTRICT}-pupils")
    rows = file.execute(
        "select school_year_start, total_score, train_items_zh, percentile_bmi from"
        " rpt_services__fitness_report where pupil_key = ? order by 1 desc",
        [own],
    ).fetchall()
    assert [(y["school_year_start"], y["total_score"]) for y in told["years"]] == [
        (year, None if total is None else float(total)) for year, total, *_ in rows
    ]
    newest = told["years"][0]
    assert "、".join(one["item_zh"] for one in newest["advice"]) == (rows[0][2] or "")
    assert all(one["advice_zh"] for one in newest["advice"])
    bmi = next(one for one in newest["items"] if one["item_code"] == "bmi")
    assert (bmi["percentile"], bmi["unit"]) == (float(rows[0][3]), "kg/m2")
    assert not [name for name in newest if "name" in name]
    refused = callers[Role.SCHOOL].get(f"{API}/fitness/report", params={"pupil_key": other})
    assert (refused.status_code, refused.json()["type"]) == (404, "urn:edulake:problem:no-report")
    assert callers[Role.SCHOOL].get(f"{API}/fitness/report").status_code == 422


def test_a_family_has_its_own_child_and_officials_nobody(
    lake: Settings, callers: dict[Role, TestClient], pupils: tuple[str, str]
) -> None:
    own, other = pupils
    caller = Caller(Role.FAMILY, "f", pupil_key=own, district_code=DISTRICT)
    family = TestClient(create_app(lake, EverybodyIs(caller)), base_url="http://127.0.0.1")
    assert family.get(f"{API}/fitness/report").json()["pupil_key"] == own
    assert family.get(f"{API}/fitness/report", params={"pupil_key": other}).status_code == 404
    assert family.get(f"{API}/fitness/report", params={"school_year_start": 1999}).status_code == 404
    for role, status in ((Role.CITY, 403), (Role.DISTRICT, 403), (Role.PUBLIC, 401)):
        asked = callers[role].get(f"{API}/fitness/report", params={"pupil_key": own})
        assert asked.status_code == status, role


def test_each_item_has_its_advice() -> None:
    items = {row["item_code"] for row in standards.rows("fitness/items")} - {"height", "weight"}
    assert {row["item_code"] for row in standards.rows("fitness/advice")} == items
