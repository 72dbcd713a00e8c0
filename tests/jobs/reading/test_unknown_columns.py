"""What becomes of columns that nobody declared: `refuse`, `freeze` and `evolve`, from landing to receipt."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.declare import EXPECTATIONS, reasons
from jobs.lake import deliveries
from jobs.settings import ROOT

if TYPE_CHECKING:
    from jobs.settings import Settings

POLICIES = {"birth": "refuse", "capacity_project": "freeze", "housing_delivery": "evolve"}

# A process of its own: declarations are read once a process, and this one's are the checkout's.
_TAKE = """
import json
from jobs import settings as site_settings
from jobs.ingest import clean, raw
from jobs.lake import receipt_text, tables
from jobs.spark import server
settings = site_settings.load()
raw.write_raw(settings, "2025-03-01.1", "place_demand")
with server.session(settings) as spark:
    clean.clean_rows(settings, spark, "2025-03-01.1", "place_demand")
made = {name: tables.rows(settings, name) for name in (
    "raw_place_demand", "clean_places__birth", "clean_places__capacity_project")}
made["receipts"] = receipt_text.receipts(settings)
print(json.dumps(made, default=str))
"""

FILES = {
    "births.csv": "区,出生年,出生人数,备注,经办人\n东城区,2020,1200,无,某某\n",
    "births_again.csv": "区,出生年,出生人数\n西城区,2020,1500\n",
    "withdrawn.csv": "区,出生年,操作\n朝阳区,2020,撤销\n",
    "projects.csv": "项目编号,项目名称,区,学段,新增学位数,计划启用日期,项目状态,监理单位\n"
    "X1,某小学,东城区,小学,960,2026-09-01,在建,某公司\n",
}


def test_unknown_columns_are_refused_or_named_and_nothing_evolves_silently(
    engine_url: str, settings: Settings, tmp_path: Path
) -> None:
    mine = tmp_path / "expectations"
    shutil.copytree(EXPECTATIONS, mine)
    for dataset, policy in POLICIES.items():
        path = mine / "contracts" / f"{dataset}.yaml"
        text, changed = re.subn(
            r"^extra_columns: \w+$", f"extra_columns: {policy}", path.read_text("utf-8"), flags=re.MULTILINE
        )
        assert changed == 1
        path.write_text(text, encoding="utf-8")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="gb18030")
        deliveries.land(settings, tmp_path / name, "place_demand", "110000", date(2025, 3, 1))
    environment = os.environ | {
        "EDULAKE_EXPECTATIONS": str(mine),
        "EDULAKE_SPARK": engine_url,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", _TAKE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made: dict[str, list[dict[str, Any]]] = json.loads(done.stdout.splitlines()[-1])
    receipts = {r["file_name"]: r for r in made["receipts"]}
    assert set(receipts) == set(FILES)
    outcomes = {name: (r["outcome"], r["extra_headings"]) for name, r in receipts.items()}
    assert outcomes == {
        "births.csv": ("refused", ["备注", "经办人"]),
        "births_again.csv": ("accepted", []),
        "withdrawn.csv": ("accepted", []),
        "projects.csv": ("accepted", ["监理单位"]),
    }
    (reason,) = receipts["births.csv"]["reasons"]
    assert reason == reasons.text("columns_unknown", dataset="birth", headings=["备注", "经办人"])
    # Of the file sent back no line is anywhere; the frozen column is in raw as sent, and in no clean table.
    refused = receipts["births.csv"]["file_sha256"]
    assert refused not in {row["_file_sha256"] for row in made["raw_place_demand"]}
    assert [r["unit_code"] for r in made["clean_places__birth"] if not r["is_withdrawn"]] == ["110102"]
    assert any("某公司" in row["cells"] for row in made["raw_place_demand"])
    (project,) = made["clean_places__capacity_project"]
    assert "某公司" not in json.dumps(project, ensure_ascii=False)
