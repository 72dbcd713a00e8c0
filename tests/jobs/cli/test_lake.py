"""Commands on a whole site that need no run: land, clean, links of identities, a new key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from jobs import clock, declare
from jobs.cli.main import app
from jobs.declare import reasons
from jobs.lake import deliveries, tables
from jobs.settings import Settings, UserError


def edulake(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)


def test_land_copies_the_file_to_a_new_delivery(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "births.csv"
    file.write_text("unit_code,birth_year,birth_count\n110101,2020,1\n", encoding="utf-8")
    words = ("land", file, "--feed", "place_demand", "--sender", "110000")
    with pytest.raises(UserError, match="landing is empty"):
        edulake(*words)
    shown = edulake(*words, "--received", "2025-09-01")
    assert shown.exit_code == 0
    (landed,) = settings.landing.rglob("births.csv")
    assert landed.read_bytes() == file.read_bytes()
    assert f"--site {settings.site}" in shown.output
    again = edulake(*words, "--received", "2025-09-02")
    assert "landed already, as place_demand/110000/2025-09-01_1/births.csv" in again.output.replace("\n", " ")
    assert "waits" in again.output
    row = dict.fromkeys(declare.table_columns("ops__receipt")) | {
        "receipt_id": deliveries.scan(settings)[0].receipt_id,
        "run_id": "2025-09-01.1",
        "outcome": "failed",
        "reasons": [reasons.text("reader_died")],
    }
    tables.append_rows(settings, "ops__receipt", [row], "receipt", "r")
    told = edulake(*words).output
    assert f"It is failed by receipt {row['receipt_id']} of run 2025-09-01.1. 读取程序被系统中断" in told
    assert f"./edulake feed retry {row['receipt_id']} --site {settings.site}" in told
    assert len([*settings.landing.rglob("births.csv")]) == 1


def test_land_parts_a_workbook_of_several_datasets(settings: Settings, tmp_path: Path) -> None:
    rows = {"出生": ["区", "出生年", "出生人数"], "住房": []}
    rows["住房"] = [c.headings[0] for c in declare.load()["housing_delivery"].columns]
    rows["集团"] = [c.headings[0] for c in declare.load()["school_group"].columns]
    book = openpyxl.Workbook()
    for name, header in rows.items():
        sheet = book.create_sheet(name)
        sheet.append(header)
        sheet.append(["1"] * len(header))
    book.save(tmp_path / "报表.xlsx")
    words = ("land", tmp_path / "报表.xlsx", "--feed", "place_demand", "--sender", "110000")
    for _ in range(2):
        assert edulake(*words, "--received", "2025-09-01").exit_code == 0
        landed = {file.name: file.delivery_id for file in deliveries.scan(settings)}
        assert landed == {
            "报表（出生人口）.xlsx": "place_demand/110000/2025-09-01_1",
            "报表（住房交付）.xlsx": "place_demand/110000/2025-09-01_1",
            "报表（教育集团成员校）.xlsx": "resources/110000/2025-09-01_1",
        }


def test_a_file_of_a_real_site_arrives_today(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    settings = make_settings("us")
    file = tmp_path / "births.csv"
    file.write_text("unit_code,birth_year,birth_count\nCA,2020,1\n", encoding="utf-8")
    assert edulake("land", file, "--feed", settings.feeds[0], "--sender", "us").exit_code == 0
    (landed,) = deliveries.scan(settings)
    assert landed.received == clock.today(settings.timezone)


def test_a_sender_that_nobody_knows_is_told_at_once(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "births.csv"
    file.write_text("区,出生年,出生人数\n东城区,2020,1\n", encoding="utf-8")
    words = ("land", file, "--received", "2025-09-01", "--feed", "place_demand", "--sender")
    told = edulake(*words, "9999")
    assert told.exit_code == 0
    assert "没有代码为“9999”的报送单位" in told.stderr
    assert "9999" not in edulake(*words, "110000").stderr


def test_what_is_left_aside_is_named(settings: Settings, tmp_path: Path) -> None:
    for place in (
        "loose.csv",
        "place_demand/110000/2205-11-22_1/births.csv",
        "place_demand/110000/[x]/a.csv",
    ):
        (settings.landing / place).parent.mkdir(parents=True, exist_ok=True)
        (settings.landing / place).write_text("x")
    shown = edulake("status").output
    assert "left aside" in shown
    assert "loose.csv: 不在批次文件夹内" in shown
    assert "2205-11-22_1: 接收日期在今天之后" in shown
    assert "place_demand/110000/[x]: 文件夹名不是批次" in shown


def test_clean_asks_before_it_removes(settings: Settings) -> None:
    settings.prepare()
    assert CliRunner().invoke(app, ["clean"], input="n\n").exit_code == 1
    assert settings.home.is_dir()
    assert edulake("clean", "--yes").exit_code == 0
    assert not settings.home.exists()
    assert "nothing to remove" in edulake("clean", "--yes").output


def test_links_of_an_empty_lake_are_an_empty_table(settings: Settings) -> None:
    shown = edulake("identity", "links")
    assert shown.exit_code == 0
    assert "linked token" in shown.output


def test_a_day_that_is_none_is_refused(settings: Settings) -> None:
    assert edulake("asof", "2025-13-01", "select 1").exit_code == 2
