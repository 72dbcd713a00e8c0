"""The dated standards: one reader, one rule of dates, one folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from jobs.declare import ContractError, standards
from jobs.settings import EXPECTATIONS, ROOT, UserError

# Every reader of a standard, called once in a process of its own that notes each file it opens.
_READERS = """
import json, re, sys
from datetime import date
import pandas as pd
from jobs.settings import ROOT
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from jobs import declare
from jobs.declare import bounds, standards
from jobs.decide.evaluation import plan_targets, status
from jobs.decide.fitness import nutrition, plausible, standard
from jobs.decide.places import supply
from jobs.decide.safety import absence, risk, rules
from jobs.publish import views
day = date(2025, 11, 20)
for contract in declare.load().values():
    bounds.of(contract)
    for column in contract.columns:
        if column.codes:
            declare.code_list(column.codes)
plan_targets.Targets(day)
status.Rules.on(day)
nutrition._bounds()
plausible.rows()
standard.load()
supply.class_sizes(day)
absence.syndrome_names(pd.Timestamp(day))
risk.InspectionModel.of(pd.Timestamp(day))
rules.load_rules()
opened += re.findall(r"read_csv[(]'([^']+)'", " ".join(views.standard_queries().values()))
print(json.dumps([path for path in opened if "/expectations/" in path]))
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of standards of the test's own."""
    monkeypatch.setattr(standards, "EXPECTATIONS", tmp_path)
    (tmp_path / "standards").mkdir()
    return tmp_path / "standards"


def test_a_row_holds_from_its_first_day_until_before_its_last(mine: Path) -> None:
    lines = ["value,valid_from,valid_to", "1,2020-01-01,2025-01-01", "2,2025-01-01,"]
    (mine / "target.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    days = [date(2019, 12, 31), date(2020, 1, 1), date(2024, 12, 31), date(2025, 1, 1), date(2030, 1, 1)]
    assert [[r["value"] for r in standards.rows("target", day)] for day in days] == [
        [], ["1"], ["1"], ["2"], ["2"],
    ]  # fmt: skip
    assert [standards.frame("target", day)["value"].tolist() for day in days] == [[], [1], [1], [2], [2]]
    assert len(standards.rows("target")) == len(standards.frame("target")) == 2
    assert standards.frame("target")["valid_to"].isna().tolist() == [False, True]


def test_a_day_without_a_needed_row_and_a_missing_file_say_so(mine: Path) -> None:
    (mine / "target.csv").write_text("value,valid_from,valid_to\n1,2020-01-01,\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"no row of target.csv is in force on 2019-01-01") as raised:
        standards.frame("target", date(2019, 1, 1), needed=True)
    assert "Add a row" in raised.value.way_out
    with pytest.raises(ContractError, match="no standard nothing"):
        standards.rows("nothing")


@pytest.mark.parametrize("path", sorted(EXPECTATIONS.glob("standards/**/*.csv")), ids=lambda p: p.stem)
def test_dates_of_every_standard_are_dates_in_order(path: Path) -> None:
    table = standards.frame(path.relative_to(EXPECTATIONS / "standards").with_suffix("").as_posix())
    assert len(table)
    if "valid_from" in table:
        assert table["valid_from"].notna().all()
        closed = table[table["valid_to"].notna()]
        assert (pd.to_datetime(closed["valid_to"]) > closed["valid_from"]).all()


def test_no_other_module_names_the_folder_of_standards() -> None:
    sources = [f for room in ("jobs", "synthetic", "portal", "dags") for f in (ROOT / room).rglob("*.py")]
    assert len(sources) > 100
    names = re.compile(r"""/ *["']standards["']|expectations/standards[^\s`]*["']\)""")
    found = {str(f.relative_to(ROOT)) for f in sources if names.search(f.read_text("utf-8"))}
    assert found == {"jobs/declare/standards.py"}


def test_the_environment_moves_every_declaration_and_standard(tmp_path: Path) -> None:
    moved = tmp_path / "expectations"
    shutil.copytree(EXPECTATIONS, moved)
    environment = os.environ | {"EDULAKE_EXPECTATIONS": str(moved), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", _READERS], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    opened = {Path(path) for path in json.loads(done.stdout)}
    assert {path for path in opened if not path.is_relative_to(moved)} == set()
    read = {path.parent.name for path in opened if path.is_relative_to(moved / "standards")}
    assert {"evaluation", "fitness", "2014", "places", "safety"} <= read
