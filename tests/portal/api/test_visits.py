"""The plan of inspections is that of the command, for any number of visits."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from jobs.access.caller import Role
from jobs.cli.safety import app as safety_command
from jobs.settings import Settings
from portal.replies import API

from .conftest import DISTRICT


@pytest.mark.parametrize(("visits", "district"), [(7, None), (3, DISTRICT), (10_000, None)])
def test_the_plan_is_that_of_the_command(
    lake: Settings,
    callers: dict[Role, TestClient],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    visits: int,
    district: str | None,
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(lake.home.parent))
    monkeypatch.setenv("EDULAKE_SITE", lake.site)
    words = ["--district", district] if district else []
    out = tmp_path / "plan.csv"
    done = CliRunner().invoke(safety_command, ["plan", "--visits", str(visits), "--output", str(out), *words])
    assert done.exit_code == 0, done.output
    asked = {"visits": visits, **({"district_code": district} if district else {})}
    told = callers[Role.CITY].get(f"{API}/safety/inspection-plan", params=asked).json()
    theirs = pd.read_csv(out, dtype={"district_code": str, "school_code": str})
    ours = pd.DataFrame(told["visits"])
    shared = [name for name in theirs.columns if name in ours]
    assert len(shared) >= 10
    pd.testing.assert_frame_equal(ours[shared], theirs[shared], check_dtype=False)
    assert told["planned_count"] == len(theirs) <= visits
    assert told["risk_lowered_total"] == pytest.approx(theirs["risk_lowered_total"].iloc[-1])


def test_a_district_plans_its_own_schools(callers: dict[Role, TestClient]) -> None:
    own = callers[Role.DISTRICT].get(f"{API}/safety/inspection-plan", params={"visits": 4}).json()["visits"]
    assert {visit["district_code"] for visit in own} == {DISTRICT}
    assert callers[Role.CITY].get(f"{API}/safety/inspection-plan", params={"visits": 0}).status_code == 422
    assert callers[Role.SCHOOL].get(f"{API}/safety/inspection-plan").status_code == 403
