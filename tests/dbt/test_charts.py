"""The charts of the dashboard in infra/superset ask what the marts have."""

from __future__ import annotations

import json

import duckdb

from jobs.publish import marts
from jobs.settings import ROOT


def test_every_chart_asks_what_the_marts_have(city: marts.BuildResult) -> None:
    charts = json.loads((ROOT / "infra/superset/charts.json").read_text(encoding="utf-8"))
    assert len(charts) == 4
    rows = {}
    with duckdb.connect(str(city.file), read_only=True) as build:
        for chart in charts:
            answer = build.execute(" ".join(chart["sql"]).replace("{schema}", "main"))
            columns = [column[0] for column in answer.description or []]
            params = chart["params"]
            shown = params.get("all_columns") or [
                params["x_axis"],
                *params["groupby"],
                *(metric["column"]["column_name"] for metric in params["metrics"]),
            ]
            assert sorted(columns) == sorted(shown), chart["name"]
            rows[chart["name"]] = len(answer.fetchall())
    # The case has no forecast of three years ahead, and no alert.
    assert rows["在校生数（按学段）"] > 0
    assert rows["规划指标与目标"] > 0
