"""The front page of who may not see the officials' cards."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from fastapi.testclient import TestClient

from jobs.access.caller import ANYBODY, Caller, Role
from jobs.publish import publication
from jobs.publish.published_models import Model
from jobs.publish.release import CITY
from jobs.settings import Settings
from portal.access.gate import EverybodyIs
from portal.app import create_app
from portal.models import Cards

# As dbt makes them; the release hides what is small.
BUILD = """
create table pub_fitness_district_year as
    select 'city' as unit_level, null::varchar as district_code, 2024 + i as school_year_start,
        (2024 + i) || '-' || (2025 + i) as school_year, {scored} as scored_count,
        null::varchar as scored_count_missing_reason, {good} as good_or_excellent_count,
        ({good} / {scored})::decimal(6, 4) as good_or_excellent_share,
        null::varchar as good_or_excellent_missing_reason
    from range(2) t(i);
create table rpt_portal__service_card as
    select 'fitness' as service, 1 as sort_order, 'secret figure' as title_zh;
create table dim_school as select '2111010001' as school_code, '110101' as district_code;
"""
RATES = Model(
    "pub_fitness_district_year",
    CITY,
    "services",
    public=True,
    protect={
        "key": ["unit_level", "district_code", "school_year_start"],
        "counts": {
            "scored_count": {"reason": "scored_count_missing_reason"},
            "good_or_excellent_count": {
                "reason": "good_or_excellent_missing_reason",
                "part_of": "scored_count",
                "hidden_with": ["good_or_excellent_share"],
            },
        },
    },
)


@pytest.mark.parametrize(("scored", "good", "figure"), [(1000, 812, 81.2), (12, 11, None)])
@pytest.mark.parametrize(
    "caller", [ANYBODY, Caller(Role.SCHOOL, "s", unit_code="2111010001", district_code="110101")]
)
def test_a_card_of_the_public_shows_what_its_public_table_shows(
    settings: Settings, tmp_path: Path, caller: Caller, scored: int, good: int, figure: float | None
) -> None:
    settings.home.mkdir(parents=True)
    build = tmp_path / "build.duckdb"
    with duckdb.connect(str(build)) as con:
        con.execute(BUILD.format(scored=scored, good=good))
    models = {
        RATES.name: RATES,
        "rpt_portal__service_card": Model("rpt_portal__service_card", CITY, "portal"),
        "dim_school": Model("dim_school", "district_code", "resources"),
    }
    made = publication.publish(
        settings, "r.1", build, models, {}, as_of_date="2026-09-10", known_at="2026-09-10", code_version="1"
    )
    if made.is_draft:
        publication.approve(settings, made.number, "test", "small")
    client = TestClient(create_app(settings, EverybodyIs(caller)), "http://127.0.0.1")
    answer = client.get("/api/v1/cards")
    assert "secret" not in answer.text
    cards = {card.service: card for card in Cards.model_validate_json(answer.content).cards}
    assert list(cards) == ["places", "evaluation", "fitness", "safety"]
    assert cards["fitness"].figure_value == figure
    assert cards["fitness"].status == ("ok" if figure else "no_data")
    assert len(cards["fitness"].series) == (2 if figure else 0)
    assert cards["places"].status == "no_data"
    listed = [item for one in client.get("/api/v1/platforms").json()["platforms"] for item in one["items"]]
    assert [item["table_name"] for item in listed if item["note_zh"]] == [RATES.name]
