"""Which models a release shows, as dbt's manifest says."""

from __future__ import annotations

import json
from pathlib import Path

from jobs.publish.published_models import Column, Model, read_models


def test_models_come_from_dbts_manifest(tmp_path: Path) -> None:
    node = {
        "resource_type": "model",
        "name": "rpt_public__outlook",
        "description": "Outlook for places.",
        "config": {"meta": {"scope": "district_code", "public": True, "title_zh": "学位展望"}},
        "columns": {"place_count": {"description": "seats", "config": {"meta": {"title_zh": "学位数"}}}},
    }
    staging = {"resource_type": "model", "name": "stg_fitness__test_result", "config": {"meta": {}}}
    test = {"resource_type": "test", "name": "not_null", "config": {"meta": {"scope": "city"}}}
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"nodes": {"a": node, "b": staging, "c": test}}))
    assert read_models(manifest) == {
        "rpt_public__outlook": Model(
            "rpt_public__outlook",
            scope="district_code",
            public=True,
            title_zh="学位展望",
            description="Outlook for places.",
            columns={"place_count": Column("学位数", "seats")},
        )
    }
