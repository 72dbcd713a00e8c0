"""`./edulake check FILE…`: a verdict in words, exit codes, reports; offline what needs a lake is named."""

from __future__ import annotations

import zipfile
from pathlib import Path

from openpyxl import Workbook, load_workbook
from typer.testing import CliRunner, Result

from jobs import declare
from jobs.cli.main import app
from jobs.settings import Settings

COLUMNS = {c.name: c.headings[0] for c in declare.load()["birth"].columns}


def births(folder: Path, name: str, *counts: str) -> Path:
    lines = [
        {"unit_code": "东城区", "birth_year": str(2020 + at), "birth_count": count}
        for at, count in enumerate(counts)
    ]
    told = [",".join(COLUMNS.values()), *(",".join(line.get(c, "") for c in COLUMNS) for line in lines)]
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(told) + "\n", encoding="utf-8")
    return file


def check(*words: object) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, words)], catch_exceptions=False)


def test_a_sound_file_is_fine_and_what_was_not_checked_is_named(settings: Settings, tmp_path: Path) -> None:
    shown = check(births(tmp_path, "出生人口.csv", "4321"))
    assert shown.exit_code == 0, shown.output
    for words in (
        "出生人口.csv: 正常接收",
        "数据行 1",
        "未在本机核对",
        "是否与先前报送的文件完全相同",
        "下一步: 可以报送",
    ):
        assert words in shown.output
    assert not (settings.landing / "place_demand").exists()


def test_wrong_lines_are_told_by_line_column_and_way_out(settings: Settings, tmp_path: Path) -> None:
    shown = check(
        births(tmp_path, "b.csv", *["4321"] * 9, "many"), "--sender", "110000", "--out", tmp_path / "o"
    )
    assert shown.exit_code == 1, shown.output
    assert "b.csv: 部分退回" in shown.output
    assert f"第11行 {COLUMNS['birth_count']}:" in shown.output
    assert "未在本机核对" not in shown.output
    marked = load_workbook(tmp_path / "o" / "b_核对_marked.xlsx")
    assert len(marked.worksheets) == 2
    made = sorted(file.name for file in (tmp_path / "o").iterdir())
    assert made == ["b_核对.html", "b_核对.xlsx", "b_核对_marked.xlsx"]
    assert "照现在这样报送，这些行不会生效" in (tmp_path / "o" / "b_核对.html").read_text("utf-8")


def test_a_folder_and_an_archive_are_taken(settings: Settings, tmp_path: Path) -> None:
    births(tmp_path / "all", "one.csv", "4321")
    births(tmp_path / "all", "deep/two.csv", "x")
    with zipfile.ZipFile(tmp_path / "all" / "three.zip", "w") as archive:
        archive.write(births(tmp_path, "inside.csv", "77", "78"), "inside.csv")
    shown = check(tmp_path / "all", "--offline", "--feed", "place_demand")
    assert shown.exit_code == 1, shown.output
    assert "two.csv: 整份退回" in shown.output
    assert "three.zip: 正常接收" in shown.output
    assert "共 3 个文件，1 个需要更正" in shown.output


def test_a_workbook_of_two_datasets_is_told_as_the_two_that_it_becomes(
    settings: Settings, tmp_path: Path
) -> None:
    book = Workbook()
    for dataset, values in (("birth", ["东城区", "2024", "4321"]), ("control_total", [])):
        sheet = book.create_sheet(dataset)
        columns = declare.load()[dataset].columns
        sheet.append([column.headings[0] for column in columns])
        sheet.append((values + ["x"] * len(columns))[: len(columns)])
    del book["Sheet"]
    book.save(tmp_path / "两表.xlsx")
    shown = check(tmp_path / "两表.xlsx", "--offline")
    assert shown.exit_code == 1, shown.output
    assert shown.output.count("两表（") == 2
    assert "共 2 个文件" in shown.output


def test_a_wrong_use_ends_with_two(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    file = births(tmp_path, "b.csv", "1")
    for words in (
        [tmp_path / "none.csv"],
        [tmp_path / "empty"],
        [file, "--feed", "x"],
        [file, "--out", file],
        [],
    ):
        assert check(*words).exit_code == 2, words
