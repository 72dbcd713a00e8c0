"""The places report: its map is the site's own, and a site without one gets a page without it."""

from __future__ import annotations

import dataclasses
import re
from datetime import date
from typing import Any

import pandas as pd
import pytest

from jobs.decide.places import page
from jobs.decide.places.page import Findings

SQUARE = [[116.0, 39.0], [117.0, 39.0], [117.0, 40.0], [116.0, 40.0], [116.0, 39.0]]


def findings(outlines: dict[str, Any] | None) -> Findings:
    """A district that is short of places in every stage."""
    grades = {"kindergarten": "K1", "primary": "P1", "junior": "J1", "senior": "S1"}
    past = pd.DataFrame(
        [{"grade_key": g, "school_year_start": 2024, "pupil_count": 100.0} for g in grades.values()]
    )
    told = {"origin": 2024, "school_year_start": 2025, "forecast": 120.0}
    bounds = {"lower_80": 110.0, "upper_80": 130.0, "lower_90": 100.0, "upper_90": 140.0}
    forecast = pd.DataFrame([{"grade_key": key, **told, **bounds} for key in (*grades, *grades.values())])
    short = {"level": "district", "unit_code": "990101", "school_year_start": 2025, "places": 100.0}
    warned = {"surplus": -20.0, "warning_direction": "shortage", "warning_level": "red"}
    gap = pd.DataFrame([{**short, **warned, "stage_code": stage} for stage in grades])
    columns = ["origin", "lead", "forecast", "pupil_count", "error_percent"]
    kept = pd.DataFrame(columns=columns)
    missed = {"grade_key": "junior", "lead": 2, "mape_percent": 3.25, "coverage_80_share": 0.8}
    errors = pd.DataFrame([missed, {**missed, "lead": 1, "mape_percent": 1.0}])
    return Findings("某市", date(2025, 9, 10), page.CITY, past, forecast, gap, kept, errors, outlines)


@pytest.mark.parametrize(("kind", "coordinates"), [("Polygon", [SQUARE]), ("MultiPolygon", [[SQUARE]])])
def test_the_map_is_the_sites_own_and_names_its_source(kind: str, coordinates: list[Any]) -> None:
    shape = {"type": kind, "coordinates": coordinates}
    features = [{"id": 990101, "geometry": shape, "properties": {}}]
    html = page.page(findings({"features": features, "source": "某市规划院 <survey>"}))
    assert html.count('fill-rule="evenodd"') == 4
    assert "990101 -20" in html
    assert "某市规划院 &lt;survey&gt;" in html


def test_a_made_up_city_says_so_on_the_page_and_below_each_chart() -> None:
    real = findings(None)
    made_up = page.page(dataclasses.replace(real, is_synthetic=True))
    assert "合成" not in page.page(real)
    assert made_up.index('role="note">合成数据') < made_up.index("<main")
    charts = re.findall("<svg.*?</svg>", made_up)
    assert len(charts) == 5
    assert all("合成数据 synthetic data" in chart for chart in charts)


def test_the_page_says_how_far_such_forecasts_missed_at_the_level_that_it_shows() -> None:
    html = page.page(findings(None))
    assert "全市合计。" in html
    assert "<td>初中 junior</td><td>1.0 % (80%)</td><td>3.2 % (80%)</td>" in html
    of_a_district = page.page(dataclasses.replace(findings(None), unit="990101"))
    assert "各区平均。" in of_a_district
    none_yet = dataclasses.replace(findings(None), errors=findings(None).errors.head(0))
    assert "尚无 none yet" in page.page(none_yet)


def test_a_site_without_a_map_has_a_page_without_one() -> None:
    html = page.page(findings(None))
    assert "This site brings no map" in html
    assert "fill-rule" not in html
    assert "district borders" not in html
