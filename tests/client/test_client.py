"""The client against the real application: one release for a session, all pages, exact values."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import Caller, Role
from jobs.publish.release import Release
from jobs.settings import ROOT, Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app

from ..portal.conftest import publish, settings

sys.path.insert(0, str(ROOT / "client"))
import edulake_client
import generate
from edulake_client import Edulake, EdulakeError

Publish = Callable[..., Release]
__all__ = ["publish", "settings"]


@pytest.fixture
def lake(settings: Settings, publish: Publish) -> Iterator[Edulake]:
    publish(1)
    app = create_app(settings, EverybodyIs(Caller(Role.CITY, "official")))
    with TestClient(app, base_url="http://127.0.0.1") as http, Edulake(http=http) as session:
        yield session


def test_a_session_is_of_one_release_though_a_newer_one_comes(lake: Edulake, publish: Publish) -> None:
    pages = lake.pages("dim_school", limit=100, sort="-school_code")
    rows = next(pages).rows
    publish(2, schools=150)
    rows += [row for page in pages for row in page.rows]
    assert [row["school_code"] for row in rows] == [f"21110{10000 + i}" for i in reversed(range(240))]
    assert {row["run_number"] for row in rows} == {1}
    assert (lake.release, len(lake.frame("dim_school")), lake.get("/cards")["release"]) == (1, 240, 1)
    assert next(t for t in lake.tables() if t.name == "dim_school").row_count == 240
    assert lake.about().as_of_date == "2026-09-10"


def test_filters_of_python_are_those_of_the_api(lake: Edulake) -> None:
    found = [*lake.rows("fct_school_fitness", district_code=["110101", "110102"], pass_share__gte=0.9)]
    assert len(found) == 20
    day = [*lake.rows("fct_school_fitness", tested_on=date(2025, 10, 9))]
    assert [row["school_code"] for row in day] == ["2111010001"]
    assert len([*lake.rows("fct_school_fitness", tested_on=None)]) == 35
    assert [*lake.rows("/tables/fct_place_outlook", is_complete=False, fields="place_count")] == [
        {"place_count": 1000},
        {"place_count": 1004},
    ]


def test_a_table_in_one_piece_has_its_types(lake: Edulake) -> None:
    table = lake.arrow("fct_school_fitness", school_code="2111010001")
    assert table.to_pylist()[0]["pass_share"] == Decimal("0.8005")
    assert table.schema.metadata[b"release"] == b"1"
    frame = lake.frame("fct_school_fitness", district_code="110101")
    assert (frame["pass_share"].dtype, len(frame)) == ("float64", 60)


def test_what_is_refused_says_why_in_both_languages(lake: Edulake) -> None:
    with pytest.raises(EdulakeError, match="district_code") as refused:
        next(lake.rows("dim_school", district="110101"))
    assert refused.value.status == 422
    assert refused.value.problem is not None
    assert refused.value.problem.title_zh == "没有这个参数"
    with pytest.raises(EdulakeError, match="no measures"):
        lake.cells("dim_school", ["place_count"])
    with pytest.raises(EdulakeError, match="999"):
        next(Edulake(http=lake._http, release=999).rows("dim_school"))


def test_models_are_what_the_description_says() -> None:
    kept, made = generate.MODELS.read_text("utf-8").splitlines(), generate.text().splitlines()
    changes = [*difflib.unified_diff(kept, made, "models.py", "openapi.json", n=0, lineterm="")]
    assert not changes, "\n".join(["run `python client/generate.py`", *changes[:40]])
    assert edulake_client.__all__ == ["Edulake", "EdulakeError"]
