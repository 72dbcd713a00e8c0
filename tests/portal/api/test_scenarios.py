"""Scenarios of the API are those of the command, from the caller's own file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from jobs.access.caller import Role
from jobs.cli.places import app as places_command
from jobs.settings import Settings
from portal.replies import API

from .conftest import DISTRICT

KEY = ["district_code", "stage_code", "school_year_start"]
LEVERS = ["entry +3%", f"premises 40 district={DISTRICT} stage=primary from=2027"]


@pytest.fixture
def command(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EDULAKE_HOME", str(lake.home.parent))
    monkeypatch.setenv("EDULAKE_SITE", lake.site)
    return lambda *words: CliRunner().invoke(places_command, ["scenario", *words])


def levers(texts: list[str]) -> list[str]:
    return [word for text in texts for word in ("--lever", text)]


def test_two_scenarios_are_those_of_the_command(
    callers: dict[Role, TestClient], command: Any, tmp_path: Path
) -> None:
    done = command(*levers(LEVERS), "--against", "births -10%", "--output", str(tmp_path / "both.csv"))
    assert done.exit_code == 0, done.output
    asked = {"levers": LEVERS, "against": ["births -10%"]}
    got = callers[Role.CITY].post(f"{API}/places/scenarios/run", json=asked)
    assert got.status_code == 200, got.text
    told = got.json()
    ours = pd.DataFrame(told["rows"])
    theirs = pd.read_csv(tmp_path / "both.csv", dtype={"district_code": str}).drop(columns="is_synthetic")
    pd.testing.assert_frame_equal(ours.sort_values(KEY), theirs[ours.columns].sort_values(KEY), rtol=1e-12)
    assert (ours["pupils_scenario"] != ours["pupils_against"]).any()
    totals = pd.DataFrame(told["totals"]).set_index(["stage_code", "school_year_start"])
    assert totals["gap_scenario"].sum() == pytest.approx(ours["gap_scenario"].sum())
    assert told["synthetic"] is True
    assert told["as_of_date"] in done.output or told["method_zh"]


def test_the_cheapest_mix_is_that_of_the_command(callers: dict[Role, TestClient], command: Any) -> None:
    city = callers[Role.CITY]
    rows = city.post(f"{API}/places/scenarios/run", json={}).json()["rows"]
    least = min(rows, key=lambda row: row["gap_scenario"])
    place = dict(zip(("district", "stage", "year"), (least[name] for name in KEY), strict=True))
    told = city.post(f"{API}/places/scenarios/mix", json=place).json()
    assert told["shortage_count"] >= -least["gap_scenario"] > 0
    done = command(*(word for name, value in place.items() for word in (f"--{name}", str(value))))
    assert f"cost: {told['cost_yuan']:,.0f} yuan" in done.output
    printed = dict(re.findall(r"(\w+): ([\d,]+) places of at most", done.output))
    assert {
        one["lever"]: f"{one['place_count']:,}" for one in told["places"] if one["place_count"]
    } == printed
    given = sum(one["place_count"] for one in told["places"])
    assert given + told["lacking_count"] >= told["shortage_count"]


def test_a_district_starts_from_its_own_file(callers: dict[Role, TestClient]) -> None:
    district, city = callers[Role.DISTRICT], callers[Role.CITY]
    own = district.post(f"{API}/places/scenarios/run", json={"levers": ["entry +3%"]}).json()["rows"]
    whole = city.post(f"{API}/places/scenarios/run", json={"levers": ["entry +3%"]}).json()["rows"]
    assert {row["district_code"] for row in own} == {DISTRICT}
    assert own == [row for row in whole if row["district_code"] == DISTRICT]
    other = f"premises 40 district={whole[0]['district_code']} stage=primary from=2027"
    assert DISTRICT not in other
    refused = district.post(f"{API}/places/scenarios/run", json={"levers": [other]})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:edulake:problem:invalid-lever")
    mix = {"district": DISTRICT, "stage": "primary", "year": 2027}
    assert "片区调整" in district.post(f"{API}/places/scenarios/mix", json=mix).json()["note_zh"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"levers": ["wish 3"]}, 422),
        ({"lever": ["births -10%"]}, 422),
        ({"levers": ["births -10%"] * 51}, 422),
        ({"district": "1101"}, 422),
        ({"district": "110199"}, 422),
        ({"stage": "nursery"}, 422),
        ({"district": DISTRICT, "year": 1999}, 200),
    ],
)
def test_what_cannot_be_is_refused_and_what_is_not_there_is_empty(
    callers: dict[Role, TestClient], body: dict[str, Any], status: int
) -> None:
    got = callers[Role.CITY].post(f"{API}/places/scenarios/run", json=body)
    assert got.status_code == status
    if status == 200:
        assert (got.json()["rows"], got.json()["totals"]) == ([], [])


def test_only_officials_run_scenarios(callers: dict[Role, TestClient]) -> None:
    assert callers[Role.SCHOOL].post(f"{API}/places/scenarios/run", json={}).status_code == 403
    assert callers[Role.PUBLIC].post(f"{API}/places/scenarios/run", json={}).status_code == 401
    told = callers[Role.CITY].get(f"{API}/places/scenarios/levers").json()["levers"]
    assert [one["needs"] for one in told if one["name"] == "premises"] == [["district", "from", "stage"]]
