"""`./edulake evaluation collected`: a form in, a table and a share out, with and without a lake."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs import declare
from jobs.cli.main import app
from jobs.lake import tables
from jobs.settings import Settings

FORM = "学校基本情况调查表,,\n学校名称,在校生数（人）,营养午餐人数\n,,\n"


@pytest.fixture
def form(tmp_path: Path) -> Path:
    path = tmp_path / "调查表.csv"
    path.write_text(FORM, encoding="gb18030")
    return path


def test_without_a_lake_no_date_is_told(form: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["evaluation", "collected", str(form), "--site", "beijing"])
    assert done.exit_code == 0, done.output
    assert "3 项中 2 项已有 (67%), 其中 0 项可由已有数据计算; 1 项没有。" in done.output
    assert "no date is told" in done.output
    assert not (tmp_path / "home").exists()


def test_with_a_lake_the_newest_accepted_delivery_is_told(
    form: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(settings.home.parent))
    columns = declare.table_columns("ops__receipt")
    told = [
        ("grade_return", "110101", 2024, "accepted"),
        ("grade_return", "110102", 2025, "accepted"),
        ("grade_return", "110105", 2026, "held"),
    ]
    rows = [
        dict.fromkeys(columns)
        | {
            "dataset": dataset,
            "sender_code": sender,
            "received_date": date(year, 9, 25),
            "delivery_id": f"enrollment/{sender}/{year}-09-25_1",
            "outcome": outcome,
            "recorded_at": datetime(year, 9, 25, tzinfo=UTC),
        }
        for dataset, sender, year, outcome in told
    ]
    tables.append_rows(settings, "ops__receipt", rows, "test", "2025-11-20.1")
    output = form.with_name("out.csv")
    arguments = ["evaluation", "collected", str(form), "--output", str(output), "--site", settings.site]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    with output.open(encoding="utf-8-sig", newline="") as lines:
        answers = {row["item"]: row for row in csv.DictReader(lines)}
    assert answers["在校生数（人）"]["newest_delivery"] == "2025-09-25"
    assert answers["在校生数（人）"]["datasets"] == "grade_return"
    assert answers["学校名称"]["newest_delivery"] == ""
    assert answers["营养午餐人数"]["status"] == "没有"


@pytest.mark.parametrize("arguments", [["nowhere.xlsx"], ["{form}", "--output", "{form}"]])
def test_used_wrongly_it_says_so_and_writes_nothing(form: Path, arguments: list[str]) -> None:
    told = [argument.format(form=form) for argument in arguments]
    done = CliRunner().invoke(app, ["evaluation", "collected", *told])
    assert done.exit_code != 0
    assert form.read_text("gb18030") == FORM
